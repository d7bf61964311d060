//! The part of a refresh that every client of TUF does (specification 5.3 to 5.6): the four top-level roles in their order, and
//! the steps for one delegated role. Sans-io: it names the file it needs.
//!
//! Which delegated roles matter, and which files, is for those above it: `edition::client` refreshes a Mulberry edition,
//! [`updater`](super::updater) looks up paths in any repository.

use jiff::Timestamp as Instant;

use super::error::{TrustError, TrustErrorKind};
use super::expiry::FreezeCheck;
use super::fetch::{Fetch, Reply};
use super::location;
use super::metadata::{Root, Targets};
use super::report::{Event, RefreshReport};
use super::trusted::{Step, Trusted};
use super::verify;
use crate::limits::Limits;

/// The role at the top of all files.
const TARGETS: &str = "targets";

/// What a client asks of targets above TUF, given the root that vouches for it.
pub(crate) type TargetsRule = fn(&Targets, &Root) -> Result<(), TrustError>;

/// One pass through the top-level roles, with what holds for all of the refresh.
#[derive(Clone, Debug)]
pub(crate) struct Workflow {
    pub(crate) freeze: FreezeCheck,
    pub(crate) limits: Limits,
    pub(crate) report: RefreshReport,
    rule: TargetsRule,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Root {
        from: u64,
        rotations: u32,
    },
    Timestamp,
    Snapshot,
    Targets,
    /// Everything up to targets is current.
    Through,
    /// Something failed, which the report says.
    Stopped,
}

impl Workflow {
    /// Starts after the trusted root. `now` is the time for all of it (5.1). Targets that `rule` refuses ends it.
    pub(crate) fn start(trusted: &Trusted, now: Instant, rule: TargetsRule, limits: &Limits) -> Self {
        let phase = Phase::Root { from: trusted.root().version, rotations: 0 };
        let freeze = FreezeCheck::at(now);
        Self { freeze, limits: limits.clone(), report: RefreshReport::default(), rule, phase }
    }

    /// Whether targets was reached.
    pub(crate) fn is_through(&self) -> bool {
        self.phase == Phase::Through
    }

    /// The file needed next; `None` when targets is reached or something has failed.
    pub(crate) fn next(&mut self, trusted: &Trusted) -> Option<Fetch> {
        loop {
            let fetch = match self.phase {
                Phase::Root { .. } => self.next_root(trusted),
                Phase::Timestamp => {
                    Some(metadata(trusted, "timestamp", None, self.limits.trust.timestamp_bytes))
                }
                Phase::Snapshot => self.next_snapshot(trusted),
                Phase::Targets => self.next_targets(trusted),
                Phase::Through | Phase::Stopped => return None,
            };
            if fetch.is_some() {
                return fetch;
            }
        }
    }

    /// Takes what came of the fetch that [`Self::next`] named.
    pub(crate) fn supply(&mut self, trusted: &mut Trusted, fetch: &Fetch, reply: Reply) {
        let reply = received(self.subject(), fetch, reply);
        let step = match self.phase {
            Phase::Root { from, rotations } => self.supply_root(trusted, from, rotations, reply),
            Phase::Timestamp => self.supply_timestamp(trusted, reply),
            Phase::Snapshot => self.supply_snapshot(trusted, reply),
            Phase::Targets => self.supply_targets(trusted, reply),
            Phase::Through | Phase::Stopped => Ok(()),
        };
        if let Err(error) = step {
            self.stop(error.in_file(&fetch.path));
        }
    }

    // 5.3: root.

    fn next_root(&mut self, trusted: &Trusted) -> Option<Fetch> {
        // 5.3.3: a limited number of rotations. A root of the highest version has no successor.
        match (&self.phase, trusted.root().version.checked_add(1)) {
            (Phase::Root { rotations, .. }, Some(next)) if *rotations < self.limits.trust.rotations => {
                // Roots are versioned whether snapshots are consistent or not.
                let path = location::metadata("root", Some(next));
                Some(Fetch { path, max_bytes: self.limits.trust.root_bytes })
            }
            _ => {
                self.end_root(trusted);
                None
            }
        }
    }

