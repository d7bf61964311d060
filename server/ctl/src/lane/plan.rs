//! What is wished, as a value. Pure: what is live and what is wished comes in. What people read before they sign is not this
//! but what [`mulberry_shared::proposal::examine`] makes of the bytes to be signed.

use super::base::Base;
use crate::{
    failure::{Failure, FailureKind, Kind},
    output,
};
use jiff::Timestamp;
use mulberry_shared::{
    operators::ProblemKind,
    proposal::{Change, Changes, UnknownRecipe},
    recipe::{Lane, Recipe, RecipePath, Slug, published},
};
use std::path::PathBuf;

/// Compares the wishes with the lane that is live.
///
/// # Errors
/// Anything that must not be published: another lane's slug, an expired recipe, a revision that does not rise, a slug to
/// withdraw that is not there, or nothing that changes.
pub fn make(
    lane: Lane,
    base: &Base,
    wishes: &[(PathBuf, Recipe)],
    withdraw: &[Slug],
    renew: bool,
    now: Timestamp,
) -> Result<Changes, Failure> {
    let mut plan: Changes = base.recipes.keys().map(|path| (path.clone(), Change::Unchanged)).collect();
    for (file, recipe) in wishes {
        let fault = |kind: Kind, what: String| Err(Failure::no(kind, format!("{}: {what}", file.display())));
        let (path, slug, revision) = (recipe.path(), recipe.slug.as_str(), recipe.revision);
        if recipe.expires <= now {
            let expired = output::instant(recipe.expires);
            return fault(
                FailureKind::RecipeExpired.into(),
                format!(
                    "expires: it expired at {expired}, and this machine's clock reads {}; give a later date.",
                    output::instant(now)
                ),
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
                "Nothing changes: what you name is published already, revision and content. To sign the lane again before it \
                 expires: mulberryctl publish --renew {lane} --key FILE …"
            ),
        ));
    }
    Ok(plan)
}

fn boxed(live: &Result<Recipe, UnknownRecipe>) -> Option<Box<Recipe>> {
    live.as_ref().ok().cloned().map(Box::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{
        edition::write::{self, Holders, LaneDraft, LaneHolders, RootHolders},
        gates::{Gate, GateState},
        limits::Limits,
        recipe::source,
        sampling::BasisPoints,
        tuf::{Ed25519Signer, Signer, Targets, Verified, verify},
    };
    use std::collections::BTreeMap;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn recipe(slug: &str, revision: u64, name: &str) -> Recipe {
        let toml = format!(
            "slug = {slug:?}\nrevision = {revision}\nname = {name:?}\nlane = \"emergency\"\nconsent = \"hotfix\"\n\
             action = \"reverify-addons\"\nexpires = 2027-01-01T00:00:00Z\n[arguments]\naddons = \"all\"\n\
             [rollout]\nmax_percent = 100\n"
        );
        source::read(
            "recipe.toml",
            &toml,
            &mut |_| Err(std::io::ErrorKind::NotFound.into()),
            &Limits::default(),
        )
        .unwrap()
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

    fn kind(result: Result<Changes, Failure>) -> &'static str {
        result.err().map_or("planned", |failure| failure.kind.as_str())
    }

    #[test]
    fn new_changed_withdrawn_and_unchanged_are_told_apart_and_named() {
        let mut base = base(&[recipe("a", 1, "A"), recipe("b", 1, "B"), recipe("c", 1, "C")], &[]);
        let gate = Gate::new(1, GateState::Open, BasisPoints::new(500).unwrap(), now());
        base.gates.insert(recipe("a", 1, "A").path(), gate);
        let mut wishes = wish(recipe("a", 2, "A2"));
        wishes.extend(wish(recipe("d", 1, "D")));
        let withdraw = ["b".parse().unwrap()];
        let plan = make(Lane::Emergency, &base, &wishes, &withdraw, false, now()).unwrap();
        let limits = Limits::default();
        let proposal =
            crate::lane::draft::make(Lane::Emergency, &base, &plan, &withdraw, now(), &limits).unwrap();
        let examined = mulberry_shared::proposal::examine(&proposal, base.live(), now(), &limits).unwrap();
        assert_eq!(examined.changes, plan, "what is signed is what was wished");
        let text = examined.describe(base.live(), now());
        for line in [
            "Lane emergency, version 2 to 3; signed until 2027-02-20T12:00:00Z (in 90 days).",
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
}
