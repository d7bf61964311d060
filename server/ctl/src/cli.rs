//! What can be typed, and the one place that hands it to the commands. Options take one value and repeat.
//!
//! A command's own arguments stand beside its `run`, in its file below `commands`.

use crate::{
    commands::{
        bundle::Bundle, completions::Completions, config::ConfigCommand, expiries::Expiries,
        gate::GateCommand, init::Init, key::KeyCommand, lanes::LanesCommand, ledger::LedgerCommand,
        online_keys::OnlineKeysCommand, preflight::Preflight, proposals::Proposals, propose::Propose,
        publish::Publish, recipe::RecipeCommand, root::RootCommand, sign::Sign, status::Status,
        submit::Submit,
    },
    config::Overrides,
    context::CommandContext,
    failure::Failure,
    output::{self, Format},
};
use clap::{Args, CommandFactory, Parser, Subcommand};
use jiff::Timestamp;
use mulberry_shared::{answer::plain, exit::Exit, instant, rehearsal::ClockStart};
use std::{ffi::OsString, path::PathBuf};

/// Write, sign and publish Mulberry's recipes.
#[derive(Debug, Parser)]
#[command(
    name = "mulberryctl",
    version,
    max_term_width = 110,
    after_help = "Exit codes: 0 yes, 1 no, 2 usage or unreadable input, 3 trust refused, 4 unreachable.\n\
                  Options win over MULBERRYCTL_* variables, which win over mulberryctl.toml.\n\n\
                  Example, the whole emergency:\n  \
                  mulberryctl recipe new --certificate replacement.pem\n  \
                  mulberryctl preflight recipes/SLUG --anchor anchor.pem --addons corpus --at 2019-05-05T00:00:00Z\n  \
                  mulberryctl publish recipes/SLUG --key people/a/emergency.pem --key people/b/emergency.pem\n  \
                  mulberryctl gate open SLUG --percent 5 --reason \"canary\""
)]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of all commands.
#[derive(Args, Debug)]
pub struct Global {
    /// Configuration file [default: ./mulberryctl.toml, then ~/.config/mulberry/, then /etc/mulberry/]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub config: Option<PathBuf>,
    /// The operators' interface of the server
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    pub server: Option<String>,
    /// The public repository that agents read
    #[arg(long, global = true, value_name = "URL", help_heading = "Everywhere")]
    pub origin: Option<String>,
    /// The trusted TUF root
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub root: Option<PathBuf>,
    /// File with the operator's token [or MULBERRYCTL_TOKEN]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub token_file: Option<PathBuf>,
    /// File, readable by you alone, with the passphrase of a key; repeats [or MULBERRYCTL_PASSPHRASE, or a prompt]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub passphrase_file: Vec<PathBuf>,
    /// Answer as one JSON document
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// Rehearsals only: start the clock at this instant and let it run
    #[arg(long, global = true, value_name = "RFC3339", value_parser = instant::read_option, help_heading = "Everywhere")]
    pub clock_start: Option<Timestamp>,
}

impl Cli {
    /// Runs what was typed.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn run(self) -> Result<Exit, Failure> {
        let context = &self.global.context();
        match &self.command {
            Command::Init(command) | Command::Root(Root::Init(command)) => command.run(context),
            Command::Recipe(command) => command.run(context),
            Command::Preflight(command) => command.run(context),
            Command::Publish(command) => command.run(context).await,
            Command::Propose(command) => command.run(context).await,
            Command::Sign(command) => command.run(context).await,
            Command::Submit(command) => command.run(context).await,
            Command::Proposals(command) => command.run(context).await,
            Command::Gate(command) => command.run(context).await,
            Command::Ledger(command) => command.run(context).await,
            Command::Bundle(command) => command.run(context).await,
            Command::Status(command) => command.run(context).await,
            Command::Expiries(command) => command.run(context).await,
            Command::Root(Root::Ceremony(command)) => command.run(context).await,
            Command::Lanes(command) => command.run(context).await,
            Command::OnlineKeys(command) => command.run(context).await,
            Command::Key(command) => command.run(context),
            Command::Config(command) => command.run(context),
            Command::Completions(command) => command.run(Self::command()),
        }
    }
}

impl Global {
    /// What every command is handed.
    fn context(&self) -> CommandContext {
        let clock = match self.clock_start {
            Some(start) => {
                output::warn(&format!(
                    "the clock starts at {} (--clock-start): this is a rehearsal.",
                    output::instant(start)
                ));
                ClockStart::at(start, Timestamp::now())
            }
            None => ClockStart::REAL,
        };
        let overrides = Overrides {
            config: self.config.clone(),
            server: self.server.clone(),
            origin: self.origin.clone(),
            root: self.root.clone(),
            token_file: self.token_file.clone(),
        };
        CommandContext::new(
            clock.now(Timestamp::now()),
            self.format(),
            overrides,
            self.passphrase_file.clone(),
        )
    }

