//! The freeze check: what has expired is refused.

use std::collections::BTreeSet;

use jiff::Timestamp as Instant;

use super::error::TrustError;
use super::metadata::Body;
use super::verify::Verified;

/// The freeze check of one refresh: a time, and whose expiry does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreezeCheck {
    now: Instant,
    waived: BTreeSet<&'static str>,
}

impl FreezeCheck {
    /// Every expiry counts. `now` is the time for all of the refresh (specification 5.1).
    #[must_use]
    pub fn at(now: Instant) -> Self {
        Self { now, waived: BTreeSet::new() }
    }

    /// The expiry of these roles does not count. Beyond the specification; [`Waiver`](crate::edition::Waiver) says who may be named.
    #[must_use]
    pub(crate) fn waiving(self, waived: BTreeSet<&'static str>) -> Self {
        Self { waived, ..self }
    }

    /// The time for all of the refresh.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Checks one role's metadata (specification 5.3.10, 5.4.4, 5.5.6, 5.6.5).
    ///
    /// # Errors
    /// `expired`, and not waived.
    pub fn check<T: Body>(&self, role: &str, metadata: &Verified<T>) -> Result<(), TrustError> {
        if self.waived.contains(role) { Ok(()) } else { metadata.check_unexpired(role, self.now) }
    }
}
