//! What operators ask for, and what time asks for: each decided by a pure function, carried out by [`Core`].

pub mod ceremony;
pub mod clients;
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

    /// Why somebody does something, as it goes into the ledger and to clients.
    ///
    /// # Errors
    /// A refusal of this kind: it is no line of 1 to `most` bytes that shows all there is in it.
    fn reason(text: &str, most: usize, kind: ProblemKind) -> Result<String, Self> {
        let fit = mulberry_shared::text::one_line(text, most).map(str::to_owned);
        fit.map_err(|why| {
            let detail = format!("a reason is one line of 1 to {most} bytes, but {why}");
            Self::new(kind, detail, "say in a few words why")
        })
    }

    /// The stable name of the kind, which is its JSON form.
    #[must_use]
    pub fn kind_name(kind: ProblemKind) -> String {
        let name = serde_json::to_value(kind).ok();
        name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned()
    }
}
