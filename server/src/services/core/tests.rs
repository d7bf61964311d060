mod away;
mod clock;
mod log;
mod walk;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use mulberry_shared::edition::RoleExpiry;
use mulberry_shared::edition::{Edition as ReadEdition, Refresh, TrustState};
use mulberry_shared::operators::{GateState, ProblemKind};
use mulberry_shared::tuf::{Next, Outcome, Reply};

use super::*;
use crate::edition::Work;
use crate::edition::store::EditionStore;
use crate::event::Event;
use crate::keys::KeyError;
use crate::ledger::{Ledger, LedgerError};
use crate::served::Caching;
use crate::store::doubles::{Failure, Flaky};
use crate::store::memory::MemoryStore;
use crate::store::sled::SledStore;
use crate::test_support::{Keys, Parts, Proposal, actor, gate, hours, path, start, usual_keys};

async fn publish(
    core: &Arc<Core>,
    recipes: &[(&str, u64)],
    withdraw: &[&str],
) -> Result<PublishResponse, Refusal> {
    let proposal = Proposal::new(&core.served().state, Lane::Emergency, recipes, withdraw);
    core.publish(actor("mei"), Lane::Emergency, proposal.request()).await
}

async fn open_gate(core: &Arc<Core>, percent: u16) -> Result<GateResponse, Refusal> {
    core.set_gate(actor("mei"), path("emergency/a.json"), gate(1, GateState::Open, Some(percent))).await
}

/// A client that reads `served`, starting from what it knew.
fn refresh(served: &Served, known: Option<TrustState>, now: Timestamp) -> (TrustState, Outcome) {
    let limits = Limits::default();
    let root = served.file("metadata/1.root.json").unwrap();
    let known = known.unwrap_or_else(|| TrustState::pinned(&root.body, &limits).unwrap());
    let mut refresh = Refresh::start(known, now, &limits);
    while let Next::Fetch(fetch) = refresh.next() {
        refresh
            .supply(served.file(&fetch.path).map_or(Reply::Absent, |file| Reply::Bytes(file.body.to_vec())));
    }
    let (state, report) = refresh.finish();
    (state, report.outcome())
}

fn read(served: &Served, now: Timestamp) -> ReadEdition {
    let (state, outcome) = refresh(served, None, now);
    assert_eq!(outcome, Outcome::Current);
    state.edition(&Limits::default()).unwrap()
}

/// Anybody may ask for health, as often as they like: the gates were read when their state came to be served, and signing again
/// reads them no more.
#[tokio::test]
async fn health_reads_the_gates_once_for_each_state() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let before = core.served().clients.clone();
    assert_eq!(core.troubles(), Vec::<String>::new());
    parts.clock.advance(hours(2));
    assert_eq!(core.sign_due().await.unwrap(), Work::Timestamp);
    assert!(Arc::ptr_eq(&before, &core.served().clients), "the same gates");
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    assert!(!Arc::ptr_eq(&before, &core.served().clients), "another state is looked at again");
}

#[tokio::test]
async fn a_client_reads_what_was_published_and_how_far_it_is_open() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    assert!(read(&core.served(), start()).lanes.values().all(|lane| lane.recipes.is_empty()));

    let published = publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    assert_eq!((published.lane_version, published.ledger.sequence), (2, 2));
    assert_eq!(published.recipes.len(), 1);
    let opened = open_gate(&core, 10_000).await.unwrap();
    assert_eq!(opened.recipe.effective_percent, 5_000, "never wider than people signed");

    let edition = read(&core.served(), start());
    assert_eq!(edition.number, opened.edition);
    assert_eq!(edition.ledger.unwrap().sequence, 3);
    assert_eq!(edition.lanes[&Lane::Emergency].recipes.len(), 1);
    let gates = edition.gates.unwrap().read.unwrap().gates;
    assert_eq!(gates.of(&path("emergency/a.json"), 1).unwrap().percent.get(), 10_000);
}

