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
/// `impossible` for a threshold of 0 or a key id that appears twice (specification 4.2.1: it must be unique), `too-many`,
/// `threshold-not-met` with how many counted of how many.
pub fn check(
    authority: Authority<'_>,
    signatures: &[Signature],
    message: &[u8],
    limits: &TrustLimits,
) -> Result<Vec<KeyId>, TrustError> {
    let by = so_far(authority, signatures, message, limits)?;
    let threshold = authority.role_keys.threshold;
    if !u32::try_from(by.len()).is_ok_and(|count| count >= threshold) {
        let sentence = format!(
            "{} of the {threshold} distinct keys needed have signed it; get the missing signatures, or the file is not genuine",
            by.len()
        );
        return Err(TrustError::new(TrustErrorKind::Threshold, authority.role, sentence));
    }
    Ok(by)
}

/// The labels that count, whether or not they are enough: for metadata that people are still signing. It vouches for nothing.
///
/// # Errors
/// As [`check`], without `threshold-not-met`.
pub fn so_far(
    authority: Authority<'_>,
    signatures: &[Signature],
    message: &[u8],
    limits: &TrustLimits,
) -> Result<Vec<KeyId>, TrustError> {
    tally(authority, signatures, message, limits).map(|tally| tally.counted)
}

/// What signatures come to. Those under labels that the role does not have are in neither list: people come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The labels that count, one for each distinct key, in the order of signing.
    pub counted: Vec<KeyId>,
    /// The role's labels whose signature does not hold: it was made over something else, or damaged.
    pub broken: Vec<KeyId>,
}

/// Which signatures count, and which were made over something else. It vouches for nothing.
///
/// # Errors
/// As [`so_far`].
pub fn tally(
    authority: Authority<'_>,
    signatures: &[Signature],
    message: &[u8],
    limits: &TrustLimits,
) -> Result<Tally, TrustError> {
    let refuse = |kind, sentence: String| Err(TrustError::new(kind, authority.role, sentence));
    if authority.role_keys.threshold == 0 {
        return refuse(TrustErrorKind::Impossible, "its threshold is 0, so nobody would vouch for it".into());
    }
    if signatures.len() > limits.signatures {
        let sentence =
            format!("{} signatures, more than the {} allowed", signatures.len(), limits.signatures);
        return refuse(TrustErrorKind::TooMany, sentence);
    }
    let mut labels = BTreeSet::new();
    if let Some(twice) = signatures.iter().find(|signature| !labels.insert(&signature.keyid)) {
        let sentence = format!("key id {} appears twice among the signatures", twice.keyid);
        return refuse(TrustErrorKind::Impossible, sentence);
    }
    let eligible: BTreeSet<&KeyId> = authority.role_keys.keyids.iter().collect();
    let mut counted: BTreeSet<&PublicKey> = BTreeSet::new();
    let mut tally = Tally::default();
    for signature in signatures.iter().filter(|signature| eligible.contains(&signature.keyid)) {
        let Some(key) = authority.keys.get(&signature.keyid).and_then(Key::public) else { continue };
        if !hex::decode(&signature.sig).is_ok_and(|bytes| key.verifies(message, &bytes)) {
            tally.broken.push(signature.keyid.clone());
        } else if counted.insert(key) {
            tally.counted.push(signature.keyid.clone());
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuf::signer::Signer;
    use crate::tuf::test_repository::signer;

    const MESSAGE: &[u8] = b"message";

    fn signature(label: &str, key: u8) -> Signature {
        let sig = hex::encode(signer(key).sign(MESSAGE).unwrap());
        Signature { keyid: KeyId(label.into()), sig, other: BTreeMap::new() }
    }

    /// Labels with the number of the key behind each.
    fn count(keys: &[(&str, u8)], threshold: u32, signatures: &[Signature]) -> Result<usize, TrustErrorKind> {
        let role_keys =
            RoleKeys { keyids: keys.iter().map(|(id, _)| KeyId((*id).into())).collect(), threshold };
        let keys = keys.iter().map(|(id, key)| (KeyId((*id).into()), signer(*key).key().clone())).collect();
        let authority = Authority { role: "role", keys: &keys, role_keys: &role_keys };
        let by = check(authority, signatures, MESSAGE, &TrustLimits { signatures: 4, ..Default::default() });
        by.map(|by| by.len()).map_err(|error| error.kind)
    }

    #[test]
    fn distinct_keys_count_and_labels_do_not() {
        let two = [("a", 1), ("b", 2)];
        assert_eq!(count(&two, 2, &[signature("a", 1), signature("b", 2)]), Ok(2));
        assert_eq!(count(&two, 2, &[signature("a", 1)]), Err(TrustErrorKind::Threshold));
        // Two labels of one key.
        let aliased = [("a", 1), ("b", 1), ("c", 2)];
        assert_eq!(
            count(&aliased, 2, &[signature("a", 1), signature("b", 1)]),
            Err(TrustErrorKind::Threshold)
        );
        assert_eq!(count(&aliased, 2, &[signature("a", 1), signature("b", 1), signature("c", 2)]), Ok(2));
        // A bad signature under one label does not use up the key.
        assert_eq!(count(&aliased, 1, &[signature("a", 2), signature("b", 1)]), Ok(1));
        // One label twice, a label of no key, another key under the label.
        assert_eq!(count(&two, 1, &[signature("a", 1), signature("a", 1)]), Err(TrustErrorKind::Impossible));
        assert_eq!(count(&two, 1, &[signature("x", 1)]), Err(TrustErrorKind::Threshold));
        assert_eq!(count(&two, 1, &[signature("a", 2)]), Err(TrustErrorKind::Threshold));
    }

    #[test]
    fn a_signature_of_the_role_over_something_else_is_told_from_one_of_a_stranger() {
        let labels = ["a", "b", "c"].map(|label| KeyId(label.into()));
        let role_keys = RoleKeys { keyids: labels.to_vec(), threshold: 2 };
        let keys =
            labels.iter().zip([1, 2, 1]).map(|(id, key)| (id.clone(), signer(key).key().clone())).collect();
        let authority = Authority { role: "role", keys: &keys, role_keys: &role_keys };
        let of = |signatures: &[Signature]| {
            let Tally { counted, broken } =
                tally(authority, signatures, MESSAGE, &TrustLimits::default()).unwrap();
            let names = |ids: Vec<KeyId>| ids.into_iter().map(|id| id.0).collect::<Vec<_>>().join(" ");
            (names(counted), names(broken))
        };
        let text = |counted: &str, broken: &str| (counted.to_owned(), broken.to_owned());
        let stranger = signature("x", 9);
        // A second label of one key counts no second time, and is as good as the first.
        assert_eq!(of(&[signature("a", 1), signature("c", 1), stranger.clone()]), text("a", ""));
        assert_eq!(of(&[signature("a", 2), signature("b", 2), stranger]), text("b", "a"));
        let no_digits = Signature { sig: "zz".into(), ..signature("b", 2) };
        assert_eq!(of(&[no_digits]), text("", "b"));
    }

    #[test]
    fn impossible_thresholds_and_floods_of_signatures_are_refused() {
        assert_eq!(count(&[("a", 1)], 0, &[signature("a", 1)]), Err(TrustErrorKind::Impossible));
        assert_eq!(count(&[("a", 1)], u32::MAX, &[signature("a", 1)]), Err(TrustErrorKind::Threshold));
        let flood: Vec<_> = ["a", "b", "c", "d", "e"].map(|label| signature(label, 1)).into();
        assert_eq!(count(&[("a", 1)], 1, &flood), Err(TrustErrorKind::TooMany));
    }
}
