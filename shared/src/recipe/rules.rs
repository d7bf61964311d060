//! What every recipe must obey, whichever form it is read from: DESIGN's rules on lane, consent and action, dates,
//! and arguments.
//!
//! Each rule takes only the parts that it needs, so that the source form can report all breaches at once, even where
//! other parts could not be read.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::source::SourceProblemKind;
use super::{Action, ConsentKind, DistrustEntry, Lane, Recipe, Step};
use crate::limits::RecipeLimits;
use crate::sampling::BasisPoints;
use crate::x509::Certificate;

/// A rule that a recipe breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The key in the recipe at which it shows.
    pub key: &'static str,
    /// What kind of mistake it is.
    pub kind: SourceProblemKind,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Breach {
    fn new(
        key: &'static str,
        kind: SourceProblemKind,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { key, kind, what: what.into(), remedy: remedy.into() }
    }
}

/// All rules that `recipe` breaks.
#[must_use]
pub fn check(recipe: &Recipe, limits: &RecipeLimits) -> Vec<Breach> {
    let mut breaches = lane_consent_action(Some(recipe.lane), recipe.consent, recipe.action.name());
    breaches.extend(dates(recipe.starts, Some(recipe.expires)));
    breaches.extend(action(&recipe.action, recipe.starts, Some(recipe.expires), limits));
    breaches.extend(plan(&recipe.rollout.plan, Some(recipe.rollout.max_percent), limits));
    breaches
}

/// Which consent goes with which lane (where it is known) and action.
///
/// A study may only set preferences or show messages, and a message only show itself: no such action exists here. The
/// emergency lane never carries a study, whatever it does.
#[must_use]
pub fn lane_consent_action(lane: Option<Lane>, consent: ConsentKind, action: &str) -> Vec<Breach> {
    let remedy =
        "use consent = \"hotfix\" (repairs) or \"security\" (protects): both need only that updates are on";
    match (consent, lane) {
        (ConsentKind::Hotfix | ConsentKind::Security, _) => Vec::new(),
        (ConsentKind::Study, Some(Lane::Emergency)) => {
            vec![Breach::new(
                "consent",
                SourceProblemKind::Consent,
                "the emergency lane never carries a study",
                remedy,
            )]
        }
        (ConsentKind::Study, _) => {
            vec![Breach::new(
                "consent",
                SourceProblemKind::Consent,
                format!("a study may not do {action:?}"),
                remedy,
            )]
        }
        (ConsentKind::Message, _) => {
            vec![Breach::new(
                "consent",
                SourceProblemKind::Consent,
                format!("a message may not do {action:?}"),
                remedy,
            )]
        }
    }
}

/// The order of the dates.
#[must_use]
pub fn dates(starts: Option<Timestamp>, expires: Option<Timestamp>) -> Vec<Breach> {
    match (starts, expires) {
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

/// What the action's arguments must obey.
#[must_use]
pub fn action(
    action: &Action,
    starts: Option<Timestamp>,
    expires: Option<Timestamp>,
    limits: &RecipeLimits,
) -> Vec<Breach> {
    match action {
        Action::InstallCertificates { certificates } => install(certificates, limits),
        Action::DistrustCertificates { by } => distrust(by, limits),
        Action::HoldVerification { until } => hold(*until, starts, expires, limits),
        Action::ReverifyAddons { .. } => Vec::new(),
    }
}

fn install(certificates: &[Certificate], limits: &RecipeLimits) -> Vec<Breach> {
    let mut breaches = number("certificates", certificates.len(), limits);
    let mut seen = BTreeSet::new();
    for certificate in certificates {
        let name = certificate.described();
        if certificate.is_self_issued() {
            breaches.push(Breach::new(
                "certificates",
                SourceProblemKind::BadCertificate,
                format!("the certificate {name} is self-issued, so it is a root and no intermediate"),
                "a recipe cannot bring a new trust anchor; give an intermediate that an anchor issued",
            ));
        } else if !certificate.is_ca() {
            breaches.push(Breach::new(
                "certificates",
                SourceProblemKind::BadCertificate,
                format!("the certificate {name} is a leaf: not a CA's, so it can be nobody's issuer"),
                "give the intermediate that issued the add-ons' certificates",
            ));
        }
        if !seen.insert(certificate) {
            breaches.push(Breach::new(
                "certificates",
                SourceProblemKind::Twice,
                format!("the certificate {name} stands twice"),
                "leave one out",
            ));
        }
    }
    breaches
}

fn distrust(by: &[DistrustEntry], limits: &RecipeLimits) -> Vec<Breach> {
    let mut breaches = number("certificates", by.len(), limits);
    if by.iter().collect::<BTreeSet<_>>().len() < by.len() {
        breaches.push(Breach::new(
            "certificates",
            SourceProblemKind::Twice,
            "one entry stands twice",
            "leave one out",
        ));
    }
    breaches
}

fn number(key: &'static str, count: usize, limits: &RecipeLimits) -> Vec<Breach> {
    let most = limits.certificates;
    match count {
        0 => vec![Breach::new(
            key,
            SourceProblemKind::EmptyList,
            "the list is empty",
            "give at least one entry",
        )],
        n if n > most => {
            vec![Breach::new(
                key,
                SourceProblemKind::TooLarge,
                format!("{n} entries, more than {most}"),
                "split the recipe",
            )]
        }
        _ => Vec::new(),
    }
}

/// A hold ends by itself: within the recipe's life, and within the longest hold after its start. An agent applies the
/// same bound from its enrolment on, for recipes that start at once.
fn hold(
    until: Timestamp,
    starts: Option<Timestamp>,
    expires: Option<Timestamp>,
    limits: &RecipeLimits,
) -> Vec<Breach> {
    let mut breaches = Vec::new();
    if let Some(expires) = expires
        && until > expires
    {
        breaches.push(Breach::new(
            "until",
            SourceProblemKind::Dates,
            format!("the hold lasts until {until}, beyond the recipe's end at {expires}"),
            "let the recipe expire later, or the hold end earlier",
        ));
    }
    if let Some(starts) = starts {
        let days = limits.hold_days;
        let latest = starts.checked_add(SignedDuration::from_hours(24 * i64::from(days)));
        if until <= starts {
            breaches.push(Breach::new(
                "until",
                SourceProblemKind::Dates,
                format!("the hold ends at {until}, not after the recipe starts at {starts}"),
                "give a later date",
            ));
        } else if latest.is_ok_and(|latest| until > latest) {
            breaches.push(Breach::new(
                "until",
                SourceProblemKind::Dates,
                format!("the hold lasts more than {days} days after the recipe starts at {starts}"),
                "end it earlier; a longer need is a new recipe, signed again",
            ));
        }
    }
    breaches
}
