//! `ledger export`, and where a ledger is read from: the state folder, the server that runs on it, or a file.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

use mulberry_shared::answer::{Lenient, Unwritten};
use mulberry_shared::exit::Exit;
use serde_json::json;

use super::{CommandError, Layout, answer};
use crate::config::ExportArgs;
use crate::export::socket;
use crate::export::source::Exporter;
use crate::files::{self, Existing, FileError, NewFile};
use crate::ledger::{Ledger, LedgerError};
use crate::store::sled::SledStore;
use mulberry_shared::ledger::chain::BrokenChain;
use mulberry_shared::ledger::export::{ExportError, ExportReader, Header};

pub mod verify;

/// The ledger of a state folder, reached in the way that is open.
pub(super) enum Source {
    /// Nobody else uses the folder; the lock is held until this is dropped.
    Folder(Arc<SledStore>, File),
    /// A server runs on it and sends an export.
    Running(UnixStream),
}

impl Source {
    /// Opens the ledger of `layout`.
    ///
    /// # Errors
    /// Exit code 5 when the folder is in use, and the server gives no export.
    pub(super) fn open(layout: &Layout) -> Result<Self, CommandError> {
        if let Some(lock) = files::lock(&layout.lock())? {
            if !layout.ledger().is_dir() {
                return Err(CommandError::usage(format!("{} has no ledger", layout.folder.display())));
            }
            return Ok(Self::Folder(Arc::new(SledStore::open(&layout.ledger())?), lock));
        }
        socket::connect(&layout.export()).map(Self::Running).map_err(|error| CommandError {
            exit: Exit::Locked,
            sentence: format!(
                "{} is in use, and {} gives no export ({error}); try again when the server has started, or get the export \
                 from GET /api/v1/ledger on its operators' listener, with a token",
                layout.folder.display(),
                layout.export().display()
            ),
        })
    }
}

/// Writes the export. What is written has been checked: each hash, the order, and that nothing is missing.
///
/// # Errors
/// [`CommandError`]; a file is not written or replaced then.
pub async fn export(args: &ExportArgs) -> Result<(), CommandError> {
    let layout = Layout::existing(&args.state.state)?;
    let Some(out) = args.out.as_deref().filter(|out| *out != Path::new("-")) else {
        if args.json {
            return Err(CommandError::usage("--json tells about a file; name one with --out"));
        }
        let full = |error: std::io::Error| CommandError::from(Unwritten(error));
        let mut stdout = Lenient(std::io::stdout().lock());
        copy(&layout, &mut stdout, &full).await?;
        return stdout.flush().map_err(full);
    };
    let cannot =
        |error: std::io::Error| CommandError::failed(format!("{} cannot be written: {error}", out.display()));
    let cannot_file = |error: FileError| match error {
        FileError::Io { error, .. } => cannot(error),
        closed @ FileError::Closed(_) => CommandError::failed(closed.to_string()),
        other => other.into(),
    };
    let mut file = NewFile::create(out, Existing::of_flag(args.replace)).map_err(cannot_file)?;
    let header = copy(&layout, &mut file, &cannot).await?;
    file.place().map_err(cannot_file)?;
    let (out, Header { ledger, events, head, .. }) = (out.display(), &header);
    if args.json {
        let told = json!({"file": out.to_string(), "ledger": ledger, "events": events, "head": head});
        return answer(&format!("{told}\n"));
    }
    answer(&format!(
        "Exported {events} events of the ledger {ledger} to {out}.\n\
         Keys and tokens are not in it: back up {} apart from it.\n",
        layout.keys().display()
    ))
}

/// Copies the export of `layout` to `out`, checking it on the way; `cannot` says what it means that `out` takes no more.
async fn copy(
    layout: &Layout,
    out: &mut impl std::io::Write,
    cannot: &dyn Fn(std::io::Error) -> CommandError,
) -> Result<Header, CommandError> {
    match Source::open(layout)? {
        Source::Running(connection) => {
            let unusable = |error| match error {
                ExportError::CutOff { .. } => server_went_away(),
                error => unusable(error),
            };
            let mut reader = ExportReader::open(BufReader::new(connection)).map_err(unusable)?;
            out.write_all(&reader.header().line().map_err(|error| cannot(error.into()))?).map_err(cannot)?;
            while let Some((_, entry)) = reader.next_event().map_err(unusable)? {
                out.write_all(&mulberry_shared::ledger::export::event_line(&entry).unwrap_or_default())
                    .map_err(cannot)?;
            }
            Ok(reader.header().clone())
        }
        Source::Folder(store, _lock) => {
            let mut first = None;
            // Reads and checks everything once before, so that the first line can say what follows.
            let ledger = Ledger::open::<LedgerError>(store.clone(), |_, head| {
                first = first.or(Some(head.head));
                Ok(())
            })
            .await?;
            let Some(first) = first else {
                let folder = layout.folder.display();
                return Err(CommandError::usage(format!("the ledger in {folder} has no events yet")));
            };
            let mut exporter = Exporter::new(store.clone(), ledger.head());
            while let Some(lines) = exporter.next_lines().await? {
                out.write_all(&lines).map_err(cannot)?;
            }
            Ok(Header::new(first, ledger.head()))
        }
    }
}

/// An export that a server sent, or a file, is refused.
pub(super) fn unusable(error: ExportError) -> CommandError {
    match error {
        ExportError::Io(_) | ExportError::NewerFormat(_) => {
            CommandError::usage(format!("the export: {error}"))
        }
        ExportError::Chain(BrokenChain::Altered { sequence, wrong }) => CommandError::refused(format!(
            "the export: event {sequence} {wrong}; it was damaged or altered, use another export"
        )),
        _ => CommandError::refused(format!("the export: {error}")),
    }
}

/// Says nothing about the ledger: the server was stopped, say.
fn server_went_away() -> CommandError {
    CommandError::usage("the server ended the connection before the export was whole; try again")
}
