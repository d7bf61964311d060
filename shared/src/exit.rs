//! The exit codes of all Mulberry binaries.

use crate::explain::explained;
use std::ffi::OsStr;
use std::process::{ExitCode, Termination};

use serde_json::{Value, json};

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
    /// A signal ended it before it was finished; the number that shells give for SIGTERM.
    Stopped = 143,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

impl Exit {
    /// A name for machines, for commands that have no finer one.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Yes => "done",
            Self::No => "no",
            Self::Usage => "usage",
            Self::TrustRefused => "trust-refused",
            Self::Unreachable => "unreachable",
            Self::Locked => "locked",
            Self::Stopped => "stopped",
        }
    }
}

/// What `--json` prints on standard output when a command fails: one shape for all binaries.
#[must_use]
pub fn failure(exit: Exit, kind: &str, sentence: &str) -> Value {
    json!({"error": {"kind": kind, "exit": exit as u8, "sentence": sentence.trim_end()}})
}

/// Whether `--json` is among the arguments: asked where they could not be parsed, so that scripts get JSON even then.
#[must_use]
pub fn asks_for_json<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> bool {
    arguments
        .into_iter()
        .map_while(|argument| {
            let argument = argument.as_ref();
            (argument != "--").then(|| argument == "--json")
        })
        .any(|is_json| is_json)
}

explained!(Exit {
    Yes: "done, or the answer is yes",
        "nothing";
    No: "the answer is no: something was checked and did not hold",
        "read the sentence on standard error, or `error.sentence` with `--json`";
    Usage: "wrong usage, or a file, setting or folder that cannot be used",
        "put right what the sentence names; `--help` has examples";
    TrustRefused: "metadata or a signature was refused",
        "do not work around it: find out who served or signed this; what was there before is still in force";
    Unreachable: "no server or origin gave a usable answer",
        "check address, network and server; nothing was changed";
    Locked: "another process works in the state folder",
        "wait for it or stop it; `status` needs no lock";
    Stopped: "SIGTERM or SIGINT ended a run of the agent before it was finished",
        "run it again: what it had not finished is as it was before";
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_by_its_flag_alone() {
        assert!(asks_for_json(["x", "status", "--json"]));
        assert!(!asks_for_json(["x", "status", "--jsonx", "json"]));
        assert!(!asks_for_json(["x", "verify", "--", "--json"]));
    }

    #[test]
    fn a_failure_is_one_document_with_kind_exit_and_sentence() {
        let document = failure(Exit::Locked, Exit::Locked.kind(), "it is in use; wait\n");
        assert_eq!(
            document.to_string(),
            r#"{"error":{"exit":5,"kind":"locked","sentence":"it is in use; wait"}}"#
        );
    }
}
