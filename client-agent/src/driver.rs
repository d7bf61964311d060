//! One run from end to end.
//!
//! ```text
//!            state.json, trust/            origins
//!                  │                         │
//!                  ▼                         ▼
//!   load ──────► refresh ──────────────► trust/ saved            (unreachable or refused: the last edition stays)
//!                  │
//!                  ▼
//!                decide      pure: edition, facts, enrolments, time → plan
//!                  │
//!                  ▼
//!                apply       in memory; each step judged against all add-ons, one that fails is left out alone
//!                  │
//!                  ▼
//!                verify      periodic pass if due, not held and the clock vouched for, else what recipes ask, else what is new
//!                  │
//!                  ▼
//!                commit      state.json: THE instant at which old becomes new
//!                  │
//!                  ▼
//!                project     certificates/, addons.json: rewritten where they differ
//!                  │
//!                  ▼
//!                tell        the hook, until it has succeeded once for what it sees now
//!                  │
//!                  ▼
//!                witness     does the server's ledger go on from what was seen of it? What is found is saved and reported
//! ```
//!
//! A run that dies, or is asked to end, before the commit has changed nothing but trust (which is whole at every instant); one that
//! dies after it is completed by the next, because projections and hook are compared with the state and not with what this run did.

use std::io;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::clock::ClockStanding;
use mulberry_shared::decide::{Consent, EditionView, Input, decide};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::{Edition, OnlineRole, TrustState, Waiver};
use mulberry_shared::enrolment;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::Verifies;
use mulberry_shared::tuf::TrustError;

use crate::apply::apply;
use crate::config::Facts;
use crate::examine::{Bench, Examiner};
use crate::passes::{self, Circumstances};
use crate::ports::{AddonFolder, Clock, Disk, Hook};
use crate::projections::Projections;
use crate::refresh::{Origins, refresh};
use crate::report::{PassReport, RunReport};
use crate::state::{LastRun, LeftOut, RefreshOutcome, Refreshed, State, StateError};
use crate::stop::Stop;
use crate::store::trust::TrustFilesError;
use crate::witness::Means;

mod stored;

pub use self::stored::{StoredTrust, load_trust};

/// Everything a run needs, wired by `main`.
pub struct Agent<'a> {
    /// The state folder.
    pub disk: &'a dyn Disk,
    /// The state folder's path, as the hook should see it.
    pub folder: String,
    /// The trust files in it.
    pub trust: Arc<StoredTrust>,
    /// Where editions come from.
    pub origins: Origins<'a>,
    /// The host's add-ons.
    pub addons: &'a dyn AddonFolder,
    /// How they are examined.
    pub examiner: &'a dyn Examiner,
    /// What tells the host.
    pub hook: Option<&'a dyn Hook>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// This machine, as a digest.
    pub machine: Option<Sha256Digest>,
    /// What recipes may target.
    pub facts: Facts,
    /// What the user allows.
    pub consent: Consent,
    /// Time between two periodic passes.
    pub pass_every: SignedDuration,
    /// Whether all add-ons are read and verified now.
    pub verify: Verify,
    /// Whether the run is to end early.
    pub stop: Stop,
    /// Ceilings.
    pub limits: Limits,
}

/// When a run reads and verifies all add-ons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// When the periodic pass is due, or a recipe asks.
    WhenDue,
    /// Now. While a recipe holds the periodic pass it is made as a recipe's pass: what it disables is distrusted, blocked, or
    /// other content than was enabled.
    Now,
}

