//! The four kinds of metadata (specification section 4). Attributes we do not know are kept.
//!
//! A value of these types proves nothing: [`Verified`](super::Verified) does.

use std::collections::BTreeMap;

use jiff::Timestamp as Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{TrustError, TrustErrorKind};
use super::key::{Key, KeyId};
use super::pattern;
use super::threshold::{Authority, RoleKeys};
use crate::digest::Sha256Digest;

/// The version of the specification that our writing side states.
pub const SPEC_VERSION: &str = "1.0.31";

/// Attributes we do not know.
pub type Other = BTreeMap<String, Value>;

/// Names of hash functions to hexadecimal digests.
pub type Hashes = BTreeMap<String, String>;

/// `_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleType {
    /// Which keys and thresholds count.
    Root,
    /// The newest snapshot.
    Timestamp,
    /// The newest version of targets and of every delegated role.
    Snapshot,
    /// Files, and further delegations.
    Targets,
}

impl RoleType {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
        }
    }
}

/// What all four kinds have in common.
pub trait Body: Clone + DeserializeOwned + Serialize {
    /// The kind.
    const TYPE: RoleType;

    /// The kind that the file states.
    fn role_type(&self) -> RoleType;
    /// The version of the specification that the file states.
    fn spec_version(&self) -> &str;
    /// The version; at least 1 in verified metadata.
    fn version(&self) -> u64;
    /// The instant from which it no longer counts.
    fn expires(&self) -> Instant;
    /// What the shape alone does not say.
    ///
    /// # Errors
    /// Kind `impossible`.
    fn check(&self, role: &str) -> Result<(), TrustError>;
}

macro_rules! body {
    ($name:ident, $check:path) => {
        impl Body for $name {
            const TYPE: RoleType = RoleType::$name;

            fn role_type(&self) -> RoleType {
                self.role_type
            }
            fn spec_version(&self) -> &str {
                &self.spec_version
            }
            fn version(&self) -> u64 {
                self.version
            }
            fn expires(&self) -> Instant {
                self.expires
            }
            fn check(&self, role: &str) -> Result<(), TrustError> {
                $check(self, role)
            }
        }
    };
}

/// Root (specification 4.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Always `root`.
    #[serde(rename = "_type")]
    pub role_type: RoleType,
    /// Version of the specification.
    pub spec_version: String,
    /// Version.
    pub version: u64,
    /// Expiry.
    pub expires: Instant,
    /// Whether file names carry versions and hashes (specification 6.2).
    #[serde(default)]
    pub consistent_snapshot: bool,
    /// All keys.
    pub keys: BTreeMap<KeyId, Key>,
    /// `root`, `timestamp`, `snapshot`, `targets`.
    pub roles: BTreeMap<String, RoleKeys>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}
body!(Root, check_root);

impl Root {
    /// What `role` must be checked against.
    ///
    /// # Errors
    /// `not-delegated` when this root does not name the role; [`Body::check`] makes sure of the four.
    pub fn authority<'a>(&'a self, role: &'a str) -> Result<Authority<'a>, TrustError> {
        let role_keys = self.roles.get(role).ok_or_else(|| not_delegated(role, "root"))?;
        Ok(Authority { role, keys: &self.keys, role_keys })
    }
}

/// The head of the server's ledger, published in each timestamp so that every reader is a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerHead {
    /// Events so far.
    pub sequence: u64,
    /// Hash of the newest record.
    pub head: Sha256Digest,
    /// The newest of its public links. Timestamps of earlier servers have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Sha256Digest>,
    /// Which ledger it is: the hash of its first record; absent where `link` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Sha256Digest>,
}

/// Timestamp (specification 4.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timestamp {
    /// Always `timestamp`.
    #[serde(rename = "_type")]
    pub role_type: RoleType,
    /// Version of the specification.
    pub spec_version: String,
    /// Version.
    pub version: u64,
    /// Expiry.
    pub expires: Instant,
    /// The one entry `snapshot.json`.
    pub meta: BTreeMap<String, MetaFile>,
    /// When it was signed. For judging a clock; never a floor for what is refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Instant>,
    /// Head of the server's ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerHead>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}
body!(Timestamp, check_timestamp);

impl Timestamp {
    /// The snapshot it names. [`Body::check`] makes sure that there is one.
    ///
    /// # Errors
    /// `impossible`.
    pub fn snapshot(&self) -> Result<&MetaFile, TrustError> {
        self.meta
            .get("snapshot.json")
            .ok_or_else(|| impossible("timestamp", "it does not name snapshot.json"))
    }
}

/// Snapshot (specification 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always `snapshot`.
    #[serde(rename = "_type")]
    pub role_type: RoleType,
    /// Version of the specification.
    pub spec_version: String,
    /// Version.
    pub version: u64,
    /// Expiry.
    pub expires: Instant,
    /// `<role>.json` of targets and of every delegated role.
    pub meta: BTreeMap<String, MetaFile>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}
body!(Snapshot, check_snapshot);

impl Snapshot {
    /// What it says about a role.
    #[must_use]
    pub fn role(&self, role: &str) -> Option<&MetaFile> {
        self.meta.get(&format!("{role}.json"))
    }
}

/// What snapshot and timestamp say about one metadata file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaFile {
    /// Version.
    pub version: u64,
    /// Length in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<Hashes>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}

