use std::path::Path;

use mulberry_shared::approval::{LIFE, Opening};
use mulberry_shared::ceremony::{Ceremony, Lone, Step, plan};
use mulberry_shared::operators::{GateRequest, GateState, ProposalRequest, PublishRequest, SignatureRequest};
use mulberry_shared::proposal::{Document, Role};
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::Signer;

use super::*;
use crate::keys::{KeyFolder, KeySource};
use crate::state::ceremonies;
use crate::store::Store;
use crate::store::memory::MemoryStore;
use crate::test_support::{Keys, Parts, Proposal, actor, gate, key, path, start};

fn made(core: &Core, steps: &[Step]) -> Ceremony {
    let state = core.served().state.clone();
    plan::make(&state.live(), steps, Lone::Refuse, start(), &Limits::default()).unwrap()
}

fn signed(core: &Core, ceremony: &Ceremony, keys: &[u8]) -> CeremonyRequest {
    let state = core.served().state.clone();
    let mut ceremony = ceremony.clone();
    keys.iter().for_each(|number| drop(ceremony.sign(&state.live(), &key(*number)).unwrap()));
    CeremonyRequest { ceremony: ceremony.document() }
}

async fn hand_in(core: &Arc<Core>, request: CeremonyRequest) -> Result<CeremonyResponse, ProblemKind> {
    core.ceremony(actor("mei"), request).await.map_err(|refusal| refusal.kind)
}

/// The request to propose what a lane's people signed.
fn proposed(lane: &Proposal) -> ProposalRequest {
    let PublishRequest { metadata, recipes, withdraw } = lane.request();
    let role = Role::from(lane.lane);
    let proposal =
        Document { format: 1, role, metadata, recipes, withdraw, failed_preflights: vec![], base: None };
    ProposalRequest { proposal, replaces: None }
}

/// The signature of an emergency key over a proposal.
fn signature(core: &Core, document: Document, number: u8) -> SignatureRequest {
    let mut proposal =
        mulberry_shared::proposal::Proposal::from_document(document, &Limits::default()).unwrap();
    let state = core.served().state.clone();
    let authority = state.targets.authority("emergency", "targets").unwrap();
    let signature = proposal.sign(authority, &key(number)).unwrap();
    SignatureRequest { keyid: signature.keyid.0, sig: signature.sig }
}

fn revoke(role: Role, number: u8) -> Step {
    Step::Revoke { role, who: format!("person-{number}") }
}

fn online(numbers: [u8; 3]) -> Step {
    let roles = ["snapshot", "timestamp", "gates"].map(str::to_owned);
    Step::Online { keys: roles.into_iter().zip(numbers.map(|number| key(number).key().clone())).collect() }
}

/// The keys that the first metadata names, in files.
fn key_folder(folder: &Path) -> KeyFolder {
    let keys = KeyFolder(folder.join("keys"));
    crate::files::private_folder(&keys.0).unwrap();
    for (role, number) in crate::keys::ONLINE_ROLES.into_iter().zip([101, 102, 103]) {
        let pem = key(number).to_pkcs8_pem().unwrap();
        crate::files::write_private(&keys.0.join(format!("{role}.pem")), pem.as_bytes()).unwrap();
    }
    keys
}

