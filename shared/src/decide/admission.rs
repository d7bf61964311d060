//! May a client newly take a recipe? The first reason why not is its status.

use super::gating::{Refusal, refuse};
use super::{Consent, Input, RecipeEntry};
use crate::recipe::{ConsentKind, Recipe};
use crate::sampling::in_sample;
use crate::status::Status;

/// Tests in the order of [`Status`]; the first that fails decides.
pub(super) fn admit(input: &Input<'_>, entry: &RecipeEntry, recipe: &Recipe) -> Result<(), Refusal> {
    if let Some(starts) = recipe.starts
        && input.now < starts
    {
        return refuse(Status::NotStarted, format!("it starts at {starts}"));
    }
    if recipe.expires <= input.now {
        return refuse(Status::Expired, format!("it expired at {}", recipe.expires));
    }
    // Before consent: whoever it is not for has nothing to consent to.
    if let Some(mismatch) = recipe.targeting.first_mismatch(input.facts) {
        return refuse(Status::NotTargeted, mismatch.to_string());
    }
    consent(input.consent, recipe.consent)?;
    if !entry.lane_current {
        let lane = recipe.lane;
        return refuse(Status::LaneExpired, format!("the signatures of the {lane} lane have expired"));
    }
    let share = input.edition.gating().share(recipe, input.now)?;
    if !in_sample(&recipe.rollout.namespace, &input.facts.client_id, share) {
        return refuse(
            Status::NotSampled,
            format!("it is open for {share}, this client is not among them yet"),
        );
    }
    Ok(())
}

fn consent(consent: &Consent, kind: ConsentKind) -> Result<(), Refusal> {
    let (given, what) = match kind {
        ConsentKind::Hotfix | ConsentKind::Security => (consent.updates, "updates"),
        ConsentKind::Message => (consent.messages, "messages"),
        ConsentKind::Study => (consent.studies, "studies"),
    };
    if given { Ok(()) } else { refuse(Status::ConsentWithheld, format!("{what} are switched off")) }
}
