//! Setting a gate: how far one revision of a published recipe is open.
//!
//! An ended revision stays ended: clients may have undone it, and a later change of mind deserves a new revision with its
//! signatures. Everything else may follow everything else.

use jiff::Timestamp;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{GateRequest, ProblemKind};
use mulberry_shared::recipe::RecipePath;
use mulberry_shared::sampling::BasisPoints;

use super::Refusal;
use crate::event::Event;
use crate::state::State;

/// The event that the request asks for; `None` when the gate already stands so, reason apart.
///
/// # Errors
/// `unknown-recipe`, `revision-mismatch`, `gate-ended`, `gate-refused`.
pub fn decide(
    state: &State,
    path: &RecipePath,
    request: &GateRequest,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<Event>, Refusal> {
    let Some(published) = state.recipe(path) else {
        let remedy = "publish it first, or check the slug and the lane with `mulberryctl status`";
        return Err(Refusal::new(ProblemKind::UnknownRecipe, format!("{path} is not published"), remedy));
    };
    let revision = published.recipe.revision;
    if request.revision != revision {
        let detail = format!("revision {} of {path} is meant, but {revision} is published", request.revision);
        let remedy = "look at what is published now, then name its revision";
        return Err(Refusal::new(ProblemKind::RevisionMismatch, detail, remedy));
    }
    let current = state.gates.of(path, revision);
    let gate = Gate {
        revision,
        state: request.state,
        percent: percent(request, current)?,
        reason: reason(&request.reason, limits)?,
        since: whole_seconds(now),
    };
    let same = |old: &&Gate| old.state == gate.state && old.percent == gate.percent;
    match current {
        Some(current) if current.state == GateState::Ended && gate.state != GateState::Ended => {
            let detail =
                format!("revision {revision} of {path} has ended since {}; an end is final", current.since);
            Err(Refusal::new(ProblemKind::GateEnded, detail, "publish a new revision and open that"))
        }
        current if current.as_ref().is_some_and(same) => Ok(None),
        _ => Ok(Some(Event::GateSet { path: path.clone(), gate })),
    }
}

fn percent(request: &GateRequest, current: Option<&Gate>) -> Result<BasisPoints, Refusal> {
    let refuse = |detail: String, remedy: &str| Err(Refusal::new(ProblemKind::GateRefused, detail, remedy));
    match (request.state, request.percent) {
        (GateState::Open, None) => {
            refuse("opening needs a percentage".to_owned(), "name one: there is no default")
        }
        (GateState::Open, Some(0)) => {
            refuse("open at 0 reaches nobody".to_owned(), "pause the gate, or open it wider")
        }
        (_, Some(points)) => match BasisPoints::new(points) {
            Some(points) => Ok(points),
            None => refuse(
                format!("{points} is no share: basis points go from 0 to 10000"),
                "give hundredths of a percent: 2500 is 25 %",
            ),
        },
        (_, None) => Ok(current.map_or(BasisPoints::NOBODY, |gate| gate.percent)),
    }
}

fn reason(text: &str, limits: &Limits) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > limits.recipe.reason || text.chars().any(char::is_control) {
        let detail = format!("a reason is one line of 1 to {} bytes", limits.recipe.reason);
        return Err(Refusal::new(ProblemKind::GateRefused, detail, "say in a few words why"));
    }
    Ok(text.to_owned())
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
