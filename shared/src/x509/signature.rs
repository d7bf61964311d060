//! Whether one certificate's signature holds under another's key.

use super::{Certificate, SignatureMemo};

/// What became of a signature check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// The issuer's key made the signature.
    Holds,
    /// It did not.
    Fails,
    /// The signature's algorithm, alone or with this key, is not accepted.
    Unsupported,
}

/// Checks that the key of `issuer` signed `child`. Names, dates and everything else are not looked at.
///
/// Accepted are webpki's algorithms: ECDSA with P-256, P-384 and P-521, Ed25519, RSA of 2048 to 8192 bits with PKCS#1 v1.5
/// or PSS, all with SHA-256 or better.
pub(super) fn check(child: &Certificate, issuer: &Certificate, memo: &SignatureMemo) -> Checked {
    let mut result = Checked::Unsupported;
    for algorithm in webpki::ALL_VERIFICATION_ALGS {
        let (signature_id, key_id) = (algorithm.signature_alg_id(), algorithm.public_key_alg_id());
        if signature_id.as_ref() != child.signature_algorithm()
            || key_id.as_ref() != issuer.public_key_algorithm()
        {
            continue;
        }
        // Digests stand for what they are of: the issuer's key with its algorithm (P-256 and P-384 keys share one form of ECDSA
        // signature), and the certificate, which is what was signed and the signature.
        let (key, certificate) = (issuer.spki_sha256(), child.sha256());
        let holds = memo.check(signature_id.as_ref(), &key.0, &certificate.0, &[], || {
            let (message, signature) = child.signed();
            match memo.keys().get(&signature_id, &key_id, issuer) {
                Some(key) => key.verify_sig(message, signature).is_ok(),
                None => algorithm.verify_signature(issuer.public_key(), message, signature).is_ok(),
            }
        });
        if holds {
            return Checked::Holds;
        }
        result = Checked::Fails;
    }
    result
}

/// Whether signatures of the form `child` has are accepted at all. Which key made it does not matter: a candidate for the issuer
/// with a key of another kind is no issuer, and says nothing about the algorithm.
pub(super) fn is_accepted(child: &Certificate) -> bool {
    webpki::ALL_VERIFICATION_ALGS
        .iter()
        .any(|algorithm| algorithm.signature_alg_id().as_ref() == child.signature_algorithm())
}
