//! The signatures of one archive: what they vouch for, and who made them.
//!
//! ```text
//! block ─ signer's digest ─► signature file ─ digest of ─► manifest ─ digests of ─► files
//! ```
//!
//! The digest of the signer rules the whole chain below it. Signature files and manifests are read piece by piece and hashed on
//! the way, so none is ever held.

use super::archive::{ContentReader, Directory, Entry, Read, Stop};
use super::content::{self, Hasher, Held, View};
use super::cose::{Cose, CoseContent};
use super::manifest::{AnyDigest, FilesReader, Listing, SignatureFileReader, Wanted};
use super::pkcs7::Pkcs7;
use super::policy::{DigestNames, Policy, WeakestDigest};
use super::signature_files::{CoseFiles, Pkcs7Files, SignatureFiles};
use super::verdict::{Fault, VerdictKind};
use crate::limits::Limits;
use crate::quoted::quoted_name;
use crate::x509::{Certificate, CertificateMemo};

/// One end entity whose signature verified, and the certificates embedded beside it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) end_entity: Certificate,
    pub(super) embedded: Vec<Certificate>,
}

/// What the signatures of one archive are checked with.
pub(super) struct Scene<'a> {
    pub(super) directory: &'a Directory,
    pub(super) policy: &'a Policy,
    pub(super) limits: &'a Limits,
    pub(super) certificates: &'a CertificateMemo,
}

/// One signature: the manifest that it vouches for, and its signers, or why it does not verify.
struct Signed {
    view: View,
    chains: Result<Vec<Chain>, Fault>,
}

/// Structure of all manifests and signatures first, then content, then signatures: the verdict is that of the first that fails.
/// `held` are contents that were read already, whole.
pub(super) fn verify(
    scene: &Scene<'_>,
    reader: &mut ContentReader<'_>,
    files: &SignatureFiles,
    mut held: Vec<(usize, Held)>,
) -> Result<Vec<Chain>, Stop> {
    let mut all = Vec::new();
    if let Some(pkcs7) = files.pkcs7 {
        all.push(scene.pkcs7(reader, pkcs7, files)?);
    }
    if let Some(cose) = files.cose {
        let covered_by = all.first().map(|signed: &Signed| signed.view.digest);
        all.push(scene.cose(reader, cose, files, covered_by, &mut held)?);
    }
    let (views, chains): (Vec<_>, Vec<_>) =
        all.into_iter().map(|signed| (signed.view, signed.chains)).unzip();
    content::check(scene.directory, reader, &views, &held)?;
    let mut verified = Vec::new();
    for chains in chains {
        verified.extend(chains?);
    }
    Ok(verified)
}

