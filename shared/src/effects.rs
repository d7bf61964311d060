//! What all enrolments together put in force on a client: certificates, distrust, a hold.
//!
//! Actions add to it, and nothing is ever taken out of it: undoing an enrolment is dropping it and folding the others again
//! ([`enrolment::effects`](crate::enrolment::effects)), so an undo cannot leave anything behind or take away what another
//! enrolment still needs.

use jiff::Timestamp;

use crate::x509::{Certificate, Distrust};

mod admission;

pub use admission::{Admission, NotAdmitted};

/// What all enrolments together put in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Certificates that paths may be built from: each once, sorted by SHA-256. One that [`Self::distrust`] refuses stays among
    /// them, since only a path through it can tell that it was refused; see [`Self::installed`].
    pub pool: Vec<Certificate>,
    /// What is refused wherever it comes from.
    pub distrust: Distrust,
    /// Until when no periodic pass runs; `None`: it runs.
    pub hold_until: Option<Timestamp>,
}

impl Effects {
    /// Adds a certificate to the pool.
    pub fn install(&mut self, certificate: &Certificate) {
        if let Err(place) = self.pool.binary_search_by_key(&certificate.sha256(), Certificate::sha256) {
            self.pool.insert(place, certificate.clone());
        }
    }

    /// As of when the dates of add-ons' certificates are judged at `now`; for nothing else is it the time.
    #[must_use]
    pub fn judged_as_of(&self, now: Timestamp) -> Timestamp {
        now
    }

    /// Whether add-ons may be judged differently under `other`, at the same instant.
    #[must_use]
    pub fn judges_differently(&self, other: &Self) -> bool {
        (&self.pool, &self.distrust) != (&other.pool, &other.distrust)
    }

    /// The certificates that the host is given: those of the pool that are not refused.
    pub fn installed(&self) -> impl Iterator<Item = &Certificate> {
        self.pool.iter().filter(|certificate| self.distrust.refuses(certificate).is_none())
    }

    /// Whether `next` lacks a certificate that is installed now, or holds less long: what could break an add-on later, though it breaks
    /// none at the instant of the change. A certificate that `next` refuses is not lost: that is meant to break what needs it.
    #[must_use]
    pub fn loses(&self, next: &Self) -> bool {
        next.hold_until < self.hold_until || self.installed().any(|held| !next.pool.contains(held))
    }
}
