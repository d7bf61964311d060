//! What a second person's key lets happen.

use super::*;
use mulberry_shared::ledger::actor::Owner;
use mulberry_shared::tuf::KeyId;
use mulberry_shared::tuf::threshold::Signature;

#[test]
fn a_second_persons_key_opens_it_once_and_for_what_was_signed() {
    let limits = Limits::default();
    let state = published(1, &initial_state());
    let request = signed(&state, 5_000, start(), &[21]);
    let event = ask(&state, &request).unwrap().unwrap();
    let Event::GateApproved { gate: opened, .. } = &event else { panic!("{event:?}") };
    assert_eq!((opened.percent.get(), opened.since), (5_000, start()));
    let opened = state::apply(Some(&state), &event, ledger::EMPTY, &limits).unwrap();

    // Never twice: not after a pause, not after an end of it all, not in another second.
    let paused = after(&opened, &gate(1, GateState::Paused, None));
    let again = ask(&paused, &resuming(&paused, &request)).unwrap_err();
    assert_eq!(again.kind, ProblemKind::ApprovalRefused);
    assert!(again.detail.contains("it was used"), "{again}");
    let narrowed = after(&opened, &gate(1, GateState::Open, Some(10)));
    assert_eq!(kind(&narrowed, &resuming(&narrowed, &request)), ProblemKind::ApprovalRefused);
    let hour = jiff::SignedDuration::from_hours(1);
    let approval = request.approval.clone().unwrap();
    let other = |change: &dyn Fn(&mut Approval)| {
        let mut approval = approval.clone();
        change(&mut approval);
        GateRequest { approval: Some(approval), ..request.clone() }
    };
    for (request, words) in [
        (GateRequest { percent: Some(10_000), ..request.clone() }, "100% is asked for, and 50% was signed"),
        (other(&|approval| approval.since = start() - hour), "at most"),
        (other(&|approval| approval.expires = start() + hour), "no signature of the emergency lane holds"),
        (other(&|approval| approval.signatures.clear()), "no signature of the emergency lane holds"),
        (signed(&state, 5_000, start(), &[]), "no signature of the emergency lane holds"),
        (signed(&state, 5_000, start() + hour, &[21]), "one clock is wrong"),
        (signed(&state, 5_000, start() - hour * 24, &[21]), "could be submitted until"),
    ] {
        let refused = ask(&state, &request).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::ApprovalRefused, "{refused}");
        assert!(refused.detail.contains(words), "{refused}");
    }
    // For the bytes of another revision.
    let second = published(2, &state);
    let mut stale = signed(&second, 5_000, start(), &[21]);
    stale.approval = request.approval.clone();
    assert_eq!(kind(&second, &stale), ProblemKind::ApprovalRefused);
    let pause = GateRequest { state: GateState::Paused, ..request };
    assert_eq!(kind(&opened, &pause), ProblemKind::GateRefused);
}

#[test]
fn ones_own_key_is_no_second_persons() {
    let state = published(1, &initial_state());
    let ask_as = |actor: &Actor, keys: &[u8]| {
        let request = signed(&state, 5_000, start(), keys);
        decide(&state, actor, &path("emergency/a.json"), &request, start(), &Limits::default())
    };
    let with = |token: &str, owner: Owner, keys: &[u8]| {
        ask_as(&Actor::Token { token: token.to_owned(), owner }, keys)
    };
    let by = |person: &str, keys: &[u8]| with("laptop", Owner::Person(person.parse().unwrap()), keys);
    let refused = by("person-21", &[21]).unwrap_err();
    assert_eq!(refused.kind, ProblemKind::SecondKeyNeeded);
    assert!(refused.remedy.contains("person-22, person-23"), "{refused}");
    assert_eq!(
        by("Person_2l", &[21]).unwrap_err().kind,
        ProblemKind::SecondKeyNeeded,
        "a name that looks alike"
    );
    assert!(by("person-21", &[21, 22]).is_ok() && by("person-21", &[22]).is_ok());
    // Whoever holds another role's key is somebody. Whoever holds none may be the one who signed, under another name.
    assert!(by("person-1", &[21]).is_ok());
    let stranger = by("chris", &[21]).unwrap_err();
    assert_eq!(stranger.kind, ProblemKind::SecondKeyNeeded);
    assert!(stranger.detail.contains("is chris's, who holds no key"), "{stranger}");
    // The token of a duty, or one that was made before tokens had owners, may be that of the one who signed, whatever its name.
    let unknown = |name: &str| Actor::Unknown(name.to_owned());
    let duty = |keys: &[u8]| with("person-22", Owner::Duty("watch".parse().unwrap()), keys);
    for nobody in
        [duty(&[21]), ask_as(&unknown("person-22"), &[21]), ask_as(&Actor::command("person-22"), &[21])]
    {
        let nobody = nobody.unwrap_err();
        assert_eq!(nobody.kind, ProblemKind::SecondKeyNeeded);
        assert!(nobody.detail.contains("is no one person's"), "{nobody}");
        assert!(nobody.remedy.contains("token add NAME --person PERSON"), "{nobody}");
    }
    assert!(duty(&[21, 22]).is_ok() && ask_as(&unknown("person-22"), &[21, 22]).is_ok());
    // A key that the lane does not have, under the label of one that it has.
    let mut request = signed(&state, 5_000, start(), &[21]);
    let approval = request.approval.as_mut().unwrap();
    let forged = approval.opening(
        &path("emergency/a.json"),
        1,
        state.recipe(&path("emergency/a.json")).unwrap().sha256,
    );
    approval.signatures[0].sig = hex::encode(key(31).sign(&forged.message()).unwrap());
    assert_eq!(kind(&state, &request), ProblemKind::ApprovalRefused);
}

