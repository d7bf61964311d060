//! A bundle: one edition in one file.
//!
//! For a stick carried to machines without a network, for pushing, and for the copy that a host ships inside a release. It
//! holds the files of an origin under the paths they have there, every root from the first on among them, so that a client
//! with any root can follow. **It is a source of bytes and proves nothing**: the same workflow verifies what it gives as
//! verifies an origin ([`Bundle::take`]).
//!
//! ```text
//! mulberry-bundle 1\n                      the format's number
//! 1423 metadata/1.root.json\n              an entry: bytes, path
//! …1423 bytes…\n                           its content as it was published
//! …                                        more entries, paths ascending, each once
//! sha256 9f2d…64 hex digits…\n             of everything before this line
//! ```
//!
//! Why a format of our own: contents stay the very bytes that were signed, a pager shows them, and each edition has exactly
//! one bundle, since the reader takes only what the writer would write. A plain tar cannot hold our paths (a hash and a slug
//! exceed its 100 characters) without one of its several extensions; JSON would wrap everything in Base64.
//!
//! The digest at the end finds what was cut or damaged on the way, and says so before anything else is looked at. Who
//! changes a bundle on purpose can change it too; that is what signatures are for.

use std::collections::BTreeMap;

use crate::digest::Sha256Digest;
use crate::limits::BundleLimits;

mod fitness;

pub use fitness::{Unfit, fault};

/// The newest format this code reads, and the one it writes.
pub const FORMAT: u64 = 1;
/// What a bundle's file is called by habit.
pub const EXTENSION: &str = "mulberry";

const MAGIC: &str = "mulberry-bundle ";
const SEAL: &str = "sha256 ";
/// Bytes of the last line: the word, 64 digits, the line's end.
const SEAL_BYTES: usize = SEAL.len() + 64 + 1;

/// One edition in one file: the files of an origin by their paths. Not trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    entries: BTreeMap<String, Vec<u8>>,
}

/// Why bytes are no bundle, or files cannot make one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Something else.
    #[error("this is no Mulberry bundle: it does not begin with \"{MAGIC}\" and a number")]
    NotABundle,
    /// Written by a later version.
    #[error("the bundle has format {found}, and this program knows up to {FORMAT}; use a newer one")]
    Newer {
        /// The number found.
        found: u64,
    },
    /// Not what was written.
    #[error(
        "the bundle is cut short or damaged: the digest at its end is not that of its content; copy it again, or make a new one"
    )]
    Damaged,
    /// More bytes than allowed.
    #[error("the bundle has {found} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The ceiling.
        limit: usize,
    },
    /// More entries than allowed.
    #[error("the bundle has more than the {limit} entries allowed")]
    TooMany {
        /// The ceiling.
        limit: usize,
    },
    /// Not of the form, though its digest holds: it was not made by Mulberry.
    #[error(
        "entry {entry} of the bundle is not as it must be: {problem}; make a new one with mulberryctl bundle"
    )]
    Malformed {
        /// The entry, counted from 1.
        entry: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Bundle {
    /// Makes a bundle of an origin's files.
    ///
    /// # Errors
    /// [`BundleError::Malformed`] for a path that no repository of ours has; the ceilings.
    pub fn new(entries: BTreeMap<String, Vec<u8>>, limits: &BundleLimits) -> Result<Self, BundleError> {
        if entries.len() > limits.entries {
            return Err(BundleError::TooMany { limit: limits.entries });
        }
        for (number, path) in entries.keys().enumerate() {
            check_path(path, limits)
                .map_err(|problem| BundleError::Malformed { entry: number.saturating_add(1), problem })?;
        }
        let bundle = Self { entries };
        let found = bundle.size();
        if found > limits.bytes {
            return Err(BundleError::TooLarge { found, limit: limits.bytes });
        }
        Ok(bundle)
    }

    /// Reads a whole file. Takes exactly what [`Self::write`] gives.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn read(bytes: &[u8], limits: &BundleLimits) -> Result<Self, BundleError> {
        let rest = bytes.strip_prefix(MAGIC.as_bytes()).ok_or(BundleError::NotABundle)?;
        let (number, rest) = line(rest, 20).ok_or(BundleError::NotABundle)?;
        match decimal(number) {
            None | Some(0) => return Err(BundleError::NotABundle),
            Some(FORMAT) => {}
            Some(found) => return Err(BundleError::Newer { found }),
        }
        if bytes.len() > limits.bytes {
            return Err(BundleError::TooLarge { found: bytes.len(), limit: limits.bytes });
        }
        let (rest, seal) = rest
            .len()
            .checked_sub(SEAL_BYTES)
            .and_then(|at| rest.split_at_checked(at))
            .ok_or(BundleError::Damaged)?;
        let sealed = bytes.len().checked_sub(SEAL_BYTES).and_then(|end| bytes.get(..end));
        if sealed.is_none_or(|sealed| seal != seal_of(sealed).as_bytes()) {
            return Err(BundleError::Damaged);
        }
        read_entries(rest, limits).map(|entries| Self { entries })
    }

    /// The whole file. The same files give the same bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        out.extend_from_slice(format!("{MAGIC}{FORMAT}\n").as_bytes());
        for (path, content) in &self.entries {
            out.extend_from_slice(header(path, content).as_bytes());
            out.extend_from_slice(content);
            out.push(b'\n');
        }
        let seal = seal_of(&out);
        out.extend_from_slice(seal.as_bytes());
        out
    }

    /// The content of a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.entries.get(path).map(Vec::as_slice)
    }

    /// All entries, paths ascending.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.entries
    }

    /// Bytes of the whole file; saturating.
    fn size(&self) -> usize {
        let entries = self.entries.iter().map(|(path, content)| {
            header(path, content).len().saturating_add(content.len()).saturating_add(1)
        });
        entries.fold(format!("{MAGIC}{FORMAT}\n").len().saturating_add(SEAL_BYTES), usize::saturating_add)
    }
}