#[tokio::test]
async fn people_sign_one_after_the_other_and_all_parts_are_served_at_once() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    // The lane was signed with 21 and 22, so it is signed again.
    let ceremony = made(&core, &[revoke(Role::Emergency, 21)]);
    let first = hand_in(&core, signed(&core, &ceremony, &[11])).await.unwrap();
    assert_eq!(first.outcome, ProposalOutcome::Waiting);
    let missing: Vec<_> =
        first.ceremony.unwrap().parts.iter().map(|part| (part.role, part.missing)).collect();
    assert_eq!(missing, [(Role::Targets, 1), (Role::Emergency, 2)]);
    let again = hand_in(&core, signed(&core, &ceremony, &[11])).await.unwrap();
    assert_eq!(again.ledger, first.ledger, "the same again changes nothing");
    let before = core.served();
    hand_in(&core, signed(&core, &ceremony, &[22, 13])).await.unwrap();
    assert_eq!(core.served().state.targets.version, before.state.targets.version, "one is missing");

    // A restart in between, and a recipe in the making that the revoked key has signed.
    drop(core);
    let core = parts.open().await.unwrap();
    let last = hand_in(&core, signed(&core, &ceremony, &[23])).await.unwrap();
    assert_eq!((last.outcome, last.ceremony), (ProposalOutcome::Published, None));
    let state = core.served().state.clone();
    assert_eq!((state.targets.version, state.lanes[&Lane::Emergency].metadata.version), (2, 2));
    assert_eq!((state.roots.len(), state.ceremonies.iter().count()), (1, 0));
    assert_eq!(
        hand_in(&core, signed(&core, &ceremony, &[])).await.unwrap().outcome,
        ProposalOutcome::Published
    );

    // The revoked key counts for nothing any more, beside a good one.
    let lane = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
    let request = lane.request();
    let refused = core.publish(actor("mei"), Lane::Emergency, request).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::TrustRefused, "{refused}");
    let good = Proposal { keys: vec![22, 23], ..lane };
    core.publish(actor("mei"), Lane::Emergency, good.request()).await.unwrap();
    drop(core);
    assert_eq!(parts.open().await.unwrap().served().state.targets.version, 2, "the fold agrees");
}

#[tokio::test]
async fn a_signature_of_a_revoked_key_under_a_waiting_proposal_is_forgotten() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let state = core.served().state.clone();
    let lane = Proposal {
        keys: vec![23],
        ..Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[])
    };
    let waiting = core.propose(actor("mei"), proposed(&lane)).await.unwrap();
    assert_eq!(waiting.proposal.unwrap().missing, 1);
    let ceremony = made(&core, &[revoke(Role::Emergency, 23)]);
    hand_in(&core, signed(&core, &ceremony, &[11, 12])).await.unwrap();
    let [one] = &core.proposals().unwrap().proposals[..] else { panic!("one proposal") };
    assert_eq!((one.missing, one.signed.len()), (2, 0), "{one:?}");
    assert!(one.may_sign.iter().all(|person| person != "person-23"), "{one:?}");

    // It does not stand in the way of those that count.
    let shown = core.proposal(&one.id.to_string()).unwrap().proposal;
    let request = signature(&core, shown, 21);
    let signed = core.sign_proposal(actor("mei"), one.id.to_string(), request).await.unwrap();
    assert_eq!(signed.proposal.unwrap().missing, 1);
}

#[tokio::test]
async fn a_revoked_key_closes_what_it_opened_and_everybody_is_told() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let at = path("emergency/guarded.json");
    let lane = Proposal::new(&core.served().state, Lane::Emergency, &[("emergency/guarded.json", 1)], &[]);
    core.publish(actor("mei"), Lane::Emergency, lane.request()).await.unwrap();
    let open = async |since: Timestamp, keys: [u8; 2]| {
        let state = core.served().state.clone();
        let percent = mulberry_shared::sampling::BasisPoints::new(5_000).unwrap();
        let (sha256, expires) = (state.recipe(&at).unwrap().sha256, since + LIFE);
        let opening =
            Opening { path: at.clone(), revision: 1, sha256, percent, since, expires, open_until: None };
        let authority = state.targets.authority("emergency", "targets").unwrap();
        let sign = |number| opening.sign(authority, &key(number)).unwrap();
        let approval = Some(opening.approved(keys.map(sign).into()));
        let request = GateRequest { approval, ..gate(1, GateState::Open, Some(5_000)) };
        core.set_gate(actor("mei"), at.clone(), request).await
    };
    let reaches = |core: &Core| {
        let [recipe] = &core.status().recipes[..] else { panic!("one recipe") };
        (recipe.effective_percent, recipe.closed_to_clients.is_some())
    };
    open(start(), [21, 22]).await.unwrap();
    assert_eq!((reaches(&core), core.reading().closed_gates), ((5_000, false), 0));

    let ceremony = made(&core, &[revoke(Role::Emergency, 21)]);
    let done = hand_in(&core, signed(&core, &ceremony, &[11, 13, 22, 23])).await.unwrap();
    assert_eq!(done.outcome, ProposalOutcome::Published);
    let [told] = &done.closed[..] else { panic!("{done:?}") };
    assert!(told.contains("emergency/guarded.json") && told.contains("1 of the 2 distinct keys"), "{told}");
    assert_eq!(core.troubles(), done.closed, "status and heartbeat");
    assert_eq!((reaches(&core), core.reading().closed_gates), ((0, true), 1));

    let second = jiff::SignedDuration::from_secs(1);
    let opened = open(start() + second, [22, 23]).await.unwrap();
    assert_eq!((opened.recipe.effective_percent, opened.recipe.closed_to_clients), (5_000, None));
    assert_eq!((core.troubles(), core.reading().closed_gates), (vec![], 0));
}

