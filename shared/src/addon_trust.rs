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

mod admission;

pub use admission::Admission;

/// What all enrolments together put in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddonTrust {
    /// Certificates that paths may be built from: each once, sorted by SHA-256. One that [`Self::distrust`] refuses stays among
    /// them, since only a path through it can tell that it was refused; see [`Self::installed`].
    pub pool: Vec<Certificate>,
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
        trust.pool = certificates.into_values().cloned().collect();
        trust
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

fn bounded_hold(enrolled_at: Timestamp, until: Timestamp) -> Timestamp {
    let longest = SignedDuration::from_hours(24 * i64::from(RecipeLimits::default().hold_days));
    enrolled_at.checked_add(longest).map_or(until, |latest| until.min(latest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::arbitrary::{certificates, day, recipe};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;

    fn enrolments() -> impl Strategy<Value = Vec<Enrolment>> {
        let state = proptest::sample::select(vec![EnrolmentState::Active, EnrolmentState::KeptAfterEnd]);
        let one = (recipe(), state, 0..10_i64).prop_map(|(recipe, state, enrolled)| Enrolment {
            path: recipe.path(),
            revision: recipe.revision,
            enrolled_at: day(enrolled),
            state,
            recipe,
        });
        vec(one, 0..6)
    }

    fn enrol(action: Action) -> Enrolment {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut recipe = recipe().new_tree(&mut runner).unwrap().current();
        recipe.action = action;
        Enrolment {
            path: recipe.path(),
            revision: 1,
            enrolled_at: day(0),
            state: EnrolmentState::Active,
            recipe,
        }
    }

    #[test]
    fn certificates_of_all_enrolments_are_installed_once_and_sorted() {
        let all = certificates();
        let install = |range: std::ops::Range<usize>| {
            enrol(Action::InstallCertificates { certificates: all[range].to_vec() })
        };
        let kept = Enrolment { state: EnrolmentState::KeptAfterEnd, ..install(1..3) };
        let trust = AddonTrust::from_enrolments(&[install(0..2), kept], day(1));
        let mut expected = all[..3].to_vec();
        expected.sort_by_key(Certificate::sha256);
        assert_eq!(trust.installed().cloned().collect::<Vec<_>>(), expected);
        assert!(trust.distrust.is_empty() && trust.hold_until.is_none());
    }

    #[test]
    fn distrust_beats_install_in_whichever_order() {
        let all = certificates();
        let install = enrol(Action::InstallCertificates { certificates: all[..3].to_vec() });
        let by = vec![
            DistrustEntry::Spki(all[1].spki_sha256()),
            DistrustEntry::IssuerSerial {
                issuer: all[2].issuer_der().to_vec(),
                serial: all[2].serial().to_vec(),
            },
        ];
        let distrust = enrol(Action::DistrustCertificates { by });
        // The stolen intermediate and the replacement may share a key: what remains is what neither entry refuses.
        let one = AddonTrust::from_enrolments(&[install.clone(), distrust.clone()], day(1));
        let other = AddonTrust::from_enrolments(&[distrust, install], day(1));
        assert_eq!(one, other);
        assert!(one.installed().all(|c| c.spki_sha256() != all[1].spki_sha256() && *c != all[2]));
        assert!(one.installed().count() <= 1);
        assert_eq!(one.pool.len(), 3, "paths through what is refused must be found, to be called distrusted");
    }

    #[test]
    fn the_longest_hold_holds_until_its_date_and_never_beyond_thirty_days() {
        let hold = |until: i64| enrol(Action::HoldVerification { until: day(until) });
        let until =
            |enrolments: &[Enrolment], now| AddonTrust::from_enrolments(enrolments, day(now)).hold_until;
        assert_eq!(until(&[hold(2), hold(5), hold(3)], 1), Some(day(5)));
        assert_eq!(until(&[hold(2), hold(5)], 5), None, "it ends by itself");
        assert_eq!(until(&[hold(400)], 1), Some(day(30)));
        assert_eq!(until(&[hold(400)], 30), None);
        let ended = Enrolment { state: EnrolmentState::KeptAfterEnd, ..hold(5) };
        assert_eq!(until(&[ended], 1), None, "a hold leaves nothing to keep");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_fold_knows_no_order_and_installs_nothing_distrusted(mut list in enrolments(), now in 0..60_i64) {
            let trust = AddonTrust::from_enrolments(&list, day(now));
            prop_assert!(trust.pool.is_sorted_by(|a, b| a.sha256() < b.sha256()));
            prop_assert!(trust.installed().all(|c| trust.distrust.refuses(c).is_none()));
            prop_assert!(trust.hold_until.is_none_or(|until| until > day(now)));
            list.reverse();
            prop_assert_eq!(&AddonTrust::from_enrolments(&list, day(now)), &trust);
            list.pop();
            let less = AddonTrust::from_enrolments(&list, day(now));
            prop_assert!(!less.loses(&trust), "only taking away loses something");
            prop_assert_eq!(trust.loses(&less), less.hold_until != trust.hold_until
                || trust.installed().any(|c| !less.pool.contains(c)));
        }
    }
}
