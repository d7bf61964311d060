//! The published form: one JSON document per recipe, the same bytes for the same recipe.
//!
//! JSON with sorted keys and no white space; integers only (percentages are basis points), times in UTC, certificates
//! in Base64 of their DER. Reading is strict: whatever this code does not know, it does not guess at, but names, and
//! the [`Status`] says which kind of not knowing it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{Breach, FieldError, Recipe, RecipePath, Rollout, SCHEMA_VERSION, Step};
use crate::json::{self, JsonError};
use crate::limits::Limits;
use crate::quoted::quoted;
use crate::status::Status;
use crate::targeting::Targeting;

mod reading;

/// A recipe that cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Unreadable {
    /// One of `unreadable`, `unknown-schema`, `unknown-action`, `unknown-capability`, `invalid-arguments`.
    pub status: Status,
    /// What is wrong and where.
    pub reason: UnreadableReason,
}

/// Why a recipe cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableReason {
    /// The document is longer than any that is read.
    #[error("{bytes} bytes, more than the {most} allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The longest that is read.
        most: usize,
    },
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It has another schema.
    #[error("schema_version is {0}, this program knows {SCHEMA_VERSION}")]
    Schema(u64),
    /// Its action is not known here.
    #[error("the action {} is not known", quoted(.0))]
    Action(String),
    /// A field is not as it must be.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It breaks a rule.
    #[error("{}: {}", .0.key, .0.what)]
    Rule(Breach),
    /// It is published at another path than its own.
    #[error("lane and slug say that it belongs at {own}, but it is published at {path}")]
    Misplaced {
        /// The path that its lane and slug make.
        own: RecipePath,
        /// Where it is published.
        path: RecipePath,
    },
}

impl From<Breach> for UnreadableReason {
    fn from(breach: Breach) -> Self {
        Self::Rule(breach)
    }
}

impl Unreadable {
    fn new(status: Status, reason: UnreadableReason) -> Self {
        Self { status, reason }
    }
}

/// Reads the recipe that is published at `path`.
///
/// # Errors
/// The first reason, in the order of [`Status`], why this code cannot act on it.
pub fn read(path: &RecipePath, bytes: &[u8], limits: &Limits) -> Result<Recipe, Unreadable> {
    if bytes.len() > limits.recipe.bytes {
        let reason = UnreadableReason::TooLarge { bytes: bytes.len(), most: limits.recipe.bytes };
        return Err(Unreadable::new(Status::Unreadable, reason));
    }
    let value = json::parse(bytes, &limits.json)
        .map_err(|error| Unreadable::new(Status::Unreadable, error.into()))?;
    let recipe = reading::recipe(value, limits)?;
    let own = recipe.path();
    if own == *path {
        return Ok(recipe);
    }
    Err(Unreadable::new(Status::Unreadable, UnreadableReason::Misplaced { own, path: path.clone() }))
}

/// The recipe's bytes as they are published.
#[must_use]
pub fn write(recipe: &Recipe) -> Vec<u8> {
    // serde_json's maps are sorted, and its escapes are the only ones; unlike OLPC canonical JSON, which signatures
    // over TUF metadata cover, the result is JSON for every reader even where a comment has several lines.
    value(recipe).to_string().into_bytes()
}

fn value(recipe: &Recipe) -> Value {
    let mut value = json!({
        "schema_version": recipe.schema_version,
        "slug": recipe.slug,
        "revision": recipe.revision,
        "name": recipe.name,
        "lane": recipe.lane,
        "consent": recipe.consent.as_str(),
        "opens": recipe.opens.as_str(),
        "action": recipe.action.kind().as_str(),
        "arguments": recipe.action.does().arguments(),
        "capabilities": recipe.capabilities,
        "targeting": targeting(&recipe.targeting),
        "rollout": rollout(&recipe.rollout),
        "expires": recipe.expires.to_string(),
        "on_end": recipe.on_end.as_str(),
    });
    if let Some(starts) = recipe.starts {
        value["starts"] = starts.to_string().into();
    }
    if let Some(comment) = &recipe.comment {
        value["comment"] = comment.as_str().into();
    }
    value
}

fn rollout(rollout: &Rollout) -> Value {
    let Rollout { namespace, max_percent, plan } = rollout;
    let mut value = json!({ "namespace": namespace, "max_percent": max_percent });
    if !plan.is_empty() {
        value["plan"] = plan.iter().map(step).collect();
    }
    value
}

fn step(step: &Step) -> Value {
    let Step { percent, bake, health } = step;
    let mut value = json!({ "percent": percent });
    if !bake.is_zero() {
        value["bake"] = bake.as_secs().into();
    }
    if let Some(health) = health {
        value["max_failure_percent"] = json!(health.max_failure_percent);
        value["min_reports"] = health.min_reports.into();
    }
    value
}

