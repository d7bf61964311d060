//! How far its gate opens a recipe: asked by clients of what they verified, and by the server of what it serves, so that both
//! say the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Reason, Unsigned};
use crate::gates::{Gate, GateState, ReadGates, UnreadableGates};
use crate::recipe::{Opens, Recipe, RecipePath};
use crate::sampling::BasisPoints;
use crate::status::Status;
use crate::tuf::TrustError;

/// Why a client does not take a recipe now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its status.
    pub status: Status,
    /// Why it has that status.
    pub reason: Reason,
}

pub(super) fn refuse<T>(status: Status, reason: Reason) -> Result<T, Refusal> {
    Err(Refusal { status, reason })
}

/// The gates of an edition, as they count.
#[derive(Clone, Copy, Debug)]
pub struct Gating<'a> {
    /// The gates; `None`: no valid ones.
    pub gates: Option<&'a ReadGates>,
    /// What is wrong with the gates that came, where they cannot be read at all.
    pub fault: Option<&'a UnreadableGates>,
    /// Of each gate that carries people's signatures: whether they hold, and why not.
    pub approved: &'a BTreeMap<RecipePath, Result<(), TrustError>>,
}

impl Gating<'_> {
    /// The share of clients that may newly take the recipe, within what people signed; never none.
    ///
    /// # Errors
    /// Why nobody may: `gate-closed`, `ended` or `paused`.
    pub fn share(&self, recipe: &Recipe, now: Timestamp) -> Result<BasisPoints, Refusal> {
        let gate = self.gate(recipe)?;
        match gate.state {
            GateState::Ended => return refuse(Status::Ended, Reason::Ended(gate.since())),
            GateState::Paused => return refuse(Status::Paused, Reason::Paused(gate.since())),
            GateState::Open => {}
        }
        if recipe.opens == Opens::People {
            self.people(recipe, gate, now)?;
        }
        let share = recipe.rollout.max_percent.min(gate.percent);
        if share == BasisPoints::NOBODY {
            return refuse(Status::GateClosed, Reason::OpenForNobody);
        }
        Ok(share)
    }

    /// The gate that speaks for this revision.
    fn gate(&self, recipe: &Recipe) -> Result<&Gate, Refusal> {
        let Some(read) = self.gates else {
            return refuse(Status::GateClosed, Reason::NoGates(self.fault.cloned()));
        };
        let path = recipe.path();
        if let Some(why) = read.unclear.get(&path) {
            return refuse(Status::GateClosed, Reason::UnclearGate(why.clone()));
        }
        match read.gates.0.get(&path) {
            Some(gate) if gate.revision == recipe.revision => Ok(gate),
            Some(other) => refuse(Status::GateClosed, Reason::GateOfRevision(other.revision)),
            None => refuse(Status::GateClosed, Reason::NoGate),
        }
    }

    /// Only the lane's people may open it: the server's key alone opens nothing, nothing wider than they signed, and nothing for
    /// longer.
    fn people(&self, recipe: &Recipe, gate: &Gate, now: Timestamp) -> Result<(), Refusal> {
        let unsigned = match (&gate.approval, self.approved.get(&recipe.path())) {
            (Some(approval), Some(Ok(()))) if gate.percent > approval.percent => {
                Unsigned::Wider { signed: approval.percent, open: gate.percent }
            }
            (Some(approval), Some(Ok(()))) => match approval.open_until {
                Some(until) if until <= now => Unsigned::Lapsed(until),
                Some(_) | None => return Ok(()),
            },
            (Some(_), Some(Err(error))) => Unsigned::Refused(error.clone()),
            (None, _) | (Some(_), None) => Unsigned::Missing,
        };
        refuse(Status::GateClosed, Reason::OnlyPeople(recipe.lane, unsigned))
    }
}
