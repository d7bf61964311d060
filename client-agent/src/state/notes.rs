//! What runs leave in the state for people to read: how the last one went, what each origin said, which waiver was used.

use std::fmt;

use jiff::Timestamp;
use mulberry_shared::answer::plain;
use mulberry_shared::recipe::RecipePath;
use mulberry_shared::status::Status;
use mulberry_shared::tuf::Outcome;
use serde::{Deserialize, Serialize};

use crate::ports::{Gap, Gaps};

/// An import under a waiver: a person said that it does not matter that something the server signs had expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaivedImport {
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// The bundle's file.
    pub file: String,
    /// The edition that came in.
    pub edition: u64,
    /// The version of its timestamp: while this one is held, nothing fresher has come.
    pub timestamp: u64,
    /// The roles that had expired.
    pub roles: Vec<String>,
}

impl fmt::Display for WaivedImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, file, edition, roles, .. } = self;
        let roles = roles.join(", ");
        write!(
            f,
            "edition {edition} was imported from {file} at {at:.0} under a waiver: expired were {roles}"
        )
    }
}

/// What was left out of the add-ons, because nobody could look there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// How many files and folders.
    pub count: usize,
    /// One of them, relative to the add-ons folder; empty where it is the whole folder, of which a part was not looked at.
    pub path: String,
    /// Why it was left out.
    pub problem: String,
}

impl LeftOut {
    /// What these gaps leave out; `None` where there are none.
    #[must_use]
    pub fn of(gaps: &Gaps) -> Option<Self> {
        let Gap { path, problem } = gaps.iter().next()?.clone();
        Some(Self { count: gaps.len(), path, problem })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, path, problem } = self;
        let path = if path.is_empty() { "the add-ons folder" } else { path };
        match count {
            1 => {
                write!(f, "Not counted, because nobody could look there: {}: {}", plain(path), plain(problem))
            }
            many => write!(
                f,
                "Not counted, because nobody could look there: {many} files or folders, such as {}: {}",
                plain(path),
                plain(problem)
            ),
        }
    }
}

/// How a run went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastRun {
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// Whether that clock was started elsewhere by `--clock-start`.
    pub clock_shifted: bool,
    /// How the refresh ended.
    pub refresh: Refreshed,
    /// Every recipe's status.
    pub recipes: Vec<RecipeResult>,
}

/// How a refresh ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refreshed {
    /// The stable outcome.
    pub outcome: RefreshOutcome,
    /// The origin asked.
    pub origin: String,
    /// A sentence.
    pub detail: String,
}

/// What is known of one origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OriginNote {
    /// Its address.
    pub origin: String,
    /// When it was last asked.
    pub asked: Option<Timestamp>,
    /// What came of it.
    pub outcome: Option<RefreshOutcome>,
    /// What was wrong, unless it gave a current edition.
    pub problem: Option<String>,
}

impl OriginNote {
    /// The origin at this address was never asked.
    #[must_use]
    pub fn never(origin: &str) -> Self {
        Self { origin: origin.to_owned(), asked: None, outcome: None, problem: None }
    }
}

/// The outcomes of a refresh, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshOutcome {
    /// The origin's metadata verified and is fresh.
    Current,
    /// The origin is behind, or its signers have let something expire.
    Stale,
    /// It gave no usable answer; the last good edition stays.
    Unreachable,
    /// Something it sent was refused; the last good edition stays.
    Refused,
}

impl RefreshOutcome {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }
}

impl From<Outcome> for RefreshOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Current => Self::Current,
            Outcome::Stale => Self::Stale,
            Outcome::Unreachable => Self::Unreachable,
            Outcome::Refused => Self::Refused,
        }
    }
}

/// One recipe's status in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeResult {
    /// Where it is published.
    pub path: RecipePath,
    /// The revision the status speaks of.
    pub revision: Option<u64>,
    /// The status.
    pub status: Status,
    /// A sentence.
    pub detail: String,
}
