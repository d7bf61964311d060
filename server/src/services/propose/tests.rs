use std::sync::Arc;

use mulberry_shared::operators::ProposalOutcome;
use mulberry_shared::proposal::Role;

use super::*;
use crate::edition::Work;
use crate::state;
use crate::store::doubles::{Failure, Flaky};
use crate::store::memory::MemoryStore;
use crate::test_support::{Parts, Proposal as Made, actor, hours, initial_state, key, start};
use mulberry_shared::tuf::Signer as _;

/// The request to propose `made`, signed with its keys.
fn request(made: &Made) -> ProposalRequest {
    let publish = made.request();
    let document = mulberry_shared::proposal::Document {
        format: 1,
        role: made.lane.into(),
        metadata: publish.metadata,
        recipes: publish.recipes,
        withdraw: publish.withdraw,
        failed_preflights: vec![],
        base: None,
    };
    ProposalRequest { proposal: document, replaces: None }
}

/// A proposal of one recipe, signed by these keys.
fn made(state: &State, slug: &str, revision: u64, keys: &[u8]) -> Made {
    let path = format!("emergency/{slug}.json");
    let mut made = Made::new(state, Lane::Emergency, &[(path.as_str(), revision)], &[]);
    made.keys = keys.to_vec();
    made
}

fn id_of(made: &Made) -> String {
    Proposal::from_document(request(made).proposal, &Limits::default()).unwrap().id().to_string()
}

/// The signature of a key over a proposal.
fn signature(made: &Made, number: u8) -> SignatureRequest {
    let mut proposal = Proposal::from_document(request(made).proposal, &Limits::default()).unwrap();
    let state = initial_state();
    match proposal.sign(authority(&state, made.lane).unwrap(), &key(number)) {
        Ok(signature) => SignatureRequest { keyid: signature.keyid.0, sig: signature.sig },
        // A key of nobody: under the label that it gives itself.
        Err(_) => SignatureRequest { keyid: key(number).key_id().0, sig: "00".repeat(64) },
    }
}

fn propose_on(state: &State, made: &Made) -> Result<Decision, Refusal> {
    make(state, request(made), start(), &Limits::default())
}

fn sign_on(state: &State, id: &str, request: &SignatureRequest) -> Result<Decision, Refusal> {
    sign(state, id, request, start(), &Limits::default())
}

fn after(state: &State, decision: Decision) -> State {
    decision.events.iter().fold(state.clone(), |state, event| {
        state::apply(Some(&state), event, crate::ledger::EMPTY, &Limits::default()).unwrap()
    })
}

fn kind<T: std::fmt::Debug>(result: Result<T, Refusal>) -> ProblemKind {
    let refusal = result.unwrap_err();
    assert!(!refusal.detail.is_empty() && !refusal.remedy.is_empty(), "{refusal}");
    refusal.kind
}

#[test]
fn the_second_person_s_signature_publishes_with_one_event() {
    let state = initial_state();
    let proposal = made(&state, "a", 1, &[21]);
    let id = id_of(&proposal);
    let decision = propose_on(&state, &proposal).unwrap();
    assert!(matches!(decision.events.as_slice(), [Event::ProposalMade { .. }]));
    let state = after(&state, decision);
    assert!(state.recipes().next().is_none());
    assert_eq!(propose_on(&state, &proposal).unwrap().events, [], "the same again changes nothing");

    let status = list(&state, &Limits::default()).unwrap().proposals.remove(0);
    assert_eq!((status.missing, status.signed.len(), status.may_sign.len()), (1, 1, 2));
    assert_eq!(status.changes[0].path, "emergency/a.json");
    let first = signature(&proposal, 21);
    assert_eq!(sign_on(&state, &id, &first).unwrap().events, [], "an answer may have been lost");
    let decision = sign_on(&state, &id[..6], &signature(&proposal, 23)).unwrap();
    assert!(matches!(decision.events.as_slice(), [Event::LanePublished { .. }]), "{decision:?}");
    let state = after(&state, decision);
    assert_eq!((state.recipes().count(), state.proposals.iter().count()), (1, 0));
    assert_eq!(sign_on(&state, &id, &signature(&proposal, 23)).unwrap().events, []);
    assert_eq!(propose_on(&state, &proposal).unwrap().events, [], "it is published");
}

