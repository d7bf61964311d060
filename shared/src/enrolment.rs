//! A client's record of a recipe revision that it applied.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effects::Effects;
use crate::recipe::{Leaves, Recipe, RecipePath};

/// One applied revision. The agent keeps at most one per path.
///
/// What is in force is computed from the enrolments alone ([`effects`]), so undoing one is dropping it and computing again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Where the recipe was published.
    pub path: RecipePath,
    /// The revision that was applied.
    pub revision: u64,
    /// When this revision was applied.
    pub enrolled_at: Timestamp,
    /// Whether it still runs.
    pub state: EnrolmentState,
    /// The recipe as it was applied, in its published form.
    pub recipe: Recipe,
}

/// Whether an enrolment still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnrolmentState {
    /// Its recipe runs.
    Active,
    /// Its recipe ended with `on_end = "keep"`: its effects stay.
    KeptAfterEnd,
}

/// What these enrolments together put in force at `now`, in whichever order they are given.
#[must_use]
pub fn effects(enrolments: &[Enrolment], now: Timestamp) -> Effects {
    let mut effects = Effects::default();
    for enrolment in enrolments {
        let action = enrolment.recipe.action.does();
        match (enrolment.state, action.leaves()) {
            (EnrolmentState::KeptAfterEnd, Leaves::Nothing { .. }) => {}
            (EnrolmentState::Active, _) | (EnrolmentState::KeptAfterEnd, Leaves::Effects) => {
                action.put_in_force(enrolment.enrolled_at, now, &mut effects);
            }
        }
    }
    effects
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::arbitrary::{self, certificates, day, recipe};
    use crate::recipe::{Action, DistrustCertificates, DistrustEntry, HoldVerification, InstallCertificates};
    use crate::x509::Certificate;
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

    fn enrol(action: impl Into<Action>) -> Enrolment {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut recipe = recipe().new_tree(&mut runner).unwrap().current();
        recipe.action = action.into();
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
        let install =
            |range: std::ops::Range<usize>| enrol(InstallCertificates { certificates: all[range].to_vec() });
        let kept = Enrolment { state: EnrolmentState::KeptAfterEnd, ..install(1..3) };
        let found = effects(&[install(0..2), kept], day(1));
        let mut expected = all[..3].to_vec();
        expected.sort_by_key(Certificate::sha256);
        assert_eq!(found.installed().cloned().collect::<Vec<_>>(), expected);
        assert!(found.distrust.is_empty() && found.hold_until.is_none());
    }

    #[test]
    fn distrust_beats_install_in_whichever_order() {
        let all = certificates();
        let install = enrol(InstallCertificates { certificates: all[..3].to_vec() });
        let by = vec![
            DistrustEntry::Spki(all[1].spki_sha256()),
            DistrustEntry::IssuerSerial {
                issuer: all[2].issuer_der().to_vec(),
                serial: all[2].serial().to_vec(),
            },
        ];
        let distrust = enrol(DistrustCertificates { by });
        // The stolen intermediate and the replacement may share a key: what remains is what neither entry refuses.
        let one = effects(&[install.clone(), distrust.clone()], day(1));
        let other = effects(&[distrust, install], day(1));
        assert_eq!(one, other);
        assert!(one.installed().all(|c| c.spki_sha256() != all[1].spki_sha256() && *c != all[2]));
        assert!(one.installed().count() <= 1);
        assert_eq!(one.pool.len(), 3, "paths through what is refused must be found, to be called distrusted");
    }

    #[test]
    fn the_longest_hold_holds_until_its_date_and_never_beyond_thirty_days() {
        let hold = |until: i64| enrol(HoldVerification { until: day(until) });
        let until = |enrolments: &[Enrolment], now| effects(enrolments, day(now)).hold_until;
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
        fn every_enrolment_survives_its_record(recipe in arbitrary::recipe(), kept: bool) {
            let enrolment = Enrolment {
                path: recipe.path(),
                revision: recipe.revision,
                enrolled_at: arbitrary::day(3),
                state: if kept { EnrolmentState::KeptAfterEnd } else { EnrolmentState::Active },
                recipe,
            };
            let text = serde_json::to_string(&enrolment).unwrap();
            prop_assert_eq!(serde_json::from_str::<Enrolment>(&text).unwrap(), enrolment);
        }

        #[test]
        fn the_fold_knows_no_order_and_installs_nothing_distrusted(mut list in enrolments(), now in 0..60_i64) {
            let found = effects(&list, day(now));
            prop_assert!(found.pool.is_sorted_by(|a, b| a.sha256() < b.sha256()));
            prop_assert!(found.installed().all(|c| found.distrust.refuses(c).is_none()));
            prop_assert!(found.hold_until.is_none_or(|until| until > day(now)));
            list.reverse();
            prop_assert_eq!(&effects(&list, day(now)), &found);
            list.pop();
            let less = effects(&list, day(now));
            prop_assert!(!less.loses(&found), "only taking away loses something");
            prop_assert_eq!(found.loses(&less), less.hold_until != found.hold_until
                || found.installed().any(|c| !less.pool.contains(c)));
        }
    }
}
