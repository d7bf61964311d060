//! How far one person alone may open a gate: narrower, back to where it was, or the next step of the plan that people signed
//! with the recipe, once the step before it has baked. What only people may open, one person alone can only narrow.
//!
//! What has baked is told by the server's clock alone. It says that time has passed, not that all is well: nobody counts
//! reports here.

use jiff::Timestamp;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::operators::NextStep;
use mulberry_shared::recipe::{Opens, Recipe, Step};
use mulberry_shared::sampling::BasisPoints;

use crate::state::Pace;

/// Whether one person alone may open it so far.
///
/// # Errors
/// Why not, in words.
pub(super) fn alone(
    recipe: &Recipe,
    pace: Option<&Pace>,
    current: Option<&Gate>,
    wanted: BasisPoints,
    now: Timestamp,
) -> Result<(), String> {
    if recipe.opens == Opens::People {
        return match current.filter(|gate| gate.state == GateState::Open) {
            Some(gate) if wanted <= gate.percent => Ok(()),
            _ => {
                Err(format!("only the people of the {} lane open it, as many as sign a recipe", recipe.lane))
            }
        };
    }
    let most = recipe.rollout.max_percent;
    let wanted = wanted.min(most);
    let reached = reached(recipe, pace);
    if wanted <= reached {
        return Ok(());
    }
    let Some((next, before)) = recipe.rollout.next(reached) else {
        return Err(match recipe.rollout.plan.last() {
            None => "people signed no plan of steps with it".to_owned(),
            Some(last) => format!("the plan that people signed with it ends at {}", last.percent),
        });
    };
    if wanted > next.percent {
        return Err(format!("the next step of its plan is {}", next.percent));
    }
    let Some(before) = before.filter(|before| !before.bake.is_zero()) else { return Ok(()) };
    match ready(before, recipe, current) {
        Some(from) if from <= now => Ok(()),
        Some(from) => Err(format!(
            "its plan leaves it at {} for at least {:#}, until {from}",
            before.percent, before.bake
        )),
        None => Err(format!(
            "its plan leaves it at {} for at least {:#}, and it is not open so far now; open that first",
            before.percent, before.bake
        )),
    }
}

/// The next step that one person may take alone, and from when on: that of the plan, or back to the one before it, which has to
/// bake first and is not open so far.
#[must_use]
pub fn next_step(recipe: &Recipe, pace: Option<&Pace>, current: Option<&Gate>) -> Option<NextStep> {
    if recipe.opens == Opens::People || current.is_some_and(|gate| gate.state == GateState::Ended) {
        return None;
    }
    let (next, before) = recipe.rollout.next(reached(recipe, pace))?;
    let at_once = recipe.starts.unwrap_or(Timestamp::UNIX_EPOCH);
    let (percent, from) = match before.filter(|before| !before.bake.is_zero()) {
        Some(before) => match ready(before, recipe, current) {
            Some(from) => (next.percent, from),
            None => (before.percent, at_once),
        },
        None => (next.percent, at_once),
    };
    Some(NextStep { percent: percent.get(), from: Some(from) })
}

/// How far this revision was ever open.
fn reached(recipe: &Recipe, pace: Option<&Pace>) -> BasisPoints {
    pace.filter(|pace| pace.revision == recipe.revision).map_or(BasisPoints::NOBODY, |pace| pace.reached)
}

/// When the step has baked; `None` while the gate is not open so far. A pause begins the time anew, and before the recipe is in
/// force nobody takes it, so nothing bakes.
fn ready(step: &Step, recipe: &Recipe, current: Option<&Gate>) -> Option<Timestamp> {
    let most = recipe.rollout.max_percent;
    let gate =
        current.filter(|gate| gate.state == GateState::Open && gate.percent.min(most) >= step.percent)?;
    let since = recipe.starts.map_or(gate.since, |starts| gate.since.max(starts));
    Some(since.saturating_add(step.bake).unwrap_or(Timestamp::MAX))
}