#[test]
fn signatures_that_do_not_count_are_refused_when_they_come() {
    let state = initial_state();
    let proposal = made(&state, "a", 1, &[21]);
    let (id, other) = (id_of(&proposal), made(&state, "b", 1, &[]));
    let state = after(&state, propose_on(&state, &proposal).unwrap());
    let genuine = signature(&proposal, 22);
    let of_another = SignatureRequest { sig: signature(&other, 22).sig, ..genuine.clone() };
    let twice = SignatureRequest { sig: "00".repeat(64), ..signature(&proposal, 21) };
    for (request, expected) in [
        (signature(&proposal, 31), ProblemKind::SignatureRefused),
        (signature(&proposal, 99), ProblemKind::SignatureRefused),
        (of_another, ProblemKind::SignatureRefused),
        (SignatureRequest { sig: String::new(), ..genuine.clone() }, ProblemKind::SignatureRefused),
        (SignatureRequest { sig: "zz".to_owned(), ..genuine.clone() }, ProblemKind::SignatureRefused),
        (twice, ProblemKind::AlreadySigned),
    ] {
        assert_eq!(kind(sign_on(&state, &id, &request)), expected, "{request:?}");
    }
    for unknown in ["", "abc", &id[..5], "zzzzzz", &"0".repeat(64), &format!("{id}0"), &id.to_uppercase()] {
        assert_eq!(kind(sign_on(&state, unknown, &genuine)), ProblemKind::UnknownProposal, "{unknown}");
    }
    // Handed in with a proposal, the same holds.
    let mut wrong = made(&state, "c", 1, &[31]);
    assert_eq!(kind(propose_on(&state, &wrong)), ProblemKind::SignatureRefused);
    wrong.keys = vec![21, 31];
    assert_eq!(kind(propose_on(&state, &wrong)), ProblemKind::SignatureRefused);
}

#[test]
fn what_could_not_be_published_is_refused_when_it_is_made() {
    let state = initial_state();
    let first = made(&state, "a", 4, &[21, 22]);
    let state = after(&state, propose_on(&state, &first).unwrap());
    assert_eq!(state.recipes().count(), 1, "enough signatures from the start publish it");
    let refused = |made: &Made| kind(propose_on(&state, made));
    assert_eq!(refused(&made(&state, "a", 3, &[])), ProblemKind::NotNewer);
    let mut skipping = made(&state, "b", 1, &[]);
    skipping.body.version += 1;
    assert_eq!(refused(&skipping), ProblemKind::NotNewer);
    let mut expired = made(&state, "b", 1, &[]);
    expired.body.expires = start();
    assert_eq!(refused(&expired), ProblemKind::TrustRefused);
    let mut bare = made(&state, "b", 1, &[]);
    bare.recipes.clear();
    assert_eq!(refused(&bare), ProblemKind::RecipeRefused);
    let mut vanishing = Made::new(&state, Lane::Emergency, &[], &["a"]);
    vanishing.withdraw.clear();
    vanishing.keys = vec![];
    assert_eq!(refused(&vanishing), ProblemKind::WouldDisappear);
    let mut taken = Made::new(&state, Lane::Routine, &[("routine/a.json", 1)], &[]);
    taken.keys = vec![];
    assert_eq!(refused(&taken), ProblemKind::SlugTaken);
    let mut small = Limits::default();
    small.trust.edition_bytes = 10;
    let large = make(&state, request(&made(&state, "b", 1, &[])), start(), &small);
    assert_eq!(kind(large), ProblemKind::RecipeRefused);

    let asked = |change: &dyn Fn(&mut ProposalRequest)| {
        let mut asked = request(&made(&state, "b", 1, &[]));
        change(&mut asked);
        kind(make(&state, asked, start(), &Limits::default()))
    };
    assert_eq!(asked(&|asked| asked.proposal.role = Role::Root), ProblemKind::ProposalRefused);
    assert_eq!(asked(&|asked| asked.proposal.format = 3), ProblemKind::ProposalRefused);
    assert_eq!(asked(&|asked| asked.proposal.format = 0), ProblemKind::ProposalRefused);
    assert_eq!(asked(&|asked| asked.proposal.base = Some(Base64(vec![]))), ProblemKind::MalformedRequest);
    assert_eq!(asked(&|asked| asked.proposal.metadata.0.push(b'x')), ProblemKind::TrustRefused);
    assert_eq!(asked(&|asked| asked.replaces = Some("00".repeat(32))), ProblemKind::UnknownProposal);
}

