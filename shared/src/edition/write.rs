//! The writing side of an edition, on top of [`tuf::write`](crate::tuf::write).
//!
//! The operators' tool builds and signs what people sign ([`root`], [`targets`], [`LaneDraft`]); the server builds and signs
//! what paces it ([`gates`], [`snapshot`], [`timestamp`]) and checks what people submit ([`verify_lane`]). Nothing here
//! trusts anything: the same functions that clients use verify the result.

mod lane;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp as Instant};

use super::profile;
use crate::recipe::Lane;
use crate::tuf::metadata::{Delegation, Delegations, Other, Targets};
use crate::tuf::write::{key_map, whole_seconds};

pub use crate::tuf::write::{
    Holders, RootHolders, files, next_version, root, sign, signature, snapshot, target_file, timestamp,
};
pub use lane::{LaneChange, LaneDifference, LaneDraft, Published, compare_lane, verify_lane};

/// How long each role lives by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Root and targets: one year.
    Offline,
    /// A lane: 90 days.
    Lane,
    /// Snapshot and gates: 7 days.
    Online,
    /// The timestamp: one day; it is signed again every hour.
    Timestamp,
}

/// How long before its expiry what people sign is due: a working week to gather signers, and one to spare.
const PEOPLE_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// From when on a role's metadata that expires at `expires` is due to be signed again: 14 days before where people sign it, and
/// from half its life on where a server does, since that signs it long before.
#[must_use]
pub fn due_from(role: &str, expires: Instant) -> Instant {
    let life = Life::of(role);
    let notice = match life {
        Life::Offline | Life::Lane => PEOPLE_NOTICE,
        Life::Online | Life::Timestamp => life.duration() / 2,
    };
    expires.saturating_sub(notice).unwrap_or(Instant::MIN)
}

impl Life {
    /// That of a role; what is no role of people's is the server's.
    #[must_use]
    pub fn of(role: &str) -> Self {
        match role {
            "root" | "targets" => Self::Offline,
            "timestamp" => Self::Timestamp,
            lane if Lane::ALL.iter().any(|known| known.as_str() == lane) => Self::Lane,
            _ => Self::Online,
        }
    }

    /// Its length.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Offline => 365 * 24,
            Self::Lane => 90 * 24,
            Self::Online => 7 * 24,
            Self::Timestamp => 24,
        })
    }

    /// The expiry of something signed at `now`, in whole seconds; the end of time where it would lie beyond.
    #[must_use]
    pub fn from(self, now: Instant) -> Instant {
        whole_seconds(now.saturating_add(self.duration()).unwrap_or(Instant::MAX))
    }
}

/// The holders of the three delegated roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneHolders {
    /// The emergency lane.
    pub emergency: Holders,
    /// The routine lane.
    pub routine: Holders,
    /// Gates.
    pub gates: Holders,
}

/// The top-level targets: the three terminating delegations and no file.
#[must_use]
pub fn targets(version: u64, expires: Instant, holders: &LaneHolders) -> Targets {
    let roles = [&holders.emergency, &holders.routine, &holders.gates];
    let delegations = profile::DELEGATED.iter().zip(roles).map(|(role, holders)| Delegation {
        name: (*role).to_owned(),
        role_keys: holders.role_keys(),
        terminating: true,
        paths: Some(profile::patterns(role)),
        path_hash_prefixes: None,
        other: Other::new(),
    });
    let delegations = Delegations { keys: key_map(roles), roles: delegations.collect(), other: Other::new() };
    Targets { delegations: Some(delegations), ..files(version, expires, BTreeMap::new()) }
}

/// The gates role over the bytes of `gates.json`.
#[must_use]
pub fn gates(version: u64, expires: Instant, gates_json: &[u8]) -> Targets {
    files(version, expires, BTreeMap::from([(profile::GATES_FILE.to_owned(), target_file(gates_json))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_on_the_wire_are_whole_seconds_in_utc() {
        let now: Instant = "2026-05-04T00:00:00.75Z".parse().unwrap();
        let body = gates(1, Life::Timestamp.from(now), b"");
        assert_eq!(serde_json::to_value(body).unwrap()["expires"], "2026-05-05T00:00:00Z");
        assert_eq!(Life::Offline.from(Instant::MAX).as_second(), Instant::MAX.as_second());
    }
}
