//! `gate …`

use super::parse_percent;
use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use mulberry_shared::{instant, recipe::RecipeName};
use std::path::PathBuf;

/// `gate …`
#[derive(Debug, Subcommand)]
pub enum GateCommand {
    /// Let agents take the recipe, up to a share of those it is for
    Open(Open),
    /// Sign an opening in a file, after reading what it opens
    Sign(SignOpening),
    /// No new enrolments; nothing is undone
    #[command(after_help = "Example:\n  mulberryctl gate pause replacement --reason \"reports of crashes\"")]
    Pause(Narrow),
    /// Final for this revision: no new enrolments; with on_end = "revert", agents undo what breaks nothing
    #[command(
        after_help = "It shows what becomes of clients that have the recipe, and asks. To stop it and be able to go on: \
                            gate pause.\n\n\
                            Example:\n  mulberryctl gate end hold-the-pass --reason \"the fix is out\""
    )]
    End(End),
}

/// `gate open`
#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("signed").args(["key", "out"]).multiple(true)),
    after_help = "One person alone takes the next step of the recipe's plan, when its time has come, or goes back to where the gate was \
                  before. Anything wider or sooner needs the key of a second person: here with --key, or on their machine with \
                  --out FILE, `gate sign FILE`, `submit FILE`. The share is never more than the recipe's own maximum.\n\n\
                  A gate that people paused or narrowed opens no further than they left it, unless --resume names the event of each: \
                  without it the answer says who did that, when and why, with the events.\n\n\
                  Example:\n  mulberryctl gate open replacement --percent 5 --reason \"canary\"\n  \
                  mulberryctl gate open replacement --percent 100 --reason \"no time\" --key bob/emergency.pem\n  \
                  mulberryctl gate open replacement --percent 100 --reason \"no time\" --out all.opening"
)]
pub struct Open {
    /// The published recipe: SLUG, LANE/SLUG or LANE/SLUG.json
    pub recipe: RecipeName,
    /// Share of the agents it is for: above 0, at most 100, at most two decimals
    #[arg(long, value_name = "N", value_parser = parse_percent)]
    pub percent: u16,
    /// Why, for operators: in the ledger and in status, never published [default: asked on a terminal]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A word for the public, in what everybody can fetch; "" takes it back
    #[arg(long, value_name = "TEXT")]
    pub public_note: Option<String>,
    /// The revision that is meant [default: the published one]
    #[arg(long, value_name = "N")]
    pub revision: Option<u64>,
    /// Until when it opens, where only people may open the recipe: clients take nothing new after it, whoever holds the server's
    /// keys; signed with the opening [default: the recipe's own end]
    #[arg(long, value_name = "RFC3339", value_parser = instant::read_option, requires = "signed")]
    pub open_until: Option<Timestamp>,
    /// Let it last until the recipe's own end, though people signed an earlier time before
    #[arg(long, requires = "signed", conflicts_with = "open_until")]
    pub no_open_until: bool,
    /// A second person's key of the recipe's lane; repeats
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Write the opening into a file for a second person to sign, and tell the server nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Undo these pauses and narrowings: every one that stands in the way, by the event that the answer without this option names
    #[arg(long, value_name = "EVENT", value_delimiter = ',', conflicts_with = "out")]
    pub resume: Vec<u64>,
    /// With --key: do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `gate sign`
#[derive(Args, Debug)]
#[command(
    after_help = "What is shown, but for the reason, is computed from the bytes to be signed, against what this machine verifies from its own root: the edition \
                  in the file, unless --origin names an origin. It can be handed in for a day, once.\n\n\
                  Example:\n  mulberryctl gate sign all.opening --key bob/emergency.pem"
)]
pub struct SignOpening {
    /// The file of `gate open --out`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Your own key of the lane; repeats
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// Do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `gate end`
#[derive(Args, Debug)]
pub struct End {
    /// Which gate, and why
    #[command(flatten)]
    pub gate: Narrow,
    /// Do not ask before ending it; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `gate pause`, and what `gate end` has in common with it
#[derive(Args, Debug)]
pub struct Narrow {
    /// The published recipe: SLUG, LANE/SLUG or LANE/SLUG.json
    pub recipe: RecipeName,
    /// Why, for operators: in the ledger and in status, never published [default: asked on a terminal]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// A word for the public, in what everybody can fetch; "" takes it back
    #[arg(long, value_name = "TEXT")]
    pub public_note: Option<String>,
    /// The revision that is meant [default: the published one]
    #[arg(long, value_name = "N")]
    pub revision: Option<u64>,
}
