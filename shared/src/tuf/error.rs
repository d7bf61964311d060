//! What can be wrong with metadata and signed files.

use std::fmt;

use crate::answer::plain;
use crate::explain::explained;
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
    /// One key id appears twice among the signatures, or a role or threshold is impossible.
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
    /// Valid TUF, but against the rules of whoever reads it: Mulberry's for lanes and gates.
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
        // Names and paths in foreign metadata may be any text, and people read both on a terminal.
        Self { kind, subject: plain(&subject.into()), sentence: plain(&sentence.into()) }
    }

    /// The same, with the file that was fetched where the fault is in its form: nobody can look at a role.
    pub(crate) fn in_file(self, path: &str) -> Self {
        let of_its_form = matches!(self.kind, TrustErrorKind::Malformed | TrustErrorKind::TooMany);
        if !of_its_form || self.subject == path {
            return self;
        }
        Self::new(self.kind, self.subject, format!("{}; the file is {path}", self.sentence))
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

explained!(TrustErrorKind {
    Malformed: "it is no strict JSON, or has not the shape of its role",
        "serve what was signed, byte for byte";
    WrongType: "its `_type` is not that of its role",
        "serve each role under its own name";
    UnsupportedSpecification: "it follows a major version of TUF that is not known here",
        "update this program";
    Threshold: "fewer distinct keys signed it than its role needs",
        "have more of the people sign; key ids do not count, keys do";
    Impossible: "a key signed twice, or a role or threshold cannot be met by anyone",
        "correct the metadata and sign it again";
    WrongVersion: "it has not the version that was promised",
        "serve one consistent edition, not parts of two";
    Rollback: "it is older than what was trusted before",
        "bring the origin up to date; a restored server needs its newest ledger";
    Removed: "a role or file that was listed before is listed no more",
        "sign metadata that lists it again";
    Expired: "it is past its expiry",
        "its signers renew it: `mulberryctl status` says whose turn it is; check the clock, too";
    WrongHash: "its content has not the promised hash",
        "serve what was signed, byte for byte; look at caches on the way";
    WrongLength: "its content has not the promised length",
        "serve what was signed, byte for byte; look at caches on the way";
    TooMany: "more bytes, rotations, roles, signatures or files than allowed",
        "treat the origin as hostile, or make the metadata smaller";
    NotDelegated: "the role that should vouch for it does not",
        "sign the delegation, or the file into its own lane";
    AgainstProfile: "it is valid TUF, but against the rules for lanes and gates",
        "correct what the sentence names";
    Absent: "the origin says that the file does not exist",
        "let the mirror finish copying, or ask another origin";
    Unreachable: "the origin could not be asked",
        "check address, proxy and network";
    Key: "a key cannot be read or cannot sign",
        "use an ed25519 or ECDSA P-256 key";
    Undeclared: "a change that must be stated was not, or the other way round",
        "name what is withdrawn, and only that";
});
