//! The closed list of outcomes of a recipe in a run.
//!
//! Every recipe gets exactly one in every run. The reasons not to act come first, in the order in which
//! [`decide`](crate::decide) tests them (the first that holds is the status); the results of applying follow. The
//! same names serve `status`, `why`, metrics, documents and reports.

use crate::explain::explained;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The outcome of one recipe in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not JSON, a field missing or of the wrong type, or lane and slug differ from the path.
    Unreadable,
    /// A `schema_version` that this agent does not know.
    UnknownSchema,
    /// An action that this agent does not have.
    UnknownAction,
    /// A capability, field or value that this agent does not know; the detail names it.
    UnknownCapability,
    /// The action's arguments do not hold, or lane, consent and action do not go together.
    InvalidArguments,
    /// `starts` lies ahead.
    NotStarted,
    /// `expires` has passed.
    Expired,
    /// The client is not among those the recipe is for; the detail names the first field that differs.
    NotTargeted,
    /// The user has switched off what this recipe needs.
    ConsentWithheld,
    /// The lane's signatures have expired, so nothing new is taken from it.
    LaneExpired,
    /// No valid gate speaks for this revision, it is open at zero percent, or only people may open it and did not.
    GateClosed,
    /// The gate is ended.
    Ended,
    /// The gate is paused: no new enrolments.
    Paused,
    /// The gate is open, but not yet for this client.
    NotSampled,
    /// Applied in this run.
    Applied,
    /// Applied earlier, nothing to do.
    Unchanged,
    /// Ended, and what it did was undone.
    Reverted,
    /// Withdrawn by the people who sign the lane; what it did stays, as the recipe asked.
    WithdrawnKept,
    /// Ended, but undoing it would break an add-on that works, or that cannot be told, so what it did stays.
    KeptWouldBreak,
    /// Not applied: it would break an add-on that works.
    WouldBreakAddons,
    /// Not applied: an error; the detail says which.
    ApplyFailed,
}

impl Status {
    /// All statuses, in the order of the list.
    pub const ALL: [Self; 21] = [
        Self::Unreadable,
        Self::UnknownSchema,
        Self::UnknownAction,
        Self::UnknownCapability,
        Self::InvalidArguments,
        Self::NotStarted,
        Self::Expired,
        Self::NotTargeted,
        Self::ConsentWithheld,
        Self::LaneExpired,
        Self::GateClosed,
        Self::Ended,
        Self::Paused,
        Self::NotSampled,
        Self::Applied,
        Self::Unchanged,
        Self::Reverted,
        Self::WithdrawnKept,
        Self::KeptWouldBreak,
        Self::WouldBreakAddons,
        Self::ApplyFailed,
    ];

    /// The name in every output and document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::UnknownSchema => "unknown-schema",
            Self::UnknownAction => "unknown-action",
            Self::UnknownCapability => "unknown-capability",
            Self::InvalidArguments => "invalid-arguments",
            Self::NotStarted => "not-started",
            Self::Expired => "expired",
            Self::NotTargeted => "not-targeted",
            Self::ConsentWithheld => "consent-withheld",
            Self::LaneExpired => "lane-expired",
            Self::GateClosed => "gate-closed",
            Self::Ended => "ended",
            Self::Paused => "paused",
            Self::NotSampled => "not-sampled",
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Reverted => "reverted",
            Self::WithdrawnKept => "withdrawn-kept",
            Self::KeptWouldBreak => "kept-would-break",
            Self::WouldBreakAddons => "would-break-addons",
            Self::ApplyFailed => "apply-failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is none of the statuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status of a recipe: {0:?}")]
pub struct NotAStatus(String);

impl FromStr for Status {
    type Err = NotAStatus;

    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| NotAStatus(text.into()))
    }
}

explained!(Status {
    Unreadable: "the recipe is no JSON, lacks a field, or names another lane or slug than its path",
        "publish a corrected revision; `mulberryctl recipe check` would have refused this one";
    UnknownSchema: "its `schema_version` is newer than this agent",
        "update the agent, or publish it for older agents under a slug of its own";
    UnknownAction: "this agent does not have its action",
        "update the agent, or use an action that it has";
    UnknownCapability: "it needs a capability, field or value that this agent does not know; the detail names it",
        "update the agent, or leave that field out";
    InvalidArguments: "its arguments do not hold, or lane, consent and action do not go together",
        "publish a corrected revision";
    NotStarted: "`starts` lies ahead",
        "wait, or check the clock of the client";
    Expired: "`expires` has passed",
        "publish a revision with a later date if it is still needed; check the clock of the client";
    NotTargeted: "the client is not among those it is for; the detail names the first field that differs",
        "widen `targeting` in a new revision if this client was meant";
    ConsentWithheld: "the user has switched off what this kind of recipe needs",
        "respect it; hotfixes and security need only that updates are on";
    LaneExpired: "the signatures of its lane have expired, so nothing new is taken from it",
        "two people sign the lane again: `mulberryctl publish --renew LANE`";
    GateClosed: "no valid gate speaks for this revision, it is open at zero percent, or only people may open it and their signatures do not hold",
        "open it: `mulberryctl gate open SLUG --percent N`";
    Ended: "its gate is ended, which is final for this revision; an earlier one that is applied stays",
        "publish a new revision if it shall come back; withdraw it if an earlier one shall go";
    Paused: "its gate is paused: nobody new enrols, nothing is undone",
        "open it again when the cause is known";
    NotSampled: "its gate is open, but not yet for this client",
        "open it wider when the canary is green";
    Applied: "it was applied in this run",
        "nothing";
    Unchanged: "it was applied earlier, and there is nothing to do",
        "nothing";
    Reverted: "it ended, and what it did was undone",
        "nothing";
    WithdrawnKept: "it was withdrawn, and what it did stays, as it asked with `on_end = \"keep\"`",
        "nothing; publish a revision with `on_end = \"revert\"` before withdrawing if it shall be undone";
    KeptWouldBreak: "it ended, but undoing it would break an add-on that works, or whether it would cannot be told now, so what it did stays",
        "deliver what those add-ons need first, or put right the clock or file that the detail names; every run tries again";
    WouldBreakAddons: "it was not applied, because an add-on that works would stop; the detail names it",
        "run `mulberryctl preflight` on add-ons like those of this client, and correct the recipe";
    ApplyFailed: "it was not applied; the detail names the error",
        "put right what the detail names; every run tries again";
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_in_json_and_the_list_is_complete_and_ordered() {
        for (index, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, index);
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        // One past the last would be a variant missing from ALL.
        assert_eq!(Status::ApplyFailed as usize + 1, Status::ALL.len());
    }
}
