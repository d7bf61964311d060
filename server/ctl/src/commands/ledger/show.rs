//! Who did what, when and why, and whose keys signed it.
//!
//! What an event says of signatures and reasons is found wherever it stands in it: metadata as signed, lists of signatures, single ones. So
//! a new kind of event is shown without a word here.

use crate::{arguments::When, output};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use jiff::Timestamp;
use mulberry_shared::{
    answer::plain,
    ledger::event::Record,
    nearest::nearest,
    proposal::signing::holder,
    recipe::Slug,
    tuf::{Key, KeyId},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// `ledger show`
#[derive(Args, Debug, Default)]
pub struct Show {
    /// An export [default: the server's ledger]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Only what is about this recipe
    #[arg(long, value_name = "SLUG")]
    pub slug: Option<Slug>,
    /// Only what this actor asked for
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only from then on
    #[arg(long, value_name = "RFC3339", value_parser = When::parse)]
    pub since: Option<When>,
    /// Only before then
    #[arg(long, value_name = "RFC3339", value_parser = When::parse)]
    pub until: Option<When>,
}

/// What is shown, and the names of the keys so far.
#[derive(Debug, Default)]
pub(super) struct Shown {
    people: BTreeMap<String, String>,
    rows: Vec<Row>,
    /// What all events are about, and who asked for them: shown or not.
    slugs: BTreeSet<String>,
    actors: BTreeSet<String>,
}

#[derive(Debug)]
struct Row {
    record: Record,
    kind: String,
    signed: BTreeSet<String>,
    recipes: BTreeSet<String>,
    reason: Option<String>,
}

impl Shown {
    /// One event, in order: also those that are not shown name people.
    pub(super) fn add(&mut self, record: Record, wanted: &Show, now: Timestamp) {
        let event = serde_json::to_value(&record.event).unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut found = Found::default();
        found.look(&event);
        self.people.extend(found.people);
        self.slugs.extend(found.recipes.iter().cloned());
        self.actors.insert(record.actor.name().to_owned());
        let about = |slug: &str| found.recipes.iter().any(|recipe| recipe == slug);
        let shown = wanted.slug.as_ref().is_none_or(|slug| about(slug.as_str()))
            && wanted.actor.as_ref().is_none_or(|actor| actor == record.actor.name())
            && wanted.since.is_none_or(|since| record.at >= since.at(now))
            && wanted.until.is_none_or(|until| record.at < until.at(now));
        if shown {
            let Found { signed, recipes, reason, .. } = found;
            self.rows.push(Row { record, kind, signed, recipes, reason });
        }
    }

    /// The name that was probably meant by one of which the ledger knows nothing.
    fn meant(&self, wanted: &Show) -> Option<String> {
        let of = |name: Option<&str>, known: &BTreeSet<String>| {
            let name = name.filter(|name| !known.contains(*name))?;
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            nearest(name, &known).map(str::to_owned)
        };
        of(wanted.slug.as_ref().map(Slug::as_str), &self.slugs)
            .or_else(|| of(wanted.actor.as_deref(), &self.actors))
    }

    pub(super) fn words(&self, wanted: &Show) -> String {
        if self.rows.is_empty() {
            return match self.meant(wanted) {
                Some(meant) => format!("No event fits. Did you mean {}?", plain(&meant)),
                None => "No event fits.".to_owned(),
            };
        }
        let rows = self.rows.iter().map(|row| {
            let mut names: Vec<String> = row.signed.iter().map(|keyid| self.name(keyid)).collect();
            names.sort();
            [
                row.record.sequence.to_string(),
                output::instant(row.record.at),
                row.record.actor.name().to_owned(),
                row.record.event.describe(),
                names.join(", "),
                row.reason.clone().unwrap_or_default(),
            ]
            .map(|cell| plain(&cell))
        });
        output::table(["EVENT", "AT", "ASKED BY", "WHAT", "SIGNED WITH THE KEYS OF", "WHY"], rows)
    }

    pub(super) fn json(&self, wanted: &Show) -> Value {
        let rows = self.rows.iter().map(|row| {
            let signed = row.signed.iter().map(|keyid| json!({"keyid": keyid, "holder": self.name(keyid)}));
            json!({
                "sequence": row.record.sequence, "at": row.record.at, "actor": row.record.actor.name(), "person": row.record.actor.person(), "type": row.kind,
                "what": row.record.event.describe(), "reason": row.reason, "recipes": row.recipes,
                "signed": signed.collect::<Vec<_>>(),
            })
        });
        json!({"events": rows.collect::<Vec<_>>(), "meant": self.meant(wanted)})
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
    reason: Option<String>,
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
                if let Some(reason) = text("reason") {
                    self.reason = Some(reason.to_owned());
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
                    // What a lane lists is no news, so its recipes do not count.
                    let mut of = Self::default();
                    of.look(&signed);
                    self.people.extend(of.people);
                    self.signed.extend(of.signed);
                    self.reason = of.reason.or(self.reason.take());
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

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{digest::Sha256Digest, ledger::event};

    fn shown(event: Value) -> Shown {
        let record = json!({
            "format": event::FORMAT, "sequence": 2, "previous": Sha256Digest([0; 32]),
            "salt": "0f".repeat(event::SALT_BYTES), "at": "2026-05-04T00:00:00Z", "actor": "mei", "event": event,
        });
        let mut shown = Shown::default();
        shown.add(serde_json::from_value(record).unwrap(), &Show::default(), Timestamp::UNIX_EPOCH);
        shown
    }

    #[test]
    fn a_name_that_no_event_knows_finds_the_one_that_was_meant() {
        let mut shown = shown(json!({"type": "gate-set", "path": "emergency/replace-intermediate.json",
            "gate": {"revision": 1, "state": "paused", "percent": 1000, "reason": "r", "since": "2026-05-04T00:00:00Z"}}));
        shown.rows.clear();
        for (slug, actor, meant) in [
            (Some("replace-intermediat"), None, Some("replace-intermediate")),
            (None, Some("mej"), Some("mei")),
            (Some("replace-intermediate"), None, None),
            (Some("something-else"), None, None),
        ] {
            let wanted = Show {
                slug: slug.map(|slug| slug.parse().unwrap()),
                actor: actor.map(str::to_owned),
                ..Show::default()
            };
            assert_eq!(shown.json(&wanted)["meant"].as_str(), meant);
            let words = shown.words(&wanted);
            assert_eq!(
                words.ends_with(&format!("Did you mean {}?", meant.unwrap_or("-"))),
                meant.is_some(),
                "{words}"
            );
        }
    }

    #[test]
    fn reasons_are_shown_wherever_they_stand_and_no_terminal_obeys_them() {
        let lane = STANDARD.encode(br#"{"signatures":[],"signed":{}}"#);
        let word = STANDARD.encode(br#"{"signatures":[],"signed":{"reason":"flood"}}"#);
        let gate = json!({"revision": 1, "state": "paused", "percent": 1000, "reason": "crash\u{202e}es\u{1b}[2J",
            "since": "2026-05-04T00:00:00Z"});
        for (event, reason, human) in [
            (json!({"type": "proposal-dropped", "id": "ab".repeat(32), "reason": "typo"}), "typo", "typo"),
            (
                json!({"type": "gate-set", "path": "emergency/fix.json", "gate": gate}),
                "crash\u{202e}es\u{1b}[2J",
                "crash\u{fffd}es\u{fffd}[2J",
            ),
            (
                json!({"type": "continued", "continues": [word], "roots": [lane], "targets": lane, "lanes": {},
                    "recipes": {}, "gates": STANDARD.encode("{}"), "above": 1}),
                "flood",
                "flood",
            ),
        ] {
            let shown = shown(event);
            assert_eq!(shown.json(&Show::default())["events"][0]["reason"], reason);
            let words = shown.words(&Show::default());
            assert!(words.ends_with(human) && words.contains("WHY"), "{words}");
        }
        assert_eq!(
            shown(json!({"type": "initialised", "roots": [lane], "targets": lane, "lanes": {}}))
                .json(&Show::default())["events"][0]["reason"],
            Value::Null
        );
    }
}
