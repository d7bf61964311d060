//! A client's record of a recipe revision that it applied.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::recipe::{Recipe, RecipePath};

/// One applied revision. The agent keeps at most one per path.
///
/// What is in force is computed from the enrolments alone ([`addon_trust`](crate::addon_trust)), so undoing one is
/// dropping it and computing again.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::arbitrary;
    use proptest::prelude::*;

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
    }
}
