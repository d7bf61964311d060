//! How a command fails: an exit code, a stable kind for machines, a sentence for people.

use mulberry_shared::exit::{self, Exit};

pub mod kind;

pub use kind::{FailureKind, Kind};

/// A command that did not do what was asked.
///
/// The sentence says what was wrong, where, and what to do next; it may span lines.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// Stable, kebab-case: for scripts that read `--json`.
    pub kind: Kind,
    /// For people.
    pub sentence: String,
}

impl Failure {
    /// Wrong usage, or input that could not be read (exit code 2).
    pub fn usage(kind: impl Into<Kind>, sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, kind: kind.into(), sentence: sentence.into() }
    }

    /// The answer is no (exit code 1).
    pub fn no(kind: impl Into<Kind>, sentence: impl Into<String>) -> Self {
        Self { exit: Exit::No, kind: kind.into(), sentence: sentence.into() }
    }

    /// Metadata or a signature was refused (exit code 3).
    pub fn refused(kind: impl Into<Kind>, sentence: impl Into<String>) -> Self {
        Self { exit: Exit::TrustRefused, kind: kind.into(), sentence: sentence.into() }
    }

    /// Nobody answered (exit code 4).
    pub fn unreachable(kind: impl Into<Kind>, sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Unreachable, kind: kind.into(), sentence: sentence.into() }
    }

    /// The JSON shape of a failure, the same for every command.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        exit::failure(self.exit, self.kind.as_str(), &self.sentence)
    }
}
