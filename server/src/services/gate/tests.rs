//! Who may set a gate to what, and when.

use super::*;

mod published;
mod resume;
mod second;

use crate::ledger;
use crate::services::publish;
use crate::state::{self, Stamp};
use crate::test_support::{Proposal, actor, gate, initial_state, key, path, start};
use jiff::Timestamp;
use mulberry_shared::approval::{LIFE, Opening};
use mulberry_shared::gates::ReadGates;
use mulberry_shared::recipe::{Lane, Recipe};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::tuf::Signer;

fn published(revision: u64, before: &State) -> State {
    publishes("a", revision, before)
}

fn publishes(slug: &str, revision: u64, before: &State) -> State {
    let name = format!("emergency/{slug}.json");
    let proposal = Proposal::new(before, Lane::Emergency, &[(&name, revision)], &[]);
    let event = publish::decide(before, Lane::Emergency, &proposal.request(), start(), &Limits::default());
    state::apply(Some(before), &event.unwrap().unwrap(), ledger::EMPTY, &Limits::default()).unwrap()
}

fn ask(state: &State, request: &GateRequest) -> Result<Option<Event>, Refusal> {
    decide(state, &actor("person-23"), &path("emergency/a.json"), request, start(), &Limits::default())
}

fn after(state: &State, request: &GateRequest) -> State {
    let event = ask(state, request).unwrap().unwrap();
    state::apply(Some(state), &event, ledger::EMPTY, &Limits::default()).unwrap()
}

/// The same, with what it undoes named.
fn resuming(state: &State, request: &GateRequest) -> GateRequest {
    resuming_at("emergency/a.json", state, request)
}

fn resuming_at(at: &str, state: &State, request: &GateRequest) -> GateRequest {
    let stops = state.pace(&path(at)).unwrap().stops.iter();
    GateRequest { resumes: stops.map(|stop| stop.set.event).collect(), ..request.clone() }
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
    assert_eq!(ask(&state, &gate(1, GateState::Paused, None)), Ok(None));
    let why = GateRequest { reason: "another reason".into(), ..gate(1, GateState::Paused, None) };
    let state = after(&state, &why);
    let paused = state.gates.of(&path("emergency/a.json"), 1).unwrap();
    assert_eq!(state.reason(&path("emergency/a.json")), "another reason");
    assert_eq!((paused.state, paused.percent.get()), (GateState::Paused, 100));
    let state = after(&state, &resuming(&state, &gate(1, GateState::Open, Some(50))));
    assert_eq!(state.gates.of(&path("emergency/a.json"), 1).unwrap().percent.get(), 50);
}

/// The state after an event, which has its true number, its time and an actor.
fn recorded(state: &State, event: &Event, name: &str, at: Timestamp) -> State {
    let sequence = state.head.sequence + 1;
    let stamp = Stamp { event: sequence, at, by: actor(name) };
    let head = mulberry_shared::operators::LedgerHead { sequence, ..ledger::EMPTY };
    state::advance(Some(state.clone()), event, &stamp, head, &Limits::default()).unwrap()
}

fn by(name: &str, state: &State, request: &GateRequest) -> State {
    let event = decide(state, &actor(name), &path("emergency/a.json"), request, start(), &Limits::default());
    recorded(state, &event.unwrap().unwrap(), name, start())
}

/// The plan of this recipe: 1 % for ten minutes, then 50 %, which is all that people signed.
#[test]
fn one_person_takes_the_steps_of_the_plan_each_when_its_time_has_come() {
    let minutes = |minutes| start() + jiff::SignedDuration::from_mins(minutes);
    let paced = |state: &State, request: &GateRequest, now| {
        decide(state, &actor("tom"), &path("emergency/paced.json"), request, now, &Limits::default())
    };
    let open = |percent| gate(1, GateState::Open, Some(percent));
    let refused = |state: &State, percent, now| {
        let refusal = paced(state, &open(percent), now).unwrap_err();
        assert_eq!(refusal.kind, ProblemKind::SecondKeyNeeded, "{refusal}");
        refusal.detail
    };
    let next = |state: &State| {
        let path = path("emergency/paced.json");
        let recipe = state.recipe(&path).unwrap().recipe.clone();
        let step = next_step(&recipe, state.pace(&path), state.gates.of(&path, 1), &start().into());
        step.map(|step| (step.percent, step.from))
    };
    let go = |state: &State, request: &GateRequest, now| {
        recorded(state, &paced(state, request, now).unwrap().unwrap(), "tom", now)
    };
    let state = publishes("paced", 1, &initial_state());
    assert_eq!(next(&state), Some((100, None)));
    assert!(refused(&state, 101, minutes(0)).contains("the next step of its plan is 1%"));
    let state = go(&state, &open(100), minutes(0));
    assert_eq!(next(&state), Some((5_000, Some(minutes(10)))));
    assert!(refused(&state, 5_000, minutes(9)).contains("for at least 10m, until 2026-05-04T00:10:00Z"));
    // A pause starts the time again, and going back to where it was is for anyone.
    let state = go(&state, &open(50), minutes(4));
    assert_eq!(next(&state), Some((100, None)));
    let state = go(&state, &gate(1, GateState::Paused, None), minutes(5));
    assert_eq!(next(&state), Some((100, None)));
    let bold = resuming_at("emergency/paced.json", &state, &open(5_000));
    let refusal = paced(&state, &bold, minutes(30)).unwrap_err();
    assert!(refusal.detail.contains("is not open so far now"), "{refusal}");
    let resumed = resuming_at("emergency/paced.json", &state, &open(100));
    let state = go(&state, &resumed, minutes(6));
    assert!(refused(&state, 5_000, minutes(15)).contains("until 2026-05-04T00:16:00Z"));
    // All that people signed is 50 %, so more is no more.
    let state = go(&state, &open(10_000), minutes(16));
    assert_eq!(next(&state), None);
    let state = go(&state, &open(100), minutes(17));
    go(&state, &resuming_at("emergency/paced.json", &state, &open(4_000)), minutes(18));
    // The next revision begins again.
    let state = publishes("paced", 2, &state);
    let second = gate(2, GateState::Open, Some(5_000));
    assert_eq!(paced(&state, &second, minutes(99)).unwrap_err().kind, ProblemKind::SecondKeyNeeded);
}

