//! One refresh, sans-io: it names the file it needs, the caller fetches it from wherever, and so on until done.
//!
//! Which origin, how often, with what delays: the caller's. What is true: decided here and in
//! [`tuf::trusted`](crate::tuf::trusted), which checks each step of the specification's section 5. The top-level roles are those
//! of any repository (`tuf::workflow`); the delegated roles and the files are Mulberry's.

use jiff::Timestamp as Instant;

use super::profile;
use super::state::{TrustState, Wanted};
use super::waiver::Waiver;
use crate::limits::Limits;
use crate::tuf::metadata::Targets;
use crate::tuf::report::{Event, RefreshReport};
use crate::tuf::workflow::{self, Workflow};
use crate::tuf::{Fetch, Next, Reply, location};

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
    workflow: Workflow,
    phase: Phase,
}

#[derive(Clone, Debug)]
enum Phase {
    TopLevel,
    Delegated { index: usize },
    Files { wanted: Vec<Wanted>, index: usize },
    Done,
}

impl Refresh {
    /// Starts a refresh. `now` is the time for all of it (5.1).
    #[must_use]
    pub fn start(state: TrustState, now: Instant, limits: &Limits) -> Self {
        let workflow = Workflow::start(&state.trusted, now, profile::check_keys, limits);
        Self { state, workflow, phase: Phase::TopLevel }
    }

    /// Lets the expiry of what the server signs not count, as far as `waiver` names it. For a bundle that a person hands to
    /// this client, and for nothing that came over a network: freshness is all that expiry proves.
    #[must_use]
    pub fn waiving(mut self, waiver: &Waiver) -> Self {
        self.workflow.freeze = self.workflow.freeze.waiving(waiver.roles());
        self
    }

    /// What is needed next. Asking twice gives the same answer.
    #[expect(clippy::should_implement_trait, reason = "a step of a conversation, not an item of a sequence")]
    pub fn next(&mut self) -> Next {
        loop {
            let fetch = match &self.phase {
                Phase::TopLevel => {
                    let fetch = self.workflow.next(&self.state.trusted);
                    if fetch.is_none() {
                        let through = self.workflow.is_through();
                        self.phase = if through { Phase::Delegated { index: 0 } } else { Phase::Done };
                    }
                    fetch
                }
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
        match &self.phase {
            Phase::TopLevel => self.workflow.supply(&mut self.state.trusted, &fetch, reply),
            Phase::Delegated { index } => self.supply_delegated(*index, &fetch, reply),
            Phase::Files { .. } => self.supply_file(&fetch, reply),
            Phase::Done => {}
        }
    }

    /// The state to store, and what happened. Whatever failed, the state is whole and no older than before.
    #[must_use]
    pub fn finish(mut self) -> (TrustState, RefreshReport) {
        self.state.prune(&self.workflow.limits);
        (self.state, self.workflow.report)
    }

    // 5.6: the delegated roles, each of which is judged alone.

    fn next_delegated(&mut self, index: usize) -> Option<Fetch> {
        let Some(role) = profile::DELEGATED.get(index) else {
            self.start_files();
            return None;
        };
        match self.workflow.role_fetch(&self.state.trusted, role, "targets") {
            Ok(Some(fetch)) => return Some(fetch),
            Ok(None) => self.workflow.report.add(role, Event::Unchanged),
            Err(error) => self.workflow.report.add(role, Event::Failed(error)),
        }
        self.phase = Phase::Delegated { index: index.saturating_add(1) };
        None
    }

    fn supply_delegated(&mut self, index: usize, fetch: &Fetch, reply: Reply) {
        if let Some(role) = profile::DELEGATED.get(index) {
            let bytes = workflow::received(role, fetch, reply);
            let trusted = &mut self.state.trusted;
            let check = |new: &Targets| profile::check(role, new, &self.workflow.limits);
            let event = self.workflow.enter_role(trusted, role, "targets", bytes, check);
            self.workflow
                .report
                .add(role, event.unwrap_or_else(|error| Event::Failed(error.in_file(&fetch.path))));
        }
        self.phase = Phase::Delegated { index: index.saturating_add(1) };
    }

    // 5.7: files, each of which is judged alone.

    fn start_files(&mut self) {
        for (_, listing) in self.state.listings(&self.workflow.limits) {
            let refused = listing.recipes.into_iter().filter_map(|(_, listed)| listed.err());
            for error in refused.chain(listing.foreign) {
                self.workflow.report.add(&error.subject.clone(), Event::Failed(error));
            }
        }
        self.phase = Phase::Files { wanted: self.state.wanted(&self.workflow.limits), index: 0 };
    }

    fn supply_file(&mut self, fetch: &Fetch, reply: Reply) {
        let Phase::Files { wanted, index } = &mut self.phase else { return };
        let Some(file) = wanted.get(*index) else { return };
        let bytes = workflow::received(&file.path, fetch, reply);
        let event = match bytes.and_then(|bytes| self.state.accept_file(file, bytes)) {
            Ok(()) => Event::Updated { from: None, to: 0 },
            Err(error) => Event::Failed(error),
        };
        self.workflow.report.add(&file.path, event);
        *index = index.saturating_add(1);
    }

    fn file(&self, file: &Wanted) -> Fetch {
        let hash = self.state.trusted.root().consistent_snapshot.then_some(&file.sha256);
        Fetch { path: location::file(&file.path, hash), max_bytes: file.length }
    }
}
