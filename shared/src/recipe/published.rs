//! The published form: one JSON document per recipe, the same bytes for the same recipe.
//!
//! JSON with sorted keys and no white space; integers only (percentages are basis points), times in UTC, certificates
//! in Base64 of their DER. Reading is strict: whatever this code does not know, it does not guess at, but names, and
//! the [`Status`] says which kind of not knowing it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{Action, DistrustEntry, Recipe, RecipePath};
use crate::json;
use crate::limits::Limits;
use crate::status::Status;
use crate::targeting::Targeting;

mod fields;
mod reading;

/// A recipe that cannot be acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {sentence}")]
pub struct Unreadable {
    /// One of `unreadable`, `unknown-schema`, `unknown-action`, `unknown-capability`, `invalid-arguments`.
    pub status: Status,
    /// What is wrong and where.
    pub sentence: String,
}

impl Unreadable {
    fn new(status: Status, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into() }
    }
}

/// Reads the recipe that is published at `path`.
///
/// # Errors
/// The first reason, in the order of [`Status`], why this code cannot act on it.
pub fn read(path: &RecipePath, bytes: &[u8], limits: &Limits) -> Result<Recipe, Unreadable> {
    if bytes.len() > limits.recipe.bytes {
        let sentence = format!("{} bytes, more than the {} allowed", bytes.len(), limits.recipe.bytes);
        return Err(Unreadable::new(Status::Unreadable, sentence));
    }
    let value =
        json::parse(bytes, &limits.json).map_err(|e| Unreadable::new(Status::Unreadable, e.to_string()))?;
    let recipe = reading::recipe(value, limits)?;
    let own = recipe.path();
    if own == *path {
        return Ok(recipe);
    }
    let sentence = format!("lane and slug say that it belongs at {own}, but it is published at {path}");
    Err(Unreadable::new(Status::Unreadable, sentence))
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
        "action": recipe.action.name(),
        "arguments": arguments(&recipe.action),
        "capabilities": recipe.capabilities,
        "targeting": targeting(&recipe.targeting),
        "rollout": {
            "namespace": recipe.rollout.namespace,
            "max_percent": recipe.rollout.max_percent,
        },
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

fn arguments(action: &Action) -> Value {
    match action {
        Action::InstallCertificates { certificates } => json!({ "certificates": certificates }),
        Action::ReverifyAddons { which } => json!({ "addons": which.as_str() }),
        Action::HoldVerification { until } => json!({ "until": until.to_string() }),
        Action::DistrustCertificates { by } => {
            json!({ "by": by.iter().map(distrust_entry).collect::<Vec<_>>() })
        }
    }
}

fn distrust_entry(entry: &DistrustEntry) -> Value {
    match entry {
        DistrustEntry::IssuerSerial { issuer, serial } => {
            json!({ "issuer": fields::base64(issuer), "serial": hex::encode(serial) })
        }
        DistrustEntry::Spki(digest) => json!({ "spki_sha256": digest }),
    }
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
