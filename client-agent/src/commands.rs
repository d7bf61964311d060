//! The commands of `mulberry-agent`, one module each.

use mulberry_shared::exit::Exit;
use serde::Serialize;

pub mod acknowledge;
pub mod config_show;
pub mod import;
pub mod init;
pub mod once;
pub mod run;
pub mod settings;
pub mod status;
pub mod tuf;
pub mod uninstall;
pub mod verify;
pub mod why;

/// How a command shows its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document, for machines.
    Json,
}

/// `--json`, the same for every command.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct OutputArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl From<OutputArgs> for Output {
    fn from(args: OutputArgs) -> Self {
        if args.json { Self::Json } else { Self::Text }
    }
}

/// Why a command did not do its work: a sentence and an exit code.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// What was wrong, where, and what to do next.
    pub sentence: String,
}

impl Failure {
    /// Wrong usage, or something that cannot be read or written.
    pub fn usage(sentence: impl ToString) -> Self {
        Self { exit: Exit::Usage, sentence: sentence.to_string() }
    }
}

/// What the runs of `once` and `import` work on. Signals are waited for on a thread of their own: a run keeps the first one busy.
///
/// # Errors
/// The system gives no thread.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(1).enable_all().build().map_err(Failure::usage)
}

/// Prints a result. A reader that has gone away (`| head`) is no failure.
pub fn show<T: Serialize + std::fmt::Display>(result: &T, output: Output) -> Result<(), Failure> {
    let text = match output {
        Output::Text => result.to_string(),
        Output::Json => {
            let mut text = serde_json::to_string_pretty(result).map_err(Failure::usage)?;
            text.push('\n');
            text
        }
    };
    answer(&text)
}

/// Writes `text` to standard output as it is. A reader that has gone away is no failure.
pub fn answer(text: &str) -> Result<(), Failure> {
    mulberry_shared::answer::write(&mut std::io::stdout().lock(), text).map_err(Failure::usage)
}
