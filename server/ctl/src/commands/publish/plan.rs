//! What a publish changes, as a value; and that value in words. Pure: what is live and what is wished comes in.

use super::base::Base;
use crate::{
    failure::{Failure, FailureKind, Kind},
    output,
};
use jiff::Timestamp;
use mulberry_shared::{
    gates::GateState,
    operators::ProblemKind,
    recipe::{Action, Lane, OnEnd, Recipe, RecipePath, Slug, published, words},
};
use std::{collections::BTreeMap, path::PathBuf};

/// What happens to one recipe of the lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
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
        let fault = |kind: Kind, what: String| Err(Failure::no(kind, format!("{}: {what}", file.display())));
        let (path, slug, revision) = (recipe.path(), recipe.slug.as_str(), recipe.revision);
        if recipe.expires <= now {
            let expired = output::instant(recipe.expires);
            return fault(
                FailureKind::RecipeExpired.into(),
                format!("expires: it expired at {expired}; give a later date."),
            );
        }
        let elsewhere = |other: &Lane| {
            let path = format!("{other}/{slug}.json");
            *other != lane && base.other.as_ref().is_some_and(|metadata| metadata.targets.contains_key(&path))
        };
        if let Some(other) = Lane::ALL.into_iter().find(elsewhere) {
            let remedy =
                format!("choose another slug, or first: mulberryctl publish --withdraw {slug} --key FILE …");
            return fault(
                ProblemKind::SlugTaken.into(),
                format!("slug: {slug:?} is published in the {other} lane; {remedy}"),
            );
        }
        let change = match base.recipes.get(&path) {
            None => Change::New(Box::new(recipe.clone())),
            Some(Ok(live)) if published::write(live) == published::write(recipe) => Change::Unchanged,
            Some(Ok(live)) if revision <= live.revision => {
                let (live, next) = (live.revision, live.revision.saturating_add(1));
                return fault(
                    FailureKind::RevisionNotRaised.into(),
                    format!(
                        "revision: it says {revision}, and revision {live} is published with other content. Set revision = \
                         {next}: a gate speaks for one revision, and a changed one must start closed."
                    ),
                );
            }
            Some(live) => Change::Changed { from: boxed(live), to: Box::new(recipe.clone()) },
        };
        plan.insert(path, change);
    }
    for slug in withdraw {
        let path = RecipePath { lane, slug: slug.clone() };
        if wishes.iter().any(|(_, recipe)| recipe.slug == *slug) {
            let sentence = format!("`{slug}` is both published and withdrawn: leave out one of the two.");
            return Err(Failure::usage(ProblemKind::WithdrawMismatch, sentence));
        }
        let Some(live) = base.recipes.get(&path) else {
            return Err(Failure::no(
                ProblemKind::UnknownRecipe,
                format!("--withdraw {slug}: {path} is not published."),
            ));
        };
        plan.insert(path, Change::Withdrawn(boxed(live)));
    }
    if !renew && plan.values().all(|change| *change == Change::Unchanged) {
        return Err(Failure::no(
            FailureKind::NothingChanges,
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
                format!("withdrawn  {path}\nthen       {}\n", after_withdrawal(recipe.as_deref()))
            }
            Change::Unchanged => continue,
        };
        text.push('\n');
        text.push_str(&block);
    }
    text
}

