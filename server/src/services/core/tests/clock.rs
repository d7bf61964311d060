//! A wrong clock for a moment: what it leaves behind is in nobody's way.

use super::*;

const YEARS: i64 = 3 * 365 * 24;

async fn set(core: &Arc<Core>, request: GateRequest) -> Result<GateResponse, Refusal> {
    core.set_gate(actor("mei"), path("emergency/paced.json"), request).await
}

fn open(percent: u16) -> GateRequest {
    gate(1, GateState::Open, Some(percent))
}

async fn published(parts: &Parts<MemoryStore>) -> Arc<Core> {
    let core = parts.open().await.unwrap();
    publish(&core, &[("emergency/paced.json", 1)], &[]).await.unwrap();
    core
}

fn minutes(minutes: i64) -> jiff::SignedDuration {
    jiff::SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn a_pause_of_years_ahead_blocks_nobody_after_a_restart_under_the_right_clock() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    drop(published(&parts).await);
    parts.clock.set(start() + hours(YEARS));
    let core = parts.open().await.unwrap();
    set(&core, gate(1, GateState::Paused, None)).await.unwrap();
    drop(core);

    parts.clock.set(start() + minutes(5));
    let core = parts.open().await.unwrap();
    let troubles = core.troubles();
    let said = troubles.iter().find(|said| said.contains("lies ahead")).unwrap();
    assert!(said.contains("the gate of emergency/paced.json was set at 2029-05-03T00:00:00Z"), "{said}");
    assert!(said.contains("mulberryctl gate pause emergency/paced.json --reason"), "{said}");
    assert_eq!(core.status().troubles, troubles, "people ask `status`");

    // The way out: as it stands, and it has its right time.
    let paused = set(&core, gate(1, GateState::Paused, None)).await.unwrap();
    assert_eq!(paused.recipe.gate.unwrap().since, start() + minutes(5));
    assert_eq!(core.troubles(), [""; 0]);
    let stops = core.served().state.pace(&path("emergency/paced.json")).unwrap().stops.clone();
    let resumes: Vec<u64> = stops.iter().map(|stop| stop.set.event).collect();
    assert_eq!(resumes.len(), 1, "who sets it right stops nothing");
    let opened = set(&core, GateRequest { resumes, ..open(100) }).await.unwrap();
    assert_eq!(opened.recipe.next_step.unwrap().from, Some(start() + minutes(15)), "ten minutes from now");
    parts.clock.advance(minutes(10));
    set(&core, open(5_000)).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_set_bakes_nothing_and_a_restart_does_not_forget_it() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = published(&parts).await;
    set(&core, open(100)).await.unwrap();
    parts.clock.advance(minutes(1));
    parts.clock.set(start() + hours(YEARS));
    let refused = set(&core, open(5_000)).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::SecondKeyNeeded);
    assert!(refused.detail.contains("the clock was not to be believed before"), "{refused}");
    core.sign_due().await.unwrap();
    drop(core);
    // Not even by starting twice.
    for _ in 0..2 {
        let core = parts.open().await.unwrap();
        assert_eq!(set(&core, open(5_000)).await.unwrap_err().kind, ProblemKind::SecondKeyNeeded);
    }
    // An hour, which makes nothing be signed again by itself.
    parts.clock.set(start() + minutes(1));
    let core = parts.open().await.unwrap();
    assert!(set(&core, open(5_000)).await.is_err());
    parts.clock.advance(minutes(10));
    parts.clock.set(start() + minutes(40));
    assert_eq!(core.sign_due().await.unwrap(), Work::Timestamp, "what is doubted is stored at once");
    drop(core);
    let core = parts.open().await.unwrap();
    assert!(set(&core, open(5_000)).await.is_err());
    parts.clock.advance(minutes(10));
    set(&core, open(5_000)).await.unwrap();
}

#[tokio::test]
async fn a_server_restored_after_a_clock_was_ahead_is_not_refused_for_years() {
    let parts = Parts::initialised(MemoryStore::new()).await;
    let core = published(&parts).await;
    parts.clock.set(start() + hours(YEARS));
    set(&core, gate(1, GateState::Paused, None)).await.unwrap();
    parts.clock.advance(hours(3));
    core.sign_due().await.unwrap();
    parts.clock.set(start() + minutes(5));
    core.sign_due().await.unwrap();
    let now = start() + minutes(5);
    let (known, outcome) = refresh(&core.served(), None, now);
    assert_eq!(outcome, Outcome::Current);
    assert!(core.served().edition.number() > 1_870_000_000, "years ahead, and nothing to this server");
    drop(core);

    *parts.editions.bytes.lock().unwrap() = None;
    parts.clock.advance(minutes(5));
    let restored = parts.open().await.unwrap();
    let (_, outcome) = refresh(&restored.served(), Some(known), start() + minutes(10));
    assert_eq!(outcome, Outcome::Current, "no rollback is seen");
}
