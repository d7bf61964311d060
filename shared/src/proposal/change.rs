//! What signing a proposal would change: computed from the bytes that will be signed, against what the reader verified.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Proposal;
use crate::edition::write::{self, Published};
use crate::gates::{Gate, GateState};
use crate::limits::Limits;
use crate::recipe::published::Unreadable;
use crate::recipe::{Lane, Leaves, OnEnd, Recipe, RecipePath, published, words};
use crate::tuf::{Targets, TrustError, Verified, trusted};

/// What happens to one recipe of the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New(Box<Recipe>),
    /// Its bytes change, and its revision rises.
    Changed {
        /// What is live; `None` where it cannot be read.
        from: Option<Box<Recipe>>,
        /// What will be.
        to: Box<Recipe>,
    },
    /// It disappears.
    Withdrawn(Option<Box<Recipe>>),
    /// It stays as it is.
    Unchanged,
}

/// All recipes of the lane before and after, by path.
pub type Changes = BTreeMap<RecipePath, Change>;

/// The lane as it is published now, as the reader verified it.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// The targets role, which names the lane's keys.
    pub targets: &'a Verified<Targets>,
    /// The lane's metadata.
    pub lane: &'a Verified<Targets>,
    /// The other lane, where it verifies: its slugs are taken.
    pub other: Option<&'a Targets>,
    /// The recipes of the lane; why not, where one cannot be read.
    pub recipes: &'a BTreeMap<RecipePath, Result<Recipe, UnknownRecipe>>,
    /// The gates, where they verify.
    pub gates: &'a BTreeMap<RecipePath, Gate>,
}

/// Why a live recipe is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownRecipe {
    /// Its file is not here, or is not what was signed.
    #[error(transparent)]
    Metadata(#[from] TrustError),
    /// The lane lists it in such a way that nobody can fetch it.
    #[error("no usable SHA-256 or length is signed for it")]
    Unfetchable,
    /// Its file could not be fetched; with the reason.
    #[error("{0}")]
    NotFetched(String),
    /// Its bytes are no recipe that is known here.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Why a recipe of a proposal cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitRecipe {
    /// Its bytes are missing.
    #[error(
        "the metadata changes it, and its bytes are not in the proposal, so nobody can know what it does"
    )]
    NoBytes,
    /// Its bytes are there for nothing.
    #[error("its bytes are in the proposal, and the metadata does not list it")]
    NotListed,
    /// Its bytes are others than the metadata lists.
    #[error("its bytes are not those that would be signed ({})", .0.sentence)]
    OtherBytes(TrustError),
    /// Its bytes are no recipe that is known here.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It changes without a later revision.
    #[error("revision {published} is published with other content, and this has {proposed}")]
    NoNewRevision {
        /// The revision that is published.
        published: u64,
        /// The one that is proposed.
        proposed: u64,
    },
}

/// A proposal that could be published on what is live, and what that would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The lane.
    pub lane: Lane,
    /// The live version.
    pub from: u64,
    /// The version it would have.
    pub version: u64,
    /// Until when it would be valid.
    pub expires: Timestamp,
    /// Each recipe before and after.
    pub changes: Changes,
}

/// Why a proposal cannot be published on what is live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The lane has moved on.
    #[error("it is version {version} of the {lane} lane, and version {live} is published already")]
    Overtaken {
        /// The lane.
        lane: Lane,
        /// Its version.
        version: u64,
        /// What is published.
        live: u64,
    },
    /// The metadata is refused.
    #[error("{0}")]
    Metadata(#[from] TrustError),
    /// A recipe's bytes are not what would be signed, or no recipe.
    #[error("{path}: {why}")]
    Recipe {
        /// The recipe.
        path: RecipePath,
        /// What is wrong.
        why: Box<UnfitRecipe>,
    },
}

impl Unfit {
    fn recipe(path: &RecipePath, why: UnfitRecipe) -> Self {
        Self::Recipe { path: path.clone(), why: Box::new(why) }
    }
}

/// What the proposal would change. Signatures are not looked at.
///
/// # Errors
/// [`Unfit`].
pub fn examine(
    proposal: &Proposal,
    live: Live<'_>,
    now: Timestamp,
    limits: &Limits,
) -> Result<Examined, Unfit> {
    let (lane, body) = (proposal.lane(), proposal.body());
    if body.version <= live.lane.version {
        return Err(Unfit::Overtaken { lane, version: body.version, live: live.lane.version });
    }
    let other: Vec<&Targets> = live.other.into_iter().collect();
    let published = Published { targets: live.targets, current: Some(live.lane), other_lanes: &other };
    let withdraw: Vec<_> = proposal.withdraw().iter().cloned().collect();
    let difference = write::compare_lane(published, lane, body, &withdraw, now, limits)?;
    let mut read = BTreeMap::new();
    for (path, bytes) in proposal.recipes() {
        read.insert(path, recipe(path, bytes, body, limits)?);
    }
    let mut of =
        |path: &RecipePath| read.remove(path).ok_or_else(|| Unfit::recipe(path, UnfitRecipe::NoBytes));
    let held =
        |path: &RecipePath| live.recipes.get(path).and_then(|held| held.as_ref().ok()).cloned().map(Box::new);
    let mut changes = Changes::new();
    for path in difference.added {
        let recipe = of(&path)?;
        changes.insert(path, Change::New(Box::new(recipe)));
    }
    for path in difference.changed {
        let (from, to) = (held(&path), Box::new(of(&path)?));
        if let Some(from) = from.as_ref().filter(|from| to.revision <= from.revision) {
            let (published, proposed) = (from.revision, to.revision);
            return Err(Unfit::recipe(&path, UnfitRecipe::NoNewRevision { published, proposed }));
        }
        changes.insert(path, Change::Changed { from, to });
    }
    for path in difference.withdrawn {
        let recipe = held(&path);
        changes.insert(path, Change::Withdrawn(recipe));
    }
    changes.extend(difference.unchanged.into_iter().map(|path| (path, Change::Unchanged)));
    Ok(Examined { lane, from: live.lane.version, version: body.version, expires: body.expires, changes })
}

