//! Manifests: `manifest.mf`, the signature file `*.sf` and `cose.manifest`, as Firefox reads them.
//!
//! The JAR file specification's format, but for what Firefox makes of it: lines of at most 72 bytes, the version first and in exactly
//! this form, one empty line between sections, and of all digests those of one algorithm, the signer's. Others are not looked at, and
//! neither is anything behind a NUL. Read piece by piece, so that memory follows the archive's directory and not what it expands to.

mod attribute;
mod fault;
mod lines;

use super::archive::Directory;
use super::policy::{DigestNames, WeakestDigest};
use super::verdict::Fault;
use crate::limits::XpiLimits;
use crate::quoted::quoted_name;

use self::attribute::Attribute;
use self::fault::ManifestFault;
use self::lines::{Line, Lines};

/// A digest of either algorithm; SHA-1 leaves the rest zero.
pub type AnyDigest = [u8; 32];

/// Which digests count in a manifest, and in which spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The signer's.
    pub digest: WeakestDigest,
    /// How they may be named.
    pub names: DigestNames,
}

/// What a manifest says about the entries of one archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// By index in the directory.
    digests: Vec<Option<AnyDigest>>,
    /// How many entries have a digest.
    count: usize,
    /// The first name listed that no file of the archive has.
    missing: Option<Vec<u8>>,
}

impl Listing {
    /// The digest of the entry at this index in the directory, where it is listed.
    #[must_use]
    pub fn digest(&self, index: usize) -> Option<AnyDigest> {
        self.digests.get(index).copied().flatten()
    }

    /// How many files of the archive are listed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first name listed that no file of the archive has.
    #[must_use]
    pub fn missing(&self) -> Option<&[u8]> {
        self.missing.as_deref()
    }
}

/// Reads a manifest of files, piece by piece.
#[derive(Debug)]
pub struct FilesReader<'a> {
    name: &'a str,
    lines: Lines<'a>,
    section: Section<'a>,
}

/// Where in a manifest of files the reader is, and what it found.
#[derive(Debug)]
struct Section<'a> {
    directory: &'a Directory,
    wanted: Wanted,
    place: Place,
    name: Vec<u8>,
    digest: Option<AnyDigest>,
    /// Where the next section's file is if manifest and directory have one order.
    next: usize,
    found: Listing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first line.
    Version,
    /// In the section about the manifest itself.
    Head,
    /// Between two sections.
    Between,
    /// In the section of a file.
    File,
}

impl<'a> FilesReader<'a> {
    /// A reader of the manifest called `name`, for the entries of `directory`.
    #[must_use]
    pub fn new(name: &'a str, directory: &'a Directory, wanted: Wanted, limits: &'a XpiLimits) -> Self {
        let found = Listing { digests: vec![None; directory.entries().len()], count: 0, missing: None };
        let (place, next, digest) = (Place::Version, 0, None);
        let section = Section { directory, wanted, place, name: Vec::new(), digest, next, found };
        Self { name, lines: Lines::new(limits), section }
    }

    /// Takes up the next piece.
    ///
    /// # Errors
    /// It is no manifest, has a line that is no attribute or too long, a section without a name or digest, or names a file twice.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let Self { name, lines, section } = self;
        lines.read(piece, &mut |line| section.line(line)).map_err(|fault| lines.fault(name, &fault))
    }

    /// Ends the manifest: what it lists.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn finish(self) -> Result<Listing, Fault> {
        let Self { name, mut lines, mut section } = self;
        let ended = lines.finish(&mut |line| section.line(line)).and_then(|()| match section.place {
            Place::Version => Err(ManifestFault::NoManifestVersion),
            Place::Head | Place::Between => Ok(()),
            Place::File => section.end(),
        });
        ended.map_err(|fault| lines.fault(name, &fault))?;
        Ok(section.found)
    }
}

