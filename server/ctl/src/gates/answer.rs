//! What holds after a gate was set, in words; and what an end does to whom.

use crate::{failure::Failure, output, output::Format};
use mulberry_shared::{
    answer::plain,
    exit::Exit,
    operators::{GateEnd, GateResponse, GateState, GateStatus, RecipeStatus},
};

/// Prints what holds now.
///
/// # Errors
/// As [`Format::print`].
pub fn print(format: Format, response: &GateResponse, reason: &str) -> Result<Exit, Failure> {
    format.print(|| words(response, reason), || serde_json::json!(response))?;
    Ok(Exit::Yes)
}

/// What holds now, and what comes next.
fn words(response: &GateResponse, reason: &str) -> String {
    let recipe = &response.recipe;
    let gate_words = match &recipe.gate {
        None => "closed".to_owned(),
        Some(gate) => match gate.state {
            GateState::Open => {
                let until = gate
                    .open_until
                    .map_or(String::new(), |until| format!(" until {}", output::instant(until)));
                format!("open at {}{until}", output::percent(gate.percent.min(recipe.max_percent)))
            }
            GateState::Paused => "paused: no new enrolments, nothing is undone".to_owned(),
            GateState::Ended => "ended for good: no new enrolments".to_owned(),
        },
    };
    let mut text = format!(
        "{} revision {} is {gate_words} (edition {}, ledger {}).",
        recipe.path, recipe.revision, response.edition, response.ledger.sequence
    );
    // Servers that do not say so show it where the gate keeps another reason.
    let kept = recipe.gate.as_ref().filter(|gate| response.already.unwrap_or(gate.reason != reason));
    if let Some(gate) = kept {
        text = format!("{text}\nIt was so already, so nothing was recorded");
        text.push_str(&if gate.reason == reason {
            ".".to_owned()
        } else {
            format!(": its reason stays {:?}.", gate.reason)
        });
    }
    if let Some(gate) = recipe.gate.as_ref().filter(|gate| gate.state == GateState::Ended) {
        text = format!("{text}\n{}{}\n{AFTER_AN_END}", does(recipe), earlier(gate, &recipe.slug));
    }
    let open = recipe.gate.as_ref().filter(|gate| gate.state == GateState::Open);
    if let Some(gate) = open.filter(|gate| gate.percent > recipe.max_percent) {
        let asked = output::percent(gate.percent);
        text = format!("{text}\nThat is the most that people signed; {asked} was asked for.");
    }
    if let Some(why) = &recipe.closed_to_clients {
        text = format!("{text}\nNow it reaches nobody: clients take it for closed, since {}.", plain(why));
    } else if open.is_some_and(|gate| gate.percent.min(recipe.max_percent) > 0)
        && recipe.effective_percent == 0
    {
        let starts = recipe.starts.map_or(String::new(), |starts| format!("{} ", output::instant(starts)));
        text = format!(
            "{text}\nNow it reaches nobody: its window is {starts}to {}.",
            output::instant(recipe.expires)
        );
    }
    if let (Some(gate), Some(next)) = (open, &recipe.next_step) {
        let later = next.from.filter(|from| *from > gate.since);
        let from = later.map_or(String::new(), |from| format!(" from {} on", output::instant(from)));
        text = format!(
            "{text}\nNext step of its plan: {}, by one person alone{from}.",
            output::percent(next.percent)
        );
    }
    text
}

/// What an end does to clients that have the recipe.
#[must_use]
pub fn does(recipe: &RecipeStatus) -> &'static str {
    match recipe.on_gate_end {
        Some(GateEnd::Keep) => "Clients that have it keep what it did: its `on_end` is \"keep\".",
        Some(GateEnd::Revert) => "Clients that have it undo it, where that breaks no add-on that works.",
        Some(GateEnd::Nothing) => {
            "Clients that have it keep it in force: only the lane's people undo this action, with `publish --withdraw`."
        }
        None => "Clients that have it do as its `on_end` says, and undo only what breaks nothing.",
    }
}

/// How it goes on, as in the runbook.
const AFTER_AN_END: &str = "The fix is a new revision: raise `revision` in its recipe.toml, publish it and open its gate. Where old \
                            agents are in the field, give it another slug.";

