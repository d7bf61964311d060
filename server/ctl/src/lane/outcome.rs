//! The last lines of a publish: what is live now, for whom, and what comes next.

use jiff::Timestamp;
use mulberry_shared::{
    answer::plain,
    operators::{GateState, PublishResponse, RecipeStatus},
    proposal::{Change, Changes},
    recipe::Opens,
};

use crate::{gates::stops, output};

/// What is live now, and what is not: the last lines, since they are what people act upon. Of all recipes of the lane where
/// it is not known which were touched.
pub fn words(response: &PublishResponse, changes: Option<&Changes>, now: Timestamp) -> String {
    let mut lines = vec![format!(
        "\nPublished: edition {}, lane {} version {}, ledger {}.",
        response.edition, response.lane, response.lane_version, response.ledger.sequence
    )];
    lines.extend(response.withdrawn.iter().map(|slug| format!("WITHDRAWN: {slug}.")));
    let touched = |recipe: &&RecipeStatus| {
        changes.is_none_or(|changes| {
            changes
                .iter()
                .any(|(path, change)| path.to_string() == recipe.path && *change != Change::Unchanged)
        })
    };
    lines.extend(response.recipes.iter().filter(touched).map(|recipe| live(recipe, now)));
    lines.join("\n")
}

/// What is live of a recipe, and what comes next.
pub fn live(recipe: &RecipeStatus, now: Timestamp) -> String {
    format!("{}{}", state(recipe, now), former(recipe))
}

/// What holds for clients that have an earlier revision, as its gate stands. What was ended stays so; no other one can be ended
/// any more.
fn former(recipe: &RecipeStatus) -> String {
    let RecipeStatus { slug, revision, .. } = recipe;
    let withdraw = format!("What undoes it there: mulberryctl publish --withdraw {slug} --key …");
    match recipe.gate.as_ref().filter(|gate| gate.revision < *revision) {
        None => String::new(),
        Some(gate) if gate.state == GateState::Ended => format!(
            "\nRevision {} has ended, and clients that were away meet its end whatever follows. Agents that do not know lists of \
             ended revisions take no gate at all once revision {revision} has one: where such are in the field, withdraw {slug} and \
             publish the fix under another slug.",
            gate.revision
        ),
        Some(gate) => format!(
            "\nClients that have revision {} keep it until they are among the share of revision {revision}, also when that is ended. \
             {withdraw}",
            gate.revision
        ),
    }
}

