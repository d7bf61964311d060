//! Every file against the manifests, and the reverse.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::archive::{ContentReader, Directory, Read, Stop};
use super::manifest::{Digests, Expected, Manifest};
use super::policy::WeakestDigest;
use super::verdict::{Fault, VerdictKind};

/// What one manifest demands of the archive.
pub(super) struct View<'a> {
    /// The manifest's name.
    pub(super) name: &'a str,
    pub(super) manifest: &'a Manifest<'a>,
    pub(super) weakest: WeakestDigest,
    /// Files that it need not cover.
    pub(super) exempt: Vec<&'a str>,
}

/// Checks all files against all views. `held` are contents that were read already, whole and with the CRC-32 that is stated;
/// every other file is read once.
///
/// # Errors
/// The first file, in the archive's order, that a manifest does not cover or whose digest differs; then the first that is
/// missing.
pub(super) fn check(
    directory: &Directory,
    reader: &mut ContentReader<'_>,
    views: &[View<'_>],
    held: &[(&str, &[u8])],
) -> Result<(), Stop> {
    let mut listed = vec![0; views.len()];
    let mut expected = Vec::with_capacity(views.len());
    for entry in directory.entries() {
        let name = directory.name(entry);
        expected.clear();
        for (view, listed) in views.iter().zip(&mut listed) {
            if let Some(digest) = expectation(view, name)? {
                expected.push((view.name, digest));
                *listed += 1;
            }
        }
        // A folder has no content to cover; the manifests of signed add-ons do not list them.
        let covered_by_nothing = expected.is_empty();
        let mut sha1 = expected.iter().any(|(_, e)| matches!(e, Expected::Sha1(_))).then(Sha1::new);
        let mut sha256 = expected.iter().any(|(_, e)| matches!(e, Expected::Sha256(_))).then(Sha256::new);
        let mut hash = |piece: &[u8]| {
            if let Some(hasher) = &mut sha1 {
                hasher.update(piece);
            }
            if let Some(hasher) = &mut sha256 {
                hasher.update(piece);
            }
        };
        let crc = match held.iter().find(|(held, _)| *held == name) {
            Some((_, content)) => {
                hash(content);
                Read::Whole
            }
            None => reader.read(entry, &mut hash)?,
        };
        let sha1: Option<[u8; 20]> = sha1.map(|hasher| hasher.finalize().into());
        let sha256: Option<[u8; 32]> = sha256.map(|hasher| hasher.finalize().into());
        for (manifest, digest) in &expected {
            let (holds, algorithm) = match digest {
                Expected::Sha1(digest) => (sha1.as_ref() == Some(digest), "SHA-1"),
                Expected::Sha256(digest) => (sha256.as_ref() == Some(digest), "SHA-256"),
            };
            if !holds {
                let detail = format!("{name:?} was modified: its {algorithm} is not the one in {manifest}");
                return Err(Fault::new(VerdictKind::FileModified, detail).into());
            }
        }
        if crc == Read::WrongCrc {
            let what = if covered_by_nothing { "" } else { ", though it is the signed file" };
            return Err(Fault::archive(format!("{name:?}: its CRC-32 is wrong{what}")).into());
        }
    }
    for (view, listed) in views.iter().zip(listed) {
        // Names are unique on both sides, so where as many files were found as are listed, none is missing.
        if listed == view.manifest.sections().len() {
            continue;
        }
        let missing = view.manifest.sections().iter().find(|section| directory.find(&section.name).is_none());
        if let Some(section) = missing {
            let detail = format!("{:?} is missing: {} lists it", section.name, view.name);
            return Err(Fault::new(VerdictKind::FileMissing, detail).into());
        }
    }
    Ok(())
}

/// Which digest `view` expects of the file; none where it need not cover it.
fn expectation(view: &View<'_>, name: &str) -> Result<Option<Expected>, Fault> {
    let Some(section) = view.manifest.find(name) else {
        if name.ends_with('/') || view.exempt.contains(&name) {
            return Ok(None);
        }
        let detail = format!("{name:?} is not covered by the signature: {} does not list it", view.name);
        return Err(Fault::new(VerdictKind::FileNotCovered, detail));
    };
    strong_enough(&section.digests, view.weakest, || format!("{} gives {name:?}", view.name)).map(Some)
}

fn strong_enough(
    digests: &Digests,
    weakest: WeakestDigest,
    what: impl Fn() -> String,
) -> Result<Expected, Fault> {
    digests.strongest(weakest).ok_or_else(|| {
        Fault::algorithm(format!(
            "{} no digest as strong as {weakest}, which is the weakest accepted",
            what()
        ))
    })
}

/// Checks that the signature file vouches for the manifest: for the whole of it, or (as Netscape's and NSS's signtool wrote
/// it) for every section.
pub(super) fn check_signature_file(
    signature_file: &Manifest<'_>,
    name: &str,
    manifest: &Manifest<'_>,
    manifest_bytes: &[u8],
    manifest_name: &str,
    weakest: WeakestDigest,
) -> Result<(), Fault> {
    let modified = |what: String| Err(Fault::new(VerdictKind::FileModified, what));
    if signature_file.whole != Digests::default() {
        let whole =
            strong_enough(&signature_file.whole, weakest, || format!("{name} gives {manifest_name}"))?;
        if whole.is_of(manifest_bytes) {
            return Ok(());
        }
        return modified(format!("\"{manifest_name}\" was modified: its digest is not the one in {name}"));
    }
    for section in manifest.sections() {
        let file = &section.name;
        let Some(signed) = signature_file.find(file) else {
            return Err(Fault::manifest(format!(
                "{name} vouches neither for the whole {manifest_name} nor for {file:?}"
            )));
        };
        let digest =
            strong_enough(&signed.digests, weakest, || format!("{name} gives the section of {file:?}"))?;
        // Signtool left the empty line after a section out of its digest; the specification counts it in.
        let with_empty_line = [section.raw, b"\n"].concat();
        if !digest.is_of(section.raw) && !digest.is_of(&with_empty_line) {
            return modified(format!(
                "\"{manifest_name}\" was modified: its section of {file:?} is not the signed one"
            ));
        }
    }
    Ok(())
}
