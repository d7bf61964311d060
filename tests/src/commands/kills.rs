//! `mulberry-lab kills`: `kill -9` at every stage of a publish, an apply and an undo.

use indicatif::{ProgressBar, ProgressStyle};
use mulberry_shared::exit::Exit;

use crate::kills::{self, Report, table};
use crate::stage::StageError;

/// Ends real servers and agents with `kill -9` in the middle of their work, and checks what is left. Kills are aimed evenly
/// across the measured time of an undisturbed publish or run, and a little beyond.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  mulberry-lab kills\n  mulberry-lab kills --server 50 --agent 0 --events 0 --json\n\n\
    Checked after each kill of the server: every acknowledged publish is there, versions only rise, a TUF client that \
    remembers all before verifies what is served; at the end: the whole chain, with every acknowledged event in it. After \
    each kill of the agent: a reader finds the old state or the new, and the next run arrives exactly where an undisturbed \
    one does.\n\nExit code 0: nothing was lost. 1: something was, or the rehearsal could not be made."
)]
pub struct Arguments {
    /// Kills of a server during publishes; 0 leaves this out.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    server: usize,
    /// Kills of an agent, in turn during applies and undos; 0 leaves this out.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    agent: usize,
    /// Events of the ledger on which the time of a restart is measured; 0 leaves this out.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    events: u64,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs the command and says how it went.
pub fn run(arguments: &Arguments) -> Exit {
    match rehearse(arguments).and_then(|report| {
        let shown = if arguments.json {
            serde_json::to_string(&report).map_err(|error| StageError(error.to_string()))?
        } else {
            table::show(&report)
        };
        println!("{shown}");
        Ok(report.problems().is_empty())
    }) {
        Ok(true) => Exit::Yes,
        Ok(false) => Exit::No,
        Err(error) => {
            eprintln!("mulberry-lab: the rehearsal stopped.\n{error}");
            Exit::No
        }
    }
}

fn rehearse(arguments: &Arguments) -> Result<Report, StageError> {
    crate::binaries::Binaries::build().map_err(|error| StageError(error.to_string()))?;
    let mut report = Report::default();
    if arguments.server > 0 {
        let bar = bar("kills of the server", arguments.server as u64);
        report.server = Some(kills::server::run(arguments.server, &|done| bar.set_position(done as u64))?);
        bar.finish_and_clear();
    }
    if arguments.agent > 0 {
        let bar = bar("kills of the agent", arguments.agent as u64);
        report.agent = Some(kills::agent::run(arguments.agent, &|done| bar.set_position(done as u64))?);
        bar.finish_and_clear();
    }
    if arguments.events > 0 {
        let bar = bar("events", arguments.events);
        report.restart = Some(kills::restart::run(arguments.events, &|done| bar.set_position(done))?);
        bar.finish_and_clear();
    }
    Ok(report)
}

/// Shown on a terminal only.
fn bar(what: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} ({eta})") {
        bar.set_style(style);
    }
    bar.set_message(what);
    bar
}
