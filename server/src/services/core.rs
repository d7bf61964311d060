//! The one writer and what everybody reads.
//!
//! A change goes: decide (pure) → event durable in the ledger → edition signed and durable → served → acknowledged.
//! Readers take the served set as it is, without waiting for a writer. A change that has begun is finished even when its
//! requester goes away.

mod commit;
mod open;
mod proposals;

pub mod ceremonies;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{
    ExpiryStatus, GateRequest, GateResponse, LedgerHead, ProblemKind, PublishRequest, PublishResponse,
    StatusResponse,
};
use mulberry_shared::recipe::{Lane, RecipePath};
use tokio::sync::{Mutex, Semaphore};

use super::{Refusal, gate, publish, status};
use crate::clock::Clock;
use crate::clock::watch::{Time, Watch};
use crate::export::source::Exporter;
use crate::keys::KeySource;
use crate::live::Live;
use crate::metrics::{Change, Metrics, Reading};
use crate::served::Served;
use crate::store::Store;

use commit::Writer;

pub use commit::SignError;
pub use open::{OpenError, check_edition, fold, settle};

/// How many exports over the network run at once; each holds a few megabytes.
const EXPORTS: usize = 2;

/// The server's services.
pub struct Core {
    writer: Mutex<Writer>,
    served: RwLock<Arc<Served>>,
    live: Live,
    metrics: Metrics,
    /// For exports only: everything else goes through the writer.
    store: Arc<dyn Store>,
    exports: Arc<Semaphore>,
    keys: Arc<dyn KeySource>,
    /// Why this server cannot sign, while it cannot.
    unsigned: std::sync::Mutex<Option<String>>,
    /// Whether the last attempt to make something durable failed.
    failing: AtomicBool,
    /// Head of the ledger, ahead of what is served when an edition could not be stored.
    recorded: std::sync::Mutex<LedgerHead>,
    clock: Arc<dyn Clock>,
    watch: std::sync::Mutex<Watch>,
    limits: Limits,
}

/// Whether a request changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Changed,
    Unchanged,
}

impl Core {
    /// What is served now.
    #[must_use]
    pub fn served(&self) -> Arc<Served> {
        self.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The hub of the live stream.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The figures.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What the figures show of the state now.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let (served, now) = (self.served(), self.clock.now());
        let expiries = status::expiries(&served, now).into_iter();
        Reading {
            edition: served.edition.number(),
            events: served.state.head.sequence,
            recipes: served.state.recipes().count(),
            live_connections: self.live.connected(),
            troubles: self.troubles().len(),
            closed_gates: self.closed_gates(now).len(),
            expiries: expiries
                .map(|role| (role.role, role.expires.as_second().saturating_sub(now.as_second())))
                .collect(),
        }
    }

    /// An export of everything that is served now.
    #[must_use]
    pub fn export(&self) -> Exporter {
        Exporter::new(self.store.clone(), self.served().state.head)
    }

