//! Refreshes from origins in memory, good and bad.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::ports::doubles::{MemoryOrigin, SetClock};
use crate::scene::{Scene, install};
use crate::state::RefreshOutcome;

/// Refreshes from one origin of which nothing is known.
async fn alone(
    trust: TrustState,
    origin: &dyn Transport,
    now: Timestamp,
    clock: &SetClock,
) -> (TrustState, Refreshed) {
    let origins = Origins { all: vec![origin], first: None, dice: Dice::new(1) };
    refresh(trust, &origins, &mut Vec::new(), now, clock, &Limits::default()).await
}

/// Gives metadata and fails on every recipe and gate.
struct FailsOnFiles<'a>(&'a MemoryOrigin, AtomicUsize);

#[async_trait]
impl Transport for FailsOnFiles<'_> {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        if path.starts_with("metadata/") {
            return self.0.get(path, max_bytes).await;
        }
        self.1.fetch_add(1, Ordering::SeqCst);
        Fetched::Failed("timed out".into())
    }

    fn origin(&self) -> &str {
        "failing:"
    }
}

#[tokio::test]
async fn an_origin_that_keeps_failing_is_not_asked_for_every_file() {
    let mut scene = Scene::new();
    for n in 0..20 {
        scene.open(install(&format!("recipe-{n}")));
    }
    let limits = Limits::default();
    let pinned = TrustState::pinned(scene.server.root(), &limits).unwrap();
    let origin = FailsOnFiles(&scene.origin, AtomicUsize::new(0));
    let now = crate::scene::time("2019-05-03T12:00:00Z");
    let (_, refreshed) = alone(pinned, &origin, now, &scene.clock).await;
    assert_eq!(refreshed.outcome, RefreshOutcome::Unreachable);
    assert_eq!(origin.1.into_inner(), FAILURES as usize);
}
/// Gives everything, a minute for each file.
struct Drips<'a>(&'a MemoryOrigin, &'a SetClock, AtomicUsize);

#[async_trait]
impl Transport for Drips<'_> {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        self.2.fetch_add(1, Ordering::SeqCst);
        self.1.pass(Duration::from_secs(60));
        // Somebody sets the clock meanwhile: it says nothing about how long this takes.
        self.1.set(&(self.1.now() - SignedDuration::from_hours(1)).to_string());
        self.0.get(path, max_bytes).await
    }

    fn origin(&self) -> &str {
        "dripping:"
    }
}

#[tokio::test]
async fn an_origin_that_drips_is_left_after_a_while_and_the_next_run_goes_on() {
    let mut scene = Scene::new();
    for n in 0..8 {
        scene.open(install(&format!("recipe-{n}")));
    }
    let limits = Limits::default();
    let mut trust = TrustState::pinned(scene.server.root(), &limits).unwrap();
    let now = crate::scene::time("2019-05-03T12:00:00Z");
    let origin = Drips(&scene.origin, &scene.clock, AtomicUsize::new(0));
    let outcomes = [RefreshOutcome::Unreachable, RefreshOutcome::Current];
    for (outcome, asked) in outcomes.into_iter().zip([10, 18]) {
        let refreshed;
        (trust, refreshed) = alone(trust, &origin, now, &scene.clock).await;
        assert_eq!(refreshed.outcome, outcome, "{}", refreshed.detail);
        assert_eq!(origin.2.load(Ordering::SeqCst), asked);
    }
}

/// Says "not modified" to everything, whatever is held.
struct Frozen<'a>(&'a MemoryOrigin);

#[async_trait]
impl Transport for Frozen<'_> {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        self.0.get(path, max_bytes).await
    }

    async fn get_unless_held(&self, _: &str, _: u64, _: &[u8]) -> Fetched {
        Fetched::NotModified
    }

    fn origin(&self) -> &str {
        "frozen:"
    }
}

