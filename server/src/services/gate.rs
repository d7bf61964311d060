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
        // Clients refuse a gates.json with more, and then nothing opens any more.
        _ if !state.gates.0.contains_key(path) && state.gates.0.len() >= limits.recipe.gates => {
            let detail = format!("there are {} gates, and clients take no more", limits.recipe.gates);
            Err(Refusal::new(ProblemKind::GateRefused, detail, "withdraw recipes that are over"))
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger;
    use crate::services::publish;
    use crate::state;
    use crate::test_support::{Proposal, gate, initial_state, path, start};
    use mulberry_shared::recipe::Lane;

    fn published(revision: u64, before: &State) -> State {
        let proposal = Proposal::new(before, Lane::Emergency, &[("emergency/a.json", revision)], &[]);
        let event =
            publish::decide(before, Lane::Emergency, &proposal.request(), start(), &Limits::default());
        state::apply(Some(before), &event.unwrap().unwrap(), ledger::EMPTY, &Limits::default()).unwrap()
    }

    fn ask(state: &State, request: &GateRequest) -> Result<Option<Event>, Refusal> {
        decide(state, &path("emergency/a.json"), request, start(), &Limits::default())
    }

    fn after(state: &State, request: &GateRequest) -> State {
        let event = ask(state, request).unwrap().unwrap();
        state::apply(Some(state), &event, ledger::EMPTY, &Limits::default()).unwrap()
    }

    fn kind(state: &State, request: &GateRequest) -> ProblemKind {
        ask(state, request).unwrap_err().kind
    }

    #[test]
    fn a_gate_opens_pauses_and_opens_again_and_repeating_changes_nothing() {
        let state = published(1, &initial_state());
        let state = after(&state, &gate(1, GateState::Open, Some(100)));
        assert_eq!(ask(&state, &gate(1, GateState::Open, Some(100))), Ok(None));
        let state = after(&state, &gate(1, GateState::Paused, None));
        let paused = state.gates.of(&path("emergency/a.json"), 1).unwrap();
        assert_eq!((paused.state, paused.percent.get()), (GateState::Paused, 100));
        let state = after(&state, &gate(1, GateState::Open, Some(10_000)));
        assert_eq!(state.gates.of(&path("emergency/a.json"), 1).unwrap().percent.get(), 10_000);
    }

    #[test]
    fn an_end_is_final_for_its_revision_and_a_new_revision_starts_closed() {
        let state = published(1, &initial_state());
        let state = after(&state, &gate(1, GateState::Ended, None));
        for request in [gate(1, GateState::Open, Some(1)), gate(1, GateState::Paused, None)] {
            assert_eq!(kind(&state, &request), ProblemKind::GateEnded);
        }
        assert_eq!(ask(&state, &gate(1, GateState::Ended, None)), Ok(None));
        let state = published(2, &state);
        assert!(state.gates.of(&path("emergency/a.json"), 2).is_none());
        assert_eq!(kind(&state, &gate(1, GateState::Open, Some(1))), ProblemKind::RevisionMismatch);
        after(&state, &gate(2, GateState::Open, Some(1)));
    }

    #[test]
    fn a_withdrawn_recipe_has_no_gate_left() {
        let state = after(&published(1, &initial_state()), &gate(1, GateState::Open, Some(100)));
        let proposal = Proposal::new(&state, Lane::Emergency, &[], &["a"]);
        let event =
            publish::decide(&state, Lane::Emergency, &proposal.request(), start(), &Limits::default());
        let event = event.unwrap().unwrap();
        let state = state::apply(Some(&state), &event, ledger::EMPTY, &Limits::default()).unwrap();
        assert!(state.gates.0.is_empty());
        assert_eq!(kind(&state, &gate(1, GateState::Open, Some(1))), ProblemKind::UnknownRecipe);
    }

    #[test]
    fn more_gates_than_a_client_takes_are_refused() {
        let state = published(1, &initial_state());
        let mut limits = Limits::default();
        limits.recipe.gates = 0;
        let request = gate(1, GateState::Open, Some(1));
        let refused = decide(&state, &path("emergency/a.json"), &request, start(), &limits).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::GateRefused);
        // One that is there can always be changed.
        let state = after(&state, &request);
        let wider = gate(1, GateState::Open, Some(2));
        assert!(decide(&state, &path("emergency/a.json"), &wider, start(), &limits).unwrap().is_some());
    }

    #[test]
    fn impossible_requests_are_refused() {
        let state = published(1, &initial_state());
        for percent in [None, Some(0), Some(10_001)] {
            assert_eq!(
                kind(&state, &gate(1, GateState::Open, percent)),
                ProblemKind::GateRefused,
                "{percent:?}"
            );
        }
        for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
            let request = GateRequest { reason: reason.to_owned(), ..gate(1, GateState::Paused, None) };
            assert_eq!(kind(&state, &request), ProblemKind::GateRefused, "{reason:?}");
        }
        assert_eq!(kind(&state, &gate(2, GateState::Open, Some(1))), ProblemKind::RevisionMismatch);
    }
}
