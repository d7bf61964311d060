//! What can be wrong with metadata and signed files.

use std::fmt;

use crate::json::JsonError;

/// The stable kind of a [`TrustError`], for machines and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrustErrorKind {
    /// Not strict JSON, or not the shape of the role.
    Malformed,
    /// `_type` is not the role's.
    WrongType,
    /// A major version of the specification that is not ours.
    UnsupportedSpecification,
    /// Fewer distinct keys signed than the threshold demands.
    Threshold,
    /// One key id stands twice among the signatures, or a role or threshold is impossible.
    Impossible,
    /// Not the version that was promised.
    WrongVersion,
    /// An older version than was trusted before.
    Rollback,
    /// A file that was listed before is listed no more.
    Removed,
    /// Past its expiry.
    Expired,
    /// Content does not have the promised hash.
    WrongHash,
    /// Content does not have the promised length.
    WrongLength,
    /// More bytes, rotations, roles, signatures or files than allowed.
    TooMany,
    /// The role that should vouch for this does not.
    NotDelegated,
    /// Valid TUF, but against Mulberry's rules for lanes and gates.
    AgainstProfile,
    /// The origin says that the file does not exist.
    Absent,
    /// The origin could not be asked.
    Unreachable,
    /// A key that cannot be read or cannot sign.
    Key,
    /// A change that must be stated was not, or the other way round.
    Undeclared,
}

impl TrustErrorKind {
    /// The kind's stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongType => "wrong-type",
            Self::UnsupportedSpecification => "unsupported-specification",
            Self::Threshold => "threshold-not-met",
            Self::Impossible => "impossible",
            Self::WrongVersion => "wrong-version",
            Self::Rollback => "rollback",
            Self::Removed => "removed",
            Self::Expired => "expired",
            Self::WrongHash => "wrong-hash",
            Self::WrongLength => "wrong-length",
            Self::TooMany => "too-many",
            Self::NotDelegated => "not-delegated",
            Self::AgainstProfile => "against-profile",
            Self::Absent => "absent",
            Self::Unreachable => "unreachable",
            Self::Key => "key",
            Self::Undeclared => "undeclared",
        }
    }
}

impl fmt::Display for TrustErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: stable kind, the role or file it concerns, and a sentence that says what was wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {sentence}")]
pub struct TrustError {
    /// The kind.
    pub kind: TrustErrorKind,
    /// The role (`root`, `emergency` …) or the path of the file.
    pub subject: String,
    /// The sentence.
    pub sentence: String,
}

impl TrustError {
    /// A refusal.
    #[must_use]
    pub fn new(kind: TrustErrorKind, subject: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), sentence: sentence.into() }
    }

    pub(crate) fn json(subject: &str, error: &JsonError) -> Self {
        let kind = match error {
            JsonError::TooLarge { .. } | JsonError::TooDeep { .. } | JsonError::TooManyValues { .. } => {
                TrustErrorKind::TooMany
            }
            _ => TrustErrorKind::Malformed,
        };
        Self::new(kind, subject, error.to_string())
    }
}
