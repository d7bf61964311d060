//! The one writer and what everybody reads.
//!
//! A change goes: decide (pure) → event durable in the ledger → edition signed and durable → served → acknowledged.
//! Readers take the served set as it is, without waiting for a writer. A change that has begun is finished even when its
//! requester goes away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{
    GateRequest, GateResponse, LedgerHead, ProblemKind, PublishRequest, PublishResponse, StatusResponse,
};
use mulberry_shared::recipe::{Lane, RecipePath};
use mulberry_shared::trust::TrustError;
use tokio::sync::{Mutex, Semaphore};

use super::{Refusal, gate, publish, status};
use crate::clock::Clock;
use crate::edition::store::EditionStore;
use crate::edition::{self, Edition, StoredEditionError, Work};
use crate::event::{Event, Record};
use crate::export::source::Exporter;
use crate::files::FileError;
use crate::keys::{KeyError, KeySource, OnlineKeys};
use crate::ledger::{self, Ledger, LedgerError};
use crate::live::Live;
use crate::metrics::{Change, Metrics, Reading};
use crate::served::Served;
use crate::state::{self, FoldError, Stamp, State};
use crate::store::Store;

/// How many exports over the network run at once; each holds a few megabytes.
const EXPORTS: usize = 2;

pub mod ceremonies;
mod proposals;

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
    limits: Limits,
}

struct Writer {
    ledger: Ledger,
    state: Arc<State>,
    edition: Option<Arc<Edition>>,
    /// `None` while this server cannot sign.
    keys: Option<OnlineKeys>,
    editions: Arc<dyn EditionStore>,
}

/// Whether a request changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Changed,
    Unchanged,
}

