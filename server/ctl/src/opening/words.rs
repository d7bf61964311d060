//! What people read before they sign an opening.

use super::Meant;
use crate::{gates::stops, output};
use jiff::Timestamp;
use mulberry_shared::{
    approval::{Opening, OpeningFile},
    operators::GateState,
    recipe::{Opens, words},
};

/// What the opening does, from the bytes to be signed; then what nobody signs.
#[must_use]
pub fn describe(file: &OpeningFile, meant: &Meant, now: Timestamp) -> String {
    let Opening { path, revision, percent, .. } = &file.opening;
    let gate = match &meant.gate {
        None => "closed".to_owned(),
        Some(gate) => match gate.state {
            GateState::Open => format!("open at {}", gate.percent),
            GateState::Paused => format!("paused at {}", gate.percent),
            GateState::Ended => "ended".to_owned(),
        },
    };
    let most = meant.recipe.rollout.max_percent;
    let beyond = if *percent > most {
        format!("\nPeople signed at most {most}, so that is all that it reaches.")
    } else {
        String::new()
    };
    format!(
        "OPENS {path} revision {revision} at {percent} of those it is for; now it is {gate}.{beyond}\n{}\n\
         Not signed, and can be changed on the way: the reason {:?}, {}{}\n\n{}",
        binds(&file.opening, meant),
        file.reason,
        match file.note.as_str() {
            "" => "and no note for the public.".to_owned(),
            note => format!("and the note for the public {note:?}."),
        },
        stopped(file, now),
        words::describe(&meant.recipe, now)
    )
}

/// What colleagues stopped, and this undoes. Only the server knows, and nobody signs it.
fn stopped(file: &OpeningFile, now: Timestamp) -> String {
    if file.stops.is_empty() {
        return String::new();
    }
    let lines: Vec<String> =
        file.stops.iter().map(|stop| format!("\n  {}", stops::describe(stop, now))).collect();
    format!(
        "\nUNDOES what colleagues did. So said the server when this opening was made; nobody signed it, so ask them:{}",
        lines.concat()
    )
}

/// Until when the signature counts, and whom that binds.
fn binds(opening: &Opening, meant: &Meant) -> String {
    let recipe = &meant.recipe;
    let (handed_in, end) = (output::instant(opening.expires), output::instant(recipe.expires));
    let clients = match (recipe.opens, opening.open_until) {
        (Opens::Server, _) => format!(
            "Clients never see it: until the recipe ends, at {end}, they open by the server's keys alone."
        ),
        (Opens::People, Some(until)) => format!(
            "Clients take the recipe by it until {}, whoever holds the server's keys; who has taken it keeps it.",
            output::instant(until)
        ),
        (Opens::People, None) => format!(
            "Clients take the recipe by it until the recipe ends, at {end}, whoever holds the server's keys. To end that sooner: \
             --open-until."
        ),
    };
    let before = meant.open_until().filter(|before| *before < opening.open_until.unwrap_or(recipe.expires));
    let longer = before.map_or(String::new(), |before| {
        format!("\nLONGER than people signed before: that was until {}.", output::instant(before))
    });
    format!(
        "The server takes it once, before {handed_in}. That binds the server, and nobody who stole its keys.\n{clients}{longer}"
    )
}