    fn supply_root(
        &mut self,
        trusted: &mut Trusted,
        from: u64,
        rotations: u32,
        reply: Result<Vec<u8>, TrustError>,
    ) -> Result<(), TrustError> {
        match reply {
            Err(error) if error.kind == TrustErrorKind::Absent => self.end_root(trusted),
            // 5.3.3 knows only "not available". Whoever can send an error, or let the time run out, could as well send a 404, so
            // stopping here would protect nobody. What hides a root longer than a timestamp lives is found at 5.4.4.
            Err(error) if error.kind == TrustErrorKind::Unreachable => {
                self.report.add("root", Event::Withheld(error));
                self.end_root(trusted);
            }
            // It is there, and is not what it must be.
            Err(error) => return Err(error),
            Ok(bytes) => {
                trusted.update_root(&bytes, &self.limits).inspect_err(|_| self.report_root(trusted))?;
                self.phase = Phase::Root { from, rotations: rotations.saturating_add(1) };
            }
        }
        Ok(())
    }

    fn end_root(&mut self, trusted: &Trusted) {
        self.report_root(trusted);
        // 5.3.10: only the last root's expiry counts.
        match trusted.check_root(&self.freeze) {
            Ok(()) => self.phase = Phase::Timestamp,
            Err(error) => self.stop(error),
        }
    }

    fn report_root(&mut self, trusted: &Trusted) {
        let to = trusted.root().version;
        if let Phase::Root { from, .. } = self.phase {
            let event = if from == to { Event::Unchanged } else { Event::Updated { from: Some(from), to } };
            self.report.add("root", event);
        }
    }

    // 5.4: timestamp.

    fn supply_timestamp(
        &mut self,
        trusted: &mut Trusted,
        reply: Result<Vec<u8>, TrustError>,
    ) -> Result<(), TrustError> {
        let from = trusted.timestamp().map(|held| held.version);
        let step = trusted.update_timestamp(&reply?, &self.freeze, &self.limits)?;
        let to = trusted.timestamp().map_or(0, |held| held.version);
        let event = match step {
            Step::New => Event::Updated { from, to },
            Step::Same => Event::Unchanged,
        };
        self.report.add("timestamp", event);
        self.phase = Phase::Snapshot;
        Ok(())
    }

    // 5.5: snapshot.

    fn next_snapshot(&mut self, trusted: &Trusted) -> Option<Fetch> {
        if trusted.has_expected_snapshot() {
            match trusted.check_snapshot(&self.freeze) {
                Ok(()) => {
                    self.report.add("snapshot", Event::Unchanged);
                    self.phase = Phase::Targets;
                }
                Err(error) => self.stop(error),
            }
            return None;
        }
        let expected = trusted.expected_snapshot().map(|meta| (meta.version, meta.length));
        match expected {
            Ok((version, length)) => {
                let limit = self.limits.trust.snapshot_bytes;
                Some(metadata(trusted, "snapshot", Some(version), length.unwrap_or(limit).min(limit)))
            }
            Err(error) => {
                self.stop(error);
                None
            }
        }
    }

    fn supply_snapshot(
        &mut self,
        trusted: &mut Trusted,
        reply: Result<Vec<u8>, TrustError>,
    ) -> Result<(), TrustError> {
        let from = trusted.snapshot().map(|held| held.version);
        trusted.update_snapshot(&reply?, &self.freeze, &self.limits)?;
        let to = trusted.snapshot().map_or(0, |held| held.version);
        self.report.add("snapshot", Event::Updated { from, to });
        self.phase = Phase::Targets;
        Ok(())
    }

    // 5.6: targets, and the steps for a delegated role.

    fn next_targets(&mut self, trusted: &Trusted) -> Option<Fetch> {
        // What is here already is judged again: the root above it may have changed.
        let judged = |held: &Targets| (self.rule)(held, trusted.root());
        let needed = self.role_fetch(trusted, TARGETS, "root");
        match needed.and_then(|fetch| match (&fetch, trusted.targets(TARGETS)) {
            (None, Some(held)) => judged(held).map(|()| fetch),
            _ => Ok(fetch),
        }) {
            Ok(Some(fetch)) => return Some(fetch),
            Ok(None) => {
                self.report.add("targets", Event::Unchanged);
                self.phase = Phase::Through;
            }
            Err(error) => self.stop(error),
        }
        None
    }

