//! `propose`, `sign`, `submit`, `proposals`: two people, two machines.

use super::LaneName;
use clap::{Args, Subcommand};
use mulberry_shared::recipe::RecipeName;
use std::path::PathBuf;

/// `propose`
#[derive(Args, Debug)]
#[command(
    after_help = "Shows what would change and hands it to the server, where it waits for signatures. With --out it goes into a file \
                  instead, for a machine without a network: sign FILE there, then submit FILE.\n\n\
                  Example:\n  mulberryctl propose recipes/replacement --key alice/emergency.pem\n  \
                  mulberryctl propose --withdraw old-fix --replace 3f2a81c0aa17\n  \
                  mulberryctl propose recipes/replacement --out fix.proposal\n  \
                  mulberryctl propose --rebase 3f2a81c0aa17"
)]
pub struct Propose {
    /// Recipe folders
    #[arg(value_name = "RECIPE", required_unless_present_any = ["withdraw", "renew", "rebase"])]
    pub recipes: Vec<PathBuf>,
    /// A published recipe that shall disappear; repeats
    #[arg(long, value_name = "RECIPE")]
    pub withdraw: Vec<RecipeName>,
    /// Sign a lane anew though nothing in it changes: its metadata is about to expire
    #[arg(long, value_enum, value_name = "LANE", conflicts_with_all = ["recipes", "withdraw"])]
    pub renew: Option<LaneName>,
    /// Your own key of the lane, a file or a PKCS#11 URI, to sign it right away; repeats
    #[arg(long, value_name = "FILE")]
    pub key: Vec<PathBuf>,
    /// Write the proposal into a file, with the edition it was made on, and tell the server nothing
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// A proposal whose place this takes; its signatures are void
    #[arg(long, value_name = "ID", conflicts_with = "out")]
    pub replace: Option<String>,
    /// Rebuild a proposal that was overtaken on what is live now: its id, or its file
    #[arg(long, value_name = "PROPOSAL", conflicts_with_all = ["recipes", "withdraw", "renew", "replace"])]
    pub rebase: Option<String>,
    /// Go on although the last preflight failed and none has passed since; say why: whoever signs next reads it
    #[arg(long, value_name = "TEXT")]
    pub despite_preflight: Option<String>,
    /// With --key: do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `sign`
#[derive(Args, Debug)]
#[command(
    after_help = "What is shown is computed from the bytes to be signed, against what this machine verifies from its own root: not from \
                  what the server says. A file is compared with the edition in it, unless --origin names an origin.\n\n\
                  Example:\n  mulberryctl sign 3f2a81c0aa17 --key bob/emergency.pem\n  \
                  mulberryctl sign fix.proposal --key bob/emergency.pem"
)]
pub struct Sign {
    /// The first digits of a proposal's id, or its file
    #[arg(value_name = "PROPOSAL")]
    pub proposal: String,
    /// Your own key of the lane, a file or a PKCS#11 URI; repeats
    #[arg(long, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,
    /// Do not ask before signing; needed where there is no terminal to ask at
    #[arg(long)]
    pub yes: bool,
}

/// `submit`
#[derive(Args, Debug)]
#[command(
    after_help = "With enough signatures a proposal is published; otherwise it waits for the others, who may sign the file or the \
                  proposal. One that waits on the server is published by its id, where fewer signatures are needed by now than \
                  when it was signed. An opening of a gate is carried out or refused.\n\n\
                  Example:\n  mulberryctl submit fix.proposal\n  mulberryctl submit all.opening\n  \
                  mulberryctl submit 3f2a81c0aa17"
)]
pub struct Submit {
    /// The file, or the first digits of a proposal's id
    #[arg(value_name = "PROPOSAL")]
    pub proposal: String,
    /// With an opening of a gate: undo these pauses and narrowings, by the events that the answer without this option names
    #[arg(long, value_name = "EVENT", value_delimiter = ',')]
    pub resume: Vec<u64>,
}

/// `proposals`
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Example:\n  mulberryctl proposals\n  mulberryctl proposals drop 3f2a81c0aa17 --reason \"wrong certificate\""
)]
pub struct Proposals {
    /// What to do; without it, list them
    #[command(subcommand)]
    pub command: Option<ProposalsCommand>,
}

/// `proposals …`
#[derive(Debug, Subcommand)]
pub enum ProposalsCommand {
    /// Give a proposal up; its signatures are void
    #[command(
        after_help = "Example:\n  mulberryctl proposals drop 3f2a81c0aa17 --reason \"wrong certificate\""
    )]
    Drop {
        /// The first digits of its id
        #[arg(value_name = "ID")]
        id: String,
        /// Why, for the ledger and for people
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
