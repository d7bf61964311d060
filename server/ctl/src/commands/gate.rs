//! `mulberryctl gate open|sign|pause|end`: one small file, and the fastest thing a person can do.
//!
//! What one person does alone needs the server and a token and nothing else, so that narrowing works when much else does not.

pub(super) mod opening;

use crate::{
    cli::{self, GateCommand},
    config::Settings,
    failure::{Failure, FailureKind, Kind},
    operators::Operators,
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::Timestamp;
use mulberry_shared::{
    exit::Exit,
    limits::Limits,
    operators::{GateRequest, GateResponse, GateState, ProblemKind, RecipeStatus},
    recipe::{RecipeName, RecipePath, one_line},
};

/// Finds the published revision, sets its gate, says what holds now.
///
/// # Errors
/// No such recipe, another revision, or what the server refuses.
pub async fn run(
    command: &GateCommand,
    settings: &Settings,
    passphrases: &mut Passphrases,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    match command {
        GateCommand::Open(open) if open.key.is_empty() && open.out.is_none() => {
            let wish = Wish { recipe: &open.recipe, revision: open.revision, percent: Some(open.percent) };
            let reason = given(open.reason.as_deref(), &mut output::ask_line, limits)?;
            set(wish, GateState::Open, reason, settings, format).await
        }
        GateCommand::Open(open) => {
            let reason = given(open.reason.as_deref(), &mut output::ask_line, limits)?;
            opening::open(open, reason, settings, passphrases, now, format, limits).await
        }
        GateCommand::Sign(sign) => opening::sign_file(sign, settings, passphrases, now, format, limits).await,
        GateCommand::Pause(narrow) => self::narrow(narrow, GateState::Paused, settings, format, limits).await,
        GateCommand::End(narrow) => self::narrow(narrow, GateState::Ended, settings, format, limits).await,
    }
}

/// Which gate is meant, and how far.
struct Wish<'a> {
    recipe: &'a RecipeName,
    revision: Option<u64>,
    percent: Option<u16>,
}

async fn narrow(
    narrow: &cli::Narrow,
    state: GateState,
    settings: &Settings,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let wish = Wish { recipe: &narrow.recipe, revision: narrow.revision, percent: None };
    let reason = given(narrow.reason.as_deref(), &mut output::ask_line, limits)?;
    set(wish, state, reason, settings, format).await
}

/// What one person does alone.
async fn set(
    wish: Wish<'_>,
    state: GateState,
    reason: String,
    settings: &Settings,
    format: Format,
) -> Result<Exit, Failure> {
    let server = Operators::new(settings)?;
    let status = server.status().await?;
    let (recipe, path) = find(&status.recipes, wish.recipe)?;
    let revision = wish.revision.unwrap_or(recipe.revision);
    if revision != recipe.revision {
        return Err(other_revision(wish.recipe, recipe.revision, revision));
    }
    let request = GateRequest { revision, state, percent: wish.percent, reason, approval: None };
    let done = server.gate(&path, &request).await;
    print(format, &done.map_err(|failure| two_people(failure, &path, &request))?, &request.reason)
}

fn other_revision(name: &RecipeName, published: u64, wanted: u64) -> Failure {
    Failure::no(
        ProblemKind::RevisionMismatch,
        format!(
            "Revision {published} of `{name}` is published, not {wanted}. A gate speaks for the published revision only."
        ),
    )
}

fn print(format: Format, response: &GateResponse, reason: &str) -> Result<Exit, Failure> {
    format.print(|| words(response, reason), || serde_json::json!(response))?;
    Ok(Exit::Yes)
}

/// A refusal for want of further people, with the commands that come next.
fn two_people(failure: Failure, path: &RecipePath, request: &GateRequest) -> Failure {
    if failure.kind != Kind::from(ProblemKind::SecondKeyNeeded) {
        return failure;
    }
    let quoted = request.reason.replace('\'', "'\\''");
    let command = format!(
        "mulberryctl gate open {path} --percent {} --reason '{quoted}'",
        output::percent(request.percent.unwrap_or_default()).trim_end_matches([' ', '%'])
    );
    let sentence = format!(
        "{}\nWith whoever signs at this machine, a --key for each:\n  {command} --key people/NAME/{}.pem\n\
         With one at another machine:\n  {command} --out {}.opening",
        failure.sentence, path.lane, path.slug
    );
    Failure { sentence, ..failure }
}

/// The reason on the command line, or typed: `publish` ends with a command to copy, and its N is what needs thought.
fn given(
    reason: Option<&str>,
    ask: &mut dyn FnMut(&str) -> Option<String>,
    limits: &Limits,
) -> Result<String, Failure> {
    let reason = match reason {
        Some(reason) => Some(reason.to_owned()),
        None => ask("Why, for the ledger and for people? "),
    };
    let none = |what: &str| {
        let sentence = format!("{what}Say why with --reason TEXT: it stands in the ledger and in status.");
        Failure::usage(FailureKind::NoReason, sentence)
    };
    let reason = reason.filter(|reason| !reason.trim().is_empty()).ok_or_else(|| none(""))?;
    let line = one_line(&reason, limits.recipe.reason);
    line.map(str::to_owned).map_err(|why| none(&format!("As a reason this does not do: {why}. ")))
}

