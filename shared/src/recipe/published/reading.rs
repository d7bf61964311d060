//! Reading a recipe from parsed JSON, most basic reason for refusal first.

use jiff::SignedDuration;
use serde_json::Value;

use super::super::fields::{FieldError, FieldFault, Fields};
use super::super::rules;
use super::super::{
    ActionKind, CAPABILITIES, ConsentKind, Health, OnEnd, Opens, Recipe, Rollout, SCHEMA_VERSION, Step,
};
use super::{Unreadable, UnreadableReason};
use crate::limits::{Limits, RecipeLimits};
use crate::sampling::BasisPoints;
use crate::status::Status;
use crate::targeting::Targeting;
use crate::text::{is_comment, is_word};
use crate::version::VersionRange;

/// Reads a recipe, wherever it stands.
pub(super) fn recipe(value: Value, limits: &Limits) -> Result<Recipe, Unreadable> {
    let unreadable = |error: FieldError| Unreadable::new(Status::Unreadable, error.into());
    let mut fields = Fields::of(value, "the recipe", "").map_err(unreadable)?;

    // Before anything else: in another schema all the rest may have another meaning.
    let schema_version = fields.integer("schema_version").map_err(unreadable)?;
    if schema_version != SCHEMA_VERSION {
        return Err(Unreadable::new(Status::UnknownSchema, UnreadableReason::Schema(schema_version)));
    }

    let raw = Raw::read(&mut fields, &limits.recipe).map_err(unreadable)?;
    let Some(action) = ActionKind::named(&raw.action) else {
        return Err(Unreadable::new(Status::UnknownAction, UnreadableReason::Action(raw.action)));
    };
    let unknown = |error: FieldError| Unreadable::new(Status::UnknownCapability, error.into());
    let known = raw.known(&fields).map_err(unknown)?;

    let invalid = |reason| Unreadable::new(Status::InvalidArguments, reason);
    let recipe = raw.finish(schema_version, action, known, limits).map_err(|error| invalid(error.into()))?;
    match rules::check(&recipe, &limits.recipe).into_iter().next() {
        Some(breach) => Err(invalid(breach.into())),
        None => Ok(recipe),
    }
}

/// All fields with the right types, before anything is asked about values that a later program may know.
struct Raw {
    slug: super::super::Slug,
    revision: u64,
    name: String,
    lane: super::super::Lane,
    consent: String,
    opens: String,
    action: String,
    arguments: Fields,
    capabilities: Vec<String>,
    targeting: Targeting,
    targeting_rest: Fields,
    rollout: Rollout,
    rollout_rest: Fields,
    steps_rest: Vec<Fields>,
    starts: Option<jiff::Timestamp>,
    expires: jiff::Timestamp,
    on_end: String,
    comment: Option<String>,
}

/// The values of closed lists that this code knows.
struct Known {
    consent: ConsentKind,
    opens: Opens,
    on_end: OnEnd,
}

impl Raw {
    fn read(fields: &mut Fields, limits: &RecipeLimits) -> Result<Self, FieldError> {
        let revision = fields.integer("revision")?;
        if revision == 0 {
            return Err(fields.wrong("revision", FieldFault::Zero));
        }
        let name = fields.text("name")?;
        if !is_word(&name, limits.name) {
            return Err(fields.wrong("name", FieldFault::NotAWord { most: limits.name }));
        }
        let comment = fields.optional_text("comment")?;
        if comment.as_ref().is_some_and(|comment| !is_comment(comment, limits.comment)) {
            return Err(fields.wrong("comment", FieldFault::NotAComment { most: limits.comment }));
        }
        let capabilities = fields.texts("capabilities")?;
        words(fields, "capabilities", &capabilities, limits)?;
        let mut targeting_rest = fields.object("targeting", "targeting.")?;
        let mut rollout_rest = fields.object("rollout", "rollout.")?;
        let mut steps_rest = steps(&mut rollout_rest, limits)?;
        Ok(Self {
            slug: fields.parsed("slug")?,
            revision,
            name,
            lane: fields.parsed("lane")?,
            consent: fields.text("consent")?,
            opens: fields.text("opens")?,
            action: fields.text("action")?,
            arguments: fields.object("arguments", "arguments.")?,
            capabilities,
            targeting: targeting(&mut targeting_rest, limits)?,
            targeting_rest,
            rollout: rollout(&mut rollout_rest, &mut steps_rest, limits)?,
            rollout_rest,
            steps_rest,
            starts: fields.has("starts").then(|| fields.time("starts")).transpose()?,
            expires: fields.time("expires")?,
            on_end: fields.text("on_end")?,
            comment,
        })
    }

