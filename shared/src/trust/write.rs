//! The writing side: unsigned bodies, signing, file names.
//!
//! The operators' tool builds and signs what people sign ([`root`], [`targets`], [`LaneDraft`]); the server builds and signs
//! what paces it ([`gates`], [`snapshot`], [`timestamp`]) and checks what people hand in ([`verify_lane`]). Nothing here
//! trusts anything: the same functions that clients use verify the result.

mod lane;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp as Instant};
use serde_json::{Value, json};

use super::error::{TrustError, TrustErrorKind};
use super::key::{Key, KeyId};
use super::metadata::{
    Body, Delegation, Delegations, Hashes, LedgerHead, MetaFile, Other, RoleType, Root, SPEC_VERSION,
    Snapshot, TargetFile, Targets, Timestamp,
};
use super::profile;
use super::signer::Signer;
use super::threshold::{Authority, RoleKeys, Signature};
use crate::digest::Sha256Digest;
use crate::json;
use crate::recipe::Lane;

pub use lane::{LaneChange, LaneDifference, LaneDraft, Published, compare_lane, verify_lane};

/// How long each role lives by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Root and targets: one year.
    Offline,
    /// A lane: 90 days.
    Lane,
    /// Snapshot and gates: 7 days.
    Online,
    /// The timestamp: one day; it is signed anew every hour.
    Timestamp,
}

/// How long before its expiry what people sign is due: a working week to gather signers, and one to spare.
const PEOPLE_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// From when on a role's metadata that expires at `expires` is due to be signed again: 14 days before where people sign it, and
/// from half its life on where a server does, since that signs it long before.
#[must_use]
pub fn due_from(role: &str, expires: Instant) -> Instant {
    let life = Life::of(role);
    let notice = match life {
        Life::Offline | Life::Lane => PEOPLE_NOTICE,
        Life::Online | Life::Timestamp => life.duration() / 2,
    };
    expires.saturating_sub(notice).unwrap_or(Instant::MIN)
}

impl Life {
    /// That of a role; what is no role of people's is the server's.
    #[must_use]
    pub fn of(role: &str) -> Self {
        match role {
            "root" | "targets" => Self::Offline,
            "timestamp" => Self::Timestamp,
            lane if Lane::ALL.iter().any(|known| known.as_str() == lane) => Self::Lane,
            _ => Self::Online,
        }
    }

    /// Its length.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Offline => 365 * 24,
            Self::Lane => 90 * 24,
            Self::Online => 7 * 24,
            Self::Timestamp => 24,
        })
    }

    /// The expiry of something signed at `now`, in whole seconds; the end of time where it would lie beyond.
    #[must_use]
    pub fn from(self, now: Instant) -> Instant {
        whole_seconds(now.saturating_add(self.duration()).unwrap_or(Instant::MAX))
    }
}

/// Who may sign for a role, and how many must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders {
    /// The keys.
    pub keys: Vec<Key>,
    /// How many distinct ones must sign.
    pub threshold: u32,
}

impl Holders {
    /// One online key.
    #[must_use]
    pub fn one(key: &Key) -> Self {
        Self { keys: vec![key.clone()], threshold: 1 }
    }

    fn role_keys(&self) -> RoleKeys {
        RoleKeys { keyids: self.keys.iter().map(Key::key_id).collect(), threshold: self.threshold }
    }
}

/// The holders of the four top-level roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootHolders {
    /// Root.
    pub root: Holders,
    /// Targets.
    pub targets: Holders,
    /// Snapshot.
    pub snapshot: Holders,
    /// Timestamp.
    pub timestamp: Holders,
}

/// The holders of the three delegated roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneHolders {
    /// The emergency lane.
    pub emergency: Holders,
    /// The routine lane.
    pub routine: Holders,
    /// Gates.
    pub gates: Holders,
}