fn find<'a>(
    recipes: &'a [RecipeStatus],
    name: &RecipeName,
) -> Result<(&'a RecipeStatus, RecipePath), Failure> {
    let paths: Vec<RecipePath> = recipes.iter().filter_map(|recipe| recipe.path.parse().ok()).collect();
    let unknown = |why: &dyn std::fmt::Display| {
        let sentence = format!(
            "Among what is published {why}. To publish one: mulberryctl publish recipes/SLUG --key FILE …"
        );
        Failure::no(ProblemKind::UnknownRecipe, sentence)
    };
    let path = name.among(&paths).map_err(|error| unknown(&error))?;
    let found = recipes.iter().find(|recipe| recipe.path == path.to_string());
    found.map(|recipe| (recipe, path.clone())).ok_or_else(|| unknown(&path))
}

fn words(response: &GateResponse, reason: &str) -> String {
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
    // A gate that is open so already keeps its reason, since an event would begin its bake anew.
    if let Some(gate) = recipe.gate.as_ref().filter(|gate| gate.reason != reason) {
        text = format!(
            "{text}\nIt was so already, so nothing was recorded: its reason stays {:?}.",
            gate.reason
        );
    }
    if recipe.revision > 1 && recipe.gate.as_ref().is_some_and(|gate| gate.state == GateState::Ended) {
        text = format!(
            "{text}\nClients that have an earlier revision keep it. What undoes that, too: mulberryctl publish --withdraw {} --key …",
            recipe.slug
        );
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::{
        digest::Sha256Digest,
        operators::{GateStatus, LedgerHead, NextStep},
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
                next_step: None,
            },
            ledger: LedgerHead { sequence: 9, head: Sha256Digest::of(b"") },
        }
    }

    #[test]
    fn the_answer_says_what_holds_now() {
        let open = words(&response(GateState::Open, 500, 10_000, 500), "r");
        assert_eq!(open, "emergency/fix.json revision 2 is open at 5 % (edition 7, ledger 9).");
        let again = words(&response(GateState::Open, 500, 10_000, 500), "another");
        assert_eq!(
            again,
            format!("{open}\nIt was so already, so nothing was recorded: its reason stays \"r\".")
        );
        let capped = words(&response(GateState::Open, 5000, 2500, 2500), "r");
        assert!(
            capped.ends_with("Now it reaches 25 % of those it is for: people signed at most 25 %."),
            "{capped}"
        );
        let outside = words(&response(GateState::Open, 5000, 2500, 0), "r");
        assert!(outside.ends_with("its window is to 2026-12-01 00:00:00Z."), "{outside}");
        assert!(words(&response(GateState::Ended, 5000, 2500, 0), "r").contains("is ended for good: no new"));
        let ended = words(&response(GateState::Ended, 5000, 2500, 0), "r");
        assert!(ended.contains("Clients that have an earlier revision keep it"), "{ended}");
        let mut baking = response(GateState::Open, 500, 10_000, 500);
        baking.recipe.next_step =
            Some(NextStep { percent: 2_500, from: Some("2026-11-22T12:15:00Z".parse().unwrap()) });
        let next = "Next step of its plan: 25 %, by one person alone from 2026-11-22 12:15:00Z on.";
        assert!(words(&baking, "r").ends_with(next), "{}", words(&baking, "r"));
    }

    #[test]
    fn for_want_of_a_second_person_the_next_commands_are_printed() {
        let path = "emergency/fix.json".parse().unwrap();
        let request = GateRequest {
            revision: 1,
            state: GateState::Open,
            percent: Some(1_250),
            reason: "it's urgent".into(),
            approval: None,
        };
        let failure = Failure::no(ProblemKind::SecondKeyNeeded, "The server refused: …");
        let said = two_people(failure, &path, &request).sentence;
        for line in [
            "  mulberryctl gate open emergency/fix.json --percent 12.5 --reason 'it'\\''s urgent' --key people/NAME/emergency.pem",
            "  mulberryctl gate open emergency/fix.json --percent 12.5 --reason 'it'\\''s urgent' --out fix.opening",
        ] {
            assert!(said.lines().any(|said| said == line), "{said}");
        }
        let other = two_people(Failure::no(ProblemKind::GateEnded, "ended"), &path, &request);
        assert_eq!(other.sentence, "ended");
    }

    #[test]
    fn a_reason_is_given_or_asked_for_and_never_empty() {
        let limits = Limits::default();
        assert_eq!(given(Some(" canary "), &mut |_| panic!("nobody is asked"), &limits).unwrap(), "canary");
        assert_eq!(given(None, &mut |_| Some("typed\n".to_owned()), &limits).unwrap(), "typed");
        for (reason, answer) in [(None, None), (Some("  "), None), (None, Some("\n"))] {
            let refused = given(reason, &mut |_| answer.map(ToOwned::to_owned), &limits).unwrap_err();
            assert_eq!(refused.kind, "no-reason");
        }
    }

    #[test]
    fn an_unknown_name_shows_what_is_published() {
        let recipes = [response(GateState::Open, 1, 1, 1).recipe];
        for name in ["fix", "emergency/fix", "emergency/fix.json"] {
            assert_eq!(find(&recipes, &name.parse().unwrap()).unwrap().0.revision, 2);
        }
        let error = find(&recipes, &"fux".parse().unwrap()).unwrap_err();
        assert!(error.sentence.contains("no recipe fux; did you mean emergency/fix.json?"), "{error}");
    }
}
