//! `mulberryctl gate end`: what it does to whom, and whether that is meant. It cannot be taken back.

use super::others;
use crate::{
    commands::{publish, status},
    failure::Failure,
    output::Format,
};
use jiff::Timestamp;
use mulberry_shared::operators::{GateEnd, GateState, RecipeStatus};

/// Shows what the end does. One that has ended already is asked for again by whoever lost the answer.
///
/// # Errors
/// As [`Format::print`].
pub(super) fn show(recipe: &RecipeStatus, now: Timestamp, format: Format) -> Result<(), Failure> {
    if has_ended(recipe) { Ok(()) } else { publish::say(format, &describe(recipe, now)) }
}

/// Asks whether that is meant.
///
/// # Errors
/// It is not confirmed, or there is nobody to ask.
pub(super) fn confirm(recipe: &RecipeStatus, yes: bool) -> Result<(), Failure> {
    let question = format!("End revision {} for good?", recipe.revision);
    if has_ended(recipe) { Ok(()) } else { publish::agree(yes, &question, "ended") }
}

fn has_ended(recipe: &RecipeStatus) -> bool {
    others::gate(recipe).is_some_and(|gate| gate.state == GateState::Ended)
}

fn describe(recipe: &RecipeStatus, now: Timestamp) -> String {
    let RecipeStatus { path, slug, revision, .. } = recipe;
    let set = others::gate(recipe).and_then(|gate| gate.set.as_ref());
    let by = set.map_or(String::new(), |set| format!(", by {}", others::who(set, now)));
    format!(
        "ENDS {path} revision {revision} for good; now it is {}{by}.\n\
         Clients that do not have it never take this revision. What comes back is a new revision, with its signatures.\n\
         {}\n\
         To stop it and be able to go on: mulberryctl gate pause {slug} --reason TEXT",
        status::gate(recipe),
        does(recipe)
    )
}

/// What an end does to clients that have the recipe.
pub(super) fn does(recipe: &RecipeStatus) -> &'static str {
    match recipe.on_gate_end {
        Some(GateEnd::Keep) => "Clients that have it keep what it did: its `on_end` is \"keep\".",
        Some(GateEnd::Revert) => "Clients that have it undo it, where that breaks no add-on that works.",
        Some(GateEnd::Nothing) => {
            "Clients that have it keep it in force: only the lane's people undo this action, with `publish --withdraw`."
        }
        None => "Clients that have it do as its `on_end` says, and undo only what breaks nothing.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::gate::answer::tests::response;

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
