//! Keys that sign.

use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};

use super::error::{TrustError, TrustErrorKind};
use super::key::{Key, KeyId};

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
    pub fn held_by(mut self, person: &str) -> Self {
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

fn unreadable(error: &dyn std::fmt::Display) -> TrustError {
    TrustError::new(
        TrustErrorKind::Key,
        "key",
        format!(
            "not an unencrypted ed25519 private key in PKCS#8 form ({error}); decrypt it first or name another file"
        ),
    )
}