/// The next version of an online role: the previous plus one, or the time in Unix seconds when that is later, so that a
/// restored or second server never signs one version twice.
///
/// # Errors
/// `too-many` when versions are exhausted.
pub fn next_version(previous: Option<u64>, now: Instant) -> Result<u64, TrustError> {
    let time = u64::try_from(now.as_second()).unwrap_or(0).max(1);
    match previous {
        None => Ok(time),
        Some(previous) => previous.checked_add(1).map(|next| next.max(time)).ok_or_else(exhausted),
    }
}

/// A root. Consistent snapshots are on.
#[must_use]
pub fn root(version: u64, expires: Instant, holders: &RootHolders) -> Root {
    let roles = [
        ("root", &holders.root),
        ("targets", &holders.targets),
        ("snapshot", &holders.snapshot),
        ("timestamp", &holders.timestamp),
    ];
    Root {
        role_type: RoleType::Root,
        spec_version: SPEC_VERSION.to_owned(),
        version,
        expires: whole_seconds(expires),
        consistent_snapshot: true,
        keys: key_map(roles.iter().map(|(_, holders)| *holders)),
        roles: roles.iter().map(|(role, holders)| ((*role).to_owned(), holders.role_keys())).collect(),
        other: Other::new(),
    }
}

/// The top-level targets: the three terminating delegations and no file.
#[must_use]
pub fn targets(version: u64, expires: Instant, holders: &LaneHolders) -> Targets {
    let roles = [&holders.emergency, &holders.routine, &holders.gates];
    let delegations = profile::DELEGATED.iter().zip(roles).map(|(role, holders)| Delegation {
        name: (*role).to_owned(),
        role_keys: holders.role_keys(),
        terminating: true,
        paths: Some(profile::patterns(role)),
        path_hash_prefixes: None,
        other: Other::new(),
    });
    let delegations = Delegations { keys: key_map(roles), roles: delegations.collect(), other: Other::new() };
    Targets { delegations: Some(delegations), ..files(version, expires, BTreeMap::new()) }
}

/// The gates role over the bytes of `gates.json`.
#[must_use]
pub fn gates(version: u64, expires: Instant, gates_json: &[u8]) -> Targets {
    files(version, expires, BTreeMap::from([(profile::GATES_FILE.to_owned(), target_file(gates_json))]))
}

/// A snapshot of these roles: name, version and whole file of each of targets, emergency, routine and gates.
#[must_use]
pub fn snapshot(version: u64, expires: Instant, roles: &[(&str, u64, &[u8])]) -> Snapshot {
    let meta =
        roles.iter().map(|(role, version, bytes)| (format!("{role}.json"), meta_file(*version, bytes)));
    Snapshot {
        role_type: RoleType::Snapshot,
        spec_version: SPEC_VERSION.to_owned(),
        version,
        expires: whole_seconds(expires),
        meta: meta.collect(),
        other: Other::new(),
    }
}

/// A timestamp over a snapshot's whole file.
#[must_use]
pub fn timestamp(
    version: u64,
    expires: Instant,
    (snapshot_version, snapshot): (u64, &[u8]),
    signed_at: Instant,
    ledger: Option<LedgerHead>,
) -> Timestamp {
    Timestamp {
        role_type: RoleType::Timestamp,
        spec_version: SPEC_VERSION.to_owned(),
        version,
        expires: whole_seconds(expires),
        meta: BTreeMap::from([("snapshot.json".to_owned(), meta_file(snapshot_version, snapshot))]),
        signed_at: Some(whole_seconds(signed_at)),
        ledger,
        other: Other::new(),
    }
}

