//! Reading `gates.json`: each gate by itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Gate, GateState, Gates, PLAIN};
use crate::answer::plain;
use crate::json;
use crate::limits::{Limits, RecipeLimits};
use crate::quoted::quoted;
use crate::recipe::RecipePath;
use crate::text::is_comment;

/// The members of a gate that this code knows.
const MEMBERS: [&str; 8] = ["revision", "state", "percent", "reason", "note", "since", "ended", "approval"];

/// `gates.json` as one reader understands it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadGates {
    /// The gates that are understood whole.
    pub gates: Gates,
    /// Why a gate is not understood. It is closed, and it ends nothing.
    pub unclear: BTreeMap<RecipePath, String>,
}

/// `gates.json` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gates.json cannot be read: {0}")]
pub struct UnreadableGates(String);

/// That a revision was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End<'a> {
    /// The gate that says so.
    pub gate: &'a Gate,
    /// Whether that gate speaks for a later revision and lists this one.
    pub listed: bool,
}

impl ReadGates {
    /// Reads `gates.json`. Members beside `gates` and a newer `schema_version` are passed over: whatever narrows a gate stands
    /// in it.
    ///
    /// # Errors
    /// It is no JSON object with gates, or exceeds a ceiling.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, UnreadableGates> {
        let error = |why: &str| UnreadableGates(why.to_owned());
        let value = json::parse(bytes, &limits.json).map_err(|why| error(&why.to_string()))?;
        let Value::Object(mut document) = value else { return Err(error("it is no object")) };
        if document.get("schema_version").and_then(Value::as_u64).is_none_or(|number| number < PLAIN) {
            return Err(error("it names no schema_version"));
        }
        let Some(Value::Object(gates)) = document.remove("gates") else {
            return Err(error("it has no gates"));
        };
        let most = limits.recipe.gates;
        if gates.len() > most {
            return Err(error(&format!("more than {most} gates")));
        }
        let mut read = Self::default();
        for (path, gate) in gates {
            // What is at no path of a recipe says nothing about one.
            let Ok(path) = path.parse::<RecipePath>() else { continue };
            match understand(gate, &limits.recipe) {
                Ok(gate) => drop(read.gates.0.insert(path, gate)),
                Err(why) => drop(read.unclear.insert(path, why)),
            }
        }
        Ok(read)
    }

    /// The gates, where every one is understood: for a server that goes on from them.
    ///
    /// # Errors
    /// The first that is not.
    pub fn whole(self) -> Result<Gates, UnreadableGates> {
        match self.unclear.into_iter().next() {
            None => Ok(self.gates),
            Some((path, why)) => {
                Err(UnreadableGates(format!("the gate of {path}: {why}; a newer program is needed")))
            }
        }
    }

    /// Whether `revision` of the recipe at `path` was ended, and what says so.
    #[must_use]
    pub fn end_of(&self, path: &RecipePath, revision: u64) -> Option<End<'_>> {
        let gate = self.gates.0.get(path)?;
        let own = gate.revision == revision && gate.state == GateState::Ended;
        let listed = gate.revision > revision && gate.ended.contains(&revision);
        (own || listed).then_some(End { gate, listed })
    }
}

impl From<Gates> for ReadGates {
    fn from(gates: Gates) -> Self {
        Self { gates, unclear: BTreeMap::new() }
    }
}

impl std::fmt::Display for End<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.listed {
            return write!(f, "it was ended before revision {}", self.gate.revision);
        }
        write!(f, "ended since {}", self.gate.word())
    }
}

impl Gate {
    /// Since when, and the note if there is one.
    pub(crate) fn word(&self) -> String {
        let since: Timestamp = self.since;
        if self.note.is_empty() { since.to_string() } else { format!("{since}: {}", self.note) }
    }
}

/// One gate, or why it is not understood.
fn understand(gate: Value, limits: &RecipeLimits) -> Result<Gate, String> {
    let Value::Object(members) = &gate else { return Err("it is no object".to_owned()) };
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(format!("its member {} is not known here", quoted(unknown)));
    }
    if let Some(state) = unknown_state(members) {
        return Err(format!("its state {} is not known here", quoted(state)));
    }
    let gate: Gate = json::from_value(gate).map_err(|error| plain(&error.to_string()))?;
    if !is_comment(&gate.note, limits.reason) {
        return Err(format!("its note is longer than {} bytes or has control characters", limits.reason));
    }
    if gate.ended.len() > limits.ended {
        return Err(format!("it lists more than {} ended revisions", limits.ended));
    }
    if gate.ended.last().is_some_and(|last| *last >= gate.revision) {
        return Err("it lists an ended revision that is not an earlier one".to_owned());
    }
    let signatures = gate.approval.iter().flat_map(|approval| &approval.signatures);
    if signatures.into_iter().any(|signature| !signature.other.is_empty()) {
        return Err("a signature in it has a member that is not known here".to_owned());
    }
    Ok(gate)
}

fn unknown_state(members: &Map<String, Value>) -> Option<&str> {
    let state = members.get("state").and_then(Value::as_str)?;
    GateState::ALL.iter().all(|known| known.as_str() != state).then_some(state)
}
