//! Proposals, carried out by the one writer.

use std::sync::Arc;

use jiff::Timestamp;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{
    DropRequest, DropResponse, ProposalOutcome, ProposalRequest, ProposalResponse, ProposalsResponse,
    ProposeResponse, SignatureRequest,
};

use super::{Core, Done};
use crate::metrics::Change;
use crate::services::{Refusal, propose};
use crate::state::State;

impl Core {
    /// Takes a proposal, or the signatures of one that is kept. Enough of them publish it.
    ///
    /// # Errors
    /// [`propose::make`]'s, and `unavailable`.
    pub async fn propose(
        self: &Arc<Self>,
        actor: Actor,
        request: ProposalRequest,
    ) -> Result<ProposeResponse, Refusal> {
        self.proposal_change(Change::Propose, actor, move |state, now, limits| {
            propose::make(state, request, now, limits)
        })
        .await
    }

    /// Takes one signature under a proposal. The last one that is needed publishes it.
    ///
    /// # Errors
    /// [`propose::sign`]'s, and `unavailable`.
    pub async fn sign_proposal(
        self: &Arc<Self>,
        actor: Actor,
        id: String,
        request: SignatureRequest,
    ) -> Result<ProposeResponse, Refusal> {
        self.proposal_change(Change::Sign, actor, move |state, now, limits| {
            propose::sign(state, &id, &request, now, limits)
        })
        .await
    }

    /// Gives a proposal up.
    ///
    /// # Errors
    /// [`propose::give_up`]'s, and `unavailable`.
    pub async fn drop_proposal(
        self: &Arc<Self>,
        actor: Actor,
        id: String,
        request: DropRequest,
    ) -> Result<DropResponse, Refusal> {
        let core = self.clone();
        self.finish(Change::Drop, async move {
            let mut writer = core.writer.lock().await;
            let now = core.time().now;
            let (dropped, event) = propose::give_up(&writer.state, &id, &request, &core.limits)?;
            core.commit(&mut writer, &actor, event, now).await?;
            Ok((Done::Changed, DropResponse { dropped }))
        })
        .await
    }

    /// All proposals that are kept.
    ///
    /// # Errors
    /// None is known.
    pub fn proposals(&self) -> Result<ProposalsResponse, Refusal> {
        propose::list(&self.served().state, &self.limits)
    }

    /// One proposal, by the first digits of its id.
    ///
    /// # Errors
    /// `unknown-proposal`.
    pub fn proposal(&self, id: &str) -> Result<ProposalResponse, Refusal> {
        propose::show(&self.served().state, id, &self.limits)
    }

    /// Decides about a proposal and carries it out: its events one after the other, each durable before the next.
    async fn proposal_change(
        self: &Arc<Self>,
        kind: Change,
        actor: Actor,
        decide: impl FnOnce(&State, Timestamp, &Limits) -> Result<propose::Decision, Refusal> + Send + 'static,
    ) -> Result<ProposeResponse, Refusal> {
        let core = self.clone();
        self.finish(kind, async move {
            let mut writer = core.writer.lock().await;
            let time = core.time();
            let propose::Decision { id, lane, withdrawn, events } =
                decide(&writer.state, time.now, &core.limits)?;
            let mut done = Done::Changed;
            if events.is_empty() {
                done = core.unchanged(&mut writer, time.now).await?;
            }
            for event in events {
                core.commit(&mut writer, &actor, event, time.now).await?;
            }
            let waiting = core.served().state.proposals.get(&id).cloned();
            let answer = match waiting {
                Some(kept) => ProposeResponse {
                    outcome: ProposalOutcome::Waiting,
                    id,
                    proposal: Some(propose::status(&core.served().state, &kept, &core.limits)?),
                    published: None,
                },
                None => ProposeResponse {
                    outcome: ProposalOutcome::Published,
                    id,
                    proposal: None,
                    published: Some(core.published(lane, withdrawn, &time)),
                },
            };
            Ok((done, answer))
        })
        .await
    }
}