impl Section<'_> {
    fn line(&mut self, line: &Line<'_>) -> Result<(), ManifestFault> {
        match (self.place, line.text) {
            (Place::Version, b"Manifest-Version: 1.0") if !line.folded => self.place = Place::Head,
            (Place::Version, _) => return Err(ManifestFault::NoManifestVersion),
            (Place::Head, b"") => self.place = Place::Between,
            // Nothing in it matters.
            (Place::Head, _) => {}
            (Place::Between | Place::File, b"") => self.end()?,
            (Place::Between | Place::File, text) => {
                self.place = Place::File;
                self.attribute(&Attribute::read(text)?)?;
            }
        }
        Ok(())
    }

    fn attribute(&mut self, attribute: &Attribute<'_>) -> Result<(), ManifestFault> {
        if attribute.is_digest(self.wanted, "") {
            if self.digest.is_some() {
                return Err(ManifestFault::AttributeTwice { key: attribute.shown() });
            }
            self.digest = attribute.digest(self.wanted.digest)?;
        } else if attribute.is("Name") {
            if !self.name.is_empty() {
                return Err(ManifestFault::TwoNames);
            }
            if attribute.value.is_empty() {
                return Err(ManifestFault::EmptyName);
            }
            self.name.extend_from_slice(attribute.value);
        } else if attribute.is("Magic") {
            return Err(ManifestFault::Magic);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ManifestFault> {
        self.place = Place::Between;
        if self.name.is_empty() {
            return Err(ManifestFault::NoName);
        }
        let Some(digest) = self.digest.take() else {
            let (file, wanted) = (quoted_name(&self.name), self.wanted.digest.attribute());
            return Err(ManifestFault::NoDigest { file, wanted });
        };
        let directory = self.directory;
        let at_next = directory.name_at(self.next) == self.name;
        let index = if at_next { Some(self.next) } else { directory.position(&self.name) };
        // A folder has no content that a digest could be of.
        match index.filter(|_| !self.name.ends_with(b"/")) {
            None => {
                self.found.missing.get_or_insert_with(|| self.name.clone());
            }
            Some(index) => {
                let slot = self.found.digests.get_mut(index);
                if slot.is_some_and(|slot| slot.replace(digest).is_some()) {
                    return Err(ManifestFault::FileTwice { file: quoted_name(&self.name) });
                }
                self.found.count += 1;
                self.next = index + 1;
            }
        }
        self.name.clear();
        Ok(())
    }
}

/// Reads a signature file, piece by piece: its word on the whole manifest. What it says about single sections does not count, and
/// neither does anything behind that word.
#[derive(Debug)]
pub struct SignatureFileReader<'a> {
    name: &'a str,
    lines: Lines<'a>,
    wanted: Wanted,
    begun: bool,
    found: Option<AnyDigest>,
}

impl<'a> SignatureFileReader<'a> {
    /// A reader of the signature file called `name`.
    #[must_use]
    pub fn new(name: &'a str, wanted: Wanted, limits: &'a XpiLimits) -> Self {
        Self { name, lines: Lines::new(limits), wanted, begun: false, found: None }
    }

    /// Takes up the next piece.
    ///
    /// # Errors
    /// It is no signature file, or has a line that is no attribute or too long.
    pub fn read(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.found.is_some() {
            return Ok(());
        }
        let Self { name, lines, wanted, begun, found } = self;
        let read = lines.read(piece, &mut |line| signature_line(line, *wanted, begun, found));
        match read {
            // What is wrong lies behind it, and whether that is in this piece or a later one makes no difference.
            Err(_) if found.is_some() => Ok(()),
            read => read.map_err(|fault| lines.fault(name, &fault)),
        }
    }

    /// Ends the file: the digest of the manifest.
    ///
    /// # Errors
    /// As [`Self::read`]; it has no digest of the manifest by the algorithm that is wanted.
    pub fn finish(self) -> Result<AnyDigest, Fault> {
        let Self { name, mut lines, wanted, mut begun, mut found } = self;
        let ended = match found {
            Some(_) => Ok(()),
            None => lines.finish(&mut |line| signature_line(line, wanted, &mut begun, &mut found)),
        };
        ended
            .and_then(|()| found.ok_or_else(|| vouches_for_nothing(wanted)))
            .map_err(|fault| lines.fault(name, &fault))
    }
}

fn signature_line(
    line: &Line<'_>,
    wanted: Wanted,
    begun: &mut bool,
    found: &mut Option<AnyDigest>,
) -> Result<(), ManifestFault> {
    if found.is_some() {
        return Ok(());
    }
    match (*begun, line.text) {
        (false, b"Signature-Version: 1.0") if !line.folded => *begun = true,
        (false, _) => return Err(ManifestFault::NoSignatureVersion),
        (true, b"") => return Err(vouches_for_nothing(wanted)),
        (true, text) => {
            let attribute = Attribute::read(text)?;
            if attribute.is_digest(wanted, "-Manifest") {
                *found = attribute.digest(wanted.digest)?;
            }
        }
    }
    Ok(())
}

fn vouches_for_nothing(wanted: Wanted) -> ManifestFault {
    ManifestFault::NotWhole { wanted: wanted.digest.attribute() }
}

#[cfg(test)]
mod tests;