#[test]
fn a_proposal_overtaken_is_listed_cannot_be_signed_and_can_be_replaced() {
    let state = initial_state();
    let (mine, theirs) = (made(&state, "a", 1, &[21]), made(&state, "b", 1, &[21]));
    let both = after(&state, propose_on(&state, &mine).unwrap());
    let both = after(&both, propose_on(&both, &theirs).unwrap());
    assert_eq!(list(&both, &Limits::default()).unwrap().proposals.len(), 2);
    let state = after(&both, sign_on(&both, &id_of(&theirs), &signature(&theirs, 22)).unwrap());
    let listed = list(&state, &Limits::default()).unwrap().proposals;
    assert_eq!((listed.len(), listed[0].state), (1, ProposalState::Overtaken));
    assert_eq!(kind(sign_on(&state, &id_of(&mine), &signature(&mine, 22))), ProblemKind::ProposalOvertaken);
    assert_eq!(kind(propose_on(&state, &mine)), ProblemKind::ProposalOvertaken);

    let rebased = made(&state, "a", 1, &[]);
    let mut asked = request(&rebased);
    asked.replaces = Some(id_of(&mine)[..12].to_owned());
    let state = after(&state, make(&state, asked, start(), &Limits::default()).unwrap());
    let listed = list(&state, &Limits::default()).unwrap().proposals;
    assert_eq!((listed.len(), listed[0].state, listed[0].missing), (1, ProposalState::Open, 2));
    let mut routine = Made::new(&state, Lane::Routine, &[("routine/c.json", 1)], &[]);
    routine.keys = vec![];
    let mut asked = request(&routine);
    asked.replaces = Some(id_of(&rebased));
    assert_eq!(kind(make(&state, asked, start(), &Limits::default())), ProblemKind::ProposalRefused);
}

#[test]
fn open_proposals_are_bounded_and_overtaken_ones_make_room() {
    let (state, mut limits) = (initial_state(), Limits::default());
    limits.proposal.kept = 2;
    let keep = |state: &State, made: &Made| {
        let decision = make(state, request(made), start(), &limits)?;
        Ok::<_, Refusal>(decision.events.iter().fold(state.clone(), |state, event| {
            state::apply(Some(&state), event, crate::ledger::EMPTY, &limits).unwrap()
        }))
    };
    let (a, b) = (made(&state, "a", 1, &[21]), made(&state, "b", 1, &[]));
    let full = keep(&keep(&state, &a).unwrap(), &b).unwrap();
    assert_eq!(kind(keep(&full, &made(&state, "c", 1, &[]))), ProblemKind::ProposalRefused);
    let moved = after(&full, sign_on(&full, &id_of(&a), &signature(&a, 22)).unwrap());
    let again = keep(&keep(&moved, &made(&moved, "c", 1, &[])).unwrap(), &made(&moved, "d", 1, &[])).unwrap();
    let states: Vec<_> = list(&again, &limits).unwrap().proposals.iter().map(|one| one.state).collect();
    assert_eq!(states, [ProposalState::Open, ProposalState::Open]);
    limits.proposal.kept_bytes = 10;
    assert_eq!(kind(make(&state, request(&a), start(), &limits)), ProblemKind::ProposalRefused);
}

/// The answer to the first request may have been lost, and a proposal may have been submitted before without a word of another.
#[test]
fn replacing_may_be_asked_again_and_later() {
    let state = initial_state();
    let (old, new) = (made(&state, "a", 1, &[21]), made(&state, "b", 1, &[21]));
    let state = after(&state, propose_on(&state, &old).unwrap());
    let ask = |state: &State, made: &Made, replaces: &str| {
        let asked = ProposalRequest { replaces: Some(replaces.to_owned()), ..request(made) };
        make(state, asked, start(), &Limits::default())
    };
    let ids = |state: &State| state.proposals.iter().map(|kept| kept.id().to_string()).collect::<Vec<_>>();
    let replaced = after(&state, ask(&state, &new, &id_of(&old)[..12]).unwrap());
    assert_eq!(ids(&replaced), [id_of(&new)]);
    assert_eq!(ask(&replaced, &new, &id_of(&old)[..12]).unwrap().events, [], "it is done");

    let both = after(&state, propose_on(&state, &new).unwrap());
    assert_eq!(ids(&both).len(), 2);
    let signed = Made { keys: vec![22], ..made(&state, "b", 1, &[]) };
    let decision = ask(&both, &signed, &id_of(&old)[..12]).unwrap();
    assert!(matches!(
        decision.events.as_slice(),
        [Event::LanePublished { .. }, Event::ProposalDropped { .. }]
    ));
    let decision = ask(&both, &new, &id_of(&old)[..12]).unwrap();
    let [Event::ProposalDropped { id, reason }] = decision.events.as_slice() else { panic!("{decision:?}") };
    assert_eq!((id.to_string(), reason), (id_of(&old), &format!("replaced by {}", &id_of(&new)[..12])));
    assert_eq!(ids(&after(&both, decision)), [id_of(&new)]);

    // The publication was recorded, and the server ended before the other was dropped.
    let published = after(&both, sign_on(&both, &id_of(&new), &signature(&new, 22)).unwrap());
    assert_eq!(ids(&published), [id_of(&old)]);
    let published = after(&published, ask(&published, &new, &id_of(&old)).unwrap());
    assert_eq!(ids(&published).len(), 0);
    assert_eq!(ask(&published, &new, &id_of(&old)).unwrap().events, []);

    // What names nothing, or itself, is a slip all the same.
    for (replaces, expected) in [
        ("abc", ProblemKind::UnknownProposal),
        ("zzzzzz", ProblemKind::UnknownProposal),
        (&id_of(&new)[..12], ProblemKind::ProposalRefused),
    ] {
        assert_eq!(kind(ask(&both, &new, replaces)), expected, "{replaces}");
    }
}

