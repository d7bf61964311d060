//! One refresh, sans-io: it names the file it needs, the caller fetches it from wherever, and so on until done.
//!
//! Which origin, how often, with what delays: the caller's. What is true: decided here and in
//! [`trusted`](super::trusted), which checks each step of the specification's section 5.

use jiff::Timestamp as Instant;

use super::error::{TrustError, TrustErrorKind};
use super::expiry::{FreezeCheck, Waiver};
use super::location;
use super::profile;
use super::report::{Event, RefreshReport};
use super::state::{TrustState, Wanted};
use super::trusted::Step;
use super::verify;
use crate::limits::Limits;

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Path relative to the origin, such as `metadata/2.root.json`; already percent-encoded.
    pub path: String,
    /// No more than this many bytes need be read: a longer file is refused.
    pub max_bytes: u64,
}

/// What a refresh needs next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This file; then [`Refresh::supply`].
    Fetch(Fetch),
    /// Nothing; then [`Refresh::finish`].
    Done,
}

/// What came of a fetch. Absent and failed are different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The file, whole.
    Bytes(Vec<u8>),
    /// The origin has more than [`Fetch::max_bytes`], which is why it was read no further.
    TooLong,
    /// The origin says that there is no such file.
    Absent,
    /// The origin could not be asked, or did not finish in time; with the reason.
    Failed(String),
}

/// One refresh in progress.
///
/// ```text
/// Root ──absent──▶ Timestamp ─▶ Snapshot ─▶ Targets ─▶ Delegated (each alone) ─▶ Files (each alone) ─▶ Done
///  └─▶ Root (N+1)      │            │          │                                                        ▲
///      any failure up to targets ──┴──────────┴────────────────────────────────────────────────────────┘
/// ```
#[derive(Clone, Debug)]
pub struct Refresh {
    state: TrustState,
    freeze: FreezeCheck,
    limits: Limits,
    phase: Phase,
    report: RefreshReport,
}

#[derive(Clone, Debug)]
enum Phase {
    Root { from: u64, rotations: u32 },
    Timestamp,
    Snapshot,
    Targets,
    Delegated { index: usize },
    Files { wanted: Vec<Wanted>, index: usize },
    Done,
}

impl Refresh {
    /// Starts a refresh. `now` is the time for all of it (5.1).
    #[must_use]
    pub fn start(state: TrustState, now: Instant, limits: &Limits) -> Self {
        let phase = Phase::Root { from: state.trusted.root().version, rotations: 0 };
        let freeze = FreezeCheck::at(now);
        Self { state, freeze, limits: limits.clone(), phase, report: RefreshReport::default() }
    }

    /// Lets the expiry of what the server signs not count, as far as `waiver` names it. For a bundle that a person hands to
    /// this client, and for nothing that came over a network: freshness is all that expiry proves.
    #[must_use]
    pub fn waiving(mut self, waiver: Waiver) -> Self {
        self.freeze.waiver = waiver;
        self
    }

    /// What is needed next. Asking twice gives the same answer.
    #[expect(clippy::should_implement_trait, reason = "a step of a conversation, not an item of a sequence")]
    pub fn next(&mut self) -> Next {
        loop {
            let fetch = match &self.phase {
                Phase::Root { .. } => self.next_root(),
                Phase::Timestamp => Some(self.metadata("timestamp", None, self.limits.trust.timestamp_bytes)),
                Phase::Snapshot => self.next_snapshot(),
                Phase::Targets => self.next_targets(),
                Phase::Delegated { index } => self.next_delegated(*index),
                Phase::Files { wanted, index } => match wanted.get(*index) {
                    Some(file) => Some(self.file(file)),
                    None => {
                        self.phase = Phase::Done;
                        None
                    }
                },
                Phase::Done => return Next::Done,
            };
            if let Some(fetch) = fetch {
                return Next::Fetch(fetch);
            }
        }
    }

    /// Gives what came of the fetch that [`Self::next`] named.
    pub fn supply(&mut self, reply: Reply) {
        let Next::Fetch(fetch) = self.next() else { return };
        let reply = match reply {
            Reply::Bytes(bytes) => match verify::too_large(&self.subject(), &bytes, fetch.max_bytes) {
                Ok(()) => Ok(bytes),
                Err(error) => Err(error),
            },
            Reply::TooLong => Err(verify::longer_than(&self.subject(), fetch.max_bytes)),
            Reply::Absent => Err(TrustError::new(
                TrustErrorKind::Absent,
                self.subject(),
                format!("the origin has no {}; it is incomplete, ask another one", fetch.path),
            )),
            Reply::Failed(why) => Err(TrustError::new(
                TrustErrorKind::Unreachable,
                self.subject(),
                format!("{} could not be fetched: {why}", fetch.path),
            )),
        };
        match self.phase {
            Phase::Root { from, rotations } => self.supply_root(from, rotations, reply),
            Phase::Timestamp => self.supply_timestamp(reply),
            Phase::Snapshot => self.supply_snapshot(reply),
            Phase::Targets => self.supply_targets(reply),
            Phase::Delegated { index } => self.supply_delegated(index, reply),
            Phase::Files { .. } => self.supply_file(reply),
            Phase::Done => {}
        }
    }

