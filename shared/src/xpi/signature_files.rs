//! Which entries of an archive are its signature files.

use super::archive::{ContentReader, Directory, Entry, Stop};
use super::policy::SignatureMode;
use super::verdict::{Fault, VerdictKind};
use crate::limits::XpiLimits;

/// The manifest that the COSE signature covers.
pub(super) const COSE_MANIFEST: &str = "META-INF/cose.manifest";
const COSE_SIGNATURE: &str = "META-INF/cose.sig";
const FOLDER: &str = "META-INF";
/// Directly in [`FOLDER`].
const PKCS7_MANIFEST: &str = "manifest.mf";

/// The names of the PKCS#7 signature's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pkcs7Files<'a> {
    /// `META-INF/manifest.mf`.
    pub(super) manifest: &'a str,
    /// `META-INF/<name>.sf`.
    pub(super) signature_file: &'a str,
    /// `META-INF/<name>.rsa`.
    pub(super) block: &'a str,
}

/// The names of the COSE signature's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoseFiles<'a> {
    pub(super) manifest: &'a str,
    pub(super) signature: &'a str,
}

/// The signatures that a mode looks at, as far as they are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignatureFiles<'a> {
    pub(super) pkcs7: Option<Pkcs7Files<'a>>,
    pub(super) cose: Option<CoseFiles<'a>>,
}

impl<'a> SignatureFiles<'a> {
    /// Finds the signatures that `mode` looks at, and refuses what lacks one that it requires.
    pub(super) fn find(directory: &'a Directory, mode: SignatureMode) -> Result<Self, Fault> {
        let mode_looks_at = match mode {
            SignatureMode::Pkcs7 => (true, false),
            SignatureMode::Pkcs7CoseOptional | SignatureMode::CosePkcs7Optional => (true, true),
            SignatureMode::Cose => (false, true),
        };
        let files = Self {
            pkcs7: if mode_looks_at.0 { find_pkcs7(directory)? } else { None },
            cose: if mode_looks_at.1 { find_cose(directory)? } else { None },
        };
        let (required, what) = match mode {
            SignatureMode::Pkcs7 | SignatureMode::Pkcs7CoseOptional => (files.pkcs7.is_some(), "PKCS#7"),
            SignatureMode::CosePkcs7Optional | SignatureMode::Cose => (files.cose.is_some(), "COSE"),
        };
        if required {
            return Ok(files);
        }
        Err(Fault::new(
            VerdictKind::Unsigned,
            format!("the add-on carries no {what} signature, which the signature mode {mode} requires"),
        ))
    }

    /// Files that `manifest.mf` need not cover: itself, the pair beside it, and COSE's files.
    pub(super) fn not_in_manifest_mf(&self) -> Vec<&'a str> {
        let mut names = vec![COSE_MANIFEST, COSE_SIGNATURE];
        names.extend(self.pkcs7_names());
        names
    }

    /// Files that `cose.manifest` need not cover: COSE's, and PKCS#7's where that is looked at too.
    pub(super) fn not_in_cose_manifest(&self) -> Vec<&'a str> {
        self.not_in_manifest_mf()
    }

    /// Reads a manifest or signature file.
    pub(super) fn read_manifest(
        &self,
        name: &str,
        directory: &Directory,
        reader: &mut ContentReader<'_>,
        limits: &XpiLimits,
    ) -> Result<Vec<u8>, Stop> {
        let entry = entry(directory, name)?;
        let ceiling = u64::from(entry.compressed).saturating_mul(limits.manifest_ratio);
        if u64::from(entry.uncompressed) > ceiling {
            let times = limits.manifest_ratio;
            return Err(Fault::limit(format!("{name} expands to more than {times} times its size")).into());
        }
        reader.read_to_vec(entry, limits.manifest_bytes)
    }

    /// Reads a PKCS#7 or COSE signature.
    pub(super) fn read_signature(
        &self,
        name: &str,
        directory: &Directory,
        reader: &mut ContentReader<'_>,
        limits: &XpiLimits,
    ) -> Result<Vec<u8>, Stop> {
        reader.read_to_vec(entry(directory, name)?, limits.signature_bytes)
    }

    fn pkcs7_names(&self) -> impl Iterator<Item = &'a str> {
        self.pkcs7.iter().flat_map(|files| [files.manifest, files.signature_file, files.block])
    }
}

fn entry<'d>(directory: &'d Directory, name: &str) -> Result<&'d Entry, Fault> {
    directory.find(name).ok_or_else(|| Fault::archive(format!("{name} is not in the archive")))
}

/// What `name` is called in `folder`, in any case of letters, if it lies there and in no folder of that.
fn directly_in<'a>(folder: &str, name: &'a str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(folder.len())?;
    let base = rest.strip_prefix('/').filter(|_| start.eq_ignore_ascii_case(folder))?;
    (!base.contains('/')).then_some(base)
}

/// Exactly one `manifest.mf`, one `.sf` and one `.rsa` of the same name directly in `META-INF/`, in any case of letters; or no
/// `.rsa`, and then the others are ordinary files.
fn find_pkcs7(directory: &Directory) -> Result<Option<Pkcs7Files<'_>>, Fault> {
    let (mut manifests, mut signature_files, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    for entry in directory.entries() {
        let name = directory.name(entry);
        let Some(base) = directly_in(FOLDER, name).map(str::to_ascii_lowercase) else { continue };
        if base == PKCS7_MANIFEST {
            manifests.push(name);
        } else if let Some(stem) = base.strip_suffix(".sf") {
            signature_files.push((stem.to_owned(), name));
        } else if let Some(stem) = base.strip_suffix(".rsa") {
            blocks.push((stem.to_owned(), name));
        }
    }
    match (manifests.as_slice(), signature_files.as_slice(), blocks.as_slice()) {
        // Without a signature there is none, whatever else lies there.
        (.., []) => Ok(None),
        ([manifest], [(sf_stem, signature_file)], [(block_stem, block)]) if sf_stem == block_stem => {
            Ok(Some(Pkcs7Files { manifest, signature_file, block }))
        }
        _ => {
            let mut found: Vec<&str> = manifests;
            found.extend(signature_files.iter().chain(&blocks).map(|(_, name)| *name).take(6));
            Err(Fault::signature(format!(
                "META-INF must hold exactly one manifest.mf, one .sf and one .rsa of the same name; found: {}",
                found.join(", ")
            )))
        }
    }
}

fn find_cose(directory: &Directory) -> Result<Option<CoseFiles<'_>>, Fault> {
    let there = |name| directory.find(name).is_some();
    match (there(COSE_MANIFEST), there(COSE_SIGNATURE)) {
        (true, true) => Ok(Some(CoseFiles { manifest: COSE_MANIFEST, signature: COSE_SIGNATURE })),
        (false, false) => Ok(None),
        (true, false) => Err(Fault::signature(format!("{COSE_MANIFEST} is there, but not {COSE_SIGNATURE}"))),
        (false, true) => Err(Fault::signature(format!("{COSE_SIGNATURE} is there, but not {COSE_MANIFEST}"))),
    }
}
