//! The one place where signatures are counted.
//!
//! Client, server and operators' tool all come here. A threshold counts distinct decoded public keys: two labels of one
//! key count once, and a key that cannot be decoded never counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{TrustError, TrustErrorKind};
use super::key::{Key, KeyId, PublicKey};
use crate::limits::TrustLimits;

/// One entry of `signatures` (specification 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which key, by its label in the role that vouches.
    pub keyid: KeyId,
    /// The signature in hexadecimal digits. Empty or other text is kept and never counts.
    pub sig: String,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// The keys that may sign for a role, and how many of them must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleKeys {
    /// Labels into the `keys` beside it.
    pub keyids: Vec<KeyId>,
    /// How many distinct keys must sign; at least 1.
    pub threshold: u32,
}

/// What a role must be checked against: the vouching file's keys, and its entry for the role.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// The role it speaks for.
    pub role: &'a str,
    /// All keys of the vouching file.
    pub keys: &'a BTreeMap<KeyId, Key>,
    /// Which of them, and how many.
    pub role_keys: &'a RoleKeys,
}

impl<'a> Authority<'a> {
    /// The distinct decoded keys that may count.
    #[must_use]
    pub fn distinct_keys(&self) -> BTreeSet<&'a PublicKey> {
        self.role_keys.keyids.iter().filter_map(|id| self.keys.get(id)?.public()).collect()
    }
}

/// Checks `signatures` over `message`. Gives the labels that counted, one for each distinct key, in the order of signing.
///
/// # Errors
/// `impossible` for a threshold of 0 or a key id that stands twice (specification 4.2.1: it must be unique), `too-many`,
/// `threshold-not-met` with how many counted of how many.
pub fn check(
    authority: Authority<'_>,
    signatures: &[Signature],
    message: &[u8],
    limits: &TrustLimits,
) -> Result<Vec<KeyId>, TrustError> {
    let refuse = |kind, sentence: String| Err(TrustError::new(kind, authority.role, sentence));
    let threshold = authority.role_keys.threshold;
    if threshold == 0 {
        return refuse(TrustErrorKind::Impossible, "its threshold is 0, so nobody would vouch for it".into());
    }
    if signatures.len() > limits.signatures {
        let sentence =
            format!("{} signatures, more than the {} allowed", signatures.len(), limits.signatures);
        return refuse(TrustErrorKind::TooMany, sentence);
    }
    let mut labels = BTreeSet::new();
    if let Some(twice) = signatures.iter().find(|signature| !labels.insert(&signature.keyid)) {
        let sentence = format!("key id {} stands twice among the signatures", twice.keyid);
        return refuse(TrustErrorKind::Impossible, sentence);
    }
    let eligible: BTreeSet<&KeyId> = authority.role_keys.keyids.iter().collect();
    let mut counted: BTreeSet<&PublicKey> = BTreeSet::new();
    let mut by = Vec::new();
    for signature in signatures.iter().filter(|signature| eligible.contains(&signature.keyid)) {
        let Some(key) = authority.keys.get(&signature.keyid).and_then(Key::public) else { continue };
        let Ok(bytes) = hex::decode(&signature.sig) else { continue };
        if !counted.contains(key) && key.verifies(message, &bytes) {
            counted.insert(key);
            by.push(signature.keyid.clone());
        }
    }
    if u32::try_from(by.len()).is_ok_and(|count| count < threshold) {
        let sentence = format!(
            "{} of the {threshold} distinct keys needed have signed it; get the missing signatures, or the file is not genuine",
            by.len()
        );
        return refuse(TrustErrorKind::Threshold, sentence);
    }
    Ok(by)
}
