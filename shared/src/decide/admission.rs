//! May a client newly take a recipe? The first reason why not is its status.

use super::gating::{Refusal, refuse};
use super::{Consent, Input, Reason, RecipeEntry};
use crate::recipe::{ConsentKind, Recipe};
use crate::sampling::in_sample;
use crate::status::Status;

/// Tests in the order of [`Status`]; the first that fails decides.
pub(super) fn admit(input: &Input<'_>, entry: &RecipeEntry, recipe: &Recipe) -> Result<(), Refusal> {
    if let Some(starts) = recipe.starts
        && input.now < starts
    {
        return refuse(Status::NotStarted, Reason::Starts(starts));
    }
    if recipe.expires <= input.now {
        return refuse(Status::Expired, Reason::Expired(recipe.expires));
    }
    // Before consent: whoever it is not for has nothing to consent to.
    if let Some(mismatch) = recipe.targeting.first_mismatch(input.facts) {
        return refuse(Status::NotTargeted, Reason::NotTargeted(mismatch));
    }
    consent(input.consent, recipe.consent)?;
    if !entry.lane_current {
        return refuse(Status::LaneExpired, Reason::LaneExpired(recipe.lane));
    }
    let share = input.edition.gating().share(recipe, input.now)?;
    if !in_sample(&recipe.rollout.namespace, &input.facts.client_id, share) {
        return refuse(Status::NotSampled, Reason::NotSampled(share));
    }
    Ok(())
}

fn consent(consent: &Consent, kind: ConsentKind) -> Result<(), Refusal> {
    let given = match kind {
        ConsentKind::Hotfix | ConsentKind::Security => consent.updates,
        ConsentKind::Message => consent.messages,
        ConsentKind::Study => consent.studies,
    };
    if given { Ok(()) } else { refuse(Status::ConsentWithheld, Reason::SwitchedOff(kind)) }
}
