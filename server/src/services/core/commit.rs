//! The one writer: what it records, signs and makes durable, in this order.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::ProblemKind;
use mulberry_shared::recipe::RecipePath;
use mulberry_shared::tuf::TrustError;

use super::{Core, Done, internal};
use crate::clock::watch::{Doubt, Time};
use crate::edition::store::EditionStore;
use crate::edition::{self, Edition, Work};
use crate::event::{Event, Record};
use crate::files::FileError;
use crate::keys::OnlineKeys;
use crate::ledger::{self, Ledger, LedgerError};
use crate::served::Served;
use crate::services::Refusal;
use crate::services::clients::Clients;
use crate::state::{self, Stamp, State};

pub(super) struct Writer {
    pub(super) ledger: Ledger,
    pub(super) state: Arc<State>,
    pub(super) edition: Option<Arc<Edition>>,
    /// `None` while this server cannot sign.
    pub(super) keys: Option<OnlineKeys>,
    pub(super) editions: Arc<dyn EditionStore>,
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
    /// Signs again what is due; to be called every few seconds.
    ///
    /// # Errors
    /// [`SignError`]; what was served is still served, and the next call tries again.
    pub async fn sign_due(&self) -> Result<Work, SignError> {
        let mut writer = self.writer.lock().await;
        let time = self.time();
        let now = time.now;
        self.look_for_keys(&mut writer);
        let work = self.due(&writer, &time);
        if work != Work::Nothing {
            self.serve_next(&mut writer, now, work).await?;
        }
        Ok(work)
    }

    /// What has to be signed so that everything that is recorded is served.
    fn due(&self, writer: &Writer, time: &Time) -> Work {
        let mut work = edition::due(writer.edition.as_deref(), &writer.state, time.now);
        // Whether there is room again shows when something is written.
        if self.failing.load(Ordering::SeqCst) && !writer.ledger.is_uncertain() {
            work = work.max(Work::Timestamp);
        }
        match &writer.edition {
            // What is doubted lies beside the edition, so that a restart knows it.
            Some(signed) if signed.doubt == time.doubt() && Arc::ptr_eq(signed, &self.served().edition) => {
                work
            }
            // Or it was signed earlier, but not stored then, so not served either.
            _ => work.max(Work::Timestamp),
        }
    }

    /// Nothing is to be recorded, since it was before. Whoever asks again may have been told that it is not served yet: so it is
    /// served before anybody is told that it is so already.
    pub(super) async fn unchanged(&self, writer: &mut Writer, now: Timestamp) -> Result<Done, Refusal> {
        if !Arc::ptr_eq(&writer.state, &self.served().state) {
            let work = self.due(writer, &self.time());
            self.serve_next(writer, now, work.max(Work::Timestamp)).await.map_err(|error| {
                tracing::error!(%error, "what was recorded before still cannot be signed and stored");
                not_served_yet(writer)
            })?;
        }
        Ok(Done::Unchanged)
    }

    /// Commits the event, if there is one.
    pub(super) async fn commit_any(
        &self,
        writer: &mut Writer,
        actor: &Actor,
        event: Option<Event>,
        now: Timestamp,
    ) -> Result<Done, Refusal> {
        match event {
            None => self.unchanged(writer, now).await,
            Some(event) => self.commit(writer, actor, event, now).await.map(|()| Done::Changed),
        }
    }

    pub(super) async fn commit(
        &self,
        writer: &mut Writer,
        actor: &Actor,
        event: Event,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        // Applied before it is recorded: an event that cannot be applied must never be in the ledger.
        let before = Some((*writer.state).clone());
        let number = writer.state.head.sequence.saturating_add(1);
        let stamp = Stamp { event: number, at: now, by: actor.clone() };
        let mut next = state::advance(before, &event, &stamp, ledger::EMPTY, &self.limits)
            .map_err(|error| internal(&error.to_string()))?;
        // What clients cannot read is closed to them.
        let readable = |state: &State| Clients::of(state, &self.limits).check();
        if let (Ok(()), Err(why)) = (readable(&writer.state), readable(&next)) {
            return Err(internal(&why.to_string()));
        }
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
            Err(LedgerError::TooLarge { bytes, most, .. }) => {
                let detail = format!("it would take {bytes} bytes of the ledger, and the most are {most}");
                return Err(Refusal::new(ProblemKind::TooLarge, detail, "change less at once"));
            }
            Err(error @ LedgerError::Unwritable { .. }) => return Err(internal(&error.to_string())),
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
        tracing::info!(sequence = next.head.sequence, actor = actor.name(), what, "recorded");
        writer.state = Arc::new(next);
        if let Err(error) = self.serve_next(writer, now, work).await {
            tracing::error!(%error, "an event was recorded, but its edition could not be signed and stored");
            return Err(not_served_yet(writer));
        }
        note(&record, &self.served());
        Ok(())
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
        let signed = writer.sign(now, self.time().doubt(), work, &self.limits).await;
        self.failing.store(signed.is_err() || writer.ledger.is_uncertain(), Ordering::SeqCst);
        if signed.is_err() {
            self.metrics.count_signing_failure();
        }
        let edition = signed?;
        let previous = self.served();
        let (before, number) = (previous.edition.number(), edition.number());
        let next = Served::new(Some(&previous), writer.state.clone(), edition, &self.limits);
        warn_of_closed(&previous, &next, now);
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
    pub(super) async fn sign(
        &mut self,
        now: Timestamp,
        doubt: Option<Doubt>,
        work: Work,
        limits: &Limits,
    ) -> Result<Arc<Edition>, SignError> {
        let keys = self.keys.as_ref().ok_or(SignError::NoKeys)?;
        let edition = edition::next(self.edition.as_deref(), &self.state, keys, now, work, limits)?;
        let edition = Edition { doubt, ..edition };
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

fn not_served_yet(writer: &Writer) -> Refusal {
    let detail = format!("it is recorded as event {}, but not served yet", writer.state.head.sequence);
    let remedy = "the server keeps trying; look at its status and its log";
    Refusal::new(ProblemKind::Unavailable, detail, remedy)
}

/// Says in the log which open gates clients take for closed from now on.
fn warn_of_closed(before: &Served, next: &Served, now: Timestamp) {
    if Arc::ptr_eq(&before.clients, &next.clients) {
        return;
    }
    let known: BTreeMap<_, _> = before.clients.closed(&before.state, now).collect();
    for (path, why) in next.clients.closed(&next.state, now) {
        if !known.contains_key(&path) {
            tracing::warn!(%path, why, "clients take an open gate for closed");
        }
    }
}

/// A change as it is served now, for the log: who, which recipe and revision, and in which edition.
fn note(record: &Record, served: &Served) {
    let Record { sequence, actor, event, .. } = record;
    let (actor, edition) = (actor.name(), served.edition.number());
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
