//! What can be typed. Options take one value and repeat.

use crate::{config::Overrides, failure::Failure, output::Format};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use mulberry_shared::{
    answer::plain,
    exit::Exit,
    instant,
    recipe::{ActionKind, RecipeName},
};
use std::{ffi::OsString, path::PathBuf};

mod ceremony;
mod gate;
mod ledger;
mod preflight;
mod proposals;

pub use ceremony::{
    Accept, AddKey, Held, KeyCommand, KeyNew, LanesCommand, OnlineKeysCommand, Rename, Renew, RevokeKey,
    RoleName, RootCommand, Threshold,
};
pub use gate::{GateCommand, Narrow, Open, SignOpening};
pub use ledger::{LedgerCommand, Show};
pub use preflight::Preflight;
pub use proposals::{Proposals, ProposalsCommand, Propose, Sign, Submit};

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

impl Global {
    /// The part that configuration merges.
    #[must_use]
    pub fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            server: self.server.clone(),
            origin: self.origin.clone(),
            root: self.root.clone(),
            token_file: self.token_file.clone(),
        }
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
    #[command(
        after_help = "Due: people's metadata 14 days before it expires, the server's at half its life.\n\n\
                      Example:\n  mulberryctl status\n  mulberryctl status --json"
    )]
    Status,
    /// When each metadata file expires, who signs it, and the command that renews it; exit code 1 when any is due
    #[command(
        after_help = "Due: what people sign 14 days before it expires, the server's at half its life. Needs no token.\n\n\
                      Example:\n  mulberryctl expiries\n  mulberryctl expiries --json"
    )]
    Expiries,
    /// Who may sign for root and targets: add, revoke and rotate keys, thresholds, renewal
    #[command(subcommand)]
    Root(RootCommand),
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
    #[command(after_help = "Example:\n  mulberryctl completions bash > /etc/bash_completion.d/mulberryctl")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each value and where it came from; the token stays hidden
    #[command(after_help = "Example:\n  mulberryctl config show")]
    Show,
}

/// `init`
#[derive(Args, Debug)]
#[command(
    after_help = "Each person gets four keys: root, targets, emergency, routine. K of the people must sign each of them.\n\
                  --server and --origin are written into DIR/mulberryctl.toml.\n\n\
                  Example:\n  mulberryctl init authority --person alice --person bob --person carol\n  \
                  mulberryctl init /tmp/rehearsal --no-passphrase"
)]
pub struct Init {
    /// The folder to make; must be empty or absent
    pub dir: PathBuf,
    /// A person who holds keys; repeats [default: person-1, person-2, person-3]
    #[arg(long, value_name = "NAME")]
    pub person: Vec<String>,
    /// How many people must sign
    #[arg(long, value_name = "K", default_value_t = 2)]
    pub threshold: u64,
    /// Leave people's keys unencrypted: rehearsals only
    #[arg(long)]
    pub no_passphrase: bool,
}

/// `recipe …`
#[derive(Debug, Subcommand)]
pub enum RecipeCommand {
    /// Write a recipe that passes `recipe check`, commented for a tired person
    New(RecipeNew),
    /// Check recipes; every problem with file, line, key and remedy
    #[command(after_help = "Example:\n  mulberryctl recipe check recipes/*")]
    Check {
        /// Recipe folders, or folders of them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Say in words what a recipe does; with --json, print what would be published
    #[command(after_help = "Example:\n  mulberryctl recipe show recipes/replacement-intermediate")]
    Show {
        /// The recipe's folder
        path: PathBuf,
    },
}

/// `recipe new`
#[derive(Args, Debug)]
#[command(after_help = "Writes DIR/SLUG/recipe.toml, and the certificates beside it.\n\n\
                  Example:\n  mulberryctl recipe new --certificate replacement.pem\n  \
                  mulberryctl recipe new --action hold-verification --slug hold-the-pass\n  \
                  mulberryctl recipe new --action distrust-certificates --certificate stolen.pem")]
pub struct RecipeNew {
    /// A certificate: PEM, DER, or the .p7b of an authority; repeats
    #[arg(long, value_name = "FILE")]
    pub certificate: Vec<PathBuf>,
    /// What the recipe does [default: install-certificates with --certificate]
    #[arg(long, value_parser = action_kind())]
    pub action: Option<ActionKind>,
    /// The recipe's name in paths and commands [default: made from the action and the certificate]
    #[arg(long)]
    pub slug: Option<String>,
    /// Who must sign it
    #[arg(long, value_enum, default_value_t = LaneName::Emergency)]
    pub lane: LaneName,
    /// The folder of recipes
    #[arg(value_name = "DIR", default_value = "recipes")]
    pub dir: PathBuf,
}

/// The actions that there are, by name.
fn action_kind() -> impl TypedValueParser<Value = ActionKind> {
    let values = ActionKind::ALL.iter().map(|kind| PossibleValue::new(kind.as_str()).help(kind.summary()));
    PossibleValuesParser::new(values).try_map(|name| ActionKind::named(&name).ok_or("no such action"))
}

/// The lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LaneName {
    /// The big red button
    Emergency,
    /// Everything that can wait
    Routine,
}

