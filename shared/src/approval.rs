//! A person's word for one opening of one gate, signed with a key of the recipe's lane.
//!
//! What is signed ([`Opening`]) names everything that it is about: path, revision and bytes of the recipe, how far, since
//! when, until when it opens, and until when a server may take it. So it fits no other recipe, revision or percentage, and only
//! one instant.
//! Beside a gate stands only what the reader does not know already ([`Approval`]). Signatures are counted by
//! [`threshold`], as everywhere.
//!
//! | module | what |
//! |---|---|
//! | [`file`](mod@file) | the form in files, from machine to machine |

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::json;
use crate::limits::TrustLimits;
use crate::recipe::RecipePath;
use crate::sampling::BasisPoints;
use crate::tuf::threshold::{self, Authority, Signature};
use crate::tuf::{KeyId, Signer, TrustError, write};

pub mod file;

pub use file::{OpeningFile, OpeningFileError};

/// How long an approval may be submitted after it was made: a night, and the way between two machines.
pub const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How far the clock of whoever makes an opening may be ahead of the server's.
pub const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// What a person signs: open this, so far, from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The recipe.
    pub path: RecipePath,
    /// Its revision.
    pub revision: u64,
    /// SHA-256 of its published bytes.
    pub sha256: Sha256Digest,
    /// How far its gate is opened.
    pub percent: BasisPoints,
    /// The gate's `since`: the instant that makes this opening one and no other; whole seconds.
    pub since: Timestamp,
    /// Until when a server takes it. Clients do not look at it: it binds an honest server, and no thief of its keys.
    pub expires: Timestamp,
    /// Until when it opens; clients take nothing new after it. None where that is the recipe's own end, which they keep to
    /// anyway: so earlier clients read it, too.
    pub open_until: Option<Timestamp>,
}

/// What stands of an opening beside its gate, with the signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// How far.
    pub percent: BasisPoints,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// Until when a server takes it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: Timestamp,
    /// Until when it opens, where that is not the recipe's own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub open_until: Option<Timestamp>,
    /// The signatures. Nothing vouches for them until they are counted.
    pub signatures: Vec<Signature>,
}

impl Opening {
    /// The bytes that are signed. Their `_type` is that of no metadata, so neither can stand for the other.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let Self { path, revision, sha256, percent, since, expires, open_until } = self;
        let mut signed = serde_json::json!({
            "_type": "gate-opening",
            "path": path,
            "revision": revision,
            "sha256": sha256,
            "state": "open",
            "percent": percent,
            "since": since.to_string(),
            "expires": expires.to_string(),
        });
        if let (Some(members), Some(until)) = (signed.as_object_mut(), open_until) {
            members.insert("open_until".to_owned(), until.to_string().into());
        }
        json::canonical(&signed)
    }

    /// A signature, under the label that the lane has for the signer's key.
    ///
    /// # Errors
    /// `key` when the key is none of the lane's, or cannot sign now.
    pub fn sign(&self, authority: Authority<'_>, signer: &dyn Signer) -> Result<Signature, TrustError> {
        write::signature(authority, signer, &self.message())
    }

    /// The keys whose signatures hold, whether or not they are enough.
    ///
    /// # Errors
    /// [`threshold::so_far`]'s.
    pub fn signed_by(
        &self,
        authority: Authority<'_>,
        signatures: &[Signature],
        limits: &TrustLimits,
    ) -> Result<Vec<KeyId>, TrustError> {
        threshold::so_far(authority, signatures, &self.message(), limits)
    }

    /// The lane's keys whose signature does not hold: whoever signed has signed another opening.
    ///
    /// # Errors
    /// [`threshold::tally`]'s.
    pub fn broken(
        &self,
        authority: Authority<'_>,
        signatures: &[Signature],
        limits: &TrustLimits,
    ) -> Result<Vec<KeyId>, TrustError> {
        Ok(threshold::tally(authority, signatures, &self.message(), limits)?.broken)
    }

    /// Checks that as many of the lane's people as must signed it; their keys.
    ///
    /// # Errors
    /// [`threshold::check`]'s.
    pub fn check(
        &self,
        authority: Authority<'_>,
        signatures: &[Signature],
        limits: &TrustLimits,
    ) -> Result<Vec<KeyId>, TrustError> {
        threshold::check(authority, signatures, &self.message(), limits)
    }

    /// The same with these signatures, as it stands beside a gate.
    #[must_use]
    pub fn approved(&self, signatures: Vec<Signature>) -> Approval {
        let Self { percent, since, expires, open_until, .. } = *self;
        Approval { percent, since, expires, open_until, signatures }
    }
}