/// Targets, and every delegated role (specification 4.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Targets {
    /// Always `targets`.
    #[serde(rename = "_type")]
    pub role_type: RoleType,
    /// Version of the specification.
    pub spec_version: String,
    /// Version.
    pub version: u64,
    /// Expiry.
    pub expires: Instant,
    /// Files by path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Roles it trusts further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegations: Option<Delegations>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}
body!(Targets, check_targets);

impl Targets {
    /// The delegation to `role`.
    #[must_use]
    pub fn delegation(&self, role: &str) -> Option<&Delegation> {
        self.delegations.as_ref()?.roles.iter().find(|delegation| delegation.name == role)
    }

    /// What the delegated `role` must be checked against.
    ///
    /// # Errors
    /// `not-delegated`.
    pub fn authority<'a>(&'a self, role: &'a str, delegator: &str) -> Result<Authority<'a>, TrustError> {
        let delegations = self.delegations.as_ref().ok_or_else(|| not_delegated(role, delegator))?;
        let delegation = self.delegation(role).ok_or_else(|| not_delegated(role, delegator))?;
        Ok(Authority { role, keys: &delegations.keys, role_keys: &delegation.role_keys })
    }
}

/// One file that targets vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFile {
    /// Length in bytes.
    pub length: u64,
    /// Hashes; at least one.
    pub hashes: Hashes,
    /// Attributes we do not know, `custom` among them.
    #[serde(flatten)]
    pub other: Other,
}

impl TargetFile {
    /// Its SHA-256, if stated.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256Digest> {
        self.hashes.get("sha256")?.parse().ok()
    }
}

/// `delegations` of a targets role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegations {
    /// Keys of the delegated roles.
    pub keys: BTreeMap<KeyId, Key>,
    /// The delegations, in order of priority.
    pub roles: Vec<Delegation>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}

/// One delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Name of the role.
    pub name: String,
    /// Keys and threshold.
    #[serde(flatten)]
    pub role_keys: RoleKeys,
    /// Whether a look-up that comes here goes no further.
    #[serde(default)]
    pub terminating: bool,
    /// Path patterns it is trusted for; exactly one of this and `path_hash_prefixes` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<Vec<String>>,
    /// Prefixes of the SHA-256 of the paths it is trusted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_hash_prefixes: Option<Vec<String>>,
    /// Attributes we do not know.
    #[serde(flatten)]
    pub other: Other,
}

impl Delegation {
    /// Whether the delegation is trusted for `path`.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        if let Some(paths) = &self.paths {
            return paths.iter().any(|pattern| pattern::matches(pattern, path));
        }
        let Some(prefixes) = &self.path_hash_prefixes else { return false };
        let hash = Sha256Digest::of(path.as_bytes()).to_string();
        prefixes.iter().any(|prefix| hash.starts_with(prefix.as_str()))
    }
}

fn check_root(root: &Root, role: &str) -> Result<(), TrustError> {
    for name in ["root", "timestamp", "snapshot", "targets"] {
        let keys =
            root.roles.get(name).ok_or_else(|| impossible(role, &format!("it names no role {name}")))?;
        check_role_keys(keys, role, name)?;
    }
    Ok(())
}

fn check_timestamp(timestamp: &Timestamp, role: &str) -> Result<(), TrustError> {
    let snapshot = timestamp.snapshot()?;
    (snapshot.version > 0).then_some(()).ok_or_else(|| impossible(role, "it names version 0 of the snapshot"))
}

fn check_snapshot(snapshot: &Snapshot, role: &str) -> Result<(), TrustError> {
    match snapshot.meta.iter().find(|(_, meta)| meta.version == 0) {
        Some((name, _)) => Err(impossible(role, &format!("it names version 0 of {name}"))),
        None => Ok(()),
    }
}

fn check_targets(targets: &Targets, role: &str) -> Result<(), TrustError> {
    let Some(delegations) = &targets.delegations else { return Ok(()) };
    let mut names = std::collections::BTreeSet::new();
    for delegation in &delegations.roles {
        let name = delegation.name.as_str();
        if name.is_empty() || matches!(name, "root" | "timestamp" | "snapshot" | "targets") {
            return Err(impossible(role, &format!("it delegates to {name:?}, which no delegation may name")));
        }
        if !names.insert(name) {
            return Err(impossible(role, &format!("it delegates to {name:?} twice")));
        }
        if delegation.paths.is_some() == delegation.path_hash_prefixes.is_some() {
            return Err(impossible(
                role,
                &format!("its delegation to {name:?} needs either paths or path_hash_prefixes"),
            ));
        }
        check_role_keys(&delegation.role_keys, role, name)?;
    }
    Ok(())
}

fn check_role_keys(keys: &RoleKeys, role: &str, name: &str) -> Result<(), TrustError> {
    if keys.threshold == 0 {
        return Err(impossible(role, &format!("its threshold for {name} is 0")));
    }
    let distinct: std::collections::BTreeSet<_> = keys.keyids.iter().collect();
    if distinct.len() < keys.keyids.len() {
        return Err(impossible(role, &format!("it names one key id twice for {name}")));
    }
    Ok(())
}

fn impossible(role: &str, sentence: &str) -> TrustError {
    TrustError::new(TrustErrorKind::Impossible, role, sentence)
}

fn not_delegated(role: &str, delegator: &str) -> TrustError {
    TrustError::new(TrustErrorKind::NotDelegated, role, format!("{delegator} does not delegate to it"))
}
