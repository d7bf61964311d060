//! Gates as the server reports them.
//!
//! | module | what |
//! |---|---|
//! | `answer` | what holds after a gate was set |
//! | `stops` | what people stopped or signed before, and is not undone unknown |

pub mod answer;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod stops;

use crate::output;
use jiff::Timestamp;
use mulberry_shared::operators::{GateState, GateStatus, RecipeStatus, SetBy};

/// The gate of the published revision.
#[must_use]
pub fn of(recipe: &RecipeStatus) -> Option<&GateStatus> {
    recipe.gate.as_ref().filter(|gate| gate.revision == recipe.revision)
}

/// Who set it, and when.
#[must_use]
pub fn who(set: &SetBy, now: Timestamp) -> String {
    format!("{} {}", set.by, output::distance(set.at, now))
}

/// The gate in a few words; one of an older revision does not count.
#[must_use]
pub fn words(recipe: &RecipeStatus) -> String {
    match of(recipe) {
        None => "closed".to_owned(),
        Some(gate) => match gate.state {
            GateState::Open => {
                let until = gate
                    .open_until
                    .map_or_else(String::new, |until| format!(" until {}", output::instant(until)));
                format!("open at {}{until}", output::percent(gate.percent.min(recipe.max_percent)))
            }
            GateState::Paused => "paused".to_owned(),
            GateState::Ended => "ended".to_owned(),
        },
    }
}
