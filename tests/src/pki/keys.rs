//! A key ring: each named key is made once a process, when first asked for, and shared from then on.
//!
//! Making an RSA key takes from a tenth of a second to several seconds, so fixtures name the keys they need instead of
//! making their own. Nothing is ever written to disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::SignatureKind;
use crate::LabError;

/// What sort of key. RSA-2048 is the default of all fixtures: RSA-4096, which real certificates use, takes seconds to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// RSA, 1024 bits: too small for anything; must be refused.
    Rsa1024,
    /// RSA, 2048 bits.
    Rsa2048,
    /// RSA, 4096 bits: what the real certificates have; for benchmarks.
    Rsa4096,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
}

/// A private key of the laboratory.
pub struct LabKey {
    kind: KeyKind,
    pair: Pair,
    spki: Vec<u8>,
    /// The same RSA key for SHA-1 signatures, which the main library rightly cannot make.
    legacy: OnceLock<Option<rsa::RsaPrivateKey>>,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    /// An RSA key that the main library rightly does not make.
    SmallRsa(Box<rsa::RsaPrivateKey>),
    /// One key, once for ASN.1 signatures (certificates) and once for fixed-length ones (COSE).
    Ecdsa {
        asn1: EcdsaKeyPair,
        fixed: EcdsaKeyPair,
    },
}

/// The key of that kind and name, made when first asked for. Names are free; fixtures that share a name share the key.
///
/// # Errors
/// When the key cannot be made.
pub fn key(kind: KeyKind, name: &str) -> Result<Arc<LabKey>, LabError> {
    type Slot = Arc<Mutex<Option<Arc<LabKey>>>>;
    static RING: OnceLock<Mutex<HashMap<(KeyKind, String), Slot>>> = OnceLock::new();
    let slot = {
        let mut ring = RING.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(ring.entry((kind, name.to_owned())).or_default())
    };
    // Only the slot is locked while the key is made: others of other names go on.
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = slot.as_ref() {
        return Ok(Arc::clone(key));
    }
    let key = Arc::new(LabKey::generate(kind)?);
    *slot = Some(Arc::clone(&key));
    Ok(key)
}

impl LabKey {
    /// Makes a fresh key, outside the key ring.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn generate(kind: KeyKind) -> Result<Self, LabError> {
        let (pair, spki) = match kind {
            KeyKind::Rsa1024 => small_rsa_pair(1024)?,
            KeyKind::Rsa2048 => rsa_pair(KeySize::Rsa2048)?,
            KeyKind::Rsa4096 => rsa_pair(KeySize::Rsa4096)?,
            KeyKind::P256 => ecdsa_pair(
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            )?,
            KeyKind::P384 => ecdsa_pair(
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            )?,
            KeyKind::P521 => ecdsa_pair(
                &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
                &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
            )?,
        };
        Ok(Self { kind, pair, spki, legacy: OnceLock::new() })
    }

    /// An RSA key of 2048 bits that somebody else published, in PKCS#8 and PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn published(pem: &str) -> Result<Self, LabError> {
        let key =
            rsa::RsaPrivateKey::from_pkcs8_pem(pem).map_err(LabError::crypto("read a published key"))?;
        let der = key.to_pkcs8_der().map_err(LabError::crypto("write a published key"))?;
        let pair =
            RsaKeyPair::from_pkcs8(der.as_bytes()).map_err(LabError::crypto("read a published key"))?;
        let spki = pair.public_key().as_der().map_err(LabError::crypto("write an RSA public key"))?;
        let spki = spki.as_ref().to_vec();
        Ok(Self { kind: KeyKind::Rsa2048, pair: Pair::Rsa(Box::new(pair)), spki, legacy: OnceLock::new() })
    }

    /// What sort of key this is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Signs a message as certificates and CMS want it (ECDSA signatures in ASN.1).
    ///
    /// # Errors
    /// When kind of key and kind of signature do not match.
    pub fn sign(&self, kind: SignatureKind, message: &[u8]) -> Result<Vec<u8>, LabError> {
        match (&self.pair, kind) {
            (Pair::Rsa(_), SignatureKind::Sha1Rsa) => self.sign_sha1(message),
            (Pair::Rsa(pair), SignatureKind::Sha256Rsa) => {
                rsa_sign(pair, &signature::RSA_PKCS1_SHA256, message)
            }
            (Pair::Rsa(pair), SignatureKind::Sha384Rsa) => {
                rsa_sign(pair, &signature::RSA_PKCS1_SHA384, message)
            }
            (Pair::Ecdsa { asn1, .. }, SignatureKind::EcdsaSha256) if self.kind == KeyKind::P256 => {
                ecdsa_sign(asn1, message)
            }
            (Pair::Ecdsa { asn1, .. }, SignatureKind::EcdsaSha384) if self.kind == KeyKind::P384 => {
                ecdsa_sign(asn1, message)
            }
            (Pair::Ecdsa { asn1, .. }, SignatureKind::EcdsaSha512) if self.kind == KeyKind::P521 => {
                ecdsa_sign(asn1, message)
            }
            (Pair::SmallRsa(key), SignatureKind::Sha256Rsa) => {
                let padding = rsa::Pkcs1v15Sign { hash_len: Some(32), prefix: SHA256_PREFIX.into() };
                key.sign(padding, &Sha256::digest(message))
                    .map_err(LabError::crypto("sign with a small RSA key"))
            }
            _ => Err(LabError::Impossible(format!("a {kind:?} signature by a {:?} key", self.kind))),
        }
    }

    /// Signs a message as COSE wants it: ES256 (P-256) and ES384 (P-384) of fixed length, PS256 (RSA).
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn sign_cose(&self, message: &[u8]) -> Result<Vec<u8>, LabError> {
        match &self.pair {
            Pair::Rsa(pair) => rsa_sign(pair, &signature::RSA_PSS_SHA256, message),
            Pair::SmallRsa(_) => Err(LabError::Impossible("a COSE signature by a small RSA key".to_owned())),
            Pair::Ecdsa { fixed, .. } => ecdsa_sign(fixed, message),
        }
    }

    fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>, LabError> {
        let legacy = self.legacy.get_or_init(|| match &self.pair {
            Pair::Rsa(pair) => rsa::RsaPrivateKey::from_pkcs8_der(pair.as_der().ok()?.as_ref()).ok(),
            Pair::SmallRsa(key) => Some(key.as_ref().clone()),
            Pair::Ecdsa { .. } => None,
        });
        legacy
            .as_ref()
            .ok_or_else(|| LabError::Crypto("make a SHA-1 signature with a key that is not RSA".to_owned()))?
            .sign(
                rsa::Pkcs1v15Sign { hash_len: Some(20), prefix: SHA1_PREFIX.into() },
                &Sha1::digest(message),
            )
            .map_err(LabError::crypto("make a SHA-1 signature"))
    }
}

