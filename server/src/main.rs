//! Mulberry's server: publishes signed emergency fixes.

use std::io::Write as _;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use jiff::Timestamp;
use mulberry_server::clock::SystemClock;
use mulberry_server::commands::{self, CommandError};
use mulberry_server::config::{Cli, Command, ConfigCommand, KeysCommand, LedgerCommand, LogFormat};
use mulberry_shared::answer::plain_lines;
use mulberry_shared::exit::{self, Exit};
use mulberry_shared::limits::Limits;
use mulberry_shared::rehearsal::ClockStart;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> Exit {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() {
            tell_scripts(Exit::Usage, &error.to_string());
        }
        error.exit()
    });
    log_to_standard_error(&cli);
    let start = cli.clock_start.map_or(ClockStart::REAL, |start| ClockStart::at(start, Timestamp::now()));
    match dispatch(&cli.command, SystemClock::new(start)) {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("mulberry-server: {}", plain_lines(&error.to_string()));
            tell_scripts(error.exit, &error.sentence);
            error.exit
        }
    }
}

/// The failure as JSON, if `--json` asks for it.
fn tell_scripts(exit: Exit, sentence: &str) {
    if exit::asks_for_json(std::env::args_os()) {
        // Already a failure: that it cannot be told twice changes nothing.
        let _ = writeln!(std::io::stdout(), "{}", exit::failure(exit, exit.kind(), sentence));
    }
}

fn dispatch(command: &Command, clock: SystemClock) -> Result<Exit, CommandError> {
    let limits = Limits::default();
    let system = actix_web::rt::System::new();
    match command {
        Command::Init(args) => system.block_on(commands::init::init(args, &clock, &limits))?,
        Command::Token(command) => commands::token::token(command, &clock)?,
        Command::Ledger(LedgerCommand::Export(args)) => system.block_on(commands::ledger::export(args))?,
        Command::Ledger(LedgerCommand::Verify(args)) => {
            return system.block_on(commands::ledger::verify::verify(args, &limits));
        }
        Command::Rebuild(args) => system.block_on(commands::rebuild::rebuild(args, &clock, &limits))?,
        Command::Restore(args) => system.block_on(commands::restore::restore(args, &limits))?,
        Command::Run(args) => system.block_on(commands::run::run(args, Arc::new(clock), limits))?,
        Command::Ceremony(args) => system.block_on(commands::ceremony::hold(args, &clock, &limits))?,
        Command::Keys(KeysCommand::New(args)) => commands::keys::new(args)?,
        Command::Config(ConfigCommand::Show { json, .. }) => {
            commands::config_show::config_show(std::env::args_os(), *json)?;
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "mulberry-server", &mut script);
            commands::answer(&String::from_utf8_lossy(&script))?;
        }
    }
    Ok(Exit::Yes)
}

fn log_to_standard_error(cli: &Cli) {
    // Ours at the level asked for; libraries' warnings only, since their details name clients' addresses.
    let ours = Targets::new()
        .with_default(tracing::Level::WARN)
        .with_target("mulberry_server", cli.log_level)
        .with_target("mulberry_shared", cli.log_level);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let log = tracing_subscriber::registry();
    match cli.log_format {
        LogFormat::Text => log.with(lines.with_filter(ours)).init(),
        LogFormat::Json => log.with(lines.json().with_filter(ours)).init(),
    }
}