/// Three of three had to sign. The third leaves, and two are enough for what two have signed.
#[tokio::test]
async fn a_proposal_that_a_lower_threshold_completes_is_published_by_whoever_asks_again() {
    let threshold = |threshold| Step::Threshold { role: Role::Emergency, threshold };
    for sign_again in [true, false] {
        let parts = Parts::initialised(MemoryStore::new()).await;
        let core = parts.open().await.unwrap();
        let ceremony = made(&core, &[threshold(3)]);
        hand_in(&core, signed(&core, &ceremony, &[11, 12, 21, 22, 23])).await.unwrap();
        let state = core.served().state.clone();
        let lane = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
        let waiting = core.propose(actor("mei"), proposed(&lane)).await.unwrap().proposal.unwrap();
        assert_eq!((waiting.missing, waiting.may_sign.as_slice()), (1, ["person-23".to_owned()].as_slice()));
        let ceremony = made(&core, &[revoke(Role::Emergency, 23), threshold(2)]);
        hand_in(&core, signed(&core, &ceremony, &[11, 12])).await.unwrap();
        let [one] = &core.proposals().unwrap().proposals[..] else { panic!("one proposal") };
        assert_eq!((one.missing, one.may_sign.len()), (0, 0), "{one:?}");

        let id = one.id.to_string();
        let genuine = signature(&core, proposed(&lane).proposal, 22);
        let other = SignatureRequest { sig: "00".repeat(64), ..genuine.clone() };
        let refused = core.sign_proposal(actor("mei"), id.clone(), other).await.unwrap_err();
        assert_eq!(refused.kind, ProblemKind::AlreadySigned);
        assert!(refused.remedy.contains(&format!("mulberryctl submit {}", &id[..12])), "{refused}");
        let answer = if sign_again {
            core.sign_proposal(actor("mei"), id, genuine).await.unwrap()
        } else {
            core.propose(actor("mei"), proposed(&lane)).await.unwrap()
        };
        assert_eq!(answer.outcome, ProposalOutcome::Published);
        assert_eq!(core.served().state.recipes().count(), 1);
        drop(core);
        assert_eq!(parts.open().await.unwrap().served().state.recipes().count(), 1, "the fold agrees");
    }
}

#[tokio::test]
async fn what_is_refused_is_not_recorded() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let head = core.served().state.head;
    let good = made(&core, &[revoke(Role::Root, 1)]);
    let mut false_one = signed(&core, &good, &[2]);
    let bytes = false_one.ceremony.parts.get_mut(&Role::Root).unwrap();
    let text = String::from_utf8(bytes.0.clone()).unwrap();
    let at = text.find("\"sig\":\"").unwrap() + 7;
    bytes.0[at] = if bytes.0[at] == b'0' { b'1' } else { b'0' };
    assert_eq!(hand_in(&core, false_one).await.unwrap_err(), ProblemKind::SignatureRefused);
    // Keys that this server does not have: it could sign nothing after it.
    let foreign = made(&core, &[online([111, 112, 113])]);
    for keys in [&[1, 2, 11, 12][..], &[1], &[]] {
        let refused = hand_in(&core, signed(&core, &foreign, keys)).await;
        assert_eq!(
            refused.unwrap_err(),
            ProblemKind::ProposalRefused,
            "before anybody passes it round: {keys:?}"
        );
    }
    assert_eq!(core.served().state.head, head);

    hand_in(&core, signed(&core, &good, &[2])).await.unwrap();
    let other = made(&core, &[revoke(Role::Root, 3)]);
    hand_in(&core, signed(&core, &other, &[1, 2])).await.unwrap();
    assert_eq!(core.served().state.roots.len(), 2);
    let overtaken = hand_in(&core, signed(&core, &good, &[])).await.unwrap_err();
    assert_eq!(overtaken, ProblemKind::ProposalOvertaken);
    let [listed] = &core.ceremonies().unwrap().ceremonies[..] else { panic!("one is kept") };
    assert_eq!(listed.state, mulberry_shared::operators::ProposalState::Overtaken);
    let id = listed.id.to_string()[..12].to_owned();
    let drop = DropRequest { reason: "overtaken".into() };
    core.drop_ceremony(actor("mei"), id.clone(), drop).await.unwrap();
    assert_eq!(core.shown_ceremony(&id).unwrap_err().kind, ProblemKind::UnknownProposal);
}

