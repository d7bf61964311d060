//! One module a command: takes what was typed, returns an exit code or a failure.
//!
//! [`run`] is the one place that wires configuration, clock, passphrases and command.

pub mod bundle;
pub mod ceremony;
pub mod config_show;
pub mod expiries;
pub mod gate;
pub mod init;
pub mod key;
pub mod ledger;
pub mod preflight;
pub mod proposals;
pub mod propose;
pub mod publish;
pub mod recipe;
pub mod sign;
mod signable;
pub mod status;
pub mod submit;

use crate::{
    cli::{Cli, Command, ConfigCommand, KeyCommand, RootCommand},
    config::Settings,
    failure::Failure,
    output,
    passphrase::{self, Passphrases, Prompt},
};
use clap::CommandFactory;
use jiff::Timestamp;
use mulberry_shared::{exit::Exit, limits::Limits, rehearsal::ClockStart};

/// Runs what was typed.
///
/// # Errors
/// See [`Failure`].
pub async fn run(cli: Cli) -> Result<Exit, Failure> {
    let clock = match cli.global.clock_start {
        Some(start) => {
            output::warn(&format!(
                "the clock starts at {} (--clock-start): this is a rehearsal.",
                output::instant(start)
            ));
            ClockStart::at(start, Timestamp::now())
        }
        None => ClockStart::REAL,
    };
    let now = move || clock.now(Timestamp::now());
    let env = |name: &str| std::env::var(name).ok();
    let settings = || Settings::load(&cli.global.overrides(), &env);
    let passphrases =
        || Passphrases::gather(&cli.global.passphrase_file, env(passphrase::ENV), Prompt::detect());
    let format = cli.global.format();
    let limits = Limits::default();
    let around = |settings| ceremony::Around { settings, now: now(), format, limits: &limits };
    match &cli.command {
        Command::Root(RootCommand::Init(command)) | Command::Init(command) => {
            let around = init::Surroundings {
                server: cli.global.server.clone().or_else(|| env("MULBERRYCTL_SERVER")),
                origin: cli.global.origin.clone().or_else(|| env("MULBERRYCTL_ORIGIN")),
                now: now(),
                format,
                limits: &limits,
            };
            init::run(command, &passphrases()?, &around)
        }
        Command::Gate(command) => {
            let mut passphrases = passphrases()?;
            gate::run(command, &settings()?, &mut passphrases, now(), format, &limits).await
        }
        Command::Bundle(command) => bundle::run(command, &settings()?, now(), format, &limits).await,
        Command::Ledger(command) => {
            ledger::run(command, &settings()?, passphrases, now(), format, &limits).await
        }
        Command::Root(command) => ceremony::root(command, &around(&settings()?), &mut passphrases()?).await,
        Command::Lanes(command) => ceremony::lanes(command, &around(&settings()?), &mut passphrases()?).await,
        Command::OnlineKeys(command) => {
            ceremony::online_keys(command, &around(&settings()?), &mut passphrases()?).await
        }
        Command::Key(KeyCommand::New(command)) => key::new(command, &mut passphrases()?, format),
        Command::Expiries => expiries::run(&around(&settings()?)).await,
        Command::Status => status::run(&settings()?, now(), format).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "mulberryctl", &mut script);
            output::answer(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Yes)
        }
        Command::Config(ConfigCommand::Show) => config_show::run(&settings()?, format),
        Command::Recipe(command) => recipe::run(command, &settings()?, now(), format, &limits),
        Command::Preflight(command) => preflight::run(command, now(), format, &limits),
        Command::Propose(command) => {
            let mut passphrases = passphrases()?;
            propose::run(command, &settings()?, &mut passphrases, now(), format, &limits).await
        }
        Command::Sign(command) => {
            let mut passphrases = passphrases()?;
            sign::run(command, &settings()?, &mut passphrases, now(), format, &limits).await
        }
        Command::Submit(command) => submit::run(command, &settings()?, now(), format, &limits).await,
        Command::Proposals(command) => proposals::run(command, &settings()?, now(), format).await,
        Command::Publish(command) => {
            let mut passphrases = passphrases()?;
            publish::run(command, &settings()?, &mut passphrases, now(), format, &limits).await
        }
    }
}
