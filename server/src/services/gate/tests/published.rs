//! What clients read of the gates that operators set, and what the server says of it.

use mulberry_shared::ceremony::{Lone, Step, plan};
use mulberry_shared::proposal::Role;

use super::*;
use crate::services::clients::Clients;
use crate::state::ceremonies::parts;

const GUARDED: &str = "emergency/guarded.json";

fn read(state: &State) -> ReadGates {
    ReadGates::read(&state.gates.write(), &Limits::default()).unwrap()
}

fn ended(state: &State) -> Vec<u64> {
    state.gates.0[&path("emergency/a.json")].ended.iter().copied().collect()
}

fn withdrawn(state: &State) -> State {
    let proposal = Proposal::new(state, Lane::Emergency, &[], &["a"]);
    let event = publish::decide(state, Lane::Emergency, &proposal.request(), start(), &Limits::default());
    state::apply(Some(state), &event.unwrap().unwrap(), ledger::EMPTY, &Limits::default()).unwrap()
}

#[test]
fn a_gate_lists_the_earlier_revisions_that_were_ended_also_after_a_withdrawal() {
    let at = path("emergency/a.json");
    let end = |state: &State, revision| after(state, &gate(revision, GateState::Ended, None));
    let open = |state: &State, revision| after(state, &gate(revision, GateState::Open, Some(1)));
    let state = open(&published(2, &end(&published(1, &initial_state()), 1)), 2);
    assert_eq!(ended(&state), [1]);
    // The end of revision 3 ends no revision 2, and takes nothing from the list.
    let state = end(&published(3, &state), 3);
    assert_eq!(ended(&state), [1]);
    let ends = |revision| read(&state).end_of(&at, revision).is_some();
    assert!(ends(1) && !ends(2) && ends(3));
    // Withdrawn, and back under the same name: nobody has set a gate yet, and the end is there all the same.
    let gone = withdrawn(&state);
    assert!(gone.gates.0.is_empty());
    let back = published(4, &gone);
    let shown = &back.gates.0[&at];
    assert_eq!((shown.revision, shown.state, ended(&back)), (3, GateState::Ended, vec![1]));
    assert_eq!(back.reason(&at), "because");
    assert_eq!(ended(&open(&back, 4)), [1, 3]);
    // What was not ended is not shown again.
    let open = open(&published(1, &initial_state()), 1);
    assert!(published(2, &withdrawn(&open)).gates.0.is_empty());
}

#[test]
fn a_publish_that_needs_a_longer_list_than_clients_read_is_refused() {
    let most = u64::try_from(Limits::default().recipe.ended).unwrap();
    let mut state = initial_state();
    for revision in 1..=most + 1 {
        state = after(&published(revision, &state), &gate(revision, GateState::Ended, None));
    }
    assert_eq!(ended(&state), (1..=most).collect::<Vec<_>>());
    assert_eq!(read(&state).unclear, Default::default());
    let next = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", most + 2)], &[]);
    let refused =
        publish::decide(&state, Lane::Emergency, &next.request(), start(), &Limits::default()).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::RecipeRefused);
    assert!(refused.detail.contains("33 earlier revisions of emergency/a.json were ended"), "{refused}");
    assert!(refused.remedy.contains("under another slug"), "{refused}");
    // Neither does an older ledger, which may have more, make gates that nobody reads.
    let more = state::apply(
        Some(&state),
        &Event::LanePublished {
            lane: Lane::Emergency,
            metadata: next.request().metadata,
            recipes: [(path("emergency/a.json"), next.recipes["emergency/a.json"].clone())].into(),
            withdrawn: vec![],
        },
        ledger::EMPTY,
        &Limits::default(),
    );
    let more = after(&more.unwrap(), &gate(most + 2, GateState::Open, Some(1)));
    assert_eq!(ended(&more), (2..=most + 1).collect::<Vec<_>>(), "the newest");
    assert!(Clients::of(&more, &Limits::default()).check().is_ok());
}