#[tokio::test]
async fn not_modified_renews_nothing_what_is_held_expires_all_the_same() {
    let scene = Scene::new();
    let limits = Limits::default();
    let pinned = TrustState::pinned(scene.server.root(), &limits).unwrap();
    let (noon, next_week) =
        (crate::scene::time("2019-05-03T12:00:00Z"), crate::scene::time("2019-05-10T12:00:00Z"));
    let (held, refreshed) = alone(pinned, &Frozen(&scene.origin), noon, &scene.clock).await;
    assert_eq!(refreshed.outcome, RefreshOutcome::Current, "nothing held, so nothing conditional");
    let before = held.to_files();
    let (held, refreshed) = alone(held, &Frozen(&scene.origin), noon, &scene.clock).await;
    assert_eq!((refreshed.outcome, &*refreshed.detail), (RefreshOutcome::Current, "verified; nothing new"));
    let (held, refreshed) = alone(held, &Frozen(&scene.origin), next_week, &scene.clock).await;
    assert_eq!(refreshed.outcome, RefreshOutcome::Stale);
    assert_eq!(held.to_files(), before);
}

/// One of several origins: answers as its edition does, and counts how often its timestamp was asked for.
struct Named<'a> {
    name: &'static str,
    edition: &'a MemoryOrigin,
    asked: AtomicUsize,
}

impl<'a> Named<'a> {
    fn new(name: &'static str, edition: &'a MemoryOrigin) -> Self {
        Self { name, edition, asked: AtomicUsize::new(0) }
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Named<'_> {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        // The first document that every refresh asks for.
        self.asked.fetch_add(usize::from(path.ends_with(".root.json")), Ordering::SeqCst);
        self.edition.get(path, max_bytes).await
    }

    fn origin(&self) -> &str {
        self.name
    }
}

/// Refreshes in this order at first; nothing is due, so that the first current origin is the last one asked.
struct Several<'a> {
    origins: Vec<&'a Named<'a>>,
    notes: Vec<OriginNote>,
    trust: Option<TrustState>,
    clock: &'a SetClock,
    seed: u64,
}

impl<'a> Several<'a> {
    fn new(scene: &'a Scene, origins: Vec<&'a Named<'a>>) -> Self {
        let trust = Some(TrustState::pinned(scene.server.root(), &Limits::default()).unwrap());
        Self { origins, notes: Vec::new(), trust, clock: &scene.clock, seed: 0 }
    }

    async fn refresh(&mut self, at: &str, first: Option<&str>) -> Refreshed {
        self.seed += 1;
        let origins = Origins {
            all: self.origins.iter().map(|origin| *origin as &dyn Transport).collect(),
            first: first.map(str::to_owned),
            dice: Dice::new(self.seed),
        };
        let (trust, now) = (self.trust.take().unwrap(), crate::scene::time(at));
        let (trust, refreshed) =
            refresh(trust, &origins, &mut self.notes, now, self.clock, &Limits::default()).await;
        self.trust = Some(trust);
        refreshed
    }

    fn asked(&self) -> Vec<usize> {
        self.origins.iter().map(|origin| origin.asked()).collect()
    }

    fn edition(&self) -> u64 {
        self.trust.as_ref().unwrap().edition(&Limits::default()).unwrap().number
    }

    fn outcomes(&self) -> Vec<Option<RefreshOutcome>> {
        self.notes.iter().map(|note| note.outcome).collect()
    }
}

const NOON: &str = "2019-05-03T12:00:00Z";

/// A scene whose origin has its second edition, and a copy of its first.
fn two_editions() -> (Scene, MemoryOrigin) {
    let mut scene = Scene::new();
    let old = scene.origin.copy();
    scene.clock.set("2019-05-03T12:30:00Z");
    scene.open(install("replace"));
    (scene, old)
}

