//! The set of metadata a client trusts, and the checks by which a file enters it (specification section 5).
//!
//! Everything in the set verifies under the set's own root: when keys rotate, what no longer verifies leaves it. Every
//! step either passes whole and changes the set, or fails and leaves it as it was.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256, Sha512};

use super::error::{TrustError, TrustErrorKind};
use super::expiry::FreezeCheck;
use super::metadata::{Body, Hashes, MetaFile, Root, Snapshot, Targets, Timestamp};
use super::verify::{self, Verified};
use crate::limits::Limits;

mod rotation;

use rotation::Waiting;

/// How long versions of targets roles may not fall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackFloor {
    /// As the specification has it: as long as the trusted snapshot stands. A rotation of its keys drops the floor.
    Snapshot,
    /// For these roles besides: as long as the metadata trusted last verifies under the role's current keys.
    UntilKeysRotate(&'static [&'static str]),
}

/// A delegated role and who vouched for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegated {
    /// The role that delegates to it.
    pub delegator: String,
    /// Its metadata.
    pub metadata: Verified<Targets>,
}

/// Whether a step brought something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// New metadata entered the set.
    New,
    /// What was there stands.
    Same,
}

/// The set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    root: Verified<Root>,
    timestamp: Option<Verified<Timestamp>>,
    snapshot: Option<Verified<Snapshot>>,
    targets: Option<Verified<Targets>>,
    delegated: BTreeMap<String, Delegated>,
    /// Roles under a floor whose delegator has left: not trusted, and not forgotten, because their own keys may be the same
    /// when a delegator comes back. Only what verifies under it then counts.
    waiting: BTreeMap<String, Waiting>,
    floor: RollbackFloor,
}

impl Trusted {
    /// Starts from a root trusted for another reason.
    #[must_use]
    pub fn new(root: Verified<Root>, floor: RollbackFloor) -> Self {
        let (delegated, waiting) = (BTreeMap::new(), BTreeMap::new());
        Self { root, timestamp: None, snapshot: None, targets: None, delegated, waiting, floor }
    }

    /// The newest root.
    #[must_use]
    pub fn root(&self) -> &Verified<Root> {
        &self.root
    }

    /// The timestamp, if one is trusted.
    #[must_use]
    pub fn timestamp(&self) -> Option<&Verified<Timestamp>> {
        self.timestamp.as_ref()
    }

    /// The snapshot, if one is trusted.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Verified<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// The targets role or a delegated role, if one is trusted.
    #[must_use]
    pub fn targets(&self, role: &str) -> Option<&Verified<Targets>> {
        match role {
            "targets" => self.targets.as_ref(),
            _ => self.delegated.get(role).map(|delegated| &delegated.metadata),
        }
    }

    /// All delegated roles.
    #[must_use]
    pub fn delegated(&self) -> &BTreeMap<String, Delegated> {
        &self.delegated
    }

    /// Steps 5.3.4 to 5.3.8 for one root, and 5.3.11 for what it retires.
    ///
    /// # Errors
    /// See [`verify::next_root`].
    pub fn update_root(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), TrustError> {
        let new = verify::next_root(&self.root, bytes, limits)?;
        // 5.3.11: fast-forward recovery. Asked of every root in the chain, or a key that left and came back would be missed.
        let rotated = rotated(&self.root, &new, "timestamp")? || rotated(&self.root, &new, "snapshot")?;
        self.root = new;
        if rotated {
            self.timestamp = None;
            self.snapshot = None;
        }
        self.drop_what_no_longer_verifies(limits);
        Ok(())
    }

    /// Step 5.3.10.
    ///
    /// # Errors
    /// `expired`.
    pub fn check_root(&self, freeze: &FreezeCheck) -> Result<(), TrustError> {
        freeze.check("root", &self.root)
    }

    /// Steps 5.4.2 to 5.4.5.
    ///
    /// # Errors
    /// As [`verify::check`]; `rollback`, `expired`.
    pub fn update_timestamp(
        &mut self,
        bytes: &[u8],
        freeze: &FreezeCheck,
        limits: &Limits,
    ) -> Result<Step, TrustError> {
        verify::too_large("timestamp", bytes, limits.trust.timestamp_bytes)?;
        // 5.4.2
        let new: Verified<Timestamp> = verify::top_level(&self.root, bytes, limits)?;
        if let Some(old) = &self.timestamp {
            // 5.4.3.1
            check_floor("timestamp", new.version, old.version)?;
            if new.version == old.version {
                freeze.check("timestamp", old)?;
                return Ok(Step::Same);
            }
            // 5.4.3.2
            check_floor("snapshot", new.snapshot()?.version, old.snapshot()?.version)?;
        }
        // 5.4.4
        freeze.check("timestamp", &new)?;
        // 5.4.5
        self.timestamp = Some(new);
        Ok(Step::New)
    }

