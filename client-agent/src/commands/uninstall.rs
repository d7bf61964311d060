//! `mulberry-agent uninstall`: removes the agent's own state and says what it removed and what it left.

use std::fmt;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use mulberry_shared::exit::Exit;
use serde::Serialize;

use super::settings::StateArg;
use super::{Failure, OutputArgs, show};
use crate::io::lock::{Lock, NotLocked};
use crate::io::presence;
use crate::io::teardown::{self, Entry, Owner};

/// What happens to what the host reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum HostFiles {
    /// It stays: the host may still verify add-ons with those certificates.
    Keep,
    /// It goes, too: for a host that reads neither any more.
    Remove,
}

/// Options of `mulberry-agent uninstall`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Removes the agent's memory, trust, anchors and settings in the state folder. Add-ons and their data are never touched, nor
is any file that no agent makes. addons.json and certificates/ stay for the host, unless --host-files remove is given:
they keep saying what the last run found, and nobody verifies the add-ons again.

Exit codes: 0 removed; 1 you did not say yes; 2 no state folder, or a file that cannot be removed; 5 an agent is working
in the state folder.

Examples:
  mulberry-agent uninstall
  mulberry-agent uninstall --state ./agent --yes --json
  mulberry-agent uninstall --host-files remove --yes")]
pub struct Args {
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// What happens to addons.json and certificates/, which the host reads
    #[arg(long, value_name = "CHOICE", default_value = "keep")]
    pub host_files: HostFiles,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
struct Report {
    format: u64,
    state: String,
    removed: Vec<String>,
    left: Vec<Left>,
    folder_removed: bool,
}

/// One thing that stays.
#[derive(Clone, Debug, Serialize)]
struct Left {
    path: String,
    why: &'static str,
}

/// Why something stays; stable.
const FOR_THE_HOST: &str = "for-the-host";
const NOT_THE_AGENTS: &str = "not-the-agents";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.removed.len();
        writeln!(f, "Removed from {}: {count} file{}", self.state, if count == 1 { "" } else { "s" })?;
        for path in &self.removed {
            writeln!(f, "  {path}")?;
        }
        write_left(f, "Left for the host:", &self.left, FOR_THE_HOST)?;
        write_left(f, "Left, because no agent made it:", &self.left, NOT_THE_AGENTS)?;
        writeln!(f, "Add-ons and their data were not touched. Nobody verifies them again.")
    }
}

fn write_left(f: &mut fmt::Formatter<'_>, title: &str, left: &[Left], why: &str) -> fmt::Result {
    let mut left = left.iter().filter(|left| left.why == why).peekable();
    if left.peek().is_some() {
        writeln!(f, "{title}")?;
    }
    left.try_for_each(|left| writeln!(f, "  {}", left.path))
}

/// Takes the state folder apart.
///
/// # Errors
/// There is none, an agent works there, nobody said yes, or a file cannot be removed.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let folder = args.state.open()?;
    let root = folder.root();
    if !teardown::is_state_folder(root) {
        let sentence = format!("{} holds no agent's state; name the folder with --state", root.display());
        return Err(Failure::usage(sentence));
    }
    let _lock = Lock::take(root).map_err(|error| in_use(root, error))?;
    let unlisted =
        |error| Failure::usage(format!("the state folder {} cannot be listed: {error}", root.display()));
    let entries = teardown::survey(root).map_err(unlisted)?;
    let goes = |entry: &&Entry| match entry.owner {
        Owner::Agent => true,
        Owner::Host => args.host_files == HostFiles::Remove,
        Owner::Unknown => false,
    };
    let removed: Vec<&str> = entries.iter().filter(goes).map(|entry| entry.path.as_str()).collect();
    if !args.yes && !asked(root, removed.len())? {
        eprintln!("Nothing was removed.");
        return Ok(Exit::No);
    }
    let folder_removed = teardown::remove(root, &removed).map_err(|(path, error)| {
        Failure::usage(format!(
            "{} cannot be removed: {error}; other files may be gone already. Put this right and run uninstall again",
            path.display()
        ))
    })?;
    let left = entries.iter().filter(|entry| !goes(entry)).map(|entry| Left {
        path: entry.path.clone(),
        why: if entry.owner == Owner::Host { FOR_THE_HOST } else { NOT_THE_AGENTS },
    });
    let report = Report {
        format: 1,
        state: root.display().to_string(),
        removed: removed.iter().map(|path| (*path).to_owned()).collect(),
        left: left.collect(),
        folder_removed,
    };
    show(&report, args.output.into())?;
    Ok(Exit::Yes)
}

fn in_use(root: &Path, error: NotLocked) -> Failure {
    match (&error, presence::ask(root)) {
        (NotLocked::Held, Ok(Some(daemon))) => Failure {
            exit: Exit::Locked,
            sentence: format!(
                "the daemon (process {0}) works in {1}; stop it first, with `systemctl stop mulberry-agent` or \
                 `kill -TERM {0}`, and run uninstall again",
                daemon.pid,
                root.display()
            ),
        },
        _ => error.into(),
    }
}

/// Asks a person. Only the word `yes` means yes.
fn asked(root: &Path, count: usize) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::usage("nobody is here to say yes; give --yes"));
    }
    eprint!("Remove the agent's {count} files in {}? Add-ons stay. Type yes to go on: ", root.display());
    std::io::stderr().flush().map_err(Failure::usage)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Failure::usage)?;
    Ok(answer.trim() == "yes")
}