#[test]
fn a_proposal_is_given_up_with_a_reason() {
    let state = initial_state();
    let proposal = made(&state, "a", 1, &[21]);
    let state = after(&state, propose_on(&state, &proposal).unwrap());
    let ask = |reason: &str| {
        give_up(&state, &id_of(&proposal), &DropRequest { reason: reason.to_owned() }, &Limits::default())
    };
    for reason in ["", " ", "two\nlines", &"x".repeat(501)] {
        assert_eq!(kind(ask(reason)), ProblemKind::ProposalRefused, "{reason:?}");
    }
    let (dropped, event) = ask("a typo").unwrap();
    assert_eq!(dropped.signed.len(), 1);
    let state = state::apply(Some(&state), &event, crate::ledger::EMPTY, &Limits::default()).unwrap();
    assert_eq!(state.proposals.iter().count(), 0);
    assert_eq!(kind(show(&state, &id_of(&proposal), &Limits::default())), ProblemKind::UnknownProposal);
}

#[tokio::test]
async fn proposals_survive_a_restart_and_are_no_edition_of_their_own() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let before = core.served();
    let proposal = made(&before.state, "a", 1, &[21]);
    let answer = core.propose(actor("mei"), request(&proposal)).await.unwrap();
    assert_eq!(answer.outcome, ProposalOutcome::Waiting);
    let waiting = answer.proposal.unwrap();
    assert_eq!((waiting.by.as_str(), waiting.made), ("mei", start()));
    let served = core.served();
    assert_eq!(served.edition.number(), before.edition.number(), "agents have nothing to fetch");
    assert_eq!(served.edition.ledger(), served.state.head, "and the timestamp names the new head");
    assert_eq!(core.sign_due().await.unwrap(), Work::Nothing);
    assert_eq!(core.status().proposals_waiting, 1);

    parts.clock.advance(hours(1));
    let core = parts.open().await.unwrap();
    assert_eq!(core.served().state.proposals, served.state.proposals, "who and when are part of it");
    let answer = core.sign_proposal(actor("tom"), id_of(&proposal), signature(&proposal, 22)).await.unwrap();
    assert_eq!((answer.outcome, answer.published.unwrap().ledger.sequence), (ProposalOutcome::Published, 3));
    assert!(core.served().edition.number() > before.edition.number());
}

/// An edition that could not be stored is not forgotten because a proposal came after it.
#[tokio::test]
async fn a_proposal_after_a_failed_edition_does_not_hide_it() {
    use std::sync::atomic::Ordering;
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let before = core.served().state.clone();
    let first = made(&before, "a", 1, &[21, 22]);
    parts.editions.failing.store(true, Ordering::SeqCst);
    assert_eq!(kind(core.propose(actor("mei"), request(&first)).await), ProblemKind::Unavailable);
    parts.editions.failing.store(false, Ordering::SeqCst);
    let mut other = Made::new(&before, Lane::Routine, &[("routine/c.json", 1)], &[]);
    other.keys = vec![];
    core.propose(actor("mei"), request(&other)).await.unwrap();
    let served = core.served();
    let listed = served.edition.snapshot.meta.get("emergency.json").map(|meta| meta.version);
    assert_eq!((served.state.recipes().count(), listed), (1, Some(2)));
}

#[tokio::test]
async fn the_last_signature_is_published_or_not_there_and_nothing_in_between() {
    for failure in [Failure::Before, Failure::After] {
        let parts = Parts::initialised(Flaky::new(Arc::new(MemoryStore::new()), failure)).await;
        let core = parts.open().await.unwrap();
        let proposal = made(&core.served().state, "a", 1, &[21]);
        core.propose(actor("mei"), request(&proposal)).await.unwrap();
        parts.store.fail(true);
        let last = signature(&proposal, 22);
        let refused = core.sign_proposal(actor("tom"), id_of(&proposal), last.clone()).await;
        assert_eq!(kind(refused), ProblemKind::Unavailable);
        parts.store.fail(false);
        assert_eq!(core.served().state.recipes().count(), 0);

        let core = parts.open().await.unwrap();
        let state = core.served().state.clone();
        let there = usize::from(failure == Failure::After);
        assert_eq!((state.recipes().count(), state.proposals.iter().count()), (there, 1 - there));
        let again = core.sign_proposal(actor("tom"), id_of(&proposal), last).await.unwrap();
        assert_eq!(again.outcome, ProposalOutcome::Published);
        assert_eq!(core.served().state.head.sequence, 3, "one event");
    }
}
