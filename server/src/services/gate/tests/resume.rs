//! Who may undo what people stopped.

use super::*;

fn open(percent: u16) -> GateRequest {
    gate(1, GateState::Open, Some(percent))
}

fn pause(reason: &str) -> GateRequest {
    GateRequest { reason: reason.into(), ..gate(1, GateState::Paused, None) }
}

fn naming(events: &[u64], percent: u16) -> GateRequest {
    GateRequest { resumes: events.to_vec(), ..open(percent) }
}

fn stops(state: &State) -> Vec<(u64, String)> {
    let pace = state.pace(&path("emergency/a.json")).unwrap();
    pace.stops.iter().map(|stop| (stop.set.event, stop.set.by.name().to_owned())).collect()
}

#[test]
fn nobody_undoes_what_a_colleague_stopped_without_naming_it() {
    let open = |percent| gate(1, GateState::Open, Some(percent));
    let naming = |event, percent| GateRequest { resumes: vec![event], ..open(percent) };
    let state = by("mei", &published(1, &initial_state()), &open(2_500));
    let first = state.pace(&path("emergency/a.json")).unwrap().last.event;
    let pause = GateRequest { reason: "crashes".into(), ..gate(1, GateState::Paused, None) };
    let paused = by("mei", &state, &pause);

    let refused = ask(&paused, &open(2_500)).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::WouldResume);
    let event = first + 1;
    let said = format!("mei paused it at 2026-05-04T00:00:00Z (event {event}): \"crashes\"");
    assert_eq!(refused.detail, said);
    assert!(refused.remedy.contains(&event.to_string()), "{refused}");
    // Not what it was before, not a guess, and not by a second person's key: they may not know of it.
    for request in [naming(first, 2_500), naming(event + 1, 2_500), signed(&paused, 2_500, start(), &[21])] {
        assert_eq!(kind(&paused, &request), ProblemKind::WouldResume);
    }
    let resumed = by("tom", &paused, &naming(event, 2_500));
    // A second pause is another one.
    let again = by("mei", &resumed, &pause);
    assert_eq!(kind(&again, &naming(event, 2_500)), ProblemKind::WouldResume);
    // Whose answer was lost asks again, and nothing is there to undo.
    assert_eq!(ask(&resumed, &naming(event, 2_500)), Ok(None));

    // Narrowing is stopping, too; what goes no further undoes nothing.
    let narrowed = by("mei", &resumed, &open(100));
    let refused = ask(&narrowed, &open(2_500)).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::WouldResume);
    assert!(refused.detail.starts_with("mei narrowed it from 25% to 1% at"), "{refused}");
    assert!(ask(&narrowed, &open(50)).is_ok());
    let wider = by("tom", &narrowed, &naming(narrowed.head.sequence, 200));
    assert!(ask(&wider, &open(2_500)).is_ok(), "whoever widened it knew");
}

#[test]
fn no_stop_hides_behind_the_next_one() {
    let state = by("mei", &published(1, &initial_state()), &open(2_500));
    let narrowed = by("alice", &state, &GateRequest { reason: "a look".into(), ..open(1_000) });
    let paused = by("bob", &narrowed, &pause("crashes"));
    let again = by("carol", &paused, &pause("phones ring"));
    let last = again.head.sequence;
    let all = [last - 2, last - 1, last];
    assert_eq!(
        stops(&again),
        [(all[0], "alice".to_owned()), (all[1], "bob".to_owned()), (all[2], "carol".to_owned())]
    );
    let refused = ask(&again, &naming(&[last], 2_500)).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::WouldResume);
    for part in [
        "alice narrowed it from 25% to 10% at",
        "\"a look\"; bob paused it at",
        "\"crashes\"; carol paused it at",
        "\"phones ring\"",
    ] {
        assert!(refused.detail.contains(part), "{part}\n{refused}");
    }
    assert!(refused.remedy.contains(&format!("--resume {},{},{}", all[0], all[1], all[2])), "{refused}");
    for some in [&all[..2], &all[1..], &[all[0], last], &[]] {
        assert_eq!(kind(&again, &naming(some, 2_500)), ProblemKind::WouldResume, "{some:?}");
    }
    // Who goes no further than the narrowing undoes the pauses alone, and the narrowing stays in sight.
    let resumed = by("dora", &again, &naming(&all[1..], 1_000));
    assert_eq!(stops(&resumed), [(all[0], "alice".to_owned())]);
    assert_eq!(kind(&resumed, &open(2_500)), ProblemKind::WouldResume);
    let wide = by("dora", &resumed, &naming(&all, 2_500));
    assert_eq!(stops(&wide), []);
}

#[test]
fn another_word_for_the_public_stops_nothing() {
    let note = |request| GateRequest { note: Some("We look into it".into()), ..request };
    let state = by("mei", &published(1, &initial_state()), &open(2_500));
    let narrowed = by("alice", &state, &open(1_000));
    let noted = by("bob", &narrowed, &note(open(1_000)));
    assert_eq!(stops(&noted), stops(&narrowed));
    let paused = by("alice", &noted, &pause("crashes"));
    let noted = by("bob", &paused, &note(pause("crashes")));
    assert_eq!(stops(&noted), stops(&paused), "it was paused, and why, before");
    assert!(noted.head.sequence > paused.head.sequence);
}

#[test]
fn an_end_and_a_withdrawal_leave_nothing_to_resume() {
    let state = by("mei", &published(1, &initial_state()), &open(2_500));
    let paused = by("alice", &state, &pause("crashes"));
    assert_eq!(stops(&by("bob", &paused, &gate(1, GateState::Ended, None))), []);
    let second = published(2, &paused);
    let opened = by("mei", &second, &gate(2, GateState::Open, Some(2_500)));
    assert_eq!(stops(&opened), [], "what was stopped was the revision before it");
    let proposal = Proposal::new(&paused, Lane::Emergency, &[], &["a"]);
    let event = publish::decide(&paused, Lane::Emergency, &proposal.request(), start(), &Limits::default());
    let gone =
        state::apply(Some(&paused), &event.unwrap().unwrap(), ledger::EMPTY, &Limits::default()).unwrap();
    assert_eq!(stops(&gone), []);
}

#[test]
fn whose_own_stop_it_is_reads_so() {
    let state = by("mei", &published(1, &initial_state()), &open(2_500));
    let paused = by("person-23", &state, &pause("crashes"));
    let refused = ask(&paused, &open(2_500)).unwrap_err();
    assert!(refused.detail.starts_with("person-23, the token that asks, paused it at"), "{refused}");
}
