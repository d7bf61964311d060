//! What somebody else did at a gate: nobody undoes that without knowing it.

use crate::{failure::Failure, output};
use jiff::Timestamp;
use mulberry_shared::operators::{GateState, GateStatus, ProblemKind, RecipeStatus, SetBy};

/// The gate of the published revision.
pub(super) fn gate(recipe: &RecipeStatus) -> Option<&GateStatus> {
    recipe.gate.as_ref().filter(|gate| gate.revision == recipe.revision)
}

/// Who set it, and when.
pub(super) fn who(set: &SetBy, now: Timestamp) -> String {
    format!("{} {}", set.by, output::distance(set.at, now))
}

/// The event that a request must name to open the gate at `percent`: the pause or narrowing that this undoes, if there is one.
///
/// # Errors
/// There is one, and `resume` does not say that it is over.
pub(super) fn resumes(
    recipe: &RecipeStatus,
    percent: u16,
    resume: bool,
    now: Timestamp,
) -> Result<Option<u64>, Failure> {
    let Some((gate, set)) = gate(recipe).and_then(|gate| Some((gate, gate.set.as_ref()?))) else {
        return Ok(None);
    };
    let now_open = if gate.state == GateState::Open { gate.percent.min(recipe.max_percent) } else { 0 };
    if !gate.stopped || gate.state == GateState::Ended || percent.min(recipe.max_percent) <= now_open {
        return Ok(None);
    }
    let did = match gate.state {
        GateState::Open => format!("narrowed to {}", output::percent(gate.percent)),
        GateState::Paused | GateState::Ended => "paused".to_owned(),
    };
    let told = format!(
        "{} revision {} was {did} by {} (event {}): {:?}",
        recipe.path,
        recipe.revision,
        who(set, now),
        set.event,
        gate.reason
    );
    if resume {
        output::tell(&format!("{told}. This undoes that."));
        return Ok(Some(set.event));
    }
    Err(Failure::no(
        ProblemKind::WouldResume,
        format!(
            "{told}.\nNothing was opened, because that would undo it. Ask {}. If it is over, run the same again with --resume.",
            set.by
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::gate::answer::tests::response;

    #[test]
    fn what_somebody_stopped_is_told_and_only_named_is_it_undone() {
        let now = "2026-11-22T12:00:03Z".parse().unwrap();
        let mut paused = response(GateState::Paused, 2_500, 10_000, 0).recipe;
        let refused = resumes(&paused, 2_500, false, now).unwrap_err();
        assert_eq!(refused.kind, "would-resume");
        let told = "emergency/fix.json revision 2 was paused by mei 3 seconds ago (event 9): \"r\".";
        assert!(refused.sentence.starts_with(told) && refused.sentence.contains("--resume"), "{refused}");
        assert_eq!(resumes(&paused, 2_500, true, now).unwrap(), Some(9));

        let mut narrowed = response(GateState::Open, 500, 10_000, 500).recipe;
        assert_eq!(resumes(&narrowed, 2_500, false, now).unwrap(), None, "nobody stopped it");
        narrowed.gate.as_mut().unwrap().stopped = true;
        let refused = resumes(&narrowed, 2_500, false, now).unwrap_err();
        assert!(refused.sentence.contains("was narrowed to 5 % by mei"), "{refused}");
        assert_eq!(resumes(&narrowed, 500, false, now).unwrap(), None, "it goes no further");
        narrowed.max_percent = 400;
        assert_eq!(resumes(&narrowed, 2_500, false, now).unwrap(), None, "nor does it beyond the maximum");

        paused.revision = 3;
        assert_eq!(resumes(&paused, 2_500, false, now).unwrap(), None, "a gate speaks for one revision");
        paused.revision = 2;
        paused.gate.as_mut().unwrap().set = None;
        assert_eq!(
            resumes(&paused, 2_500, false, now).unwrap(),
            None,
            "an older server does not say, and does not ask"
        );
    }
}
