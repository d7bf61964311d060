//! A repository whose maker holds every key: it publishes as a server and its people would, and it signs whatever else it
//! is told to. What honest tools refuse to make is made here, so that a client can be shown it.
//!
//! Keys are numbers: key `n` is the ed25519 key of a seed of `n`s. Tests tamper with the public fields and publish.

mod opening;
mod raw;
mod recipes;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::edition::write::{self, Holders, LaneDraft, LaneHolders, Life, RootHolders};
use mulberry_shared::gates::{Gate, GateState, Gates};
use mulberry_shared::recipe::{Lane, Recipe, RecipePath, published};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::tuf::metadata::Body;
use mulberry_shared::tuf::{
    Ed25519Signer, KeyId, Root, Signer, Targets, Timestamp as TimestampRole, TrustError, location,
};

pub use opening::{sign_opening, sign_opening_as};
pub use raw::{Envelope, Signature};
pub use recipes::{distrust, install};

use crate::hostile_origin::Recording;

/// A repository and all its keys.
#[derive(Clone, Debug)]
pub struct Forge {
    /// When everything is signed.
    pub now: Timestamp,
    /// The numbers of each role's keys. Two of them must sign where there is more than one, and the first two do.
    pub keys: BTreeMap<&'static str, Vec<u8>>,
    /// The newest root.
    pub root: Root,
    /// The top-level targets.
    pub targets: Targets,
    /// The lanes.
    pub lanes: BTreeMap<Lane, Targets>,
    /// What the gates file says.
    pub gates: Gates,
    /// The version of what the server signed last: gates, snapshot and timestamp keep step.
    pub online: u64,
    /// The files that the snapshot lists: role to version and bytes.
    pub listed: BTreeMap<String, (u64, Vec<u8>)>,
    /// What an origin serves, by path.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The key of this number.
///
/// # Errors
/// None is known.
pub fn key(number: u8) -> Result<Ed25519Signer, TrustError> {
    Ed25519Signer::from_seed(&[number; 32])
}

/// The label of the key of this number.
///
/// # Errors
/// None is known.
pub fn key_id(number: u8) -> Result<KeyId, TrustError> {
    Ok(key(number)?.key_id())
}

/// The file of `body`, signed with the keys of these numbers.
///
/// # Errors
/// When the body cannot be written.
pub fn signed<T: Body>(body: &T, numbers: &[u8]) -> Result<Vec<u8>, TrustError> {
    let signers = numbers.iter().map(|number| key(*number)).collect::<Result<Vec<_>, _>>()?;
    let signers: Vec<&dyn Signer> = signers.iter().map(|signer| signer as &dyn Signer).collect();
    write::sign(body, &signers)
}

impl Forge {
    /// The first edition: empty lanes, no gates.
    ///
    /// # Errors
    /// None is known; as all others of this type.
    pub fn new(now: Timestamp) -> Result<Self, TrustError> {
        let keys = BTreeMap::from([
            ("root", vec![1, 2, 3]),
            ("targets", vec![11, 12, 13]),
            ("emergency", vec![21, 22, 23]),
            ("routine", vec![31, 32, 33]),
            ("gates", vec![41]),
            ("snapshot", vec![42]),
            ("timestamp", vec![43]),
        ]);
        let year = Life::Offline.from(now);
        let mut forge = Self {
            now,
            root: write::root(1, year, &root_holders(&keys)?),
            targets: write::targets(1, year, &lane_holders(&keys)?),
            lanes: BTreeMap::new(),
            gates: Gates::default(),
            online: 0,
            listed: BTreeMap::new(),
            files: BTreeMap::new(),
            keys,
        };
        forge.put_root()?;
        forge.put_targets()?;
        for lane in Lane::ALL {
            forge.lanes.insert(lane, LaneDraft::new(lane, None).build(now)?);
            forge.put_lane(lane)?;
        }
        forge.publish()?;
        Ok(forge)
    }

    /// As many of the role's keys as must sign.
    #[must_use]
    pub fn signers(&self, role: &str) -> &[u8] {
        let numbers = self.keys.get(role).map(Vec::as_slice).unwrap_or_default();
        numbers.get(..2).unwrap_or(numbers)
    }

    /// The file of `body`, signed as `role` signs.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn sign<T: Body>(&self, role: &str, body: &T) -> Result<Vec<u8>, TrustError> {
        signed(body, self.signers(role))
    }

