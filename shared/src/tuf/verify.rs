//! From bytes to [`Verified`]: the only maker of that type.
//!
//! The order is fixed: bounded strict parse, canonical bytes of `signed`, threshold over those bytes, and only then the
//! typed reading, from exactly those bytes. What is not signed is never interpreted.

use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp as Instant;
use serde::Deserialize;
use serde_json::Value;

use super::error::{TrustError, TrustErrorKind};
use super::key::KeyId;
use super::metadata::{Body, Root, Targets};
use super::threshold::{self, Authority, Signature};
use crate::json;
use crate::limits::Limits;

/// Metadata whose signatures held against the role's keys when this value was made.
///
/// Says nothing about expiry and rollback: those depend on time and history.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    body: T,
    file: Arc<[u8]>,
    signed_by: Arc<[KeyId]>,
}

impl<T> Verified<T> {
    /// The whole file as it came.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.file
    }

    /// The labels of the distinct keys that counted.
    #[must_use]
    pub fn signed_by(&self) -> &[KeyId] {
        &self.signed_by
    }
}

impl<T: Body> Verified<T> {
    /// The freeze check (specification 5.3.10, 5.4.4, 5.5.6, 5.6.5).
    ///
    /// # Errors
    /// `expired`.
    pub fn check_unexpired(&self, role: &str, now: Instant) -> Result<(), TrustError> {
        unexpired(role, &self.body, now)
    }
}

pub(crate) fn unexpired<T: Body>(role: &str, body: &T, now: Instant) -> Result<(), TrustError> {
    let expires = body.expires();
    if now < expires {
        return Ok(());
    }
    let sentence = format!(
        "version {} expired at {expires}, and the clock reads {now:.0}; sign it again, or put the clock right if that is wrong",
        body.version()
    );
    Err(TrustError::new(TrustErrorKind::Expired, role, sentence))
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}

