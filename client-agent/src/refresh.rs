//! Drives the trust workflow of `mulberry-shared` over an origin. What is true is decided there.

use jiff::Timestamp;
use mulberry_shared::limits::Limits;
use mulberry_shared::trust::{Next, Outcome, Refresh, RefreshReport, Reply, TrustState};

use crate::ports::{Fetched, Transport};
use crate::state::Refreshed;

/// Refreshes `trust` from an origin. The state that comes back is whole and no older than before, whatever failed.
pub async fn refresh(
    trust: TrustState,
    origin: &dyn Transport,
    now: Timestamp,
    limits: &Limits,
) -> (TrustState, Refreshed) {
    let mut refresh = Refresh::start(trust, now, limits);
    while let Next::Fetch(fetch) = refresh.next() {
        let reply = match origin.get(&fetch.path, fetch.max_bytes).await {
            Fetched::Bytes(bytes) => Reply::Bytes(bytes),
            Fetched::Absent => Reply::Absent,
            Fetched::Failed(problem) => Reply::Failed(problem),
        };
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
        _ => problems.join("; "),
    }
}
