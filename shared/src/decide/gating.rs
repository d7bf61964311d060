//! How far its gate opens a recipe: asked by clients of what they verified, and by the server of what it serves, so that both
//! say the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

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
    /// A sentence for people.
    pub detail: String,
}

pub(super) fn refuse<T>(status: Status, detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, detail: detail.into() })
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
            GateState::Ended => return refuse(Status::Ended, format!("ended since {}", gate.word())),
            GateState::Paused => return refuse(Status::Paused, format!("paused since {}", gate.word())),
            GateState::Open => {}
        }
        if recipe.opens == Opens::People {
            self.people(recipe, gate, now)?;
        }
        let share = recipe.rollout.max_percent.min(gate.percent);
        if share == BasisPoints::NOBODY {
            return refuse(Status::GateClosed, "its gate is open at 0%");
        }
        Ok(share)
    }

    /// The gate that speaks for this revision.
    fn gate(&self, recipe: &Recipe) -> Result<&Gate, Refusal> {
        let Some(read) = self.gates else {
            let nothing = "no valid gates are at hand, so nothing newly opens";
            let detail = self.fault.map_or_else(|| nothing.to_owned(), |fault| format!("{nothing}: {fault}"));
            return refuse(Status::GateClosed, detail);
        };
        let path = recipe.path();
        if let Some(why) = read.unclear.get(&path) {
            let detail =
                format!("its gate is not understood, so it is closed here: {why}; a newer agent may");
            return refuse(Status::GateClosed, detail);
        }
        match read.gates.0.get(&path) {
            Some(gate) if gate.revision == recipe.revision => Ok(gate),
            Some(other) => {
                refuse(Status::GateClosed, format!("its gate speaks for revision {} only", other.revision))
            }
            None => refuse(Status::GateClosed, "it has no gate yet"),
        }
    }

    /// Only the lane's people may open it: the server's key alone opens nothing, nothing wider than they signed, and nothing for
    /// longer.
    fn people(&self, recipe: &Recipe, gate: &Gate, now: Timestamp) -> Result<(), Refusal> {
        let lane = recipe.lane;
        let only = format!("only the people of the {lane} lane may open it");
        match (&gate.approval, self.approved.get(&recipe.path())) {
            (Some(approval), Some(Ok(()))) if gate.percent > approval.percent => {
                let (signed, open) = (approval.percent, gate.percent);
                refuse(Status::GateClosed, format!("{only}; they signed {signed}, and its gate says {open}"))
            }
            (Some(approval), Some(Ok(()))) => match approval.open_until {
                Some(until) if until <= now => {
                    refuse(Status::GateClosed, format!("{only}, and they signed it to be open until {until}"))
                }
                Some(_) | None => Ok(()),
            },
            (Some(_), Some(Err(why))) => refuse(
                Status::GateClosed,
                format!("{only}, and their signatures do not hold: {}", why.sentence),
            ),
            (None, _) | (Some(_), None) => {
                refuse(Status::GateClosed, format!("{only}, and their signatures are missing"))
            }
        }
    }
}
