//! What the enrolments mean for add-on verification: installed certificates, distrust, hold.
//!
//! A fold, never an edit: undoing an enrolment is dropping it and folding again, so an undo cannot leave anything
//! behind or take away what another enrolment still needs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::enrolment::{Enrolment, EnrolmentState};
use crate::limits::RecipeLimits;
use crate::recipe::{Action, DistrustEntry};
use crate::x509::{Certificate, Distrust};

/// What all enrolments together put in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddonTrust {
    /// Certificates to add to the pool: each once, none distrusted, sorted by SHA-256.
    pub installed: Vec<Certificate>,
    /// What is refused wherever it comes from.
    pub distrust: Distrust,
    /// Until when no periodic pass runs; `None`: it runs.
    pub hold_until: Option<Timestamp>,
}

impl AddonTrust {
    /// The fold, in any order of `enrolments`, as of `now`.
    ///
    /// A hold that has passed is left out. However late its date, a hold ends [`RecipeLimits::hold_days`] after the client
    /// enrolled: nothing that is signed once may switch the periodic pass off for good.
    #[must_use]
    pub fn from_enrolments(enrolments: &[Enrolment], now: Timestamp) -> Self {
        let mut certificates = BTreeMap::new();
        let mut trust = Self::default();
        for enrolment in enrolments {
            match &enrolment.recipe.action {
                Action::InstallCertificates { certificates: installed } => {
                    certificates.extend(installed.iter().map(|c| (c.sha256(), c)));
                }
                Action::DistrustCertificates { by } => {
                    for entry in by {
                        match entry {
                            DistrustEntry::IssuerSerial { issuer, serial } => {
                                trust.distrust.add_issuer_serial(issuer, serial);
                            }
                            DistrustEntry::Spki(digest) => trust.distrust.add_spki(*digest),
                        }
                    }
                }
                Action::HoldVerification { until } if enrolment.state == EnrolmentState::Active => {
                    let until = bounded_hold(enrolment.enrolled_at, *until);
                    if now < until {
                        trust.hold_until = trust.hold_until.max(Some(until));
                    }
                }
                Action::HoldVerification { .. } | Action::ReverifyAddons { .. } => {}
            }
        }
        let allowed = |c: &&Certificate| trust.distrust.refuses(c).is_none();
        trust.installed = certificates.into_values().filter(allowed).cloned().collect();
        trust
    }
}

fn bounded_hold(enrolled_at: Timestamp, until: Timestamp) -> Timestamp {
    let longest = SignedDuration::from_hours(24 * i64::from(RecipeLimits::default().hold_days));
    enrolled_at.checked_add(longest).map_or(until, |latest| until.min(latest))
}
