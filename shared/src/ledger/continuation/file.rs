//! A continuation on its way from person to person, with the roots that lead from the one that each of them pinned to the newest,
//! whose keys of targets sign. Described in `shared/docs/formats.md`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{BadContinuation, Continuation};
use crate::json::{self, JsonError};
use crate::limits::{JsonLimits, Limits};
use crate::operators::Base64;
use crate::tuf::{Root, TrustError, TrustErrorKind, Verified, verify};

/// The member that only the file has.
const ROOTS: &str = "roots";

/// A continuation, and what a signer without a network needs to know whose signatures it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContinuationFile {
    /// What people sign.
    pub continuation: Continuation,
    /// Roots by their versions. Nothing vouches for one but the root before it.
    pub roots: BTreeMap<u64, Base64>,
}

impl ContinuationFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadContinuation`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, BadContinuation> {
        let bounds = JsonLimits { bytes: limits.ledger.continuation_file_bytes, ..limits.json.clone() };
        let mut value = json::parse(bytes, &bounds)?;
        let shape = |error: serde_json::Error| JsonError::Shape { detail: error.to_string() };
        let roots = value.as_object_mut().and_then(|members| members.remove(ROOTS));
        let roots = roots.unwrap_or_else(|| Value::Object(Map::new()));
        Ok(Self {
            roots: serde_json::from_value(roots).map_err(shape)?,
            continuation: Continuation::from_value(value, limits)?,
        })
    }

    /// Its one form.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut value = self.continuation.value();
        if let (Some(members), false) = (value.as_object_mut(), self.roots.is_empty()) {
            let roots =
                self.roots.iter().map(|(version, bytes)| (version.to_string(), serde_json::json!(bytes)));
            members.insert(ROOTS.to_owned(), Value::Object(roots.collect()));
        }
        json::canonical(&value)
    }

    /// The newest root that follows from `pinned`: each signed by the keys of the one before, as in a refresh. Its expiry does not
    /// matter, since nothing is published by it.
    ///
    /// # Errors
    /// [`verify::next_root`]'s; `absent` where a root on the way to the newest is missing, `too-many` for more rotations than a refresh
    /// takes.
    pub fn newest_root(
        &self,
        pinned: &Verified<Root>,
        limits: &Limits,
    ) -> Result<Verified<Root>, TrustError> {
        let Some(newest) = self.roots.keys().last() else { return Ok(pinned.clone()) };
        let refused = |kind, sentence| Err(TrustError::new(kind, "root", sentence));
        if newest.saturating_sub(pinned.version) > u64::from(limits.trust.rotations) {
            let sentence = format!(
                "version {newest} is more than {} rotations after version {}, which is trusted here; use a newer one",
                limits.trust.rotations, pinned.version
            );
            return refused(TrustErrorKind::TooMany, sentence);
        }
        let mut root = pinned.clone();
        while root.version < *newest {
            let next = root.version.saturating_add(1);
            let Some(bytes) = self.roots.get(&next) else {
                let sentence = format!(
                    "its version {next}, which follows the one trusted here, is missing; use a newer one"
                );
                return refused(TrustErrorKind::Absent, sentence);
            };
            root = verify::next_root(&root, &bytes.0, limits)?;
        }
        Ok(root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256Digest;
    use crate::edition::test_repository::{Repository, signer};
    use crate::ledger::continuation::{ROLE, Statement};
    use crate::ledger::links::WitnessHead;

    /// A file with these roots of a repository whose targets keys changed twice: 12 and 13 went, 14 and 15 came.
    fn file(versions: std::ops::RangeInclusive<u64>) -> (ContinuationFile, [Verified<Root>; 3]) {
        let (mut repository, limits) = (Repository::new(), Limits::default());
        repository.rotate(&[("targets", &[11, 12, 14])]);
        repository.rotate(&[("targets", &[11, 14, 15])]);
        let bytes = |version: u64| repository.origin[&format!("metadata/{version}.root.json")].clone();
        let digest = |byte| Sha256Digest([byte; 32]);
        let previous = WitnessHead { ledger: digest(1), sequence: 7, link: digest(2) };
        let at = "2026-11-22T00:00:00Z".parse().unwrap();
        let statement = Statement { previous, reason: "the machine burnt down".into(), at };
        let file = ContinuationFile {
            continuation: Continuation::new(statement, &limits).unwrap(),
            roots: versions.map(|version| (version, Base64(bytes(version)))).collect(),
        };
        (file, [1, 2, 3].map(|version| verify::pinned_root(&bytes(version), &limits).unwrap()))
    }

    #[test]
    fn who_pinned_any_root_reaches_the_newest_and_todays_holders_alone_sign() {
        let limits = Limits::default();
        let (mut file, [first, second, third]) = file(2..=3);
        for pinned in [&first, &second, &third] {
            assert_eq!(file.newest_root(pinned, &limits).unwrap(), third);
        }
        let root = file.newest_root(&first, &limits).unwrap();
        let authority = root.authority(ROLE).unwrap();
        assert!(file.continuation.sign(authority, &signer(12)).is_err());
        for key in [11, 15] {
            file.continuation.sign(authority, &signer(key)).unwrap();
        }
        assert_eq!(file.continuation.signing(&root, &limits).unwrap().missing(), 0);
        assert_eq!(file.continuation.signing(&first, &limits).unwrap().missing(), 1);
        assert_eq!(ContinuationFile::read(&file.write(), &limits), Ok(file));
    }

    #[test]
    fn without_roots_the_pinned_one_counts_and_the_file_is_the_continuation_alone() {
        let limits = Limits::default();
        let (mut file, [first, ..]) = file(2..=3);
        file.roots.clear();
        assert_eq!(file.newest_root(&first, &limits).unwrap(), first);
        assert_eq!(file.write(), file.continuation.write());
        assert_eq!(ContinuationFile::read(&file.write(), &limits), Ok(file));
    }

    #[test]
    fn roots_that_the_one_before_did_not_sign_or_that_are_missing_are_refused() {
        let limits = Limits::default();
        let (good, [first, second, third]) = file(2..=3);
        let refused = |file: &ContinuationFile, pinned| file.newest_root(pinned, &limits).unwrap_err().kind;

        let (gap, _) = file(3..=3);
        assert_eq!(refused(&gap, &first), TrustErrorKind::Absent);
        assert_eq!(gap.newest_root(&second, &limits).unwrap(), third);

        // Signed by its own keys, and by none of those that version 2 names.
        let mut thief = Repository::new();
        thief.rotate(&[("root", &[101, 102, 103])]);
        thief.rotate(&[("targets", &[111, 112, 113])]);
        let mut forged = good.clone();
        forged.roots.insert(3, Base64(thief.origin["metadata/3.root.json"].clone()));
        assert_eq!(refused(&forged, &first), TrustErrorKind::Threshold);

        let mut renamed = good.clone();
        renamed.roots.insert(2, good.roots[&3].clone());
        assert_eq!(refused(&renamed, &first), TrustErrorKind::WrongVersion);

        let mut endless = good;
        endless.roots.insert(u64::MAX, Base64(Vec::new()));
        assert_eq!(refused(&endless, &first), TrustErrorKind::TooMany);
    }
}
