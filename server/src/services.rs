//! What operators ask for, and what time asks for: each decided by a pure function, carried out by [`Core`].

pub mod ceremony;
pub mod core;
pub mod gate;
pub mod propose;
pub mod publish;
pub mod status;

use mulberry_shared::operators::ProblemKind;

pub use core::{Core, OpenError};

/// A request was refused: what was wrong and what to do. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}; {remedy}")]
pub struct Refusal {
    /// The kind.
    pub kind: ProblemKind,
    /// What was wrong, and where.
    pub detail: String,
    /// What to do next.
    pub remedy: String,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), remedy: remedy.into() }
    }

    /// The stable name of the kind, which is its JSON form.
    #[must_use]
    pub fn kind_name(kind: ProblemKind) -> String {
        let name = serde_json::to_value(kind).ok();
        name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned()
    }
}
