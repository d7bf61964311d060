//! Recipes: what to do, for whom, how widely, until when.
//!
//! A recipe has two forms. People write `recipes/<slug>/recipe.toml` ([`source`] reads it and reports every problem);
//! what is signed and delivered is JSON ([`published`]). Both obey the same [`rules`]. [`words`] says in
//! plain language what a recipe will do.

use jiff::Timestamp;

use crate::targeting::Targeting;

mod action;
#[cfg(test)]
pub(crate) mod arbitrary;
mod breach;
mod fields;
mod named;
mod names;
mod page;
mod problem_kind;
pub mod published;
mod rollout;
pub mod rules;
pub mod source;
pub mod words;

pub use action::{
    Action, ActionKind, Blanks, CAPABILITIES, DistrustCertificates, DistrustEntry, Does, HoldVerification,
    InstallCertificates, Leaves, Phase, Precondition, Proof, ReverifyAddons, Template, Verifies, WhichAddons,
};
pub use breach::{Breach, Life};
pub use fields::{FieldError, FieldFault};
pub use named::{NotAName, NotOne, RecipeName};
pub use names::{Lane, NotALane, NotAPath, NotASlug, RecipePath, Slug};
pub use page::Page;
pub use rollout::{Health, Rollout, Step};

/// The only `schema_version` there is.
pub const SCHEMA_VERSION: u64 = 1;

/// A recipe that was read and obeys the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The version of this schema: [`SCHEMA_VERSION`].
    pub schema_version: u64,
    /// Its name in paths, commands and outputs, unique across lanes.
    pub slug: Slug,
    /// Raised by one with every change, from 1; gates speak for one revision.
    pub revision: u64,
    /// A line for people.
    pub name: String,
    /// Which group of people must sign it.
    pub lane: Lane,
    /// What the user must have left switched on.
    pub consent: ConsentKind,
    /// Who may open its gate.
    pub opens: Opens,
    /// What it does.
    pub action: Action,
    /// What an agent must be able to do beyond the schema, some of [`CAPABILITIES`].
    pub capabilities: Vec<String>,
    /// Whom it is for.
    pub targeting: Targeting,
    /// At most how widely.
    pub rollout: Rollout,
    /// When it begins; absent: at once.
    pub starts: Option<Timestamp>,
    /// When it ends.
    pub expires: Timestamp,
    /// What becomes of its effects when it ends.
    pub on_end: OnEnd,
    /// For whoever reads it later.
    pub comment: Option<String>,
}

impl Recipe {
    /// Where it is published.
    #[must_use]
    pub fn path(&self) -> RecipePath {
        RecipePath { lane: self.lane, slug: self.slug.clone() }
    }

    /// What its end does: [`OnEnd::Revert`] for the actions that leave nothing to keep, else `on_end`.
    #[must_use]
    pub fn end(&self) -> OnEnd {
        match self.action.does().leaves() {
            Leaves::Nothing { .. } => OnEnd::Revert,
            Leaves::Effects => self.on_end,
        }
    }

    /// What an ended gate does on a client that has it; `None`: nothing, since only the lane's people end this action, by
    /// withdrawing the recipe.
    #[must_use]
    pub fn gate_end(&self) -> Option<OnEnd> {
        self.action.does().gate_may_end().then(|| self.end())
    }
}

/// What the user must have left switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsentKind {
    /// Updates: repairs something that broke.
    Hotfix,
    /// Updates: protects.
    Security,
    /// Messages.
    Message,
    /// Studies.
    Study,
}

impl ConsentKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Hotfix, Self::Security, Self::Message, Self::Study];

    /// Its name in a recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hotfix => "hotfix",
            Self::Security => "security",
            Self::Message => "message",
            Self::Study => "study",
        }
    }
}

/// Who may open a recipe's gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Opens {
    /// The server, within what people signed.
    Server,
    /// The lane's people: every opening needs their signatures, as many as a recipe does. Agents check them.
    People,
}

impl Opens {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Server, Self::People];

    /// Its name in a recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::People => "people",
        }
    }
}

/// What becomes of a recipe's effects when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnEnd {
    /// They stay.
    Keep,
    /// They are undone, if that breaks no add-on that works.
    Revert,
}

impl OnEnd {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Keep, Self::Revert];

    /// Its name in a recipe.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Revert => "revert",
        }
    }
}