#[test]
fn nothing_bakes_before_the_recipe_is_in_force() {
    let limits = Limits::default();
    let at = path("emergency/paced.json");
    let mut state = publishes("paced", 1, &initial_state());
    state = {
        let event =
            decide(&state, &actor("tom"), &at, &gate(1, GateState::Open, Some(100)), start(), &limits);
        recorded(&state, &event.unwrap().unwrap(), "tom", start())
    };
    let (pace, current) = (state.pace(&at), state.gates.of(&at, 1));
    let starts = start() + jiff::SignedDuration::from_hours(2);
    let later = Recipe { starts: Some(starts), ..(*state.recipe(&at).unwrap().recipe).clone() };
    let half = BasisPoints::new(5_000).unwrap();
    let refused = pace::alone(&later, pace, current, half, &starts.into()).unwrap_err();
    assert!(refused.contains("until 2026-05-04T02:10:00Z"), "{refused}");
    let baked = starts + jiff::SignedDuration::from_mins(10);
    assert_eq!(next_step(&later, pace, current, &starts.into()).unwrap().from, Some(baked));
    assert_eq!(pace::alone(&later, pace, current, half, &baked.into()), Ok(()));
}

/// Set while this server's clock was ten years ahead.
#[test]
fn what_a_clock_ahead_has_set_is_in_nobodys_way() {
    let at = path("emergency/a.json");
    let ahead = start() + jiff::SignedDuration::from_hours(24 * 3_650);
    let second = jiff::SignedDuration::from_secs(1);
    let pause = gate(1, GateState::Paused, None);
    let state = published(1, &initial_state());
    let used = signed(&state, 5_000, start(), &[21]);
    let state = recorded(&state, &ask(&state, &used).unwrap().unwrap(), "tom", start());
    let event = decide(&state, &actor("tom"), &at, &pause, ahead, &Limits::default());
    let state = recorded(&state, &event.unwrap().unwrap(), "tom", ahead);

    // People sign for now, and each opening counts once, under either clock.
    assert_eq!(kind(&state, &resuming(&state, &used)), ProblemKind::ApprovalRefused, "it was used");
    for far in [second, jiff::SignedDuration::from_hours(1)] {
        let far = signed(&state, 5_000, ahead + far, &[21]);
        assert_eq!(kind(&state, &resuming(&state, &far)), ProblemKind::ApprovalRefused);
    }
    let now = signed(&state, 5_000, start() + second, &[21]);
    let opened = ask(&state, &resuming(&state, &now)).unwrap().unwrap();
    assert!(matches!(opened, Event::GateApproved { .. }));
    let opened = recorded(&state, &opened, "tom", start());
    let paused = recorded(&opened, &ask(&opened, &pause).unwrap().unwrap(), "tom", start());
    assert_eq!(kind(&paused, &resuming(&paused, &now)), ProblemKind::ApprovalRefused, "it was used");

    // One person opens it as far as it was, from now on; and what stands is set again with its right time.
    let event = ask(&state, &resuming(&state, &gate(1, GateState::Open, Some(100)))).unwrap().unwrap();
    let Event::GateSet { gate: open, .. } = event else { panic!("{event:?}") };
    assert_eq!(open.since, start());
    let Event::GateSet { gate: again, .. } = ask(&state, &pause).unwrap().unwrap() else { panic!() };
    assert_eq!((again.state, again.since), (GateState::Paused, start()));
    assert!(is_ahead(state.pace(&at), state.gates.of(&at, 1), &start().into()));
    assert!(!is_ahead(paused.pace(&at), paused.gates.of(&at, 1), &start().into()));
}

