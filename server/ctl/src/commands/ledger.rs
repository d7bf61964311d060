//! `mulberryctl ledger`: the ledger exported, checked and read; and what people sign when a server was lost.

use crate::{
    cli::LedgerCommand,
    config::{self, Settings},
    failure::{Failure, FailureKind},
    files::{self, Existing},
    http::{Endpoint, Purpose},
    operators::Operators,
    origin,
    output::{self, Format},
    passphrase::Passphrases,
};
use jiff::Timestamp;
use mulberry_shared::{
    digest::Sha256Digest,
    exit::Exit,
    ledger::{
        event::Record,
        export::{ExportError, ExportReader},
        links::{Given, Links, WitnessHead},
    },
    limits::Limits,
};
use serde_json::json;
use std::path::Path;

mod continuation;
mod show;

/// Bytes of an export that is held in memory: a hundred thousand publishes.
const MAX_EXPORT: u64 = 1 << 30;

/// Runs one of the commands.
///
/// # Errors
/// What is needed cannot be read or fetched, or is refused.
pub async fn run(
    command: &LedgerCommand,
    settings: &Settings,
    passphrases: impl FnOnce() -> Result<Passphrases, Failure>,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    match command {
        LedgerCommand::Verify { file, witness } => {
            verify(file.as_deref(), witness, settings, now, format, limits).await
        }
        LedgerCommand::Show(show) => {
            let (name, bytes) = bytes(show.file.as_deref(), settings).await?;
            let mut shown = show::Shown::default();
            read(&name, &bytes, |record, _| shown.add(record, show, now))?;
            format.print(|| shown.words(show), || shown.json(show))?;
            Ok(Exit::Yes)
        }
        LedgerCommand::Export { out, replace } => export(out, *replace, settings, format).await,
        LedgerCommand::Continue { from, reason, out } => {
            continuation::make(from.as_deref(), reason, out, settings, now, format, limits).await
        }
        LedgerCommand::Sign { file, key, yes } => {
            continuation::sign(file, key, *yes, settings, &mut passphrases()?, format, limits)
        }
    }
}

async fn export(out: &Path, replace: bool, settings: &Settings, format: Format) -> Result<Exit, Failure> {
    let existing = Existing::of_flag(replace);
    let unwritable = |error: std::io::Error| files::unwritable(out, &error);
    files::check_place(out, existing).map_err(unwritable)?;
    let (name, bytes) = bytes(None, settings).await?;
    let head = read(&name, &bytes, |_, _| ())?;
    // Reasons and names, and the salts that keep them from being guessed by the public hashes.
    files::write_private(out, &bytes, existing).map_err(unwritable)?;
    let WitnessHead { ledger, sequence, .. } = head;
    format.print(
        || format!("Exported {sequence} events of the ledger {ledger} to {}.", out.display()),
        || json!({"file": out.display().to_string(), "ledger": ledger, "events": sequence, "head": head}),
    )?;
    Ok(Exit::Yes)
}

/// What was compared with the ledger, and how it fits.
struct Compared {
    who: String,
    sequence: u64,
    problem: Option<String>,
}

