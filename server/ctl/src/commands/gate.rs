//! `mulberryctl gate open|pause|end`: one small file, and the fastest thing a person can do.
//!
//! Needs the server and a token and nothing else, so that narrowing works when much else does not.

use crate::{
    cli::GateCommand,
    config::Settings,
    failure::{Failure, FailureKind},
    operators::Operators,
    output::{self, Format},
};
use mulberry_shared::{
    exit::Exit,
    operators::{GateRequest, GateResponse, GateState, ProblemKind, RecipeStatus},
    recipe::{RecipeName, RecipePath},
};

/// Finds the published revision, sets its gate, says what holds now.
///
/// # Errors
/// No such recipe, another revision, or what the server refuses.
pub async fn run(command: &GateCommand, settings: &Settings, format: Format) -> Result<Exit, Failure> {
    let (name, state, percent, reason, revision) = match command {
        GateCommand::Open { recipe, percent, reason, revision } => {
            (recipe, GateState::Open, Some(*percent), reason, revision)
        }
        GateCommand::Pause { recipe, reason, revision } => {
            (recipe, GateState::Paused, None, reason, revision)
        }
        GateCommand::End { recipe, reason, revision } => (recipe, GateState::Ended, None, reason, revision),
    };
    let reason = given(reason.as_deref(), &mut output::ask_line)?;
    let server = Operators::new(settings)?;
    let status = server.status().await?;
    let recipe = find(&status.recipes, name)?;
    let revision = revision.unwrap_or(recipe.revision);
    if revision != recipe.revision {
        return Err(Failure::no(
            ProblemKind::RevisionMismatch,
            format!(
                "Revision {} of `{name}` is published, not {revision}. A gate speaks for the published revision only.",
                recipe.revision
            ),
        ));
    }
    let request = GateRequest { revision, state, percent, reason };
    let response = server.gate(recipe, &request).await?;
    format.print(|| words(&response), || serde_json::json!(response))?;
    Ok(Exit::Yes)
}

/// The reason on the command line, or typed: `publish` ends with a command to copy, and its N is what needs thought.
fn given(reason: Option<&str>, ask: &mut dyn FnMut(&str) -> Option<String>) -> Result<String, Failure> {
    let reason = match reason {
        Some(reason) => Some(reason.to_owned()),
        None => ask("Why, for the ledger and for people? "),
    };
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    reason.ok_or_else(|| {
        Failure::usage(
            FailureKind::NoReason,
            "Say why with --reason TEXT: it stands in the ledger and in status.",
        )
    })
}

fn find<'a>(recipes: &'a [RecipeStatus], name: &RecipeName) -> Result<&'a RecipeStatus, Failure> {
    let paths: Vec<RecipePath> = recipes.iter().filter_map(|recipe| recipe.path.parse().ok()).collect();
    let unknown = |why: &dyn std::fmt::Display| {
        let sentence = format!(
            "Among what is published {why}. To publish one: mulberryctl publish recipes/SLUG --key FILE …"
        );
        Failure::no(ProblemKind::UnknownRecipe, sentence)
    };
    let path = name.among(&paths).map_err(|error| unknown(&error))?.to_string();
    recipes.iter().find(|recipe| recipe.path == path).ok_or_else(|| unknown(&path))
}

fn words(response: &GateResponse) -> String {
    let recipe = &response.recipe;
    let gate_words = match &recipe.gate {
        None => "closed".to_owned(),
        Some(gate) => match gate.state {
            GateState::Open => format!("open at {}", output::percent(gate.percent)),
            GateState::Paused => "paused: no new enrolments, nothing is undone".to_owned(),
            GateState::Ended => {
                "ended for good: no new enrolments; where the recipe says on_end = \"revert\", agents \
                                 undo what breaks nothing"
                    .to_owned()
            }
        },
    };
    let mut text = format!(
        "{} revision {} is {gate_words} (edition {}, ledger {}).",
        recipe.path, recipe.revision, response.edition, response.ledger.sequence
    );
    let open = recipe.gate.as_ref().filter(|gate| gate.state == GateState::Open);
    if let Some(gate) = open.filter(|gate| gate.percent != recipe.effective_percent) {
        let why = if recipe.effective_percent == 0 && gate.percent > 0 && recipe.max_percent > 0 {
            format!(
                "its window is {}to {}",
                recipe.starts.map_or(String::new(), |starts| format!("{} ", output::instant(starts))),
                output::instant(recipe.expires)
            )
        } else {
            format!("people signed at most {}", output::percent(recipe.max_percent))
        };
        text = format!(
            "{text}\nNow it reaches {} of those it is for: {why}.",
            output::percent(recipe.effective_percent)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{
        digest::Sha256Digest,
        operators::{GateStatus, LedgerHead},
    };

    fn response(state: GateState, percent: u16, max: u16, effective: u16) -> GateResponse {
        GateResponse {
            edition: 7,
            recipe: RecipeStatus {
                path: "emergency/fix.json".into(),
                lane: "emergency".into(),
                slug: "fix".into(),
                revision: 2,
                name: "Fix".into(),
                action: "install-certificates".into(),
                sha256: Sha256Digest::of(b""),
                max_percent: max,
                starts: None,
                expires: "2026-12-01T00:00:00Z".parse().unwrap(),
                gate: Some(GateStatus {
                    revision: 2,
                    state,
                    percent,
                    reason: "r".into(),
                    since: "2026-11-22T12:00:00Z".parse().unwrap(),
                }),
                effective_percent: effective,
            },
            ledger: LedgerHead { sequence: 9, head: Sha256Digest::of(b"") },
        }
    }

    #[test]
    fn the_answer_says_what_holds_now() {
        let open = words(&response(GateState::Open, 500, 10_000, 500));
        assert_eq!(open, "emergency/fix.json revision 2 is open at 5 % (edition 7, ledger 9).");
        let capped = words(&response(GateState::Open, 5000, 2500, 2500));
        assert!(
            capped.ends_with("Now it reaches 25 % of those it is for: people signed at most 25 %."),
            "{capped}"
        );
        let outside = words(&response(GateState::Open, 5000, 2500, 0));
        assert!(outside.ends_with("its window is to 2026-12-01 00:00:00Z."), "{outside}");
        assert!(words(&response(GateState::Ended, 5000, 2500, 0)).contains("is ended for good: no new"));
    }

    #[test]
    fn a_reason_is_given_or_asked_for_and_never_empty() {
        assert_eq!(given(Some(" canary "), &mut |_| panic!("nobody is asked")).unwrap(), "canary");
        assert_eq!(given(None, &mut |_| Some("typed\n".to_owned())).unwrap(), "typed");
        for (reason, answer) in [(None, None), (Some("  "), None), (None, Some("\n"))] {
            let refused = given(reason, &mut |_| answer.map(ToOwned::to_owned)).unwrap_err();
            assert_eq!(refused.kind, "no-reason");
        }
    }

    #[test]
    fn an_unknown_name_shows_what_is_published() {
        let recipes = [response(GateState::Open, 1, 1, 1).recipe];
        for name in ["fix", "emergency/fix", "emergency/fix.json"] {
            assert_eq!(find(&recipes, &name.parse().unwrap()).unwrap().revision, 2);
        }
        let error = find(&recipes, &"fux".parse().unwrap()).unwrap_err();
        assert!(error.sentence.contains("no recipe fux; did you mean emergency/fix.json?"), "{error}");
    }
}