fn state(recipe: &RecipeStatus, now: Timestamp) -> String {
    let gate = recipe.gate.as_ref().filter(|gate| gate.revision == recipe.revision);
    let percent = recipe
        .next_step
        .as_ref()
        .map_or("N".to_owned(), |next| output::percent(next.percent).trim_end_matches([' ', '%']).to_owned());
    let (slug, lane) = (&recipe.slug, &recipe.lane);
    // Without keys it would be refused.
    let keys = match recipe.opens {
        Some(Opens::People) => {
            format!(" --key people/NAME/{lane}.pem …, a key of each of as many people as sign a recipe")
        }
        Some(Opens::Server) | None => String::new(),
    };
    let next = format!("mulberryctl gate open {slug} --percent {percent}");
    match gate.map(|gate| gate.state) {
        None => format!("NOT LIVE: gate closed. Next: {next}{keys}"),
        // Not the next command: whoever paused it had a reason.
        Some(GateState::Paused) => {
            let stops = stops::undone(recipe, u16::MAX);
            let all: Vec<String> = stops.iter().map(|stop| stops::describe(stop, now)).collect();
            let resume =
                if stops.is_empty() { String::new() } else { format!(" --resume {}", stops::events(&stops)) };
            let said = if all.is_empty() { "paused".to_owned() } else { all.join("; ") };
            format!("NOT LIVE: gate {said}. When that is over: {next}{resume}{keys}")
        }
        Some(GateState::Ended) => {
            format!(
                "NOT LIVE: gate ended, which is final for revision {}. Publish a higher revision.",
                recipe.revision
            )
        }
        Some(GateState::Open) if recipe.closed_to_clients.is_some() => format!(
            "NOT LIVE: clients take its gate for closed, since {}.",
            recipe.closed_to_clients.as_deref().map(plain).unwrap_or_default()
        ),
        Some(GateState::Open) => match recipe.starts.filter(|starts| *starts > now) {
            Some(starts) => format!("NOT LIVE: {} starts {}.", recipe.slug, output::distance(starts, now)),
            None => format!(
                "LIVE: {} reaches {} of those it is for.",
                recipe.slug,
                output::percent(recipe.effective_percent)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{
        digest::Sha256Digest,
        operators::{GateStatus, NextStep, SetBy},
    };

    #[test]
    fn the_last_line_says_what_is_live_and_what_to_do() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let mut recipe = RecipeStatus {
            path: "emergency/fix.json".into(),
            lane: "emergency".into(),
            slug: "fix".into(),
            revision: 2,
            name: "Fix".into(),
            action: "install-certificates".into(),
            sha256: Sha256Digest::of(b""),
            max_percent: 10_000,
            starts: None,
            expires: now,
            gate: None,
            opens: None,
            on_gate_end: None,
            effective_percent: 0,
            closed_to_clients: None,
            next_step: None,
        };
        let closed = "NOT LIVE: gate closed. Next: mulberryctl gate open fix --percent N";
        assert_eq!(live(&recipe, now), closed);
        recipe.opens = Some(Opens::People);
        assert_eq!(
            live(&recipe, now),
            format!(
                "{closed} --key people/NAME/emergency.pem …, a key of each of as many people as sign a recipe"
            ),
            "alone it would be refused"
        );
        recipe.opens = Some(Opens::Server);
        recipe.next_step = Some(NextStep { percent: 250, from: None });
        assert_eq!(live(&recipe, now), closed.replace("percent N", "percent 2.5"));
        recipe.next_step = None;
        let gate = |revision, state| {
            let set = Some(SetBy {
                event: 3,
                by: "mei".into(),
                by_person: None,
                at: now - jiff::SignedDuration::from_mins(3),
            });
            let stopped = state == GateState::Paused;
            Some(GateStatus {
                revision,
                state,
                percent: 500,
                reason: "r".into(),
                note: String::new(),
                ended: vec![],
                open_until: None,
                since: now,
                set,
                stopped,
                stops: vec![],
                unlisted_stops: 0,
            })
        };
        recipe.gate = gate(1, GateState::Open);
        assert_eq!(state(&recipe, now), closed, "a gate speaks for one revision");
        assert!(live(&recipe, now).contains("\nClients that have revision 1 keep it until"));
        recipe.gate = gate(1, GateState::Ended);
        let after_an_end = live(&recipe, now);
        assert!(
            after_an_end.contains("\nRevision 1 has ended, and clients that were away meet its end"),
            "{after_an_end}"
        );
        assert!(after_an_end.contains("withdraw fix"), "{after_an_end}");
        recipe.gate = gate(2, GateState::Open);
        recipe.closed_to_clients = Some("the signatures of the emergency lane have expired".into());
        assert!(
            live(&recipe, now)
                .starts_with("NOT LIVE: clients take its gate for closed, since the signatures")
        );
        recipe.closed_to_clients = None;
        recipe.effective_percent = 500;
        assert_eq!(live(&recipe, now), "LIVE: fix reaches 5 % of those it is for.");
        recipe.starts = Some(now + jiff::SignedDuration::from_hours(3));
        assert_eq!(live(&recipe, now), "NOT LIVE: fix starts in 3 hours.");
        recipe.starts = None;
        recipe.gate = gate(2, GateState::Paused);
        assert_eq!(
            live(&recipe, now),
            "NOT LIVE: gate paused by mei 3 minutes ago (event 3): \"r\". When that is over: mulberryctl gate open fix \
             --percent N --resume 3"
        );
        recipe.gate = gate(2, GateState::Ended);
        assert!(live(&recipe, now).contains("final for revision 2"));
    }
}