    /// The state to store, and what happened. Whatever failed, the state is whole and no older than before.
    #[must_use]
    pub fn finish(mut self) -> (TrustState, RefreshReport) {
        self.state.prune(&self.limits);
        (self.state, self.report)
    }

    // 5.3: root.

    fn next_root(&mut self) -> Option<Fetch> {
        // 5.3.3: a limited number of rotations. A root of the highest version has no successor.
        match (&self.phase, self.state.trusted.root().version.checked_add(1)) {
            (Phase::Root { rotations, .. }, Some(next)) if *rotations < self.limits.trust.rotations => {
                // Roots are versioned whether snapshots are consistent or not.
                let path = location::metadata("root", Some(next));
                Some(Fetch { path, max_bytes: self.limits.trust.root_bytes })
            }
            _ => {
                self.end_root();
                None
            }
        }
    }

    fn supply_root(&mut self, from: u64, rotations: u32, reply: Result<Vec<u8>, TrustError>) {
        match reply {
            Err(error) if error.kind == TrustErrorKind::Absent => self.end_root(),
            Err(error) => self.stop(error),
            Ok(bytes) => match self.state.trusted.update_root(&bytes, &self.limits) {
                Ok(()) => self.phase = Phase::Root { from, rotations: rotations.saturating_add(1) },
                Err(error) => {
                    self.report_root();
                    self.stop(error);
                }
            },
        }
    }

    fn end_root(&mut self) {
        self.report_root();
        // 5.3.10: only the last root's expiry counts.
        match self.state.trusted.check_root(&self.freeze) {
            Ok(()) => self.phase = Phase::Timestamp,
            Err(error) => self.stop(error),
        }
    }

    fn report_root(&mut self) {
        let to = self.state.trusted.root().version;
        if let Phase::Root { from, .. } = self.phase {
            let event = if from == to { Event::Unchanged } else { Event::Updated { from: Some(from), to } };
            self.report.add("root", event);
        }
    }

    // 5.4: timestamp.

    fn supply_timestamp(&mut self, reply: Result<Vec<u8>, TrustError>) {
        let from = self.state.trusted.timestamp().map(|held| held.version);
        let step =
            reply.and_then(|bytes| self.state.trusted.update_timestamp(&bytes, &self.freeze, &self.limits));
        match step {
            Err(error) => self.stop(error),
            Ok(step) => {
                let to = self.state.trusted.timestamp().map_or(0, |held| held.version);
                let event = match step {
                    Step::New => Event::Updated { from, to },
                    Step::Same => Event::Unchanged,
                };
                self.report.add("timestamp", event);
                self.phase = Phase::Snapshot;
            }
        }
    }

    // 5.5: snapshot.

    fn next_snapshot(&mut self) -> Option<Fetch> {
        if self.state.trusted.has_expected_snapshot() {
            match self.state.trusted.check_snapshot(&self.freeze) {
                Ok(()) => {
                    self.report.add("snapshot", Event::Unchanged);
                    self.phase = Phase::Targets;
                }
                Err(error) => self.stop(error),
            }
            return None;
        }
        let expected = self.state.trusted.expected_snapshot().map(|meta| (meta.version, meta.length));
        match expected {
            Ok((version, length)) => {
                let limit = self.limits.trust.snapshot_bytes;
                Some(self.metadata("snapshot", Some(version), length.unwrap_or(limit).min(limit)))
            }
            Err(error) => {
                self.stop(error);
                None
            }
        }
    }

    fn supply_snapshot(&mut self, reply: Result<Vec<u8>, TrustError>) {
        let from = self.state.trusted.snapshot().map(|held| held.version);
        let step =
            reply.and_then(|bytes| self.state.trusted.update_snapshot(&bytes, &self.freeze, &self.limits));
        match step {
            Err(error) => self.stop(error),
            Ok(()) => {
                let to = self.state.trusted.snapshot().map_or(0, |held| held.version);
                self.report.add("snapshot", Event::Updated { from, to });
                self.phase = Phase::Targets;
            }
        }
    }

    // 5.6: targets, and the delegated roles, each of which is judged alone.

    fn next_targets(&mut self) -> Option<Fetch> {
        match self.role_fetch("targets") {
            Ok(Some(fetch)) => return Some(fetch),
            Ok(None) => {
                self.report.add("targets", Event::Unchanged);
                self.phase = Phase::Delegated { index: 0 };
            }
            Err(error) => self.stop(error),
        }
        None
    }

