//! Flags and environment: what the command line takes, and what `run` is given once it was checked.

mod connections;
mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use mulberry_shared::edition::OnlineRole;
use mulberry_shared::ledger::actor::{Duty, Owner};
use mulberry_shared::operators::Scope;
use mulberry_shared::tuf::Person;

pub use connections::ConnectionArgs;
pub use run::{InTheClear, OperatorsTransport, RunArgs};

/// Publishes signed emergency fixes: a TUF repository over HTTP, and an interface for its operators.
#[derive(Debug, Parser)]
#[command(
    name = "mulberry-server",
    version,
    after_help = "Exit codes: 0 done, 1 no, 2 usage or unreadable input, \
    3 trust refused, 5 state folder in use.\nEvery option of `run` can come from the environment, MULBERRY_SERVER_*; \
    flags win.\n\nExample:\n  mulberry-server init --from authority/server --state server\n  \
    mulberry-server token add mei --person mei --may publish --may gate --state server --out token\n  \
    mulberry-server run --state server"
)]
pub struct Cli {
    /// Starts the clock at this instant and lets it run: for rehearsals
    #[arg(long, global = true, value_name = "RFC3339", value_parser = mulberry_shared::instant::read_option)]
    pub clock_start: Option<Timestamp>,
    /// Form of the log on standard error
    #[arg(long, global = true, value_enum, default_value = "text", env = "MULBERRY_SERVER_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        default_value = "info",
        env = "MULBERRY_SERVER_LOG_LEVEL"
    )]
    pub log_level: tracing::Level,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a state folder from what `mulberryctl init` made
    #[command(
        after_help = "Example: mulberry-server init --from mulberry/server --state /var/lib/mulberry/server"
    )]
    Init(InitArgs),
    /// Adds, lists and revokes operators' tokens; the server may be running
    #[command(
        subcommand,
        after_help = "Example: mulberry-server token add mei --person mei --may publish --may gate"
    )]
    Token(TokenCommand),
    /// Exports the ledger, and verifies a ledger or an export; the server may be running
    #[command(
        subcommand,
        after_help = "Examples: mulberry-server ledger export --out ledger.jsonl\n          mulberry-server ledger verify ledger.jsonl"
    )]
    Ledger(LedgerCommand),
    /// Makes a state folder from an export of the ledger
    #[command(
        after_help = "Example: mulberry-server restore --from ledger.jsonl --keys backup/keys --state /var/lib/mulberry/server\n\n\
        An export holds no private keys and no tokens: give the online keys with --keys, or put them into STATE/keys \
        before the server starts, and make new tokens. Exit codes: 0 restored, 2 unreadable input or a folder that is not \
        empty, 3 refused, 5 folder in use. A failed restore leaves nothing behind."
    )]
    Restore(RestoreArgs),
    /// Makes a state folder from a mirror, when a server and its ledger were lost
    #[command(
        after_help = "Example: mulberry-server rebuild --from mirror --root root.json --continues continues.json --keys backup/keys --state NEW\n\n\
        The edition is verified from the root as agents verify it. The new ledger begins with what people signed that it \
        continues the lost one (`mulberryctl ledger continue`), so that agents, which watch the ledger, accept it. Of a lost server that is \
        reachable only over HTTP make a bundle first: mulberryctl bundle. Where an export of the ledger is left, use restore: it loses \
        less. Exit codes: 0 rebuilt, 2 unreadable input or a folder that is not empty, 3 refused, 5 folder in use. A failed \
        rebuild leaves nothing behind."
    )]
    Rebuild(RebuildArgs),
    /// Serves until SIGTERM or SIGINT
    #[command(
        after_help = "Example: mulberry-server run --state /var/lib/mulberry/server --listen 0.0.0.0:8080"
    )]
    Run(RunArgs),
    /// Publishes a ceremony from its file while no server runs: where the online keys are lost, and it cannot start
    #[command(
        after_help = "The file is what `mulberryctl online-keys rotate FILE --out` wrote, signed by enough people. Everything is \
        checked as a running server checks it.\n\nExample: mulberry-server ceremony rotation.ceremony --state /var/lib/mulberry/server"
    )]
    Ceremony(CeremonyArgs),
    /// Makes this server's own new online keys
    #[command(subcommand, after_help = "Example: mulberry-server keys new --out server.keys")]
    Keys(KeysCommand),
    /// Looks at the options of `run`
    #[command(subcommand, after_help = "Example: mulberry-server config show --json")]
    Config(ConfigCommand),
    /// Prints completions for a shell
    #[command(
        after_help = "Example: mulberry-server completions bash > /etc/bash_completion.d/mulberry-server"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Where the state is.