    /// Signs and serves the root.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn put_root(&mut self) -> Result<(), TrustError> {
        let bytes = self.sign("root", &self.root)?;
        self.put_root_file(self.root.version, bytes);
        Ok(())
    }

    /// Serves these bytes as a root of this version.
    pub fn put_root_file(&mut self, version: u64, bytes: Vec<u8>) {
        self.files.insert(location::consistent_metadata("root", version), bytes);
    }

    /// Signs and serves targets; the next snapshot lists it.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn put_targets(&mut self) -> Result<(), TrustError> {
        let bytes = self.sign("targets", &self.targets)?;
        self.put_role("targets", self.targets.version, bytes);
        Ok(())
    }

    /// Signs and serves a lane as it is; the next snapshot lists it.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn put_lane(&mut self, lane: Lane) -> Result<(), TrustError> {
        let body = self.lane(lane).clone();
        let bytes = self.sign(lane.as_str(), &body)?;
        self.put_role(lane.as_str(), body.version, bytes);
        Ok(())
    }

    /// Serves these bytes as a role of this version; the next snapshot lists them.
    pub fn put_role(&mut self, role: &str, version: u64, bytes: Vec<u8>) {
        self.files.insert(location::consistent_metadata(role, version), bytes.clone());
        self.listed.insert(role.to_owned(), (version, bytes));
    }

    /// A lane's metadata, to be tampered with.
    pub fn lane(&mut self, lane: Lane) -> &mut Targets {
        let empty = || Targets { delegations: None, ..self.targets.clone() };
        self.lanes.entry(lane).or_insert_with(empty)
    }

    /// Serves `bytes` as the file of a recipe and lists them in the lane's next version, which is signed and listed.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn add(&mut self, lane: Lane, path: &str, bytes: &[u8]) -> Result<(), TrustError> {
        self.list(lane, path, bytes);
        self.put_lane(lane)
    }

    /// As [`Self::add`], and leaves the lane unsigned.
    pub fn list(&mut self, lane: Lane, path: &str, bytes: &[u8]) {
        let file = write::target_file(bytes);
        self.files.insert(location::file(path, file.sha256().as_ref()), bytes.to_vec());
        let body = self.lane(lane);
        body.version = body.version.saturating_add(1);
        body.targets.insert(path.to_owned(), file);
    }

    /// Publishes a recipe in its lane and opens its gate for everyone.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn add_open(&mut self, recipe: &Recipe) -> Result<(), TrustError> {
        self.add(recipe.lane, &recipe.path().to_string(), &published::write(recipe))?;
        self.open(&recipe.path(), recipe.revision);
        Ok(())
    }

    /// Opens the gate of one revision for everyone.
    pub fn open(&mut self, path: &RecipePath, revision: u64) {
        self.gate(path, revision, GateState::Open);
    }

    /// Sets the gate of one revision.
    pub fn gate(&mut self, path: &RecipePath, revision: u64, state: GateState) {
        let gate = Gate::new(revision, state, BasisPoints::EVERYONE, self.now);
        self.gates.0.insert(path.clone(), gate);
    }

    /// Signs gates, snapshot and timestamp again, over everything that is listed.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn publish(&mut self) -> Result<(), TrustError> {
        self.online = self.online.saturating_add(1);
        self.put_gates(&[])?;
        self.publish_snapshot()
    }

    /// Signs the gates, which list these files besides `gates.json`; the next snapshot lists them.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn put_gates(&mut self, more: &[(&str, &[u8])]) -> Result<(), TrustError> {
        self.put_gates_file(&self.gates.write(), more)
    }

    /// Publishes these bytes as `gates.json`.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn publish_gates_file(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        self.online = self.online.saturating_add(1);
        self.put_gates_file(bytes, &[])?;
        self.publish_snapshot()
    }

    fn put_gates_file(&mut self, bytes: &[u8], more: &[(&str, &[u8])]) -> Result<(), TrustError> {
        let mut body = write::gates(self.online, Life::Online.from(self.now), bytes);
        for (path, bytes) in std::iter::once(("gates.json", bytes)).chain(more.iter().copied()) {
            let file = write::target_file(bytes);
            self.files.insert(location::file(path, file.sha256().as_ref()), bytes.to_vec());
            body.targets.insert(path.to_owned(), file);
        }
        let bytes = self.sign("gates", &body)?;
        self.put_role("gates", body.version, bytes);
        Ok(())
    }

    /// Signs snapshot and timestamp over everything that is listed.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn publish_snapshot(&mut self) -> Result<(), TrustError> {
        let roles = self.listed.iter().map(|(role, (version, bytes))| (role.as_str(), *version, &bytes[..]));
        let roles: Vec<(&str, u64, &[u8])> = roles.collect();
        let snapshot = write::snapshot(self.online, Life::Online.from(self.now), &roles);
        let bytes = self.sign("snapshot", &snapshot)?;
        self.publish_timestamp(self.online, bytes)
    }

    /// Serves these bytes as the snapshot of this version, and signs a timestamp that names it.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn publish_timestamp(&mut self, snapshot: u64, bytes: Vec<u8>) -> Result<(), TrustError> {
        let body = self.timestamp(snapshot, &bytes);
        self.files.insert(location::consistent_metadata("snapshot", snapshot), bytes);
        let bytes = self.sign("timestamp", &body)?;
        self.put_timestamp(bytes);
        Ok(())
    }

    /// The timestamp's body over this snapshot.
    #[must_use]
    pub fn timestamp(&self, snapshot: u64, bytes: &[u8]) -> TimestampRole {
        write::timestamp(self.online, Life::Timestamp.from(self.now), (snapshot, bytes), self.now, None)
    }

    /// Serves these bytes as the timestamp.
    pub fn put_timestamp(&mut self, bytes: Vec<u8>) {
        self.files.insert(location::consistent_metadata("timestamp", 0), bytes);
    }

    /// New keys for top-level roles: the next root, signed by the old and the new keys of root.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn rotate(&mut self, changes: &[(&'static str, &[u8])]) -> Result<(), TrustError> {
        let mut numbers = self.signers("root").to_vec();
        for (role, new) in changes {
            self.keys.insert(role, new.to_vec());
        }
        numbers.extend(self.signers("root").iter().filter(|new| !numbers.contains(new)).collect::<Vec<_>>());
        self.root = self.next_root()?;
        let bytes = signed(&self.root, &numbers)?;
        self.put_root_file(self.root.version, bytes);
        Ok(())
    }

    /// The body of the next root, which names the keys as they are noted now.
    ///
    /// # Errors
    /// See [`key`].
    pub fn next_root(&self) -> Result<Root, TrustError> {
        let version = self.root.version.saturating_add(1);
        Ok(write::root(version, Life::Offline.from(self.now), &root_holders(&self.keys)?))
    }

    /// New keys for delegated roles: the next targets.
    ///
    /// # Errors
    /// See [`signed`].
    pub fn redelegate(&mut self, changes: &[(&'static str, &[u8])]) -> Result<(), TrustError> {
        for (role, new) in changes {
            self.keys.insert(role, new.to_vec());
        }
        let version = self.targets.version.saturating_add(1);
        self.targets = write::targets(version, Life::Offline.from(self.now), &lane_holders(&self.keys)?);
        self.put_targets()
    }

    /// The same repository at a later time.
    #[must_use]
    pub fn later(mut self, by: SignedDuration) -> Self {
        self.now = self.now.saturating_add(by).unwrap_or(self.now);
        self
    }

    /// Everything that is served.
    #[must_use]
    pub fn recording(&self) -> Recording {
        Recording::of_files(self.files.clone())
    }
}

fn holders(keys: &BTreeMap<&'static str, Vec<u8>>, role: &str) -> Result<Holders, TrustError> {
    let numbers = keys.get(role).map(Vec::as_slice).unwrap_or_default();
    let keys = numbers.iter().map(|number| Ok(key(*number)?.key().clone()));
    Ok(Holders {
        keys: keys.collect::<Result<_, TrustError>>()?,
        threshold: if numbers.len() > 1 { 2 } else { 1 },
    })
}

fn root_holders(keys: &BTreeMap<&'static str, Vec<u8>>) -> Result<RootHolders, TrustError> {
    Ok(RootHolders {
        root: holders(keys, "root")?,
        targets: holders(keys, "targets")?,
        snapshot: holders(keys, "snapshot")?,
        timestamp: holders(keys, "timestamp")?,
    })
}

fn lane_holders(keys: &BTreeMap<&'static str, Vec<u8>>) -> Result<LaneHolders, TrustError> {
    Ok(LaneHolders {
        emergency: holders(keys, "emergency")?,
        routine: holders(keys, "routine")?,
        gates: holders(keys, "gates")?,
    })
}