async fn verify(
    file: Option<&Path>,
    witnesses: &[Given],
    settings: &Settings,
    now: Timestamp,
    format: Format,
    limits: &Limits,
) -> Result<Exit, Failure> {
    let (name, bytes) = bytes(file, settings).await?;
    let mut links: Vec<Sha256Digest> = Vec::new();
    let head = match try_read(&name, &bytes, |_, head| links.push(head.link))? {
        Ok(head) => head,
        Err(problem) => {
            format.print(
                || format!("NOT SOUND: {name}\n{problem}"),
                || json!({"sound": false, "of": name, "problems": [problem]}),
            )?;
            return Ok(Exit::No);
        }
    };
    let compare = |who: String, sequence: u64, link: Sha256Digest| {
        let at = usize::try_from(sequence).ok().and_then(|number| links.get(number.checked_sub(1)?));
        let problem = match at {
            Some(found) if *found == link => None,
            Some(found) => Some(format!(
                "saw event {sequence} with the link {link}, and here it has {found}: history was rewritten"
            )),
            None => Some(format!(
                "saw event {sequence}, and here the ledger ends with event {}: it was cut off, or is older",
                head.sequence
            )),
        };
        Compared { who, sequence, problem }
    };
    let mut compared: Vec<Compared> = witnesses
        .iter()
        .map(|given| compare(format!("witness {given}", given = given.sequence), given.sequence, given.link))
        .collect();
    if file.is_none() || settings.origin.source == config::Source::Flag {
        let endpoint = Endpoint::new(&settings.origin.value, Purpose::PublicDocuments)?;
        let base = endpoint.base().to_string();
        match published(&endpoint, settings, now, limits).await? {
            Some(seen) if seen.ledger != head.ledger => {
                let problem = Some(format!("names another ledger, {}", seen.ledger));
                compared.push(Compared { who: format!("origin {base}"), sequence: seen.sequence, problem });
            }
            Some(seen) => compared.push(compare(format!("origin {base}"), seen.sequence, seen.link)),
            None => {
                output::warn(&format!(
                    "the timestamp of {base} names no link: nothing to compare with there"
                ));
            }
        }
    }
    let sound = compared.iter().all(|one| one.problem.is_none());
    format.print(
        || {
            let lines = compared.iter().map(|one| match &one.problem {
                None => format!("  {}: event {} is the one seen there\n", one.who, one.sequence),
                Some(problem) => format!("  {}: {problem}\n", one.who),
            });
            let verdict = if sound { "Sound" } else { "NOT SOUND" };
            format!(
                "{verdict}: {name}, {} events of the ledger {}\n{}Head: {head}",
                head.sequence,
                head.ledger,
                lines.collect::<String>()
            )
        },
        || {
            let compared = compared.iter().map(|one| json!({"with": one.who, "sequence": one.sequence, "problem": one.problem}));
            json!({"sound": sound, "of": name, "ledger": head.ledger, "events": head.sequence, "link": head.link,
                "compared": compared.collect::<Vec<_>>(), "problems": []})
        },
    )?;
    Ok(if sound { Exit::Yes } else { Exit::No })
}

/// The head in the origin's timestamp, verified as agents do.
async fn published(
    endpoint: &Endpoint,
    settings: &Settings,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<WitnessHead>, Failure> {
    let pinned = origin::pinned(settings.root()?, limits)?;
    let (state, report) = origin::refresh(endpoint, pinned, now, limits).await;
    if let Some(error) = mulberry_shared::bundle::fault(&report) {
        return Err(origin::failure(endpoint, error));
    }
    Ok(state.trusted().timestamp().and_then(|timestamp| timestamp.ledger).and_then(|ledger| ledger.witness()))
}

/// An export: its name for people, and its bytes.
async fn bytes(file: Option<&Path>, settings: &Settings) -> Result<(String, Vec<u8>), Failure> {
    let Some(file) = file else {
        let bytes = Operators::new(settings)?.ledger(MAX_EXPORT).await?;
        return Ok((format!("the ledger of {}", settings.server.value), bytes));
    };
    let name = file.display().to_string();
    let bytes = files::read_bounded(file, MAX_EXPORT).map_err(|error| {
        Failure::usage(FailureKind::LedgerUnreadable, format!("{name}: {error}. Name an export of a ledger."))
    })?;
    Ok((name, bytes))
}

/// Gives every record with the head after it; the last head.
fn read(name: &str, bytes: &[u8], each: impl FnMut(Record, WitnessHead)) -> Result<WitnessHead, Failure> {
    try_read(name, bytes, each)?.map_err(|problem| {
        Failure::refused(FailureKind::LedgerRefused, format!("{name} is refused: {problem}."))
    })
}

/// The same; inside, what is wrong with the ledger itself.
fn try_read(
    name: &str,
    bytes: &[u8],
    mut each: impl FnMut(Record, WitnessHead),
) -> Result<Result<WitnessHead, String>, Failure> {
    let mut links = Links::default();
    let mut follow = || {
        let mut reader = ExportReader::open(bytes)?;
        while let Some((record, _)) = reader.next_event()? {
            links.push(reader.head().head);
            if let Some(head) = links.head() {
                each(record, head);
            }
        }
        Ok(())
    };
    match follow() {
        Ok(()) => Ok(links.head().ok_or_else(|| "it has no events".to_owned())),
        Err(error @ (ExportError::Io(_) | ExportError::NewerFormat(_))) => {
            Err(Failure::usage(FailureKind::LedgerUnreadable, format!("{name}: {error}.")))
        }
        Err(error) => Ok(Err(error.to_string())),
    }
}