#[tokio::test]
async fn a_restart_serves_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::initialised(SledStore::open(folder.path()).unwrap()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1), ("emergency/b.json", 2)], &[]).await.unwrap();
    open_gate(&core, 2_500).await.unwrap();
    publish(&core, &[("emergency/b.json", 3)], &[]).await.unwrap();
    let (before, status) = (core.served(), core.status());
    drop(core);
    parts.store.close();

    let (editions, clock) = (parts.editions.clone(), parts.clock.clone());
    let parts = Parts {
        store: Arc::new(SledStore::open(folder.path()).unwrap()),
        editions,
        clock,
        keys: usual_keys(),
    };
    let core = parts.open().await.unwrap();
    let after = core.served();
    assert_eq!(after.state, before.state);
    assert_eq!(after.edition, before.edition);
    assert_eq!(core.status(), status);
    for now in after.paths() {
        assert_eq!(after.file(now).unwrap().etag, before.file(now).unwrap().etag);
    }
}

/// A server that starts on a full disk serves what it can read, says so, and goes on when there is room.
#[tokio::test]
async fn a_server_that_starts_where_nothing_can_be_written_serves_what_was_signed_last() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    let before = core.served().edition.clone();
    drop(core);
    parts.clock.advance(hours(2));
    parts.editions.failing.store(true, Ordering::SeqCst);
    let core = parts.open().await.unwrap();
    assert_eq!(core.served().edition, before);
    assert_eq!(read(&core.served(), start()).lanes[&Lane::Emergency].recipes.len(), 1);
    let troubles = core.troubles().join("\n");
    assert!(troubles.contains("nothing can be changed") && troubles.contains("make room"), "{troubles}");
    let refused = publish(&core, &[("emergency/a.json", 2)], &[]).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Unavailable);
    assert!(core.sign_due().await.is_err());
    assert_eq!(core.served().edition, before);

    // What is recorded and was never signed cannot be served: clients would miss what the lane lists.
    drop(core);
    assert!(parts.open().await.is_err());
    parts.editions.failing.store(false, Ordering::SeqCst);
    let core = parts.open().await.unwrap();
    assert!(core.troubles().is_empty(), "{:?}", core.troubles());

    // And without a change in between it goes on by itself.
    parts.clock.advance(hours(2));
    parts.editions.failing.store(true, Ordering::SeqCst);
    drop(core);
    let core = parts.open().await.unwrap();
    assert!(!core.troubles().is_empty());
    parts.editions.failing.store(false, Ordering::SeqCst);
    core.sign_due().await.unwrap();
    assert!(core.troubles().is_empty(), "{:?}", core.troubles());
    core.note_failed_write();
    assert_eq!(core.sign_due().await.unwrap(), Work::Timestamp, "whether there is room is tried");
    assert!(core.troubles().is_empty());
}

#[tokio::test]
async fn a_crash_between_the_event_and_its_edition_is_made_good_at_start() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let before = core.served().edition.number();
    parts.editions.failing.store(true, Ordering::SeqCst);
    let refused = publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Unavailable);
    assert_eq!(core.served().edition.number(), before, "what is not durable is not served");
    assert!(core.served().state.recipes().next().is_none());
    assert!(!core.troubles().is_empty());
    let status = core.status();
    assert_eq!(status.troubles, core.troubles(), "people ask `status`, not the heartbeat");
    assert!(status.troubles.iter().any(|said| said.contains("event 2 is recorded")), "{status:?}");
    assert_eq!(status.ledger.sequence, 2, "the recorded head");
    parts.editions.failing.store(false, Ordering::SeqCst);

    let restarted = parts.open().await.unwrap();
    assert_eq!(read(&restarted.served(), start()).lanes[&Lane::Emergency].recipes.len(), 1);

    // The running one gets there by itself, too.
    assert_ne!(core.sign_due().await.unwrap(), Work::Nothing);
    assert_eq!(read(&core.served(), start()).lanes[&Lane::Emergency].recipes.len(), 1);
    assert!(core.troubles().is_empty());
    assert_eq!(core.sign_due().await.unwrap(), Work::Nothing);
}

