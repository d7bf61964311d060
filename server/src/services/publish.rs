//! Publishing a lane: the next version of its metadata, signed by people, and the recipes it lists.

use jiff::Timestamp;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{ProblemKind, PublishRequest};
use mulberry_shared::recipe::{Lane, RecipePath, Slug};
use mulberry_shared::trust::{Targets, TrustError, TrustErrorKind, write};

use super::Refusal;
use crate::event::Event;
use crate::state::{LaneError, State};

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
        return Ok(None);
    }
    let mut withdraw = request
        .withdraw
        .iter()
        .map(|slug| slug.parse::<Slug>().map_err(|error| malformed(slug, &error)))
        .collect::<Result<Vec<_>, _>>()?;
    withdraw.sort();
    withdraw.dedup();
    let mut recipes = std::collections::BTreeMap::new();
    for (path, bytes) in &request.recipes {
        let parsed: RecipePath = path.parse().map_err(|error| malformed(path, &error))?;
        recipes.insert(parsed, bytes.clone());
    }
    let others: Vec<&Targets> =
        state.lanes.iter().filter(|(other, _)| **other != lane).map(|(_, other)| &*other.metadata).collect();
    let published = write::Published {
        targets: &state.targets,
        current: current.map(|current| &current.metadata),
        other_lanes: &others,
    };
    let change = write::verify_lane(published, lane, &request.metadata.0, &withdraw, now, limits)
        .map_err(|error| refused(state, lane, &withdraw, &error))?;
    let next = state.next_lane(lane, &request.metadata.0, &recipes, limits).map_err(|error| match error {
        LaneError::Metadata(error) => refused(state, lane, &withdraw, &error),
        LaneError::Recipe { .. } => Refusal::new(
            ProblemKind::RecipeRefused,
            error.to_string(),
            "send for each listed recipe the very bytes that the metadata was signed over",
        ),
    })?;
    for path in change.added.iter().chain(&change.changed) {
        check_revision(state, path, next.recipes.get(path).map_or(0, |published| published.recipe.revision))?;
    }
    // What is held already stays out of the event: the fold finds it where this request did.
    recipes.retain(|path, _| change.added.contains(path) || change.changed.contains(path));
    Ok(Some(Event::LanePublished { lane, metadata: request.metadata.clone(), recipes, withdrawn: withdraw }))
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