/// The recipe of these bytes, which must be those that the metadata lists.
fn recipe(path: &RecipePath, bytes: &[u8], body: &Targets, limits: &Limits) -> Result<Recipe, Unfit> {
    let refuse = |why| Unfit::recipe(path, why);
    let name = path.to_string();
    let Some(file) = body.targets.get(&name) else {
        return Err(refuse(UnfitRecipe::NotListed));
    };
    trusted::check_content(&name, bytes, Some(file.length), Some(&file.hashes))
        .map_err(|error| refuse(UnfitRecipe::OtherBytes(error)))?;
    published::read(path, bytes, limits).map_err(|unreadable| refuse(unreadable.into()))
}

impl Examined {
    /// What would be published, to whom, until when: what people read before they sign.
    #[must_use]
    pub fn describe(&self, live: Live<'_>, now: Timestamp) -> String {
        let mut text = format!(
            "Lane {}, version {} to {}; signed until {}.\n",
            self.lane,
            self.from,
            self.version,
            words::moment(self.expires, now)
        );
        for (path, change) in &self.changes {
            text.push_str(&line(path, change, live));
        }
        for (path, change) in &self.changes {
            let block = match change {
                Change::New(recipe) => words::describe(recipe, now),
                Change::Changed { from: None, to } => words::describe(to, now),
                Change::Changed { from: Some(from), to } => {
                    compare(&words::describe(from, now), &words::describe(to, now))
                }
                Change::Withdrawn(recipe) => {
                    format!("withdrawn  {path}\nthen       {}\n", after_withdrawal(recipe.as_deref()))
                }
                Change::Unchanged => continue,
            };
            text.push('\n');
            text.push_str(&block);
        }
        text
    }
}

fn line(path: &RecipePath, change: &Change, live: Live<'_>) -> String {
    match change {
        Change::New(recipe) => format!("  new        {path} revision {}\n", recipe.revision),
        Change::Changed { from, to } => {
            let from = from.as_ref().map_or("?".to_owned(), |from| from.revision.to_string());
            format!("  changed    {path} revision {from} to {}{}\n", to.revision, gate_lost(live, path))
        }
        Change::Withdrawn(_) => format!("  withdrawn  {path}\n"),
        Change::Unchanged => format!("  unchanged  {path}\n"),
    }
}

/// What becomes of a recipe's effects in agents that took it.
fn after_withdrawal(recipe: Option<&Recipe>) -> &'static str {
    match recipe.map(|recipe| (recipe.action.does().leaves(), recipe.on_end)) {
        None => "its content cannot be read here: agents do what its on_end says",
        Some((Leaves::Nothing { then }, _)) => then,
        Some((Leaves::Effects, OnEnd::Keep)) => "what it did stays in agents that took it",
        Some((Leaves::Effects, OnEnd::Revert)) => {
            "agents that took it undo it, unless that breaks an add-on that works"
        }
    }
}

/// A gate speaks for one revision: say so when the live one had opened.
fn gate_lost(live: Live<'_>, path: &RecipePath) -> &'static str {
    match live.gates.get(path).map(|gate| gate.state) {
        Some(GateState::Open) => ", whose gate is open; the new revision starts closed",
        Some(GateState::Paused | GateState::Ended) | None => "",
    }
}

/// The new text in full, with the lines of the old one that are gone: `-` was, `+` is now.
fn compare(old: &str, new: &str) -> String {
    let old: Vec<&str> = old.lines().collect();
    let (mut text, mut added, mut next) = (String::new(), String::new(), 0);
    for line in new.lines() {
        // The next place in the old text where this very line stands; what lies before it is gone.
        let place = old.iter().skip(next).position(|before| *before == line);
        let Some(skipped) = place else {
            added.push_str(&format!("+ {line}\n"));
            continue;
        };
        old.iter().skip(next).take(skipped).for_each(|gone| text.push_str(&format!("- {gone}\n")));
        text.push_str(&added);
        text.push_str(&format!("  {line}\n"));
        added.clear();
        next = next.saturating_add(skipped).saturating_add(1);
    }
    old.iter().skip(next).for_each(|gone| text.push_str(&format!("- {gone}\n")));
    text + &added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_shows_what_was_and_what_is() {
        let text = compare("a\nb 1\nc\n", "a\nb 2\nc\nd\n");
        assert_eq!(text, "  a\n- b 1\n+ b 2\n  c\n+ d\n");
        assert_eq!(compare("a\nb\n", "a\n"), "  a\n- b\n");
        assert_eq!(compare("", "x\n"), "+ x\n");
        assert_eq!(compare("x\n", "y\n"), "- x\n+ y\n");
        assert_eq!(compare("same\n", "same\n"), "  same\n");
    }
}
