//! People and a server that sign, with one key a role: thresholds are tested where they are counted.

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::TrustState;
use mulberry_shared::edition::write::{
    Holders, LaneDraft, LaneHolders, Life, RootHolders, gates, root, sign, snapshot, targets, timestamp,
};
use mulberry_shared::ledger::continuation::{Continuation, Continuations, Statement};
use mulberry_shared::ledger::links::WitnessHead;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{Lane, RecipePath};
use mulberry_shared::tuf::metadata::LedgerHead;
use mulberry_shared::tuf::{Ed25519Signer, Signer, location};

use crate::ports::doubles::MemoryOrigin;

/// Signs editions.
pub(crate) struct Server {
    keys: Vec<Ed25519Signer>,
    root: Vec<u8>,
    /// The newest root, where the keys of targets have changed.
    newest: Option<Vec<u8>>,
    /// Who signs targets now.
    targets_key: usize,
    targets: Vec<u8>,
    version: u64,
    /// The ledger's head in the timestamps from now on.
    pub(crate) ledger: Option<LedgerHead>,
}

const TARGETS: usize = 1;
const SNAPSHOT: usize = 2;
const TIMESTAMP: usize = 3;
const EMERGENCY: usize = 4;
const ROUTINE: usize = 5;
const GATES: usize = 6;
const NEW_TARGETS: usize = 7;

fn holders(keys: &[Ed25519Signer], targets: usize) -> RootHolders {
    let one = |n: usize| Holders::one(keys[n].key());
    RootHolders { root: one(0), targets: one(targets), snapshot: one(SNAPSHOT), timestamp: one(TIMESTAMP) }
}

impl Server {
    pub(crate) fn new(now: Timestamp) -> Self {
        let keys: Vec<_> = (0..8_u8).map(|n| Ed25519Signer::from_seed(&[n + 1; 32]).unwrap()).collect();
        let one = |n: usize| Holders::one(keys[n].key());
        let lanes = LaneHolders { emergency: one(EMERGENCY), routine: one(ROUTINE), gates: one(GATES) };
        let root = sign(&root(1, Life::Offline.from(now), &holders(&keys, TARGETS)), &[&keys[0]]).unwrap();
        let targets = sign(&targets(1, Life::Offline.from(now), &lanes), &[&keys[TARGETS]]).unwrap();
        let (newest, targets_key) = (None, TARGETS);
        Self { keys, root, newest, targets_key, targets, version: 0, ledger: None }
    }

    /// The next edition has a root that gives targets to another key; the content of targets stays.
    pub(crate) fn rotate_targets(&mut self, now: Timestamp) {
        self.targets_key = NEW_TARGETS;
        let next = root(2, Life::Offline.from(now), &holders(&self.keys, NEW_TARGETS));
        self.newest = Some(sign(&next, &[&self.keys[0]]).unwrap());
        let one = |n: usize| Holders::one(self.keys[n].key());
        let lanes = LaneHolders { emergency: one(EMERGENCY), routine: one(ROUTINE), gates: one(GATES) };
        let next = targets(2, Life::Offline.from(now), &lanes);
        self.targets = sign(&next, &[&self.keys[NEW_TARGETS]]).unwrap();
    }

    /// The public list in which those who hold targets now say of each of these that a ledger goes on from it.
    pub(crate) fn continuation(&self, ended: &[WitnessHead], at: Timestamp) -> Vec<u8> {
        let limits = Limits::default();
        let newest = self.newest.as_ref().unwrap_or(&self.root);
        let root = TrustState::pinned(newest, &limits).unwrap().trusted().root().clone();
        let authority = root.authority("targets").unwrap();
        let each = ended.iter().map(|previous| {
            let statement = Statement { previous: *previous, reason: "it burnt down".into(), at };
            let mut one = Continuation::new(statement, &limits).unwrap();
            one.sign(authority, &self.keys[self.targets_key]).unwrap();
            one
        });
        Continuations(each.collect()).write()
    }

    pub(crate) fn root(&self) -> &[u8] {
        &self.root
    }

    /// Puts a complete new edition at the origin.
    pub(crate) fn publish(
        &mut self,
        origin: &MemoryOrigin,
        emergency: &[(RecipePath, Vec<u8>)],
        routine: &[(RecipePath, Vec<u8>)],
        gates_json: &[u8],
        now: Timestamp,
    ) {
        self.version += 1;
        let version = self.version;
        let lane = |lane: Lane, recipes: &[(RecipePath, Vec<u8>)], key: usize| {
            let mut draft = LaneDraft::new(lane, None);
            for (path, bytes) in recipes {
                draft.add(path, bytes).unwrap();
                origin.put(&location::file(&path.to_string(), Some(&Sha256Digest::of(bytes))), bytes);
            }
            let mut metadata = draft.build(now).unwrap();
            metadata.version = version;
            sign(&metadata, &[&self.keys[key]]).unwrap()
        };
        let emergency = lane(Lane::Emergency, emergency, EMERGENCY);
        let routine = lane(Lane::Routine, routine, ROUTINE);
        origin.put(&location::file("gates.json", Some(&Sha256Digest::of(gates_json))), gates_json);
        if let Some(newest) = &self.newest {
            origin.put(&location::metadata("root", Some(2)), newest);
        }
        let gates = gates(version, Life::Online.from(now), gates_json);
        let gates = sign(&gates, &[&self.keys[GATES]]).unwrap();
        let roles = [
            ("targets", if self.newest.is_some() { 2 } else { 1 }, self.targets.as_slice()),
            ("emergency", version, &emergency),
            ("routine", version, &routine),
            ("gates", version, &gates),
        ];
        let snapshot = snapshot(version, Life::Online.from(now), &roles);
        let snapshot = sign(&snapshot, &[&self.keys[SNAPSHOT]]).unwrap();
        let timestamp = timestamp(version, Life::Timestamp.from(now), (version, &snapshot), now, self.ledger);
        let timestamp = sign(&timestamp, &[&self.keys[TIMESTAMP]]).unwrap();
        for (role, version, bytes) in roles {
            origin.put(&location::consistent_metadata(role, version), bytes);
        }
        origin.put(&location::consistent_metadata("snapshot", version), &snapshot);
        origin.put(&location::consistent_metadata("timestamp", version), &timestamp);
    }
}