fn header(path: &str, content: &[u8]) -> String {
    format!("{} {path}\n", content.len())
}

fn seal_of(bytes: &[u8]) -> String {
    format!("{SEAL}{}\n", Sha256Digest::of(bytes))
}

fn read_entries(mut rest: &[u8], limits: &BundleLimits) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    let mut entries = BTreeMap::<String, Vec<u8>>::new();
    while !rest.is_empty() {
        if entries.len() >= limits.entries {
            return Err(BundleError::TooMany { limit: limits.entries });
        }
        let entry = entries.len().saturating_add(1);
        let (path, content, after) =
            read_entry(rest, limits).map_err(|problem| BundleError::Malformed { entry, problem })?;
        if entries.last_key_value().is_some_and(|(last, _)| *last >= path) {
            return Err(BundleError::Malformed { entry, problem: "its path is not behind the one before" });
        }
        entries.insert(path, content);
        rest = after;
    }
    Ok(entries)
}

type Entry<'a> = (String, Vec<u8>, &'a [u8]);

fn read_entry<'a>(bytes: &'a [u8], limits: &BundleLimits) -> Result<Entry<'a>, &'static str> {
    let (head, rest) = line(bytes, limits.path_bytes.saturating_add(21))
        .ok_or("its first line has no end, or is too long")?;
    let head = std::str::from_utf8(head).map_err(|_| "its path is not plain text")?;
    let (length, path) = head.split_once(' ').ok_or("its first line is no length and a path")?;
    let length = decimal(length.as_bytes())
        .and_then(|length| usize::try_from(length).ok())
        .ok_or("its length is no plain number")?;
    check_path(path, limits)?;
    let (content, rest) = rest.split_at_checked(length).ok_or("its content is shorter than it says")?;
    let rest = rest.strip_prefix(b"\n").ok_or("its content is longer than it says")?;
    Ok((path.to_owned(), content.to_vec(), rest))
}

/// Up to the next line's end, which must come within `max` bytes, and what follows it.
fn line(bytes: &[u8], max: usize) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().take(max.saturating_add(1)).position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end.checked_add(1)?..)?))
}

/// A decimal number as the writer writes it: no sign, no leading zero.
fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || digits.first() != Some(&b'0'));
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// `metadata/NAME.json`, `targets/NAME.json` or `targets/LANE/NAME.json`, in letters that need no quoting anywhere. A name
/// begins with a letter or digit, so no path leads out of a folder if somebody unpacks it into one.
fn check_path(path: &str, limits: &BundleLimits) -> Result<(), &'static str> {
    if path.len() > limits.path_bytes {
        return Err("its path is too long");
    }
    let mut parts = path.split('/');
    let most = match parts.next() {
        Some("metadata") => 1,
        Some("targets") => 2,
        _ => return Err("its path is not below metadata/ or targets/"),
    };
    let names: Vec<&str> = parts.collect();
    let good = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    if names.is_empty() || names.len() > most || !names.iter().all(good) || !path.ends_with(".json") {
        return Err("its path is none of a repository");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
