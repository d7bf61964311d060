//! `mulberry-lab measure`: run one program and note the most memory it held.
//!
//! A process of its own, since the system only tells the largest of *all* children that a process has waited for.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};

use crate::LabError;

/// Runs one program to its end and writes the most memory it held, in KiB, into a file.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: the program's, 255 when a signal ended it, 2 when it could not be run.\n\n\
    Example: mulberry-lab measure --peak peak.txt -- mulberry-agent verify --anchor root.pem addons"
)]
pub struct Arguments {
    /// The file for the figure.
    #[arg(long, value_name = "FILE")]
    peak: PathBuf,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the program cannot be started, or the figure not be told or written.
pub fn run(arguments: &Arguments) -> Result<ExitCode, LabError> {
    let (program, rest) = arguments
        .program
        .split_first()
        .ok_or_else(|| LabError::Usage("no program to measure; name one after `--`".into()))?;
    let status = Command::new(program).args(rest).status().map_err(LabError::file(program))?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(|error| LabError::Usage(format!("the system does not tell what children used: {error}")))?;
    std::fs::write(&arguments.peak, usage.max_rss().to_string()).map_err(LabError::file(&arguments.peak))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255);
    Ok(ExitCode::from(code))
}
