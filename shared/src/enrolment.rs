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
