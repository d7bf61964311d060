//! `mulberry-agent acknowledge HEAD`: a person has heard why the server's ledger is another one than it was.

use std::fmt;

use mulberry_shared::exit::Exit;
use mulberry_shared::ledger::links::{Given, WitnessHead};
use serde::Serialize;

use super::settings::StateArg;
use super::{Failure, OutputArgs, show};
use crate::io::lock::{Lock, NotLocked};
use crate::report::FORMAT;
use crate::state::State;

/// Options of `mulberry-agent acknowledge`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
When the server's ledger does not go on from what this agent saw of it, status says so until somebody acknowledges it. Fixes
are applied all the same: people's signatures decide that. Acknowledge it when those who run the server have explained it; the
agent then watches the history that is shown now. A history that could not be checked can be acknowledged, too: what was seen
before is then compared with nothing any more.

A running daemon holds the state folder: stop it, acknowledge, and start it again.

Exit codes: 0 done; 1 there is nothing to acknowledge, or another head; 2 the state folder cannot be used; 5 another agent
works in it.

Example:
  mulberry-agent acknowledge 17:4bd336e0b198f10e4545990b0f4bb4a7b966e793f30792dd7760e300457fcd94 --state ./agent")]
pub struct Args {
    /// The head that is shown now, as status prints it
    #[arg(value_name = "SEQUENCE:LINK")]
    pub head: Given,
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Acknowledged {
    format: u64,
    watching: WitnessHead,
}

/// Acknowledges.
///
/// # Errors
/// The state folder cannot be used, or that is not what there is to acknowledge.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let folder = args.state.open_to_write()?;
    let _lock = Lock::take(folder.root()).map_err(|error| match error {
        NotLocked::Held => Failure {
            exit: Exit::Locked,
            sentence: format!(
                "{error}: a daemon holds it for its life. Stop it, acknowledge, and start it again"
            ),
        },
        NotLocked::Io { .. } => error.into(),
    })?;
    let mut state = State::load(&folder).map_err(Failure::usage)?;
    let no = |sentence: String| Failure { exit: Exit::No, sentence };
    let witness = state.witness.as_mut().ok_or_else(|| no("this agent has seen no ledger yet".to_owned()))?;
    witness.acknowledge(args.head.sequence, args.head.link).map_err(no)?;
    let watching = witness.checked;
    state.waiting_heads.clear();
    state.save(&folder).map_err(Failure::usage)?;
    show(&Acknowledged { format: FORMAT, watching }, args.output.into())?;
    Ok(Exit::Yes)
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Acknowledged. From now on this agent watches the history that ends with {}.",
            self.watching
        )
    }
}
