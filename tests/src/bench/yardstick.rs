//! The least that must be done to know that an archive holds what was signed: read it once, hash it, inflate every entry,
//! and hash each with the digests that its manifests demand. No signature, no certificate, no structure.
//!
//! Same inflater and digests as the verifier's. Where everything lies and what is demanded is worked out beforehand, and
//! buffers are used again, so nothing but inflating and hashing is measured.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use libdeflater::Decompressor;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::CertificateMemo;
use mulberry_shared::xpi::archive::{ContentReader, Directory, Method};
use mulberry_shared::xpi::manifest::{FilesReader, Wanted};
use mulberry_shared::xpi::pkcs7::Pkcs7;
use mulberry_shared::xpi::{DigestNames, WeakestDigest};
use rayon::prelude::*;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::LabError;

/// What is to be done to one archive.
#[derive(Clone, Debug)]
pub struct Plan {
    path: PathBuf,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    begin: usize,
    end: usize,
    content: usize,
    stored: bool,
    sha1: bool,
    sha256: bool,
}

/// What was done, so that none of it can be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes of archives.
    pub archives: u64,
    /// Bytes inflated.
    pub content: u64,
    /// All digests folded.
    pub fold: u8,
}

impl Plan {
    /// Works out what is to be done to the archive at `path`.
    ///
    /// # Errors
    /// It is no archive of the laboratory's.
    pub fn of(path: PathBuf) -> Result<Self, LabError> {
        let bytes = std::fs::read(&path).map_err(LabError::file(&path))?;
        let impossible =
            |what: &dyn std::fmt::Display| LabError::Impossible(format!("{}: {what}", path.display()));
        let limits = Limits::default();
        let directory = Directory::read(&bytes, &limits.xpi).map_err(|stop| impossible(&stop))?;
        let mut reader = ContentReader::new(&bytes, &directory);
        let mut content = |name: &[u8]| {
            let entry = directory.find(name).ok_or_else(|| impossible(&"a signature file is missing"))?;
            reader.read_to_vec(entry, limits.xpi.manifest_bytes).map_err(|stop| impossible(&stop))
        };
        let block = content(b"META-INF/mozilla.rsa")?;
        let signature =
            Pkcs7::parse(&block, &limits, &CertificateMemo::none()).map_err(|fault| impossible(&fault))?;
        // The signer's digest rules its manifest; COSE's has SHA-256.
        let mut manifests = vec![(b"META-INF/manifest.mf".as_slice(), signature.digest())];
        if directory.find(b"META-INF/cose.sig").is_some() {
            manifests.push((b"META-INF/cose.manifest", WeakestDigest::Sha256));
        }
        let listings = manifests
            .into_iter()
            .map(|(name, digest)| {
                let wanted = Wanted { digest, names: DigestNames::Firefox };
                let mut manifest = FilesReader::new("the manifest", &directory, wanted, &limits.xpi);
                manifest.read(&content(name)?).map_err(|fault| impossible(&fault))?;
                Ok((digest, manifest.finish().map_err(|fault| impossible(&fault))?))
            })
            .collect::<Result<Vec<_>, LabError>>()?;
        let pieces = directory.entries().iter().enumerate().map(|(index, entry)| {
            let demanded = |wanted: WeakestDigest| {
                listings.iter().any(|(digest, listing)| *digest == wanted && listing.digest(index).is_some())
            };
            Piece {
                begin: entry.data as usize,
                end: entry.data as usize + entry.compressed as usize,
                content: entry.uncompressed as usize,
                stored: entry.method == Method::Stored,
                sha1: demanded(WeakestDigest::Sha1),
                sha256: demanded(WeakestDigest::Sha256),
            }
        });
        Ok(Self { pieces: pieces.collect(), path })
    }

    fn carry_out(&self, tools: &mut Tools) -> Result<Done, LabError> {
        read(&self.path, &mut tools.archive)?;
        let mut done = Done { archives: tools.archive.len() as u64, ..Done::default() };
        done.fold(&Sha256::digest(&tools.archive));
        for piece in &self.pieces {
            let wrong = || LabError::Impossible(format!("{} has changed", self.path.display()));
            let packed = tools.archive.get(piece.begin..piece.end).ok_or_else(wrong)?;
            let content = if piece.stored {
                packed
            } else {
                tools.content.resize(piece.content, 0);
                tools.inflater.deflate_decompress(packed, &mut tools.content).map_err(|_| wrong())?;
                &tools.content
            };
            done.content += content.len() as u64;
            if piece.sha1 {
                done.fold(&Sha1::digest(content));
            }
            if piece.sha256 {
                done.fold(&Sha256::digest(content));
            }
        }
        Ok(done)
    }
}

impl Done {
    fn fold(&mut self, digest: &[u8]) {
        self.fold = digest.iter().fold(self.fold, |fold, byte| fold ^ byte);
    }

    fn and(self, other: Self) -> Self {
        Self {
            archives: self.archives + other.archives,
            content: self.content + other.content,
            fold: self.fold ^ other.fold,
        }
    }
}

/// Carries out all plans on the threads of the present pool.
///
/// # Errors
/// An archive changed meanwhile.
pub fn measure(plans: &[Plan]) -> Result<Done, LabError> {
    plans
        .par_iter()
        .map_init(Tools::new, |tools, plan| plan.carry_out(tools))
        .try_reduce(Done::default, |a, b| Ok(a.and(b)))
}

/// What one thread uses again for every archive.
struct Tools {
    inflater: Decompressor,
    archive: Vec<u8>,
    content: Vec<u8>,
}

impl Tools {
    fn new() -> Self {
        Self { inflater: Decompressor::new(), archive: Vec::new(), content: Vec::new() }
    }
}

fn read(path: &Path, into: &mut Vec<u8>) -> Result<(), LabError> {
    into.clear();
    let mut file = File::open(path).map_err(LabError::file(path))?;
    file.read_to_end(into).map_err(LabError::file(path))?;
    Ok(())
}
