//! `mulberry-agent run`: the daemon.

use std::sync::Arc;

use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;

use super::Failure;
use super::settings::StateArg;
use crate::config::Layer;
use crate::daemon::Daemon;
use crate::io::clock::SystemClock;
use crate::io::lock::Lock;

/// Options of `mulberry-agent run`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Makes a run soon after its start, then polls the origin (every --poll-minutes at most, spread at random), listens to the
origin's live stream to refresh within seconds of a new edition, and verifies all add-ons every --pass-hours.

SIGTERM or SIGINT ends it; a run in progress ends before its next add-on, and the next one starts over. SIGHUP loads agent.toml again; one that cannot be used is reported
in the log and by status, and the former settings stay.

Exit codes: 0 stopped by a signal; 2 the state folder, a setting or an anchor cannot be used; 3 the stored root does not
verify; 5 another agent works in the state folder. What an origin does never ends it.

Examples:
  mulberry-agent run --state ./agent
  mulberry-agent run --state ./agent --poll-minutes 5")]
pub struct Args {
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// Settings that win over the file, also when it is loaded again.
    #[command(flatten)]
    pub settings: Layer,
}

/// Works until told to stop.
///
/// # Errors
/// It cannot start.
pub fn run(args: Args, clock: SystemClock, limits: Limits) -> Result<Exit, Failure> {
    let folder = args.state.open_to_write()?;
    let _lock = Lock::take(folder.root())?;
    let runtime = super::runtime()?;
    let daemon = Daemon { folder: Arc::new(folder), upper: args.settings, clock, limits };
    let ended = runtime.block_on(daemon.run());
    // A share that never answers must not hold up the end.
    runtime.shutdown_background();
    ended.map(|()| Exit::Yes)
}