/// Why a run could not be made. What an origin, a recipe or an add-on does wrong is never among these.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The trust files.
    #[error(transparent)]
    TrustFiles(#[from] TrustFilesError),
    /// The stored root does not verify.
    #[error("the stored trust cannot be used: {0}")]
    Trust(TrustError),
    /// It was asked to end.
    #[error(
        "the run was ended by a signal before it was finished. Recipes and add-ons are as they were before it; the next run \
         starts over"
    )]
    Stopped,
    /// The disk failed while something was written.
    #[error("{what} could not be written: {error}; nothing is half-done, and the next run continues")]
    Disk {
        /// What was being written.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// A run before its refresh.
pub(crate) struct Begun {
    /// The one instant of the run.
    pub(crate) now: Timestamp,
    /// The state as it was.
    pub(crate) old: State,
    /// The state as it will be.
    pub(crate) state: State,
    /// The trust as it was stored, if it was read for this run.
    pub(crate) stored: Option<TrustState>,
}

impl Agent<'_> {
    /// Makes one run.
    ///
    /// # Errors
    /// The state folder cannot be used.
    pub async fn once(&self) -> Result<RunReport, RunError> {
        let mut run = self.begin()?;
        let stored = self.trust.load(self.disk, &self.limits)?;
        run.stored = Some(stored.clone());
        let notes = &mut run.state.origins;
        let refresh = refresh(stored, &self.origins, notes, run.now, self.clock, &self.limits);
        let (trusted, refreshed) = self.unless_stopped(refresh).await?;
        match refreshed.outcome {
            RefreshOutcome::Current => run.state.last_contact = Some(run.now),
            outcome => tracing::warn!(outcome = outcome.as_str(), detail = refreshed.detail, "refresh"),
        }
        // A waiver is told of for as long as the metadata is held that came in under it.
        let edition = trusted.edition(&self.limits);
        let held =
            edition.as_ref().and_then(|edition: &Edition| edition.version_of(OnlineRole::Timestamp.as_str()));
        run.state.waived = run.state.waived.filter(|waived| held == Some(waived.timestamp));
        self.go_on(run, trusted, refreshed, &Waiver::NONE).await
    }

    /// Everything before the refresh.
    pub(crate) fn begin(&self) -> Result<Begun, RunError> {
        // One instant for the whole run: verdicts before and after a change must not differ by the passing of time.
        let now = self.clock.now();
        let old = State::load(self.disk)?;
        let mut state = old.clone();
        if state.settle_identity(self.machine) {
            tracing::warn!("this state was made on another machine: it gets a client id of its own");
        }
        Ok(Begun { now, old, state, stored: None })
    }

    /// Everything after the refresh. The waiver is that of a bundle handed in, and of nothing else.
    pub(crate) async fn go_on(
        &self,
        run: Begun,
        trusted: TrustState,
        refreshed: Refreshed,
        waiver: &Waiver,
    ) -> Result<RunReport, RunError> {
        let Begun { now, old, mut state, stored } = run;
        let kept = self.trust.save(self.disk, stored.as_ref(), &trusted);
        kept.map_err(disk("the trust state"))?;
        let edition = trusted.edition(&self.limits);
        let view =
            edition.as_ref().map_or_else(EditionView::default, |edition| edition.view_waiving(now, waiver));
        let plan = decide(&Input {
            edition: &view,
            facts: &self.facts.of(&state.client_id),
            consent: &self.consent,
            enrolments: &state.enrolments,
            now,
            limits: &self.limits,
        });
        let clock = ClockStanding::of(edition.as_ref(), now);
        if !clock.is_vouched() {
            tracing::warn!(%clock, "the clock is not vouched for: no date disables an add-on in this run");
        }
        let mut bench = Bench::new(self.addons, self.examiner, now, &self.stop);
        let outcome = apply(plan, state.enrolments, &state.addons, &clock, &mut bench);
        state.enrolments = outcome.enrolments;

        let effects = enrolment::effects(&state.enrolments, now);
        let asked_now = self.verify == Verify::Now;
        let due = asked_now || passes::is_due(state.last_full_pass, self.pass_every, now);
        let held = effects.hold_until.is_some();
        let misdated = passes::is_misdated(state.last_full_pass, now);
        let asked = if asked_now { Verifies::All } else { outcome.asked };
        let pass = passes::choose(due, misdated, held, asked, &clock);
        if asked_now || pass == passes::Pass::Periodic {
            bench.reread_all();
        }
        let last_full_pass = state.last_full_pass;
        let circumstances = Circumstances { effects: &effects, clock: &clock, last_full_pass };
        let made = passes::make(pass, &state.addons, circumstances, &mut bench);
        // Asked after the last add-on and before the first word of the outcome: from here on the run goes to its end.
        if self.stop.is_cancelled() {
            return Err(RunError::Stopped);
        }
        state.pass_problem = match made {
            Ok(records) => {
                state.addons = records;
                if pass == passes::Pass::Periodic {
                    state.last_full_pass = Some(now);
                } else if misdated && clock.is_vouched() {
                    state.last_full_pass = None;
                }
                None
            }
            Err(problem) => {
                tracing::warn!(problem, "no add-on was verified in this run");
                Some(problem)
            }
        };

        // Where the folder could not be listed, the problem of the pass says so.
        if let Ok(gaps) = bench.gaps() {
            state.left_out = LeftOut::of(&gaps);
        }
        state.last_run = Some(LastRun {
            at: now,
            clock_shifted: self.clock.is_shifted(),
            refresh: refreshed,
            recipes: outcome.results,
        });
        if old.must_commit(&state) {
            state.save(self.disk).map_err(disk("state.json"))?;
        }
        let projections = Projections::of(&state, now).map_err(disk("addons.json"))?;
        projections.write(self.disk).map_err(disk("what the host sees"))?;
        let hook = match self.hook {
            Some(hook) => {
                projections.tell(hook, self.disk, &self.folder, now).await.map_err(disk("hook.json"))?
            }
            None => None,
        };
        // Last: what a witness finds keeps no fix waiting.
        let before = (state.witness.clone(), state.waiting_heads.clone());
        let observed = self.unless_stopped(self.observe(&mut state, &trusted, now)).await;
        if observed.is_err() {
            (state.witness, state.waiting_heads) = before;
        } else if (&state.witness, &state.waiting_heads) != (&before.0, &before.1) {
            state.save(self.disk).map_err(disk("state.json"))?;
        }
        let problem = state.pass_problem.clone();
        let pass = PassReport::of(pass, problem, &old, &state, effects.hold_until);
        Ok(RunReport::new(&state, edition.as_ref(), pass, hook))
    }
}

impl Agent<'_> {
    /// What comes of `work`, unless the run is asked to end before.
    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, RunError> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(RunError::Stopped),
            done = work => Ok(done),
        }
    }

    /// Looks at the head of the ledger that the timestamp names. Only origins that were asked in this run are asked for links.
    async fn observe(&self, state: &mut State, trust: &TrustState, now: Timestamp) {
        let gave = state.last_run.as_ref().map_or("", |run| run.refresh.origin.as_str());
        let mut origins = self.origins.all.clone();
        origins.sort_by_key(|origin| origin.origin() != gave);
        if origins.first().is_none_or(|origin| origin.origin() != gave) {
            origins.clear();
        }
        let (client_id, clock, limits) = (&state.client_id, self.clock, &self.limits);
        let means = Means { origins, trust, client_id, now, clock, limits };
        means.observe(&mut state.witness, &mut state.waiting_heads).await;
    }
}

fn disk(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |error| RunError::Disk { what, error }
}

/// The periodic pass is due next at this time.
#[must_use]
pub fn next_pass(last: Option<Timestamp>, every: SignedDuration) -> Option<Timestamp> {
    last.and_then(|last| last.checked_add(every).ok())
}

#[cfg(test)]
mod tests;