/// A thief of the old keys went far ahead; whoever holds what the thief served recovers.
#[tokio::test]
async fn after_a_rotation_of_the_online_keys_versions_fall_back_and_clients_follow() {
    let mut parts = Parts::initialised(MemoryStore::new()).await;
    // Two sets of keys, as a server has them that made new ones.
    let folder = tempfile::tempdir().unwrap();
    let keys = key_folder(folder.path());
    parts.keys = Arc::new(keys.clone());
    let core = parts.open().await.unwrap();
    let new = keys.make_next().unwrap();
    assert_eq!(keys.make_next().unwrap(), new, "they wait, and are told again");
    let old = std::fs::read(keys.0.join("gates.pem")).unwrap();

    let mut writer = core.writer.lock().await;
    let limits = Limits::default();
    let ahead = "9000-01-01T00:00:00Z".parse().unwrap();
    let stolen = Keys([101, 102, 103]).select(&writer.state.root, &writer.state.targets).unwrap();
    let forged = edition::next(None, &writer.state, &stolen, ahead, Work::Snapshot, &limits).unwrap();
    let files = documents(&writer.state, &forged).into_iter().collect();
    let pinned = TrustState::pinned(writer.state.roots[0].bytes(), &limits).unwrap();
    let (agent, error) = refresh(&pinned, &files, &limits);
    assert_eq!(error, None);
    // The server itself may have been made to sign far ahead, too.
    writer.edition = Some(Arc::new(forged));
    drop(writer);

    let ceremony = made(&core, &[Step::Online { keys: new.clone() }]);
    let answer = hand_in(&core, signed(&core, &ceremony, &[1, 3, 11, 12])).await.unwrap();
    let now = u64::try_from(start().as_second()).unwrap();
    assert!((now..now + 10).contains(&answer.edition), "{}", answer.edition);
    let served = core.served();
    let files = documents(&served.state, &served.edition).into_iter().collect();
    let (agent, error) = refresh(&agent, &files, &limits);
    assert_eq!(error, None);
    assert_eq!(agent.trusted().snapshot().unwrap().version, answer.edition);

    // The new ones took the place of the old ones, which are put aside; a restart finds them.
    assert_eq!(std::fs::read(keys.0.join("retired/gates.pem")).unwrap(), old);
    assert!(!keys.0.join("next").exists());
    assert_eq!(parts.open().await.unwrap().served().edition.gates, served.edition.gates);
}

/// A `keys new` that was killed leaves a temporary file, and people put files where they like.
#[tokio::test]
async fn what_lies_beside_the_keys_keeps_no_server_from_starting() {
    for stray in [".new-a1b2c3", "note.txt", "snapshot.pem"] {
        let mut parts = Parts::initialised(MemoryStore::new()).await;
        let folder = tempfile::tempdir().unwrap();
        let keys = key_folder(folder.path());
        parts.keys = Arc::new(keys.clone());
        let next = keys.0.join("next");
        crate::files::private_folder(&next).unwrap();
        std::fs::write(next.join(stray), "no key").unwrap();
        let core = parts.open().await.unwrap();
        assert_eq!(core.troubles(), Vec::<String>::new());
        assert_eq!(std::fs::read_to_string(next.join(stray)).unwrap(), "no key", "it is not ours to delete");
        if stray == "snapshot.pem" {
            continue;
        }
        // Nor does it stand in the way of new keys.
        let new = keys.make_next().unwrap();
        let ceremony = made(&core, &[Step::Online { keys: new }]);
        hand_in(&core, signed(&core, &ceremony, &[1, 3, 11, 12])).await.unwrap();
        drop(core);
        assert!(keys.0.join("retired/gates.pem").exists() && !next.join("gates.pem").exists());
        assert_eq!(parts.open().await.unwrap().troubles(), Vec::<String>::new());
        assert_eq!(std::fs::read_dir(&next).unwrap().count(), 1);
    }
}

