//! That a preflight failed, on its way to whoever signs next.
//!
//! It stands beside a proposal and not in what is signed, which is published: so it is the word of whoever made the proposal, and
//! of everybody through whose hands it went.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::recipe::RecipePath;

/// A recipe was proposed although its last preflight had failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FailedPreflight {
    /// The recipe.
    pub path: RecipePath,
    /// When its last preflight failed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub failed: Timestamp,
    /// Why it was proposed all the same: one line of 1 to 500 bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::operators::schema::Reason))]
    pub reason: String,
}