/// DigestInfo of SHA-1 up to the digest: RFC 8017 section 9.2, note 1.
const SHA1_PREFIX: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// That of SHA-256.
const SHA256_PREFIX: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

fn small_rsa_pair(bits: usize) -> Result<(Pair, Vec<u8>), LabError> {
    let key = rsa::RsaPrivateKey::new(&mut SystemNumbers, bits)
        .map_err(LabError::crypto("make a small RSA key"))?;
    let spki =
        key.to_public_key().to_public_key_der().map_err(LabError::crypto("write an RSA public key"))?;
    Ok((Pair::SmallRsa(Box::new(key)), spki.into_vec()))
}

/// The system's random numbers in the form that the other library takes.
struct SystemNumbers;

impl rsa::rand_core::CryptoRng for SystemNumbers {}

impl rsa::rand_core::RngCore for SystemNumbers {
    fn next_u32(&mut self) -> u32 {
        rand::random()
    }

    fn next_u64(&mut self) -> u64 {
        rand::random()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(rand::random);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

fn rsa_pair(size: KeySize) -> Result<(Pair, Vec<u8>), LabError> {
    let pair = RsaKeyPair::generate(size).map_err(LabError::crypto("make an RSA key"))?;
    let spki = pair.public_key().as_der().map_err(LabError::crypto("write an RSA public key"))?;
    let spki = spki.as_ref().to_vec();
    Ok((Pair::Rsa(Box::new(pair)), spki))
}

fn ecdsa_pair(
    asn1: &'static signature::EcdsaSigningAlgorithm,
    fixed: &'static signature::EcdsaSigningAlgorithm,
) -> Result<(Pair, Vec<u8>), LabError> {
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(asn1, &SystemRandom::new())
        .map_err(LabError::crypto("make an ECDSA key"))?;
    let read = |algorithm| {
        EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref())
            .map_err(LabError::crypto("read back an ECDSA key"))
    };
    let (asn1, fixed) = (read(asn1)?, read(fixed)?);
    let spki = asn1.public_key().as_der().map_err(LabError::crypto("write an ECDSA public key"))?;
    let spki = spki.as_ref().to_vec();
    Ok((Pair::Ecdsa { asn1, fixed }, spki))
}

fn rsa_sign(
    pair: &RsaKeyPair,
    encoding: &'static dyn signature::RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, LabError> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .map_err(LabError::crypto("make an RSA signature"))?;
    Ok(signature)
}

fn ecdsa_sign(pair: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, LabError> {
    let signature =
        pair.sign(&SystemRandom::new(), message).map_err(LabError::crypto("make an ECDSA signature"))?;
    Ok(signature.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_key_is_made_once_and_other_names_are_other_keys() {
        let first = key(KeyKind::P256, "once").unwrap();
        let again = key(KeyKind::P256, "once").unwrap();
        let other = key(KeyKind::P256, "twice").unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert_ne!(first.spki_der(), other.spki_der());
    }

    #[test]
    fn a_sha1_signature_verifies_with_the_main_library() {
        let key = key(KeyKind::Rsa2048, "sha1").unwrap();
        let signature = key.sign(SignatureKind::Sha1Rsa, b"message").unwrap();
        let Pair::Rsa(pair) = &key.pair else { panic!("not RSA") };
        let public = signature::UnparsedPublicKey::new(
            &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            pair.public_key().as_ref(),
        );
        assert!(public.verify(b"message", &signature).is_ok());
        assert!(public.verify(b"Message", &signature).is_err());
    }
}
