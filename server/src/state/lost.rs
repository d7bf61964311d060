//! The state that begins anew when a ledger was lost.

use mulberry_shared::gates::{Gate, GateState, Gates};
use mulberry_shared::ledger::continuation::{Continuation, Continuations};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::LedgerHead;
use mulberry_shared::recipe::{Opens, RecipePath};

use super::{State, initial};
use crate::event::Event;

/// The state after [`Event::Continued`]: what people signed is checked as ever, and enough people must have signed that this
/// ledger continues a lost one.
///
/// # Errors
/// What is not as it must be.
pub(super) fn continued(event: &Event, head: LedgerHead, limits: &Limits) -> Result<State, String> {
    let Event::Continued { continues, roots, targets, lanes, recipes, gates, above } = event else {
        return Err("it is no continuation".to_owned());
    };
    let mut state =
        initial(roots, targets, lanes, recipes, head, limits).map_err(|error| error.to_string())?;
    let read = |bytes: &[u8]| Continuation::read(bytes, limits).map_err(|error| error.to_string());
    let all: Vec<Continuation> = continues.iter().map(|one| read(&one.0)).collect::<Result<_, _>>()?;
    let last = all.last().ok_or("nobody signed that it continues a lost ledger")?;
    last.check(&state.root, limits).map_err(|error| format!("its continuation: {error}"))?;
    state.continuations = Continuations(all);
    state.above = *above;
    let published: Vec<(RecipePath, u64)> =
        state.recipes().map(|(path, published)| (path.clone(), published.recipe.revision)).collect();
    state.revisions.extend(published);
    for (path, gate) in Gates::read(&gates.0, limits).map_err(|error| error.to_string())?.0 {
        state.keep_gate(&path, gate, limits)?;
    }
    Ok(state)
}

impl State {
    /// A gate as the lost server had it.
    fn keep_gate(&mut self, path: &RecipePath, mut gate: Gate, limits: &Limits) -> Result<(), String> {
        let Some(approval) = gate.approval.take() else { return self.set_gate(path, &gate, None, limits) };
        let current = self.recipe(path).is_some_and(|published| {
            published.recipe.opens == Opens::People && published.recipe.revision == gate.revision
        });
        if !current {
            // It speaks for another revision, which nobody takes any more.
            return self.set_gate(path, &Gate { state: GateState::Paused, ..gate }, None, limits);
        }
        // First as people signed it, then as far as it was narrowed since.
        let (percent, since) = (approval.percent, approval.since);
        let signed = Gate { state: GateState::Open, percent, since, ..gate.clone() };
        self.set_gate(path, &signed, Some(&approval), limits)?;
        match signed == gate {
            true => Ok(()),
            false => self.set_gate(path, &gate, None, limits),
        }
    }
}