impl Scene<'_> {
    fn pkcs7(
        &self,
        reader: &mut ContentReader<'_>,
        files: Pkcs7Files,
        all: &SignatureFiles,
    ) -> Result<Signed, Stop> {
        let block = reader.read_to_vec(self.entry(files.block)?, self.limits.xpi.signature_bytes)?;
        let signature = Pkcs7::parse(&block, self.limits, self.certificates)?;
        let digest = signature.digest();
        if digest < self.policy.digest {
            let what = format!(
                "the PKCS#7 signature is over a {digest} digest; the policy wants {}",
                self.policy.digest
            );
            return Err(Fault::algorithm(what).into());
        }
        let wanted = Wanted { digest, names: self.policy.digest_names };
        let (vouched, of_signature_file) = self.signature_file(reader, files.signature_file, wanted)?;
        let (listing, of_manifest) = self.manifest(reader, files.manifest, wanted, &mut |_| ())?;
        if of_manifest(digest) != Some(vouched) {
            let (manifest, signature_file) = (self.name(files.manifest), self.name(files.signature_file));
            let what =
                format!("{manifest} was modified: its {digest} digest is not the one in {signature_file}");
            return Err(Fault::new(VerdictKind::FileModified, what).into());
        }
        let chains = signature.verify(&of_signature_file).map(|end_entity| {
            vec![Chain { end_entity: end_entity.clone(), embedded: signature.certificates.clone() }]
        });
        let (name, exempt) = (self.name(files.manifest), all.not_in_manifest_mf());
        Ok(Signed { view: View { name, listing, digest, exempt }, chains })
    }

    /// What the signature file says of the manifest, and its own digest.
    fn signature_file(
        &self,
        reader: &mut ContentReader<'_>,
        index: usize,
        wanted: Wanted,
    ) -> Result<(AnyDigest, AnyDigest), Stop> {
        let name = self.name(index);
        let mut lines = SignatureFileReader::new(&name, wanted, &self.limits.xpi);
        let mut hasher = Hasher::of([wanted.digest]);
        self.read(reader, index, &mut |piece| {
            hasher.update(piece);
            lines.read(piece)
        })?;
        Ok((lines.finish()?, hasher.finish()(wanted.digest).unwrap_or_default()))
    }

    /// What a manifest lists, and its own digests; `also` sees its bytes too.
    fn manifest(
        &self,
        reader: &mut ContentReader<'_>,
        index: usize,
        wanted: Wanted,
        also: &mut dyn FnMut(&[u8]),
    ) -> Result<(Listing, impl Fn(WeakestDigest) -> Option<AnyDigest> + use<>), Stop> {
        let name = self.name(index);
        let mut lines = FilesReader::new(&name, self.directory, wanted, &self.limits.xpi);
        let mut hasher = Hasher::of([wanted.digest]);
        self.read(reader, index, &mut |piece| {
            hasher.update(piece);
            also(piece);
            lines.read(piece)
        })?;
        Ok((lines.finish()?, hasher.finish()))
    }

    /// `covered_by` is the digest that `manifest.mf` has of COSE's files, where there is one.
    fn cose(
        &self,
        reader: &mut ContentReader<'_>,
        files: CoseFiles,
        all: &SignatureFiles,
        covered_by: Option<WeakestDigest>,
        held: &mut Vec<(usize, Held)>,
    ) -> Result<Signed, Stop> {
        let bytes = reader.read_to_vec(self.entry(files.signature)?, self.limits.xpi.signature_bytes)?;
        let signature = Cose::parse(&bytes, self.limits, self.certificates)?;
        held.push((files.signature, Held::Content(bytes)));
        // COSE is younger than the need for SHA-1: its manifest always has SHA-256.
        let digest = WeakestDigest::Sha256;
        let wanted = Wanted { digest, names: DigestNames::Firefox };
        let len = self.entry(files.manifest)?.uncompressed;
        let mut content = signature.content(len.into());
        let mut covered = Hasher::of(covered_by);
        let (listing, _) = self.manifest(reader, files.manifest, wanted, &mut |piece| {
            covered.update(piece);
            if let Ok(content) = &mut content {
                content.read(piece);
            }
        })?;
        let covered = covered.finish();
        held.extend(
            covered_by.and_then(|digest| Some((files.manifest, Held::Digest(digest, covered(digest)?)))),
        );
        let chains = content.and_then(CoseContent::verify).map(|end_entities| {
            let chain = |end_entity: &Certificate| Chain {
                end_entity: end_entity.clone(),
                embedded: signature.intermediates.clone(),
            };
            end_entities.into_iter().map(chain).collect()
        });
        let (name, exempt) = (self.name(files.manifest), all.not_in_cose_manifest());
        Ok(Signed { view: View { name, listing, digest, exempt }, chains })
    }

    /// Hands the whole content of an entry to `take`.
    fn read(
        &self,
        reader: &mut ContentReader<'_>,
        index: usize,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Stop> {
        let entry = self.entry(index)?;
        if entry.uncompressed as usize > self.limits.xpi.manifest_bytes {
            let (name, size, max) = (self.name(index), entry.uncompressed, self.limits.xpi.manifest_bytes);
            let what = format!("{name} has {size} bytes, more than the {max} that are read");
            return Err(Fault::new(VerdictKind::LimitExceeded, what).into());
        }
        let mut taken = Ok(());
        let crc = reader.read(entry, &mut |piece| {
            if taken.is_ok() {
                taken = take(piece);
            }
        })?;
        taken?;
        match crc {
            Read::Whole => Ok(()),
            Read::WrongCrc => Err(reader.wrong_crc(entry)),
        }
    }

    fn entry(&self, index: usize) -> Result<&Entry, Fault> {
        self.directory
            .entries()
            .get(index)
            .ok_or_else(|| Fault::archive("a signature file is not in the archive"))
    }

    fn name(&self, index: usize) -> String {
        quoted_name(self.directory.name_at(index))
    }
}