fn targeting(targeting: &Targeting) -> Value {
    // Named one by one, so that a new field cannot be forgotten here.
    let Targeting { channels, versions, os, arch, locales, countries, distributions, rings, agent_versions } =
        targeting;
    let mut value = json!({});
    let lists = [
        ("channels", channels),
        ("os", os),
        ("arch", arch),
        ("locales", locales),
        ("countries", countries),
        ("distributions", distributions),
        ("rings", rings),
    ];
    for (key, list) in lists {
        if let Some(list) = list {
            value[key] = json!(list);
        }
    }
    for (key, range) in [("versions", versions), ("agent_versions", agent_versions)] {
        if let Some(range) = range {
            value[key] = json!(range);
        }
    }
    value
}

/// As the published form's object, for the agent's own records.
impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        value(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recipe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        reading::recipe(value, &Limits::default()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FieldFault, arbitrary};
    use super::*;
    use proptest::prelude::*;

    const PATH: &str = "emergency/example";

    fn document() -> Value {
        let certificate = &arbitrary::certificates()[0];
        json!({
            "schema_version": 1, "slug": "example", "revision": 3, "name": "Example", "lane": "emergency",
            "consent": "hotfix", "opens": "server", "action": "install-certificates",
            "arguments": { "certificates": [certificate] },
            "capabilities": ["action.install-certificates"],
            "targeting": { "channels": ["release"], "versions": ">=60, <67" },
            "rollout": { "namespace": "example", "max_percent": 2500 },
            "expires": "2019-06-01T00:00:00Z", "on_end": "keep",
        })
    }

    fn read_value(value: &Value) -> Result<Recipe, Unreadable> {
        read(&format!("{PATH}.json").parse().unwrap(), value.to_string().as_bytes(), &Limits::default())
    }

    #[test]
    fn a_document_reads_and_writes_back_the_same_bytes() {
        let recipe = read_value(&document()).unwrap();
        assert_eq!(recipe.rollout.max_percent.to_string(), "25%");
        assert_eq!(write(&recipe), document().to_string().into_bytes());
    }

    #[test]
    fn each_fault_has_its_status_and_names_the_place() {
        let anchor = &arbitrary::certificates()[3];
        let one = &document()["arguments"]["certificates"][0];
        for (pointer, value, status, words) in [
            ("/schema_version", json!(2), Status::UnknownSchema, "2"),
            ("/schema_version", json!("1"), Status::Unreadable, "schema_version"),
            ("/slug", json!("other"), Status::Unreadable, "emergency/other.json"),
            ("/slug", json!("Not A Slug"), Status::Unreadable, "slug"),
            ("/lane", json!("routine"), Status::Unreadable, "routine/example.json"),
            ("/revision", json!(0), Status::Unreadable, "revision"),
            ("/revision", json!(-1), Status::Unreadable, "revision"),
            ("/name", json!(""), Status::Unreadable, "name"),
            ("/name", json!("clear\u{1b}[2J"), Status::Unreadable, "name"),
            ("/expires", json!("2019-06-01T02:00:00+02:00"), Status::Unreadable, "2019-06-01"),
            ("/expires", json!("2019-06-01"), Status::Unreadable, "2019-06-01"),
            ("/starts", json!(7), Status::Unreadable, "starts"),
            ("/targeting/channels", json!([]), Status::Unreadable, "targeting.channels"),
            ("/targeting/channels", json!("release"), Status::Unreadable, "targeting.channels"),
            ("/targeting/versions", json!(">=67, <60"), Status::Unreadable, "no version can match"),
            ("/rollout/max_percent", json!(10_001), Status::Unreadable, "max_percent"),
            ("/rollout/namespace", Value::Null, Status::Unreadable, "namespace"),
            ("/action", json!("format-disk"), Status::UnknownAction, "format-disk"),
            ("/capabilities", json!(["action.teleport"]), Status::UnknownCapability, "action.teleport"),
            ("/targeting/expression", json!("x"), Status::UnknownCapability, "targeting.expression"),
            ("/rollout/plan", json!([]), Status::Unreadable, "rollout.plan"),
            ("/rollout/plan", json!({"percent": 1}), Status::Unreadable, "rollout.plan"),
            ("/rollout/plan", json!([5]), Status::Unreadable, "rollout.plan"),
            ("/rollout/plan", json!([{}]), Status::Unreadable, "rollout.plan.percent is missing"),
            ("/rollout/plan", json!([{"percent": 10_001}]), Status::Unreadable, "rollout.plan.percent"),
            ("/rollout/plan", json!([{"percent": 1, "bake": -1}]), Status::Unreadable, "rollout.plan.bake"),
            ("/rollout/plan", json!([{"percent": 1, "bake": u64::MAX}]), Status::Unreadable, "bake"),
            (
                "/rollout/plan",
                json!([{"percent": 1, "min_reports": 5}]),
                Status::Unreadable,
                "max_failure_percent",
            ),
            (
                "/rollout/plan",
                json!([{"percent": 1, "rings": []}]),
                Status::UnknownCapability,
                "rollout.plan.rings",
            ),
            ("/rollout/plan", json!(vec![json!({"percent": 1}); 17]), Status::Unreadable, "17"),
            ("/rollout/plan", json!([{"percent": 0}]), Status::InvalidArguments, "reaches nobody"),
            ("/rollout/plan", json!([{"percent": 9}, {"percent": 9}]), Status::InvalidArguments, "wider"),
            ("/rollout/plan", json!([{"percent": 2_501}]), Status::InvalidArguments, "max_percent, 25%"),
            ("/rollout/plan", json!([{"percent": 1, "bake": 2_592_001}]), Status::InvalidArguments, "bake"),
            ("/later", json!(true), Status::UnknownCapability, "later"),
            ("/opens", json!("anyone"), Status::UnknownCapability, "anyone"),
            ("/on_end", json!("explode"), Status::UnknownCapability, "explode"),
            ("/consent", json!("survey"), Status::UnknownCapability, "survey"),
            ("/consent", json!("study"), Status::InvalidArguments, "study"),
            ("/consent", json!("message"), Status::InvalidArguments, "message"),
            ("/starts", json!("2019-06-01T00:00:00Z"), Status::InvalidArguments, "expires"),
            ("/arguments/certificates", json!([]), Status::InvalidArguments, "empty"),
            ("/arguments/certificates", json!(["AAAA"]), Status::InvalidArguments, "certificate"),
            ("/arguments/certificates", json!(["%"]), Status::InvalidArguments, "Base64"),
            ("/arguments/certificates", json!([anchor]), Status::InvalidArguments, "self-issued"),
            ("/arguments/certificates", json!([one, one]), Status::InvalidArguments, "twice"),
            ("/arguments/certificates", json!(vec![one; 17]), Status::InvalidArguments, "17"),
            ("/arguments/until", json!("x"), Status::InvalidArguments, "arguments.until"),
            ("/arguments", json!([]), Status::Unreadable, "arguments"),
        ] {
            let mut bad = document();
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            bad.pointer_mut(parent).unwrap()[key] = value;
            let error = read_value(&bad).unwrap_err();
            assert_eq!(error.status, status, "{pointer}: {error}");
            assert!(error.reason.to_string().contains(words), "{pointer}: {error}");
        }
    }

    #[test]
    fn every_field_but_two_is_required() {
        for key in document().as_object().unwrap().keys() {
            let mut bad = document();
            bad.as_object_mut().unwrap().remove(key);
            let missing = FieldError::new(key, FieldFault::Missing);
            let error = Unreadable::new(Status::Unreadable, missing.into());
            assert_eq!(read_value(&bad), Err(error));
        }
    }

    #[test]
    fn the_most_basic_reason_is_named() {
        let mut bad = document();
        bad["consent"] = json!("study");
        bad["later"] = json!(1);
        assert_eq!(read_value(&bad).unwrap_err().status, Status::UnknownCapability);
        bad["action"] = json!("format-disk");
        assert_eq!(read_value(&bad).unwrap_err().status, Status::UnknownAction);
        bad["name"] = json!(1);
        assert_eq!(read_value(&bad).unwrap_err().status, Status::Unreadable);
        bad["schema_version"] = json!(2);
        assert_eq!(read_value(&bad).unwrap_err().status, Status::UnknownSchema);
    }

    #[test]
    fn bytes_that_are_no_recipe_are_unreadable() {
        let path = format!("{PATH}.json").parse().unwrap();
        let limits = Limits::default();
        let good = document().to_string();
        let twice = good.replacen("{", r#"{"slug":"other","#, 1);
        let deep = "[".repeat(10_000);
        let large = good.clone() + &" ".repeat(limits.recipe.bytes);
        let longer = good.clone() + "x";
        for bytes in [
            &b""[..],
            b"null",
            b"[]",
            b"{}",
            b"\xff\xfe",
            &good.as_bytes()[..good.len() - 1],
            twice.as_bytes(),
            deep.as_bytes(),
            large.as_bytes(),
            longer.as_bytes(),
        ] {
            assert_eq!(read(&path, bytes, &limits).unwrap_err().status, Status::Unreadable);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_recipe_survives_publishing(recipe in arbitrary::recipe()) {
            let bytes = write(&recipe);
            let back = read(&recipe.path(), &bytes, &Limits::default());
            prop_assert_eq!(back.as_ref(), Ok(&recipe));
            prop_assert_eq!(write(&recipe), bytes);
            let text = serde_json::to_string(&recipe).unwrap();
            prop_assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
        }

        /// One byte changed: still a recipe, or refused; never a panic. And it never reads as equal.
        #[test]
        fn damaged_recipes_do_not_panic(recipe in arbitrary::recipe(), at: prop::sample::Index, byte: u8) {
            let mut bytes = write(&recipe);
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != byte);
            bytes[at] = byte;
            if let Ok(back) = read(&recipe.path(), &bytes, &Limits::default()) {
                prop_assert_ne!(back, recipe);
            }
        }
    }
}