#[test]
fn an_altered_opening_in_the_ledger_is_not_folded() {
    let state = published(1, &initial_state());
    let Some(Event::GateApproved { path, gate, approval }) =
        ask(&state, &signed(&state, 5_000, start(), &[21])).unwrap()
    else {
        panic!()
    };
    let fold = |gate: &SetGate, approval: &Approval| {
        let event =
            Event::GateApproved { path: path.clone(), gate: gate.clone(), approval: approval.clone() };
        state::apply(Some(&state), &event, ledger::EMPTY, &Limits::default()).is_ok()
    };
    assert!(fold(&gate, &approval));
    assert!(!fold(&SetGate { percent: BasisPoints::EVERYONE, ..gate.clone() }, &approval));
    let wider = Approval { percent: BasisPoints::EVERYONE, ..approval.clone() };
    assert!(!fold(&SetGate { percent: BasisPoints::EVERYONE, ..gate.clone() }, &wider));
    assert!(!fold(&gate, &Approval { signatures: vec![], ..approval }));
}

#[test]
fn what_only_people_may_open_needs_as_many_of_them_as_a_recipe() {
    let at = "emergency/guarded.json";
    let limits = Limits::default();
    let ask = |state: &State, request: &GateRequest| {
        decide(state, &actor("person-21"), &path(at), request, start(), &limits)
    };
    let go = |state: &State, request: &GateRequest| {
        let event = ask(state, request).unwrap().unwrap();
        state::apply(Some(state), &event, ledger::EMPTY, &limits).unwrap()
    };
    let state = publishes("guarded", 1, &initial_state());
    // Its plan has a step at 50 %, which for others one person may take.
    let alone = ask(&state, &gate(1, GateState::Open, Some(5_000))).unwrap_err();
    assert_eq!(alone.kind, ProblemKind::SecondKeyNeeded);
    assert!(alone.detail.contains("only the people of the emergency lane open it"), "{alone}");
    let one = ask(&state, &signed_for(at, &state, 5_000, start(), &[22])).unwrap_err();
    assert_eq!(one.kind, ProblemKind::SecondKeyNeeded);
    assert!(one.detail.contains("signed by person-22; missing 1 of person-21, person-23"), "{one}");

    let mut request = signed_for(at, &state, 5_000, start(), &[21, 22]);
    // What somebody writes into it besides would make clients refuse all gates.
    let approval = request.approval.as_mut().unwrap();
    let junk = Signature { keyid: KeyId("junk".into()), ..approval.signatures[0].clone() };
    approval.signatures.push(junk);
    approval.signatures[0].other.insert("later".into(), 1.into());
    let opened = go(&state, &request);
    let held = |state: &State| state.gates.of(&path(at), 1).unwrap().approval.clone();
    let kept = held(&opened).unwrap();
    assert_eq!((kept.signatures.len(), kept.percent.get()), (2, 5_000));
    let read = ReadGates::read(&opened.gates.write(), &limits).unwrap();
    assert_eq!(read.whole().unwrap(), opened.gates);

    // Narrower is for anyone, and what they signed stays beside it; wider again is not.
    let narrowed = go(&opened, &gate(1, GateState::Open, Some(100)));
    assert_eq!(held(&narrowed), Some(kept));
    let open = |state: &State, percent| resuming_at(at, state, &gate(1, GateState::Open, Some(percent)));
    let wider = ask(&narrowed, &open(&narrowed, 5_000)).unwrap_err();
    assert_eq!(wider.kind, ProblemKind::SecondKeyNeeded);
    let paused = go(&narrowed, &gate(1, GateState::Paused, None));
    assert_eq!(held(&paused), None);
    let resumed = ask(&paused, &open(&paused, 100)).unwrap_err();
    assert_eq!(resumed.kind, ProblemKind::SecondKeyNeeded);
    assert_eq!(
        ask(&paused, &resuming_at(at, &paused, &request)).unwrap_err().kind,
        ProblemKind::ApprovalRefused
    );
    // Nor does a ledger that says so open it.
    let Some(Event::GateApproved { gate, .. }) = ask(&state, &request).unwrap() else { panic!() };
    let forged = Event::GateSet { path: path(at), gate };
    assert!(state::apply(Some(&paused), &forged, ledger::EMPTY, &limits).is_err());
}
