//! Setting a gate: how far one revision of a published recipe is open.
//!
//! One person may always narrow, pause and end. Opening takes a second person's key, unless it is the next step of the plan
//! that people signed with the recipe, or goes no further than the gate was open before (`pace`).
//!
//! Nobody undoes what colleagues stopped without knowing it: to open a gate wider than pauses and narrowings left it, a request
//! names the event of each (`resume`).
//!
//! An ended revision stays ended: clients may have undone it, and a later change of mind deserves a new revision with its
//! signatures. Everything else may follow everything else.
//!
//! | module | what |
//! |---|---|
//! | `wanted` | the gate that a request asks for |
//! | `resume` | whether it knows what it undoes |
//! | `pace` | how far one person alone may open it |
//! | `second` | whether a second person's key lets it happen |

mod pace;
mod resume;
mod second;
mod wanted;

use mulberry_shared::approval::Approval;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{GateRequest, ProblemKind};
use mulberry_shared::recipe::{Opens, RecipePath};

use super::Refusal;
use super::clients::Clients;
use crate::clock::watch::Time;
use crate::event::{Event, SetGate};
use crate::state::{Pace, Published, State};

pub use pace::next_step;

/// The event that the request asks for; `None` when the gate already stands so, for clients, too. Another reason changes
/// nothing for what is open, since a bake would start again, nor for what has ended, since that is over.
///
/// # Errors
/// `unknown-recipe`, `revision-mismatch`, `gate-ended`, `gate-refused`, `would-resume`, `second-key-needed`,
/// `approval-refused`.
pub fn decide(
    state: &State,
    actor: &Actor,
    path: &RecipePath,
    request: &GateRequest,
    time: impl Into<Time>,
    limits: &Limits,
) -> Result<Option<Event>, Refusal> {
    let time = time.into();
    let published = meant(state, path, request.revision)?;
    let current = state.gates.of(path, request.revision);
    // One that lies ahead is set again as it stands: so it gets its right time.
    let ahead = is_ahead(state.pace(path), current, &time);
    let gate = wanted::gate(state, path, request, current.filter(|_| !ahead), &time, limits)?;
    let differs = match gate.state {
        GateState::Open => Clients::of(state, limits).differ(state, &published.recipe, time.now),
        GateState::Paused | GateState::Ended => None,
    };
    if let Some(ended) = current.filter(|old| old.state == GateState::Ended && gate.state != old.state) {
        let detail =
            format!("revision {} of {path} has ended since {}; an end is final", gate.revision, ended.since);
        return Err(Refusal::new(
            ProblemKind::GateEnded,
            detail,
            "publish a new revision and open that; where old agents are in the field, under another slug",
        ));
    }
    let stands = current.is_some_and(|old| wanted::is_so(old, state.reason(path), &gate, request));
    if stands && differs.is_none() && !ahead {
        return Ok(None);
    }
    // Clients refuse a gates.json with more, and then nothing opens any more.
    if !state.gates.0.contains_key(path) && state.gates.0.len() >= limits.recipe.gates {
        let detail = format!("there are {} gates, and clients take no more", limits.recipe.gates);
        return Err(Refusal::new(ProblemKind::GateRefused, detail, "withdraw recipes that are over"));
    }
    let change = Change { actor, path, published, gate, differs, time };
    resume::check(state, &change, &request.resumes)?;
    event(state, change, request.approval.as_ref(), limits).map(Some)
}

/// The published recipe, if it has the revision that is meant.
fn meant<'a>(state: &'a State, path: &RecipePath, revision: u64) -> Result<&'a Published, Refusal> {
    let Some(published) = state.recipe(path) else {
        let remedy = "publish it first, or check the slug and the lane with `mulberryctl status`";
        return Err(Refusal::new(ProblemKind::UnknownRecipe, format!("{path} is not published"), remedy));
    };
    if revision != published.recipe.revision {
        let live = published.recipe.revision;
        let detail = format!("revision {revision} of {path} is meant, but {live} is published");
        let remedy = "look at what is published now, then name its revision";
        return Err(Refusal::new(ProblemKind::RevisionMismatch, detail, remedy));
    }
    Ok(published)
}

/// A change of a gate that is possible; whether this person may make it is another question.
struct Change<'a> {
    actor: &'a Actor,
    path: &'a RecipePath,
    published: &'a Published,
    gate: SetGate,
    /// Why clients take the gate that is open here for closed.
    differs: Option<String>,
    time: Time,
}

fn event(
    state: &State,
    change: Change<'_>,
    approval: Option<&Approval>,
    limits: &Limits,
) -> Result<Event, Refusal> {
    if let Some(approval) = approval {
        let approval = second::judge(state, &change, approval, limits)?;
        let (path, gate) = (change.path.clone(), change.gate);
        room(state, &path, &Gate { approval: Some(approval.clone()), ..gate.published() }, limits)?;
        return Ok(Event::GateApproved { path, gate, approval });
    }
    let Change { path, published, gate, differs, time, .. } = change;
    let path = path.clone();
    if gate.state == GateState::Open {
        room(state, &path, &gate.published(), limits)?;
    }
    let (pace, current) = (state.pace(&path), state.gates.of(&path, gate.revision));
    let alone = match differs.filter(|_| published.recipe.opens == Opens::People) {
        Some(why) => Err(format!("clients take it for closed: {why}")),
        None => pace::alone(&published.recipe, pace, current, gate.percent, &time),
    };
    if gate.state == GateState::Open
        && let Err(why) = alone
    {
        let detail = format!(
            "one person alone may not open {path} revision {} at {} now: {why}",
            gate.revision, gate.percent
        );
        let remedy = match published.recipe.opens {
            Opens::Server => {
                "take the next step of the plan when its time has come, or have a second person sign the opening"
            }
            Opens::People => "have them sign the opening",
        };
        return Err(Refusal::new(ProblemKind::SecondKeyNeeded, detail, remedy));
    }
    Ok(Event::GateSet { path, gate })
}

/// Whether a gate was set at a time that lies ahead: the clock was wrong then, or is now.
#[must_use]
pub fn is_ahead(pace: Option<&Pace>, gate: Option<&Gate>, time: &Time) -> bool {
    let recorded = pace.is_some_and(|pace| time.is_ahead(pace.last.at));
    recorded || gate.is_some_and(|gate| time.is_ahead(gate.since))
}

/// Clients read no longer `gates.json`, and then nothing opens any more. Pausing and ending are never held up by it.
fn room(state: &State, path: &RecipePath, gate: &Gate, limits: &Limits) -> Result<(), Refusal> {
    let mut gates = state.gates.clone();
    let ended = gates.0.get(path).map(|old| old.ended.clone()).unwrap_or_default();
    gates.0.insert(path.clone(), Gate { ended, ..gate.clone() });
    let (bytes, most) = (gates.write().len(), limits.trust.file_bytes);
    if u64::try_from(bytes).is_ok_and(|bytes| bytes <= most) {
        return Ok(());
    }
    let detail = format!("gates.json would have {bytes} bytes, and clients take {most}");
    Err(Refusal::new(
        ProblemKind::GateRefused,
        detail,
        "withdraw recipes that are over, or give a shorter public note",
    ))
}

#[cfg(test)]
mod tests;
