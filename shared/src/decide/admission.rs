//! May a client newly take a recipe? The first reason why not is its status.

use super::{Consent, Input, RecipeEntry};
use crate::gates::{Gate, GateState};
use crate::recipe::{ConsentKind, Opens, Recipe};
use crate::sampling::in_sample;
use crate::status::Status;

/// Why a client does not take a recipe now.
pub(super) struct Refusal {
    pub(super) status: Status,
    pub(super) detail: String,
}

fn refuse(status: Status, detail: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal { status, detail: detail.into() })
}

/// Tests in the order of [`Status`]; the first that fails decides.
pub(super) fn admit(input: &Input<'_>, entry: &RecipeEntry, recipe: &Recipe) -> Result<(), Refusal> {
    if let Some(starts) = recipe.starts
        && input.now < starts
    {
        return refuse(Status::NotStarted, format!("it starts at {starts}"));
    }
    if recipe.expires <= input.now {
        return refuse(Status::Expired, format!("it expired at {}", recipe.expires));
    }
    // Before consent: whoever it is not for has nothing to consent to.
    if let Some(mismatch) = recipe.targeting.first_mismatch(input.facts) {
        return refuse(Status::NotTargeted, mismatch.to_string());
    }
    consent(input.consent, recipe.consent)?;
    if !entry.lane_current {
        let lane = recipe.lane;
        return refuse(Status::LaneExpired, format!("the signatures of the {lane} lane have expired"));
    }
    gate(input, recipe)
}

fn consent(consent: &Consent, kind: ConsentKind) -> Result<(), Refusal> {
    let (given, what) = match kind {
        ConsentKind::Hotfix | ConsentKind::Security => (consent.updates, "updates"),
        ConsentKind::Message => (consent.messages, "messages"),
        ConsentKind::Study => (consent.studies, "studies"),
    };
    if given { Ok(()) } else { refuse(Status::ConsentWithheld, format!("{what} are switched off")) }
}

/// Only the lane's people may open it: the server's key alone opens nothing, and nothing wider than they signed.
fn people(input: &Input<'_>, recipe: &Recipe, gate: &Gate) -> Result<(), Refusal> {
    let lane = recipe.lane;
    let only = format!("only the people of the {lane} lane may open it");
    match (&gate.approval, input.edition.approved.get(&recipe.path())) {
        (Some(approval), Some(Ok(()))) if gate.percent <= approval.percent => Ok(()),
        (Some(approval), Some(Ok(()))) => {
            let (signed, open) = (approval.percent, gate.percent);
            refuse(Status::GateClosed, format!("{only}; they signed {signed}, and its gate says {open}"))
        }
        (Some(_), Some(Err(why))) => {
            refuse(Status::GateClosed, format!("{only}, and their signatures do not hold: {why}"))
        }
        (None, _) | (Some(_), None) => {
            refuse(Status::GateClosed, format!("{only}, and their signatures are missing"))
        }
    }
}

fn gate(input: &Input<'_>, recipe: &Recipe) -> Result<(), Refusal> {
    let Some(gates) = &input.edition.gates else {
        let nothing = "no valid gates are at hand, so nothing newly opens";
        let fault = input.edition.gates_fault.as_ref();
        return refuse(
            Status::GateClosed,
            fault.map_or_else(|| nothing.to_owned(), |fault| format!("{nothing}: {fault}")),
        );
    };
    let path = recipe.path();
    let Some(gate) = gates.of(&path, recipe.revision) else {
        let detail = match gates.0.get(&path) {
            Some(other) => format!("its gate speaks for revision {} only", other.revision),
            None => "it has no gate yet".to_owned(),
        };
        return refuse(Status::GateClosed, detail);
    };
    match gate.state {
        GateState::Ended => {
            return refuse(Status::Ended, format!("ended since {}: {}", gate.since, gate.reason));
        }
        GateState::Paused => {
            return refuse(Status::Paused, format!("paused since {}: {}", gate.since, gate.reason));
        }
        GateState::Open => {}
    }
    if recipe.opens == Opens::People {
        people(input, recipe, gate)?;
    }
    let share = recipe.rollout.max_percent.min(gate.percent);
    if share.get() == 0 {
        return refuse(Status::GateClosed, "its gate is open at 0%");
    }
    if !in_sample(&recipe.rollout.namespace, &input.facts.client_id, share) {
        return refuse(
            Status::NotSampled,
            format!("it is open for {share}, this client is not among them yet"),
        );
    }
    Ok(())
}