/// `publish`
#[derive(Args, Debug)]
#[command(
    after_help = "All recipes of one call go to one lane. Recipes of the lane that are not named stay as they are.\n\n\
                  Example:\n  mulberryctl publish recipes/replacement --key a/emergency.pem --key b/emergency.pem\n  \
                  mulberryctl publish --withdraw old-fix --key a/emergency.pem --key b/emergency.pem\n  \
                  mulberryctl publish --renew routine --key a/routine.pem --key b/routine.pem"
)]
pub struct Publish {
    /// Recipe folders
    #[arg(value_name = "RECIPE", required_unless_present_any = ["withdraw", "renew"])]
    pub recipes: Vec<PathBuf>,
    /// A person's key of the lane; repeats, one for each signer
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// A published recipe that shall disappear: SLUG, LANE/SLUG or LANE/SLUG.json; repeats
    #[arg(long, value_name = "RECIPE")]
    pub withdraw: Vec<RecipeName>,
    /// Sign a lane anew though nothing in it changes: its metadata is about to expire
    #[arg(long, value_enum, value_name = "LANE", conflicts_with_all = ["recipes", "withdraw"])]
    pub renew: Option<LaneName>,
    /// Go on although the last preflight failed and none has passed since; say why
    #[arg(long, value_name = "TEXT")]
    pub despite_preflight: Option<String>,
    /// Do not ask before publishing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `bundle`
#[derive(Args, Debug)]
#[command(
    after_help = "The edition is verified as agents verify it, and so is the file. mulberry-agent import takes it.\n\n\
                  Example:\n  mulberryctl bundle --out fixes.mulberry"
)]
pub struct Bundle {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write over a file that exists
    #[arg(long)]
    pub replace: bool,
}

/// An instant; who writes a day or a word is shown the form.
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

/// An instant on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `now`.
    Now,
    /// Another one.
    At(Timestamp),
}

impl When {
    /// The instant, where it is `now` now.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(at) => at,
        }
    }
}

pub(crate) fn parse_when(text: &str) -> Result<When, String> {
    if text == "now" { Ok(When::Now) } else { instant::read_option(text).map(When::At) }
}

/// A percentage as people write it (`25`, `12.5`, `0.05`), in basis points. Not by floating point: `0.29` must be 29.
fn parse_percent(text: &str) -> Result<u16, String> {
    let fault =
        || format!("`{text}` is no percentage: write 0 to 100 with at most two decimals, such as 25 or 12.5");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str, most| !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 3) || !digits(decimals, 2) {
        return Err(fault());
    }
    let whole: u16 = whole.parse().map_err(|_| fault())?;
    let hundredths: u16 = format!("{decimals:0<2}").parse().map_err(|_| fault())?;
    let points = whole.checked_mul(100).and_then(|points| points.checked_add(hundredths));
    points.filter(|points| *points <= 10_000).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

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
    fn an_instant_in_another_form_is_answered_with_the_right_one() {
        assert_eq!(parse_when("now").map(|when| when.at(Timestamp::UNIX_EPOCH)), Ok(Timestamp::UNIX_EPOCH));
        for (text, why) in
            [("tomorrow", "is not a time"), ("10000-01-01T00:00:00Z", "after the last there is")]
        {
            let refused = parse_when(text).unwrap_err();
            assert!(refused.contains(why) && refused.contains("such as 2019-05-05T00:00:00Z"), "{refused}");
        }
    }

    #[test]
    fn percentages_become_basis_points_exactly() {
        for (text, points) in
            [("25", 2500), ("12.5", 1250), ("0.29", 29), ("100", 10_000), ("0", 0), ("100.00", 10_000)]
        {
            assert_eq!(parse_percent(text), Ok(points), "{text}");
        }
        for text in ["", "100.01", "-1", "+5", "1.", ".5", "1.234", "1e2", "NaN", "999", "0x10", "5%", "١"] {
            assert!(parse_percent(text).is_err(), "{text}");
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
