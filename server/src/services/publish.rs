//! Publishing a lane: the next version of its metadata, signed by people, and the recipes it lists.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mulberry_shared::edition::write::{self, LaneDifference};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{Base64, ProblemKind, PublishRequest};
use mulberry_shared::proposal::Proposal;
use mulberry_shared::recipe::{Lane, RecipePath, Slug};
use mulberry_shared::tuf::{Targets, TrustError, TrustErrorKind};

use super::Refusal;
use crate::event::Event;
use crate::state::{Ends, State};

mod size;

/// The event that the request asks for; `None` when exactly this metadata is already published, so that a tool that lost
/// the answer may ask again.
///
/// # Errors
/// `malformed-request`, `trust-refused`, `not-newer`, `would-disappear`, `withdraw-mismatch`, `slug-taken`,
/// `recipe-refused`.
pub fn decide(
    state: &State,
    lane: Lane,
    request: &PublishRequest,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<Event>, Refusal> {
    let current = state.lanes.get(&lane);
    if current.is_some_and(|current| current.metadata.bytes().as_ref() == request.metadata.0.as_slice()) {
        check_published(state, lane, now)?;
        return Ok(None);
    }
    let mut withdraw = request
        .withdraw
        .iter()
        .map(|slug| slug.parse::<Slug>().map_err(|error| malformed(slug, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    withdraw.sort();
    withdraw.dedup();
    let mut recipes = BTreeMap::new();
    for (path, bytes) in &request.recipes {
        let parsed: RecipePath = path.parse().map_err(|error| malformed(path, &error))?;
        recipes.insert(parsed, bytes.clone());
    }
    let others = others(state, lane);
    let published = published(state, lane, &others);
    let change = write::verify_lane(published, lane, &request.metadata.0, &withdraw, now, limits)
        .map_err(|error| refused(state, lane, &withdraw, &error))?;
    check_recipes(state, lane, &change.metadata, &change.difference, &mut recipes, limits)?;
    size::check_rebuild(state, lane, &change.metadata, request.metadata.0.len(), limits)?;
    Ok(Some(Event::LanePublished { lane, metadata: request.metadata.clone(), recipes, withdrawn: withdraw }))
}

/// Makes sure that the proposal could be published as it stands if enough people had signed it. Gives the recipes that are
/// new or changed.
///
/// # Errors
/// As [`decide`], but for signatures.
pub fn examine(
    state: &State,
    proposal: &Proposal,
    now: Timestamp,
    limits: &Limits,
) -> Result<BTreeMap<RecipePath, Base64>, Refusal> {
    let lane = proposal.lane();
    let withdraw: Vec<Slug> = proposal.withdraw().iter().cloned().collect();
    let mut recipes: BTreeMap<RecipePath, Base64> =
        proposal.recipes().iter().map(|(path, bytes)| (path.clone(), Base64(bytes.clone()))).collect();
    let others = others(state, lane);
    let published = published(state, lane, &others);
    let difference = write::compare_lane(published, lane, proposal.body(), &withdraw, now, limits)
        .map_err(|error| refused(state, lane, &withdraw, &error))?;
    check_recipes(state, lane, proposal.body(), &difference, &mut recipes, limits)?;
    size::check_rebuild(state, lane, proposal.body(), proposal.metadata().len(), limits)?;
    Ok(recipes)
}

/// What is published already is what was asked for, unless clients take it no more.
///
/// # Errors
/// `trust-refused` when it has expired.
pub fn check_published(state: &State, lane: Lane, now: Timestamp) -> Result<(), Refusal> {
    let Some(content) = state.lanes.get(&lane) else { return Ok(()) };
    content.metadata.check_unexpired(lane.as_str(), now).map_err(|error| {
        let remedy = "sign the lane again: `mulberryctl publish --renew`";
        Refusal::new(ProblemKind::TrustRefused, format!("it was published, and {error}"), remedy)
    })
}

fn others(state: &State, lane: Lane) -> Vec<&Targets> {
    state.lanes.iter().filter(|(other, _)| **other != lane).map(|(_, other)| &*other.metadata).collect()
}

fn published<'a>(state: &'a State, lane: Lane, other_lanes: &'a [&'a Targets]) -> write::Published<'a> {
    let current = state.lanes.get(&lane).map(|current| &current.metadata);
    write::Published { targets: &state.targets, current, other_lanes }
}

/// Checks the recipes of a lane's next version, and leaves those in `recipes` that are new or changed: what is held already
/// stays out of events, since the fold finds it where this request did.
fn check_recipes(
    state: &State,
    lane: Lane,
    metadata: &Targets,
    difference: &LaneDifference,
    recipes: &mut BTreeMap<RecipePath, Base64>,
    limits: &Limits,
) -> Result<(), Refusal> {
    let next = state.next_recipes(lane, metadata, recipes, limits).map_err(|error| {
        let remedy = "send for each listed recipe the very bytes that the metadata was signed over";
        Refusal::new(ProblemKind::RecipeRefused, error.to_string(), remedy)
    })?;
    for path in difference.added.iter().chain(&difference.changed) {
        check_revision(state, path, next.get(path).map_or(0, |published| published.recipe.revision))?;
        check_ends(state, path, limits)?;
    }
    size::check_client(state, lane, &next, limits)?;
    recipes.retain(|path, _| difference.added.contains(path) || difference.changed.contains(path));
    Ok(())
}

/// A changed recipe must have a higher revision than any published before under its name: gates and enrolments speak of
/// revisions, so one revision must never mean two things.
fn check_revision(state: &State, path: &RecipePath, revision: u64) -> Result<(), Refusal> {
    match state.revisions.get(path) {
        Some(&highest) if revision <= highest => Err(Refusal::new(
            ProblemKind::NotNewer,
            format!("{path} has revision {revision}, and revision {highest} was published before"),
            format!("raise the recipe's revision to {} or more and sign again", highest.saturating_add(1)),
        )),
        _ => Ok(()),
    }
}

/// A gate lists the earlier revisions that were ended, so that clients that were away meet their end, and lists no more than
/// clients read.
fn check_ends(state: &State, path: &RecipePath, limits: &Limits) -> Result<(), Refusal> {
    let (ended, most) = (state.ends(path).map_or(0, Ends::count), limits.recipe.ended);
    if ended <= most {
        return Ok(());
    }
    let detail = format!(
        "{ended} earlier revisions of {path} were ended, and a gate lists at most {most} for clients that were away"
    );
    let remedy = format!("withdraw {}, and publish the fix under another slug", path.slug);
    Err(Refusal::new(ProblemKind::RecipeRefused, detail, remedy))
}

fn malformed(text: &str, error: &dyn std::fmt::Display) -> Refusal {
    let text: String = text.chars().take(80).collect();
    Refusal::new(ProblemKind::MalformedRequest, format!("{text:?}: {error}"), "correct the request")
}

fn refused(state: &State, lane: Lane, withdraw: &[Slug], error: &TrustError) -> Refusal {
    let slug = error.subject.parse::<RecipePath>().ok().map(|path| path.slug);
    let named = slug.as_ref().is_some_and(|slug| withdraw.contains(slug));
    let taken = slug.as_ref().is_some_and(|slug| {
        let elsewhere = |lane| state.recipe(&RecipePath { lane, slug: slug.clone() }).is_some();
        Lane::ALL.into_iter().any(|other| other != lane && elsewhere(other))
    });
    let (kind, remedy) = match error.kind {
        TrustErrorKind::WrongVersion => {
            (ProblemKind::NotNewer, "fetch what is published, make the change on top of it, and sign again")
        }
        TrustErrorKind::Undeclared if named => {
            (ProblemKind::WithdrawMismatch, "make the metadata and the withdrawals agree")
        }
        TrustErrorKind::Undeclared => {
            (ProblemKind::WouldDisappear, "name it as withdrawn, or sign metadata that keeps it")
        }
        TrustErrorKind::AgainstProfile if taken => (ProblemKind::SlugTaken, "choose another slug"),
        TrustErrorKind::Threshold => (ProblemKind::TrustRefused, "get the missing people's signatures"),
        _ => (ProblemKind::TrustRefused, "correct the metadata and sign it again"),
    };
    Refusal::new(kind, error.to_string(), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger;
    use crate::state;
    use crate::test_support::{Proposal, hours, initial_state, recipe, start};

    fn decide_at_start(state: &State, proposal: &Proposal) -> Result<Option<Event>, Refusal> {
        decide(state, proposal.lane, &proposal.request(), start(), &Limits::default())
    }

    fn after(state: &State, proposal: &Proposal) -> State {
        let event = decide_at_start(state, proposal).unwrap().unwrap();
        state::apply(Some(state), &event, ledger::EMPTY, &Limits::default()).unwrap()
    }

    fn published() -> State {
        let recipes = [("emergency/a.json", 1), ("emergency/b.json", 4)];
        after(&initial_state(), &Proposal::new(&initial_state(), Lane::Emergency, &recipes, &[]))
    }

    fn refusal(state: &State, proposal: &Proposal) -> (ProblemKind, String) {
        let refusal = decide_at_start(state, proposal).unwrap_err();
        assert!(!refusal.remedy.is_empty());
        (refusal.kind, refusal.detail)
    }

    #[test]
    fn a_signed_lane_is_published_and_the_same_again_changes_nothing() {
        let before = initial_state();
        let proposal = Proposal::new(&before, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
        let state = after(&before, &proposal);
        assert_eq!(state.recipes().count(), 1);
        assert_eq!(decide_at_start(&state, &proposal), Ok(None));
    }

    #[test]
    fn only_new_bytes_are_needed_and_only_they_are_recorded() {
        let state = published();
        let mut proposal = Proposal::new(&state, Lane::Emergency, &[("emergency/b.json", 5)], &[]);
        proposal.recipes.insert("emergency/a.json".to_owned(), Base64(recipe("emergency/a.json", 1)));
        match decide_at_start(&state, &proposal).unwrap().unwrap() {
            Event::LanePublished { recipes, .. } => {
                let paths: Vec<_> = recipes.keys().map(ToString::to_string).collect();
                assert_eq!(paths, ["emergency/b.json"]);
            }
            other => panic!("{other:?}"),
        }
        proposal.recipes.clear();
        proposal.recipes.insert("emergency/b.json".to_owned(), Base64(recipe("emergency/b.json", 5)));
        assert_eq!(after(&state, &proposal).recipes().count(), 2);
    }

    #[test]
    fn one_signature_or_twice_the_same_persons_is_below_the_threshold() {
        let state = initial_state();
        let mut proposal = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
        for keys in [vec![], vec![21], vec![31, 33], vec![21, 31], vec![1, 2]] {
            proposal.keys = keys;
            assert_eq!(refusal(&state, &proposal).0, ProblemKind::TrustRefused, "{:?}", proposal.keys);
        }
    }

    #[test]
    fn expired_older_and_skipped_versions_are_refused() {
        let state = published();
        let mut proposal = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 2)], &[]);
        for version in [1, 2, 4] {
            proposal.body.version = version;
            assert_eq!(refusal(&state, &proposal).0, ProblemKind::NotNewer, "{version}");
        }
        proposal.body.version = 3;
        proposal.body.expires = start() - hours(1);
        let (kind, detail) = refusal(&state, &proposal);
        assert_eq!(kind, ProblemKind::TrustRefused);
        assert!(detail.contains("expired"), "{detail}");
    }

    #[test]
    fn recipe_bytes_must_be_there_and_be_those_that_were_signed() {
        let state = initial_state();
        let mut proposal = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
        let good = proposal.recipes.clone();
        proposal.recipes.clear();
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::RecipeRefused);
        for wrong in [b"{}".to_vec(), vec![], recipe("emergency/a.json", 2), recipe("emergency/b.json", 1)] {
            proposal.recipes.insert("emergency/a.json".to_owned(), Base64(wrong));
            assert_eq!(refusal(&state, &proposal).0, ProblemKind::RecipeRefused);
        }
        proposal.recipes = good;
        proposal.recipes.insert("emergency/stray.json".to_owned(), Base64(vec![]));
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::RecipeRefused);
        proposal.recipes.insert("elsewhere/a.json".to_owned(), Base64(vec![]));
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::MalformedRequest);
    }

    #[test]
    fn signed_bytes_that_are_no_recipe_or_another_ones_are_refused() {
        let state = initial_state();
        for wrong in [b"{}".to_vec(), recipe("emergency/other.json", 1), recipe("routine/a.json", 1)] {
            let mut proposal = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
            proposal.body.targets.insert("emergency/a.json".to_owned(), write::target_file(&wrong));
            proposal.recipes.insert("emergency/a.json".to_owned(), Base64(wrong));
            assert_eq!(refusal(&state, &proposal).0, ProblemKind::RecipeRefused);
        }
    }

    #[test]
    fn a_recipe_never_disappears_unless_it_is_withdrawn_by_name() {
        let state = published();
        let mut proposal = Proposal::new(&state, Lane::Emergency, &[], &["a"]);
        proposal.withdraw.clear();
        let (kind, detail) = refusal(&state, &proposal);
        assert_eq!(kind, ProblemKind::WouldDisappear);
        assert!(detail.contains("emergency/a.json"), "{detail}");
        proposal.withdraw = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::WithdrawMismatch);
        proposal.withdraw = vec!["a".to_owned(), "never-there".to_owned()];
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::WithdrawMismatch);
        proposal.withdraw = vec!["a".to_owned()];
        assert_eq!(after(&state, &proposal).recipes().count(), 1);
    }

    #[test]
    fn revisions_rise_even_across_a_withdrawal() {
        let state = published();
        let mut changed = Proposal::new(&state, Lane::Emergency, &[("emergency/b.json", 3)], &[]);
        assert_eq!(refusal(&state, &changed).0, ProblemKind::NotNewer);
        changed = Proposal::new(&state, Lane::Emergency, &[], &["b"]);
        let without = after(&state, &changed);
        let again =
            |revision| Proposal::new(&without, Lane::Emergency, &[("emergency/b.json", revision)], &[]);
        assert_eq!(refusal(&without, &again(4)).0, ProblemKind::NotNewer);
        assert_eq!(after(&without, &again(5)).recipes().count(), 2);
    }

    #[test]
    fn a_slug_belongs_to_one_lane() {
        let state = published();
        let proposal = Proposal::new(&state, Lane::Routine, &[("routine/a.json", 1)], &[]);
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::SlugTaken);
    }

    #[test]
    fn a_lane_lists_its_own_recipes_only() {
        let state = initial_state();
        let mut proposal = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
        for foreign in ["routine/x.json", "gates.json", "emergency/deep/x.json", "emergency/X.json"] {
            let mut foreigner = Proposal::new(&state, Lane::Emergency, &[("emergency/a.json", 1)], &[]);
            foreigner.body.targets.insert(foreign.to_owned(), write::target_file(b"{}"));
            assert_eq!(refusal(&state, &foreigner).0, ProblemKind::TrustRefused, "{foreign}");
        }
        proposal.lane = Lane::Routine;
        assert_eq!(refusal(&state, &proposal).0, ProblemKind::TrustRefused);
    }
}
