//! The answer of a preflight, as a value.

use jiff::Timestamp;
use serde::Serialize;

use super::Finding;
use crate::digest::Sha256Digest;
use crate::recipe::{Recipe, published};
use crate::xpi::Verdict;

/// The answer: verdicts, findings, and whether the recipe does what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`Report::FORMAT`].
    pub format: u32,
    /// What was asked about.
    pub recipe: RecipeFacts,
    /// The name of the policy; single settings of it may have been overridden.
    pub policy: &'static str,
    /// Whether no finding is a failure.
    pub passed: bool,
    /// How the corpus fares at each time.
    pub times: Vec<Moment>,
    /// What there is to say, failures first.
    pub findings: Vec<Finding>,
    /// Every add-on, sorted by key.
    pub addons: Vec<AddonReport>,
    /// What could not be read: its own problem, and no proof of anything.
    pub unread: Vec<Unread>,
}

impl Report {
    /// The format of the report as JSON.
    pub const FORMAT: u32 = 1;

    /// How many failures there are.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == super::Severity::Failure).count()
    }
}

/// Which recipe, to the byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecipeFacts {
    /// Where it is published.
    pub path: String,
    /// Its revision.
    pub revision: u64,
    /// What it does.
    pub action: &'static str,
    /// SHA-256 of the published bytes.
    pub sha256: Sha256Digest,
}

impl RecipeFacts {
    /// Of this recipe.
    #[must_use]
    pub fn of(recipe: &Recipe) -> Self {
        Self {
            path: recipe.path().to_string(),
            revision: recipe.revision,
            action: recipe.action.kind().as_str(),
            sha256: Sha256Digest::of(&published::write(recipe)),
        }
    }
}

/// How the corpus fares at one time, in numbers of add-ons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Work afterwards and did not before.
    pub better: usize,
    /// Worked before and do not afterwards, which the action does not declare.
    pub worse: usize,
    /// Worked before and are distrusted afterwards, which the action declares.
    pub disabled: usize,
    /// Work before and afterwards.
    pub work: usize,
    /// Work neither before nor afterwards.
    pub broken: usize,
}

/// One add-on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddonReport {
    /// What the caller calls it: its path.
    pub key: String,
    /// Its id; unverified where it is not ok.
    pub id: Option<String>,
    /// Its version; as trustworthy as the id.
    pub version: Option<String>,
    /// SHA-256 of the archive; `None` where it is larger than the ceiling.
    pub sha256: Option<Sha256Digest>,
    /// At each time of the question.
    pub verdicts: Vec<Judged>,
}

/// One add-on at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// When.
    pub at: Timestamp,
    /// What becomes of it.
    pub change: Change,
    /// The verdict without the recipe.
    pub before: Verdict,
    /// The verdict with it.
    pub after: Verdict,
}

/// What becomes of an add-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It works, and did not.
    Better,
    /// It does not work, and did; whether the action declares that is not said here.
    Breaks,
    /// It works, or does not, as before.
    Same,
}

impl Change {
    /// From one verdict to the other.
    #[must_use]
    pub fn between(before: &Verdict, after: &Verdict) -> Self {
        match (before.is_ok(), after.is_ok()) {
            (false, true) => Self::Better,
            (true, false) => Self::Breaks,
            _ => Self::Same,
        }
    }

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Breaks => "breaks",
            Self::Same => "same",
        }
    }
}

/// A file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// What the caller calls it.
    pub key: String,
    /// Why.
    pub problem: String,
}
