//! A rule that a recipe breaks, and when a recipe runs, for the rules that depend on that.

use jiff::Timestamp;

use super::problem_kind::SourceProblemKind;

/// A rule that a recipe breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The key in the recipe at which it shows.
    pub key: &'static str,
    /// What kind of mistake it is.
    pub kind: SourceProblemKind,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Breach {
    pub(super) fn new(
        key: &'static str,
        kind: SourceProblemKind,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { key, kind, what: what.into(), remedy: remedy.into() }
    }
}

/// When a recipe runs, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it begins; absent: at once, or unknown.
    pub starts: Option<Timestamp>,
    /// When it ends, where it is known.
    pub expires: Option<Timestamp>,
}
