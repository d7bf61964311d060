//! The decision about one path.
//!
//! An enrolment ends for three reasons only: a lane with verified content no longer holds the recipe; a valid gate has
//! ended its revision; its `expires` has passed and the edition that says so is itself unexpired. Whatever else is
//! true (targeting changed, gates expired, newer bytes unreadable, consent withdrawn), what is applied stays.

use super::admission::admit;
use super::gating::Refusal;
use super::{Decision, Freshness, Input, Reason, RecipeEntry, Stays, Step};
use crate::enrolment::{Enrolment, EnrolmentState};
use crate::recipe::{OnEnd, Recipe, RecipePath, published};
use crate::status::Status;

pub(super) fn decide(
    input: &Input<'_>,
    path: &RecipePath,
    entry: Option<&RecipeEntry>,
    enrolment: Option<&Enrolment>,
) -> Decision {
    let Some(entry) = entry else { return absent(input, path, enrolment) };
    let recipe = match published::read(path, &entry.bytes, input.limits) {
        Ok(recipe) => recipe,
        Err(unreadable) => {
            // A file that did not arrive undoes nothing. One that this agent is too old for keeps no end from it.
            return enrolment
                .filter(|enrolment| is_active(enrolment) && unreadable.status != Status::Unreadable)
                .and_then(|enrolment| end_by_gate(input, enrolment))
                .unwrap_or_else(|| {
                    let reason = Reason::Unreadable(Box::new(unreadable.reason));
                    nothing(path, None, unreadable.status, reason, stays(enrolment))
                });
        }
    };
    let revision = Some(recipe.revision);
    match enrolment {
        Some(enrolment) if recipe.revision < enrolment.revision => older(input, &recipe, enrolment),
        Some(enrolment) if is_active(enrolment) && recipe.revision == enrolment.revision => {
            end_of(input, Some((entry, &recipe)), enrolment).unwrap_or_else(|| unchanged(enrolment))
        }
        _ => match (admit(input, entry, &recipe), enrolment) {
            (Ok(()), None) => Decision {
                path: path.clone(),
                revision,
                status: Status::Applied,
                reason: Reason::Taken,
                stays: Stays::Unsaid,
                step: Step::Enrol(Box::new(recipe)),
            },
            (Ok(()), Some(from)) => Decision {
                path: path.clone(),
                revision,
                status: Status::Applied,
                reason: Reason::InPlaceOf(from.revision),
                stays: Stays::Unsaid,
                step: Step::Move { from: Box::new(from.clone()), to: Box::new(recipe) },
            },
            (Err(Refusal { status, reason }), enrolment) => enrolment
                .filter(|enrolment| is_active(enrolment))
                .and_then(|enrolment| end_of(input, Some((entry, &recipe)), enrolment))
                .unwrap_or_else(|| nothing(path, revision, status, reason, stays(enrolment))),
        },
    }
}

/// The edition does not hold the path.
fn absent(input: &Input<'_>, path: &RecipePath, enrolment: Option<&Enrolment>) -> Decision {
    let Some(enrolment) = enrolment else {
        // Every path comes from the edition or from an enrolment.
        return nothing(path, None, Status::Unchanged, Reason::Absent, Stays::Unsaid);
    };
    let revision = Some(enrolment.revision);
    if !is_active(enrolment) {
        return nothing(path, revision, Status::WithdrawnKept, Reason::Over, Stays::Work);
    }
    if !input.edition.lanes_known.contains(&path.lane) {
        return nothing(path, revision, Status::Unchanged, Reason::LaneUnknown(path.lane), Stays::Unsaid);
    }
    end(enrolment, Status::WithdrawnKept, Reason::Withdrawn(path.lane))
}

/// The edition holds a revision older than what is applied: people published a lower number. Nothing goes back.
fn older(input: &Input<'_>, recipe: &Recipe, enrolment: &Enrolment) -> Decision {
    let status = if is_active(enrolment) { Status::Unchanged } else { Status::WithdrawnKept };
    let reason = Reason::OnlyOlder(recipe.revision);
    Some(enrolment)
        .filter(|enrolment| is_active(enrolment))
        .and_then(|enrolment| end_of(input, None, enrolment))
        .unwrap_or_else(|| nothing(&enrolment.path, Some(enrolment.revision), status, reason, Stays::Unsaid))
}

/// The end of an active enrolment whose recipe is still published, if a gate or a date says so.
///
/// `published` is what the edition holds, unless that is older than what is applied.
fn end_of(
    input: &Input<'_>,
    published: Option<(&RecipeEntry, &Recipe)>,
    enrolment: &Enrolment,
) -> Option<Decision> {
    if let Some((entry, recipe)) = published {
        // For the same revision the edition's date is the enrolment's. A newer revision, which this client could not
        // take, ends what it replaces at its own end; until then the date holds that was signed for what is applied.
        let expires = if recipe.revision == enrolment.revision {
            recipe.expires
        } else {
            recipe.expires.min(enrolment.recipe.expires)
        };
        if expires <= input.now && says_so(input, entry) {
            return Some(end(enrolment, Status::Expired, Reason::Expired(expires)));
        }
    }
    end_by_gate(input, enrolment)
}

/// The end of an active enrolment whose revision was ended, lately or before the revision that is published now.
fn end_by_gate(input: &Input<'_>, enrolment: &Enrolment) -> Option<Decision> {
    let gates = input.edition.gates.as_ref()?;
    let by = gates.end_of(&enrolment.path, enrolment.revision)?;
    let reason =
        if by.listed { Reason::EndedBefore(by.gate.revision) } else { Reason::Ended(by.gate.since()) };
    if enrolment.recipe.gate_end().is_none() {
        let revision = Some(enrolment.revision);
        return Some(nothing(&enrolment.path, revision, Status::Ended, reason, Stays::Distrust));
    }
    Some(end(enrolment, Status::Ended, reason))
}

/// Whether the edition is itself unexpired, and so may say that something has expired.
fn says_so(input: &Input<'_>, entry: &RecipeEntry) -> bool {
    entry.lane_current && input.edition.freshness == Freshness::Current
}

/// Ends an enrolment; `why` is the status where its effects stay.
fn end(enrolment: &Enrolment, why: Status, reason: Reason) -> Decision {
    let how = enrolment.recipe.end();
    let (status, stays) = match how {
        OnEnd::Keep => (why, Stays::Work),
        OnEnd::Revert => (Status::Reverted, Stays::Unsaid),
    };
    Decision {
        path: enrolment.path.clone(),
        revision: Some(enrolment.revision),
        status,
        reason,
        stays,
        step: Step::End { enrolment: Box::new(enrolment.clone()), how },
    }
}

fn nothing(
    path: &RecipePath,
    revision: Option<u64>,
    status: Status,
    reason: Reason,
    stays: Stays,
) -> Decision {
    Decision { path: path.clone(), revision, status, reason, stays, step: Step::None }
}

fn is_active(enrolment: &Enrolment) -> bool {
    enrolment.state == EnrolmentState::Active
}

fn unchanged(enrolment: &Enrolment) -> Decision {
    let reason = Reason::AppliedAt(enrolment.enrolled_at);
    nothing(&enrolment.path, Some(enrolment.revision), Status::Unchanged, reason, Stays::Unsaid)
}

fn stays(enrolment: Option<&Enrolment>) -> Stays {
    match enrolment {
        Some(Enrolment { revision, state: EnrolmentState::Active, .. }) => Stays::Applied(*revision),
        Some(Enrolment { revision, state: EnrolmentState::KeptAfterEnd, .. }) => Stays::WorkOf(*revision),
        None => Stays::Unsaid,
    }
}