impl Approval {
    /// What it says of this recipe.
    #[must_use]
    pub fn opening(&self, path: &RecipePath, revision: u64, sha256: Sha256Digest) -> Opening {
        let Self { percent, since, expires, open_until, .. } = *self;
        Opening { path: path.clone(), revision, sha256, percent, since, expires, open_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edition::test_repository::{Repository, signer};
    use crate::limits::Limits;
    use crate::tuf::error::TrustErrorKind;

    pub(super) fn opening() -> Opening {
        Opening {
            path: "emergency/fix.json".parse().unwrap(),
            revision: 2,
            sha256: Sha256Digest([0xab; 32]),
            percent: BasisPoints::new(2_500).unwrap(),
            since: "2026-11-22T00:00:00Z".parse().unwrap(),
            expires: "2026-11-23T00:00:00Z".parse().unwrap(),
            open_until: None,
        }
    }

    #[test]
    fn what_is_signed_is_stable_and_names_everything() {
        let expected = format!(
            r#"{{"_type":"gate-opening","expires":"2026-11-23T00:00:00Z","path":"emergency/fix.json","percent":2500,"revision":2,"sha256":"{}","since":"2026-11-22T00:00:00Z","state":"open"}}"#,
            "ab".repeat(32)
        );
        assert_eq!(String::from_utf8(opening().message()).unwrap(), expected);
        let until = Opening { open_until: Some("2026-12-01T00:00:00Z".parse().unwrap()), ..opening() };
        let expected = expected.replace(r#","path""#, r#","open_until":"2026-12-01T00:00:00Z","path""#);
        assert_eq!(String::from_utf8(until.message()).unwrap(), expected);
    }

    #[test]
    fn a_signature_holds_for_one_opening_only_and_for_keys_of_the_lane() {
        let repository = Repository::new();
        let authority = repository.targets.authority("emergency", "targets").unwrap();
        let limits = Limits::default().trust;
        let one = opening();
        let signatures = [one.sign(authority, &signer(21)).unwrap()];
        assert_eq!(one.signed_by(authority, &signatures, &limits).unwrap(), [signatures[0].keyid.clone()]);
        let others = [
            Opening { path: "emergency/other.json".parse().unwrap(), ..one.clone() },
            Opening { path: "routine/fix.json".parse().unwrap(), ..one.clone() },
            Opening { revision: 3, ..one.clone() },
            Opening { sha256: Sha256Digest([0xac; 32]), ..one.clone() },
            Opening { percent: BasisPoints::EVERYONE, ..one.clone() },
            Opening { since: one.expires, ..one.clone() },
            Opening { expires: one.since, ..one.clone() },
            Opening { open_until: Some(one.expires), ..one.clone() },
        ];
        for other in others {
            assert_eq!(other.signed_by(authority, &signatures, &limits).unwrap(), [], "{other:?}");
        }
        let foreign = one.sign(authority, &signer(31)).unwrap_err();
        assert_eq!(foreign.kind, TrustErrorKind::Key);
        let routine = repository.targets.authority("routine", "targets").unwrap();
        assert_eq!(one.signed_by(routine, &signatures, &limits).unwrap(), []);
    }
}