#[derive(Clone, Debug, Args)]
pub struct StateArgs {
    /// The state folder
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/var/lib/mulberry/server",
        env = "MULBERRY_SERVER_STATE"
    )]
    pub state: PathBuf,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder with `metadata/` and `keys/`
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The state folder, made when absent
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Makes a token, and prints it once or writes it to a file
    #[command(
        after_help = "Examples: mulberry-server token add mei --person mei --may publish --may gate --out token\n          \
        mulberry-server token add dashboard --duty monitoring --may read --out /etc/prometheus/mulberry-token\n\n\
        A name stands in the ledger and is never used twice: for a token that was lost take a new one, such as mei-2026-11. \
        What is printed is valid only if it could be printed."
    )]
    Add(TokenAddArgs),
    /// Lists names and scopes
    #[command(after_help = "Example: mulberry-server token list --state /var/lib/mulberry/server")]
    List {
        /// The state folder
        #[command(flatten)]
        state: StateArgs,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Makes a token invalid at once
    #[command(after_help = "Example: mulberry-server token revoke mei")]
    Revoke {
        /// Whose
        name: String,
        /// The state folder
        #[command(flatten)]
        state: StateArgs,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// `token add`.
#[derive(Debug, Args)]
pub struct TokenAddArgs {
    /// The ledger's name for it, for ever (alice, alice-2)
    pub name: String,
    /// Whose it is
    #[command(flatten)]
    pub whose: Whose,
    /// What it may do; every token may read
    #[arg(long, value_name = "SCOPE", required = true, value_parser = scope)]
    pub may: Vec<Scope>,
    /// The file to write it to (mode 0600), whole and only when it is valid. Standard output by default
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// The state folder
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Whose a token is.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// The person whose it is, by the name that their keys have; they alone use it
    #[arg(long)]
    pub person: Option<Person>,
    /// The duty whose it is, where several people use it in turn, or a program does. Where two people are needed, it is nobody's
    #[arg(long)]
    pub duty: Option<Duty>,
}

impl Whose {
    /// The one of the two that was given.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        let person = self.person.clone().map(Owner::Person);
        person.or_else(|| self.duty.clone().map(Owner::Duty))
    }
}

/// `ceremony`.
#[derive(Debug, Args)]
pub struct CeremonyArgs {
    /// The ceremony's file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The state folder
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `keys`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Makes new keys for snapshot, timestamp and gates beside those in use, and prints their public halves
    #[command(
        after_help = "The private halves never leave this machine. People authorise the new keys with `mulberryctl online-keys \
        rotate FILE`; the server signs with them as soon as that is published, without a restart, and puts the old ones aside. \
        Until then the same command prints the same keys again.\n\n\
        Example: mulberry-server keys new --state /var/lib/mulberry/server --out server.keys"
    )]
    New(KeysNewArgs),
}

/// `keys new`.
#[derive(Debug, Args)]
pub struct KeysNewArgs {
    /// The file for the public keys. Standard output by default
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// The state folder
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON; what goes to standard output without --out is JSON in any case
    #[arg(long)]
    pub json: bool,
}

