//! RSA keys of issuers in the form that checks take, a few of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, VerificationAlgorithm,
};
use webpki::aws_lc_rs as algorithms;

use super::Certificate;
use crate::digest::Sha256Digest;

/// RSA PKCS#1 v1.5 as add-ons have it: what `webpki` hands signatures of these algorithms to. It reads the key again each time;
/// here the key of an issuer of thousands of end entities is read once.
static ALGORITHMS: [&dyn VerificationAlgorithm; 2] =
    [&RSA_PKCS1_2048_8192_SHA256, &RSA_PKCS1_2048_8192_SHA384];

/// Which of [`ALGORITHMS`] is `webpki`'s of these identifiers.
fn index(signature_id: &[u8], key_id: &[u8]) -> Option<usize> {
    [algorithms::RSA_PKCS1_2048_8192_SHA256, algorithms::RSA_PKCS1_2048_8192_SHA384].iter().position(
        |known| {
            known.signature_alg_id().as_ref() == signature_id && known.public_key_alg_id().as_ref() == key_id
        },
    )
}

/// Keys that are held at most: far more than issuers are in use, and at 8192 bits each a megabyte together. One more, and all are
/// forgotten.
const MOST: usize = 128;

/// What was read, by algorithm and SubjectPublicKeyInfo.
type Known = HashMap<(usize, Sha256Digest), Arc<ParsedPublicKey>>;

/// Holds the keys that were needed last. It costs or saves time, and changes no verdict.
#[derive(Debug, Default)]
pub(super) struct PreparedKeys(Mutex<Known>);

impl PreparedKeys {
    /// The key of `issuer` for the algorithm of these identifiers; `None` where it is no key of it, or the algorithm none of
    /// these.
    pub(super) fn get(
        &self,
        signature_id: &[u8],
        key_id: &[u8],
        issuer: &Certificate,
    ) -> Option<Arc<ParsedPublicKey>> {
        let index = index(signature_id, key_id)?;
        let name = (index, issuer.spki_sha256());
        if let Some(key) = self.known().get(&name) {
            return Some(key.clone());
        }
        let algorithm = ALGORITHMS.get(index)?;
        let key = Arc::new(ParsedPublicKey::new(*algorithm, issuer.public_key()).ok()?);
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name, key.clone());
        Some(key)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::X509Limits;

    #[test]
    fn a_key_is_read_once_and_only_for_its_own_algorithm() {
        let pem = include_bytes!("../../../recipes/fire-drill/drill.pem");
        let issuer = Certificate::parse_pem(pem, &X509Limits::default()).unwrap().remove(0);
        let keys = PreparedKeys::default();
        let rsa = algorithms::RSA_PKCS1_2048_8192_SHA256;
        let (signature, key) = (rsa.signature_alg_id(), rsa.public_key_alg_id());
        let first = keys.get(&signature, &key, &issuer).unwrap();
        assert!(Arc::ptr_eq(&first, &keys.get(&signature, &key, &issuer).unwrap()));
        let other = algorithms::ECDSA_P256_SHA256;
        assert!(keys.get(&other.signature_alg_id(), &other.public_key_alg_id(), &issuer).is_none());
        assert!(first.verify_sig(b"message", &[0; 256]).is_err());
    }
}
