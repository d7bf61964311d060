//! Setting a gate: how far one revision of a published recipe is open.
//!
//! One person may always narrow, pause and end. Opening takes a second person's key, unless it is the next step of the plan
//! that people signed with the recipe, or goes no further than the gate was open before (`pace`).
//!
//! Nobody undoes what a colleague stopped without knowing it: to open a gate wider than a pause or a narrowing left it, a
//! request names the event that did it.
//!
//! An ended revision stays ended: clients may have undone it, and a later change of mind deserves a new revision with its
//! signatures. Everything else may follow everything else.

mod pace;
mod second;

use jiff::Timestamp;
use mulberry_shared::approval::Approval;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{GateRequest, ProblemKind};
use mulberry_shared::recipe::{Opens, RecipePath};
use mulberry_shared::sampling::BasisPoints;

use super::Refusal;
use super::clients::Clients;
use crate::clock::watch::Time;
use crate::event::{Event, SetGate};
use crate::state::{Pace, Published, Stamp, State, share};

pub use pace::next_step;

/// The event that the request asks for; `None` when the gate already stands so, for clients, too. Another reason changes
/// nothing for what is open, since a bake would begin anew, nor for what has ended, since that is over.
///
/// # Errors
/// `unknown-recipe`, `revision-mismatch`, `gate-ended`, `gate-refused`, `would-resume`, `second-key-needed`,
/// `approval-refused`.
pub fn decide(
    state: &State,
    actor: &str,
    path: &RecipePath,
    request: &GateRequest,
    time: impl Into<Time>,
    limits: &Limits,
) -> Result<Option<Event>, Refusal> {
    let time = time.into();
    let Some(published) = state.recipe(path) else {
        let remedy = "publish it first, or check the slug and the lane with `mulberryctl status`";
        return Err(Refusal::new(ProblemKind::UnknownRecipe, format!("{path} is not published"), remedy));
    };
    let revision = published.recipe.revision;
    if request.revision != revision {
        let detail = format!("revision {} of {path} is meant, but {revision} is published", request.revision);
        let remedy = "look at what is published now, then name its revision";
        return Err(Refusal::new(ProblemKind::RevisionMismatch, detail, remedy));
    }
    let current = state.gates.of(path, revision);
    let floor = state.pace(path).and_then(|pace| pace.floor(time.now)).unwrap_or(Timestamp::MIN);
    // One that lies ahead is set again as it stands: so it gets its right time.
    let ahead = is_ahead(state.pace(path), current, &time);
    let percent = percent(request, current)?;
    let stands = current.filter(|old| (old.state, old.percent) == (request.state, percent));
    let gate = SetGate {
        revision,
        state: request.state,
        percent,
        reason: Refusal::reason(&request.reason, limits.recipe.reason, ProblemKind::GateRefused)?,
        note: note(request, stands, limits)?,
        since: match (&request.approval, stands) {
            (Some(approval), _) => approval.since,
            // Another word for the public begins no bake anew, and ends nothing later.
            (None, Some(old)) if old.state != GateState::Paused && !ahead => old.since,
            // Never before what was there: what people signed for an earlier instant must stay used.
            (None, _) => whole_seconds(time.now).max(floor),
        },
    };
    if request.approval.is_some() && gate.state != GateState::Open {
        let detail = "signatures are for opening; anyone may pause or end alone";
        return Err(Refusal::new(ProblemKind::GateRefused, detail, "ask again without them"));
    }
    let clients = || Clients::of(state, limits).differ(state, &published.recipe, time.now);
    let differs = if gate.state == GateState::Open { clients() } else { None };
    let same = stands.is_some_and(|old| {
        let until = |approval: &Option<Approval>| approval.as_ref().map(|approval| approval.open_until);
        let signed = request.approval.is_none()
            || old.approval.is_none()
            || until(&request.approval) == until(&old.approval);
        let reason = old.state != GateState::Paused || state.reason(path) == gate.reason;
        signed && reason && old.note == gate.note && differs.is_none() && !ahead
    });
    match current {
        Some(current) if current.state == GateState::Ended && gate.state != GateState::Ended => {
            let detail =
                format!("revision {revision} of {path} has ended since {}; an end is final", current.since);
            Err(Refusal::new(ProblemKind::GateEnded, detail, "publish a new revision and open that"))
        }
        _ if same => Ok(None),
        // Clients refuse a gates.json with more, and then nothing opens any more.
        _ if !state.gates.0.contains_key(path) && state.gates.0.len() >= limits.recipe.gates => {
            let detail = format!("there are {} gates, and clients take no more", limits.recipe.gates);
            Err(Refusal::new(ProblemKind::GateRefused, detail, "withdraw recipes that are over"))
        }
        _ => {
            check_resumes(state, path, current, &gate, published, request.resumes)?;
            let change = Change { actor, path, published, gate, differs, time };
            event(state, change, request.approval.as_ref(), limits).map(Some)
        }
    }
}

/// A change of a gate that is possible; whether this person may make it is another question.
struct Change<'a> {
    actor: &'a str,
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

/// Whether the request knows of the pause or narrowing that it undoes, if it undoes one.
fn check_resumes(
    state: &State,
    path: &RecipePath,
    current: Option<&Gate>,
    gate: &SetGate,
    published: &Published,
    resumes: Option<u64>,
) -> Result<(), Refusal> {
    let (Some(current), Some(Pace { last, stopped: true, .. })) = (current, state.pace(path)) else {
        return Ok(());
    };
    let most = published.recipe.rollout.max_percent;
    let wider = share(&gate.published(), most) > share(current, most);
    if !wider || resumes == Some(last.event) {
        return Ok(());
    }
    let Stamp { event, at, by } = last;
    let did = match current.state {
        GateState::Open => format!("narrowed it to {}", current.percent),
        GateState::Paused | GateState::Ended => "paused it".to_owned(),
    };
    let detail = format!("{by} {did} at {at:.0} (event {event}): {:?}", state.reason(path));
    let remedy = format!("if that is over, open it again and name the event: `resumes` {event}, `--resume`");
    Err(Refusal::new(ProblemKind::WouldResume, detail, remedy))
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

/// What the public is told: nothing new where the request names nothing and the gate stays as it is.
fn note(request: &GateRequest, stands: Option<&Gate>, limits: &Limits) -> Result<String, Refusal> {
    match &request.note {
        None => Ok(stands.map_or_else(String::new, |old| old.note.clone())),
        Some(note) if note.trim().is_empty() => Ok(String::new()),
        Some(note) => Refusal::reason(note, limits.recipe.reason, ProblemKind::GateRefused),
    }
}

fn percent(request: &GateRequest, current: Option<&Gate>) -> Result<BasisPoints, Refusal> {
    let refuse = |detail: String, remedy: &str| Err(Refusal::new(ProblemKind::GateRefused, detail, remedy));
    match (request.state, request.percent) {
        (GateState::Open, None) => {
            refuse("opening needs a percentage".to_owned(), "name one: there is no default")
        }
        (GateState::Open, Some(0)) => {
            refuse("open at 0 reaches nobody".to_owned(), "pause the gate, or open it wider")
        }
        (_, Some(points)) => match BasisPoints::new(points) {
            Some(points) => Ok(points),
            None => refuse(
                format!("{points} is no share: basis points go from 0 to 10000"),
                "give hundredths of a percent: 2500 is 25 %",
            ),
        },
        (_, None) => Ok(current.map_or(BasisPoints::NOBODY, |gate| gate.percent)),
    }
}

fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests;
