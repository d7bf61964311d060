//! `mulberry-agent import`: one run whose origin is a bundle.

use std::path::PathBuf;

use mulberry_host::files;
use mulberry_shared::answer::plain;
use mulberry_shared::bundle::{Bundle, BundleError, Unfit};
use mulberry_shared::edition::{OnlineRole, Waiver};
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;

use super::settings::StateArg;
use super::{Failure, OutputArgs, show};
use crate::config::Layer;
use crate::import::{Import, ImportError};
use crate::io::clock::SystemClock;
use crate::io::lock::{Lock, NotLocked};
use crate::stop;
use crate::wiring::Parts;

/// Options of `mulberry-agent import`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Makes one whole run, as once does, from a file that `mulberryctl bundle` made; no origin is asked. The bundle is verified
exactly as an origin is. It is taken whole or not at all: when it is refused, nothing is changed.

A bundle that was long on its way has expired, and is refused unless --waive-expiry names each role that has. That counts for
this run alone; status reports it until something fresher arrives. It gives up the proof that the bundle is not an old one,
and nothing else: what people signed still expires, and nothing older than what is held is ever taken.

A running daemon holds the state folder: stop it, import, and start it again.

Exit codes: 0 done; 1 the bundle is older than what is held; 2 the bundle, the state folder, a setting or an anchor cannot
be read; 3 something was refused; 5 another agent works in the state folder; 143 SIGTERM or SIGINT ended it early.

Examples:
  mulberry-agent import /media/stick/fixes.mulberry
  mulberry-agent import fixes.mulberry --waive-expiry timestamp,snapshot,gates --state ./agent")]
pub struct Args {
    /// The bundle
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Let the expiry of this role not count in this run: timestamp, snapshot or gates (repeats, or with commas)
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    pub waive_expiry: Vec<OnlineRole>,
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Settings that win over the file for this run.
    #[command(flatten)]
    pub settings: Layer,
}

/// Makes the run and shows what it did.
///
/// # Errors
/// The bundle was not taken, or the state folder cannot be used.
pub fn run(args: Args, clock: &SystemClock, limits: &Limits) -> Result<Exit, Failure> {
    let shown = plain(&args.file.display().to_string());
    let named = |exit, problem: String| Failure { exit, sentence: format!("{shown}: {problem}") };
    let ceiling = u64::try_from(limits.bundle.bytes).unwrap_or(u64::MAX);
    let bytes = files::read(&args.file, ceiling).map_err(|error| named(Exit::Usage, error.to_string()))?;
    let bundle = Bundle::read(&bytes, &limits.bundle)
        .map_err(|error| named(exit_of(&error), format!("{error}. Nothing was changed")))?;
    drop(bytes);

    let folder = args.state.open_to_write()?;
    let _lock = Lock::take(folder.root()).map_err(|error| match error {
        NotLocked::Held => Failure {
            exit: Exit::Locked,
            sentence: format!("{error}: a daemon holds it for its life. Stop it, import, and start it again"),
        },
        NotLocked::Io { .. } => error.into(),
    })?;
    let parts = Parts::load(&folder, args.settings, limits)?;
    let runtime = super::runtime()?;
    let stop = stop::on_signals(runtime.handle()).map_err(Failure::usage)?;
    let waiver = Waiver::of(args.waive_expiry);
    let import = Import { bundle: &bundle, file: &shown, waiver: &waiver };
    let report = runtime.block_on(parts.agent(&folder, clock, None, stop).import(import)).map_err(
        |error| match error {
            ImportError::Run(error) => error.into(),
            ImportError::Unfit(unfit) => {
                let exit = if matches!(unfit, Unfit::Older(_)) { Exit::No } else { Exit::TrustRefused };
                named(exit, format!("{unfit}. Nothing was changed"))
            }
        },
    )?;
    show(&report, args.output.into())?;
    Ok(report.exit())
}

/// Something else than a bundle is a slip; a bundle that is not as it was made may be an attack.
fn exit_of(error: &BundleError) -> Exit {
    match error {
        BundleError::Damaged | BundleError::Malformed { .. } => Exit::TrustRefused,
        BundleError::NotABundle
        | BundleError::Newer { .. }
        | BundleError::TooLarge { .. }
        | BundleError::TooMany { .. } => Exit::Usage,
    }
}
