//! The writing side: bodies of the top-level roles, signing, file entries.
//!
//! Nothing here trusts anything: the same functions that clients use verify the result.

use std::collections::BTreeMap;

use jiff::Timestamp as Instant;
use serde_json::{Value, json};

use super::error::{TrustError, TrustErrorKind};
use super::key::{Key, KeyId};
use super::metadata::{
    Body, Hashes, LedgerHead, MetaFile, Other, RoleType, Root, SPEC_VERSION, Snapshot, TargetFile, Targets,
    Timestamp,
};
use super::signer::Signer;
use super::threshold::{Authority, RoleKeys, Signature};
use crate::digest::Sha256Digest;
use crate::json;

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

    /// As delegations and roots name them.
    pub(crate) fn role_keys(&self) -> RoleKeys {
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

/// A snapshot of these roles: name, version and whole file of targets and of each delegated role.
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

/// A targets role that vouches for these files and delegates to nobody.
#[must_use]
pub fn files(version: u64, expires: Instant, targets: BTreeMap<String, TargetFile>) -> Targets {
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

pub(crate) fn key_map<'a>(holders: impl IntoIterator<Item = &'a Holders>) -> BTreeMap<KeyId, Key> {
    holders.into_iter().flat_map(|holders| &holders.keys).map(|key| (key.key_id(), key.clone())).collect()
}

/// TUF times have whole seconds.
pub(crate) fn whole_seconds(instant: Instant) -> Instant {
    Instant::from_second(instant.as_second()).unwrap_or(instant)
}

pub(crate) fn exhausted() -> TrustError {
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
}
