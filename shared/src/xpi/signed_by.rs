//! Whether a signature was made by a certificate's key.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_FIXED,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use webpki::aws_lc_rs::{ECDSA_P256_SHA256, ECDSA_P384_SHA384, RSA_PKCS1_2048_8192_SHA256 as WEBPKI_RSA};

use crate::x509::Certificate;

/// The algorithms of signatures over add-ons (those over certificates are the path builder's business).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA PKCS#1 v1.5 with SHA-1: for the PKCS#7 path, by policy.
    RsaSha1,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaSha256,
    /// ECDSA with SHA-256 in PKCS#7 (ASN.1 form), on P-256 or P-384.
    EcdsaSha256,
    /// COSE ES256: P-256 with SHA-256 (fixed form).
    Es256,
    /// COSE ES384: P-384 with SHA-384 (fixed form).
    Es384,
}

/// What became of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    Holds,
    Fails,
    /// The certificate's key is of another kind than the algorithm.
    OtherKey,
}

pub(super) fn check(signer: &Certificate, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Checked {
    let key = Key::of(signer);
    let verifier: &'static dyn VerificationAlgorithm = match (algorithm, key) {
        (Algorithm::RsaSha1, Some(Key::Rsa)) => &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (Algorithm::RsaSha256, Some(Key::Rsa)) => &RSA_PKCS1_2048_8192_SHA256,
        (Algorithm::EcdsaSha256, Some(Key::P256)) => &ECDSA_P256_SHA256_ASN1,
        (Algorithm::EcdsaSha256, Some(Key::P384)) => &ECDSA_P384_SHA256_ASN1,
        (Algorithm::Es256, Some(Key::P256)) => &ECDSA_P256_SHA256_FIXED,
        (Algorithm::Es384, Some(Key::P384)) => &ECDSA_P384_SHA384_FIXED,
        _ => return Checked::OtherKey,
    };
    match UnparsedPublicKey::new(verifier, signer.public_key()).verify(message, signature) {
        Ok(()) => Checked::Holds,
        Err(_) => Checked::Fails,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Rsa,
    P256,
    P384,
}

impl Key {
    fn of(certificate: &Certificate) -> Option<Self> {
        let algorithm = certificate.public_key_algorithm();
        [(WEBPKI_RSA, Self::Rsa), (ECDSA_P256_SHA256, Self::P256), (ECDSA_P384_SHA384, Self::P384)]
            .into_iter()
            .find_map(|(known, key)| (known.public_key_alg_id().as_ref() == algorithm).then_some(key))
    }
}