    /// The same for somebody on the network.
    ///
    /// # Errors
    /// `unavailable` while as many run as may.
    pub fn export_remotely(&self) -> Result<Exporter, Refusal> {
        let place = self.exports.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{EXPORTS} exports of the ledger are running, and no more may at once");
            Refusal::new(ProblemKind::Unavailable, detail, "try again in a minute")
        })?;
        Ok(self.export().holding(place))
    }

    /// The ceilings.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusResponse {
        let status = status::status(&self.served(), &self.time(), self.clock.is_shifted());
        StatusResponse { ledger: self.recorded(), troubles: self.troubles(), ..status }
    }

    /// The time, and how far back it is believed.
    fn time(&self) -> Time {
        let event = self.recorded().sequence;
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, set_by) = watch.look(self.clock.reading(), event);
        if let Some(by) = set_by {
            let remedy = "whatever bakes bakes again; look at what sets this machine's clock";
            tracing::warn!(now = %time.now, by = %format_args!("{by:#}"), remedy, "the clock was set");
        }
        time
    }

    fn recorded(&self) -> LedgerHead {
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something could not be written to the state folder.
    pub fn note_failed_write(&self) {
        self.failing.store(true, Ordering::SeqCst);
    }

    /// What an operator must look at, a sentence each; none when all is well.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let time = self.time();
        let mut troubles: Vec<String> = status::expiries(&self.served(), time.now)
            .into_iter()
            .filter(|expiry| expiry.due)
            .map(|expiry| {
                let ExpiryStatus { role, version, expires, .. } = expiry;
                format!(
                    "{role} version {version} expires at {expires}; this server's clock reads {:.0}",
                    time.now
                )
            })
            .collect();
        let unsigned = self.unsigned.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.extend(unsigned.iter().map(|why| format!("this server cannot sign: {why}")));
        if self.failing.load(Ordering::SeqCst) {
            let sentence = "the last write to the state folder failed: nothing can be changed, and what was signed last is served until \
                            it expires; make room on its disk, or see the log";
            troubles.push(sentence.to_owned());
        }
        if let Err(why) = self.served().clients.check() {
            let remedy = "withdraw recipes that are over, or set that gate again with another --public-note";
            troubles.push(format!("clients keep closed what they cannot read: {why}; {remedy}"));
        }
        troubles.extend(status::ahead(&self.served().state, &time));
        troubles.extend(self.closed_gates(time.now));
        let (recorded, served) = (self.recorded().sequence, self.served().state.head.sequence);
        if recorded > served {
            troubles
                .push(format!("event {recorded} is recorded, but what is served shows event {served} only"));
        }
        troubles
    }

    /// A sentence for each open gate that clients take for closed.
    fn closed_gates(&self, now: Timestamp) -> Vec<String> {
        let served = self.served();
        served.clients.closed(&served.state, now).map(|(_, sentence)| sentence).collect()
    }

    /// Publishes a lane.
    ///
    /// # Errors
    /// [`publish::decide`]'s, and `unavailable`.
    pub async fn publish(
        self: &Arc<Self>,
        actor: Actor,
        lane: Lane,
        request: PublishRequest,
    ) -> Result<PublishResponse, Refusal> {
        let core = self.clone();
        self.finish(Change::Publish, async move {
            let mut writer = core.writer.lock().await;
            let time = core.time();
            let event = publish::decide(&writer.state, lane, &request, time.now, &core.limits)?;
            let done = core.commit_any(&mut writer, &actor, event, time.now).await?;
            Ok((done, core.published(lane, request.withdraw, &time)))
        })
        .await
    }

    /// The lane as it is served now.
    fn published(&self, lane: Lane, withdrawn: Vec<String>, time: &Time) -> PublishResponse {
        let served = self.served();
        let state = &served.state;
        PublishResponse {
            edition: served.edition.number(),
            lane: lane.to_string(),
            lane_version: state.lanes.get(&lane).map_or(0, |lane| lane.metadata.version),
            withdrawn,
            recipes: status::recipes(&served, Some(lane), time),
            ledger: state.head,
        }
    }

    /// Sets a gate.
    ///
    /// # Errors
    /// [`gate::decide`]'s, and `unavailable`.
    pub async fn set_gate(
        self: &Arc<Self>,
        actor: Actor,
        path: RecipePath,
        request: GateRequest,
    ) -> Result<GateResponse, Refusal> {
        let core = self.clone();
        self.finish(Change::Gate, async move {
            let mut writer = core.writer.lock().await;
            let time = core.time();
            let event = gate::decide(&writer.state, &actor, &path, &request, time, &core.limits)?;
            let done = core.commit_any(&mut writer, &actor, event, time.now).await?;
            let served = core.served();
            let published = served.state.recipe(&path).ok_or_else(|| internal("the recipe is gone"))?;
            let answer = GateResponse {
                edition: served.edition.number(),
                recipe: status::recipe(&served, &path, published, &time),
                already: Some(matches!(done, Done::Unchanged)),
                ledger: served.state.head,
            };
            Ok((done, answer))
        })
        .await
    }

    /// Runs a change to its end, whether or not anybody still waits for its answer, and counts it.
    async fn finish<T: Send + 'static>(
        self: &Arc<Self>,
        kind: Change,
        change: impl Future<Output = Result<(Done, T), Refusal>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let core = self.clone();
        let finished = tokio::spawn(async move {
            let ended = change.await;
            let result = match &ended {
                Ok((Done::Changed, _)) => "done".to_owned(),
                Ok((Done::Unchanged, _)) => "unchanged".to_owned(),
                Err(refusal) => Refusal::kind_name(refusal.kind),
            };
            core.metrics.count_change(kind, result);
            ended
        });
        match finished.await {
            Ok(answer) => answer.map(|(_, answer)| answer),
            Err(error) => Err(internal(&error.to_string())),
        }
    }
}

fn internal(why: &str) -> Refusal {
    tracing::error!(why, "a request failed inside the server");
    Refusal::new(ProblemKind::Internal, "the server made a mistake", "look at its log and report it")
}

#[cfg(test)]
mod durability;
#[cfg(test)]
mod tests;
