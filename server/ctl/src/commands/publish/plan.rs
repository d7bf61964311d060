//! What a publish changes, as a value; and that value in words. Pure: what is live and what is wished comes in.

use super::base::Base;
use crate::{failure::Failure, output};
use jiff::Timestamp;
use mulberry_shared::{
    gates::GateState,
    recipe::{Action, Lane, OnEnd, Recipe, RecipePath, Slug, published, words},
};
use std::{collections::BTreeMap, path::PathBuf};

/// What happens to one recipe of the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not there.
    New(Recipe),
    /// Its bytes change, and its revision rises.
    Changed {
        /// What is live; `None` where it cannot be read.
        from: Option<Recipe>,
        /// What will be.
        to: Recipe,
    },
    /// It disappears.
    Withdrawn(Option<Recipe>),
    /// It stays as it is.
    Unchanged,
}

/// All recipes of the lane before and after, by path.
pub(super) type Plan = BTreeMap<RecipePath, Change>;

/// Compares the wishes with the lane that is live.
///
/// # Errors
/// Anything that must not be published: another lane's slug, an expired recipe, a revision that does not rise, a slug to
/// withdraw that is not there, or nothing that changes.
pub(super) fn make(
    lane: Lane,
    base: &Base,
    wishes: &[(PathBuf, Recipe)],
    withdraw: &[Slug],
    renew: bool,
    now: Timestamp,
) -> Result<Plan, Failure> {
    let mut plan: Plan = base.recipes.keys().map(|path| (path.clone(), Change::Unchanged)).collect();
    for (file, recipe) in wishes {
        let fault = |kind, what: String| Err(Failure::no(kind, format!("{}: {what}", file.display())));
        let (path, slug, revision) = (recipe.path(), recipe.slug.as_str(), recipe.revision);
        if recipe.expires <= now {
            let expired = output::instant(recipe.expires);
            return fault("recipe-expired", format!("expires: it expired at {expired}; give a later date."));
        }
        let elsewhere = |other: &Lane| {
            let path = format!("{other}/{slug}.json");
            *other != lane && base.other.as_ref().is_some_and(|metadata| metadata.targets.contains_key(&path))
        };
        if let Some(other) = Lane::ALL.into_iter().find(elsewhere) {
            let remedy =
                format!("choose another slug, or first: mulberryctl publish --withdraw {slug} --key FILE …");
            return fault("slug-taken", format!("slug: {slug:?} is published in the {other} lane; {remedy}"));
        }
        let change = match base.recipes.get(&path) {
            None => Change::New(recipe.clone()),
            Some(Ok(live)) if published::write(live) == published::write(recipe) => Change::Unchanged,
            Some(Ok(live)) if revision <= live.revision => {
                let (live, next) = (live.revision, live.revision.saturating_add(1));
                return fault(
                    "revision-not-raised",
                    format!(
                        "revision: it says {revision}, and revision {live} is published with other content. Set revision = \
                         {next}: a gate speaks for one revision, and a changed one must start closed."
                    ),
                );
            }
            Some(live) => Change::Changed { from: live.as_ref().ok().cloned(), to: recipe.clone() },
        };
        plan.insert(path, change);
    }
    for slug in withdraw {
        let path = RecipePath { lane, slug: slug.clone() };
        if wishes.iter().any(|(_, recipe)| recipe.slug == *slug) {
            let sentence = format!("`{slug}` is both published and withdrawn: leave out one of the two.");
            return Err(Failure::usage("withdraw-mismatch", sentence));
        }
        let Some(live) = base.recipes.get(&path) else {
            return Err(Failure::no(
                "unknown-recipe",
                format!("--withdraw {slug}: {path} is not published."),
            ));
        };
        plan.insert(path, Change::Withdrawn(live.as_ref().ok().cloned()));
    }
    if !renew && plan.values().all(|change| *change == Change::Unchanged) {
        return Err(Failure::no(
            "nothing-changes",
            format!(
                "Nothing changes: what you name is published already, revision and content. To sign the lane anew before it \
                 expires: mulberryctl publish --renew {lane} --key FILE …"
            ),
        ));
    }
    Ok(plan)
}

/// What will be published, to whom, until when: what people read before they sign.
pub(super) fn describe(lane: Lane, base: &Base, plan: &Plan, expires: Timestamp, now: Timestamp) -> String {
    let version = base.lane.version;
    let mut text = format!(
        "Lane {lane}, version {version} to {}; signed until {} ({}).\n",
        version.saturating_add(1),
        output::instant(expires),
        output::distance(expires, now)
    );
    for (path, change) in plan {
        text.push_str(&match change {
            Change::New(recipe) => format!("  new        {path} revision {}\n", recipe.revision),
            Change::Changed { from, to } => {
                let from = from.as_ref().map_or("?".to_owned(), |from| from.revision.to_string());
                format!("  changed    {path} revision {from} to {}{}\n", to.revision, gate_lost(base, path))
            }
            Change::Withdrawn(_) => format!("  withdrawn  {path}\n"),
            Change::Unchanged => format!("  unchanged  {path}\n"),
        });
    }
    for (path, change) in plan {
        let block = match change {
            Change::New(recipe) => words::describe(recipe, now),
            Change::Changed { from: None, to } => words::describe(to, now),
            Change::Changed { from: Some(from), to } => {
                compare(&words::describe(from, now), &words::describe(to, now))
            }
            Change::Withdrawn(recipe) => {
                format!("withdrawn  {path}\nthen       {}\n", after_withdrawal(recipe.as_ref()))
            }
            Change::Unchanged => continue,
        };
        text.push('\n');
        text.push_str(&block);
    }
    text
}

/// What becomes of a recipe's effects in agents that took it.
fn after_withdrawal(recipe: Option<&Recipe>) -> &'static str {
    match recipe.map(|recipe| (&recipe.action, recipe.end())) {
        None => "its content cannot be read here: agents do what its on_end says",
        Some((Action::HoldVerification { .. }, _)) => "the periodic verification resumes",
        Some((Action::ReverifyAddons { .. }, _)) => "nothing is left to undo",
        Some((_, OnEnd::Keep)) => "what it did stays in agents that took it",
        Some((_, OnEnd::Revert)) => "agents that took it undo it, unless that breaks an add-on that works",
    }
}

/// A gate speaks for one revision: say so when the live one had opened.
fn gate_lost(base: &Base, path: &RecipePath) -> &'static str {
    match base.gates.get(path).map(|gate| gate.state) {
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
