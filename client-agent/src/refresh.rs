//! Drives the trust workflow of `mulberry-shared` over an origin. What is true is decided there.

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::limits::Limits;
use mulberry_shared::trust::{Next, Outcome, Refresh, RefreshReport, Reply, TrustState};

use crate::ports::{Clock, Fetched, Transport};
use crate::state::Refreshed;

/// Failures in a row after which an origin is not asked again in this refresh: each may take a minute, and an edition
/// has hundreds of files.
const FAILURES: u32 = 4;

/// After this the origin is asked for nothing more: one that drips each of a thousand files must not keep the rest of the run
/// waiting. What came is kept, and the next run asks for what is missing.
const LONGEST: SignedDuration = SignedDuration::from_mins(10);

/// The one document that changes under its name.
const TIMESTAMP: &str = "metadata/timestamp.json";

/// Problems told in one sentence.
const SHOWN: usize = 3;

/// Refreshes `trust` from an origin, as of `now`; `clock` only measures how long it takes. The state that comes back is whole
/// and no older than before, whatever failed.
pub async fn refresh(
    trust: TrustState,
    origin: &dyn Transport,
    now: Timestamp,
    clock: &dyn Clock,
    limits: &Limits,
) -> (TrustState, Refreshed) {
    // "Not modified" says no more than sending the same bytes again would, so that is how it is taken: they are verified
    // and their expiry is judged as ever.
    let held = trust.trusted().timestamp().map(|timestamp| timestamp.bytes().clone());
    let mut refresh = Refresh::start(trust, now, limits);
    let mut failures = 0;
    let started = clock.now();
    while let Next::Fetch(fetch) = refresh.next() {
        if failures >= FAILURES {
            refresh
                .supply(Reply::Failed(format!("not asked for: the origin failed {FAILURES} times in a row")));
            continue;
        }
        if clock.now().duration_since(started) >= LONGEST {
            let minutes = LONGEST.as_mins();
            refresh.supply(Reply::Failed(format!("not asked for: the refresh took {minutes} minutes")));
            continue;
        }
        let fetched = match &held {
            Some(held) if fetch.path == TIMESTAMP => {
                origin.get_unless_held(&fetch.path, fetch.max_bytes, held).await
            }
            _ => origin.get(&fetch.path, fetch.max_bytes).await,
        };
        let reply = match (fetched, &held) {
            (Fetched::Bytes(bytes), _) => Reply::Bytes(bytes),
            (Fetched::NotModified, Some(held)) if fetch.path == TIMESTAMP => Reply::Bytes(held.to_vec()),
            (Fetched::NotModified, _) => {
                Reply::Failed("the origin answered a question it was not asked".into())
            }
            (Fetched::Absent, _) => Reply::Absent,
            (Fetched::Failed(problem), _) => Reply::Failed(problem),
        };
        failures = if matches!(reply, Reply::Failed(_)) { failures + 1 } else { 0 };
        refresh.supply(reply);
    }
    let (trust, report) = refresh.finish();
    let refreshed = Refreshed {
        outcome: report.outcome().into(),
        origin: origin.origin().to_owned(),
        detail: sentence(&report),
    };
    (trust, refreshed)
}

/// What happened, for people.
pub(crate) fn sentence(report: &RefreshReport) -> String {
    let problems: Vec<String> = report.errors().map(ToString::to_string).collect();
    match (report.outcome(), problems.is_empty()) {
        (Outcome::Current, _) | (_, true) if report.changed() => "verified; something new came".into(),
        (Outcome::Current, _) | (_, true) => "verified; nothing new".into(),
        _ => {
            let more = problems.len().saturating_sub(SHOWN);
            let shown = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
            if more == 0 { shown } else { format!("{shown}; and {more} more") }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::ports::doubles::{MemoryOrigin, SetClock};
    use crate::scene::{Scene, install};
    use crate::state::RefreshOutcome;

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
        let (_, refreshed) = refresh(pinned, &origin, now, &scene.clock, &limits).await;
        assert_eq!(refreshed.outcome, RefreshOutcome::Unreachable);
        assert_eq!(origin.1.into_inner(), FAILURES as usize);
    }
    /// Gives everything, a minute for each file.
    struct Drips<'a>(&'a MemoryOrigin, &'a SetClock, AtomicUsize);

    #[async_trait]
    impl Transport for Drips<'_> {
        async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
            self.2.fetch_add(1, Ordering::SeqCst);
            self.1.set(&(self.1.now() + SignedDuration::from_mins(1)).to_string());
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
            (trust, refreshed) = refresh(trust, &origin, now, &scene.clock, &limits).await;
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
        let (held, refreshed) = refresh(pinned, &Frozen(&scene.origin), noon, &scene.clock, &limits).await;
        assert_eq!(refreshed.outcome, RefreshOutcome::Current, "nothing held, so nothing conditional");
        let before = held.to_files();
        let (held, refreshed) = refresh(held, &Frozen(&scene.origin), noon, &scene.clock, &limits).await;
        assert_eq!(
            (refreshed.outcome, &*refreshed.detail),
            (RefreshOutcome::Current, "verified; nothing new")
        );
        let (held, refreshed) = refresh(held, &Frozen(&scene.origin), next_week, &scene.clock, &limits).await;
        assert_eq!(refreshed.outcome, RefreshOutcome::Stale);
        assert_eq!(held.to_files(), before);
    }
}
