//! An add-on on its way to being signed, with a place to change it at every step.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::xpi::Refusal;

use super::raw_zip::RawZip;
use crate::LabError;
use crate::pki::certificate::Presence;
use crate::pki::keys::LabKey;
use crate::pki::name::end_entity_name;
use crate::pki::{CertificateSpec, KeyKind, LabCertificate, key, mozilla_name};
use crate::xpi_signer::cose::cose_sign;
use crate::xpi_signer::pkcs7::signed_data;
use crate::xpi_signer::{
    Addon, AlgorithmStyle, CmsDigest, CoseAlgorithm, Fault, ManifestDigests, Pkcs7Options, SignedAttributes,
    SignerId, ZipEntry, manifest,
};

/// A change to bytes.
pub type Edit = Box<dyn Fn(Vec<u8>) -> Vec<u8>>;
/// A change to an archive.
pub type ArchiveEdit = Box<dyn Fn(&mut RawZip)>;

/// An add-on that is being made. Steps are taken in the order of the fields.
pub struct Making {
    /// The test root, with its key.
    pub root: LabCertificate,
    /// The intermediate under the root, and its kind of key.
    pub intermediate: (CertificateSpec, KeyKind),
    /// Further intermediates, each under the one before.
    pub below: Vec<(CertificateSpec, KeyKind)>,
    /// The certificate whose key signs, and its kind of key.
    pub end_entity: (CertificateSpec, KeyKind),
    /// Who signs the end entity, when not the last intermediate.
    pub end_entity_by: Option<LabCertificate>,
    /// Certificates embedded before the others.
    pub embedded_before: Vec<Vec<u8>>,
    /// Whether intermediates are embedded.
    pub intermediates_embedded: Presence,
    /// The files.
    pub addon: Addon,
    /// COSE signatures; none by default.
    pub cose: Vec<CoseAlgorithm>,
    /// Changes to `cose.sig`.
    pub cose_edits: Vec<Edit>,
    /// Digests of the manifest.
    pub manifest_digests: ManifestDigests,
    /// Digests of the signature file.
    pub signature_file_digests: ManifestDigests,
    /// Changes to `manifest.mf`, which the signature file then vouches for.
    pub manifest_edits: Vec<Edit>,
    /// Changes to the signature file, which is then signed.
    pub signature_file_edits: Vec<Edit>,
    /// The PKCS#7 signature; none for none.
    pub pkcs7: Option<Pkcs7Options>,
    /// What is wrong with the signatures.
    pub faults: Vec<Fault>,
    /// Changes to the PKCS#7 signature.
    pub block_edits: Vec<Edit>,
    /// Names of manifest, signature file and block.
    pub names: [Vec<u8>; 3],
    /// Changes to the archive.
    pub archive_edits: Vec<ArchiveEdit>,
    /// Changes to the archive's bytes.
    pub byte_edits: Vec<Edit>,
    /// The entries of the closed list by which we refuse what comes out.
    pub refused: Vec<Refusal>,
}

/// The test root that every build of Firefox knows, read from `folder`.
///
/// # Errors
/// Certificate or key are not there.
pub fn test_root(folder: &Path) -> Result<LabCertificate, LabError> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(LabError::file(&path))
    };
    let key = LabKey::published(&read("test-root-key.pem")?)?;
    LabCertificate::published(&read("test-root.pem")?, Arc::new(key))
}

/// Now, once for a run: certificates that many add-ons share are the same.
#[must_use]
pub fn now() -> Timestamp {
    static NOW: OnceLock<Timestamp> = OnceLock::new();
    *NOW.get_or_init(Timestamp::now)
}

/// That many days from now.
#[must_use]
pub fn days(days: i64) -> Timestamp {
    now().checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(now())
}

/// An intermediate of this name and serial number.
///
/// # Errors
/// When it cannot be made.
pub fn intermediate(name: &str, serial: u64) -> Result<CertificateSpec, LabError> {
    Ok(CertificateSpec::ca(mozilla_name("Oracle", name)?, serial, days(-400), days(400)))
}