#[tokio::test]
async fn bad_origins_are_passed_over_in_the_same_refresh_in_any_order() {
    let (scene, old) = two_editions();
    let (down, forged) = (MemoryOrigin::default(), scene.origin.copy());
    down.set_down(true);
    forged.put("metadata/timestamp.json", b"{}");
    let named = |name, edition| Named::new(name, edition);
    let (down, forged) = (named("down", &down), named("forged", &forged));
    let (behind, fresh) = (named("behind", &old), named("fresh", &scene.origin));
    // What is behind is known to be only when something newer is held.
    let expected = [
        Some(RefreshOutcome::Unreachable),
        Some(RefreshOutcome::Refused),
        Some(RefreshOutcome::Stale),
        Some(RefreshOutcome::Current),
    ];
    for seed in 0..24 {
        let mut several = Several::new(&scene, vec![&down, &forged, &behind, &fresh]);
        several.seed = seed;
        several.refresh(NOON, Some("fresh")).await;
        for note in &mut several.notes {
            (note.asked, note.outcome) = (None, None);
        }
        let refreshed = several.refresh("2019-05-03T13:00:00Z", None).await;
        assert_eq!((refreshed.outcome, &*refreshed.origin), (RefreshOutcome::Current, "fresh"));
        assert_eq!((several.edition(), several.outcomes()), (2, expected.to_vec()));
        let problems: Vec<bool> = several.notes.iter().map(|note| note.problem.is_some()).collect();
        assert_eq!(problems, [true, true, true, false]);
    }
}

#[tokio::test]
async fn what_one_origin_gave_is_kept_for_the_next_and_the_outcome_is_the_best() {
    let (scene, _) = two_editions();
    let incomplete = scene.origin.copy();
    let recipe = incomplete.paths().into_iter().find(|path| path.contains("replace.json")).unwrap();
    incomplete.remove(&recipe);
    // And one that has nothing but that recipe.
    let rest = MemoryOrigin::default();
    rest.put("metadata/timestamp.json", &scene.origin.bytes("metadata/timestamp.json"));
    rest.put(&recipe, &scene.origin.bytes(&recipe));
    let (incomplete, rest) = (Named::new("incomplete", &incomplete), Named::new("rest", &rest));
    let mut several = Several::new(&scene, vec![&incomplete, &rest]);
    let refreshed = several.refresh(NOON, Some("incomplete")).await;
    assert_eq!(
        (refreshed.outcome, &*refreshed.origin),
        (RefreshOutcome::Current, "rest"),
        "{}",
        refreshed.detail
    );
    assert_eq!(several.outcomes(), [Some(RefreshOutcome::Unreachable), Some(RefreshOutcome::Current)]);

    let (nothing, forged) = (MemoryOrigin::default(), MemoryOrigin::default());
    forged.put("metadata/2.root.json", b"{}");
    let (nothing, forged) = (Named::new("nothing", &nothing), Named::new("forged", &forged));
    let mut several = Several::new(&scene, vec![&forged, &nothing]);
    let refreshed = several.refresh(NOON, None).await;
    assert_eq!((refreshed.outcome, &*refreshed.origin), (RefreshOutcome::Unreachable, "nothing"));
}

#[tokio::test]
async fn an_origin_that_stands_still_hides_nothing_for_longer_than_the_period() {
    let (scene, old) = two_editions();
    let (frozen, fresh) = (Named::new("frozen", &old), Named::new("fresh", &scene.origin));
    let mut several = Several::new(&scene, vec![&frozen, &fresh]);
    several.origins = vec![&frozen];
    several.refresh(NOON, None).await;
    assert_eq!((several.edition(), several.asked()), (1, vec![1]));
    several.origins = vec![&frozen, &fresh];
    several.notes.push(OriginNote {
        asked: Some(crate::scene::time(NOON)),
        outcome: Some(RefreshOutcome::Current),
        ..OriginNote::never("fresh")
    });
    // Whatever the order, and even if a stream makes the frozen one the first.
    several.refresh("2019-05-03T12:59:59Z", Some("frozen")).await;
    assert_eq!((several.edition(), several.asked()), (1, vec![1, 0]));
    several.refresh("2019-05-03T13:00:00Z", Some("frozen")).await;
    assert_eq!((several.edition(), several.asked()), (2, vec![1, 1]));
}

