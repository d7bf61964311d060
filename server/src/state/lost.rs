//! The state that starts again when a ledger was lost.

use mulberry_shared::approval::Approval;
use mulberry_shared::gates::{Gate, GateState, ReadGates};
use mulberry_shared::ledger::continuation::{Continuation, Continuations};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::LedgerHead;
use mulberry_shared::recipe::RecipePath;
use mulberry_shared::sampling::BasisPoints;

use super::{Stamp, State, initial};
use crate::event::{Event, SetGate};

/// The state after [`Event::Continued`]: what people signed is checked as ever, and enough people must have signed that this
/// ledger continues a lost one.
///
/// # Errors
/// What is not as it must be.
pub(super) fn continued(
    event: &Event,
    stamp: &Stamp,
    head: LedgerHead,
    limits: &Limits,
) -> Result<State, String> {
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
    let gates = ReadGates::read(&gates.0, limits).and_then(ReadGates::whole);
    for (path, gate) in gates.map_err(|error| error.to_string())?.0 {
        state.keep_gate(&path, gate, stamp, limits)?;
    }
    Ok(state)
}

impl State {
    /// A gate as the lost server had it. What clients do not take as open (another revision's, or what people signed with keys
    /// that count no more) is paused here and stops no other; what is for nothing that is published is left out.
    fn keep_gate(
        &mut self,
        path: &RecipePath,
        mut gate: Gate,
        stamp: &Stamp,
        limits: &Limits,
    ) -> Result<(), String> {
        for revision in std::mem::take(&mut gate.ended) {
            let ended = Gate::new(revision, GateState::Ended, BasisPoints::NOBODY, gate.since);
            self.remember_end(path, &as_set(&ended));
        }
        let Some(published) = self.recipe(path) else { return Ok(()) };
        let open = gate.state == GateState::Open;
        if open && gate.revision == published.recipe.revision {
            let approval = gate.approval.take();
            if self.keep_open(path, &gate, approval.as_ref(), stamp, limits).is_ok() {
                return Ok(());
            }
        }
        let state = if open { GateState::Paused } else { gate.state };
        self.set_gate(path, &SetGate { state, ..as_set(&gate) }, None, stamp, limits)
    }

    /// First as people signed it, then as far as it was narrowed since.
    fn keep_open(
        &mut self,
        path: &RecipePath,
        gate: &Gate,
        approval: Option<&Approval>,
        stamp: &Stamp,
        limits: &Limits,
    ) -> Result<(), String> {
        if let Some(approval) = approval {
            let (percent, since) = (approval.percent, approval.since);
            let signed = SetGate { percent, since, ..as_set(gate) };
            self.set_gate(path, &signed, Some(approval), stamp, limits)?;
            if signed == as_set(gate) {
                return Ok(());
            }
        }
        self.set_gate(path, &as_set(gate), None, stamp, limits)
    }
}

/// A gate of the mirror. Why it was set is in the lost ledger; what was published of it stays.
fn as_set(gate: &Gate) -> SetGate {
    let Gate { revision, state, percent, note, since, .. } = gate.clone();
    SetGate { revision, state, percent, reason: note.clone(), note, since }
}

#[cfg(test)]
mod tests {
    use mulberry_shared::approval::{LIFE, Opening};
    use mulberry_shared::recipe::Lane;

    use super::*;
    use crate::ledger;
    use crate::services::publish;
    use crate::state;
    use crate::test_support::{Proposal, initial_state, key, path, start};

    const AT: &str = "emergency/guarded.json";

    fn published(revision: u64) -> State {
        let (before, limits) = (initial_state(), Limits::default());
        let proposal = Proposal::new(&before, Lane::Emergency, &[(AT, revision)], &[]);
        let event = publish::decide(&before, Lane::Emergency, &proposal.request(), start(), &limits);
        state::apply(Some(&before), &event.unwrap().unwrap(), ledger::EMPTY, &limits).unwrap()
    }

    /// A gate that is open at 1 %, where people signed 50 %.
    fn narrowed(state: &State) -> Gate {
        let published = state.recipe(&path(AT)).unwrap();
        let opening = Opening {
            path: path(AT),
            revision: published.recipe.revision,
            sha256: published.sha256,
            percent: BasisPoints::new(5_000).unwrap(),
            since: start(),
            expires: start() + LIFE,
            open_until: None,
        };
        let authority = state.targets.authority("emergency", "targets").unwrap();
        let signatures = [21, 22].map(|number| opening.sign(authority, &key(number)).unwrap());
        let percent = BasisPoints::new(100).unwrap();
        Gate {
            note: "canary".to_owned(),
            approval: Some(opening.approved(signatures.into())),
            ..Gate::new(opening.revision, GateState::Open, percent, start() + LIFE)
        }
    }

    fn kept(state: &mut State, gate: Gate) -> Option<Gate> {
        let stamp = Stamp { event: 1, at: start(), by: crate::test_support::actor("rebuild") };
        state.keep_gate(&path(AT), gate, &stamp, &Limits::default()).unwrap();
        state.gates.0.get(&path(AT)).cloned()
    }

    #[test]
    fn what_people_opened_stays_as_open_as_it_was() {
        let mut state = published(1);
        let gate = narrowed(&state);
        assert_eq!(kept(&mut state, gate.clone()), Some(gate));
        assert_eq!(state.pace(&path(AT)).unwrap().reached.get(), 5_000);
    }

    #[test]
    fn what_clients_take_for_closed_is_paused_and_stops_nothing() {
        let mut state = published(1);
        let gate = narrowed(&state);
        let paused = Some(Gate { state: GateState::Paused, approval: None, ..gate.clone() });
        let mut lacking = gate.clone();
        lacking.approval.as_mut().unwrap().signatures.pop();
        assert_eq!(kept(&mut state, lacking), paused, "a key of it was replaced");
        assert_eq!(kept(&mut state, Gate { approval: None, ..gate.clone() }), paused, "nobody signed it");
        let ended = Gate { state: GateState::Ended, approval: None, ..gate.clone() };
        assert_eq!(kept(&mut state, ended.clone()), Some(ended));

        let mut next = published(2);
        let old = kept(&mut next, Gate { approval: None, ..gate.clone() }).unwrap();
        assert_eq!((old.revision, old.state), (1, GateState::Paused));
        assert_eq!(kept(&mut initial_state(), gate), None, "it was withdrawn");
    }

    #[test]
    fn what_was_ended_stays_so_whatever_is_lost() {
        let mut state = published(5);
        let listed =
            Gate { ended: [1, 3].into(), ..Gate::new(5, GateState::Paused, BasisPoints::NOBODY, start()) };
        assert_eq!(kept(&mut state, listed.clone()), Some(listed));
        let withdrawn = kept(&mut initial_state(), Gate { ended: [1].into(), ..narrowed(&state) });
        assert_eq!(withdrawn, None);
    }
}
