//! Reading `gates.json`: each gate by itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Gate, GateState, Gates, PLAIN};
use crate::answer::plain;
use crate::json::{self, JsonError};
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
    pub unclear: BTreeMap<RecipePath, UnclearGate>,
}

/// `gates.json` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("gates.json cannot be read: {0}")]
pub struct UnreadableGates(pub GatesFault);

/// Why `gates.json` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatesFault {
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It is no object.
    #[error("it is no object")]
    NotAnObject,
    /// It does not say which schema it has.
    #[error("it names no schema_version")]
    NoSchema,
    /// There are no gates in it.
    #[error("it has no gates")]
    NoGates,
    /// It has more gates than this.
    #[error("more than {0} gates")]
    TooMany(usize),
    /// One gate is not understood, where all must be.
    #[error("the gate of {path}: {why}; a newer program is needed")]
    Unclear {
        /// Whose gate it is.
        path: RecipePath,
        /// Why it is not understood.
        why: UnclearGate,
    },
}

/// Why a gate is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnclearGate {
    /// It is no object.
    #[error("it is no object")]
    NotAnObject,
    /// It has a member that is not known here.
    #[error("its member {} is not known here", quoted(.0))]
    Member(String),
    /// It has a state that is not known here.
    #[error("its state {} is not known here", quoted(.0))]
    State(String),
    /// It has not the members of a gate.
    #[error("{}", plain(&.0.to_string()))]
    Malformed(#[from] JsonError),
    /// Its note is longer than so many bytes, or has control characters.
    #[error("its note is longer than {0} bytes or has control characters")]
    Note(usize),
    /// It lists more ended revisions than this.
    #[error("it lists more than {0} ended revisions")]
    TooManyEnded(usize),
    /// It lists an ended revision that is its own or a later one.
    #[error("it lists an ended revision that is not an earlier one")]
    EndedLater,
    /// A signature in it has a member that is not known here.
    #[error("a signature in it has a member that is not known here")]
    SignatureMember,
}

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
        let value = json::parse(bytes, &limits.json).map_err(|error| UnreadableGates(error.into()))?;
        let Value::Object(mut document) = value else { return Err(UnreadableGates(GatesFault::NotAnObject)) };
        if document.get("schema_version").and_then(Value::as_u64).is_none_or(|number| number < PLAIN) {
            return Err(UnreadableGates(GatesFault::NoSchema));
        }
        let Some(Value::Object(gates)) = document.remove("gates") else {
            return Err(UnreadableGates(GatesFault::NoGates));
        };
        let most = limits.recipe.gates;
        if gates.len() > most {
            return Err(UnreadableGates(GatesFault::TooMany(most)));
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
            Some((path, why)) => Err(UnreadableGates(GatesFault::Unclear { path, why })),
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

/// Since when a gate is as it is, and the public note on it, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// When it was set.
    pub at: Timestamp,
    /// The note.
    pub note: String,
}

impl std::fmt::Display for Since {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, note } = self;
        if note.is_empty() { write!(f, "{at}") } else { write!(f, "{at}: {note}") }
    }
}

impl Gate {
    /// Since when it is as it is, and why.
    #[must_use]
    pub fn since(&self) -> Since {
        Since { at: self.since, note: self.note.clone() }
    }
}

/// One gate, or why it is not understood.
fn understand(gate: Value, limits: &RecipeLimits) -> Result<Gate, UnclearGate> {
    let Value::Object(members) = &gate else { return Err(UnclearGate::NotAnObject) };
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(UnclearGate::Member(unknown.clone()));
    }
    if let Some(state) = unknown_state(members) {
        return Err(UnclearGate::State(state.to_owned()));
    }
    let gate: Gate = json::from_value(gate)?;
    if !is_comment(&gate.note, limits.reason) {
        return Err(UnclearGate::Note(limits.reason));
    }
    if gate.ended.len() > limits.ended {
        return Err(UnclearGate::TooManyEnded(limits.ended));
    }
    if gate.ended.last().is_some_and(|last| *last >= gate.revision) {
        return Err(UnclearGate::EndedLater);
    }
    let signatures = gate.approval.iter().flat_map(|approval| &approval.signatures);
    if signatures.into_iter().any(|signature| !signature.other.is_empty()) {
        return Err(UnclearGate::SignatureMember);
    }
    Ok(gate)
}

fn unknown_state(members: &Map<String, Value>) -> Option<&str> {
    let state = members.get("state").and_then(Value::as_str)?;
    GateState::ALL.iter().all(|known| known.as_str() != state).then_some(state)
}
