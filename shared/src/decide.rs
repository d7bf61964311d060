//! The decision: edition, client facts, enrolments and a time in; a plan out.
//!
//! Pure, total and deterministic: every path that the edition or an enrolment names gets exactly one decision, and
//! the same input gives the same plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::enrolment::Enrolment;
use crate::gates::{ReadGates, UnreadableGates};
use crate::limits::Limits;
use crate::recipe::{Lane, OnEnd, Phase, Recipe, RecipePath};
use crate::status::Status;
use crate::targeting::ClientFacts;
use crate::tuf::TrustError;

mod admission;
mod gating;
mod one;
mod reason;

pub use gating::{Gating, Refusal};
pub use reason::{Reason, Stays, Unsigned};

/// Decides about every recipe that the edition or an enrolment names.
#[must_use]
pub fn decide(input: &Input<'_>) -> Plan {
    let mut paths: BTreeMap<&RecipePath, (Option<&RecipeEntry>, Option<&Enrolment>)> = BTreeMap::new();
    for entry in &input.edition.recipes {
        paths.entry(&entry.path).or_default().0.get_or_insert(entry);
    }
    for enrolment in input.enrolments {
        paths.entry(&enrolment.path).or_default().1.get_or_insert(enrolment);
    }
    let mut decisions: Vec<_> = paths
        .into_iter()
        .map(|(path, (entry, enrolment))| one::decide(input, path, entry, enrolment))
        .collect();
    decisions.sort_by_key(order);
    Plan { decisions }
}

/// Ends before enrols, so that what is new is checked against what remains; then emergency before routine,
/// certificate actions before holds before re-verification, and by path.
fn order(decision: &Decision) -> (u8, Lane, bool, Option<Phase>, RecipePath) {
    let (end, action) = match &decision.step {
        Step::End { enrolment, .. } => (0, Some(&enrolment.recipe.action)),
        Step::Enrol(recipe) | Step::Move { to: recipe, .. } => (1, Some(&recipe.action)),
        Step::None => (1, None),
    };
    let phase = action.map(|action| action.does().phase());
    (end, decision.path.lane, phase.is_none(), phase, decision.path.clone())
}

/// Everything a decision depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The last committed edition.
    pub edition: &'a EditionView,
    /// What the client knows of itself.
    pub facts: &'a ClientFacts,
    /// What the user has left switched on.
    pub consent: &'a Consent,
    /// What the client applied so far; at most one per path.
    pub enrolments: &'a [Enrolment],
    /// The time.
    pub now: Timestamp,
    /// Ceilings for reading recipes.
    pub limits: &'a Limits,
}

/// What decisions need of a verified edition, seen at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditionView {
    /// The recipes of all lanes with verified content.
    pub recipes: Vec<RecipeEntry>,
    /// The gates; `None`: no valid ones, so nothing newly opens and nothing is undone by them.
    pub gates: Option<ReadGates>,
    /// What is wrong with the gates that came, where they cannot be read at all.
    pub gates_fault: Option<UnreadableGates>,
    /// Of each gate that carries people's signatures for what is published: whether they hold, and why not.
    pub approved: BTreeMap<RecipePath, Result<(), TrustError>>,
    /// The lanes with verified content. A recipe missing from one of these was withdrawn by the people who sign it.
    pub lanes_known: BTreeSet<Lane>,
    /// Whether root, targets, snapshot and timestamp are unexpired. Only then may a passed `expires` end an
    /// enrolment, so a clock that jumps ahead undoes nothing.
    pub freshness: Freshness,
}

impl EditionView {
    /// Its gates, as they count.
    #[must_use]
    pub fn gating(&self) -> Gating<'_> {
        Gating { gates: self.gates.as_ref(), fault: self.gates_fault.as_ref(), approved: &self.approved }
    }
}

/// Whether metadata is unexpired at the time of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    /// All of it is.
    Current,
    /// Some of what the server signs has expired, and a person who brought a bundle waived that. Its gates count; but it
    /// proves nothing about the date, so like [`Self::Expired`] it lets no date end anything.
    Waived,
    /// Some of it has expired.
    #[default]
    Expired,
}

/// One published recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeEntry {
    /// Where it is published.
    pub path: RecipePath,
    /// Its verified bytes.
    pub bytes: Arc<[u8]>,
    /// Whether its lane's metadata is unexpired; else nothing new is taken from it.
    pub lane_current: bool,
}

/// What the user has left switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Updates: hotfixes and security.
    pub updates: bool,
    /// Messages.
    pub messages: bool,
    /// Studies.
    pub studies: bool,
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// One decision per path: first all that end, then emergency before routine, certificate actions before holds
    /// before re-verification, then by path.
    pub decisions: Vec<Decision>,
}

/// What to do about one recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The recipe.
    pub path: RecipePath,
    /// The revision that the status speaks of; `None` where the recipe cannot be read.
    pub revision: Option<u64>,
    /// The outcome. With a step other than [`Step::None`] it is what will be if applying succeeds; the agent
    /// replaces it by the result.
    pub status: Status,
    /// Why it has that status.
    pub reason: Reason,
    /// What stays of what was applied before.
    pub stays: Stays,
    /// What to do.
    pub step: Step,
}

impl Decision {
    /// Why, as a sentence for people; empty where the status says it all.
    #[must_use]
    pub fn detail(&self) -> String {
        format!("{}{}", self.reason, self.stays)
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    None,
    /// Apply a recipe.
    Enrol(Box<Recipe>),
    /// Replace an enrolment by another revision (or begin an ended one again).
    Move {
        /// What is applied now.
        from: Box<Enrolment>,
        /// What to apply in its place.
        to: Box<Recipe>,
    },
    /// End an enrolment.
    End {
        /// What is applied now.
        enrolment: Box<Enrolment>,
        /// [`OnEnd::Keep`]: mark it `KeptAfterEnd`. [`OnEnd::Revert`]: drop it, if that breaks nothing.
        how: OnEnd,
    },
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