#[tokio::test]
async fn what_is_recorded_and_not_served_is_not_so_already() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    open_gate(&core, 100).await.unwrap();
    let failing = |failing| parts.editions.failing.store(failing, Ordering::SeqCst);
    let pause = || core.set_gate(actor("mei"), path("emergency/a.json"), gate(1, GateState::Paused, None));
    failing(true);
    assert_eq!(pause().await.unwrap_err().kind, ProblemKind::Unavailable);
    // Clients are served the open gate: whoever asks again is not told that it is paused, nor that it is open.
    let again = pause().await.unwrap_err();
    assert_eq!(again.kind, ProblemKind::Unavailable);
    assert!(again.detail.contains("recorded as event 4, but not served yet"), "{again}");
    failing(false);
    let done = pause().await.unwrap();
    assert_eq!(done.recipe.gate.unwrap().state, GateState::Paused);
    assert_eq!(done.ledger.sequence, 4, "nothing was recorded twice");

    // The same with a publish, which a proposal may complete as well.
    let proposal = Proposal::new(&core.served().state, Lane::Emergency, &[("emergency/b.json", 1)], &[]);
    let publish = || core.publish(actor("mei"), Lane::Emergency, proposal.request());
    failing(true);
    assert_eq!(publish().await.unwrap_err().kind, ProblemKind::Unavailable);
    assert_eq!(publish().await.unwrap_err().kind, ProblemKind::Unavailable);
    failing(false);
    assert_eq!(publish().await.unwrap().recipes.len(), 2);

    // And what has expired since is not published already: clients take nothing of it.
    parts.clock.advance(hours(24 * 91));
    let over = publish().await.unwrap_err();
    assert_eq!(over.kind, ProblemKind::TrustRefused);
    assert!(over.detail.contains("it was published, and emergency: version 3 expired"), "{over}");
}

/// What earlier programs published of operators' reasons does not stay in what is served.
#[tokio::test]
async fn gates_that_an_earlier_program_wrote_are_signed_again_at_start() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    open_gate(&core, 100).await.unwrap();
    let mut writer = core.writer.lock().await;
    let mut told = (*writer.state).clone();
    told.gates.0.values_mut().for_each(|gate| gate.note = "mei saw crashes".to_owned());
    writer.state = Arc::new(told);
    writer.sign(start(), None, Work::Snapshot, core.limits()).await.unwrap();
    drop(writer);
    drop(core);
    let core = parts.open().await.unwrap();
    let gates = &core.served().edition.gates_file;
    assert_eq!(**gates, *core.served().state.gates.write());
    assert!(!String::from_utf8_lossy(gates).contains("crashes"));
}

#[tokio::test]
async fn gates_that_no_client_could_read_are_neither_recorded_nor_served() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    let before = core.status().ledger;
    let gate = crate::event::SetGate {
        revision: 1,
        state: GateState::Paused,
        percent: mulberry_shared::sampling::BasisPoints::NOBODY,
        reason: "wrong".to_owned(),
        note: "wrong \u{200e}hex".to_owned(),
        since: start(),
    };
    let event = Event::GateSet { path: path("emergency/a.json"), gate };
    let mut writer = core.writer.lock().await;
    let refused = core.commit(&mut writer, &actor("mei"), event, start()).await.unwrap_err();
    drop(writer);
    assert_eq!((refused.kind, core.status().ledger), (ProblemKind::Internal, before));
    assert_eq!(core.troubles(), [""; 0]);
}

#[tokio::test]
async fn an_event_that_is_not_durable_is_neither_served_nor_acknowledged() {
    for failure in [Failure::Before, Failure::After] {
        let parts = Parts::initialised(Flaky::new(Arc::new(MemoryStore::new()), failure)).await;
        let core = parts.open().await.unwrap();
        parts.store.fail(true);
        let refused = publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap_err();
        assert_eq!(refused.kind, ProblemKind::Unavailable);
        parts.store.fail(false);
        assert_eq!(
            publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap_err().kind,
            ProblemKind::Unavailable
        );
        assert!(read(&core.served(), start()).lanes[&Lane::Emergency].recipes.is_empty());
        parts.clock.advance(hours(2));
        assert_eq!(core.sign_due().await.unwrap(), Work::Timestamp, "what was published stays alive");
        assert!(!core.troubles().is_empty(), "and the heartbeat says that something is wrong");
        let there = usize::from(failure == Failure::After);
        assert_eq!(parts.open().await.unwrap().served().state.recipes().count(), there);
    }
}

