//! Whether a signature was made by a certificate's key.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_FIXED,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA512_FIXED, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use webpki::aws_lc_rs::{
    ECDSA_P256_SHA256, ECDSA_P384_SHA384, ECDSA_P521_SHA512, RSA_PKCS1_2048_8192_SHA256 as WEBPKI_RSA,
};

use super::policy::WeakestDigest;
use super::verdict::{Fault, VerdictKind};
use crate::x509::{Certificate, LEAST_RSA_BITS};

/// The algorithms of signatures over add-ons (those over certificates are the path builder's business).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA PKCS#1 v1.5 with this digest, in PKCS#7.
    Rsa(WeakestDigest),
    /// ECDSA with SHA-256 in PKCS#7 (ASN.1 form), on any curve.
    EcdsaSha256,
    /// COSE ES256: P-256 with SHA-256 (fixed form).
    Es256,
    /// COSE ES384: P-384 with SHA-384 (fixed form).
    Es384,
    /// COSE ES512: P-521 with SHA-512 (fixed form).
    Es512,
}

impl Algorithm {
    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Rsa(WeakestDigest::Sha1) => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Rsa(WeakestDigest::Sha256) | Self::EcdsaSha256 | Self::Es256 => &digest::SHA256,
            Self::Es384 => &digest::SHA384,
            Self::Es512 => &digest::SHA512,
        }
    }

    /// A hasher of what is signed.
    pub(super) fn hasher(self) -> digest::Context {
        digest::Context::new(self.digest())
    }
}

/// What became of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Holds,
    Fails,
    /// The certificate's key is of another kind than the algorithm.
    OtherKey,
}

/// Checks a signature over what has this digest, which is of the algorithm's own kind.
///
/// # Errors
/// [`VerdictKind::KeyTooSmall`].
pub(super) fn check(
    signer: &Certificate,
    algorithm: Algorithm,
    digest: &[u8],
    signature: &[u8],
) -> Result<Checked, Fault> {
    if let Some(bits) = signer.rsa_bits().filter(|bits| *bits < LEAST_RSA_BITS) {
        let what = format!(
            "the certificate {} has an RSA key of {bits} bits, less than {LEAST_RSA_BITS}",
            signer.described()
        );
        return Err(Fault::new(VerdictKind::KeyTooSmall, what));
    }
    let verifier: &'static dyn VerificationAlgorithm = match (algorithm, Key::of(signer)) {
        (Algorithm::Rsa(WeakestDigest::Sha1), Some(Key::Rsa)) => {
            &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY
        }
        (Algorithm::Rsa(WeakestDigest::Sha256), Some(Key::Rsa)) => &RSA_PKCS1_2048_8192_SHA256,
        (Algorithm::EcdsaSha256, Some(Key::P256)) => &ECDSA_P256_SHA256_ASN1,
        (Algorithm::EcdsaSha256, Some(Key::P384)) => &ECDSA_P384_SHA256_ASN1,
        (Algorithm::EcdsaSha256, Some(Key::P521)) => &ECDSA_P521_SHA256_ASN1,
        (Algorithm::Es256, Some(Key::P256)) => &ECDSA_P256_SHA256_FIXED,
        (Algorithm::Es384, Some(Key::P384)) => &ECDSA_P384_SHA384_FIXED,
        (Algorithm::Es512, Some(Key::P521)) => &ECDSA_P521_SHA512_FIXED,
        _ => return Ok(Checked::OtherKey),
    };
    let key = UnparsedPublicKey::new(verifier, signer.public_key());
    let holds = Digest::import_less_safe(digest, algorithm.digest())
        .and_then(|digest| key.verify_digest(&digest, signature));
    Ok(if holds.is_ok() { Checked::Holds } else { Checked::Fails })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Rsa,
    P256,
    P384,
    P521,
}

impl Key {
    fn of(certificate: &Certificate) -> Option<Self> {
        let algorithm = certificate.public_key_algorithm();
        [
            (WEBPKI_RSA, Self::Rsa),
            (ECDSA_P256_SHA256, Self::P256),
            (ECDSA_P384_SHA384, Self::P384),
            (ECDSA_P521_SHA512, Self::P521),
        ]
        .into_iter()
        .find_map(|(known, key)| (known.public_key_alg_id().as_ref() == algorithm).then_some(key))
    }
}