    /// Everything that must be known to be acted on; `fields` holds what nobody took.
    fn known(&self, fields: &Fields) -> Result<Known, FieldError> {
        if let Some(capability) = self.capabilities.iter().find(|c| !CAPABILITIES.contains(&c.as_str())) {
            return Err(fields.wrong("capabilities", FieldFault::UnknownCapability(capability.clone())));
        }
        if let Some(name) = [fields, &self.targeting_rest, &self.rollout_rest]
            .into_iter()
            .chain(&self.steps_rest)
            .find_map(Fields::left_over)
        {
            return Err(FieldError::new(name, FieldFault::Unknown));
        }
        let unknown = |field, value: &str| fields.wrong(field, FieldFault::UnknownValue(value.to_owned()));
        let consent = ConsentKind::ALL.into_iter().find(|k| k.as_str() == self.consent);
        let opens = Opens::ALL.into_iter().find(|k| k.as_str() == self.opens);
        let on_end = OnEnd::ALL.into_iter().find(|k| k.as_str() == self.on_end);
        Ok(Known {
            consent: consent.ok_or_else(|| unknown("consent", &self.consent))?,
            opens: opens.ok_or_else(|| unknown("opens", &self.opens))?,
            on_end: on_end.ok_or_else(|| unknown("on_end", &self.on_end))?,
        })
    }

    fn finish(
        mut self,
        schema_version: u64,
        action: ActionKind,
        known: Known,
        limits: &Limits,
    ) -> Result<Recipe, FieldError> {
        let action = action.read(&mut self.arguments, limits)?;
        if let Some(name) = self.arguments.left_over() {
            return Err(FieldError::new(name, FieldFault::NotAnArgument { action: self.action }));
        }
        Ok(Recipe {
            schema_version,
            slug: self.slug,
            revision: self.revision,
            name: self.name,
            lane: self.lane,
            consent: known.consent,
            opens: known.opens,
            action,
            capabilities: self.capabilities,
            targeting: self.targeting,
            rollout: self.rollout,
            starts: self.starts,
            expires: self.expires,
            on_end: known.on_end,
            comment: self.comment,
        })
    }
}

fn words(fields: &Fields, key: &str, list: &[String], limits: &RecipeLimits) -> Result<(), FieldError> {
    fields.bounded(key, list.len(), limits.list)?;
    if list.iter().all(|word| is_word(word, limits.word)) {
        return Ok(());
    }
    Err(fields.wrong(key, FieldFault::EntryNotAWord { most: limits.word }))
}

fn targeting(fields: &mut Fields, limits: &RecipeLimits) -> Result<Targeting, FieldError> {
    let mut list = |key: &str| -> Result<Option<Vec<String>>, FieldError> {
        if !fields.has(key) {
            return Ok(None);
        }
        let list = fields.texts(key)?;
        if list.is_empty() {
            return Err(fields.wrong(key, FieldFault::NoConditions));
        }
        words(fields, key, &list, limits)?;
        Ok(Some(list))
    };
    let channels = list("channels")?;
    let os = list("os")?;
    let arch = list("arch")?;
    let locales = list("locales")?;
    let countries = list("countries")?;
    let distributions = list("distributions")?;
    let rings = list("rings")?;
    let mut range = |key: &str| -> Result<Option<VersionRange>, FieldError> {
        let text = fields.optional_text(key)?;
        let range = text.map(|text| VersionRange::published(&text)).transpose();
        range.map_err(|error| fields.wrong(key, FieldFault::NotARange(error)))
    };
    let versions = range("versions")?;
    let agent_versions = range("agent_versions")?;
    Ok(Targeting { channels, versions, os, arch, locales, countries, distributions, rings, agent_versions })
}

fn rollout(fields: &mut Fields, steps: &mut [Fields], limits: &RecipeLimits) -> Result<Rollout, FieldError> {
    let namespace = fields.text("namespace")?;
    if !is_word(&namespace, limits.word) {
        return Err(fields.wrong("namespace", FieldFault::NotAWord { most: limits.word }));
    }
    let max_percent = share(fields, "max_percent")?;
    let plan = steps.iter_mut().map(step).collect::<Result<_, _>>()?;
    Ok(Rollout { namespace, max_percent, plan })
}

fn share(fields: &mut Fields, key: &str) -> Result<BasisPoints, FieldError> {
    let points = fields.integer(key)?;
    let share = u16::try_from(points).ok().and_then(BasisPoints::new);
    share.ok_or_else(|| fields.wrong(key, FieldFault::NotAShare(points)))
}

/// The entries of the plan, none where there is no plan.
fn steps(rollout: &mut Fields, limits: &RecipeLimits) -> Result<Vec<Fields>, FieldError> {
    if !rollout.has("plan") {
        return Ok(Vec::new());
    }
    let entries = rollout.list("plan")?;
    if entries.is_empty() {
        return Err(rollout.wrong("plan", FieldFault::NoSteps));
    }
    rollout.bounded("plan", entries.len(), limits.plan_steps)?;
    let entries = entries.into_iter();
    entries.map(|entry| Fields::of_entry(entry, "rollout.plan", "rollout.plan.")).collect()
}

fn step(fields: &mut Fields) -> Result<Step, FieldError> {
    let percent = share(fields, "percent")?;
    let seconds = if fields.has("bake") { fields.integer("bake")? } else { 0 };
    // Whether it is too long is a rule; more than 32 bits are centuries.
    let bake = u32::try_from(seconds).map_err(|_| fields.wrong("bake", FieldFault::TooLong(seconds)))?;
    let bake = SignedDuration::from_secs(i64::from(bake));
    let judged = fields.has("max_failure_percent") || fields.has("min_reports");
    let health = if judged {
        let max_failure_percent = share(fields, "max_failure_percent")?;
        Some(Health { max_failure_percent, min_reports: fields.integer("min_reports")? })
    } else {
        None
    };
    Ok(Step { percent, bake, health })
}
