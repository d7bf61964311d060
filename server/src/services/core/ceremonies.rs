//! Ceremonies, carried out by the one writer.
//!
//! The one that is complete is rehearsed first: its edition is signed with the keys that it authorises, and clients take it,
//! one from the pinned root and one that holds what is served now. Only then it is recorded.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use mulberry_shared::bundle::fault;
use mulberry_shared::edition::{Refresh, TrustState};
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{
    Base64, CeremoniesResponse, CeremonyRequest, CeremonyResponse, DropRequest, DroppedCeremony, ProblemKind,
    ProposalOutcome, ShownCeremony,
};
use mulberry_shared::proposal::Role;
use mulberry_shared::tuf::{Next, Reply, Root, Targets, TrustError};

use super::{Core, Done, Writer, internal, settle};
use crate::edition::{self, Edition, Work};
use crate::event::Event;
use crate::keys::OnlineKeys;
use crate::metrics::Change;
use crate::served::documents;
use crate::services::{Refusal, ceremony};
use crate::state::ceremonies::read;
use crate::state::{self, State};

impl Core {
    /// Takes a ceremony, or the signatures of one that is kept. Enough of them publish it.
    ///
    /// # Errors
    /// [`ceremony::make`]'s, `proposal-refused` when this server could not sign after it, and `unavailable`.
    pub async fn ceremony(
        self: &Arc<Self>,
        actor: Actor,
        request: CeremonyRequest,
    ) -> Result<CeremonyResponse, Refusal> {
        let core = self.clone();
        self.finish(Change::Propose, async move {
            let mut writer = core.writer.lock().await;
            let now = core.time().now;
            let ceremony::Decision { id, event } = ceremony::make(&writer.state, request, now, &core.limits)?;
            let done = match event {
                None => core.unchanged(&mut writer, now).await?,
                Some(event @ Event::CeremonyPublished { .. }) => {
                    core.hold(&mut writer, &actor, event, now).await?;
                    Done::Changed
                }
                Some(event) => {
                    if let Event::CeremonyMade { parts } = &event {
                        core.check_keys_after(&writer.state, parts)?;
                    }
                    core.commit(&mut writer, &actor, event, now).await?;
                    Done::Changed
                }
            };
            let served = core.served();
            let kept = served.state.ceremonies.get(&id);
            let status = kept.map(|kept| ceremony::status(&served.state, kept, &core.limits)).transpose()?;
            let outcome =
                if status.is_some() { ProposalOutcome::Waiting } else { ProposalOutcome::Published };
            let closed = match outcome {
                ProposalOutcome::Published => core.closed_gates(now),
                ProposalOutcome::Waiting => Vec::new(),
            };
            let (edition, ledger) = (served.edition.number(), served.state.head);
            Ok((done, CeremonyResponse { outcome, id, ceremony: status, edition, closed, ledger }))
        })
        .await
    }

    /// Gives a ceremony up.
    ///
    /// # Errors
    /// [`ceremony::give_up`]'s, and `unavailable`.
    pub async fn drop_ceremony(
        self: &Arc<Self>,
        actor: Actor,
        id: String,
        request: DropRequest,
    ) -> Result<DroppedCeremony, Refusal> {
        let core = self.clone();
        self.finish(Change::Drop, async move {
            let mut writer = core.writer.lock().await;
            let now = core.time().now;
            let (dropped, event) = ceremony::give_up(&writer.state, &id, &request, &core.limits)?;
            core.commit(&mut writer, &actor, event, now).await?;
            Ok((Done::Changed, DroppedCeremony { dropped }))
        })
        .await
    }

    /// All ceremonies that are kept.
    ///
    /// # Errors
    /// None is known.
    pub fn ceremonies(&self) -> Result<CeremoniesResponse, Refusal> {
        ceremony::list(&self.served().state, &self.limits)
    }

    /// One ceremony, by the first digits of its id.
    ///
    /// # Errors
    /// `unknown-proposal`.
    pub fn shown_ceremony(&self, id: &str) -> Result<ShownCeremony, Refusal> {
        ceremony::show(&self.served().state, id, &self.limits)
    }

