//! Whether a request knows of what it undoes.

use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::operators::{ProblemKind, StopKind};

use super::Change;
use crate::services::Refusal;
use crate::state::{State, Stop, share};

/// Makes sure that every pause and narrowing that the change undoes is named.
///
/// # Errors
/// `would-resume`, with all of them.
pub(super) fn check(state: &State, change: &Change<'_>, named: &[u64]) -> Result<(), Refusal> {
    let Change { actor, path, published, gate, .. } = change;
    let Some(pace) = state.pace(path).filter(|pace| pace.revision == gate.revision) else { return Ok(()) };
    let open = share(&gate.published(), published.recipe.rollout.max_percent);
    if pace.stops.undone_by(open).all(|stop| named.contains(&stop.set.event)) {
        return Ok(());
    }
    let mut stops: Vec<String> = pace.stops.undone_by(open).map(|stop| describe(stop, actor)).collect();
    match pace.stops.unlisted() {
        0 => {}
        more => stops.insert(0, format!("{more} stops before these are in the ledger")),
    }
    let events: Vec<String> = pace.stops.undone_by(open).map(|stop| stop.set.event.to_string()).collect();
    let remedy = format!(
        "if all of that is over, open it again and name every event: `resumes` [{}], `--resume {}`",
        events.join(", "),
        events.join(",")
    );
    Err(Refusal::new(ProblemKind::WouldResume, stops.join("; "), remedy))
}

fn describe(stop: &Stop, actor: &Actor) -> String {
    let Stop { set, did, from, left, reason } = stop;
    let did = match did {
        StopKind::Paused => "paused it".to_owned(),
        StopKind::Narrowed => format!("narrowed it from {from} to {left}"),
    };
    let by = set.by.name();
    let own = match set.by.is_same(actor) {
        true if by == actor.name() => ", the token that asks,",
        true => ", a token of the person who asks,",
        false => "",
    };
    format!("{by}{own} {did} at {:.0} (event {}): {reason:?}", set.at, set.event)
}
