//! What every recipe must obey, whichever form it is read from: the rules on lane, consent and action, dates, and the plan.
//! Those on arguments stand with their [action](super::Does::breaches).
//!
//! Each rule takes only the parts that it needs, so that the source form can report all breaches at once, even where
//! other parts could not be read.

use jiff::SignedDuration;

use super::problem_kind::SourceProblemKind;
use super::{ActionKind, Breach, ConsentKind, Lane, Life, Recipe, Step};
use crate::limits::RecipeLimits;
use crate::sampling::BasisPoints;

/// All rules that `recipe` breaks.
#[must_use]
pub fn check(recipe: &Recipe, limits: &RecipeLimits) -> Vec<Breach> {
    let life = Life { starts: recipe.starts, expires: Some(recipe.expires) };
    let mut breaches = lane_consent_action(Some(recipe.lane), recipe.consent, recipe.action.kind());
    breaches.extend(dates(life));
    breaches.extend(recipe.action.does().breaches(life, limits));
    breaches.extend(plan(&recipe.rollout.plan, Some(recipe.rollout.max_percent), limits));
    breaches
}

/// Which consent goes with which lane (where it is known) and action. The emergency lane never carries a study, whatever it
/// does.
#[must_use]
pub fn lane_consent_action(lane: Option<Lane>, consent: ConsentKind, action: ActionKind) -> Vec<Breach> {
    let what = match (consent, lane) {
        (ConsentKind::Study, Some(Lane::Emergency)) => "the emergency lane never carries a study".to_owned(),
        _ if action.consents().contains(&consent) => return Vec::new(),
        (ConsentKind::Study, _) => format!("a study may not do {:?}", action.as_str()),
        (ConsentKind::Message, _) => format!("a message may not do {:?}", action.as_str()),
        (ConsentKind::Hotfix, _) => format!("a hotfix may not do {:?}", action.as_str()),
        (ConsentKind::Security, _) => format!("a security recipe may not do {:?}", action.as_str()),
    };
    let remedy =
        "use consent = \"hotfix\" (repairs) or \"security\" (protects): both need only that updates are on";
    vec![Breach::new("consent", SourceProblemKind::Consent, what, remedy)]
}

/// The order of the dates.
#[must_use]
pub fn dates(life: Life) -> Vec<Breach> {
    match (life.starts, life.expires) {
        (Some(starts), Some(expires)) if starts >= expires => vec![Breach::new(
            "expires",
            SourceProblemKind::Dates,
            format!("it expires at {expires}, not after it starts at {starts}"),
            "give a later date, or leave starts out to start at once",
        )],
        _ => Vec::new(),
    }
}

/// The steps of a rollout plan: each reaches somebody, is wider than the one before, and not wider than what people sign.
#[must_use]
pub fn plan(plan: &[Step], max_percent: Option<BasisPoints>, limits: &RecipeLimits) -> Vec<Breach> {
    let wrong = |what: String, remedy: &str| Breach::new("plan", SourceProblemKind::BadValue, what, remedy);
    let mut breaches = Vec::new();
    if plan.len() > limits.plan_steps {
        let what = format!("the plan has {} steps, more than {}", plan.len(), limits.plan_steps);
        breaches.push(Breach::new("plan", SourceProblemKind::TooLarge, what, "take fewer, wider steps"));
    }
    let mut before = BasisPoints::NOBODY;
    for Step { percent, bake, health } in plan {
        if *percent <= before {
            let what = match before {
                BasisPoints::NOBODY => "a step at 0% reaches nobody".to_owned(),
                before => format!(
                    "a step at {percent} after one at {before}: each must be wider than the one before"
                ),
            };
            breaches.push(wrong(what, "put the steps in order, the smallest first"));
        }
        before = before.max(*percent);
        if max_percent.is_some_and(|most| *percent > most) {
            let most = max_percent.unwrap_or(BasisPoints::NOBODY);
            let what = format!("a step at {percent} is wider than max_percent, {most}");
            breaches.push(wrong(what, "end the plan at max_percent, or raise that"));
        }
        let most = SignedDuration::from_hours(limits.bake_hours);
        if bake.is_negative() || bake.subsec_nanos() != 0 || *bake > most {
            let what = format!(
                "a step's bake is {bake:#}, not whole seconds from 0 to {} days",
                limits.bake_hours / 24
            );
            breaches.push(wrong(what, "write a time such as \"15m\" or \"2h 30m\""));
        }
        if health.as_ref().is_some_and(|health| !(1..=limits.min_reports).contains(&health.min_reports)) {
            let what = format!("min_reports is not from 1 to {}", limits.min_reports);
            breaches.push(wrong(what, "say how many reports must be there before failures are judged"));
        }
    }
    breaches
}
