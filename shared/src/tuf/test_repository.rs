//! An in-memory repository that does as told, honest or not. Tests tamper with its public fields and publish.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp as Instant};

use super::location;
use super::metadata::{Body, Delegation, Delegations, Other, Root, Targets};
use super::signer::{Ed25519Signer, Signer};
use super::threshold::RoleKeys;
use super::write::{self, Holders, RootHolders};

/// A signer from a small number: tests name keys.
pub(crate) fn signer(number: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[number; 32]).unwrap()
}

/// Signers by number.
pub(crate) fn signers(numbers: &[u8]) -> Vec<Ed25519Signer> {
    numbers.iter().map(|&number| signer(number)).collect()
}

pub(crate) fn dynamic(signers: &[Ed25519Signer]) -> Vec<&dyn Signer> {
    signers.iter().map(|signer| signer as &dyn Signer).collect()
}

pub(crate) fn holders(numbers: &[u8], threshold: u32) -> Holders {
    Holders { keys: signers(numbers).iter().map(|signer| signer.key().clone()).collect(), threshold }
}

pub(crate) fn after_hours(now: Instant, hours: i64) -> Instant {
    now + SignedDuration::from_hours(hours)
}

const YEAR: i64 = 365 * 24;

/// Keys by number: who signs for which role.
#[derive(Clone)]
pub(crate) struct Keys(pub(crate) BTreeMap<&'static str, Vec<u8>>);

impl Keys {
    pub(crate) fn holders(&self, role: &str) -> Holders {
        let numbers = &self.0[role];
        holders(numbers, if numbers.len() > 1 { 2 } else { 1 })
    }
}

/// The repository.
#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) now: Instant,
    pub(crate) keys: Keys,
    pub(crate) root: Root,
    pub(crate) targets: Targets,
    /// Versions of snapshot and timestamp.
    pub(crate) online: [u64; 2],
    /// What the origin serves, by path.
    pub(crate) origin: BTreeMap<String, Vec<u8>>,
    /// Whole files of the roles that the snapshot lists.
    pub(crate) listed: BTreeMap<String, (u64, Vec<u8>)>,
}

impl Repository {
    /// Version 1 of everything; targets lists nothing and delegates to nobody.
    pub(crate) fn new() -> Self {
        let now: Instant = "2026-05-04T00:00:00Z".parse().unwrap();
        let mut repository = Self::unpublished(now, write::files(1, after_hours(now, YEAR), BTreeMap::new()));
        repository.publish();
        repository
    }

    /// Version 1 of root, and of these targets; no snapshot lists them yet.
    pub(crate) fn unpublished(now: Instant, targets: Targets) -> Self {
        let keys = Keys(BTreeMap::from([
            ("root", vec![1, 2, 3]),
            ("targets", vec![11, 12, 13]),
            ("snapshot", vec![42]),
            ("timestamp", vec![43]),
        ]));
        let root = write::root(1, after_hours(now, YEAR), &root_holders(&keys));
        let (origin, listed) = (BTreeMap::new(), BTreeMap::new());
        let mut repository = Self { now, keys, root, targets, online: [0; 2], origin, listed };
        repository.put_root();
        repository.put_targets();
        repository
    }

    /// The bodies that people sign.
    pub(crate) fn top_level(&mut self) -> (&mut Root, &mut Targets) {
        (&mut self.root, &mut self.targets)
    }

    /// Two of the role's keys, or its only one.
    pub(crate) fn signers(&self, role: &str) -> Vec<Ed25519Signer> {
        let numbers = &self.keys.0[role];
        signers(&numbers[..numbers.len().min(2)])
    }

    pub(crate) fn sign<T: Body>(&self, role: &str, body: &T) -> Vec<u8> {
        write::sign(body, &dynamic(&self.signers(role))).unwrap()
    }

    pub(crate) fn put_root(&mut self) {
        let bytes = self.sign("root", &self.root);
        self.origin.insert(format!("metadata/{}.root.json", self.root.version), bytes);
    }

