//! `ledger …`

use super::{When, parse_when};
use clap::{Args, Subcommand};
use mulberry_shared::{ledger::links::Given, recipe::Slug};
use std::path::PathBuf;

/// `ledger …`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Whether a ledger is whole, and the one that the origin and witnesses saw; exit code 1 when not
    #[command(
        after_help = "Checks every hash of an export, or of the server's ledger, and its links: against the head in the origin's verified \
                      timestamp (for a file, when --origin is given) and against heads that agents saw (`mulberry-agent status`). \
                      `mulberry-server ledger verify` also checks every signature in it.\n\n\
                      Example:\n  mulberryctl ledger verify\n  mulberryctl ledger verify ledger.jsonl --witness 17:4bd336e0b198f10e4545990b0f4bb4a7b966e793f30792dd7760e300457fcd94"
    )]
    Verify {
        /// An export [default: the server's ledger]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// A head that somebody saw; repeats
        #[arg(long, value_name = "SEQUENCE:LINK")]
        witness: Vec<Given>,
    },
    /// Who did what, when and why, and whose keys signed it
    #[command(
        after_help = "Names of people are those in the signed metadata; the actor is the name of a token.\n\n\
                      Example:\n  mulberryctl ledger show --slug replace-intermediate\n  \
                      mulberryctl ledger show ledger.jsonl --actor mei --since 2019-05-04T00:00:00Z"
    )]
    Show(Show),
    /// Write every event of the server's ledger into a file, as mulberry-server ledger export does
    #[command(after_help = "Only its owner may read it: it tells reasons and names.\n\n\
                            Example:\n  mulberryctl ledger export --out ledger.jsonl")]
    Export {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Write over a file that exists
        #[arg(long)]
        replace: bool,
    },
    /// A server was lost: write what people sign so that a new one may continue its ledger
    #[command(
        after_help = "Takes where the ledger ended from a mirror: the origin, or with --from a folder's or bundle's edition, which may have \
                      expired. People who hold keys of targets sign the file; mulberry-server rebuild takes it.\n\n\
                      Example:\n  mulberryctl ledger continue --from mirror --reason \"the machine burnt down\" --out continues.json"
    )]
    Continue {
        /// A mirror's folder, or a bundle [default: the origin]
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
        /// Why, in one line, for everybody
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Sign such a file, after reading what it says; needs no network
    #[command(
        after_help = "The file brings the roots of later ceremonies along: the keys of targets in the newest that follows from --root sign.\n\n\
                      Example:\n  mulberryctl ledger sign continues.json --key people/alice/targets.pem"
    )]
    Sign {
        /// The file, to which the signature is added
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Your own key of targets
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Do not ask before signing; needed where there is no terminal to ask at
        #[arg(long)]
        yes: bool,
    },
}

/// `ledger show`
#[derive(Args, Debug, Default)]
pub struct Show {
    /// An export [default: the server's ledger]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Only what is about this recipe
    #[arg(long, value_name = "SLUG")]
    pub slug: Option<Slug>,
    /// Only what this actor asked for
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only from then on
    #[arg(long, value_name = "RFC3339", value_parser = parse_when)]
    pub since: Option<When>,
    /// Only before then
    #[arg(long, value_name = "RFC3339", value_parser = parse_when)]
    pub until: Option<When>,
}
