//! `mulberryctl ledger`: the ledger exported, checked and read; and what people sign when a server was lost.

mod continuation;
pub mod show;

use crate::{
    config,
    context::CommandContext,
    failure::{Failure, FailureKind},
    files::{self, Existing},
    http::Endpoint,
    origin, output,
};
use clap::Subcommand;
use mulberry_shared::{
    digest::Sha256Digest,
    exit::Exit,
    ledger::{
        event::Record,
        export::{ExportError, ExportReader},
        links::{Given, Links, WitnessHead},
    },
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Bytes of an export that is held in memory: a hundred thousand publishes.
const MAX_EXPORT: u64 = 1 << 30;

/// `ledger …`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Whether a ledger is whole, and the one that the origin and witnesses saw; exit code 1 when not
    #[command(
        after_help = "Checks every hash of an export, or of the server's ledger, and its links: against the head in the origin's verified \
                      timestamp (for a file, when --origin is given) and against heads that agents saw (`mulberry-agent status`). \
                      `mulberry-server ledger verify` also checks every signature in it.\n\n\
                      Example:\n  mulberryctl ledger verify\n  mulberryctl ledger verify ledger.jsonl --witness 17:4bd336e0b198f10e4545990b0f4bb4a7b966e793f30792dd7760e300457fcd94"
    )]
    Verify {
        /// An export [default: the server's ledger]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// A head that somebody saw; repeats
        #[arg(long, value_name = "SEQUENCE:LINK")]
        witness: Vec<Given>,
    },
    /// Who did what, when and why, and whose keys signed it
    #[command(
        after_help = "Names of people are those in the signed metadata; the actor is the name of a token.\n\n\
                      Example:\n  mulberryctl ledger show --slug replace-intermediate\n  \
                      mulberryctl ledger show ledger.jsonl --actor mei --since 2019-05-04T00:00:00Z"
    )]
    Show(show::Show),
    /// Write every event of the server's ledger into a file, as mulberry-server ledger export does
    #[command(after_help = "Only its owner may read it: it tells reasons and names.\n\n\
                            Example:\n  mulberryctl ledger export --out ledger.jsonl")]
    Export {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Write over a file that exists
        #[arg(long)]
        replace: bool,
    },
    /// A server was lost: write what people sign so that a new one may continue its ledger
    #[command(
        after_help = "Takes where the ledger ended from a mirror: the origin, or with --from a folder's or bundle's edition, which may have \
                      expired. People who hold keys of targets sign the file; mulberry-server rebuild takes it.\n\n\
                      Example:\n  mulberryctl ledger continue --from mirror --reason \"the machine burnt down\" --out continues.json"
    )]
    Continue {
        /// A mirror's folder, or a bundle [default: the origin]
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
        /// Why, in one line, for everybody
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign such a file, after reading what it says; needs no network
    #[command(
        after_help = "The file brings the roots of later ceremonies along: the keys of targets in the newest that follows from --root sign.\n\n\
                      Example:\n  mulberryctl ledger sign continues.json --key people/alice/targets.pem"
    )]
    Sign {
        /// The file, to which the signature is added
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Your own key of targets
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Do not ask before signing; needed where there is no terminal to ask at
        #[arg(long)]
        yes: bool,
    },
}

impl LedgerCommand {
    /// Runs one of the commands.
    ///
    /// # Errors
    /// What is needed cannot be read or fetched, or is refused.
    pub async fn run(&self, context: &CommandContext) -> Result<Exit, Failure> {
        match self {
            Self::Verify { file, witness } => verify(file.as_deref(), witness, context).await,
            Self::Show(show) => {
                let (name, bytes) = bytes(show.file.as_deref(), context).await?;
                let mut shown = show::Shown::default();
                read(&name, &bytes, |record, _| shown.add(record, show, context.now))?;
                context.format.print(|| shown.words(show), || shown.json(show))?;
                Ok(Exit::Yes)
            }
            Self::Export { out, replace } => export(out, *replace, context).await,
            Self::Continue { from, reason, out } => {
                continuation::make(from.as_deref(), reason, out, context).await
            }
            Self::Sign { file, key, yes } => continuation::sign(file, key, *yes, context),
        }
    }
}

async fn export(out: &Path, replace: bool, context: &CommandContext) -> Result<Exit, Failure> {
    let existing = Existing::of_flag(replace);
    let unwritable = |error: std::io::Error| files::unwritable(out, &error);
    files::check_place(out, existing).map_err(unwritable)?;
    let (name, bytes) = bytes(None, context).await?;
    let head = read(&name, &bytes, |_, _| ())?;
    // Reasons and names, and the salts that keep them from being guessed by the public hashes.
    files::write_private(out, &bytes, existing).map_err(unwritable)?;
    let WitnessHead { ledger, sequence, .. } = head;
    context.format.print(
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

async fn verify(file: Option<&Path>, witnesses: &[Given], context: &CommandContext) -> Result<Exit, Failure> {
    let format = context.format;
    let (name, bytes) = bytes(file, context).await?;
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
    if file.is_none() || context.settings()?.origin.source == config::Source::Flag {
        let endpoint = context.origin()?;
        let base = endpoint.base().to_string();
        match published(&endpoint, context).await? {
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
async fn published(endpoint: &Endpoint, context: &CommandContext) -> Result<Option<WitnessHead>, Failure> {
    let pinned = context.pinned()?;
    let (state, report) = origin::refresh(endpoint, pinned, context.now, &context.limits).await;
    if let Some(error) = mulberry_shared::bundle::fault(&report) {
        return Err(origin::failure(endpoint, error));
    }
    Ok(state.trusted().timestamp().and_then(|timestamp| timestamp.ledger).and_then(|ledger| ledger.witness()))
}

/// An export: its name for people, and its bytes.
async fn bytes(file: Option<&Path>, context: &CommandContext) -> Result<(String, Vec<u8>), Failure> {
    let Some(file) = file else {
        let bytes = context.server()?.ledger(MAX_EXPORT).await?;
        return Ok((format!("the ledger of {}", context.settings()?.server.value), bytes));
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
