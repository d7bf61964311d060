//! Drives the trust workflow of `mulberry-shared` over an origin. What is true is decided there.

use jiff::Timestamp;
use mulberry_shared::limits::Limits;
use mulberry_shared::trust::{Next, Outcome, Refresh, RefreshReport, Reply, TrustState};

use crate::ports::{Fetched, Transport};
use crate::state::Refreshed;

/// Failures in a row after which an origin is not asked again in this refresh: each may take a minute, and an edition
/// has hundreds of files.
const FAILURES: u32 = 4;

/// Problems told in one sentence.
const SHOWN: usize = 3;

/// Refreshes `trust` from an origin. The state that comes back is whole and no older than before, whatever failed.
pub async fn refresh(
    trust: TrustState,
    origin: &dyn Transport,
    now: Timestamp,
    limits: &Limits,
) -> (TrustState, Refreshed) {
    let mut refresh = Refresh::start(trust, now, limits);
    let mut failures = 0;
    while let Next::Fetch(fetch) = refresh.next() {
        if failures >= FAILURES {
            refresh
                .supply(Reply::Failed(format!("not asked for: the origin failed {FAILURES} times in a row")));
            continue;
        }
        let reply = match origin.get(&fetch.path, fetch.max_bytes).await {
            Fetched::Bytes(bytes) => Reply::Bytes(bytes),
            Fetched::Absent => Reply::Absent,
            Fetched::Failed(problem) => Reply::Failed(problem),
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

fn sentence(report: &RefreshReport) -> String {
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
    use crate::ports::doubles::MemoryOrigin;
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
        let (_, refreshed) = refresh(pinned, &origin, now, &limits).await;
        assert_eq!(refreshed.outcome, RefreshOutcome::Unreachable);
        assert_eq!(origin.1.into_inner(), FAILURES as usize);
    }
}
