//! Product versions and ranges of them.
//!
//! Products do not speak semver: `66.0` is 66.0.0, `60.6.2esr` is 60.6.2, `68.0b3` is 68.0.0-beta.3, `69.0a1` is
//! 69.0.0-alpha.1, and some have four parts. [`ProductVersion`] reads generously, because a client whose version is
//! refused gets no fix. [`VersionRange`] reads strictly what people write, because a range that means something else
//! than its author thinks reaches the wrong clients in silence.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use semver::Prerelease;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod bounds;
mod fault;
mod range;
mod written;

pub use bounds::Whose;
pub use fault::{NotARange, RangeFault};
pub use range::VersionRange;

/// Bytes of a version's text. Real ones have at most a dozen, and some 40 with what packagers append.
const MAX_VERSION: usize = 64;

/// The text is not a product version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a product version: {0:?}: expected such as 66.0, 60.6.2esr, 68.0b3, 69.0a1 or 1.2.3-rc.1")]
pub struct NotAVersion(String);

/// A product's version, ordered as versions are: `68.0a1` < `68.0b3` < `68.0` = `68.0.0` = `68.0esr` < `68.0.0.1`.
///
/// What packagers append changes nothing: `66.0.3-1`, `66.0.3+build1-0ubuntu1` and `66.0.3` are equal.
#[derive(Clone, Debug)]
pub struct ProductVersion {
    text: String,
    key: Key,
}

/// Where a version stands in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    parts: [u64; 4],
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Below every pre-release: where the versions of these parts begin. No version stands here, only bounds do.
    Begin,
    /// A pre-release, ordered as semver orders them.
    Pre(Prerelease),
    Release,
}

impl ProductVersion {
    /// Its text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ProductVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let key = parse_version(text).ok_or_else(|| NotAVersion(text.chars().take(MAX_VERSION).collect()))?;
        Ok(Self { text: text.to_owned(), key })
    }
}

fn parse_version(text: &str) -> Option<Key> {
    if text.len() > MAX_VERSION {
        return None;
    }
    let (numbers, suffix) = split_numbers(text);
    let (parts, count) = parse_numbers(numbers)?;
    let suffix = without_build(suffix)?;
    let stage = parse_stage(suffix)
        .or_else(|| parse_stage(without_revision(suffix)?))
        .or_else(|| semver_stage(suffix, count))?;
    Some(Key { parts, stage })
}

/// The numbers that a version begins with, dots included, and the rest.
fn split_numbers(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()))
}

/// One to four numbers, and how many they are.
fn parse_numbers(text: &str) -> Option<([u64; 4], usize)> {
    let mut parts = [0; 4];
    let mut count = 0;
    for number in text.split('.') {
        *parts.get_mut(count)? = parse_number(number)?;
        count += 1;
    }
    Some((parts, count))
}

/// Without `+build1-0ubuntu1` at its end: builds of one version are one version (semver item 10).
fn without_build(suffix: &str) -> Option<&str> {
    match suffix.split_once('+') {
        Some((before, build)) => (!build.is_empty() && build.bytes().all(packagers_write)).then_some(before),
        None => Some(suffix),
    }
}

/// Without a packager's revision, a hyphen and what begins with a digit: `-1`, `-1~deb9u1`, `-0.fc30`.
fn without_revision(suffix: &str) -> Option<&str> {
    let (at, _) = suffix
        .match_indices('-')
        .find(|(at, _)| suffix.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit))?;
    let (before, revision) = suffix.split_at(at);
    revision.bytes().all(packagers_write).then_some(before)
}

fn packagers_write(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".+~_-".contains(&byte)
}

/// The stages that products have, however they are joined: `b3`, `~b3` (Debian), `-b3`, `-beta3`, `-beta.3`, `esr`, `-esr`.
fn parse_stage(suffix: &str) -> Option<Stage> {
    let suffix = suffix.strip_prefix(['-', '~']).filter(|rest| !rest.is_empty()).unwrap_or(suffix);
    if matches!(suffix, "" | "esr") {
        return Some(Stage::Release);
    }
    let (name, number) = STAGES.iter().find_map(|(short, long)| {
        let number = suffix.strip_prefix(long).or_else(|| suffix.strip_prefix(short))?;
        Some((long, number.strip_prefix('.').unwrap_or(number)))
    })?;
    Prerelease::new(&format!("{name}.{}", parse_number(number)?)).ok().map(Stage::Pre)
}

/// A product's stages before a release, as products write them and as semver does.
const STAGES: [(&str, &str); 3] = [("a", "alpha"), ("b", "beta"), ("rc", "rc")];

/// semver's own `-rc.1`, of any words, after exactly three parts.
fn semver_stage(suffix: &str, parts: usize) -> Option<Stage> {
    let identifiers = suffix.strip_prefix('-').filter(|identifiers| parts == 3 && !identifiers.is_empty())?;
    Prerelease::new(identifiers).ok().map(Stage::Pre)
}

/// A decimal number without leading zeros that fits 32 bits: every successor of it fits 64.
fn parse_number(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    canonical.then(|| text.parse::<u32>().ok())?.map(u64::from)
}

impl fmt::Display for Key {
    /// As products write it: `66.0`, `66.0.3`, `68.0b3`; a pre-release that they have no letter for as semver does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, fourth] = self.parts;
        let letter = match &self.stage {
            Stage::Pre(pre) => pre.as_str().split_once('.').and_then(|(name, number)| {
                let (short, _) = STAGES.iter().find(|(_, long)| *long == name)?;
                parse_number(number).map(|number| format!("{short}{number}"))
            }),
            Stage::Begin | Stage::Release => Some(String::new()),
        };
        write!(f, "{major}.{minor}")?;
        if patch != 0 || fourth != 0 || letter.is_none() {
            write!(f, ".{patch}")?;
        }
        if fourth != 0 {
            write!(f, ".{fourth}")?;
        }
        match (letter, &self.stage) {
            (Some(letter), _) => f.write_str(&letter),
            (None, Stage::Pre(pre)) => write!(f, "-{pre}"),
            (None, _) => Ok(()),
        }
    }
}

impl fmt::Display for ProductVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for ProductVersion {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ProductVersion {}

impl PartialOrd for ProductVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ProductVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl Serialize for ProductVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ProductVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
