//! The exit codes of all Mulberry binaries.

use std::process::{ExitCode, Termination};

/// How a command ended, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or the answer is yes.
    Yes = 0,
    /// The answer is no: something was checked and did not hold.
    No = 1,
    /// Wrong usage, or input that could not be read.
    Usage = 2,
    /// Metadata or a signature was refused.
    TrustRefused = 3,
    /// No server or origin answered.
    Unreachable = 4,
    /// Another process holds the state folder.
    Locked = 5,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}
