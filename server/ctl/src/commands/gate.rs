//! `mulberryctl gate open|sign|pause|end`: one small file, and the fastest thing a person can do.
//!
//! What one person does alone needs the server and a token and nothing else, so that narrowing works when much else does not.
//!
//! | module | what |
//! |---|---|
//! | `open` | alone, or with further people |
//! | `sign` | a further person signs |
//! | `end` | what an end does to whom, and the question before it |

pub mod end;
pub mod open;
pub mod sign;

use crate::{
    context::CommandContext,
    failure::{Failure, FailureKind, Kind},
    gates::{self, answer, stops},
    output,
};
use clap::{Args, Subcommand};
use mulberry_shared::{
    answer::sentence,
    exit::Exit,
    limits::Limits,
    operators::{GateRequest, GateState, GateStatus, ProblemKind, RecipeStatus},
    recipe::{RecipeName, RecipePath},
    text::{UnfitText, one_line},
};

/// `gate …`
#[derive(Debug, Subcommand)]
pub enum GateCommand {
    /// Let agents take the recipe, up to a share of those it is for
    Open(open::Open),
    /// Sign an opening in a file, after reading what it opens
    Sign(sign::SignOpening),
    /// No new enrolments; nothing is undone
    #[command(after_help = "Example:\n  mulberryctl gate pause replacement --reason \"reports of crashes\"")]
    Pause(Narrow),
    /// Final for this revision: no new enrolments; with on_end = "revert", agents undo what breaks nothing
    #[command(
        after_help = "It shows what becomes of clients that have the recipe, and asks. To stop it and be able to go on: \
                            gate pause.\n\n\
                            Example:\n  mulberryctl gate end hold-the-pass --reason \"the fix is out\""
    )]
    End(end::End),
}

/// `gate pause`, and what `gate end` has in common with it
#[derive(Args, Debug)]
pub struct Narrow {
    /// The published recipe: SLUG, LANE/SLUG or LANE/SLUG.json
    pub recipe: RecipeName,
    /// Why, for operators: in the ledger and in status, never published [default: asked on a terminal]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A word for the public, in what everybody can fetch; "" takes it back
    #[arg(long, value_name = "TEXT")]
    pub public_note: Option<String>,
    /// The revision that is meant [default: the published one]
    #[arg(long, value_name = "N")]
    pub revision: Option<u64>,
}

impl GateCommand {
    /// Finds the published revision, sets its gate, says what holds now.
    ///
    /// # Errors
    /// No such recipe, another revision, or what the server refuses.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        match self {
            Self::Open(command) => command.run(context).await,
            Self::Sign(command) => command.run(context).await,
            Self::Pause(gate) => set(Wish::narrow(gate, Change::Pause, &context.limits)?, context).await,
            Self::End(command) => {
                let change = Change::End { yes: command.yes };
                set(Wish::narrow(&command.gate, change, &context.limits)?, context).await
            }
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
        let unfit = |why: UnfitText| {
            Failure::usage(FailureKind::NoReason, format!("As a public note this does not do: {why}."))
        };
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
async fn set(wish: Wish<'_>, context: &CommandContext) -> Result<Exit, Failure> {
    let CommandContext { now, format, limits, .. } = context;
    let server = context.server()?;
    let status = server.status().await?;
    let (recipe, path) = find(&status.recipes, wish.recipe)?;
    let revision = wish.revision.unwrap_or(recipe.revision);
    if revision != recipe.revision {
        return Err(other_revision(wish.recipe, recipe.revision, revision));
    }
    let (state, percent, resumes) = match wish.change {
        Change::Open { percent, resume } => {
            (GateState::Open, Some(percent), stops::resumes(&status, recipe, percent, resume, *now)?)
        }
        Change::Pause => (GateState::Paused, None, Vec::new()),
        Change::End { .. } => {
            end::show(recipe, *now, *format)?;
            (GateState::Ended, None, Vec::new())
        }
    };
    let as_it_is = |gate: &&GateStatus| gate.state == state && percent.is_none_or(|to| to == gate.percent);
    let reason = match (&wish.words, gates::of(recipe).filter(as_it_is)) {
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
    answer::print(*format, &done.map_err(|failure| two_people(failure, &path, &request))?, &request.reason)
}

fn other_revision(name: &RecipeName, published: u64, wanted: u64) -> Failure {
    Failure::no(
        ProblemKind::RevisionMismatch,
        format!(
            "Revision {published} of `{name}` is published, not {wanted}. A gate speaks for the published revision only."
        ),
    )
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
    use crate::gates::fixtures::response;

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