#[tokio::test]
async fn a_ledger_that_was_cut_off_or_exchanged_does_not_start() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    let mut records = parts.store.records();
    records.pop();
    let (editions, clock) = (parts.editions.clone(), parts.clock.clone());
    let cut = Parts { store: Arc::new(MemoryStore::holding(records)), editions, clock, keys: usual_keys() };
    let error = cut.open().await.err().unwrap().to_string();
    assert!(error.contains("event 2 is missing"), "{error}");
}

#[tokio::test]
async fn an_empty_ledger_foreign_keys_and_a_newer_or_damaged_edition_do_not_start() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let empty = Parts {
        store: Arc::new(MemoryStore::new()),
        editions: Arc::default(),
        clock: parts.clock.clone(),
        keys: usual_keys(),
    };
    assert!(matches!(empty.open().await, Err(OpenError::NotInitialised)));

    let foreign = Arc::new(Keys([7, 102, 103]));
    let opened = Core::open(
        parts.store.clone(),
        parts.editions.clone(),
        foreign,
        parts.clock.clone(),
        Limits::default(),
    );
    assert!(matches!(opened.await, Err(OpenError::Keys(KeyError::NotTrusted { role: "snapshot", .. }))));

    parts.open().await.unwrap();
    let good = parts.editions.load().unwrap().unwrap();
    for (bytes, what) in [
        (br#"{"format":3}"#.to_vec(), "format 3"),
        (b"{}".to_vec(), "cannot be read"),
        (
            String::from_utf8(good.clone())
                .unwrap()
                .replacen("\"timestamp\":\"e", "\"timestamp\":\"f", 1)
                .into_bytes(),
            "refused",
        ),
    ] {
        parts.editions.save(&bytes).unwrap();
        let error = parts.open().await.err().unwrap().to_string();
        assert!(error.contains(what), "{error}");
        assert_eq!(parts.editions.load().unwrap().unwrap(), bytes, "left as it was");
    }
}

#[tokio::test]
async fn the_timestamp_is_signed_hourly_and_the_rest_well_before_half_life() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let first = core.served().edition.clone();
    assert_eq!(core.sign_due().await.unwrap(), Work::Nothing);
    parts.clock.advance(hours(1));
    assert_eq!(core.sign_due().await.unwrap(), Work::Timestamp);
    let second = core.served().edition.clone();
    assert_eq!(second.snapshot, first.snapshot);
    assert!(second.timestamp.version > first.timestamp.version);
    for hour in 2..=24 * 7 * 3 {
        parts.clock.advance(hours(1));
        assert_ne!(core.sign_due().await.unwrap(), Work::Nothing);
        assert!(core.troubles().is_empty(), "hour {hour}: {:?}", core.troubles());
    }
    let now = start() + hours(1 + 24 * 7 * 3 - 1);
    let (state, outcome) = refresh(&core.served(), None, now);
    assert_eq!(outcome, Outcome::Current);
    let fresh = |RoleExpiry { expires, .. }: RoleExpiry| expires > now;
    assert!(state.expiries().into_iter().all(fresh));
    assert_eq!(parts.store.records().len(), 1, "signing again is no event");
}

#[tokio::test]
async fn a_clock_set_back_never_reuses_a_version_and_a_restored_server_does_not_either() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let (known, _) = refresh(&core.served(), None, start());
    let before = core.served().edition.clone();
    parts.clock.advance(-hours(24));
    assert_ne!(core.sign_due().await.unwrap(), Work::Nothing);
    let after = core.served().edition.clone();
    assert!(after.timestamp.version > before.timestamp.version);
    // Restored from the ledger alone, an hour later.
    parts.clock.advance(hours(25));
    *parts.editions.bytes.lock().unwrap() = None;
    let restored = parts.open().await.unwrap();
    let (_, outcome) = refresh(&restored.served(), Some(known), start() + hours(1));
    assert_eq!(outcome, Outcome::Current, "no rollback is seen");
}

#[tokio::test]
async fn people_s_metadata_is_due_two_weeks_before_it_expires() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    parts.clock.advance(hours(24 * 76 - 1));
    core.sign_due().await.unwrap();
    assert_eq!(core.troubles(), Vec::<String>::new());
    parts.clock.advance(hours(1));
    core.sign_due().await.unwrap();
    let troubles = core.troubles();
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(troubles[0].starts_with("emergency version 1 expires at 2026-08-02"), "{troubles:?}");
    let due: Vec<_> = core.status().expiries.into_iter().filter(|e| e.due).map(|e| e.role).collect();
    assert_eq!(due, ["emergency", "routine"]);
}