#[test]
fn a_reason_stays_with_operators_and_a_note_is_for_everybody() {
    let at = path("emergency/a.json");
    let state = published(1, &initial_state());
    let note = |note: &str, request: GateRequest| GateRequest { note: Some(note.to_owned()), ..request };
    let open = || gate(1, GateState::Open, Some(100));
    let state = after(&state, &open());
    let text = String::from_utf8(state.gates.write()).unwrap();
    assert!(text.contains(r#""reason":"""#) && !text.contains("because"), "{text}");
    assert_eq!(state.reason(&at), "because");

    // Another word for the public is no other opening: its bake goes on. The same again changes nothing.
    let noted = after(&state, &note(" We look into it ", open()));
    let said = |state: &State| (state.gates.0[&at].note.clone(), state.gates.0[&at].since);
    let later = start() + jiff::SignedDuration::from_hours(1);
    let at_later = |request: &GateRequest| {
        decide(&noted, &actor("tom"), &path("emergency/a.json"), request, later, &Limits::default())
    };
    assert_eq!(said(&noted), ("We look into it".to_owned(), start()));
    assert_eq!(at_later(&note("We look into it", open())), Ok(None));
    assert_eq!(at_later(&open()), Ok(None), "who says nothing of it leaves it as it is");
    let Some(Event::GateSet { gate: cleared, .. }) = at_later(&note("", open())).unwrap() else { panic!() };
    assert_eq!((cleared.note.as_str(), cleared.since), ("", start()));
    // It was about what it stood beside.
    let paused = after(&noted, &gate(1, GateState::Paused, None));
    assert_eq!(said(&paused).0, "");
    for (bad, why) in [("a\nb", "one line"), ("\u{202e}x", "U+202E"), (&"x".repeat(501), "501 bytes")] {
        let refused = ask(&state, &note(bad, open())).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::GateRefused);
        assert!(refused.detail.contains(why), "{refused}");
    }
}

/// Two people have opened what only they may open; person-21 leaves, and 22 or 23 sign the lane again.
fn revoked(state: &State, number: u8) -> State {
    let limits = Limits::default();
    let steps = [Step::Revoke { role: Role::Emergency, who: format!("person-{number}") }];
    let mut ceremony = plan::make(&state.live(), &steps, Lone::Refuse, start(), &limits).unwrap();
    for number in [11, 13].into_iter().chain([21, 22, 23].into_iter().filter(|other| *other != number)) {
        let _ = ceremony.sign(&state.live(), &key(number));
    }
    let event = Event::CeremonyPublished { parts: parts(&ceremony) };
    state::apply(Some(state), &event, ledger::EMPTY, &limits).unwrap()
}

#[test]
fn what_clients_take_for_closed_is_never_so_already() {
    let limits = Limits::default();
    let ask = |state: &State, request: &GateRequest| {
        decide(state, &actor("person-23"), &path(GUARDED), request, start(), &limits)
    };
    let go = |state: &State, request: &GateRequest| {
        let event = ask(state, request).unwrap().unwrap();
        state::apply(Some(state), &event, ledger::EMPTY, &limits).unwrap()
    };
    let closed = |state: &State| -> Vec<String> {
        let clients = Clients::of(state, &limits);
        clients.closed(state, start()).map(|(_, why)| why).collect()
    };
    let state = publishes("guarded", 1, &initial_state());
    let second = jiff::SignedDuration::from_secs(1);
    let first = signed_for(GUARDED, &state, 5_000, start() - second, &[21, 22]);
    let opened = go(&state, &first);
    assert_eq!((ask(&opened, &first), closed(&opened)), (Ok(None), vec![]));

    let revoked = revoked(&opened, 21);
    assert_eq!(revoked.gates, opened.gates, "the state still has it as open");
    let [why] = &closed(&revoked)[..] else { panic!("{:?}", closed(&revoked)) };
    assert!(why.contains("emergency/guarded.json is open at 50% here"), "{why}");
    assert!(why.contains("1 of the 2 distinct keys needed"), "{why}");
    // One person alone opens nothing by saying it again, as far or less far.
    for percent in [5_000, 100] {
        let refused = ask(&revoked, &gate(1, GateState::Open, Some(percent))).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::SecondKeyNeeded);
        assert!(refused.detail.contains("clients take it for closed"), "{refused}");
    }
    assert_eq!(ask(&revoked, &first).unwrap_err().kind, ProblemKind::ApprovalRefused);
    // Two valid keys open it again, at the very percentage that it has here.
    let again = go(&revoked, &signed_for(GUARDED, &revoked, 5_000, start(), &[22, 23]));
    assert_eq!(closed(&again), [""; 0]);
    // Pausing and ending are never held up.
    assert!(ask(&revoked, &gate(1, GateState::Paused, None)).unwrap().is_some());
    assert!(ask(&revoked, &gate(1, GateState::Ended, None)).unwrap().is_some());
}