    /// How to answer.
    #[must_use]
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Human }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make keys, the TUF root and the first metadata in an empty folder
    Init(Init),
    /// Write and check recipes
    #[command(subcommand)]
    Recipe(RecipeCommand),
    /// Prove, before anything is signed, that a recipe does what it says on real add-ons
    Preflight(Preflight),
    /// Propose, sign and publish at once, where all keys are at hand; agents hold recipes until their gate opens
    Publish(Publish),
    /// Propose what `publish` would publish, for people who sign it one after the other, each with their own key
    Propose(Propose),
    /// Sign a proposal, after reading what it changes
    Sign(Sign),
    /// Hand the proposal or opening in a file to the server, or publish a proposal that is complete
    Submit(Submit),
    /// What waits for whose signature
    Proposals(Proposals),
    /// Open, pause or end a published recipe
    #[command(subcommand)]
    Gate(GateCommand),
    /// Who did what, whether history stayed what it was, and what people sign when a server was lost
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Write the current edition into one file: for machines without a network, and for what a host ships
    Bundle(Bundle),
    /// Recipes, gates, every metadata expiry and the server's troubles; exit code 1 when any is due or there is trouble
    Status(Status),
    /// When each metadata file expires, who signs it, and the command that renews it; exit code 1 when any is due
    Expiries(Expiries),
    /// Who may sign for root and targets: add, revoke and rotate keys, thresholds, renewal
    #[command(subcommand)]
    Root(Root),
    /// Who may sign for the lanes
    #[command(subcommand)]
    Lanes(LanesCommand),
    /// Which keys the server signs with
    #[command(subcommand)]
    OnlineKeys(OnlineKeysCommand),
    /// A person's own keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print completions for a shell
    Completions(Completions),
}

/// `root …`
#[derive(Debug, Subcommand)]
pub enum Root {
    /// Make keys, the TUF root and the first metadata in an empty folder: the same as `mulberryctl init`
    Init(Init),
    /// A ceremony
    #[command(flatten)]
    Ceremony(RootCommand),
}

/// Refuses arguments with characters that do not show. File names and the like stand in lines that people read before they
/// sign, and some of these files come from others.
///
/// # Errors
/// `usage`, with the character.
pub fn check_arguments(arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    for argument in arguments {
        let text = argument.to_string_lossy();
        let shown = plain(&text);
        let hidden = text.chars().zip(shown.chars()).find(|(given, shown)| given != shown);
        if let Some((c, _)) = hidden {
            let sentence = format!(
                "An argument has the character U+{:04X}, which does not show but may change how the rest is read: {shown:?}. \
                 Type it again; rename a file whose name has it.",
                u32::from(c)
            );
            return Err(Failure::usage(Exit::Usage, sentence));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &mut clap::Command, path: &str, see: &mut dyn FnMut(&mut clap::Command, &str)) {
        let path = format!("{path} {}", command.get_name());
        see(command, &path);
        command.get_subcommands_mut().for_each(|sub| each(sub, &path, see));
    }

    #[test]
    fn every_command_without_subcommands_shows_an_example() {
        Cli::command().debug_assert();
        let mut seen = 0;
        each(&mut Cli::command(), "", &mut |command, path| {
            if command.get_subcommands().next().is_none() {
                let help = command.render_long_help().to_string();
                assert!(help.contains("Example") && help.contains("  mulberryctl "), "{path}:\n{help}");
                seen += 1;
            }
        });
        assert!(seen >= 13, "{seen}");
    }

    #[test]
    fn an_argument_says_what_it_shows() {
        let check = |argument: &str| check_arguments([OsString::from(argument)].into_iter());
        check("Größe, 5 – ok.ceremony").unwrap();
        for hidden in [
            "a\nNo key and no threshold changes",
            "a\u{1b}[2J",
            "evil\u{202e}.toml",
            "re\u{200b}lease",
            "a\u{2028}b",
        ] {
            let refused = check(hidden).unwrap_err();
            assert!(
                refused.sentence.contains("which does not show") && !refused.sentence.contains('\n'),
                "{refused}"
            );
        }
    }

    #[test]
    fn opening_a_gate_has_no_default_percentage() {
        for arguments in [
            &["mulberryctl", "gate", "open", "x", "--reason", "y"][..],
            &["mulberryctl", "publish", "x"],
            &["mulberryctl", "publish", "--key", "x"],
        ] {
            assert!(Cli::try_parse_from(arguments).is_err(), "{arguments:?}");
        }
        let both = ["mulberryctl", "publish", "--withdraw", "x", "--key", "a", "--key", "b", "--json"];
        let Command::Publish(publish) = Cli::try_parse_from(both).unwrap().command else { panic!() };
        assert_eq!(publish.key.len(), 2);
    }
}
