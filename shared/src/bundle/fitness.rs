//! What a bundle brings to a client, and whether it is fit to be taken.

use jiff::Timestamp;

use super::Bundle;
use crate::edition::RoleExpiry;
use crate::edition::{OnlineRole, Refresh, TrustState, Waiver};
use crate::limits::Limits;
use crate::tuf::{Next, RefreshReport, Reply, TrustError, TrustErrorKind};

/// Roles without which there is no edition.
const EDITION: [&str; 5] = ["root", "timestamp", "snapshot", "targets", "gates"];

impl Bundle {
    /// One whole refresh of `state` from this bundle and nothing else, at the time `now`, with the waiver of whoever hands
    /// it in: the state with the bundle's edition in it, or why it stays as it was.
    ///
    /// A person hands a bundle in and can be told, so it is taken as a whole or not at all. What was published in one lane is
    /// that lane's own affair as ever: an expired one, or one whose keys no longer count, holds nothing else up; it is in the
    /// report.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn take(
        &self,
        state: &TrustState,
        now: Timestamp,
        waiver: &Waiver,
        limits: &Limits,
    ) -> Result<(TrustState, RefreshReport), Unfit> {
        let (taken, report) = self.refresh(state, now, waiver, limits);
        let Some(error) = fault(&report).cloned() else { return Ok((taken, report)) };
        let held = state.trusted().root().version;
        match (error.kind, error.subject.parse::<OnlineRole>()) {
            (TrustErrorKind::Expired, Ok(_)) => {
                // All of them in one sentence; and none, if waiving them would not help.
                let all = Waiver::of(OnlineRole::ALL);
                let (taken, report) = self.refresh(state, now, &all, limits);
                if let Some(error) = fault(&report) {
                    return Err(Unfit::Refused(error.clone()));
                }
                let edition = taken.edition(limits);
                let expired = edition.iter().flat_map(|edition| edition.waived(now, &all)).cloned();
                Err(Unfit::Expired(expired.collect()))
            }
            (TrustErrorKind::Rollback, Ok(OnlineRole::Timestamp)) => Err(Unfit::Older(error.to_string())),
            (TrustErrorKind::Threshold, Ok(OnlineRole::Timestamp)) if self.newest_root() < Some(held) => Err(
                Unfit::Older(format!("it was made before version {held} of the root, which is trusted here")),
            ),
            _ => Err(Unfit::Refused(error)),
        }
    }

    fn refresh(
        &self,
        state: &TrustState,
        now: Timestamp,
        waiver: &Waiver,
        limits: &Limits,
    ) -> (TrustState, RefreshReport) {
        let mut refresh = Refresh::start(state.clone(), now, limits).waiving(waiver);
        while let Next::Fetch(fetch) = refresh.next() {
            refresh.supply(match self.get(&fetch.path) {
                None => Reply::Absent,
                Some(bytes) if u64::try_from(bytes.len()).is_ok_and(|length| length <= fetch.max_bytes) => {
                    Reply::Bytes(bytes.to_vec())
                }
                // Not `TooLong`: that is judged as what was published, and this happened to the bundle afterwards.
                Some(bytes) => Reply::Failed(format!("it has {} bytes, more than can be meant", bytes.len())),
            });
        }
        refresh.finish()
    }

    /// The newest root in it, by the names of its entries.
    fn newest_root(&self) -> Option<u64> {
        let version =
            |path: &String| path.strip_prefix("metadata/")?.strip_suffix(".root.json")?.parse::<u64>().ok();
        self.entries().keys().filter_map(version).max()
    }
}

/// Why a bundle's edition is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The client holds a newer one.
    #[error("it is older than what is held: {0}")]
    Older(String),
    /// Something that the server signs has expired. A person may waive that; all else holds.
    #[error(
        "{}. If it is the newest bundle there is, take it with --waive-expiry {}; then nothing proves that it is not an old one",
        dates(.0),
        names(.0)
    )]
    Expired(Vec<RoleExpiry>),
    /// Something in it does not verify, is missing, or has expired and cannot be waived.
    #[error("{0}")]
    Refused(TrustError),
}

fn dates(expired: &[RoleExpiry]) -> String {
    let all: Vec<String> =
        expired.iter().map(|held| format!("its {} expired at {}", held.role, held.expires)).collect();
    all.join(", ")
}

fn names(expired: &[RoleExpiry]) -> String {
    let all: Vec<&str> = expired.iter().map(|held| held.role.as_str()).collect();
    all.join(",")
}

/// The first thing that is wrong with the edition as a whole, with the way it came included.
pub fn fault(report: &RefreshReport) -> Option<&TrustError> {
    report.errors().find(|error| !concerns_one_lane(error))
}

/// Whether a lane is at fault as it was published. Everything that a snapshot lists is listed with its hash, so what was
/// changed or left out afterwards shows in other kinds.
fn concerns_one_lane(error: &TrustError) -> bool {
    use TrustErrorKind::{Absent, Rollback, Unreachable, WrongHash, WrongLength};
    !EDITION.contains(&error.subject.as_str())
        && !matches!(error.kind, Absent | Rollback | Unreachable | WrongHash | WrongLength)
}
