//! The gate that a request asks for.

use jiff::Timestamp;
use mulberry_shared::approval::Approval;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{GateRequest, ProblemKind};
use mulberry_shared::recipe::RecipePath;
use mulberry_shared::sampling::BasisPoints;

use crate::clock::watch::Time;
use crate::event::SetGate;
use crate::services::Refusal;
use crate::state::State;

/// That gate, with the instant from which it holds. `current` is the one that is there, if its own instant can be believed.
///
/// # Errors
/// `gate-refused`.
pub(super) fn gate(
    state: &State,
    path: &RecipePath,
    request: &GateRequest,
    current: Option<&Gate>,
    time: &Time,
    limits: &Limits,
) -> Result<SetGate, Refusal> {
    let there = state.gates.of(path, request.revision);
    let percent = percent(request, there)?;
    let stands = |old: &&Gate| (old.state, old.percent) == (request.state, percent);
    if request.approval.is_some() && request.state != GateState::Open {
        let detail = "signatures are for opening; anyone may pause or end alone";
        return Err(Refusal::new(ProblemKind::GateRefused, detail, "ask again without them"));
    }
    let floor = state.pace(path).and_then(|pace| pace.floor(time.now)).unwrap_or(Timestamp::MIN);
    Ok(SetGate {
        revision: request.revision,
        state: request.state,
        percent,
        reason: Refusal::reason(&request.reason, limits.recipe.reason, ProblemKind::GateRefused)?,
        note: note(request, there.filter(stands), limits)?,
        since: match (&request.approval, current.filter(stands)) {
            (Some(approval), _) => approval.since,
            // Another word for the public starts no bake again, and ends nothing later.
            (None, Some(old)) if old.state != GateState::Paused => old.since,
            // Never before what was there: what people signed for an earlier instant must stay used.
            (None, _) => whole_seconds(time.now).max(floor),
        },
    })
}

/// Whether the gate is so already. Another reason changes nothing for what is open or has ended.
pub(super) fn is_so(old: &Gate, reason: &str, wanted: &SetGate, request: &GateRequest) -> bool {
    let until = |approval: &Option<Approval>| approval.as_ref().map(|approval| approval.open_until);
    let signed = request.approval.is_none()
        || old.approval.is_none()
        || until(&request.approval) == until(&old.approval);
    (old.state, old.percent) == (wanted.state, wanted.percent)
        && (old.state != GateState::Paused || reason == wanted.reason)
        && signed
        && old.note == wanted.note
}

/// What the public is told: nothing new where the request names nothing and the gate stays as it is. Who signed an opening read all
/// that is published with it.
fn note(request: &GateRequest, stands: Option<&Gate>, limits: &Limits) -> Result<String, Refusal> {
    match &request.note {
        None if request.approval.is_some() => Ok(String::new()),
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
