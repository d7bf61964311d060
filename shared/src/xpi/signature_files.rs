//! Which entries of an archive are its signature files: those that Firefox takes for them.

use super::archive::{Directory, Entry};
use super::policy::SignatureMode;
use super::verdict::{Fault, VerdictKind};
use crate::quoted::quoted_name;

/// Only in this case of letters.
const FOLDER: &[u8] = b"META-INF/";
const COSE_MANIFEST: &[u8] = b"cose.manifest";
const COSE_SIGNATURE: &[u8] = b"cose.sig";

/// Indices in the directory of the PKCS#7 signature's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pkcs7Files {
    /// `META-INF/manifest.mf`.
    pub(super) manifest: usize,
    /// `META-INF/<name>.sf`.
    pub(super) signature_file: usize,
    /// `META-INF/<name>.rsa`.
    pub(super) block: usize,
}

/// Indices in the directory of the COSE signature's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CoseFiles {
    pub(super) manifest: usize,
    pub(super) signature: usize,
}

/// The signatures that a mode looks at, as far as they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SignatureFiles {
    pub(super) pkcs7: Option<Pkcs7Files>,
    pub(super) cose: Option<CoseFiles>,
}

impl SignatureFiles {
    /// Finds the signatures that `mode` looks at, and refuses what lacks one that it requires.
    pub(super) fn find(directory: &Directory, mode: SignatureMode) -> Result<Self, Fault> {
        let found = Found::among(directory);
        let (looks_at_pkcs7, looks_at_cose) = match mode {
            SignatureMode::Pkcs7 => (true, false),
            SignatureMode::Pkcs7CoseOptional | SignatureMode::CosePkcs7Optional => (true, true),
            SignatureMode::Cose => (false, true),
        };
        let files = Self {
            pkcs7: if looks_at_pkcs7 { found.pkcs7(directory)? } else { None },
            cose: if looks_at_cose { found.cose()? } else { None },
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

    /// Files that `manifest.mf` cannot list: itself and the pair beside it. COSE's are files like others to it.
    pub(super) fn not_in_manifest_mf(&self) -> Vec<usize> {
        self.pkcs7.iter().flat_map(|files| [files.manifest, files.signature_file, files.block]).collect()
    }

    /// Files that `cose.manifest` cannot list: COSE's, and PKCS#7's where that is looked at too.
    pub(super) fn not_in_cose_manifest(&self) -> Vec<usize> {
        let cose = self.cose.iter().flat_map(|files| [files.manifest, files.signature]);
        self.not_in_manifest_mf().into_iter().chain(cose).collect()
    }
}

/// All entries that could be signature files.
#[derive(Default)]
struct Found {
    manifests: Vec<usize>,
    signature_files: Vec<usize>,
    blocks: Vec<usize>,
    cose_manifest: Option<usize>,
    cose_signature: Option<usize>,
}

impl Found {
    fn among(directory: &Directory) -> Self {
        let mut found = Self::default();
        for (index, entry) in directory.entries().iter().enumerate() {
            let Some(base) = in_folder(directory, entry) else { continue };
            // In any folder below as well: Firefox's pattern runs over slashes.
            match base {
                COSE_MANIFEST => found.cose_manifest = Some(index),
                COSE_SIGNATURE => found.cose_signature = Some(index),
                [.., b'.', b'S', b'F'] | [.., b'.', b's', b'f'] => found.signature_files.push(index),
                [.., b'.', b'R', b'S', b'A'] | [.., b'.', b'r', b's', b'a'] => found.blocks.push(index),
                [b'M' | b'm', rest @ ..] if is_manifest(rest) => found.manifests.push(index),
                _ => {}
            }
        }
        found
    }

    /// Exactly one of each; or no block, and then the others are ordinary files.
    fn pkcs7(&self, directory: &Directory) -> Result<Option<Pkcs7Files>, Fault> {
        match (self.manifests.as_slice(), self.signature_files.as_slice(), self.blocks.as_slice()) {
            // Without a signature there is none, whatever else lies there.
            (.., []) => Ok(None),
            ([manifest], [signature_file], [block]) => {
                Ok(Some(Pkcs7Files { manifest: *manifest, signature_file: *signature_file, block: *block }))
            }
            (manifests, signature_files, blocks) => {
                let all = manifests.iter().chain(signature_files).chain(blocks).take(6);
                let names: Vec<String> = all.map(|index| quoted_name(directory.name_at(*index))).collect();
                Err(Fault::signature(format!(
                    "META-INF must hold exactly one manifest.mf, one .sf and one .rsa; found: {}",
                    names.join(", ")
                )))
            }
        }
    }

    fn cose(&self) -> Result<Option<CoseFiles>, Fault> {
        match (self.cose_manifest, self.cose_signature) {
            (Some(manifest), Some(signature)) => Ok(Some(CoseFiles { manifest, signature })),
            // Without a signature there is none.
            (_, None) => Ok(None),
            (None, Some(_)) => {
                Err(Fault::signature("META-INF/cose.sig is there, but not META-INF/cose.manifest"))
            }
        }
    }
}

/// What the entry is called in [`FOLDER`]; up to a NUL, as Firefox compares it.
fn in_folder<'d>(directory: &'d Directory, entry: &Entry) -> Option<&'d [u8]> {
    let base = directory.name(entry).strip_prefix(FOLDER)?;
    base.split(|byte| *byte == 0).next()
}

/// The rest of `manifest.mf` after its first letter.
fn is_manifest(rest: &[u8]) -> bool {
    matches!(rest, b"ANIFEST.MF" | b"ANIFEST.mf" | b"anifest.MF" | b"anifest.mf")
}
