//! `mulberryctl gate end`: what it does to whom, and whether that is meant. It cannot be taken back.

use super::Narrow;
use crate::{
    failure::Failure,
    gates::{self, answer::does},
    output::{self, Format},
};
use clap::Args;
use jiff::Timestamp;
use mulberry_shared::operators::{GateState, RecipeStatus};

/// `gate end`
#[derive(Args, Debug)]
pub struct End {
    /// Which gate, and why
    #[command(flatten)]
    pub gate: Narrow,
    /// Do not ask before ending it; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// Shows what the end does. One that has ended already is asked for again by whoever lost the answer.
///
/// # Errors
/// As [`Format::print`].
pub(super) fn show(recipe: &RecipeStatus, now: Timestamp, format: Format) -> Result<(), Failure> {
    if has_ended(recipe) { Ok(()) } else { format.say(&describe(recipe, now)) }
}

/// Asks whether that is meant.
///
/// # Errors
/// It is not confirmed, or there is nobody to ask.
pub(super) fn confirm(recipe: &RecipeStatus, yes: bool) -> Result<(), Failure> {
    let question = format!("End revision {} for good?", recipe.revision);
    if has_ended(recipe) { Ok(()) } else { output::agree(yes, &question, "ended") }
}

fn has_ended(recipe: &RecipeStatus) -> bool {
    gates::of(recipe).is_some_and(|gate| gate.state == GateState::Ended)
}

fn describe(recipe: &RecipeStatus, now: Timestamp) -> String {
    let RecipeStatus { path, slug, revision, .. } = recipe;
    let set = gates::of(recipe).and_then(|gate| gate.set.as_ref());
    let by = set.map_or(String::new(), |set| format!(", by {}", gates::who(set, now)));
    format!(
        "ENDS {path} revision {revision} for good; now it is {}{by}.\n\
         Clients that do not have it never take this revision. What comes back is a new revision, with its signatures.\n\
         {}\n\
         To stop it and be able to go on: mulberryctl gate pause {slug} --reason TEXT",
        gates::words(recipe),
        does(recipe)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::fixtures::response;
    use mulberry_shared::operators::GateEnd;

    #[test]
    fn before_it_asks_it_says_who_is_met_and_the_way_that_can_be_taken_back() {
        let mut recipe = response(GateState::Open, 2_500, 10_000, 2_500).recipe;
        recipe.on_gate_end = Some(GateEnd::Keep);
        let now = "2026-11-22T12:03:00Z".parse().unwrap();
        let text = describe(&recipe, now);
        for part in [
            "ENDS emergency/fix.json revision 2 for good; now it is open at 25 %, by mei 3 minutes ago.",
            "Clients that do not have it never take this revision.",
            "Clients that have it keep what it did",
            "mulberryctl gate pause fix --reason TEXT",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    #[test]
    fn nothing_ends_unasked_and_what_has_ended_asks_nothing() {
        let recipe = |state| response(state, 2_500, 10_000, 0).recipe;
        let refused = confirm(&recipe(GateState::Open), false).unwrap_err();
        assert_eq!(refused.kind, "nobody-to-ask");
        assert!(refused.sentence.contains("--yes"), "{refused}");
        confirm(&recipe(GateState::Open), true).unwrap();
        confirm(&recipe(GateState::Ended), false).unwrap();
    }
}
