//! Drives the trust workflow of `mulberry-shared` over the origins. What is true is decided there.
//!
//! Origins are asked one after another until one has given a current edition; what was verified from one is kept for the next. The
//! order is drawn again for each refresh, with two exceptions: the origin whose live stream is followed comes first, and those that
//! failed the last time come last. That is all their backing off: they are left alone while another origin serves, and if none does,
//! the schedule spaces the runs.
//!
//! An origin that stands still can look current for as long as what it serves lives. So each is asked at least once in
//! [`PERIOD`] (or in the first refresh after that), also when another has given a current edition.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::edition::{Refresh, TrustState};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::{Next, Outcome, RefreshReport, Reply};

use crate::backoff::Dice;
use crate::ports::{Clock, Fetched, Transport};
use crate::state::{OriginNote, RefreshOutcome, Refreshed};

/// Every origin is asked once in this time. It is also how exactly the state notes when that was.
pub const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// Failures in a row after which an origin is not asked again in this refresh: each may take a minute, and an edition
/// has hundreds of files.
const FAILURES: u32 = 4;

/// All origins together are asked for nothing more after this, and each of them after an equal share: one that drips each of a
/// thousand files must not keep the others, or the rest of the run, waiting. What came is kept, and the next run asks for what
/// is missing.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// The one document that changes under its name.
const TIMESTAMP: &str = "metadata/timestamp.json";

/// Problems told in one sentence.
const SHOWN: usize = 3;

/// Where a run may fetch editions.
pub struct Origins<'a> {
    /// All of them.
    pub all: Vec<&'a dyn Transport>,
    /// The one that has announced an edition, or may have: asked first, unless it failed the last time.
    pub first: Option<String>,
    /// Decides the order of the others.
    pub dice: Dice,
}

impl<'a> Origins<'a> {
    /// The order to ask in, by what is noted of each.
    fn in_order(&self, notes: &[OriginNote]) -> Vec<&'a dyn Transport> {
        let mut origins = self.all.clone();
        self.dice.clone().shuffle(&mut origins);
        let failed = |origin: &str| {
            let note = notes.iter().find(|note| note.origin == origin);
            note.and_then(|note| note.outcome).is_some_and(|outcome| outcome != RefreshOutcome::Current)
        };
        origins.sort_by_key(|origin| {
            let origin = origin.origin();
            (failed(origin), self.first.as_deref() != Some(origin))
        });
        origins
    }
}

/// Refreshes `trust` from the origins, as of `now`; `clock` only measures how long it takes. The state that comes back is whole
/// and no older than before, whatever failed. `notes` is brought up to date: one for each origin, in their order.
///
/// The outcome is the best that an origin gave.
pub async fn refresh(
    mut trust: TrustState,
    origins: &Origins<'_>,
    notes: &mut Vec<OriginNote>,
    now: Timestamp,
    clock: &dyn Clock,
    limits: &Limits,
) -> (TrustState, Refreshed) {
    let mut kept = std::mem::take(notes);
    let note = |origin: &&dyn Transport| {
        let known = kept.iter().position(|note| note.origin == origin.origin());
        known.map_or_else(|| OriginNote::never(origin.origin()), |known| kept.swap_remove(known))
    };
    *notes = origins.all.iter().map(note).collect();

    let share = u32::try_from(origins.all.len().max(1)).map_or(LONGEST, |count| LONGEST / count);
    let mut best: Option<Refreshed> = None;
    let mut news = false;
    for origin in origins.in_order(notes) {
        let current = best.as_ref().is_some_and(|best| best.outcome == RefreshOutcome::Current);
        let last = notes.iter().find(|note| note.origin == origin.origin()).and_then(|note| note.asked);
        let age = last.map(|last| now.duration_since(last).abs());
        // What has just come is applied before time is spent on another origin, but not for ever.
        let patience = if news { PERIOD.saturating_add(PERIOD) } else { PERIOD };
        if current && age.is_some_and(|age| age < patience) {
            continue;
        }
        let (after, report) = ask(trust, origin, share, now, clock, limits).await;
        trust = after;
        news |= report.changed();
        let asked = Refreshed {
            outcome: report.outcome().into(),
            origin: origin.origin().to_owned(),
            detail: sentence(&report),
        };
        let failed = asked.outcome != RefreshOutcome::Current;
        if failed {
            tracing::warn!(
                asked.origin,
                outcome = asked.outcome.as_str(),
                asked.detail,
                "an origin is passed over"
            );
        }
        if let Some(note) = notes.iter_mut().find(|note| note.origin == asked.origin) {
            note.asked = Some(now);
            note.outcome = Some(asked.outcome);
            note.problem = failed.then(|| asked.detail.clone());
        }
        let better = match &best {
            None => true,
            Some(best) => asked.outcome < best.outcome || (asked.outcome == best.outcome && report.changed()),
        };
        if better {
            best = Some(asked);
        }
    }
    let nobody = || Refreshed {
        outcome: RefreshOutcome::Unreachable,
        origin: String::new(),
        detail: "there is no origin to ask".into(),
    };
    (trust, best.unwrap_or_else(nobody))
}

/// Refreshes from one origin, for not much longer than `longest`.
async fn ask(
    trust: TrustState,
    origin: &dyn Transport,
    longest: Duration,
    now: Timestamp,
    clock: &dyn Clock,
    limits: &Limits,
) -> (TrustState, RefreshReport) {
    // "Not modified" says no more than sending the same bytes again would, so that is how it is taken: they are verified
    // and their expiry is judged as ever.
    let held = trust.trusted().timestamp().map(|timestamp| timestamp.bytes().clone());
    let mut refresh = Refresh::start(trust, now, limits);
    let mut failures = 0;
    let started = clock.steady();
    while let Next::Fetch(fetch) = refresh.next() {
        if failures >= FAILURES {
            refresh
                .supply(Reply::Failed(format!("not asked for: the origin failed {FAILURES} times in a row")));
            continue;
        }
        if clock.steady().saturating_sub(started) >= longest {
            let seconds = longest.as_secs();
            refresh.supply(Reply::Failed(format!("not asked for: the refresh took {seconds} s")));
            continue;
        }
        let fetched = match &held {
            Some(held) if fetch.path == TIMESTAMP => {
                origin.get_unless_held(&fetch.path, fetch.max_bytes, held).await
            }
            _ => origin.get(&fetch.path, fetch.max_bytes).await,
        };
        let reply = match (fetched, &held) {
            (Fetched::NotModified, Some(held)) if fetch.path == TIMESTAMP => Reply::Bytes(held.to_vec()),
            (fetched, _) => fetched.into(),
        };
        failures = if matches!(reply, Reply::Failed(_)) { failures + 1 } else { 0 };
        refresh.supply(reply);
    }
    refresh.finish()
}

/// What happened, for people.
pub(crate) fn sentence(report: &RefreshReport) -> String {
    let problems: Vec<String> = report.errors().map(ToString::to_string).collect();
    let said = match (report.outcome(), problems.is_empty()) {
        (Outcome::Current, _) | (_, true) if report.changed() => "verified; something new came".into(),
        (Outcome::Current, _) | (_, true) => "verified; nothing new".into(),
        _ => {
            let more = problems.len().saturating_sub(SHOWN);
            let shown = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
            if more == 0 { shown } else { format!("{shown}; and {more} more") }
        }
    };
    match report.withheld().next() {
        // Where nothing can be had, the root is no exception.
        Some(error) if report.outcome() != Outcome::Unreachable => {
            format!("{said}; {error}, so the root that is held goes on")
        }
        _ => said,
    }
}

#[cfg(test)]
mod tests;