#[tokio::test]
async fn a_failing_origin_is_left_alone_while_another_serves_and_asked_when_none_does() {
    let scene = Scene::new();
    let (first, second) = (scene.origin.copy(), scene.origin.copy());
    first.set_down(true);
    let (one, two) = (Named::new("one", &first), Named::new("two", &second));
    let mut several = Several::new(&scene, vec![&one, &two]);
    several.refresh(NOON, None).await;
    assert_eq!(several.asked(), [1, 1], "at first everybody is asked");
    for minute in 1..20 {
        several.refresh(&format!("2019-05-03T12:{minute:02}:00Z"), Some("one")).await;
    }
    assert_eq!(several.asked(), [0, 19]);
    second.set_down(true);
    let refreshed = several.refresh("2019-05-03T12:20:00Z", None).await;
    assert_eq!((refreshed.outcome, several.asked()), (RefreshOutcome::Unreachable, vec![1, 1]));
    first.set_down(false);
    let refreshed = several.refresh("2019-05-03T12:21:00Z", None).await;
    assert_eq!((refreshed.outcome, &*refreshed.origin), (RefreshOutcome::Current, "one"));
    several.asked();
    several.refresh("2019-05-03T12:22:00Z", None).await;
    assert_eq!(several.asked(), [1, 0], "now the other one has failed");
}

#[tokio::test]
async fn origins_that_serve_share_the_load_and_what_is_gone_from_the_settings_is_forgotten() {
    let scene = Scene::new();
    let (one, two) = (Named::new("one", &scene.origin), Named::new("two", &scene.origin));
    let mut several = Several::new(&scene, vec![&one, &two]);
    several.notes.push(OriginNote::never("removed"));
    several.refresh(NOON, None).await;
    assert_eq!(several.notes.iter().map(|note| &*note.origin).collect::<Vec<_>>(), ["one", "two"]);
    several.asked();
    for second in 10..60 {
        several.refresh(&format!("2019-05-03T12:00:{second}Z"), None).await;
    }
    let asked = several.asked();
    assert!(asked[0] + asked[1] == 50 && asked.iter().all(|count| *count > 10), "{asked:?}");
}

#[tokio::test]
async fn one_that_drips_takes_its_share_of_the_time_and_no_more() {
    let mut scene = Scene::new();
    for n in 0..8 {
        scene.open(install(&format!("recipe-{n}")));
    }
    let drips = Drips(&scene.origin, &scene.clock, AtomicUsize::new(0));
    let fresh = Named::new("fresh", &scene.origin);
    let origins = Origins { all: vec![&drips, &fresh], first: Some("dripping:".into()), dice: Dice::new(1) };
    let trust = TrustState::pinned(scene.server.root(), &Limits::default()).unwrap();
    let (now, mut notes) = (crate::scene::time(NOON), Vec::new());
    let (_, refreshed) = refresh(trust, &origins, &mut notes, now, &scene.clock, &Limits::default()).await;
    assert_eq!((refreshed.outcome, &*refreshed.origin), (RefreshOutcome::Current, "fresh"));
    assert_eq!(drips.2.load(Ordering::SeqCst), 5, "a minute each, of ten for two");
}

#[tokio::test]
async fn more_than_was_promised_is_told_as_what_it_is() {
    let scene = Scene::new();
    let snapshot = scene.origin.paths().into_iter().find(|path| path.ends_with(".snapshot.json")).unwrap();
    let mut bytes = scene.origin.bytes(&snapshot);
    bytes.push(b'\n');
    scene.origin.put(&snapshot, &bytes);
    let trust = TrustState::pinned(scene.server.root(), &Limits::default()).unwrap();
    let (_, refreshed) = alone(trust, &scene.origin, crate::scene::time(NOON), &scene.clock).await;
    assert_eq!(refreshed.outcome, RefreshOutcome::Refused);
    assert!(refreshed.detail.contains("bytes allowed"), "{}", refreshed.detail);
}
