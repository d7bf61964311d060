//! `mulberry-lab error-catalogue`: every stable name that a program may print, in `shared/docs/errors.md`.

use std::fmt::Write;
use std::fs;

use mulberry_shared::exit::Exit;
use mulberry_shared::explain::Explain;
use mulberry_shared::operators::ProblemKind;
use mulberry_shared::pass::Why;
use mulberry_shared::preflight::FindingKind;
use mulberry_shared::recipe::source::SourceProblemKind;
use mulberry_shared::status::Status;
use mulberry_shared::tuf::{Outcome, TrustErrorKind};
use mulberry_shared::xpi::VerdictKind;
use mulberryctl::failure::FailureKind;
use serde::Serialize;

use crate::LabError;
use crate::binaries::workspace;

/// Where it lies in the repository.
const FILE: &str = "shared/docs/errors.md";

/// Writes the error catalogue, `shared/docs/errors.md`, from the texts beside the names.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: mulberry-lab error-catalogue --check\n\nRun it in the repository that it was built from."
)]
pub struct Arguments {
    /// Change nothing; say whether the file is what would be written.
    #[arg(long)]
    check: bool,
}

/// Runs the command.
///
/// # Errors
/// The file cannot be read or written; with `--check`, also when it is out of date.
pub fn run(arguments: &Arguments) -> Result<(), LabError> {
    let path = workspace().join(FILE);
    if !arguments.check {
        return fs::write(&path, text()).map_err(LabError::file(&path));
    }
    if fs::read_to_string(&path).map_err(LabError::file(&path))? == text() {
        return Ok(());
    }
    Err(LabError::Usage(format!("{FILE} is out of date. Run: mulberry-lab error-catalogue")))
}

/// The catalogue.
#[must_use]
pub fn text() -> String {
    let mut text = String::from(
        "# Names of what can happen\n\n\
         Every name below is stable: tables, logs and JSON documents use it, and scripts may rely on it. Made by\n\
         `mulberry-lab error-catalogue` from the texts beside the names in the code; do not edit it here.\n",
    );
    let out = &mut text;
    section(
        out,
        "Exit codes of all programs",
        "`error.kind` of a failure with `--json`, where the command has no finer one.",
        |exit: Exit| format!("{} `{}`", exit as u8, exit.kind()),
    );
    section(
        out,
        "Statuses of a recipe",
        "`mulberry-agent status`, `why`, and `recipes[].status` of their JSON. Each recipe has exactly one in each run: the first \
         that holds.",
        |status: Status| format!("`{status}`"),
    );
    section(
        out,
        "Verdicts on an add-on",
        "`mulberry-agent verify`, `mulberryctl preflight`, and `verdict` in `addons.json`, which may also be `unreadable`: the file \
         could not be read.",
        |kind: VerdictKind| format!("`{kind}`"),
    );
    section(
        out,
        "Why an add-on is enabled or not",
        "`why` in `addons.json`, which may also be `unreadable` (disabled) or `kept-while-unreadable` (as before): the file could not \
         be read.",
        |why: Why| format!("`{}`", why.as_str()),
    );
    section(out, "Outcomes of a refresh", "`refresh.outcome` of the agent.", |outcome: Outcome| {
        format!("`{}`", outcome.as_str())
    });
    section(
        out,
        "Refused metadata and files",
        "Why a role or file was refused. The sentence names it.",
        |kind: TrustErrorKind| format!("`{kind}`"),
    );
    section(
        out,
        "Problems of the operators' interface",
        "`kind` of a problem document, `urn:mulberry:problem:KIND`, with the HTTP status; `error.kind` of `mulberryctl`, where \
         `internal`, `unavailable` and `unknown` are `server-internal`, `server-unavailable` and `server-problem`.",
        |kind: ProblemKind| serde_name(kind),
    );
    section(
        out,
        "Failures of mulberryctl",
        "`error.kind` of `mulberryctl --json`, beside those of the operators' interface, of refused metadata, and of the exit \
         codes.",
        |kind: FailureKind| format!("`{}`", kind.as_str()),
    );
    section(
        out,
        "Problems of a recipe's source",
        "`recipes[].problems[].kind` of `mulberryctl recipe check --json`. Each has its file, line and key, and a sentence and a \
         remedy of its own.",
        |kind: SourceProblemKind| serde_name(kind),
    );
    section(
        out,
        "Findings of a preflight",
        "`findings[].kind` of `mulberryctl preflight --json`.",
        |kind: FindingKind| serde_name(kind),
    );
    text
}

fn section<T: Explain>(out: &mut String, title: &str, where_met: &str, name: impl Fn(T) -> String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\n## {title}\n\n{where_met}\n\n| name | means | what to do |\n|---|---|---|\n");
    for item in T::ALL {
        let explained = item.explain();
        let _ = writeln!(out, "| {} | {} | {} |", name(*item), explained.meaning, explained.remedy);
    }
}

fn serde_name(kind: impl Serialize) -> String {
    let name = serde_json::to_value(kind).ok();
    format!("`{}`", name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default())
}