/// Signs a body: the whole file, ready to be published.
///
/// # Errors
/// `key` when a signer fails; `malformed` when the body cannot be written.
pub fn sign<T: Body>(body: &T, signers: &[&dyn Signer]) -> Result<Vec<u8>, TrustError> {
    let name = T::TYPE.as_str();
    let unwritable = |error: &dyn std::fmt::Display| {
        TrustError::new(TrustErrorKind::Malformed, name, format!("it cannot be written: {error}"))
    };
    let signed = serde_json::to_value(body).map_err(|error| unwritable(&error))?;
    let message = json::canonical(&signed);
    let mut signatures = Vec::with_capacity(signers.len());
    for signer in signers {
        let signature = hex::encode(signer.sign(&message)?);
        signatures.push(json!({"keyid": signer.key_id(), "sig": signature}));
    }
    let envelope: Value = json!({"signatures": signatures, "signed": signed});
    serde_json::to_vec(&envelope).map_err(|error| unwritable(&error))
}

/// A signature over `message`, under the label that a role has for the signer's key.
///
/// # Errors
/// `key` when the key is none of the role's, or cannot sign now.
pub fn signature(
    authority: Authority<'_>,
    signer: &dyn Signer,
    message: &[u8],
) -> Result<Signature, TrustError> {
    let public = signer.key().public();
    let own = |id: &&KeyId| authority.keys.get(*id).is_some_and(|key| key.public() == public);
    let label = authority.role_keys.keyids.iter().find(own).ok_or_else(|| {
        TrustError::new(TrustErrorKind::Key, authority.role, "the key is none of those that may sign it")
    })?;
    Ok(Signature { keyid: label.clone(), sig: hex::encode(signer.sign(message)?), other: Other::new() })
}

/// Length and SHA-256 of a file, as targets state them.
#[must_use]
pub fn target_file(bytes: &[u8]) -> TargetFile {
    TargetFile { length: length(bytes), hashes: hashes(bytes), other: Other::new() }
}

fn files(version: u64, expires: Instant, targets: BTreeMap<String, TargetFile>) -> Targets {
    Targets {
        role_type: RoleType::Targets,
        spec_version: SPEC_VERSION.to_owned(),
        version,
        expires: whole_seconds(expires),
        targets,
        delegations: None,
        other: Other::new(),
    }
}

fn meta_file(version: u64, bytes: &[u8]) -> MetaFile {
    MetaFile { version, length: Some(length(bytes)), hashes: Some(hashes(bytes)), other: Other::new() }
}

fn hashes(bytes: &[u8]) -> Hashes {
    Hashes::from([("sha256".to_owned(), Sha256Digest::of(bytes).to_string())])
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn key_map<'a>(holders: impl IntoIterator<Item = &'a Holders>) -> BTreeMap<KeyId, Key> {
    holders.into_iter().flat_map(|holders| &holders.keys).map(|key| (key.key_id(), key.clone())).collect()
}

/// TUF times have whole seconds.
fn whole_seconds(instant: Instant) -> Instant {
    Instant::from_second(instant.as_second()).unwrap_or(instant)
}

fn exhausted() -> TrustError {
    TrustError::new(
        TrustErrorKind::TooMany,
        "version",
        "no version is left after this one; rotate the role's keys",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn online_versions_never_repeat() {
        let now: Instant = "2026-05-04T00:00:00Z".parse().unwrap();
        let seconds = u64::try_from(now.as_second()).unwrap();
        assert_eq!(next_version(None, now), Ok(seconds));
        assert_eq!(next_version(Some(5), now), Ok(seconds));
        assert_eq!(next_version(Some(seconds), now), Ok(seconds + 1));
        assert_eq!(next_version(Some(u64::MAX), now).unwrap_err().kind, TrustErrorKind::TooMany);
        assert_eq!(next_version(None, Instant::MIN), Ok(1));
    }

    #[test]
    fn times_on_the_wire_are_whole_seconds_in_utc() {
        let now: Instant = "2026-05-04T00:00:00.75Z".parse().unwrap();
        let body = gates(1, Life::Timestamp.from(now), b"");
        assert_eq!(serde_json::to_value(body).unwrap()["expires"], "2026-05-05T00:00:00Z");
        assert_eq!(Life::Offline.from(Instant::MAX).as_second(), Instant::MAX.as_second());
    }
}
