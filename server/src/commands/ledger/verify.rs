//! `ledger verify`: whether a ledger, or an export of one, is whole and its every event folds.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::LedgerHead;
use serde_json::json;

use super::{Source, server_went_away};
use crate::commands::{CommandError, Layout, answer};
use crate::config::VerifyArgs;
use crate::edition::store::{EditionFile, EditionStore as _};
use crate::ledger::{self, LedgerError};
use crate::services::core::{OpenError, check_edition, fold};
use crate::state::{self, FoldError, Stamp, State};
use mulberry_shared::ledger::export::{ExportError, ExportReader};

/// A sound ledger.
struct Sound {
    /// The head after each event.
    heads: Vec<LedgerHead>,
    state: State,
}

/// What was found.
enum Flaw {
    /// It is not sound.
    Bad { sequence: Option<u64>, why: String },
    /// It ends before its last event.
    CutOff { sequence: Option<u64>, why: String },
    /// It could not be looked at.
    Unreadable(CommandError),
}

/// Verifies and prints what was found.
///
/// # Errors
/// [`CommandError`] when there is nothing that could be verified.
pub async fn verify(args: &VerifyArgs, limits: &Limits) -> Result<Exit, CommandError> {
    let (what, found) = match &args.file {
        Some(file) => (file.display().to_string(), read_file(file, limits)),
        None => {
            let folder = args.state.state.display().to_string();
            (folder, verify_folder(&Layout::existing(&args.state.state)?, limits).await)
        }
    };
    match found {
        Ok(Sound { heads, .. }) => {
            let head = heads.last().copied().unwrap_or(ledger::EMPTY);
            let first = heads.first().map(|first| first.head);
            report_sound(args, &what, first, head)?;
            Ok(Exit::Yes)
        }
        Err(Flaw::Bad { sequence, why }) => {
            report_bad(args, &what, sequence, &why)?;
            Ok(Exit::No)
        }
        Err(Flaw::CutOff { sequence, why }) => {
            report_bad(args, &what, sequence, &why)?;
            Ok(Exit::No)
        }
        Err(Flaw::Unreadable(error)) => Err(error),
    }
}

fn report_sound(
    args: &VerifyArgs,
    what: &str,
    first: Option<Sha256Digest>,
    head: LedgerHead,
) -> Result<(), CommandError> {
    let LedgerHead { sequence: events, head } = head;
    let first = first.unwrap_or(ledger::EMPTY.head);
    if args.json {
        let told = json!({"sound": true, "of": what, "ledger": first, "events": events, "head": head});
        return answer(&format!("{told}\n"));
    }
    answer(&format!("Sound: {events} events of the ledger {first}, the last one {head}.\n"))
}

fn report_bad(args: &VerifyArgs, what: &str, sequence: Option<u64>, why: &str) -> Result<(), CommandError> {
    if args.json {
        let told = json!({"sound": false, "of": what, "first_bad": {"sequence": sequence, "why": why}});
        return answer(&format!("{told}\n"));
    }
    let found = match sequence {
        Some(sequence) => format!(
            "Event {sequence} {why}.\nThe events before it are sound. Use an older export, or restore from one."
        ),
        None => format!("{why}."),
    };
    answer(&format!("NOT SOUND: {what}\n{found}\n"))
}

async fn verify_folder(layout: &Layout, limits: &Limits) -> Result<Sound, Flaw> {
    let unreadable = |error: CommandError| Flaw::Unreadable(error);
    // Before the events: what it names must be among them then, even while a server goes on.
    let edition = EditionFile(layout.edition()).load().map_err(|error| unreadable(error.into()))?;
    let sound = match Source::open(layout)? {
        Source::Running(connection) => {
            read(BufReader::new(connection), limits).map_err(|flaw| match flaw {
                Flaw::CutOff { .. } => unreadable(server_went_away()),
                other => other,
            })?
        }
        Source::Folder(store, _lock) => {
            let (_, state, heads) = fold(store, limits).await?;
            let state = state.ok_or_else(|| Flaw::Bad {
                sequence: Some(1),
                why: "is missing: the ledger is empty".to_owned(),
            })?;
            Sound { heads, state }
        }
    };
    if let Some(edition) = edition {
        check_edition(&edition, &sound.state, &sound.heads, limits).map_err(|error| match error {
            OpenError::Edition(error) => Flaw::Bad { sequence: None, why: error.to_string() },
            OpenError::Fold(error) => error.into(),
            error => unreadable(error.into()),
        })?;
    }
    Ok(sound)
}

fn read_file(file: &Path, limits: &Limits) -> Result<Sound, Flaw> {
    let opened = File::open(file)
        .map_err(|error| Flaw::Unreadable(CommandError::usage(format!("{}: {error}", file.display()))))?;
    read(BufReader::new(opened), limits)
}

fn read(input: impl BufRead, limits: &Limits) -> Result<Sound, Flaw> {
    let mut reader = ExportReader::open(input)?;
    let (mut state, mut heads) = (None, Vec::new());
    while let Some((record, _)) = reader.next_event()? {
        state =
            Some(state::advance(state.take(), &record.event, &Stamp::of(&record), reader.head(), limits)?);
        heads.push(reader.head());
    }
    // An export has one event at least.
    let missing = || Flaw::Bad { sequence: Some(1), why: "is missing".to_owned() };
    Ok(Sound { heads, state: state.ok_or_else(missing)? })
}

impl From<FoldError> for Flaw {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Ledger(LedgerError::Broken { sequence, wrong }) => {
                Self::Bad { sequence: Some(sequence), why: wrong }
            }
            FoldError::Event { sequence, why } => {
                Self::Bad { sequence: Some(sequence), why: format!("cannot be applied: {why}") }
            }
            FoldError::Ledger(LedgerError::Newer { .. }) => {
                Self::Unreadable(CommandError::usage(error.to_string()))
            }
            FoldError::Ledger(_) => CommandError::from(error).into(),
        }
    }
}

impl From<CommandError> for Flaw {
    fn from(error: CommandError) -> Self {
        match error.exit {
            Exit::TrustRefused => Self::Bad { sequence: None, why: sentence(&error.sentence) },
            _ => Self::Unreadable(error),
        }
    }
}

/// As it stands at the beginning of a line.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

impl From<ExportError> for Flaw {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Chain(broken) => FoldError::from(LedgerError::from(broken)).into(),
            ExportError::Line { sequence, why } => Self::Bad { sequence: Some(sequence), why },
            ExportError::CutOff { sequence: 0, why } => {
                Self::CutOff { sequence: None, why: format!("Line 1 {why}: the export was cut off") }
            }
            ExportError::CutOff { sequence, why } => Self::CutOff { sequence: Some(sequence), why },
            ExportError::Header(why) => Self::Bad {
                sequence: None,
                why: format!("Line 1 {why}; this is no export of a ledger, or it was altered"),
            },
            ExportError::Io(_) | ExportError::NewerFormat(_) => {
                Self::Unreadable(CommandError::usage(format!("the export: {error}")))
            }
        }
    }
}