    /// Makes sure, before people pass it round, that this server can sign after a ceremony.
    fn check_keys_after(&self, state: &State, parts: &BTreeMap<Role, Base64>) -> Result<(), Refusal> {
        let ceremony = read(parts, &self.limits).map_err(|error| internal(&error))?;
        let root = ceremony.root().unwrap_or(&state.root);
        let targets = ceremony.targets().unwrap_or(&state.targets);
        self.keys_after(root, targets).map(drop)
    }

    fn keys_after(&self, root: &Root, targets: &Targets) -> Result<OnlineKeys, Refusal> {
        self.keys.select(root, targets).map_err(|error| {
            let detail = format!("after it this server could sign nothing: {error}");
            let remedy = "make this server's own new keys with `mulberry-server keys new`, and propose those";
            Refusal::new(ProblemKind::ProposalRefused, detail, remedy)
        })
    }

    /// Publishes a complete ceremony, and signs with the keys that it authorises from then on.
    async fn hold(
        &self,
        writer: &mut Writer,
        actor: &Actor,
        event: Event,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let next = state::apply(Some(&writer.state), &event, writer.state.head, &self.limits)
            .map_err(|error| internal(&error.to_string()))?;
        let keys = self.keys_after(&next.root, &next.targets)?;
        let before = (&*writer.state, writer.edition.as_deref());
        rehearse(before, &next, &keys, now, &self.limits)?;
        let before = (writer.state.clone(), writer.keys.replace(keys));
        *self.unsigned.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let held = self.commit(writer, actor, event, now).await;
        if Arc::ptr_eq(&writer.state, &before.0) {
            // Not recorded: what was authorised before still is.
            writer.keys = before.1;
        } else {
            settle(&*self.keys, &writer.state);
        }
        held
    }
}

/// Signs what would be served, and lets clients take it.
///
/// # Errors
/// `trust-refused` when one refuses it.
pub fn rehearse(
    (before, served): (&State, Option<&Edition>),
    next: &State,
    keys: &OnlineKeys,
    now: Timestamp,
    limits: &Limits,
) -> Result<(), Refusal> {
    let refused = |error: &TrustError| {
        let detail = format!("agents would refuse what it leads to: {error}");
        Refusal::new(ProblemKind::TrustRefused, detail, "propose the ceremony again")
    };
    let edition =
        edition::next(served, next, keys, now, Work::Snapshot, limits).map_err(|error| refused(&error))?;
    let after: BTreeMap<_, _> = documents(next, &edition).into_iter().collect();
    let pinned = next.roots.first().ok_or_else(|| internal("there is no root"))?;
    let pinned = TrustState::pinned(pinned.bytes(), limits).map_err(|error| refused(&error))?;
    let mut clients = vec![pinned.clone()];
    if let Some(edition) = served {
        let before: BTreeMap<_, _> = documents(before, edition).into_iter().collect();
        clients.push(refresh(&pinned, &before, limits).0);
    }
    for client in &clients {
        let (state, errors) = refresh(client, &after, limits);
        if let Some(error) = errors {
            return Err(refused(&error));
        }
        let whole = ["targets", "emergency", "routine", "gates"]
            .iter()
            .all(|role| state.trusted().targets(role).is_some());
        if !whole {
            return Err(internal("a client held no whole edition after a ceremony"));
        }
    }
    Ok(())
}

/// One refresh. At the beginning of time nothing has expired: what was signed before the ceremony may be overdue, and is
/// no worse for it.
fn refresh(
    client: &TrustState,
    files: &BTreeMap<String, Arc<[u8]>>,
    limits: &Limits,
) -> (TrustState, Option<TrustError>) {
    let mut refresh = Refresh::start(client.clone(), Timestamp::UNIX_EPOCH, limits);
    while let Next::Fetch(fetch) = refresh.next() {
        refresh.supply(files.get(&fetch.path).map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.to_vec())));
    }
    let (state, report) = refresh.finish();
    let error = fault(&report).or_else(|| report.errors().next()).cloned();
    (state, error)
}

#[cfg(test)]
mod tests;
