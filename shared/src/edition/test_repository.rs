//! The in-memory repository of [`tuf`](crate::tuf::test_repository) with Mulberry's lanes and gates in it.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use jiff::Timestamp as Instant;

use super::client::Refresh;
use super::state::TrustState;
use super::write::{self, LaneHolders, Life};
use crate::limits::Limits;
use crate::recipe::Lane;
use crate::tuf::metadata::Targets;
use crate::tuf::report::RefreshReport;
use crate::tuf::test_repository::{Keys, Repository as Generic};
use crate::tuf::{Next, Reply};

pub(crate) use crate::tuf::test_repository::{after_hours, dynamic, signer, signers};

pub(crate) const EMPTY_GATES: &[u8] = br#"{"gates":{},"schema_version":1}"#;

/// The repository.
#[derive(Clone)]
pub(crate) struct Repository {
    generic: Generic,
    pub(crate) lanes: BTreeMap<Lane, Targets>,
    pub(crate) gates: Vec<u8>,
    /// Version of the gates role.
    pub(crate) gates_version: u64,
}

impl Deref for Repository {
    type Target = Generic;

    fn deref(&self) -> &Generic {
        &self.generic
    }
}

impl DerefMut for Repository {
    fn deref_mut(&mut self) -> &mut Generic {
        &mut self.generic
    }
}

impl Repository {
    /// Version 1 of everything, empty lanes, gates all closed.
    pub(crate) fn new() -> Self {
        let now: Instant = "2026-05-04T00:00:00Z".parse().unwrap();
        let people = [("emergency", vec![21, 22, 23]), ("routine", vec![31, 32, 33]), ("gates", vec![41])];
        let targets = write::targets(1, Life::Offline.from(now), &lane_holders(&Keys(people.clone().into())));
        let mut generic = Generic::unpublished(now, targets);
        generic.keys.0.extend(people);
        let (lanes, gates) = (BTreeMap::new(), EMPTY_GATES.to_vec());
        let mut repository = Self { generic, lanes, gates, gates_version: 0 };
        for lane in Lane::ALL {
            let draft = write::LaneDraft::new(lane, None).build(now).unwrap();
            repository.lanes.insert(lane, draft);
            repository.put_lane(lane);
        }
        repository.publish();
        repository
    }

    pub(crate) fn put_lane(&mut self, lane: Lane) {
        let body = self.lanes[&lane].clone();
        self.put_role(lane.as_str(), &body);
    }

    /// The lane's next version with one recipe more (or replaced), and its file.
    pub(crate) fn add(&mut self, lane: Lane, slug: &str, bytes: &[u8]) {
        let body = self.lanes.get_mut(&lane).unwrap();
        body.version += 1;
        let path = format!("{lane}/{slug}.json");
        self.generic.put_file(&path, bytes);
        body.targets.insert(path, write::target_file(bytes));
        self.put_lane(lane);
    }

    /// Re-signs everything online over what is listed.
    pub(crate) fn publish(&mut self) {
        self.gates_version += 1;
        let gates = write::gates(self.gates_version, Life::Online.from(self.now), &self.gates);
        self.generic.put_file("gates.json", &self.gates);
        self.put_role("gates", &gates);
        self.publish_snapshot();
    }

    /// Re-signs snapshot and timestamp over what is listed.
    pub(crate) fn publish_snapshot(&mut self) {
        self.generic.publish();
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

fn lane_holders(keys: &Keys) -> LaneHolders {
    LaneHolders {
        emergency: keys.holders("emergency"),
        routine: keys.holders("routine"),
        gates: keys.holders("gates"),
    }
}
