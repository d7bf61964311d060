//! Whether a client's clock is believed as far as add-ons may stop working by it.
//!
//! A clock can be wrong by any amount: an empty battery, a bad time server, a restored image. What it says may delay a fix, but it must
//! never break what works. So a date disables an add-on, and something is taken away at its end, only in a run whose clock is
//! *vouched for*: the run holds a verified edition that was signed before now and has not expired. That bounds the clock
//! on both sides, by signatures, to about a day.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::edition::Edition;

/// How far ahead of a client an honest signer's clock may be.
pub const TOLERANCE: SignedDuration = SignedDuration::from_hours(1);
/// The roles whose expiry bounds the clock from above, as they make an edition fresh.
const ROLES: [&str; 4] = ["root", "targets", "timestamp", "snapshot"];

/// What the edition at hand says of the clock.
///
/// It speaks of signed times alone: the expiry that an operator waives for an import is not waived here. And nothing is remembered:
/// `signed_at` counts only while the edition that says it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClockStanding {
    /// The time lies between the signing of the edition and its end.
    Vouched,
    /// Not vouched for: no edition was ever verified, or it is not whole.
    NoEdition,
    /// Not vouched for: the edition does not say when it was signed.
    Undated,
    /// Not vouched for: the edition was signed later than now, so the clock is behind, or the signer's ahead.
    Behind {
        /// When it was signed.
        signed_at: Timestamp,
    },
    /// Not vouched for: the edition has expired, so the clock is ahead, or nothing newer has arrived.
    Expired {
        /// The role that expired first.
        role: String,
        /// When.
        expires: Timestamp,
    },
}

impl ClockStanding {
    /// What `edition` says of a clock that shows `now`.
    #[must_use]
    pub fn of(edition: Option<&Edition>, now: Timestamp) -> Self {
        let Some(edition) = edition else { return Self::NoEdition };
        let of = |role: &&str| edition.expiries.iter().find(|expiry| expiry.role == **role);
        let Some(expiries) = ROLES.iter().map(of).collect::<Option<Vec<_>>>() else {
            return Self::NoEdition;
        };
        let Some(signed_at) = edition.signed_at else { return Self::Undated };
        if signed_at.duration_since(now) > TOLERANCE {
            return Self::Behind { signed_at };
        }
        match expiries.into_iter().min_by_key(|expiry| expiry.expires).filter(|first| first.expires <= now) {
            Some(first) => Self::Expired { role: first.role.clone(), expires: first.expires },
            None => Self::Vouched,
        }
    }

    /// Whether add-ons may stop working by the clock.
    #[must_use]
    pub fn is_vouched(&self) -> bool {
        *self == Self::Vouched
    }
}

impl fmt::Display for ClockStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vouched => write!(f, "the edition vouches for the clock"),
            Self::NoEdition => write!(f, "no whole edition is here to vouch for the clock"),
            Self::Undated => write!(f, "the edition does not say when it was signed"),
            Self::Behind { signed_at } => {
                write!(
                    f,
                    "the edition was signed at {signed_at:.0}, later than now: the clock is behind, or the signer's ahead"
                )
            }
            Self::Expired { role, expires } => write!(
                f,
                "the edition's {role} expired at {expires:.0}: the clock is ahead, or nothing newer has arrived"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edition::RoleExpiry;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn edition(signed_at: Option<i64>, ends: [i64; 4]) -> Edition {
        let expiry =
            |(role, end): (&&str, i64)| RoleExpiry { role: (*role).to_owned(), version: 1, expires: at(end) };
        let mut expiries: Vec<_> = ROLES.iter().zip(ends).map(expiry).collect();
        // A lane that has expired says nothing of the clock.
        expiries.push(RoleExpiry { role: "routine".into(), version: 1, expires: at(0) });
        Edition {
            number: 1,
            signed_at: signed_at.map(at),
            ledger: None,
            lanes: Default::default(),
            gates: None,
            approvals: Default::default(),
            expiries,
        }
    }

    #[test]
    fn an_edition_that_is_missing_partial_or_undated_vouches_for_nothing() {
        assert_eq!(ClockStanding::of(None, at(10)), ClockStanding::NoEdition);
        let mut partial = edition(Some(0), [100; 4]);
        partial.expiries.retain(|expiry| expiry.role != "snapshot");
        assert_eq!(ClockStanding::of(Some(&partial), at(10)), ClockStanding::NoEdition);
        assert_eq!(ClockStanding::of(Some(&edition(None, [100; 4])), at(10)), ClockStanding::Undated);
    }

    proptest! {
        /// Vouched for exactly from the tolerance before the signing until the first of the four expiries.
        #[test]
        fn the_clock_is_bounded_on_both_sides(
            signed in 0..1_000_000_i64,
            lives in proptest::array::uniform4(1..1_000_000_i64),
            now in -1_000_000..3_000_000_i64,
        ) {
            let ends = lives.map(|life| signed + life);
            let standing = ClockStanding::of(Some(&edition(Some(signed), ends)), at(now));
            let first = ends.into_iter().min().unwrap();
            let behind = now < signed - TOLERANCE.as_secs();
            prop_assert_eq!(standing.is_vouched(), !behind && now < first);
            prop_assert_eq!(matches!(standing, ClockStanding::Behind { .. }), behind);
            if let ClockStanding::Expired { expires, .. } = standing {
                prop_assert_eq!(expires, at(first));
            }
        }
    }
}
