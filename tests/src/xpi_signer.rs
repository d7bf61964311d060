//! Signs add-ons as the real service does, or wrongly in one named way.
//!
//! | module | what |
//! |---|---|
//! | [`addon`](Addon) | what is signed: an id and files |
//! | [`Fault`], [`ZipFault`] | the ways to do it wrong |
//! | [`manifest`] | `manifest.mf`, `cose.manifest`, `mozilla.sf` |
//! | `pkcs7`, `cose` | `mozilla.rsa` and `cose.sig` |
//! | [`zip`] | the archive, also a malformed one |

mod addon;
pub(crate) mod cose;
pub(crate) mod der_write;
mod fault;
pub mod manifest;
pub(crate) mod pkcs7;
pub mod zip;

use jiff::Timestamp;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

pub use addon::{Addon, IdPlace, NamedBytes};
pub use cose::CoseAlgorithm;
pub use fault::Fault;
pub use manifest::ManifestDigests;
pub use pkcs7::{AlgorithmStyle, CmsDigest, Pkcs7Options, SignedAttributes, SignerId};
pub use zip::{ContainerStyle, ZipEntry, ZipFault};

use crate::LabError;
use crate::pki::certificate::Presence;
use crate::pki::name::end_entity_name;
use crate::pki::{CertificateSpec, ExtendedKeyUse, KeyKind, LabCertificate, SignatureKind, key};

/// How add-ons are signed. [`SigningOptions::service_of_2018`] and [`SigningOptions::service_of_2023`] are as real files
/// are; change fields from there.
#[derive(Clone, Debug)]
pub struct SigningOptions {
    /// Dates of the end entity.
    pub validity: (Timestamp, Timestamp),
    /// CN of the end entity, when it shall not be the add-on's id.
    pub common_name: Option<String>,
    /// EKU of the end entity.
    pub extended_key_use: ExtendedKeyUse,
    /// DNS names of the end entity.
    pub dns_names: Vec<String>,
    /// How the issuer signs the end entity.
    pub certificate_signature: Option<SignatureKind>,
    /// Kind of the end entity's key for PKCS#7.
    pub key_kind: KeyKind,
    /// Digests in manifests and signature file.
    pub digests: ManifestDigests,
    /// PKCS#7, or none.
    pub pkcs7: Option<Pkcs7Options>,
    /// COSE signatures; empty for no COSE.
    pub cose: Vec<CoseAlgorithm>,
    /// Whether the issuer's certificate is embedded in the signatures.
    pub issuer_embedded: Presence,
    /// Further certificates (DER) embedded in the signatures, before the issuer's. PKCS#7 does not sign them, COSE does.
    pub extra_certificates: Vec<Vec<u8>>,
    /// Where sizes stand in the archive.
    pub container: ContainerStyle,
    /// What is wrong with the signature.
    pub faults: Vec<Fault>,
    /// What is wrong with the archive.
    pub zip_faults: Vec<ZipFault>,
}

/// Signs add-ons for one issuer.
#[derive(Clone, Debug)]
pub struct AddonSigner<'a> {
    /// Who issues the end entities.
    pub issuer: &'a LabCertificate,
    /// How.
    pub options: SigningOptions,
}

impl SigningOptions {
    /// The signing service of the incident: SHA-1 PKCS#7 with signed attributes, manifests with SHA-1 and SHA-256, no COSE.
    pub fn service_of_2018(not_before: Timestamp, not_after: Timestamp) -> Self {
        Self {
            validity: (not_before, not_after),
            common_name: None,
            extended_key_use: ExtendedKeyUse::Absent,
            dns_names: Vec::new(),
            certificate_signature: None,
            key_kind: KeyKind::Rsa2048,
            digests: ManifestDigests::Sha1AndSha256,
            pkcs7: Some(Pkcs7Options {
                digest: CmsDigest::Sha1,
                attributes: SignedAttributes::Present,
                signer_id: SignerId::IssuerAndSerial,
                algorithms: AlgorithmStyle::RsaEncryption,
            }),
            cose: Vec::new(),
            issuer_embedded: Presence::Present,
            extra_certificates: Vec::new(),
            container: ContainerStyle::LocalHeader,
            faults: Vec::new(),
            zip_faults: Vec::new(),
        }
    }