#[test]
fn an_opening_ends_when_people_said_and_is_opened_again_by_them() {
    let limits = Limits::default();
    let hour = jiff::SignedDuration::from_hours(1);
    let until = |state: &State, since: Timestamp, open_until: Timestamp| {
        let published = state.recipe(&path(GUARDED)).unwrap();
        let opening = Opening {
            path: path(GUARDED),
            revision: 1,
            sha256: published.sha256,
            percent: BasisPoints::new(5_000).unwrap(),
            since,
            expires: since + LIFE,
            open_until: Some(open_until),
        };
        let authority = state.targets.authority("emergency", "targets").unwrap();
        let signatures = [21, 22].map(|number| opening.sign(authority, &key(number)).unwrap());
        let approval = Some(opening.approved(signatures.into()));
        GateRequest { approval, ..gate(1, GateState::Open, Some(5_000)) }
    };
    let ask = |state: &State, request: &GateRequest, now| {
        decide(state, &actor("person-23"), &path(GUARDED), request, now, &limits)
    };
    let go = |state: &State, request: &GateRequest, now| {
        let event = ask(state, request, now).unwrap().unwrap();
        assert_eq!(event.format(), 3);
        state::apply(Some(state), &event, ledger::EMPTY, &limits).unwrap()
    };
    let state = publishes("guarded", 1, &initial_state());
    let over = ask(&state, &until(&state, start(), start()), start()).unwrap_err();
    assert!(over.detail.contains("which is over"), "{over}");
    let request = until(&state, start(), start() + hour);
    let opened = go(&state, &request, start());
    let recipe = opened.recipe(&path(GUARDED)).unwrap().recipe.clone();
    let share = |state: &State, now| Clients::of(state, &limits).share(&recipe, now).map(BasisPoints::get);
    assert_eq!(share(&opened, start()), Ok(5_000));
    assert_eq!(ask(&opened, &request, start()), Ok(None));
    assert!(share(&opened, start() + hour).unwrap_err().reason.to_string().contains("to be open until"));
    // An open gate that nobody takes is a trouble, until it is paused or opened again; and it is not so already for who asks.
    let closed =
        |state: &State, now| Clients::of(state, &limits).closed(state, now).next().map(|(_, why)| why);
    assert_eq!(closed(&opened, start()), None);
    let said = closed(&opened, start() + hour).unwrap();
    assert!(said.contains("to be open until") && said.contains("gate pause guarded"), "{said}");
    let pause = ask(&opened, &gate(1, GateState::Paused, None), start() + hour).unwrap().unwrap();
    let paused = state::apply(Some(&opened), &pause, ledger::EMPTY, &limits).unwrap();
    assert_eq!(closed(&paused, start() + hour), None);
    let pace = |state: &State| state.pace(&path(GUARDED)).unwrap().open_until;
    assert_eq!(pace(&paused), Some(start() + hour), "a pause does not forget what was signed");
    let alone = ask(&opened, &gate(1, GateState::Open, Some(5_000)), start() + hour).unwrap_err();
    assert_eq!(alone.kind, ProblemKind::SecondKeyNeeded);
    // Longer is another opening, at the same percentage.
    let longer = go(&opened, &until(&opened, start() + hour, start() + hour * 3), start() + hour);
    assert_eq!(share(&longer, start() + hour * 2), Ok(5_000));

    // Where the server's keys alone open, no client would keep to it.
    let plain = published(1, &initial_state());
    let mut request = signed(&plain, 5_000, start(), &[21, 22]);
    request.approval.as_mut().unwrap().open_until = Some(start() + hour);
    let refused = super::ask(&plain, &request).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::ApprovalRefused);
    assert!(refused.detail.contains("clients check only where"), "{refused}");
}
