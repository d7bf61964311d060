//! The agent: fetches, verifies and applies recipes on a client.

use clap::{Parser, Subcommand};
use mulberry_agent::commands::verify;
use mulberry_shared::exit::Exit;
use mulberry_shared::rehearsal::ClockStart;

#[derive(Parser)]
#[command(name = "mulberry-agent", version, about)]
struct Cli {
    /// Start the clock at this instant (RFC 3339) and let it run on from there: for rehearsals
    #[arg(long, global = true, value_name = "RFC3339")]
    clock_start: Option<jiff::Timestamp>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify signed add-ons: files, or folders of .xpi and .zip
    Verify(verify::Args),
}

fn main() -> Exit {
    let cli = Cli::parse();
    let clock = match cli.clock_start {
        None => ClockStart::REAL,
        Some(start) => {
            eprintln!("warning: the clock starts at {start} (--clock-start)");
            ClockStart::at(start, jiff::Timestamp::now())
        }
    };
    match cli.command {
        Command::Verify(args) => verify::run(&args, clock.now(jiff::Timestamp::now())),
    }
}