impl Making {
    /// An add-on as the service signs it today: SHA-256 throughout, no COSE.
    ///
    /// # Errors
    /// When a certificate cannot be described.
    pub fn new(root: &LabCertificate) -> Result<Self, LabError> {
        let addon = Addon::small("oracle@lab.example.org");
        let subject = end_entity_name(&addon.common_name())?;
        Ok(Self {
            root: root.clone(),
            intermediate: (intermediate("intermediate", 0x10_0001)?, KeyKind::Rsa2048),
            below: Vec::new(),
            end_entity: (
                CertificateSpec::end_entity(subject, 0x20_0001, days(-100), days(100)),
                KeyKind::Rsa2048,
            ),
            end_entity_by: None,
            embedded_before: Vec::new(),
            intermediates_embedded: Presence::Present,
            addon,
            cose: Vec::new(),
            cose_edits: Vec::new(),
            manifest_digests: ManifestDigests::Sha256,
            signature_file_digests: ManifestDigests::Sha256,
            manifest_edits: Vec::new(),
            signature_file_edits: Vec::new(),
            pkcs7: Some(Pkcs7Options {
                digest: CmsDigest::Sha256,
                attributes: SignedAttributes::Present,
                signer_id: SignerId::IssuerAndSerial,
                algorithms: AlgorithmStyle::DigestWithRsa,
            }),
            faults: Vec::new(),
            block_edits: Vec::new(),
            names: ["META-INF/manifest.mf", "META-INF/mozilla.sf", "META-INF/mozilla.rsa"].map(Into::into),
            archive_edits: Vec::new(),
            byte_edits: Vec::new(),
            refused: Vec::new(),
        })
    }

    /// Takes all steps: the bytes of the archive.
    ///
    /// # Errors
    /// Changes exclude each other.
    pub fn make(&self) -> Result<Vec<u8>, LabError> {
        let mut issuers = vec![self.issued(&self.intermediate, &self.root)?];
        for below in &self.below {
            let issuer = issuers.last().unwrap_or(&self.root);
            issuers.push(self.issued(below, issuer)?);
        }
        let issuer = self.end_entity_by.as_ref().or(issuers.last()).unwrap_or(&self.root);
        let end_entity = self.issued(&self.end_entity, issuer)?;
        let mut certificates = self.embedded_before.clone();
        if self.intermediates_embedded == Presence::Present {
            certificates.extend(issuers.iter().map(|issuer| issuer.der().to_vec()));
        }
        let mut entries: Vec<ZipEntry> =
            self.addon.files()?.into_iter().map(|(name, data)| ZipEntry::new(name, data)).collect();
        if !self.cose.is_empty() {
            entries.extend(self.cose_files(&entries, issuer, &certificates)?);
        }
        if let Some(options) = self.pkcs7 {
            if !self.faults.contains(&Fault::EndEntityNotEmbedded) {
                certificates.push(end_entity.der().to_vec());
            }
            entries.extend(self.pkcs7_files(&entries, &end_entity, certificates, options)?);
        }
        let mut archive = RawZip::of(&entries)?;
        self.archive_edits.iter().for_each(|edit| edit(&mut archive));
        Ok(edited(archive.bytes(), &self.byte_edits))
    }

    fn issued(
        &self,
        spec: &(CertificateSpec, KeyKind),
        issuer: &LabCertificate,
    ) -> Result<LabCertificate, LabError> {
        let name = format!("oracle {}", spec.0.subject);
        spec.0.issued_by(issuer, &key(spec.1, &name)?)
    }

    fn cose_files(
        &self,
        files: &[ZipEntry],
        issuer: &LabCertificate,
        intermediates: &[Vec<u8>],
    ) -> Result<Vec<ZipEntry>, LabError> {
        let manifest = manifest_of(files, ManifestDigests::Sha256);
        let signer = |algorithm: &CoseAlgorithm| {
            let spec = (self.end_entity.0.clone(), algorithm.key_kind());
            Ok((*algorithm, self.issued(&spec, issuer)?))
        };
        let signers = self.cose.iter().map(signer).collect::<Result<Vec<_>, LabError>>()?;
        let signature =
            edited(cose_sign(&manifest, &signers, intermediates, &self.faults)?, &self.cose_edits);
        Ok(vec![
            ZipEntry::new("META-INF/cose.manifest", manifest),
            ZipEntry::new("META-INF/cose.sig", signature),
        ])
    }

    fn pkcs7_files(
        &self,
        files: &[ZipEntry],
        end_entity: &LabCertificate,
        certificates: Vec<Vec<u8>>,
        options: Pkcs7Options,
    ) -> Result<Vec<ZipEntry>, LabError> {
        let manifest = edited(manifest_of(files, self.manifest_digests), &self.manifest_edits);
        let signature_file = manifest::signature_file(&manifest, self.signature_file_digests);
        let signature_file = edited(signature_file, &self.signature_file_edits);
        let block =
            signed_data(&signature_file, end_entity, certificates, days(-100), options, &self.faults)?;
        let contents = [manifest, signature_file, edited(block, &self.block_edits)];
        Ok(self.names.iter().zip(contents).map(|(name, data)| ZipEntry::new(name.clone(), data)).collect())
    }
}

fn manifest_of(files: &[ZipEntry], digests: ManifestDigests) -> Vec<u8> {
    let listed = files.iter().filter(|file| !file.name.ends_with(b"/"));
    manifest::manifest(listed.map(|file| (file.name.as_slice(), file.data.as_slice())), digests)
}

fn edited(bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    edits.iter().fold(bytes, |bytes, edit| edit(bytes))
}
