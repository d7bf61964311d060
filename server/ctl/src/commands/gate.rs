//! `mulberryctl gate open|sign|pause|end`: one small file, and the fastest thing a person can do.
//!
//! What one person does alone needs the server and a token and nothing else, so that narrowing works when much else does not.
//!
//! | module | what |
//! |---|---|
//! | `answer` | what holds after a gate was set |
//! | `end` | what an end does to whom, and the question before it |
//! | `opening` | openings that more than one person answers for |
//! | `others` | what people stopped or signed before, and is not undone unknown |

pub(super) mod answer;
mod end;
pub(super) mod opening;
pub(super) mod others;

use crate::{
    cli::{GateCommand, Narrow},
    config::Settings,
    failure::{Failure, FailureKind, Kind},
    operators::Operators,
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::Timestamp;
use mulberry_shared::{
    answer::sentence,
    exit::Exit,
    limits::Limits,
    operators::{GateRequest, GateResponse, GateState, GateStatus, ProblemKind, RecipeStatus},
    recipe::{RecipeName, RecipePath},
    text::one_line,
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
            let change = Change::Open { percent: open.percent, resume: &open.resume };
            let words = Words::given(open.reason.as_deref(), open.public_note.as_deref(), limits)?;
            let wish = Wish { recipe: &open.recipe, revision: open.revision, change, words };
            set(wish, settings, now, format, limits).await
        }
        GateCommand::Open(open) => opening::open(open, settings, passphrases, now, format, limits).await,
        GateCommand::Sign(sign) => opening::sign_file(sign, settings, passphrases, now, format, limits).await,
        GateCommand::Pause(pause) => {
            set(Wish::narrow(pause, Change::Pause, limits)?, settings, now, format, limits).await
        }
        GateCommand::End(end) => {
            let change = Change::End { yes: end.yes };
            set(Wish::narrow(&end.gate, change, limits)?, settings, now, format, limits).await
        }
    }
}

/// Which gate is meant, what shall become of it, and what is said of that.
struct Wish<'a> {
    recipe: &'a RecipeName,
    revision: Option<u64>,
    change: Change<'a>,
    words: Words,
}

impl<'a> Wish<'a> {
    fn narrow(narrow: &'a Narrow, change: Change<'a>, limits: &Limits) -> Result<Self, Failure> {
        let words = Words::given(narrow.reason.as_deref(), narrow.public_note.as_deref(), limits)?;
        Ok(Self { recipe: &narrow.recipe, revision: narrow.revision, change, words })
    }
}

enum Change<'a> {
    Open { percent: u16, resume: &'a [u64] },
    Pause,
    End { yes: bool },
}

/// Why, for operators, where that was said; and what is said to the public of it.
struct Words {
    reason: Option<String>,
    note: Option<String>,
}

impl Words {
    /// What the command line says, if it does as a reason and as a note.
    fn given(reason: Option<&str>, note: Option<&str>, limits: &Limits) -> Result<Self, Failure> {
        let unfit =
            |why| Failure::usage(FailureKind::NoReason, format!("As a public note this does not do: {why}."));
        let note = match note.map(str::trim) {
            // It takes back what was said before.
            Some("") => Some(String::new()),
            Some(note) => Some(one_line(note, limits.recipe.reason).map_err(unfit)?.to_owned()),
            None => None,
        };
        Ok(Self { reason: reason.map(|reason| reason_of(reason, limits)).transpose()?, note })
    }

    /// The reason, asked for where the command line has none: after what it is about was shown.
    fn reason(&self, limits: &Limits) -> Result<String, Failure> {
        match &self.reason {
            Some(reason) => Ok(reason.clone()),
            None => asked(&mut output::ask_line, limits),
        }
    }
}

/// What one person does alone.
async fn set(
    wish: Wish<'_>,
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
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
            (GateState::Open, Some(percent), others::resumes(&status, recipe, percent, resume, now)?)
        }
        Change::Pause => (GateState::Paused, None, Vec::new()),
        Change::End { .. } => {
            end::show(recipe, now, format)?;
            (GateState::Ended, None, Vec::new())
        }
    };
    let as_it_is = |gate: &&GateStatus| gate.state == state && percent.is_none_or(|to| to == gate.percent);
    let reason = match (&wish.words, others::gate(recipe).filter(as_it_is)) {
        // Another word for the public, and nothing else: why the gate is so was said before.
        (Words { reason: None, note: Some(_) }, Some(gate)) => gate.reason.clone(),
        (words, _) => words.reason(limits)?,
    };
    if let Change::End { yes } = wish.change {
        end::confirm(recipe, yes)?;
    }
    let note = wish.words.note;
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
    let events = request.resumes.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let resume = if events.is_empty() { events } else { format!(" --resume {events}") };
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

/// The reason, typed: `publish` ends with a command to copy, and its N is what needs thought.
fn asked(ask: &mut dyn FnMut(&str) -> Option<String>, limits: &Limits) -> Result<String, Failure> {
    reason_of(&ask("Why, for the ledger and for operators? ").unwrap_or_default(), limits)
}

/// A reason in one line, and not an empty one.
fn reason_of(reason: &str, limits: &Limits) -> Result<String, Failure> {
    let none = |what: &str| {
        let sentence = format!(
            "{what}Say why with --reason TEXT: it stands in the ledger and in status, and is not published."
        );
        Failure::usage(FailureKind::NoReason, sentence)
    };
    if reason.trim().is_empty() {
        return Err(none(""));
    }
    let line = one_line(reason, limits.recipe.reason);
    line.map(str::to_owned).map_err(|why| none(&format!("As a reason this does not do: {why}. ")))
}

fn find<'a>(
    recipes: &'a [RecipeStatus],
    name: &RecipeName,
) -> Result<(&'a RecipeStatus, RecipePath), Failure> {
    let paths: Vec<RecipePath> = recipes.iter().filter_map(|recipe| recipe.path.parse().ok()).collect();
    let unknown = |why: &dyn std::fmt::Display| {
        let sentence = format!(
            "Among what is published {} To publish one: mulberryctl publish recipes/SLUG --key FILE …",
            sentence(why)
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
            resumes: vec![3, 7],
            approval: None,
        };
        let failure = Failure::no(ProblemKind::SecondKeyNeeded, "The server refused: …");
        let said = two_people(failure, &path, &request).sentence;
        for line in [
            "  mulberryctl gate open emergency/fix.json --percent 12.5 --reason 'it'\\''s urgent' --public-note 'we'\\''re back' --resume 3,7 --key people/NAME/emergency.pem",
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
        let words = |reason| Words::given(reason, None, &limits);
        assert_eq!(words(Some(" canary ")).unwrap().reason.unwrap(), "canary");
        assert_eq!(words(Some("  ")).err().unwrap().kind, "no-reason");
        assert_eq!(asked(&mut |_| Some("typed\n".to_owned()), &limits).unwrap(), "typed");
        for answer in [None, Some("\n")] {
            let refused = asked(&mut |_| answer.map(ToOwned::to_owned), &limits).unwrap_err();
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
        assert!(
            error.sentence.contains("no recipe fux; did you mean emergency/fix.json? To publish"),
            "{error}"
        );
    }
}
