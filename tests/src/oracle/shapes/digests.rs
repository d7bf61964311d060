//! Every entry of the table: digests of the manifest, of the signature file, and of the signers.

use super::Shape;
use crate::xpi_signer::{CmsDigest, Fault, ManifestDigests};

const DIGESTS: [ManifestDigests; 6] = [
    ManifestDigests::Sha1,
    ManifestDigests::Sha256,
    ManifestDigests::Sha1AndSha256,
    ManifestDigests::Md5AndSha1,
    ManifestDigests::Jarsigner,
    ManifestDigests::Nothing,
];

/// Who signs: one by SHA-1, one by SHA-256, both, two by one digest.
const SIGNERS: [(&str, CmsDigest, Option<Fault>); 5] = [
    ("SHA-1", CmsDigest::Sha1, None),
    ("SHA-256", CmsDigest::Sha256, None),
    ("SHA-1 and SHA-256", CmsDigest::Sha1, Some(Fault::SignerOfOtherDigest)),
    ("twice SHA-1", CmsDigest::Sha1, Some(Fault::TwoSignerInfos)),
    ("twice SHA-256", CmsDigest::Sha256, Some(Fault::TwoSignerInfos)),
];

/// All of them: judged under each weakest digest.
#[must_use]
pub fn all() -> Vec<Shape> {
    let mut all = Vec::new();
    for manifest in DIGESTS {
        for signature_file in DIGESTS {
            for (signers, digest, fault) in SIGNERS {
                let name = format!(
                    "digests: manifest {manifest:?}, signature file {signature_file:?}, signer {signers}"
                );
                all.push(Shape::new(name, move |making| {
                    (making.manifest_digests, making.signature_file_digests) = (manifest, signature_file);
                    making.faults.extend(fault);
                    if let Some(pkcs7) = &mut making.pkcs7 {
                        pkcs7.digest = digest;
                    }
                }));
            }
        }
    }
    all
}
