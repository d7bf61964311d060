//! Keys that sign.

use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};

use super::error::{TrustError, TrustErrorKind};
use super::key::{Key, KeyId};
use super::person::Person;

/// Something that signs: a key in memory, or a token that may be absent or locked.
pub trait Signer {
    /// The public half as a TUF key object.
    fn key(&self) -> &Key;

    /// The label under which its signatures stand.
    fn key_id(&self) -> KeyId {
        self.key().key_id()
    }

    /// The signature over `message`.
    ///
    /// # Errors
    /// Kind `key` when the key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError>;
}

/// An ed25519 key in memory; wiped when dropped.
pub struct Ed25519Signer {
    secret: SigningKey,
    key: Key,
}

impl Ed25519Signer {
    /// The key of a 32-byte seed, which the caller draws from the system's randomness.
    ///
    /// # Errors
    /// Kind `key`; no seed is known to cause it.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, TrustError> {
        Self::new(SigningKey::from_bytes(seed))
    }

    /// The key of a PKCS#8 document (DER, not encrypted; RFC 8410).
    ///
    /// # Errors
    /// Kind `key` when it is not an ed25519 private key.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, TrustError> {
        Self::new(SigningKey::from_pkcs8_der(der).map_err(|error| unreadable(&error))?)
    }

    /// The key of a PKCS#8 PEM file (`PRIVATE KEY`, not encrypted).
    ///
    /// # Errors
    /// Kind `key` when it is not an ed25519 private key.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, TrustError> {
        Self::new(SigningKey::from_pkcs8_pem(pem).map_err(|error| unreadable(&error))?)
    }

    /// The key as PKCS#8 DER, not encrypted; wiped when dropped.
    ///
    /// # Errors
    /// Kind `key`; not known to happen.
    pub fn to_pkcs8_der(&self) -> Result<ed25519_dalek::pkcs8::SecretDocument, TrustError> {
        self.secret.to_pkcs8_der().map_err(|error| unreadable(&error))
    }

    /// The key as a PKCS#8 PEM file (`PRIVATE KEY`), not encrypted; wiped when dropped.
    ///
    /// # Errors
    /// Kind `key`; not known to happen.
    pub fn to_pkcs8_pem(&self) -> Result<zeroize::Zeroizing<String>, TrustError> {
        let pem = self.secret.to_pkcs8_pem(ed25519_dalek::pkcs8::spki::der::pem::LineEnding::LF);
        pem.map_err(|error| unreadable(&error))
    }

    /// The same key with the person who holds it in its public half.
    #[must_use]
    pub fn held_by(mut self, person: &Person) -> Self {
        self.key = self.key.held_by(person);
        self
    }

    fn new(secret: SigningKey) -> Result<Self, TrustError> {
        let key = Key::ed25519(secret.verifying_key().as_bytes()).ok_or_else(|| {
            TrustError::new(TrustErrorKind::Key, "key", "its public half is weak; make another key")
        })?;
        Ok(Self { secret, key })
    }
}

impl Signer for Ed25519Signer {
    fn key(&self) -> &Key {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        Ok(self.secret.sign(message).to_bytes().to_vec())
    }
}

impl std::fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ed25519Signer({})", self.key_id())
    }
}

/// An ECDSA P-256 key in memory; wiped when dropped. Its nonces are those of RFC 6979, so signing needs no randomness.
pub struct P256Signer {
    secret: p256::ecdsa::SigningKey,
    key: Key,
}

impl P256Signer {
    /// The key of a PKCS#8 document (DER, not encrypted; RFC 5915).
    ///
    /// # Errors
    /// Kind `key` when it is not a private key of P-256.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, TrustError> {
        Self::new(p256::SecretKey::from_pkcs8_der(der).map_err(|error| unreadable(&error))?)
    }

    /// The key of a 32-byte scalar, which the caller draws from the system's randomness.
    ///
    /// # Errors
    /// Kind `key` when it is zero or not below the order of the curve: draw again.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, TrustError> {
        Self::new(p256::SecretKey::from_slice(scalar).map_err(|error| unreadable(&error))?)
    }

    /// The key as PKCS#8 DER, not encrypted; wiped when dropped.
    ///
    /// # Errors
    /// Kind `key`; not known to happen.
    pub fn to_pkcs8_der(&self) -> Result<p256::pkcs8::SecretDocument, TrustError> {
        p256::SecretKey::from(&self.secret).to_pkcs8_der().map_err(|error| unreadable(&error))
    }

    fn new(secret: p256::SecretKey) -> Result<Self, TrustError> {
        let key = Key::p256(&secret.public_key().to_sec1_bytes())
            .ok_or_else(|| unreadable(&"its public half cannot be encoded"))?;
        Ok(Self { secret: secret.into(), key })
    }
}

impl Signer for P256Signer {
    fn key(&self) -> &Key {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        let signature: p256::ecdsa::Signature = self.secret.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

impl std::fmt::Debug for P256Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "P256Signer({})", self.key_id())
    }
}

/// The form of ECDSA P-256 signatures in metadata (DER) of the form that tokens give: r and s, 32 bytes each. `None` for
/// anything else.
#[must_use]
pub fn p256_signature_of(raw: &[u8]) -> Option<Vec<u8>> {
    let signature = p256::ecdsa::Signature::from_slice(raw).ok()?;
    Some(signature.to_der().as_bytes().to_vec())
}

fn unreadable(error: &dyn std::fmt::Display) -> TrustError {
    TrustError::new(
        TrustErrorKind::Key,
        "key",
        format!(
            "not an unencrypted private key of this kind in PKCS#8 form ({error}); decrypt it first or name another file"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p256_key_signs_what_its_public_half_verifies_and_comes_back_from_its_document() {
        let signer = P256Signer::from_scalar(&[7; 32]).unwrap();
        let public = signer.key().public().unwrap();
        let signature = signer.sign(b"message").unwrap();
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"massage", &signature));
        assert_eq!(signer.sign(b"message").unwrap(), signature, "without randomness");
        let again = P256Signer::from_pkcs8_der(signer.to_pkcs8_der().unwrap().as_bytes()).unwrap();
        assert_eq!(again.key(), signer.key());
        let other = P256Signer::from_scalar(&[8; 32]).unwrap();
        assert!(!other.key().public().unwrap().verifies(b"message", &signature));
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for scalar in [[0; 32], [0xff; 32]] {
            assert_eq!(P256Signer::from_scalar(&scalar).unwrap_err().kind, TrustErrorKind::Key);
        }
        let ed25519 = Ed25519Signer::from_seed(&[7; 32]).unwrap().to_pkcs8_der().unwrap();
        assert!(P256Signer::from_pkcs8_der(ed25519.as_bytes()).is_err());
        let p256 = P256Signer::from_scalar(&[7; 32]).unwrap().to_pkcs8_der().unwrap();
        assert!(Ed25519Signer::from_pkcs8_der(p256.as_bytes()).is_err());
    }

    #[test]
    fn signatures_of_tokens_take_the_form_that_metadata_has() {
        let signer = P256Signer::from_scalar(&[7; 32]).unwrap();
        let signature: p256::ecdsa::Signature = signer.secret.sign(b"message");
        let der = p256_signature_of(&signature.to_bytes()).unwrap();
        assert!(signer.key().public().unwrap().verifies(b"message", &der));
        for raw in [&[0; 64][..], &[0xff; 64], &[1; 63], &[1; 65], &[]] {
            assert_eq!(p256_signature_of(raw), None, "{raw:?}");
        }
    }
}
