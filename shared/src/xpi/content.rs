//! Every file against the manifests, and the reverse.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::archive::{ContentReader, Directory, Read, Stop};
use super::manifest::{AnyDigest, Listing};
use super::policy::WeakestDigest;
use super::verdict::{Fault, VerdictKind};
use crate::quoted::quoted_name;

/// What one manifest demands of the archive.
pub(super) struct View {
    /// The manifest's name.
    pub(super) name: String,
    pub(super) listing: Listing,
    pub(super) digest: WeakestDigest,
    /// Files that it cannot cover.
    pub(super) exempt: Vec<usize>,
}

/// What was read already of an entry.
pub(super) enum Held {
    /// All of it.
    Content(Vec<u8>),
    /// Its digest by this algorithm, which is the only one anybody asks for.
    Digest(WeakestDigest, AnyDigest),
}

/// Hashes with one or both of the algorithms that manifests use.
#[derive(Default)]
pub(super) struct Hasher {
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Hasher {
    pub(super) fn of(digests: impl IntoIterator<Item = WeakestDigest>) -> Self {
        let mut hasher = Self::default();
        digests.into_iter().for_each(|digest| hasher.want(digest));
        hasher
    }

    fn want(&mut self, digest: WeakestDigest) {
        match digest {
            WeakestDigest::Sha1 => self.sha1 = Some(Sha1::new()),
            WeakestDigest::Sha256 => self.sha256 = Some(Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        if let Some(hasher) = &mut self.sha1 {
            hasher.update(piece);
        }
        if let Some(hasher) = &mut self.sha256 {
            hasher.update(piece);
        }
    }

    /// By each algorithm that it was made for.
    pub(super) fn finish(self) -> impl Fn(WeakestDigest) -> Option<AnyDigest> {
        let sha1 = self.sha1.map(|hasher| {
            let mut digest = AnyDigest::default();
            digest.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
            digest
        });
        let sha256 = self.sha256.map(|hasher| hasher.finalize().into());
        move |digest| match digest {
            WeakestDigest::Sha1 => sha1,
            WeakestDigest::Sha256 => sha256,
        }
    }
}

/// Checks all files against all views. Every file that a view lists is read once, but for those in `held`.
///
/// # Errors
/// The first file, in the archive's order, that a manifest does not cover or whose digest differs; then the first that is
/// missing.
pub(super) fn check(
    directory: &Directory,
    reader: &mut ContentReader<'_>,
    views: &[View],
    held: &[(usize, Held)],
) -> Result<(), Stop> {
    for (index, entry) in directory.entries().iter().enumerate() {
        let mut hasher = Hasher::default();
        let mut listed = false;
        for view in views {
            if is_listed(view, directory, index)? {
                listed = true;
                hasher.want(view.digest);
            }
        }
        if !listed {
            continue;
        }
        let before = held.iter().find(|(held, _)| *held == index).map(|(_, held)| held);
        let mut crc = Read::Whole;
        match before {
            Some(Held::Content(content)) => hasher.update(content),
            Some(Held::Digest(..)) => {}
            None => crc = reader.read(entry, &mut |piece| hasher.update(piece))?,
        }
        let computed = hasher.finish();
        for view in views {
            let Some(expected) = view.listing.digest(index) else { continue };
            let found = match before {
                Some(Held::Digest(digest, known)) => (*digest == view.digest).then_some(*known),
                _ => computed(view.digest),
            };
            if found != Some(expected) {
                let (name, algorithm, manifest) =
                    (quoted_name(directory.name(entry)), view.digest, &view.name);
                let detail =
                    format!("{name} was modified: its {algorithm} digest is not the one in {manifest}");
                return Err(Fault::new(VerdictKind::FileModified, detail).into());
            }
        }
        if crc == Read::WrongCrc {
            return Err(reader.wrong_crc(entry));
        }
    }
    views.iter().try_for_each(|view| {
        let missing = view.listing.missing().map_or(Ok(()), |name| {
            let detail = format!("{} is missing: {} lists it", quoted_name(name), view.name);
            Err(Fault::new(VerdictKind::FileMissing, detail))
        });
        Ok(missing?)
    })
}

/// Whether `view` lists the file; an error where it must and does not, or does and cannot.
fn is_listed(view: &View, directory: &Directory, index: usize) -> Result<bool, Fault> {
    let name = directory.name_at(index);
    let exempt = view.exempt.contains(&index);
    match view.listing.digest(index) {
        // Nothing can hold its own digest, so a reader that leaves these files out finds the section without a file.
        Some(_) if exempt => {
            let detail = format!("{} lists {}, which it cannot cover", view.name, quoted_name(name));
            Err(Fault::manifest(detail))
        }
        Some(_) => Ok(true),
        // A folder has no content to cover.
        None if exempt || name.ends_with(b"/") => Ok(false),
        None => {
            let detail = format!(
                "{} is not covered by the signature: {} does not list it",
                quoted_name(name),
                view.name
            );
            Err(Fault::new(VerdictKind::FileNotCovered, detail))
        }
    }
}
