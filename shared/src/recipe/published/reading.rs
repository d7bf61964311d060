//! Reading a recipe from parsed JSON, most basic reason for refusal first.

use jiff::SignedDuration;
use serde_json::Value;

use super::super::fields::{Fields, Wrong, time};
use super::super::rules;
use super::super::{
    ActionKind, CAPABILITIES, ConsentKind, Health, OnEnd, Opens, Recipe, Rollout, SCHEMA_VERSION, Step,
};
use super::Unreadable;
use crate::limits::{Limits, RecipeLimits};
use crate::quoted::quoted;
use crate::sampling::BasisPoints;
use crate::status::Status;
use crate::targeting::Targeting;
use crate::text::{is_comment, is_word};
use crate::version::VersionRange;

/// Reads a recipe, wherever it stands.
pub(super) fn recipe(value: Value, limits: &Limits) -> Result<Recipe, Unreadable> {
    let unreadable = |sentence: Wrong| Unreadable::new(Status::Unreadable, sentence);
    let mut fields = Fields::of(value, "the recipe", "").map_err(unreadable)?;

    // Before anything else: in another schema all the rest may have another meaning.
    let schema_version = fields.integer("schema_version").map_err(unreadable)?;
    if schema_version != SCHEMA_VERSION {
        let sentence = format!("schema_version is {schema_version}, this program knows {SCHEMA_VERSION}");
        return Err(Unreadable::new(Status::UnknownSchema, sentence));
    }

    let raw = Raw::read(&mut fields, &limits.recipe).map_err(unreadable)?;
    let Some(action) = ActionKind::named(&raw.action) else {
        let sentence = format!("the action {} is not known", quoted(&raw.action));
        return Err(Unreadable::new(Status::UnknownAction, sentence));
    };
    let unknown = |sentence: Wrong| Unreadable::new(Status::UnknownCapability, sentence);
    let known = raw.known(&fields).map_err(unknown)?;

    let invalid = |sentence: Wrong| Unreadable::new(Status::InvalidArguments, sentence);
    let recipe = raw.finish(schema_version, action, known, limits).map_err(invalid)?;
    match rules::check(&recipe, &limits.recipe).into_iter().next() {
        Some(breach) => Err(invalid(format!("{}: {}", breach.key, breach.what))),
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
    fn read(fields: &mut Fields, limits: &RecipeLimits) -> Result<Self, Wrong> {
        let revision = fields.integer("revision")?;
        if revision == 0 {
            return Err("revision is 0; revisions begin at 1".to_owned());
        }
        let name = fields.text("name")?;
        if !is_word(&name, limits.name) {
            return Err(format!(
                "name is empty, longer than {} bytes, or has control characters",
                limits.name
            ));
        }
        let comment = fields.optional_text("comment")?;
        if comment.as_ref().is_some_and(|comment| !is_comment(comment, limits.comment)) {
            return Err(format!("comment is longer than {} bytes or has control characters", limits.comment));
        }
        let capabilities = fields.texts("capabilities")?;
        words(&capabilities, "capabilities", limits)?;
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
            starts: fields.optional_text("starts")?.map(|text| time(&text)).transpose()?,
            expires: time(&fields.text("expires")?)?,
            on_end: fields.text("on_end")?,
            comment,
        })
    }

    /// Everything that must be known to be acted on; `fields` holds what nobody took.
    fn known(&self, fields: &Fields) -> Result<Known, Wrong> {
        if let Some(capability) = self.capabilities.iter().find(|c| !CAPABILITIES.contains(&c.as_str())) {
            return Err(format!("the capability {capability:?} is not known"));
        }
        if let Some(name) = [fields, &self.targeting_rest, &self.rollout_rest]
            .into_iter()
            .chain(&self.steps_rest)
            .find_map(Fields::left_over)
        {
            return Err(format!("the field {name} is not known"));
        }
        let unknown = |field: &str, value: &str| format!("{field} = {} is not known", quoted(value));
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
    ) -> Result<Recipe, Wrong> {
        let action = action.read(&mut self.arguments, limits)?;
        if let Some(name) = self.arguments.left_over() {
            return Err(format!("{name} is not an argument of {}", self.action));
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

fn words(list: &[String], name: &str, limits: &RecipeLimits) -> Result<(), Wrong> {
    if list.len() > limits.list {
        return Err(format!("{name} has {} entries, more than {}", list.len(), limits.list));
    }
    if list.iter().all(|word| is_word(word, limits.word)) {
        return Ok(());
    }
    Err(format!("an entry of {name} is empty, longer than {} bytes, or has control characters", limits.word))
}

fn targeting(fields: &mut Fields, limits: &RecipeLimits) -> Result<Targeting, Wrong> {
    let mut list = |key: &str| -> Result<Option<Vec<String>>, Wrong> {
        if !fields.has(key) {
            return Ok(None);
        }
        let list = fields.texts(key)?;
        if list.is_empty() {
            return Err(format!("{} is an empty list; leave it out to mean any", fields.name(key)));
        }
        words(&list, &fields.name(key), limits)?;
        Ok(Some(list))
    };
    let channels = list("channels")?;
    let os = list("os")?;
    let arch = list("arch")?;
    let locales = list("locales")?;
    let countries = list("countries")?;
    let distributions = list("distributions")?;
    let rings = list("rings")?;
    let mut range = |key: &str| -> Result<Option<VersionRange>, Wrong> {
        let text = fields.optional_text(key)?;
        let read =
            |text: String| VersionRange::published(&text).map_err(|e| format!("{}: {e}", fields.name(key)));
        text.map(read).transpose()
    };
    let versions = range("versions")?;
    let agent_versions = range("agent_versions")?;
    Ok(Targeting { channels, versions, os, arch, locales, countries, distributions, rings, agent_versions })
}

fn rollout(fields: &mut Fields, steps: &mut [Fields], limits: &RecipeLimits) -> Result<Rollout, Wrong> {
    let namespace = fields.text("namespace")?;
    if !is_word(&namespace, limits.word) {
        return Err(format!(
            "rollout.namespace is empty, longer than {} bytes, or has control characters",
            limits.word
        ));
    }
    let max_percent = share(fields, "max_percent")?;
    let plan = steps.iter_mut().map(step).collect::<Result<_, _>>()?;
    Ok(Rollout { namespace, max_percent, plan })
}

fn share(fields: &mut Fields, key: &str) -> Result<BasisPoints, Wrong> {
    let points = fields.integer(key)?;
    let share = u16::try_from(points).ok().and_then(BasisPoints::new);
    share.ok_or_else(|| format!("{} is {points}; it is in basis points, 0 to 10000", fields.name(key)))
}

/// The entries of the plan, none where there is no plan.
fn steps(rollout: &mut Fields, limits: &RecipeLimits) -> Result<Vec<Fields>, Wrong> {
    let Some(plan) = rollout.optional("plan") else { return Ok(Vec::new()) };
    let Value::Array(entries) = plan else { return Err("rollout.plan is not a list".to_owned()) };
    if entries.is_empty() {
        return Err("rollout.plan is an empty list; leave it out to plan nothing".to_owned());
    }
    if entries.len() > limits.plan_steps {
        return Err(format!("rollout.plan has {} entries, more than {}", entries.len(), limits.plan_steps));
    }
    let entries = entries.into_iter();
    entries.map(|entry| Fields::of(entry, "an entry of rollout.plan", "rollout.plan.")).collect()
}

fn step(fields: &mut Fields) -> Result<Step, Wrong> {
    let percent = share(fields, "percent")?;
    let seconds = if fields.has("bake") { fields.integer("bake")? } else { 0 };
    // Whether it is too long is a rule; more than 32 bits are centuries.
    let bake = u32::try_from(seconds).map_err(|_| format!("rollout.plan.bake is {seconds} seconds"))?;
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
