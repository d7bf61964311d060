//! How far one revision of a published recipe is open now.
//!
//! `gates.json` is signed by the server's online key. A gate speaks for one revision only; a recipe without a gate is
//! closed. A gate never opens a recipe wider than people signed it. Where only the lane's people may open a recipe, the gate
//! carries their signatures.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::Approval;
use crate::json;
use crate::limits::{Limits, RecipeLimits};
use crate::recipe::{RecipePath, is_comment};
use crate::sampling::BasisPoints;

/// The `schema_version` of a `gates.json` without people's signatures, which every agent knows.
const PLAIN: u64 = 1;

/// The newest `schema_version`: some gate carries people's signatures.
const APPROVED: u64 = 2;

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
    /// What the lane's people signed, where only they may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
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
        if !(PLAIN..=APPROVED).contains(&document.schema_version) {
            return Err(error(format!(
                "its schema_version is {}, this program knows up to {APPROVED}; a newer program is needed",
                document.schema_version
            )));
        }
        let mut approvals = document.gates.values().filter_map(|gate| gate.approval.as_ref()).peekable();
        if document.schema_version == PLAIN && approvals.peek().is_some() {
            return Err(error(format!("people's signatures need schema_version {APPROVED}")));
        }
        if approvals.flat_map(|approval| &approval.signatures).any(|signature| !signature.other.is_empty()) {
            return Err(error("a signature has a member that is not known".to_owned()));
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
        let approved = self.0.values().any(|gate| gate.approval.is_some());
        let schema_version = if approved { APPROVED } else { PLAIN };
        let document = Document { schema_version, gates: self.0.clone() };
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
            (":1}", ":3}"),
            (":1}", ":0}"),
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
    fn people_s_signatures_need_the_newer_schema_and_are_read_strictly() {
        let approval = r#""approval":{"expires":"2019-05-06T00:00:00Z","percent":2500,"signatures":[{"keyid":"k","sig":"00"}],"since":"2019-05-05T00:00:00Z"},"percent""#;
        let two = GOOD.replacen("\"percent\"", approval, 1).replace(":1}", ":2}");
        let gates = read(&two).unwrap();
        assert_eq!(gates.write(), two.as_bytes());
        let gate = gates.of(&"emergency/fix.json".parse().unwrap(), 2).unwrap();
        assert_eq!(gate.approval.as_ref().unwrap().signatures[0].sig, "00");
        assert!(read(&GOOD.replace(":1}", ":2}")).is_ok());
        for (from, to) in [
            (":2}", ":1}"),
            ("\"sig\"", "\"later\":1,\"sig\""),
            ("\"signatures\"", "\"later\":1,\"signatures\""),
            ("\"percent\":2500,\"signatures\"", "\"percent\":10001,\"signatures\""),
        ] {
            assert!(two.contains(from), "{from}");
            assert!(read(&two.replacen(from, to, 1)).is_err(), "{from} -> {to}");
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