#[tokio::test]
async fn files_of_recent_editions_stay_and_old_ones_go() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    let snapshot = format!("metadata/{}.snapshot.json", core.served().edition.number());
    let mut most = 0;
    for change in 0..40_u16 {
        assert_eq!(core.served().file(&snapshot).is_some(), change <= 16, "{change}");
        open_gate(&core, change + 1).await.unwrap();
        most = most.max(core.served().paths().len());
    }
    assert!(most < 70, "{most}");
    let served = core.served();
    for at in served.paths() {
        let short = served.file(at).unwrap().caching == Caching::Short;
        assert_eq!(short, at == "metadata/timestamp.json" || at.starts_with("ledger/"), "{at}");
    }
}

#[tokio::test]
async fn anybody_can_follow_the_links_to_the_head_that_the_timestamp_names() {
    use mulberry_shared::ledger::links::{self, PAGE, WitnessHead};
    use mulberry_shared::ledger::witness::{Check, Verdict};
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/a.json", 1)], &[]).await.unwrap();
    drop(core);
    let mut ledger = Ledger::open::<LedgerError>(parts.store.clone(), |_, _| Ok(())).await.unwrap();
    let gate = r#"{"revision":1,"state":"open","percent":1,"reason":"r","since":"2026-01-01T00:00:00Z"}"#;
    let event = Event::GateSet { path: path("emergency/a.json"), gate: serde_json::from_str(gate).unwrap() };
    while ledger.head().sequence < 2 * PAGE {
        ledger.append(start(), &actor("mei"), event.clone()).await.unwrap();
    }
    let core = parts.open().await.unwrap();
    let shown = |core: &Core| core.served().edition.timestamp.ledger.unwrap().witness().unwrap();
    let follow = |core: &Core, known: WitnessHead| {
        let mut check = Check::start(&[known], shown(core), &Limits::default());
        while let Some(fetch) = check.next() {
            let served = core.served();
            let file = served.file(&fetch.path);
            check.supply(file.map_or(Reply::Absent, |file| Reply::Bytes(file.body.to_vec())));
        }
        check.verdict()
    };
    let full = shown(&core);
    let first = WitnessHead { sequence: 1, link: links::link(&links::START, &full.ledger), ..full };
    assert_eq!((full.sequence, follow(&core, first)), (2 * PAGE, Verdict::Follows));
    let served = core.served();
    for (page, caching) in [(0, Some(Caching::Immutable)), (1, Some(Caching::Short)), (2, None)] {
        let file = served.file(&links::path(&full.ledger, page));
        assert_eq!(file.map(|file| file.caching), caching, "{page}");
    }
    // One more: the page that was the last one is full, and the others are the very same answers.
    open_gate(&core, 100).await.unwrap();
    let now = core.served();
    assert_eq!(follow(&core, full), Verdict::Follows);
    let page = |served: &Served, page| served.file(&links::path(&full.ledger, page)).unwrap().clone();
    assert!(Arc::ptr_eq(&page(&served, 0), &page(&now, 0)));
    assert_eq!(page(&served, 1).body, page(&now, 1).body);
    assert_eq!([page(&now, 1).caching, page(&now, 2).caching], [Caching::Immutable, Caching::Short]);
    for other in [
        "ledger/0.json",
        &format!("ledger/{}/00.json", full.ledger),
        &format!("ledger/{}/3.json", full.ledger),
    ] {
        assert!(now.file(other).is_none(), "{other}");
    }
}

#[tokio::test]
async fn changes_at_the_same_time_are_made_one_after_the_other() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = parts.open().await.unwrap();
    let (a, b) = tokio::join!(
        publish(&core, &[("emergency/a.json", 1)], &[]),
        publish(&core, &[("emergency/b.json", 1)], &[])
    );
    assert!(a.is_ok() != b.is_ok());
    let refused = a.err().or(b.err()).unwrap();
    assert_eq!(refused.kind, ProblemKind::NotNewer, "made on top of the same version");
    assert_eq!(core.served().state.recipes().count(), 1);
}