/// An opening of `percent` made at `since`, signed with the keys of these numbers.
fn signed(state: &State, percent: u16, since: Timestamp, keys: &[u8]) -> GateRequest {
    signed_for("emergency/a.json", state, percent, since, keys)
}

fn signed_for(at: &str, state: &State, percent: u16, since: Timestamp, keys: &[u8]) -> GateRequest {
    let path = path(at);
    let published = state.recipe(&path).unwrap();
    let opening = Opening {
        path,
        revision: published.recipe.revision,
        sha256: published.sha256,
        percent: BasisPoints::new(percent).unwrap(),
        since,
        expires: since + LIFE,
        open_until: None,
    };
    let authority = state.targets.authority("emergency", "targets").unwrap();
    let sign = |number: &u8| opening.sign(authority, &key(*number)).unwrap();
    let approval = Some(opening.approved(keys.iter().map(sign).collect()));
    GateRequest { approval, ..gate(published.recipe.revision, GateState::Open, Some(percent)) }
}

#[test]
fn a_reason_is_what_clients_can_read() {
    let state = published(1, &initial_state());
    for (reason, why) in [("caf\u{200e} nice", "U+200E"), ("a\nb", "one line"), (" ", "empty")] {
        let pause = GateRequest { reason: reason.into(), ..gate(1, GateState::Paused, None) };
        let refused = ask(&state, &pause).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::GateRefused);
        assert!(refused.detail.contains(why), "{refused}");
    }
}

#[test]
fn an_end_is_final_for_its_revision_and_a_new_revision_starts_closed() {
    let state = published(1, &initial_state());
    let state = after(&state, &gate(1, GateState::Ended, None));
    for request in [gate(1, GateState::Open, Some(1)), gate(1, GateState::Paused, None)] {
        assert_eq!(kind(&state, &request), ProblemKind::GateEnded);
    }
    assert_eq!(ask(&state, &gate(1, GateState::Ended, None)), Ok(None));
    let again = GateRequest { reason: "another reason".into(), ..gate(1, GateState::Ended, None) };
    assert_eq!(ask(&state, &again), Ok(None), "who ended it, when and why stays as it was");
    let state = published(2, &state);
    assert!(state.gates.of(&path("emergency/a.json"), 2).is_none());
    assert_eq!(kind(&state, &gate(1, GateState::Open, Some(1))), ProblemKind::RevisionMismatch);
    after(&state, &gate(2, GateState::Open, Some(1)));
}

#[test]
fn a_withdrawn_recipe_has_no_gate_left() {
    let state = after(&published(1, &initial_state()), &gate(1, GateState::Open, Some(100)));
    let proposal = Proposal::new(&state, Lane::Emergency, &[], &["a"]);
    let event = publish::decide(&state, Lane::Emergency, &proposal.request(), start(), &Limits::default());
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
    let refused =
        decide(&state, &actor("tom"), &path("emergency/a.json"), &request, start(), &limits).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::GateRefused);
    // One that is there can always be changed.
    let state = after(&state, &request);
    let wider = gate(1, GateState::Open, Some(2));
    assert!(
        decide(&state, &actor("tom"), &path("emergency/a.json"), &wider, start(), &limits).unwrap().is_some()
    );
}

#[test]
fn impossible_requests_are_refused() {
    let state = published(1, &initial_state());
    for percent in [None, Some(0), Some(10_001)] {
        assert_eq!(kind(&state, &gate(1, GateState::Open, percent)), ProblemKind::GateRefused, "{percent:?}");
    }
    for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let request = GateRequest { reason: reason.to_owned(), ..gate(1, GateState::Paused, None) };
        assert_eq!(kind(&state, &request), ProblemKind::GateRefused, "{reason:?}");
    }
    assert_eq!(kind(&state, &gate(2, GateState::Open, Some(1))), ProblemKind::RevisionMismatch);
}

#[test]
fn gates_that_no_client_would_read_are_refused_and_pausing_is_not() {
    let state = after(&published(1, &initial_state()), &gate(1, GateState::Open, Some(100)));
    let mut limits = Limits::default();
    limits.trust.file_bytes = 10;
    let ask = |request: &GateRequest| {
        decide(&state, &actor("tom"), &path("emergency/a.json"), request, start(), &limits)
            .map_err(|refusal| refusal.kind)
    };
    assert_eq!(ask(&gate(1, GateState::Open, Some(50))), Err(ProblemKind::GateRefused));
    assert!(ask(&gate(1, GateState::Paused, None)).unwrap().is_some());
}