/// The event was recorded and the server ended before it signed: the edition in store is of keys that count no more.
#[tokio::test]
async fn a_server_that_ended_between_the_event_and_its_edition_signs_with_the_new_keys() {
    let mut parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let ceremony = made(&core, &[online([111, 112, 113])]);
    let request = signed(&core, &ceremony, &[1, 2, 11, 12]);
    let state = core.served().state.clone();
    let event = ceremony::make(&state, request, start(), &Limits::default()).unwrap().event.unwrap();
    drop(core);
    let (mut ledger, ..) =
        crate::services::core::fold(parts.store.clone(), &Limits::default()).await.unwrap();
    ledger.append(start(), &actor("mei"), event).await.unwrap();
    parts.keys = Arc::new(Keys([111, 112, 113]));
    let core = parts.open().await.unwrap();
    assert_eq!(core.served().edition.snapshot.signed_by(), [key(111).key_id()]);
    assert_eq!(core.troubles(), Vec::<String>::new());
}

#[tokio::test]
async fn without_its_keys_a_server_serves_what_it_signed_and_says_so() {
    let mut parts = Parts::initialised(MemoryStore::new()).await;
    let number = parts.open().await.unwrap().served().edition.number();
    parts.keys = Arc::new(Keys([111, 112, 113]));
    let core = parts.open().await.unwrap();
    assert_eq!(core.served().edition.number(), number);
    let troubles = core.troubles();
    assert!(troubles[0].contains("cannot sign: the snapshot key"), "{troubles:?}");
    // And people can authorise those it has.
    let ceremony = made(&core, &[online([111, 112, 113])]);
    hand_in(&core, signed(&core, &ceremony, &[1, 2, 11, 12])).await.unwrap();
    assert_eq!(core.troubles(), Vec::<String>::new());
    assert_eq!(parts.store.read(1).await.unwrap().len(), 2);
}

/// Published when names might be any text: agents go on, and ceremonies are refused until people have names again.
#[tokio::test]
async fn a_repository_with_names_that_are_not_allowed_any_more_goes_on_until_they_are_replaced() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    // As an earlier version recorded it: its rules are those of the fold.
    let renewed = made(&core, &[Step::Renew { role: Role::Root }]);
    let mut envelope: serde_json::Value =
        serde_json::from_slice(&renewed.parts()[&Role::Root].metadata()).unwrap();
    for key in envelope["signed"]["keys"].as_object_mut().unwrap().values_mut() {
        if key["x-mulberry-person"] == "person-2" {
            key["x-mulberry-person"] = "Mei Lin\n".into();
        }
    }
    let bad = BTreeMap::from([(Role::Root, serde_json::to_vec(&envelope).unwrap())]);
    let bad = Ceremony::of_parts(&bad, &Limits::default()).unwrap();
    let refused = core.ceremony(actor("mei"), signed(&core, &bad, &[1, 2])).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::ProposalRefused);
    assert!(refused.detail.contains(r#""Mei Lin\n", which is no name of a person"#), "{}", refused.detail);
    assert!(refused.detail.contains("mulberryctl root rename "), "{}", refused.detail);
    let event = Event::CeremonyPublished {
        parts: ceremonies::parts(
            &Ceremony::from_document(signed(&core, &bad, &[1, 2]).ceremony, &Limits::default()).unwrap(),
        ),
    };
    {
        let mut writer = core.writer.lock().await;
        core.hold(&mut writer, &actor("earlier"), event, start()).await.unwrap();
    }
    drop(core);
    let core = parts.open().await.unwrap();
    assert_eq!(core.served().state.root.version, 2, "the ledger reads, and clients took the edition");

    let live = core.served().state.clone();
    let make = |steps: &[Step]| plan::make(&live.live(), steps, Lone::Refuse, start(), &Limits::default());
    assert!(make(&[Step::Renew { role: Role::Root }]).is_err());
    let rename = Step::Rename { who: "Mei Lin\n".into(), to: "mei-lin".parse().unwrap() };
    let ceremony = make(&[rename]).unwrap();
    let done = hand_in(&core, signed(&core, &ceremony, &[1, 2])).await.unwrap();
    assert_eq!(done.outcome, ProposalOutcome::Published);
    assert_eq!(core.served().state.root.version, 3);
}