    /// The signing service of later years: SHA-256 PKCS#7 with signed attributes, and an ES256 COSE signature.
    pub fn service_of_2023(not_before: Timestamp, not_after: Timestamp) -> Self {
        Self {
            extended_key_use: ExtendedKeyUse::CodeSigning,
            pkcs7: Some(Pkcs7Options {
                digest: CmsDigest::Sha256,
                attributes: SignedAttributes::Present,
                signer_id: SignerId::IssuerAndSerial,
                algorithms: AlgorithmStyle::DigestWithRsa,
            }),
            cose: vec![CoseAlgorithm::Es256],
            container: ContainerStyle::DataDescriptor,
            ..Self::service_of_2018(not_before, not_after)
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

impl AddonSigner<'_> {
    /// Signs one add-on: the bytes of the `.xpi`.
    ///
    /// # Errors
    /// When the options exclude each other or a part cannot be written.
    pub fn sign(&self, addon: &Addon) -> Result<Vec<u8>, LabError> {
        zip::write(&self.entries(addon)?, self.options.container, &self.options.zip_faults)
    }

    /// Signs many on all cores; the order is kept.
    ///
    /// # Errors
    /// The first error met.
    pub fn sign_all(&self, addons: &[Addon]) -> Result<Vec<Vec<u8>>, LabError> {
        addons.par_iter().map(|addon| self.sign(addon)).collect()
    }

    /// The entries of the signed archive, for fixtures that go on changing them before they write it.
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn entries(&self, addon: &Addon) -> Result<Vec<ZipEntry>, LabError> {
        let options = &self.options;
        let files: Vec<ZipEntry> =
            addon.files()?.into_iter().map(|(name, data)| ZipEntry::new(name, data)).collect();
        let mut signatures = Vec::new();
        if !options.cose.is_empty() {
            signatures.extend(self.cose_files(addon, &files)?);
        }
        if let Some(pkcs7) = options.pkcs7 {
            let covered: Vec<ZipEntry> = files.iter().chain(&signatures).cloned().collect();
            signatures.extend(self.pkcs7_files(addon, &covered, pkcs7)?);
        }
        let mut entries = files;
        self.spoil_files(&mut entries);
        entries.extend(signatures);
        Ok(entries)
    }

    /// The end entity that signs this add-on.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn end_entity(&self, addon: &Addon, kind: KeyKind) -> Result<LabCertificate, LabError> {
        let options = &self.options;
        let common_name = options.common_name.clone().unwrap_or_else(|| addon.common_name());
        let (not_before, not_after) = options.validity;
        let mut spec = CertificateSpec::end_entity(
            end_entity_name(&common_name)?,
            serial(&addon.id, kind),
            not_before,
            not_after,
        );
        spec.extended_key_use = options.extended_key_use;
        spec.dns_names = options.dns_names.clone();
        spec.signature = options.certificate_signature;
        if options.pkcs7.is_some_and(|pkcs7| pkcs7.signer_id == SignerId::SubjectKeyId) {
            spec.subject_key_id = Presence::Present;
        }
        spec.issued_by(self.issuer, &key(kind, "end entity")?)
    }

    fn cose_files(&self, addon: &Addon, files: &[ZipEntry]) -> Result<Vec<ZipEntry>, LabError> {
        let options = &self.options;
        let mut manifest = manifest_of(files, options.digests);
        let signers = options
            .cose
            .iter()
            .map(|algorithm| Ok((*algorithm, self.end_entity(addon, algorithm.key_kind())?)))
            .collect::<Result<Vec<_>, LabError>>()?;
        let mut intermediates = options.extra_certificates.clone();
        if options.issuer_embedded == Presence::Present {
            intermediates.push(self.issuer.der().to_vec());
        }
        let signature = cose::cose_sign(&manifest, &signers, &intermediates, &options.faults)?;
        if options.has(Fault::CoseManifestAltered) {
            manifest = with_comment(&manifest);
        }
        let mut out = vec![ZipEntry::new("META-INF/cose.manifest", manifest)];
        if !options.has(Fault::CoseSignatureMissing) {
            out.push(ZipEntry::new("META-INF/cose.sig", signature));
        }
        Ok(out)
    }

    fn pkcs7_files(
        &self,
        addon: &Addon,
        covered: &[ZipEntry],
        pkcs7: Pkcs7Options,
    ) -> Result<Vec<ZipEntry>, LabError> {
        let options = &self.options;
        let mut manifest = self.manifest(covered);
        let mut signature_file = manifest::signature_file(&manifest, options.digests);
        if options.has(Fault::SignatureFileWithoutVersion) {
            signature_file = without_first_line(&signature_file);
        }
        let end_entity = self.end_entity(addon, options.key_kind)?;
        let mut certificates = options.extra_certificates.clone();
        if options.issuer_embedded == Presence::Present {
            certificates.push(self.issuer.der().to_vec());
        }
        if !options.has(Fault::EndEntityNotEmbedded) {
            certificates.push(end_entity.der().to_vec());
        }
        let signer = if options.has(Fault::WrongSigningKey) {
            // The same certificate to the eye of the SignerInfo (issuer and serial), with another key behind it.
            let (not_before, not_after) = options.validity;
            CertificateSpec::end_entity(
                end_entity.subject().clone(),
                end_entity.serial(),
                not_before,
                not_after,
            )
            .issued_by(self.issuer, &key(options.key_kind, "somebody else")?)?
        } else {
            end_entity
        };
        let signature = pkcs7::signed_data(
            &signature_file,
            &signer,
            certificates,
            options.validity.0,
            pkcs7,
            &options.faults,
        )?;
        if options.has(Fault::ManifestAltered) {
            manifest.extend_from_slice(&manifest::section(b"extra.js", b"extra", options.digests));
        }
        if options.has(Fault::SignatureFileAltered) {
            signature_file = with_comment(&signature_file);
        }
        let mut out = Vec::new();
        if !options.has(Fault::ManifestMissing) {
            out.push(ZipEntry::new("META-INF/manifest.mf", manifest));
        }
        if !options.has(Fault::SignatureFileMissing) {
            out.push(ZipEntry::new("META-INF/mozilla.sf", signature_file.clone()));
        }
        if !options.has(Fault::SignatureMissing) {
            out.push(ZipEntry::new("META-INF/mozilla.rsa", signature.clone()));
        }
        if options.has(Fault::SecondSignaturePair) {
            out.push(ZipEntry::new("META-INF/second.sf", signature_file));
            out.push(ZipEntry::new("META-INF/second.rsa", signature));
        }
        Ok(out)
    }

    fn manifest(&self, covered: &[ZipEntry]) -> Vec<u8> {
        let options = &self.options;
        let mut manifest = manifest_of(covered, options.digests);
        if options.has(Fault::ManifestSectionTwice)
            && let Some(first) = covered.first()
        {
            manifest.extend_from_slice(&manifest::section(&first.name, &first.data, options.digests));
        }
        if options.has(Fault::ManifestDigestGarbled) {
            manifest.extend_from_slice(b"Name: extra.js\nSHA1-Digest: !!!!\nSHA256-Digest: !!!!\n\n");
        }
        if options.has(Fault::ManifestWithoutVersion) {
            manifest = without_first_line(&manifest);
        }
        manifest
    }

    fn spoil_files(&self, entries: &mut Vec<ZipEntry>) {
        for fault in &self.options.faults {
            match fault {
                Fault::ModifiedFile => {
                    if let Some(last) = entries.iter_mut().rfind(|entry| !entry.data.is_empty()) {
                        pkcs7::flip(&mut last.data);
                    }
                }
                Fault::ModifiedManifestJson => {
                    if let Some(first) = entries.first_mut() {
                        first.data.push(b'\n');
                    }
                }
                Fault::AddedFile => entries.push(ZipEntry::new("added.js", "alert(1)")),
                Fault::AddedFileInMetaInf => entries.push(ZipEntry::new("META-INF/added.txt", "hello")),
                Fault::RemovedFile => {
                    entries.pop();
                }
                Fault::RenamedFile => {
                    if let Some(last) = entries.last_mut() {
                        last.name.extend_from_slice(b".renamed");
                    }
                }
                Fault::DuplicateName | Fault::DuplicateNameReversed => {
                    if let Some(mut copy) = entries.last().cloned() {
                        copy.data = b"other content".to_vec();
                        let place =
                            if *fault == Fault::DuplicateName { entries.len() } else { entries.len() - 1 };
                        entries.insert(place, copy);
                    }
                }
                _ => {}
            }
        }
    }
}

fn manifest_of(files: &[ZipEntry], digests: ManifestDigests) -> Vec<u8> {
    let listed = files.iter().filter(|file| !file.name.ends_with(b"/"));
    manifest::manifest(listed.map(|file| (file.name.as_slice(), file.data.as_slice())), digests)
}

/// The same, well-formed and meaning the same, with one more line in its first section.
fn with_comment(text: &[u8]) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (version, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    [version, b"X-Comment: altered\n", rest].concat()
}

fn without_first_line(text: &[u8]) -> Vec<u8> {
    text.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default().to_vec()
}

/// A serial number that is the same every time for one id and kind of key, as large as the real ones.
fn serial(id: &str, kind: KeyKind) -> u64 {
    let digest = Sha256::digest(format!("{id} {kind:?}"));
    let mut bytes = [0; 8];
    bytes.copy_from_slice(digest.get(..8).unwrap_or(&[1; 8]));
    u64::from_be_bytes(bytes) >> 3
}
