//! Who did what, when, and whose keys signed it.
//!
//! What an event says of signatures is found wherever it stands in it: metadata as signed, lists of signatures, single ones. So
//! a new kind of event is shown without a word here.

use crate::{cli, output};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use mulberry_shared::{
    ledger::event::Record,
    proposal::signing::holder,
    trust::{Key, KeyId},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is shown, and the names of the keys so far.
#[derive(Debug, Default)]
pub(super) struct Shown {
    people: BTreeMap<String, String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    record: Record,
    kind: String,
    signed: BTreeSet<String>,
    recipes: BTreeSet<String>,
}

impl Shown {
    /// One event, in order: also those that are not shown name people.
    pub(super) fn add(&mut self, record: Record, wanted: &cli::Show) {
        let event = serde_json::to_value(&record.event).unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut found = Found::default();
        found.look(&event);
        self.people.extend(found.people);
        let about = |slug: &str| found.recipes.iter().any(|recipe| recipe == slug);
        let shown = wanted.slug.as_ref().is_none_or(|slug| about(slug.as_str()))
            && wanted.actor.as_ref().is_none_or(|actor| *actor == record.actor)
            && wanted.since.is_none_or(|since| record.at >= since)
            && wanted.until.is_none_or(|until| record.at < until);
        if shown {
            self.rows.push(Row { record, kind, signed: found.signed, recipes: found.recipes });
        }
    }

    pub(super) fn words(&self) -> String {
        if self.rows.is_empty() {
            return "No event fits.".to_owned();
        }
        let rows = self.rows.iter().map(|row| {
            let mut names: Vec<String> = row.signed.iter().map(|keyid| self.name(keyid)).collect();
            names.sort();
            [
                row.record.sequence.to_string(),
                output::instant(row.record.at),
                row.record.actor.clone(),
                row.record.event.describe(),
                names.join(", "),
            ]
        });
        output::table(["EVENT", "AT", "ASKED BY", "WHAT", "SIGNED WITH THE KEYS OF"], rows)
    }

    pub(super) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let signed = row.signed.iter().map(|keyid| json!({"keyid": keyid, "holder": self.name(keyid)}));
            json!({
                "sequence": row.record.sequence, "at": row.record.at, "actor": row.record.actor, "type": row.kind,
                "what": row.record.event.describe(), "recipes": row.recipes, "signed": signed.collect::<Vec<_>>(),
            })
        });
        json!({"events": rows.collect::<Vec<_>>()})
    }

    fn name(&self, keyid: &str) -> String {
        self.people.get(keyid).cloned().unwrap_or_else(|| format!("key {keyid:.8}…"))
    }
}

/// What is found in an event.
#[derive(Default)]
struct Found {
    people: BTreeMap<String, String>,
    signed: BTreeSet<String>,
    recipes: BTreeSet<String>,
}

impl Found {
    fn look(&mut self, value: &Value) {
        match value {
            Value::Object(object) => {
                let text = |name: &str| object.get(name).and_then(Value::as_str);
                if let (Some(keyid), Some(sig)) = (text("keyid"), text("sig"))
                    && !sig.is_empty()
                {
                    self.signed.insert(keyid.to_owned());
                }
                for (name, inner) in object {
                    if name == "keys" {
                        self.learn(inner);
                    }
                    self.recipes.extend(slug(name));
                    if matches!(name.as_str(), "withdrawn" | "withdraw") {
                        let slugs = inner.as_array().into_iter().flatten().filter_map(Value::as_str);
                        self.recipes.extend(slugs.map(ToOwned::to_owned));
                    }
                    self.look(inner);
                }
            }
            Value::Array(all) => all.iter().for_each(|inner| self.look(inner)),
            Value::String(text) => {
                self.recipes.extend(slug(text));
                // Metadata as signed. Recipes are JSON, too, and hold nothing that is looked for.
                let decoded = STANDARD.decode(text).ok().filter(|bytes| bytes.first() == Some(&b'{'));
                let inner = decoded.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
                if let Some(signed) = inner.filter(|inner| inner.get("signatures").is_some()) {
                    // What a lane lists is no news, so only signatures and keys count of it.
                    let mut of = Self::default();
                    of.look(&signed);
                    self.people.extend(of.people);
                    self.signed.extend(of.signed);
                }
            }
            _ => {}
        }
    }

    fn learn(&mut self, keys: &Value) {
        for (keyid, key) in keys.as_object().into_iter().flatten() {
            if let Ok(key) = serde_json::from_value::<Key>(key.clone()) {
                self.people.insert(KeyId(keyid.clone()).0, holder(&key));
            }
        }
    }
}

/// The slug of `LANE/SLUG.json`.
fn slug(text: &str) -> Option<String> {
    let name = text.strip_prefix("emergency/").or_else(|| text.strip_prefix("routine/"))?;
    name.strip_suffix(".json").map(ToOwned::to_owned)
}