    /// What the trusted timestamp says about the snapshot.
    ///
    /// # Errors
    /// `not-delegated` when there is no timestamp.
    pub fn expected_snapshot(&self) -> Result<&MetaFile, TrustError> {
        let missing =
            || TrustError::new(TrustErrorKind::NotDelegated, "snapshot", "no timestamp vouches for it yet");
        self.timestamp.as_ref().ok_or_else(missing)?.snapshot()
    }

    /// Whether the trusted snapshot is the one that the timestamp names, so that nothing need be fetched.
    #[must_use]
    pub fn has_expected_snapshot(&self) -> bool {
        match (&self.snapshot, self.expected_snapshot()) {
            (Some(held), Ok(expected)) => is_expected("snapshot", held, expected),
            _ => false,
        }
    }

    /// Steps 5.5.2 to 5.5.7.
    ///
    /// # Errors
    /// As [`verify::check`]; `wrong-hash`, `wrong-length`, `wrong-version`, `rollback`, `removed`, `expired`.
    pub fn update_snapshot(
        &mut self,
        bytes: &[u8],
        freeze: &FreezeCheck,
        limits: &Limits,
    ) -> Result<(), TrustError> {
        let expected = self.expected_snapshot()?;
        // 5.5.2
        check_meta("snapshot", bytes, expected)?;
        // 5.5.3
        let new: Verified<Snapshot> = verify::top_level(&self.root, bytes, limits)?;
        // 5.5.4
        check_version("snapshot", new.version, expected.version)?;
        // 5.5.5
        if let Some(old) = &self.snapshot {
            for (name, before) in &old.meta {
                let Some(after) = new.meta.get(name) else {
                    let sentence = format!("it no longer lists {name}, which must not vanish");
                    return Err(TrustError::new(TrustErrorKind::Removed, "snapshot", sentence));
                };
                if after.version < before.version {
                    let sentence = format!(
                        "it lists version {} of {name}, older than version {}, which was trusted before",
                        after.version, before.version
                    );
                    return Err(TrustError::new(TrustErrorKind::Rollback, "snapshot", sentence));
                }
            }
        }
        // 5.5.6
        freeze.check("snapshot", &new)?;
        // 5.5.7
        self.snapshot = Some(new);
        Ok(())
    }

    /// The freeze check of a snapshot that need not be fetched.
    ///
    /// # Errors
    /// `expired`.
    pub fn check_snapshot(&self, freeze: &FreezeCheck) -> Result<(), TrustError> {
        self.snapshot.as_ref().map_or(Ok(()), |snapshot| freeze.check("snapshot", snapshot))
    }

    /// What the trusted snapshot says about a targets role.
    ///
    /// # Errors
    /// `not-delegated` when the snapshot does not list it.
    pub fn expected_targets(&self, role: &str) -> Result<&MetaFile, TrustError> {
        self.snapshot.as_ref().and_then(|snapshot| snapshot.role(role)).ok_or_else(|| {
            TrustError::new(TrustErrorKind::NotDelegated, role, "the trusted snapshot does not list it")
        })
    }

    /// Whether the trusted metadata of a targets role, under this delegator, is what the snapshot names.
    #[must_use]
    pub fn has_expected_targets(&self, role: &str, delegator: &str) -> bool {
        let known = self.delegated.get(role).is_none_or(|delegated| delegated.delegator == delegator);
        match (self.targets(role), self.expected_targets(role)) {
            (Some(held), Ok(expected)) => known && is_expected(role, held, expected),
            _ => false,
        }
    }

    /// Steps 5.6.2 to 5.6.5 for targets or a delegated role, without entering it: rules above TUF come in between.
    /// `delegator` is ignored for targets.
    ///
    /// # Errors
    /// As [`verify::check`]; `wrong-hash`, `wrong-length`, `wrong-version`, `rollback`, `expired`, `not-delegated`.
    pub fn verify_targets(
        &self,
        role: &str,
        delegator: &str,
        bytes: &[u8],
        freeze: &FreezeCheck,
        limits: &Limits,
    ) -> Result<Verified<Targets>, TrustError> {
        let expected = self.expected_targets(role)?;
        // 5.6.2
        check_meta(role, bytes, expected)?;
        // 5.6.3
        let new = self.verify_targets_signatures(role, delegator, bytes, limits)?;
        // 5.6.4
        check_version(role, new.version, expected.version)?;
        // Above TUF: what people signed does not fall back, even when the snapshot that listed it is gone.
        if let (RollbackFloor::UntilKeysRotate(roles), Some(old)) = (&self.floor, self.targets(role))
            && roles.contains(&role)
        {
            check_floor(role, new.version, old.version)?;
        }
        // 5.6.5
        freeze.check(role, &new)?;
        Ok(new)
    }

