//! One refresh, sans-io: it names the file it needs, the caller fetches it from wherever, and so on until done.
//!
//! Which origin, how often, with what delays: the caller's. What is true: decided here and in
//! [`trusted`](super::trusted), which checks each step of the specification's section 5. The top-level roles are those of any
//! repository (`workflow`); the delegated roles and the files are Mulberry's.

use jiff::Timestamp as Instant;

use super::expiry::Waiver;
use super::location;
use super::metadata::Targets;
use super::profile;
use super::report::{Event, RefreshReport};
use super::state::{TrustState, Wanted};
use super::workflow::{self, Workflow};
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
    pub fn waiving(mut self, waiver: Waiver) -> Self {
        self.workflow.freeze.waiver = waiver;
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