fn boxed(live: &Result<Recipe, String>) -> Option<Box<Recipe>> {
    live.as_ref().ok().cloned().map(Box::new)
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
    use mulberry_shared::{
        gates::Gate,
        limits::Limits,
        recipe::source,
        sampling::BasisPoints,
        trust::{
            Ed25519Signer, Signer, Targets, Verified, verify,
            write::{self, Holders, LaneDraft, LaneHolders, RootHolders},
        },
    };

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn recipe(slug: &str, revision: u64, name: &str) -> Recipe {
        let toml = format!(
            "slug = {slug:?}\nrevision = {revision}\nname = {name:?}\nlane = \"emergency\"\nconsent = \"hotfix\"\n\
             action = \"reverify-addons\"\nexpires = 2027-01-01T00:00:00Z\n[arguments]\naddons = \"all\"\n\
             [rollout]\nmax_percent = 100\n"
        );
        source::read("recipe.toml", &toml, &mut |_| Err(String::new()), &Limits::default()).unwrap()
    }

    fn wish(recipe: Recipe) -> Vec<(PathBuf, Recipe)> {
        vec![(PathBuf::from("r/recipe.toml"), recipe)]
    }

    /// The emergency lane at version 2 with these recipes, and `elsewhere` in the routine lane.
    fn base(recipes: &[Recipe], elsewhere: &[&str]) -> Base {
        let limits = Limits::default();
        let signer = Ed25519Signer::from_seed(&[7; 32]).unwrap();
        let (one, by) = (Holders::one(signer.key()), [&signer as &dyn Signer]);
        let top = [&one; 4].map(Clone::clone);
        let [root, targets, snapshot, timestamp] = top;
        let expires = Timestamp::MAX;
        let root = write::root(1, expires, &RootHolders { root, targets, snapshot, timestamp });
        let root = verify::pinned_root(&write::sign(&root, &by).unwrap(), &limits).unwrap();
        let holders = LaneHolders { emergency: one.clone(), routine: one.clone(), gates: one };
        let targets = write::sign(&write::targets(1, expires, &holders), &by).unwrap();
        let targets: Verified<Targets> = verify::top_level(&root, &targets, &limits).unwrap();
        let lane = |lane: Lane, paths: Vec<(RecipePath, Vec<u8>)>| {
            let first = LaneDraft::new(lane, None).build(now()).unwrap();
            let mut draft = LaneDraft::new(lane, Some(&first));
            paths.iter().for_each(|(path, bytes)| draft.add(path, bytes).unwrap());
            let bytes = write::sign(&draft.build(now()).unwrap(), &by).unwrap();
            verify::delegated(&targets, "targets", lane.as_str(), &bytes, &limits).unwrap()
        };
        let own = recipes.iter().map(|recipe| (recipe.path(), published::write(recipe))).collect();
        let foreign =
            elsewhere.iter().map(|slug| (format!("routine/{slug}.json").parse().unwrap(), b"{}".to_vec()));
        let (own, foreign) = (lane(Lane::Emergency, own), lane(Lane::Routine, foreign.collect()));
        Base {
            lane: own,
            other: Some(foreign),
            recipes: recipes.iter().map(|recipe| (recipe.path(), Ok(recipe.clone()))).collect(),
            gates: BTreeMap::new(),
            targets,
        }
    }

    fn kind(result: Result<Plan, Failure>) -> &'static str {
        result.err().map_or("planned", |failure| failure.kind.as_str())
    }

    #[test]
    fn new_changed_withdrawn_and_unchanged_are_told_apart_and_named() {
        let mut base = base(&[recipe("a", 1, "A"), recipe("b", 1, "B"), recipe("c", 1, "C")], &[]);
        let gate = Gate {
            revision: 1,
            state: GateState::Open,
            percent: BasisPoints::new(500).unwrap(),
            reason: "r".into(),
            since: now(),
        };
        base.gates.insert(recipe("a", 1, "A").path(), gate);
        let mut wishes = wish(recipe("a", 2, "A2"));
        wishes.extend(wish(recipe("d", 1, "D")));
        let plan = make(Lane::Emergency, &base, &wishes, &["b".parse().unwrap()], false, now()).unwrap();
        let text = describe(Lane::Emergency, &base, &plan, "2027-02-20T12:00:00Z".parse().unwrap(), now());
        for line in [
            "Lane emergency, version 2 to 3; signed until 2027-02-20 12:00:00Z (in 90 days).",
            "changed    emergency/a.json revision 1 to 2, whose gate is open; the new revision starts closed",
            "withdrawn  emergency/b.json",
            "unchanged  emergency/c.json",
            "new        emergency/d.json revision 1",
            "- name       A",
            "+ name       A2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_must_not_be_published_is_refused() {
        let base = base(&[recipe("a", 3, "A")], &["taken"]);
        let make = |wishes: &[(PathBuf, Recipe)], withdraw: &[&str], renew, at: &str| {
            let withdraw: Vec<Slug> = withdraw.iter().map(|slug| slug.parse().unwrap()).collect();
            kind(super::make(Lane::Emergency, &base, wishes, &withdraw, renew, at.parse().unwrap()))
        };
        let today = "2026-11-22T12:00:00Z";
        for revision in [1, 2, 3] {
            let changed = wish(recipe("a", revision, "other"));
            assert_eq!(make(&changed, &[], false, today), "revision-not-raised", "{revision}");
        }
        assert_eq!(make(&wish(recipe("a", 4, "other")), &[], false, today), "planned");
        assert_eq!(make(&wish(recipe("a", 3, "A")), &[], false, today), "nothing-changes");
        assert_eq!(make(&wish(recipe("taken", 1, "T")), &[], false, today), "slug-taken");
        assert_eq!(make(&wish(recipe("n", 1, "N")), &[], false, "2027-01-01T00:00:00Z"), "recipe-expired");
        assert_eq!(make(&wish(recipe("a", 4, "A")), &["a"], false, today), "withdraw-mismatch");
        assert_eq!(make(&[], &["gone"], false, today), "unknown-recipe");
        assert_eq!(make(&[], &["a"], false, today), "planned");
        assert_eq!(make(&[], &[], false, today), "nothing-changes");
        assert_eq!(make(&[], &[], true, today), "planned");
    }

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
