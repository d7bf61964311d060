//! `mulberry-agent once`: one run, now.

use mulberry_shared::exit::Exit;

use super::settings::StateArg;
use super::{Failure, Output, OutputArgs, show};
use crate::config::Layer;
use crate::driver::{Agent, RunError};
use crate::io::lock::NotLocked;

/// Options of `mulberry-agent once`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done; 2 the state folder, a setting or an anchor cannot be used; 3 the origin sent something that was
refused; 4 no origin gave a usable answer; 5 another agent works in the state folder. With 3 and 4 the last good
edition was used, and everything else was done. SIGTERM and SIGINT end the run before its next add-on, with 143: then recipes and
add-ons are as they were before it.

Examples:
  mulberry-agent once --state ./agent
  mulberry-agent once --state ./agent --json --version 66.0.4
  mulberry-agent once --state ./agent --rehash
  mulberry-agent --clock-start 2019-05-05T00:00:00Z once --state ./agent")]
pub struct Args {
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// Read, hash and verify every add-on now, though nothing seems to have changed and the periodic pass is not due
    #[arg(long)]
    pub rehash: bool,
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
/// The state folder cannot be used.
pub async fn run(agent: &Agent<'_>, output: Output) -> Result<Exit, Failure> {
    let report = agent.once().await?;
    show(&report, output)?;
    Ok(report.exit())
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let exit = match error {
            RunError::Trust(_) => Exit::TrustRefused,
            RunError::Stopped => Exit::Stopped,
            RunError::State(_) | RunError::TrustFiles(_) | RunError::Disk { .. } => Exit::Usage,
        };
        Self { exit, sentence: error.to_string() }
    }
}

impl From<NotLocked> for Failure {
    fn from(error: NotLocked) -> Self {
        let exit = match error {
            NotLocked::Held => Exit::Locked,
            NotLocked::Io { .. } => Exit::Usage,
        };
        Self { exit, sentence: error.to_string() }
    }
}
