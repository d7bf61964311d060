//! What happened in one refresh.

use super::error::{TrustError, TrustErrorKind};
use crate::explain::explained;

/// The refresh as a whole, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Everything is verified and fresh.
    Current,
    /// The origin is behind, or something has expired that its signers should renew: not hostile, ask another origin.
    Stale,
    /// The origin, or a file that it should have, could not be had.
    Unreachable,
    /// Something did not verify.
    Refused,
}

impl Outcome {
    /// Its stable name.
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

/// What happened to one role or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What was there is what is published.
    Unchanged,
    /// Something newer was verified and entered.
    Updated {
        /// The version before, if there was one. 0 for files.
        from: Option<u64>,
        /// The version now. 0 for files.
        to: u64,
    },
    /// Whether there is a next one could not be learnt; what is there stands, and the refresh went on. Of the root only.
    Withheld(TrustError),
    /// It failed; what was there before stands.
    Failed(TrustError),
}

/// One role or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The role's name, or the path of a recipe or of `gates.json`.
    pub subject: String,
    /// What happened to it.
    pub event: Event,
}

/// What happened in one refresh, in order. Roles that were not reached are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefreshReport {
    /// Roles and files.
    pub entries: Vec<Entry>,
}

impl RefreshReport {
    /// The refresh as a whole: the worst of what happened.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.errors().map(outcome_of).max().unwrap_or(Outcome::Current)
    }

    /// Everything that failed.
    pub fn errors(&self) -> impl Iterator<Item = &TrustError> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Failed(error) => Some(error),
            _ => None,
        })
    }

    /// What could not be learnt, and kept nothing from going on.
    pub fn withheld(&self) -> impl Iterator<Item = &TrustError> {
        self.entries.iter().filter_map(|entry| match &entry.event {
            Event::Withheld(error) => Some(error),
            _ => None,
        })
    }

    /// Whether anything newer entered.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.event, Event::Updated { .. }))
    }

    /// What happened to one role or file; the last word counts.
    #[must_use]
    pub fn of(&self, subject: &str) -> Option<&Event> {
        self.entries.iter().rev().find(|entry| entry.subject == subject).map(|entry| &entry.event)
    }

    pub(crate) fn add(&mut self, subject: &str, event: Event) {
        self.entries.push(Entry { subject: subject.to_owned(), event });
    }
}

/// How one error weighs.
#[must_use]
pub fn outcome_of(error: &TrustError) -> Outcome {
    match (error.kind, error.subject.as_str()) {
        (TrustErrorKind::Absent | TrustErrorKind::Unreachable, _) => Outcome::Unreachable,
        // Without these two nothing at all can be refreshed, from whatever origin.
        (TrustErrorKind::Expired, "root" | "targets") => Outcome::Refused,
        (TrustErrorKind::Expired, _) | (TrustErrorKind::Rollback, "timestamp") => Outcome::Stale,
        _ => Outcome::Refused,
    }
}

explained!(Outcome {
    Current: "the origin's metadata verified and is fresh",
        "nothing";
    Stale: "the origin is behind, or something in it has expired; what was held stays in force",
        "ask another origin; `mulberryctl status` says what is due";
    Unreachable: "it gave no usable answer; what was held stays in force",
        "check address, proxy and network";
    Refused: "something that it sent did not verify; what was held stays in force",
        "treat the origin as damaged or hostile until the detail is understood";
});