/// What the end of a revision leaves to those that have an earlier one.
fn earlier(gate: &GateStatus, slug: &str) -> String {
    let numbers = gate.ended.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    match gate.ended.len() as u64 {
        known if known.saturating_add(1) >= gate.revision => String::new(),
        0 => format!(
            "\nClients that have an earlier revision keep it. What undoes that, too: mulberryctl publish --withdraw {slug} --key …"
        ),
        _ => format!(
            "\nClients that have an earlier revision keep it, unless that was ended, too ({numbers}). What undoes all: mulberryctl \
             publish --withdraw {slug} --key …"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::fixtures::response;
    use mulberry_shared::operators::NextStep;

    #[test]
    fn the_answer_says_what_holds_now() {
        let open = words(&response(GateState::Open, 500, 10_000, 500), "r");
        assert_eq!(open, "emergency/fix.json revision 2 is open at 5 % (edition 7, ledger 9).");
        let again = words(&response(GateState::Open, 500, 10_000, 500), "another");
        assert_eq!(
            again,
            format!("{open}\nIt was so already, so nothing was recorded: its reason stays \"r\".")
        );
        let mut twice = response(GateState::Open, 500, 10_000, 500);
        twice.already = Some(true);
        assert_eq!(words(&twice, "r"), format!("{open}\nIt was so already, so nothing was recorded."));
        let mut until = response(GateState::Open, 500, 10_000, 500);
        until.recipe.gate.as_mut().unwrap().open_until = Some("2026-11-22T14:00:00Z".parse().unwrap());
        assert!(words(&until, "r").contains("is open at 5 % until 2026-11-22 14:00:00Z ("));
        let outside = words(&response(GateState::Open, 5000, 2500, 0), "r");
        assert!(
            outside.ends_with("Now it reaches nobody: its window is to 2026-12-01 00:00:00Z."),
            "{outside}"
        );
        let mut closed = response(GateState::Open, 500, 10_000, 0);
        closed.recipe.closed_to_clients = Some("their signatures do not hold: 1 of 2".into());
        assert!(words(&closed, "r").ends_with("for closed, since their signatures do not hold: 1 of 2."));
        let mut baking = response(GateState::Open, 500, 10_000, 500);
        baking.recipe.next_step =
            Some(NextStep { percent: 2_500, from: Some("2026-11-22T12:15:00Z".parse().unwrap()) });
        let next = "Next step of its plan: 25 %, by one person alone from 2026-11-22 12:15:00Z on.";
        assert!(words(&baking, "r").ends_with(next), "{}", words(&baking, "r"));
    }

    #[test]
    fn it_never_claims_more_than_people_signed() {
        let capped = words(&response(GateState::Open, 6000, 2500, 2500), "r");
        let expected = "emergency/fix.json revision 2 is open at 25 % (edition 7, ledger 9).\n\
                        That is the most that people signed; 60 % was asked for.";
        assert_eq!(capped, expected);
    }

    #[test]
    fn an_end_says_what_becomes_of_what_clients_have() {
        let said = |end| {
            let mut ended = response(GateState::Ended, 5000, 2500, 0);
            ended.recipe.on_gate_end = end;
            words(&ended, "r")
        };
        let reverts = said(Some(GateEnd::Revert));
        assert!(
            reverts.contains(
                "is ended for good: no new enrolments (edition 7, ledger 9).\nClients that have it undo it"
            ),
            "{reverts}"
        );
        assert!(reverts.contains("Clients that have an earlier revision keep it"), "{reverts}");
        assert!(reverts.ends_with("Where old agents are in the field, give it another slug."), "{reverts}");
        let mut all = response(GateState::Ended, 5000, 2500, 0);
        all.recipe.gate.as_mut().unwrap().ended = vec![1];
        assert!(!words(&all, "r").contains("earlier revision"), "{}", words(&all, "r"));
        all.recipe.gate.as_mut().unwrap().revision = 4;
        assert!(words(&all, "r").contains("unless that was ended, too (1)"), "{}", words(&all, "r"));
        for kept in [Some(GateEnd::Keep), Some(GateEnd::Nothing)] {
            let text = said(kept);
            assert!(text.contains("Clients that have it keep") && !text.contains("undo it"), "{text}");
        }
        assert!(said(None).contains("as its `on_end` says"), "{}", said(None));
    }
}
