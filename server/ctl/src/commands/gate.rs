//! `mulberryctl gate open|sign|pause|end`: one small file, and the fastest thing a person can do.
//!
//! What one person does alone needs the server and a token and nothing else, so that narrowing works when much else does not.
//!
//! | module | what |
//! |---|---|
//! | `answer` | what holds after a gate was set |
//! | `end` | what an end does to whom, and the question before it |
//! | `opening` | openings that more than one person answers for |
//! | `others` | what a colleague stopped, and is not undone unknown |

pub(super) mod answer;
mod end;
pub(super) mod opening;
mod others;

use crate::{
    cli::GateCommand,
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
            let wish = Wish {
                recipe: &open.recipe,
                revision: open.revision,
                change: Change::Open { percent: open.percent, resume: open.resume },
            };
            let words = Words::given(open.reason.as_deref(), open.public_note.as_deref(), limits)?;
            set(wish, words, settings, now, format).await
        }
        GateCommand::Open(open) => {
            let words = Words::given(open.reason.as_deref(), open.public_note.as_deref(), limits)?;
            opening::open(open, words, settings, passphrases, now, format, limits).await
        }
        GateCommand::Sign(sign) => opening::sign_file(sign, settings, passphrases, now, format, limits).await,
        GateCommand::Pause(pause) => {
            let wish = Wish { recipe: &pause.recipe, revision: pause.revision, change: Change::Pause };
            let words = Words::given(pause.reason.as_deref(), pause.public_note.as_deref(), limits)?;
            set(wish, words, settings, now, format).await
        }
        GateCommand::End(end) => {
            let wish = Wish {
                recipe: &end.gate.recipe,
                revision: end.gate.revision,
                change: Change::End { yes: end.yes },
            };
            let words = Words::given(end.gate.reason.as_deref(), end.gate.public_note.as_deref(), limits)?;
            set(wish, words, settings, now, format).await
        }
    }
}

/// Which gate is meant, and what shall become of it.
struct Wish<'a> {
    recipe: &'a RecipeName,
    revision: Option<u64>,
    change: Change,
}

enum Change {
    Open { percent: u16, resume: bool },
    Pause,
    End { yes: bool },
}

/// Why, for operators, and what is said to the public of it.
struct Words {
    reason: String,
    note: Option<String>,
}

impl Words {
    fn given(reason: Option<&str>, note: Option<&str>, limits: &Limits) -> Result<Self, Failure> {
        let unfit =
            |why| Failure::usage(FailureKind::NoReason, format!("As a public note this does not do: {why}."));
        let note = match note.map(str::trim) {
            // It takes back what was said before.
            Some("") => Some(String::new()),
            Some(note) => Some(one_line(note, limits.recipe.reason).map_err(unfit)?.to_owned()),
            None => None,
        };
        Ok(Self { reason: given(reason, &mut output::ask_line, limits)?, note })
    }
}

/// What one person does alone.
async fn set(
    wish: Wish<'_>,
    words: Words,
    settings: &Settings,
    now: Timestamp,
    format: Format,
) -> Result<Exit, Failure> {
    let server = Operators::new(settings)?;
    let status = server.status().await?;
    let (recipe, path) = find(&status.recipes, wish.recipe)?;
    let revision = wish.revision.unwrap_or(recipe.revision);
    if revision != recipe.revision {
        return Err(other_revision(wish.recipe, recipe.revision, revision));
    }
    let (state, percent, resumes) = match wish.change {
        Change::Open { percent, resume } => {
            (GateState::Open, Some(percent), others::resumes(recipe, percent, resume, now)?)
        }
        Change::Pause => (GateState::Paused, None, None),
        Change::End { yes } => {
            end::confirm(recipe, yes, now, format)?;
            (GateState::Ended, None, None)
        }
    };
    let Words { reason, note } = words;
    let request = GateRequest { revision, state, percent, reason, note, resumes, approval: None };
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
    format.print(|| answer::words(response, reason), || serde_json::json!(response))?;
    Ok(Exit::Yes)
}

/// A refusal for want of further people, with the commands that come next.
fn two_people(failure: Failure, path: &RecipePath, request: &GateRequest) -> Failure {
    if failure.kind != Kind::from(ProblemKind::SecondKeyNeeded) {
        return failure;
    }
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    // An opening in a file resumes when it is submitted.
    let resume = if request.resumes.is_some() { " --resume" } else { "" };
    let note =
        request.note.as_deref().map_or(String::new(), |note| format!(" --public-note {}", quoted(note)));
    let command = format!(
        "mulberryctl gate open {path} --percent {} --reason {}{note}",
        output::percent(request.percent.unwrap_or_default()).trim_end_matches([' ', '%']),
        quoted(&request.reason)
    );
    let sentence = format!(
        "{}\nWith whoever signs at this machine, a --key for each:\n  {command}{resume} --key people/NAME/{}.pem\n\
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
        None => ask("Why, for the ledger and for operators? "),
    };
    let none = |what: &str| {
        let sentence = format!(
            "{what}Say why with --reason TEXT: it stands in the ledger and in status, and is not published."
        );
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

#[cfg(test)]
mod tests {
    use super::*;
    use answer::tests::response;

    #[test]
    fn for_want_of_a_second_person_the_next_commands_are_printed() {
        let path = "emergency/fix.json".parse().unwrap();
        let request = GateRequest {
            revision: 1,
            state: GateState::Open,
            percent: Some(1_250),
            reason: "it's urgent".into(),
            note: Some("we're back".into()),
            resumes: Some(3),
            approval: None,
        };
        let failure = Failure::no(ProblemKind::SecondKeyNeeded, "The server refused: …");
        let said = two_people(failure, &path, &request).sentence;
        for line in [
            "  mulberryctl gate open emergency/fix.json --percent 12.5 --reason 'it'\\''s urgent' --public-note 'we'\\''re back' --resume --key people/NAME/emergency.pem",
            "  mulberryctl gate open emergency/fix.json --percent 12.5 --reason 'it'\\''s urgent' --public-note 'we'\\''re back' --out fix.opening",
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