    fn supply_targets(&mut self, reply: Result<Vec<u8>, TrustError>) {
        match self.enter_role("targets", reply) {
            Ok(event) => {
                self.report.add("targets", event);
                self.phase = Phase::Delegated { index: 0 };
            }
            Err(error) => self.stop(error),
        }
    }

    fn next_delegated(&mut self, index: usize) -> Option<Fetch> {
        let Some(role) = profile::DELEGATED.get(index) else {
            self.start_files();
            return None;
        };
        match self.role_fetch(role) {
            Ok(Some(fetch)) => return Some(fetch),
            Ok(None) => self.report.add(role, Event::Unchanged),
            Err(error) => self.report.add(role, Event::Failed(error)),
        }
        self.phase = Phase::Delegated { index: index.saturating_add(1) };
        None
    }

    fn supply_delegated(&mut self, index: usize, reply: Result<Vec<u8>, TrustError>) {
        if let Some(role) = profile::DELEGATED.get(index) {
            let event = self.enter_role(role, reply).unwrap_or_else(Event::Failed);
            self.report.add(role, event);
        }
        self.phase = Phase::Delegated { index: index.saturating_add(1) };
    }

    /// What to fetch for a targets role; `None` when it is here and unexpired.
    fn role_fetch(&self, role: &str) -> Result<Option<Fetch>, TrustError> {
        let trusted = &self.state.trusted;
        if role != "targets" {
            let targets = trusted.targets("targets").ok_or_else(|| {
                TrustError::new(TrustErrorKind::NotDelegated, role, "targets is not trusted yet")
            })?;
            targets.authority(role, "targets")?;
        }
        let expected = trusted.expected_targets(role)?;
        if trusted.has_expected_targets(role, "targets") {
            if let Some(held) = trusted.targets(role) {
                self.freeze.check(role, held)?;
            }
            return Ok(None);
        }
        let limit = self.limits.trust.targets_bytes;
        let max_bytes = expected.length.unwrap_or(limit).min(limit);
        Ok(Some(self.metadata(role, Some(expected.version), max_bytes)))
    }

    fn enter_role(&mut self, role: &str, reply: Result<Vec<u8>, TrustError>) -> Result<Event, TrustError> {
        let bytes = reply?;
        let trusted = &mut self.state.trusted;
        let new = trusted.verify_targets(role, "targets", &bytes, &self.freeze, &self.limits)?;
        if role != "targets" {
            profile::check(role, &new, &self.limits)?;
        }
        let from = trusted.targets(role).map(|held| held.version);
        let to = new.version;
        trusted.accept_targets(role, "targets", new, &self.limits);
        Ok(Event::Updated { from, to })
    }

    // 5.7: files, each of which is judged alone.

    fn start_files(&mut self) {
        for (_, listing) in self.state.listings(&self.limits) {
            let refused = listing.recipes.into_iter().filter_map(|(_, listed)| listed.err());
            for error in refused.chain(listing.foreign) {
                self.report.add(&error.subject.clone(), Event::Failed(error));
            }
        }
        self.phase = Phase::Files { wanted: self.state.wanted(&self.limits), index: 0 };
    }

    fn supply_file(&mut self, reply: Result<Vec<u8>, TrustError>) {
        let Phase::Files { wanted, index } = &mut self.phase else { return };
        let Some(file) = wanted.get(*index) else { return };
        let event = match reply.and_then(|bytes| self.state.accept_file(file, bytes)) {
            Ok(()) => Event::Updated { from: None, to: 0 },
            Err(error) => Event::Failed(error),
        };
        self.report.add(&file.path, event);
        *index = index.saturating_add(1);
    }

    // Names.

    fn consistent(&self) -> bool {
        self.state.trusted.root().consistent_snapshot
    }

    fn metadata(&self, role: &str, version: Option<u64>, max_bytes: u64) -> Fetch {
        Fetch { path: location::metadata(role, version.filter(|_| self.consistent())), max_bytes }
    }

    fn file(&self, file: &Wanted) -> Fetch {
        let hash = self.consistent().then_some(&file.sha256);
        Fetch { path: location::file(&file.path, hash), max_bytes: file.length }
    }

    fn subject(&self) -> String {
        let name = match &self.phase {
            Phase::Root { .. } => "root",
            Phase::Timestamp => "timestamp",
            Phase::Snapshot => "snapshot",
            Phase::Targets => "targets",
            Phase::Delegated { index } => profile::DELEGATED.get(*index).copied().unwrap_or_default(),
            Phase::Files { wanted, index } => wanted.get(*index).map_or("", |file| file.path.as_str()),
            Phase::Done => "",
        };
        name.to_owned()
    }

    fn stop(&mut self, error: TrustError) {
        self.report.add(&error.subject.clone(), Event::Failed(error));
        self.phase = Phase::Done;
    }
}
