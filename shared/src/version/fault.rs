//! Why a text is not a range of versions.

use super::MAX_VERSION;

/// Bytes of a range's text. semver itself stops at 32 comparators.
pub(super) const MAX_RANGE: usize = 256;

/// The text is not a range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of versions: {text:?}: {fault}")]
pub struct NotARange {
    /// The beginning of the text.
    pub text: String,
    /// What is wrong with it.
    pub fault: RangeFault,
}

/// Why a text is not a range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeFault {
    /// It is too long.
    #[error("longer than {MAX_RANGE} bytes")]
    TooLong,
    /// It is not in the grammar of what is published, in the words of the library that reads it.
    #[error("{0}")]
    Grammar(String),
    /// It has an operator that is not known here.
    #[error("an operator that is not known")]
    UnknownOperator,
    /// No version lies in it.
    #[error("no version can match it")]
    Empty,
    /// An operator, or a comma, has no version beside it.
    #[error("a version is missing")]
    NoVersion,
    /// A version in it is too long.
    #[error("a version in it is longer than {MAX_VERSION} bytes; are there commas between the bounds?")]
    LongVersion,
    /// An operator before `*`.
    #[error("\"*\" is any version, which {0} cannot bound")]
    BoundsAny(&'static str),
    /// An operator that needs a version, before one with a star.
    #[error("{0} takes a version, not a \"*\"; leave it out")]
    NeedsVersion(&'static str),
    /// A version has more numbers than a bound may have.
    #[error("{0:?} has more than three numbers, which no bound may have")]
    FourNumbers(String),
    /// A version has what packagers append.
    #[error("{text:?} has a packager's revision at its end, which no bound has; write {spelling}")]
    Packaged {
        /// The version.
        text: String,
        /// How it is written as a bound.
        spelling: String,
    },
    /// A version is spelt as no product spells it.
    #[error("no product writes {text:?}; write {spelling}")]
    Misspelt {
        /// The version.
        text: String,
        /// How it is written.
        spelling: String,
    },
    /// Two versions with a word or sign between them that is none here.
    #[error("{text:?} is no version; write {range}")]
    Spread {
        /// Both.
        text: String,
        /// The range that they mean.
        range: String,
    },
    /// A version that does not read.
    #[error(
        "{0:?} is no version; products write such as 66.0, 66.0.3, 68.0a1, 68.0b3 and 60.6.2esr, and 67.* means every 67"
    )]
    NoSuchVersion(String),
}

impl NotARange {
    pub(super) fn new(text: &str, fault: RangeFault) -> Self {
        Self { text: text.chars().take(MAX_RANGE).collect(), fault }
    }
}