    fn supply_targets(
        &mut self,
        trusted: &mut Trusted,
        reply: Result<Vec<u8>, TrustError>,
    ) -> Result<(), TrustError> {
        let (rule, root) = (self.rule, trusted.root().clone());
        let event = self.enter_role(trusted, TARGETS, "root", reply, |new| rule(new, &root))?;
        self.report.add("targets", event);
        self.phase = Phase::Through;
        Ok(())
    }

    /// What to fetch for targets or a role that `delegator` delegates to; `None` when it is here and unexpired.
    pub(crate) fn role_fetch(
        &self,
        trusted: &Trusted,
        role: &str,
        delegator: &str,
    ) -> Result<Option<Fetch>, TrustError> {
        if role != TARGETS {
            let vouching = trusted.targets(delegator).ok_or_else(|| {
                let sentence = format!("{delegator} is not trusted yet");
                TrustError::new(TrustErrorKind::NotDelegated, role, sentence)
            })?;
            vouching.authority(role, delegator)?;
        }
        let expected = trusted.expected_targets(role)?;
        if trusted.has_expected_targets(role, delegator) {
            if let Some(held) = trusted.targets(role) {
                self.freeze.check(role, held)?;
            }
            return Ok(None);
        }
        let limit = self.limits.trust.targets_bytes;
        let max_bytes = expected.length.unwrap_or(limit).min(limit);
        Ok(Some(metadata(trusted, role, Some(expected.version), max_bytes)))
    }

    /// Verifies targets or a delegated role, asks `profile` what it thinks of it, and enters it.
    pub(crate) fn enter_role(
        &self,
        trusted: &mut Trusted,
        role: &str,
        delegator: &str,
        bytes: Result<Vec<u8>, TrustError>,
        profile: impl FnOnce(&Targets) -> Result<(), TrustError>,
    ) -> Result<Event, TrustError> {
        let new = trusted.verify_targets(role, delegator, &bytes?, &self.freeze, &self.limits)?;
        profile(&new)?;
        let from = trusted.targets(role).map(|held| held.version);
        let to = new.version;
        trusted.accept_targets(role, delegator, new, &self.limits);
        Ok(Event::Updated { from, to })
    }

    fn subject(&self) -> &'static str {
        match self.phase {
            Phase::Root { .. } => "root",
            Phase::Timestamp => "timestamp",
            Phase::Snapshot => "snapshot",
            Phase::Targets | Phase::Through | Phase::Stopped => TARGETS,
        }
    }

    fn stop(&mut self, error: TrustError) {
        self.report.add(&error.subject.clone(), Event::Failed(error));
        self.phase = Phase::Stopped;
    }
}

/// What came of a fetch, as bytes that are no longer than allowed.
pub(crate) fn received(subject: &str, fetch: &Fetch, reply: Reply) -> Result<Vec<u8>, TrustError> {
    let failed = |kind, sentence| Err(TrustError::new(kind, subject, sentence));
    match reply {
        Reply::Bytes(bytes) => verify::too_large(subject, &bytes, fetch.max_bytes).map(|()| bytes),
        Reply::TooLong => Err(verify::longer_than(subject, fetch.max_bytes)),
        Reply::Absent => failed(
            TrustErrorKind::Absent,
            format!("the origin has no {}; it is incomplete, ask another one", fetch.path),
        ),
        Reply::Failed(why) => {
            failed(TrustErrorKind::Unreachable, format!("{} could not be fetched: {why}", fetch.path))
        }
    }
}

fn metadata(trusted: &Trusted, role: &str, version: Option<u64>, max_bytes: u64) -> Fetch {
    let consistent = trusted.root().consistent_snapshot;
    Fetch { path: location::metadata(role, version.filter(|_| consistent)), max_bytes }
}