    /// Step 5.6.6: enters verified metadata of targets or of a delegated role.
    pub fn accept_targets(
        &mut self,
        role: &str,
        delegator: &str,
        metadata: Verified<Targets>,
        limits: &Limits,
    ) {
        if role == "targets" {
            self.targets = Some(metadata);
        } else {
            self.waiting.remove(role);
            self.delegated.insert(role.to_owned(), Delegated { delegator: delegator.to_owned(), metadata });
        }
        self.recheck_children(role, limits);
        self.readmit_children(role, limits);
    }

    /// Enters stored metadata again: signatures only, because expiry is judged when it is used.
    ///
    /// # Errors
    /// As [`verify::check`].
    pub(crate) fn restore_timestamp(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), TrustError> {
        self.timestamp = Some(verify::top_level(&self.root, bytes, limits)?);
        Ok(())
    }

    /// See [`Self::restore_timestamp`].
    pub(crate) fn restore_snapshot(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), TrustError> {
        self.snapshot = Some(verify::top_level(&self.root, bytes, limits)?);
        Ok(())
    }

    /// See [`Self::restore_timestamp`]; the caller applies its profile and calls [`Self::accept_targets`].
    pub(crate) fn verify_targets_signatures(
        &self,
        role: &str,
        delegator: &str,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Verified<Targets>, TrustError> {
        if role == "targets" {
            return verify::top_level(&self.root, bytes, limits);
        }
        let vouching = self.targets(delegator).ok_or_else(|| {
            TrustError::new(TrustErrorKind::NotDelegated, role, format!("{delegator} is not trusted yet"))
        })?;
        verify::delegated(vouching, delegator, role, bytes, limits)
    }
}

/// Checks content against a length and hashes (5.5.2, 5.6.2, 5.7.3). Every hash of a known kind must hold.
///
/// # Errors
/// `wrong-length`, `wrong-hash`; also when hashes are stated and none is of a known kind.
pub fn check_content(
    subject: &str,
    bytes: &[u8],
    length: Option<u64>,
    hashes: Option<&Hashes>,
) -> Result<(), TrustError> {
    if let Some(length) = length
        && u64::try_from(bytes.len()) != Ok(length)
    {
        let sentence = format!("{} bytes came, and {length} are signed", bytes.len());
        return Err(TrustError::new(TrustErrorKind::WrongLength, subject, sentence));
    }
    let Some(hashes) = hashes else { return Ok(()) };
    let mut known = 0;
    for (name, expected) in hashes {
        let found = match name.as_str() {
            "sha256" => hex::encode(Sha256::digest(bytes)),
            "sha512" => hex::encode(Sha512::digest(bytes)),
            _ => continue,
        };
        known += 1;
        if !expected.eq_ignore_ascii_case(&found) {
            let sentence = format!("its {name} is {found}, and {expected} is signed");
            return Err(TrustError::new(TrustErrorKind::WrongHash, subject, sentence));
        }
    }
    if known == 0 {
        let sentence = "no hash of a known kind (sha256, sha512) is signed for it";
        return Err(TrustError::new(TrustErrorKind::WrongHash, subject, sentence));
    }
    Ok(())
}

fn check_meta(role: &str, bytes: &[u8], expected: &MetaFile) -> Result<(), TrustError> {
    check_content(role, bytes, expected.length, expected.hashes.as_ref())
}

fn is_expected<T: Body>(role: &str, held: &Verified<T>, expected: &MetaFile) -> bool {
    held.version() == expected.version && check_meta(role, held.bytes(), expected).is_ok()
}

fn check_version(role: &str, found: u64, expected: u64) -> Result<(), TrustError> {
    if found == expected {
        return Ok(());
    }
    let sentence = format!("version {found} came where version {expected} is promised");
    Err(TrustError::new(TrustErrorKind::WrongVersion, role, sentence))
}

fn check_floor(role: &str, new: u64, trusted: u64) -> Result<(), TrustError> {
    if new >= trusted {
        return Ok(());
    }
    let sentence = format!("version {new} is older than version {trusted}, which was trusted before");
    Err(TrustError::new(TrustErrorKind::Rollback, role, sentence))
}

fn rotated(old: &Verified<Root>, new: &Verified<Root>, role: &str) -> Result<bool, TrustError> {
    Ok(old.authority(role)?.distinct_keys() != new.authority(role)?.distinct_keys())
}
