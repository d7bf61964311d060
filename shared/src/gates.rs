//! How far one revision of a published recipe is open now.
//!
//! `gates.json` is signed by the server's online key. A gate speaks for one revision only; a recipe without a gate is
//! closed. A gate never opens a recipe wider than people signed it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::limits::{Limits, RecipeLimits};
use crate::recipe::{RecipePath, is_comment};
use crate::sampling::BasisPoints;

/// The only `schema_version` of `gates.json`.
const SCHEMA_VERSION: u64 = 1;

/// What a gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateState {
    /// Clients within the percentage may enrol.
    Open,
    /// Nobody new may enrol; whoever is enrolled stays.
    Paused,
    /// The revision is over: enrolments end, as the recipe's `on_end` says.
    Ended,
}

impl GateState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// How far one revision is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The revision it speaks for, and no other.
    pub revision: u64,
    /// What it does.
    pub state: GateState,
    /// How far it is open; the recipe's own maximum narrows it.
    pub percent: BasisPoints,
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// All gates of an edition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates(pub BTreeMap<RecipePath, Gate>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema_version: u64,
    gates: BTreeMap<RecipePath, Gate>,
}

/// `gates.json` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gates.json cannot be read: {0}")]
pub struct UnreadableGates(String);

impl Gates {
    /// Reads `gates.json`.
    ///
    /// # Errors
    /// Anything but the schema that this code knows: a gate that is half understood could open what it should not.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, UnreadableGates> {
        let error = |why: String| UnreadableGates(why);
        let document: Document = json::decode(bytes, &limits.json).map_err(|e| error(e.to_string()))?;
        if document.schema_version != SCHEMA_VERSION {
            return Err(error(format!(
                "its schema_version is {}, this program knows {SCHEMA_VERSION}; a newer program is needed",
                document.schema_version
            )));
        }
        let RecipeLimits { gates, reason, .. } = &limits.recipe;
        if document.gates.len() > *gates {
            return Err(error(format!("more than {gates} gates")));
        }
        if let Some((path, _)) = document.gates.iter().find(|(_, gate)| !is_comment(&gate.reason, *reason)) {
            let why = format!("the reason of {path} is longer than {reason} bytes or has control characters");
            return Err(error(why));
        }
        Ok(Self(document.gates))
    }

    /// `gates.json`: the same bytes for the same gates.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let document = Document { schema_version: SCHEMA_VERSION, gates: self.0.clone() };
        // Only maps with text keys, texts and integers: turning them into a JSON value cannot fail.
        serde_json::to_value(document).unwrap_or_default().to_string().into_bytes()
    }

    /// The gate that speaks for `revision` of the recipe at `path`.
    #[must_use]
    pub fn of(&self, path: &RecipePath, revision: u64) -> Option<&Gate> {
        self.0.get(path).filter(|gate| gate.revision == revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"gates":{"emergency/fix.json":{"percent":2500,"reason":"canary","revision":2,"since":"2019-05-05T00:00:00Z","state":"open"}},"schema_version":1}"#;

    fn read(text: &str) -> Result<Gates, UnreadableGates> {
        Gates::read(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_document_reads_and_writes_back_the_same_bytes() {
        let gates = read(GOOD).unwrap();
        assert_eq!(gates.write(), GOOD.as_bytes());
        let path = "emergency/fix.json".parse().unwrap();
        assert_eq!(gates.of(&path, 2).unwrap().percent.to_string(), "25%");
        assert_eq!(gates.of(&path, 1), None, "it speaks for its revision only");
        assert_eq!(gates.of(&path, 3), None);
        assert_eq!(gates.of(&"routine/fix.json".parse().unwrap(), 2), None);
        assert_eq!(read(std::str::from_utf8(&Gates::default().write()).unwrap()), Ok(Gates::default()));
    }

    #[test]
    fn what_is_not_wholly_understood_opens_nothing() {
        for (from, to) in [
            (":1}", ":2}"),
            ("\"open\"", "\"ajar\""),
            ("2500", "10001"),
            ("2500", "25.5"),
            ("\"reason\"", "\"rings\":[\"qa\"],\"reason\""),
            ("\"reason\":\"canary\",", ""),
            ("\"canary\"", "\"\\u001b[2J\""),
            ("emergency/fix.json", "gates.json"),
            ("2019-05-05T00:00:00Z", "today"),
            ("{\"gates\"", "{\"schema_version\":1,\"gates\""),
        ] {
            assert!(GOOD.contains(from), "{from}");
            assert!(read(&GOOD.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn gates_and_reasons_are_bounded() {
        let long = GOOD.replace("canary", &"x".repeat(501));
        assert!(read(&long).unwrap_err().to_string().contains("longer than 500 bytes"));
        let mut limits = Limits::default();
        limits.recipe.gates = 0;
        assert!(Gates::read(GOOD.as_bytes(), &limits).unwrap_err().to_string().contains("more than 0 gates"));
    }
}