    pub(crate) fn put_targets(&mut self) {
        let body = self.targets.clone();
        self.put_role("targets", &body);
    }

    /// Signs and serves a role; the next snapshot lists it.
    pub(crate) fn put_role(&mut self, role: &str, body: &Targets) {
        let bytes = self.sign(role, body);
        self.put_role_bytes(role, body.version, bytes);
    }

    pub(crate) fn put_role_bytes(&mut self, role: &str, version: u64, bytes: Vec<u8>) {
        self.origin.insert(format!("metadata/{version}.{role}.json"), bytes.clone());
        self.listed.insert(role.to_owned(), (version, bytes));
    }

    /// Serves a file.
    pub(crate) fn put_file(&mut self, path: &str, bytes: &[u8]) {
        let sha256 = write::target_file(bytes).sha256().unwrap();
        self.origin.insert(location::file(path, Some(&sha256)), bytes.to_vec());
    }

    /// Signs snapshot and timestamp over what is listed.
    pub(crate) fn publish(&mut self) {
        self.online[0] += 1;
        let roles: Vec<(&str, u64, &[u8])> = self
            .listed
            .iter()
            .map(|(role, (version, bytes))| (role.as_str(), *version, &bytes[..]))
            .collect();
        let snapshot = write::snapshot(self.online[0], after_hours(self.now, 7 * 24), &roles);
        let bytes = self.sign("snapshot", &snapshot);
        self.origin.insert(format!("metadata/{}.snapshot.json", snapshot.version), bytes.clone());
        self.publish_timestamp(&bytes);
    }

    pub(crate) fn publish_timestamp(&mut self, snapshot: &[u8]) {
        self.online[1] += 1;
        let expires = after_hours(self.now, 24);
        let body = write::timestamp(self.online[1], expires, (self.online[0], snapshot), self.now, None);
        let bytes = self.sign("timestamp", &body);
        self.origin.insert("metadata/timestamp.json".into(), bytes);
    }

    /// New keys for top-level roles: the next root, signed by the old and the new root keys.
    pub(crate) fn rotate(&mut self, changes: &[(&'static str, &[u8])]) {
        let mut all = self.signers("root");
        for (role, numbers) in changes {
            self.keys.0.insert(role, numbers.to_vec());
        }
        for signer in self.signers("root") {
            if all.iter().all(|held| held.key_id() != signer.key_id()) {
                all.push(signer);
            }
        }
        let expires = after_hours(self.now, YEAR);
        self.root = write::root(self.root.version + 1, expires, &root_holders(&self.keys));
        let bytes = write::sign(&self.root, &dynamic(&all)).unwrap();
        self.origin.insert(format!("metadata/{}.root.json", self.root.version), bytes);
    }
}

/// A delegation to `role` with one key. `covers` is a pattern or, with `#`, the beginning of the path's hash.
pub(crate) fn delegation(role: &str, key: u8, covers: &str, terminating: bool) -> Delegation {
    Delegation {
        name: role.to_owned(),
        role_keys: RoleKeys { keyids: vec![signer(key).key_id()], threshold: 1 },
        terminating,
        paths: (!covers.starts_with('#')).then(|| vec![covers.to_owned()]),
        path_hash_prefixes: covers.strip_prefix('#').map(|prefix| vec![prefix.to_owned()]),
        other: Other::new(),
    }
}

/// These delegations, whose roles sign with these keys.
pub(crate) fn delegations(keys: &[u8], roles: Vec<Delegation>) -> Option<Delegations> {
    let keys = signers(keys).into_iter().map(|signer| (signer.key_id(), signer.key().clone())).collect();
    Some(Delegations { keys, roles, other: Other::new() })
}

fn root_holders(keys: &Keys) -> RootHolders {
    RootHolders {
        root: keys.holders("root"),
        targets: keys.holders("targets"),
        snapshot: keys.holders("snapshot"),
        timestamp: keys.holders("timestamp"),
    }
}