/// The services cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger or its events.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The ledger is empty.
    #[error(
        "the state folder was never initialised; run `mulberry-server init --from DIR --state STATE` first"
    )]
    NotInitialised,
    /// The stored edition.
    #[error(transparent)]
    Edition(#[from] StoredEditionError),
    /// The online keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Signing.
    #[error("the first edition cannot be signed: {0}")]
    Sign(#[from] SignError),
}

/// Signing and storing an edition failed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Signing.
    #[error("{0}")]
    Trust(#[from] TrustError),
    /// Writing it down.
    #[error("{0}")]
    Encode(#[from] serde_json::Error),
    /// Storing it.
    #[error("{0}")]
    File(#[from] FileError),
    /// The keys are not there.
    #[error("an online key is missing or not authorised; the status says which")]
    NoKeys,
    /// The task that stores it.
    #[error("the task that stores it failed: {0}")]
    Task(String),
}

impl Core {
    /// Checks the ledger, folds it, verifies the stored edition against it, and signs what is due.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then.
    pub async fn open(
        store: Arc<dyn Store>,
        editions: Arc<dyn EditionStore>,
        keys: Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let (ledger, state, heads) = fold(store.clone(), &limits).await?;
        let state = Arc::new(state.ok_or(OpenError::NotInitialised)?);
        let stored = editions.load()?;
        let edition =
            match stored.as_deref().map(|bytes| (bytes, Edition::from_bytes(bytes, &state, &limits))) {
                None => None,
                Some((_, Ok(edition))) => {
                    ledger::check_witness(edition.ledger(), &heads).map_err(FoldError::from)?;
                    Some(Arc::new(edition))
                }
                Some((bytes, Err(error @ StoredEditionError::Refused(_)))) => {
                    // The keys that signed it were changed by people, and it was the last thing that happened.
                    let head = edition::outdated(bytes, &state, &limits).ok_or(error)?;
                    ledger::check_witness(head, &heads).map_err(FoldError::from)?;
                    None
                }
                Some((_, Err(error))) => return Err(error.into()),
            };
        let (selected, unsigned) = match (keys.select(&state.root, &state.targets), &edition) {
            (Ok(selected), _) => (Some(selected), None),
            (Err(error), None) => return Err(error.into()),
            // What was signed is served as long as it lasts, and people can authorise new keys meanwhile.
            (Err(error), Some(_)) => (None, Some(error.to_string())),
        };
        match &unsigned {
            Some(error) => tracing::error!(error, "this server cannot sign; what was signed last is served"),
            None => keys.settle(&state.root, &state.targets)?,
        }
        let mut writer = Writer { ledger, state, edition, keys: selected, editions };
        let now = clock.now();
        let work = edition::due(writer.edition.as_deref(), &writer.state, now);
        let edition = match (&writer.edition, work) {
            (Some(edition), Work::Nothing) => edition.clone(),
            (Some(edition), _) if writer.keys.is_none() => edition.clone(),
            _ => writer.sign(now, work, &limits).await?,
        };
        let recorded = std::sync::Mutex::new(writer.ledger.head());
        let served = RwLock::new(Arc::new(Served::new(None, writer.state.clone(), edition)));
        let (live, metrics, failing) = (Live::default(), Metrics::default(), AtomicBool::new(false));
        let (writer, exports) = (Mutex::new(writer), Arc::new(Semaphore::new(EXPORTS)));
        let unsigned = std::sync::Mutex::new(unsigned);
        Ok(Self {
            writer,
            served,
            live,
            metrics,
            store,
            exports,
            keys,
            unsigned,
            failing,
            recorded,
            clock,
            limits,
        })
    }

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
        let status = status::status(&self.served(), self.clock.now(), self.clock.is_shifted());
        StatusResponse { ledger: self.recorded(), troubles: self.troubles(), ..status }
    }

    fn recorded(&self) -> LedgerHead {
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an operator must look at, a sentence each; none when all is well.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut troubles: Vec<String> = status::expiries(&self.served(), now)
            .into_iter()
            .filter(|expiry| expiry.due)
            .map(|expiry| format!("{} version {} expires at {}", expiry.role, expiry.version, expiry.expires))
            .collect();
        let unsigned = self.unsigned.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.extend(unsigned.iter().map(|why| format!("this server cannot sign: {why}")));
        if self.failing.load(Ordering::SeqCst) {
            troubles.push("the last write to the state folder failed".to_owned());
        }
        let (recorded, served) = (self.recorded().sequence, self.served().state.head.sequence);
        if recorded > served {
            troubles
                .push(format!("event {recorded} is recorded, but what is served shows event {served} only"));
        }
        troubles
    }

    /// Publishes a lane.
    ///
    /// # Errors
    /// [`publish::decide`]'s, and `unavailable`.
    pub async fn publish(
        self: &Arc<Self>,
        actor: String,
        lane: Lane,
        request: PublishRequest,
    ) -> Result<PublishResponse, Refusal> {
        let core = self.clone();
        self.finish(Change::Publish, async move {
            let mut writer = core.writer.lock().await;
            let now = core.clock.now();
            let event = publish::decide(&writer.state, lane, &request, now, &core.limits)?;
            let done = core.commit_any(&mut writer, &actor, event, now).await?;
            Ok((done, core.published(lane, request.withdraw, now)))
        })
        .await
    }

    /// The lane as it is served now.
    fn published(&self, lane: Lane, withdrawn: Vec<String>, now: Timestamp) -> PublishResponse {
        let served = self.served();
        let state = &served.state;
        PublishResponse {
            edition: served.edition.number(),
            lane: lane.to_string(),
            lane_version: state.lanes.get(&lane).map_or(0, |lane| lane.metadata.version),
            withdrawn,
            recipes: status::recipes(state, Some(lane), now),
            ledger: state.head,
        }
    }

    /// Sets a gate.
    ///
    /// # Errors
    /// [`gate::decide`]'s, and `unavailable`.
    pub async fn set_gate(
        self: &Arc<Self>,
        actor: String,
        path: RecipePath,
        request: GateRequest,
    ) -> Result<GateResponse, Refusal> {
        let core = self.clone();
        self.finish(Change::Gate, async move {
            let mut writer = core.writer.lock().await;
            let now = core.clock.now();
            let event = gate::decide(&writer.state, &actor, &path, &request, now, &core.limits)?;
            let done = core.commit_any(&mut writer, &actor, event, now).await?;
            let served = core.served();
            let published = served.state.recipe(&path).ok_or_else(|| internal("the recipe is gone"))?;
            let answer = GateResponse {
                edition: served.edition.number(),
                recipe: status::recipe(&served.state, &path, published, now),
                ledger: served.state.head,
            };
            Ok((done, answer))
        })
        .await
    }

    /// Signs again what is due; to be called every few seconds.
    ///
    /// # Errors
    /// [`SignError`]; what was served is still served, and the next call tries again.
    pub async fn sign_due(&self) -> Result<Work, SignError> {
        let mut writer = self.writer.lock().await;
        let now = self.clock.now();
        self.look_for_keys(&mut writer);
        let mut work = edition::due(writer.edition.as_deref(), &writer.state, now);
        // Signed earlier, but not stored then, so not served either.
        if writer.edition.as_ref().is_none_or(|signed| !Arc::ptr_eq(signed, &self.served().edition)) {
            work = work.max(Work::Timestamp);
        }
        if work != Work::Nothing {
            self.serve_next(&mut writer, now, work).await?;
        }
        Ok(work)
    }

    /// Commits the event, if there is one.
    async fn commit_any(
        &self,
        writer: &mut Writer,
        actor: &str,
        event: Option<Event>,
        now: Timestamp,
    ) -> Result<Done, Refusal> {
        match event {
            None => Ok(Done::Unchanged),
            Some(event) => self.commit(writer, actor, event, now).await.map(|()| Done::Changed),
        }
    }

    async fn commit(
        &self,
        writer: &mut Writer,
        actor: &str,
        event: Event,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        // Applied before it is recorded: an event that cannot be applied must never be in the ledger.
        let before = Some((*writer.state).clone());
        let stamp = Stamp { at: now, by: actor.to_owned() };
        let mut next = state::advance(before, &event, &stamp, ledger::EMPTY, &self.limits)
            .map_err(|error| internal(&error.to_string()))?;
        // Proposals are no part of an edition: the timestamp names the new head, and agents have nothing to fetch. Unless an
        // event before this one still waits for its edition.
        let work = match &event {
            Event::ProposalMade { .. }
            | Event::ProposalSigned { .. }
            | Event::ProposalDropped { .. }
            | Event::CeremonyMade { .. }
            | Event::CeremonySigned { .. }
            | Event::CeremonyDropped { .. } => {
                edition::due(writer.edition.as_deref(), &writer.state, now).max(Work::Timestamp)
            }
            Event::Initialised { .. }
            | Event::Continued { .. }
            | Event::LanePublished { .. }
            | Event::CeremonyPublished { .. }
            | Event::GateSet { .. }
            | Event::GateApproved { .. } => Work::Snapshot,
        };
        let what = event.describe();
        let record = match writer.ledger.append(now, actor, event).await {
            Ok(record) => record,
            Err(error) => {
                self.failing.store(true, Ordering::SeqCst);
                tracing::error!(%error, "an event could not be recorded");
                let detail =
                    "the event could not be made durable; it is served only if it is there after a restart";
                let remedy =
                    "check the server's disk and log, restart it, and look at its status before trying again";
                return Err(Refusal::new(ProblemKind::Unavailable, detail, remedy));
            }
        };
        next.set_head(writer.ledger.head());
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner) = next.head;
        tracing::info!(sequence = next.head.sequence, actor, what, "recorded");
        writer.state = Arc::new(next);
        if let Err(error) = self.serve_next(writer, now, work).await {
            tracing::error!(%error, "an event was recorded, but its edition could not be signed and stored");
            let detail =
                format!("it is recorded as event {}, but not served yet", writer.state.head.sequence);
            let remedy = "the server keeps trying; look at its status and its log";
            return Err(Refusal::new(ProblemKind::Unavailable, detail, remedy));
        }
        note(&record, &self.served());
        Ok(())
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

    /// Keys that were missing may have been put in their place since.
    fn look_for_keys(&self, writer: &mut Writer) {
        if writer.keys.is_none() {
            let selected = self.keys.select(&writer.state.root, &writer.state.targets);
            let why = selected.as_ref().err().map(ToString::to_string);
            writer.keys = selected.ok();
            *self.unsigned.lock().unwrap_or_else(PoisonError::into_inner) = why;
        }
    }

    async fn serve_next(&self, writer: &mut Writer, now: Timestamp, work: Work) -> Result<(), SignError> {
        let signed = writer.sign(now, work, &self.limits).await;
        self.failing.store(signed.is_err() || writer.ledger.is_uncertain(), Ordering::SeqCst);
        if signed.is_err() {
            self.metrics.count_signing_failure();
        }
        let edition = signed?;
        let previous = self.served();
        let (before, number) = (previous.edition.number(), edition.number());
        let next = Served::new(Some(&previous), writer.state.clone(), edition);
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        // A timestamp alone, signed again, is no new edition.
        if number != before {
            self.live.announce(number);
        }
        Ok(())
    }
}

impl Writer {
    /// Signs the next edition and makes it durable.
    async fn sign(&mut self, now: Timestamp, work: Work, limits: &Limits) -> Result<Arc<Edition>, SignError> {
        let keys = self.keys.as_ref().ok_or(SignError::NoKeys)?;
        let edition = edition::next(self.edition.as_deref(), &self.state, keys, now, work, limits)?;
        let bytes = edition.to_bytes()?;
        let edition = Arc::new(edition);
        // From here on its versions count as used, even if it is not stored.
        self.edition = Some(edition.clone());
        let editions = self.editions.clone();
        let saved = tokio::task::spawn_blocking(move || editions.save(&bytes)).await;
        saved.map_err(|error| SignError::Task(error.to_string()))??;
        Ok(edition)
    }
}

/// Reads and checks the whole ledger: its writing end, the state, and the head after each event.
///
/// # Errors
/// [`FoldError`].
pub async fn fold(
    store: Arc<dyn Store>,
    limits: &Limits,
) -> Result<(Ledger, Option<State>, Vec<LedgerHead>), FoldError> {
    let (mut state, mut heads) = (None, Vec::new());
    let ledger = Ledger::open::<FoldError>(store, |record, head| {
        state = Some(state::advance(state.take(), &record.event, &Stamp::of(&record), head, limits)?);
        heads.push(head);
        Ok(())
    })
    .await?;
    Ok((ledger, state, heads))
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        Self::Fold(error.into())
    }
}

/// A change as it is served now, for the log: who, which recipe and revision, and in which edition.
fn note(record: &Record, served: &Served) {
    let Record { sequence, actor, event, .. } = record;
    let edition = served.edition.number();
    match event {
        Event::Initialised { .. } | Event::Continued { .. } => {}
        Event::LanePublished { lane, recipes, withdrawn, .. } => {
            for path in recipes.keys() {
                let revision = served.state.recipe(path).map(|published| published.recipe.revision);
                tracing::info!(actor, %path, revision, edition, sequence, "published");
            }
            for slug in withdrawn {
                let path = RecipePath { lane: *lane, slug: slug.clone() };
                let revision = served.state.revisions.get(&path);
                tracing::info!(actor, %path, revision, edition, sequence, "withdrawn");
            }
        }
        Event::CeremonyPublished { .. } => {
            tracing::info!(actor, what = event.describe(), edition, sequence, "ceremony");
        }
        Event::ProposalMade { .. }
        | Event::ProposalSigned { .. }
        | Event::ProposalDropped { .. }
        | Event::CeremonyMade { .. }
        | Event::CeremonySigned { .. }
        | Event::CeremonyDropped { .. } => {
            tracing::info!(actor, what = event.describe(), sequence, "proposal");
        }
        Event::GateSet { path, gate } | Event::GateApproved { path, gate, .. } => {
            let (revision, state, percent) = (gate.revision, gate.state.as_str(), gate.percent.get());
            let approved = matches!(event, Event::GateApproved { .. });
            tracing::info!(
                actor, %path, revision, state, basis_points = percent, approved, edition, sequence, "gate set"
            );
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
