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