/// Two files are the same when their bytes are.
impl<T> PartialEq for Verified<T> {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

impl<T> Eq for Verified<T> {}

/// A root that is trusted for another reason (pinned, or trusted before): it must still be signed by its own threshold.
///
/// # Errors
/// As [`check`].
pub fn pinned_root(bytes: &[u8], limits: &Limits) -> Result<Verified<Root>, TrustError> {
    too_large("root", bytes, limits.trust.root_bytes)?;
    let envelope = open("root", bytes, limits)?;
    let claimed: Root = typed("root", &envelope.canonical, limits)?;
    let signed_by = threshold::check(
        claimed.authority("root")?,
        &envelope.signatures,
        &envelope.canonical,
        &limits.trust,
    )?;
    Ok(Verified { body: claimed, file: bytes.into(), signed_by: signed_by.into() })
}

/// The successor of a trusted root (specification 5.3.4, 5.3.5).
///
/// # Errors
/// As [`check`]; `wrong-version` unless it is exactly the next one.
pub fn next_root(
    trusted: &Verified<Root>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Verified<Root>, TrustError> {
    too_large("root", bytes, limits.trust.root_bytes)?;
    // 5.3.4: a threshold of the old root's keys …
    let new = check::<Root>(trusted.authority("root")?, bytes, limits)?;
    // … and of the new root's keys.
    let own = check::<Root>(new.authority("root")?, bytes, limits)?;
    // 5.3.5: exactly the next version.
    if Some(own.version) != trusted.version.checked_add(1) {
        let sentence = format!(
            "version {} follows version {}; it must be the very next one",
            own.version, trusted.version
        );
        return Err(TrustError::new(TrustErrorKind::WrongVersion, "root", sentence));
    }
    Ok(own)
}

/// A top-level role other than root, against the root's keys.
///
/// # Errors
/// As [`check`].
pub fn top_level<T: Body>(
    root: &Verified<Root>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Verified<T>, TrustError> {
    check(root.authority(T::TYPE.as_str())?, bytes, limits)
}

/// A delegated role, against its delegator's keys.
///
/// # Errors
/// As [`check`], and `not-delegated`.
pub fn delegated(
    delegator: &Verified<Targets>,
    delegator_name: &str,
    role: &str,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Verified<Targets>, TrustError> {
    check(delegator.authority(role, delegator_name)?, bytes, limits)
}

/// The one way from bytes to [`Verified`].
///
/// # Errors
/// `malformed`, `too-many`, `threshold-not-met`, `wrong-type`, `unsupported-specification`, `impossible`.
pub fn check<T: Body>(
    authority: Authority<'_>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Verified<T>, TrustError> {
    let role = authority.role;
    let envelope = open(role, bytes, limits)?;
    let signed_by = threshold::check(authority, &envelope.signatures, &envelope.canonical, &limits.trust)?;
    let body = typed(role, &envelope.canonical, limits)?;
    Ok(Verified { body, file: bytes.into(), signed_by: signed_by.into() })
}

/// Refuses a file above its role's own ceiling before anything reads it.
pub(crate) fn too_large(subject: &str, bytes: &[u8], limit: u64) -> Result<(), TrustError> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        return Ok(());
    }
    Err(longer_than(subject, limit))
}

pub(super) fn longer_than(subject: &str, limit: u64) -> TrustError {
    let sentence =
        format!("more than the {limit} bytes allowed; the origin sends something else than it should");
    TrustError::new(TrustErrorKind::TooMany, subject, sentence)
}

/// A file taken apart; nothing in it is verified.
pub(crate) struct Envelope {
    pub(crate) signed: Value,
    pub(crate) canonical: Vec<u8>,
    pub(crate) signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct RawEnvelope {
    signed: Value,
    signatures: Vec<Signature>,
}

pub(crate) fn open(role: &str, bytes: &[u8], limits: &Limits) -> Result<Envelope, TrustError> {
    let raw: RawEnvelope =
        json::decode(bytes, &limits.json).map_err(|error| TrustError::json(role, &error))?;
    Ok(Envelope { canonical: json::canonical(&raw.signed), signed: raw.signed, signatures: raw.signatures })
}

pub(crate) fn typed<T: Body>(role: &str, canonical: &[u8], limits: &Limits) -> Result<T, TrustError> {
    let malformed = |error: &json::JsonError| TrustError::json(role, error);
    let value = json::parse_canonical(canonical, &limits.json).map_err(|error| malformed(&error))?;
    let stated = value.get("_type").and_then(Value::as_str).unwrap_or_default();
    if stated != T::TYPE.as_str() {
        let sentence = format!("it states the type {stated:?} where {:?} is due", T::TYPE.as_str());
        return Err(TrustError::new(TrustErrorKind::WrongType, role, sentence));
    }
    let body: T = json::from_value(value).map_err(|error| malformed(&error))?;
    if body.spec_version().split('.').next() != Some("1") {
        let sentence = format!(
            "it follows version {:?} of the specification, and only 1.x is known here; update this program",
            body.spec_version()
        );
        return Err(TrustError::new(TrustErrorKind::UnsupportedSpecification, role, sentence));
    }
    if body.version() == 0 {
        return Err(TrustError::new(
            TrustErrorKind::Impossible,
            role,
            "its version is 0; versions start at 1",
        ));
    }
    body.check(role)?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::tuf::metadata::Timestamp;
    use crate::tuf::test_repository::{Repository, dynamic, signers};
    use crate::tuf::write;

    struct Sample {
        root: Verified<Root>,
        file: Vec<u8>,
        signed: Vec<u8>,
    }

    static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
        let repository = Repository::new();
        let limits = Limits::default();
        let root = pinned_root(&repository.origin["metadata/1.root.json"], &limits).unwrap();
        let file = repository.origin["metadata/timestamp.json"].clone();
        let signed = canonical_signed(&file).unwrap();
        Sample { root, file, signed }
    });

    fn canonical_signed(file: &[u8]) -> Option<Vec<u8>> {
        Some(json::canonical(json::parse(file, &Limits::default().json).ok()?.get("signed")?))
    }

    fn verify(file: &[u8]) -> Result<Verified<Timestamp>, TrustError> {
        top_level(&SAMPLE.root, file, &Limits::default())
    }

    #[test]
    fn layout_is_not_signed_and_content_is() {
        let value: Value = serde_json::from_slice(&SAMPLE.file).unwrap();
        assert!(verify(&serde_json::to_vec_pretty(&value).unwrap()).is_ok());
        let later = String::from_utf8(SAMPLE.file.clone()).unwrap().replacen("2026-05-05", "2036-05-05", 1);
        assert_eq!(verify(later.as_bytes()).unwrap_err().kind, TrustErrorKind::Threshold);
    }

    #[test]
    fn unknown_attributes_are_signed_and_kept_and_other_specifications_are_refused() {
        let keys = signers(&[43]);
        let body = verify(&SAMPLE.file).unwrap();
        let mut extended = body.deref().clone();
        extended.other.insert("x-note".into(), Value::from("two\nlines \"quoted\""));
        let file = write::sign(&extended, &dynamic(&keys)).unwrap();
        assert_eq!(*verify(&file).unwrap(), extended);
        for (version, expected) in
            [("1.9.9", None), ("1", None), ("2.0.0", Some(TrustErrorKind::UnsupportedSpecification))]
        {
            let body = Timestamp { spec_version: version.into(), ..body.deref().clone() };
            let file = write::sign(&body, &dynamic(&keys)).unwrap();
            assert_eq!(verify(&file).err().map(|error| error.kind), expected, "{version}");
        }
        let zero = Timestamp { version: 0, ..body.deref().clone() };
        let file = write::sign(&zero, &dynamic(&keys)).unwrap();
        assert_eq!(verify(&file).unwrap_err().kind, TrustErrorKind::Impossible);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn mutated_files_verify_only_with_the_same_signed_content(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4)
        ) {
            let mut file = SAMPLE.file.clone();
            for (at, byte, how) in edits {
                let at = at.index(file.len());
                match how {
                    0 => file[at] ^= byte,
                    1 => file.insert(at, byte),
                    _ => drop(file.remove(at)),
                }
            }
            if verify(&file).is_ok() {
                prop_assert_eq!(canonical_signed(&file), Some(SAMPLE.signed.clone()));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(verify(&bytes).is_err());
            prop_assert!(pinned_root(&bytes, &Limits::default()).is_err());
        }
    }
}
