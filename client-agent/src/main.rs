//! The agent: fetches, verifies and applies recipes on a client.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;
use mulberry_agent::commands::{
    self, Failure, acknowledge, answer, config_show, import, init, once, run, status, tuf, uninstall, verify,
    why,
};
use mulberry_agent::driver::Verify;
use mulberry_agent::io::clock::SystemClock;
use mulberry_agent::io::lock::Lock;
use mulberry_agent::io::presence;
use mulberry_agent::ports::Clock;
use mulberry_agent::stop;
use mulberry_agent::wiring::Parts;
use mulberry_shared::answer::plain;
use mulberry_shared::exit::{self, Exit};
use mulberry_shared::limits::Limits;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The variable that says what is logged.
const LOG: &str = "MULBERRY_AGENT_LOG";

#[derive(Parser)]
#[command(
    name = "mulberry-agent",
    version,
    about = "Fetches, verifies and applies emergency fixes on a client",
    after_help = "\
Exit codes: 0 done, 1 no, 2 usage or unreadable input, 3 trust refused, 4 unreachable, 5 state folder in use, 143 ended early
by SIGTERM or SIGINT.

Examples:
  mulberry-agent init --trust root.json --origin https://fixes.example/ --anchor anchor.pem --addons ./addons
  mulberry-agent once
  mulberry-agent import fixes.mulberry
  mulberry-agent run
  mulberry-agent status
  mulberry-agent why replacement-intermediate
  mulberry-agent verify --anchor anchor.pem ./addons"
)]
struct Cli {
    /// Start the clock at this instant (RFC 3339) and let it run on from there: for rehearsals
    #[arg(long, global = true, value_name = "RFC3339", value_parser = mulberry_shared::instant::read_option)]
    clock_start: Option<Timestamp>,
    /// How the log on standard error is written
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "text",
        env = "MULBERRY_AGENT_LOG_FORMAT",
        hide_env_values = true
    )]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Make a state folder: pin the root, record anchors and settings
    Init(Box<init::Args>),
    /// Make one run: refresh, decide, apply, verify, report
    Once(Box<once::Args>),
    /// Make one run from a bundle: an edition in a file, for a machine without a network
    Import(Box<import::Args>),
    /// Make runs until stopped: the daemon
    Run(Box<run::Args>),
    /// Show what the agent holds
    Status(status::Args),
    /// Explain one recipe's status, and what would change it
    Why(why::Args),
    /// Watch the ledger's history that is shown now, after it was found rewritten and explained
    Acknowledge(acknowledge::Args),
    /// Verify signed add-ons: files, or folders of .xpi and .zip
    Verify(verify::Args),
    /// Refresh and download from any TUF repository
    Tuf(tuf::Args),
    /// Look at the settings
    #[command(subcommand)]
    Config(config_show::Command),
    /// Remove the agent's own state; add-ons stay
    Uninstall(uninstall::Args),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  mulberry-agent completions bash > /etc/bash_completion.d/mulberry-agent"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.use_stderr() {
            tell_scripts(Exit::Usage, &error.to_string());
        }
        error.exit()
    });
    start_log(cli.log_format, &cli.command);
    let clock = SystemClock::new(cli.clock_start);
    if let Some(start) = cli.clock_start {
        tracing::warn!("the clock starts at {start} (--clock-start)");
    }
    let exit = dispatch(cli.command, &clock).unwrap_or_else(|failure| {
        for line in failure.sentence.lines() {
            eprintln!("mulberry-agent: {}", plain(line));
        }
        tell_scripts(failure.exit, &failure.sentence);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// The failure as JSON, if `--json` asks for it.
fn tell_scripts(exit: Exit, sentence: &str) {
    if exit::asks_for_json(std::env::args_os()) {
        // Already a failure: that it cannot be told twice changes nothing.
        let _ = writeln!(std::io::stdout(), "{}", exit::failure(exit, exit.kind(), sentence));
    }
}

fn dispatch(command: Command, clock: &SystemClock) -> Result<Exit, Failure> {
    let limits = Limits::default();
    match command {
        Command::Init(args) => init::run(&args, clock.now(), &limits),
        Command::Once(args) => once(*args, clock, &limits),
        Command::Import(args) => import::run(*args, clock, &limits),
        Command::Run(args) => run::run(*args, *clock, limits),
        Command::Status(args) => {
            let folder = args.state.open()?;
            let daemon = presence::ask(folder.root()).map_err(|error| error.to_string());
            status::run(&folder, daemon, clock, &limits, args.output.into())
        }
        Command::Why(args) => why::run(&args.state.open()?, &args.recipe, args.output.into()),
        Command::Acknowledge(args) => acknowledge::run(&args),
        Command::Verify(args) => verify::run(&args, clock.now()),
        Command::Tuf(args) => tuf::run(&args, clock, &limits),
        Command::Config(config_show::Command::Show(args)) => {
            config_show::run(&args, Cli::command(), std::env::args_os(), &limits)
        }
        Command::Uninstall(args) => uninstall::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mulberry-agent", &mut script);
            answer(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Yes)
        }
    }
}

fn once(args: once::Args, clock: &SystemClock, limits: &Limits) -> Result<Exit, Failure> {
    let folder = args.state.open_to_write()?;
    let _lock = Lock::take(folder.root())?;
    let parts = Parts::load(&folder, args.settings, limits)?;
    let runtime = commands::runtime()?;
    let stop = stop::on_signals(runtime.handle()).map_err(Failure::usage)?;
    let mut agent = parts.agent(&folder, clock, None, stop);
    if args.rehash {
        agent.verify = Verify::Now;
    }
    let exit = runtime.block_on(once::run(&agent, args.output.into()));
    // A share that never answers must not hold up the end.
    runtime.shutdown_background();
    exit
}

fn start_log(format: LogFormat, command: &Command) {
    // Nobody watches a daemon's output, so its log tells more.
    let usual = if matches!(command, Command::Run(_)) { "warn,mulberry_agent=info" } else { "warn" };
    let wanted = std::env::var(LOG).ok().filter(|text| !text.trim().is_empty());
    let chosen = wanted.as_deref().map(filter);
    let unusable = chosen.as_ref().is_some_and(Option::is_none);
    let filter = chosen.flatten().unwrap_or_else(|| EnvFilter::new(usual));
    let colours = std::io::stderr().is_terminal();
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    if unusable {
        let wanted = wanted.unwrap_or_default();
        tracing::warn!(
            "{LOG} is {wanted:?}, which is no level (error, warn, info, debug, trace); it is {usual} instead"
        );
    }
}

/// A filter whose parts are levels or `TARGET=LEVEL`. A misspelt level would be taken for a target, and everything else be silent.
fn filter(text: &str) -> Option<EnvFilter> {
    let is_level = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
    text.split(',').all(is_level).then(|| EnvFilter::try_new(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_silences_nothing() {
        for text in ["warn", "off", "mulberry_agent=debug", "warn,mulberry_agent=debug", "INFO"] {
            assert!(filter(text).is_some(), "{text}");
        }
        for text in ["INFOO", "wran", "7", "mulberry_agent=wran", "mulberry_agent"] {
            assert!(filter(text).is_none(), "{text}");
        }
    }
}