/// `ledger`.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Writes every event of the ledger, as JSON Lines: all that a restore needs but keys and tokens
    #[command(
        after_help = "Example: mulberry-server ledger export --out /var/backups/mulberry-ledger.jsonl\n\n\
        Works the same whether the server runs or not. Exit codes: 0 exported, 1 it could not be written, \
        2 usage, unreadable input, something at FILE that may not be replaced, or a full standard output, 3 the ledger is broken, 5 the folder is in use and its server gives no export."
    )]
    Export(ExportArgs),
    /// Checks each hash of a ledger or an export, and each signature in it
    #[command(
        after_help = "Examples: mulberry-server ledger verify --state /var/lib/mulberry/server\n          \
        mulberry-server ledger verify ledger.jsonl --json\n\n\
        Exit codes: 0 sound, 1 not sound (the first bad event is named), 2 usage or unreadable input, 5 the folder is in \
        use and its server gives no export."
    )]
    Verify(VerifyArgs),
}

/// `ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The file to write (mode 0600), whole or not at all. Standard output by default, and as `-`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// The state folder
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON about the export
    #[arg(long, requires = "out")]
    pub json: bool,
}

/// `ledger verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// An export; without it the ledger in the state folder
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The state folder
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The export
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// Folder with snapshot.pem, timestamp.pem and gates.pem, which are copied
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// The state folder: absent or empty
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// A mirror's folder, or a bundle
    #[arg(long, value_name = "PATH")]
    pub from: PathBuf,
    /// The trusted root, as agents pin it
    #[arg(long, value_name = "FILE")]
    pub root: PathBuf,
    /// What people signed: `mulberryctl ledger continue`, `mulberryctl ledger sign`
    #[arg(long, value_name = "FILE")]
    pub continues: PathBuf,
    /// Let the expiry of this role not count: timestamp, snapshot or gates (repeats, or with commas)
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    pub waive_expiry: Vec<OnlineRole>,
    /// Folder with snapshot.pem, timestamp.pem and gates.pem, which are copied
    #[arg(long, value_name = "DIR")]
    pub keys: Option<PathBuf>,
    /// The state folder: absent or empty
    #[command(flatten)]
    pub state: StateArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Shows each option that `run` would have, and where its value came from
    #[command(after_help = "Example: mulberry-server config show --json")]
    Show {
        /// The options of `run`
        #[command(flatten)]
        run: Box<RunArgs>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    [Scope::Publish, Scope::Gate, Scope::Read]
        .into_iter()
        .find(|scope| scope.as_str() == text)
        .ok_or_else(|| "expected publish, gate or read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_shows_an_example() {
        fn see(command: &mut clap::Command, path: &str, seen: &mut u32) {
            // clap's own.
            if command.get_name() == "help" {
                return;
            }
            let path = format!("{path} {}", command.get_name());
            let help = command.render_long_help().to_string();
            let leaf = command.get_subcommands().next().is_none();
            // The example of a command that only has others is one of theirs.
            let example = if leaf { path.trim_start() } else { "mulberry-server" };
            assert!(help.contains("Example") && help.contains(example), "{path}:\n{help}");
            *seen += u32::from(leaf);
            command.get_subcommands_mut().for_each(|sub| see(sub, &path, seen));
        }
        let mut seen = 0;
        see(&mut <Cli as clap::CommandFactory>::command(), "", &mut seen);
        assert!(seen >= 10, "{seen}");
    }

    #[test]
    fn half_a_certificate_and_unknown_scopes_are_usage_errors() {
        let parse = |args: &[&str]| Cli::try_parse_from([&["mulberry-server"], args].concat()).is_ok();
        assert!(!parse(&["run", "--operators-tls-key", "k"]));
        assert!(!parse(&["token", "add", "mei", "--person", "mei"]));
        assert!(!parse(&["token", "add", "mei", "--person", "mei", "--may", "everything"]));
        assert!(!parse(&["token", "add", "mei", "--may", "publish"]), "it is somebody's");
        assert!(!parse(&["token", "add", "mei", "--person", "m i", "--may", "publish"]));
        assert!(!parse(&["token", "add", "mei", "--person", "mei", "--duty", "watch", "--may", "publish"]));
        assert!(parse(&["token", "add", "mei", "--person", "mei", "--may", "publish", "--may", "gate"]));
        assert!(parse(&["token", "add", "mei", "--duty", "watch", "--may", "publish"]));
        assert!(!parse(&["run", "--listen", "nowhere"]));
    }
}
