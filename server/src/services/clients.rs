//! What clients make of the gates that are served, found out with the code that they decide with: a key that people revoked
//! closes a gate on every client, whatever the state here says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mulberry_shared::decide::{Gating, Refusal};
use mulberry_shared::gates::{Gate, GateState, ReadGates, UnreadableGates};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{Recipe, RecipePath};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::tuf::TrustError;

use crate::state::State;

/// The gates of a state, as clients read them.
#[derive(Clone, Debug)]
pub struct Clients {
    read: Result<ReadGates, UnreadableGates>,
    /// Whether the signatures hold that stand beside a gate.
    approved: BTreeMap<RecipePath, Result<(), TrustError>>,
}

impl Clients {
    /// Reads and checks what is published of this state.
    #[must_use]
    pub fn of(state: &State, limits: &Limits) -> Self {
        let check = |(path, gate): (&RecipePath, &Gate)| {
            let sha256 = state.recipe(path)?.sha256;
            let checked = gate.check_approval(path, sha256, &state.targets, limits)?;
            Some((path.clone(), checked))
        };
        Self {
            read: ReadGates::read(&state.gates.write(), limits),
            approved: state.gates.0.iter().filter_map(check).collect(),
        }
    }

    /// Why clients open nothing at all, or not this or that gate: they cannot read it.
    ///
    /// # Errors
    /// The document, or the first gate that is not understood.
    pub fn check(&self) -> Result<(), UnreadableGates> {
        self.read.clone()?.whole().map(drop)
    }

    /// The share of clients that may newly take the recipe, as far as its gate is concerned.
    ///
    /// # Errors
    /// Why nobody may.
    pub fn share(&self, recipe: &Recipe, now: Timestamp) -> Result<BasisPoints, Refusal> {
        let gates = self.read.as_ref().ok();
        let fault = self.read.as_ref().err();
        Gating { gates, fault, approved: &self.approved }.share(recipe, now)
    }

    /// Why clients take the gate of a published revision for closed, where it is open here.
    #[must_use]
    pub fn differ(&self, state: &State, recipe: &Recipe, now: Timestamp) -> Option<String> {
        let gate = state.gates.of(&recipe.path(), recipe.revision)?;
        let reaches = gate.percent.min(recipe.rollout.max_percent) > BasisPoints::NOBODY;
        if gate.state != GateState::Open || !reaches {
            return None;
        }
        self.share(recipe, now).err().map(|refusal| refusal.reason.to_string())
    }

    /// The open gates that clients take for closed, by path, each with a sentence for operators.
    pub fn closed(&self, state: &State, now: Timestamp) -> impl Iterator<Item = (RecipePath, String)> {
        state.gates.0.iter().filter_map(move |(path, gate)| {
            let recipe = &state.recipe(path)?.recipe;
            let why = self.differ(state, recipe, now).filter(|_| now < recipe.expires)?;
            let (percent, slug) = (gate.percent, &path.slug);
            let sentence = format!(
                "{path} is open at {percent} here, and clients take it for closed: {why}; if that is to stay so: mulberryctl gate pause \
                 {slug} --reason TEXT; otherwise have its people sign a new opening: mulberryctl gate open {slug} --percent N --key FILE \
                 --key FILE"
            );
            Some((path.clone(), sentence))
        })
    }
}
