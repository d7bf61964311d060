//! An in-memory repository that does as told, honest or not. Tests tamper with its public fields and publish.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp as Instant};

use super::client::{Next, Refresh, Reply};
use super::location;
use super::metadata::{Body, Root, Targets};
use super::report::RefreshReport;
use super::signer::{Ed25519Signer, Signer};
use super::state::TrustState;
use super::write::{self, Holders, LaneHolders, Life, RootHolders};
use crate::limits::Limits;
use crate::recipe::Lane;

pub(crate) const EMPTY_GATES: &[u8] = br#"{"gates":{},"schema_version":1}"#;

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

/// Keys by number: who signs for which role.
#[derive(Clone)]
pub(crate) struct Keys(pub(super) BTreeMap<&'static str, Vec<u8>>);

impl Keys {
    fn holders(&self, role: &str) -> Holders {
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
    pub(crate) lanes: BTreeMap<Lane, Targets>,
    pub(crate) gates: Vec<u8>,
    /// Versions of gates, snapshot, timestamp.
    pub(crate) online: [u64; 3],
    /// What the origin serves, by path.
    pub(crate) origin: BTreeMap<String, Vec<u8>>,
    /// Whole files of the roles that the snapshot lists.
    pub(crate) listed: BTreeMap<String, (u64, Vec<u8>)>,
}

impl Repository {
    /// Version 1 of everything, empty lanes, gates all closed.
    pub(crate) fn new() -> Self {
        let now: Instant = "2026-05-04T00:00:00Z".parse().unwrap();
        let keys = Keys(BTreeMap::from([
            ("root", vec![1, 2, 3]),
            ("targets", vec![11, 12, 13]),
            ("emergency", vec![21, 22, 23]),
            ("routine", vec![31, 32, 33]),
            ("gates", vec![41]),
            ("snapshot", vec![42]),
            ("timestamp", vec![43]),
        ]));
        let empty = write::targets(1, now, &lane_holders(&keys));
        let mut repository = Self {
            now,
            root: write::root(1, Life::Offline.from(now), &root_holders(&keys)),
            targets: empty,
            lanes: BTreeMap::new(),
            gates: EMPTY_GATES.to_vec(),
            online: [0; 3],
            keys,
            origin: BTreeMap::new(),
            listed: BTreeMap::new(),
        };
        repository.put_root();
        repository.targets.expires = Life::Offline.from(now);
        repository.put_targets();
        for lane in Lane::ALL {
            let draft = write::LaneDraft::new(lane, None).build(now).unwrap();
            repository.lanes.insert(lane, draft);
            repository.put_lane(lane);
        }
        repository.publish();
        repository
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

    pub(crate) fn put_lane(&mut self, lane: Lane) {
        let body = self.lanes[&lane].clone();
        self.put_role(lane.as_str(), &body);
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

    /// The lane's next version with one recipe more (or replaced), and its file.
    pub(crate) fn add(&mut self, lane: Lane, slug: &str, bytes: &[u8]) {
        let body = self.lanes.get_mut(&lane).unwrap();
        body.version += 1;
        let path = format!("{lane}/{slug}.json");
        let file = write::target_file(bytes);
        self.origin.insert(location::file(&path, Some(&file.sha256().unwrap())), bytes.to_vec());
        body.targets.insert(path, file);
        self.put_lane(lane);
    }

    /// Re-signs everything online over what is listed.
    pub(crate) fn publish(&mut self) {
        self.online[0] += 1;
        let gates = write::gates(self.online[0], Life::Online.from(self.now), &self.gates);
        let sha256 = gates.targets["gates.json"].sha256().unwrap();
        self.origin.insert(location::file("gates.json", Some(&sha256)), self.gates.clone());
        self.put_role("gates", &gates);
        self.publish_snapshot();
    }

    pub(crate) fn publish_snapshot(&mut self) {
        self.online[1] += 1;
        let roles: Vec<(&str, u64, &[u8])> = self
            .listed
            .iter()
            .map(|(role, (version, bytes))| (role.as_str(), *version, &bytes[..]))
            .collect();
        let snapshot = write::snapshot(self.online[1], Life::Online.from(self.now), &roles);
        let bytes = self.sign("snapshot", &snapshot);
        self.origin.insert(format!("metadata/{}.snapshot.json", snapshot.version), bytes.clone());
        self.publish_timestamp(&bytes);
    }

    pub(crate) fn publish_timestamp(&mut self, snapshot: &[u8]) {
        self.online[2] += 1;
        let expires = Life::Timestamp.from(self.now);
        let body = write::timestamp(self.online[2], expires, (self.online[1], snapshot), self.now, None);
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
        let expires = Life::Offline.from(self.now);
        self.root = write::root(self.root.version + 1, expires, &root_holders(&self.keys));
        let bytes = write::sign(&self.root, &dynamic(&all)).unwrap();
        self.origin.insert(format!("metadata/{}.root.json", self.root.version), bytes);
    }

    /// New keys for delegated roles: the next targets.
    pub(crate) fn redelegate(&mut self, changes: &[(&'static str, &[u8])]) {
        for (role, numbers) in changes {
            self.keys.0.insert(role, numbers.to_vec());
        }
        let expires = Life::Offline.from(self.now);
        self.targets = write::targets(self.targets.version + 1, expires, &lane_holders(&self.keys));
        self.put_targets();
    }

    /// A client that trusts version 1 of the root.
    pub(crate) fn pinned(&self) -> TrustState {
        TrustState::pinned(&self.origin["metadata/1.root.json"], &Limits::default()).unwrap()
    }

    /// One refresh at the repository's time.
    pub(crate) fn refresh(&self, state: &TrustState) -> (TrustState, RefreshReport) {
        self.refresh_with(state, &Limits::default(), |_, reply| reply)
    }

    /// One refresh with replies changed on the way.
    pub(crate) fn refresh_with(
        &self,
        state: &TrustState,
        limits: &Limits,
        mut change: impl FnMut(&str, Reply) -> Reply,
    ) -> (TrustState, RefreshReport) {
        let mut refresh = Refresh::start(state.clone(), self.now, limits);
        while let Next::Fetch(fetch) = refresh.next() {
            let reply =
                self.origin.get(&fetch.path).map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.clone()));
            refresh.supply(change(&fetch.path, reply));
        }
        refresh.finish()
    }
}

fn root_holders(keys: &Keys) -> RootHolders {
    RootHolders {
        root: keys.holders("root"),
        targets: keys.holders("targets"),
        snapshot: keys.holders("snapshot"),
        timestamp: keys.holders("timestamp"),
    }
}

fn lane_holders(keys: &Keys) -> LaneHolders {
    LaneHolders {
        emergency: keys.holders("emergency"),
        routine: keys.holders("routine"),
        gates: keys.holders("gates"),
    }
}
