//! Mulberry's server: publishes signed emergency fixes.

use std::sync::Arc;

use clap::Parser as _;
use jiff::Timestamp;
use mulberry_server::clock::SystemClock;
use mulberry_server::commands::{self, CommandError};
use mulberry_server::config::{Cli, Command, LogFormat};
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;
use mulberry_shared::rehearsal::ClockStart;

fn main() -> Exit {
    let cli = Cli::parse();
    log_to_standard_error(&cli);
    let start = cli.clock_start.map_or(ClockStart::REAL, |start| ClockStart::at(start, Timestamp::now()));
    match dispatch(&cli.command, SystemClock(start)) {
        Ok(()) => Exit::Yes,
        Err(error) => {
            eprintln!("mulberry-server: {error}");
            error.exit
        }
    }
}

fn dispatch(command: &Command, clock: SystemClock) -> Result<(), CommandError> {
    let limits = Limits::default();
    let system = actix_web::rt::System::new();
    match command {
        Command::Init(args) => system.block_on(commands::init::init(args, &clock, &limits)),
        Command::Token(command) => commands::token::token(command, &clock),
        Command::Run(args) => system.block_on(commands::run::run(args, Arc::new(clock), limits)),
    }
}

fn log_to_standard_error(cli: &Cli) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(cli.log_level)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match cli.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
