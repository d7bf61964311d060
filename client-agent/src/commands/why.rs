//! `mulberry-agent why RECIPE`: why a recipe does what it does here, and what would change that.

use std::fmt;

use jiff::Timestamp;
use mulberry_shared::exit::Exit;
use mulberry_shared::recipe::{RecipeName, RecipePath};
use mulberry_shared::status::Status;
use serde::Serialize;

use super::settings::StateArg;
use super::{Failure, Output, OutputArgs, show};
use crate::ports::Disk;
use crate::report::FORMAT;
use crate::state::State;

/// Options of `mulberry-agent why`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mulberry-agent why replacement-intermediate --state ./agent
  mulberry-agent why replacement-intermediate --state ./agent --json")]
pub struct Args {
    /// The recipe: SLUG, LANE/SLUG or LANE/SLUG.json
    #[arg(value_name = "RECIPE")]
    pub recipe: RecipeName,
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Clone, Debug, Serialize)]
struct Answer<'a> {
    format: u64,
    path: &'a RecipePath,
    revision: Option<u64>,
    status: Status,
    detail: &'a str,
    what_would_change_it: &'static str,
    as_of: Timestamp,
}

/// Answers from the last run.
///
/// # Errors
/// The folder holds no state that this agent can read, or the last run knew no such recipe.
pub fn run(disk: &dyn Disk, name: &RecipeName, output: Output) -> Result<Exit, Failure> {
    let state = State::load(disk).map_err(Failure::usage)?;
    let Some(run) = &state.last_run else {
        return Err(no(format!(
            "nothing is known of {name}: this agent has not run yet; run: mulberry-agent once"
        )));
    };
    if run.recipes.is_empty() {
        return Err(no(format!(
            "nothing is known of {name}: the last run ({:.0}) had no recipe at all; its refresh from {}: {}",
            run.at, run.refresh.origin, run.refresh.detail
        )));
    }
    let path = name
        .among(run.recipes.iter().map(|result| &result.path))
        .map_err(|error| no(format!("in the edition of the last run ({:.0}) {error}", run.at)))?;
    let Some(result) = run.recipes.iter().find(|result| result.path == path) else {
        return Err(no(format!("nothing is known of {path}")));
    };
    let answer = Answer {
        format: FORMAT,
        path: &result.path,
        revision: result.revision,
        status: result.status,
        detail: &result.detail,
        what_would_change_it: remedy(result.status),
        as_of: run.at,
    };
    show(&answer, output)?;
    Ok(Exit::Yes)
}

fn no(sentence: String) -> Failure {
    Failure { exit: Exit::No, sentence }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.revision.map_or_else(String::new, |revision| format!(", revision {revision}"));
        writeln!(f, "{}{revision}: {}", self.path, self.status)?;
        writeln!(f, "{}", self.detail)?;
        writeln!(f, "What would change it: {}", self.what_would_change_it)?;
        writeln!(f, "As of the run at {:.0}", self.as_of)
    }
}

/// What would have to happen for another status.
fn remedy(status: Status) -> &'static str {
    match status {
        Status::Unreadable => "the people who sign the lane publish a revision that can be read",
        Status::UnknownSchema | Status::UnknownAction | Status::UnknownCapability => {
            "a newer agent that knows what the recipe asks for"
        }
        Status::InvalidArguments => "the people who sign the lane publish a corrected revision",
        Status::NotStarted => "its start comes",
        Status::Expired => "the people who sign the lane publish a revision with a later end",
        Status::NotTargeted => {
            "this client's facts (see [client] in agent.toml) or the recipe's targeting change"
        }
        Status::ConsentWithheld => "the user allows it: see [consent] in agent.toml",
        Status::LaneExpired => {
            "the people who sign the lane sign it again, and this agent reaches an origin that has it"
        }
        Status::GateClosed => "the recipe's gate is opened, and this agent reaches an origin that says so",
        Status::Ended => {
            "a new revision is published and its gate is opened; what stays applied ends when it is withdrawn"
        }
        Status::Paused => "its gate is opened again",
        Status::NotSampled => "its gate is opened to a larger share",
        Status::Applied | Status::Unchanged => {
            "it is withdrawn, ended or replaced by another revision, or it expires"
        }
        Status::Reverted => "a new revision is published and its gate is opened",
        Status::WithdrawnKept => {
            "a revision with on_end = \"revert\" is published, its gate is opened, and it is withdrawn in turn"
        }
        Status::KeptWouldBreak => {
            "no add-on that works needs it any more: every run tries again, and its effects stay until then"
        }
        Status::WouldBreakAddons => {
            "a corrected revision, or the add-ons it would break change: every run tries again"
        }
        Status::ApplyFailed => "the cause named above goes away: every run tries again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::doubles::MemoryDisk;
    use crate::state::{LastRun, RefreshOutcome, Refreshed};

    #[test]
    fn every_status_has_a_remedy() {
        for status in Status::ALL {
            assert!(!remedy(status).is_empty());
        }
    }
    #[test]
    fn an_end_is_final_so_only_a_new_revision_brings_it_back() {
        for status in [Status::Ended, Status::Reverted] {
            assert!(remedy(status).starts_with("a new revision is published"), "{status}");
        }
    }

    #[test]
    fn a_run_that_never_saw_an_edition_blames_the_refresh_and_not_the_slug() {
        let state = State {
            last_run: Some(LastRun {
                at: "2019-05-04T00:10:00Z".parse().unwrap(),
                clock_shifted: false,
                refresh: Refreshed {
                    outcome: RefreshOutcome::Unreachable,
                    origin: "http://127.0.0.1:1/".into(),
                    detail: "connection refused".into(),
                },
                recipes: Vec::new(),
            }),
            ..State::new("x".into(), None)
        };
        let disk = MemoryDisk::default();
        state.save(&disk).unwrap();
        let failure = run(&disk, &"fix".parse().unwrap(), Output::Text).unwrap_err();
        assert_eq!(failure.exit, Exit::No);
        assert!(
            failure.sentence.contains("refresh from http://127.0.0.1:1/: connection refused"),
            "{failure}"
        );
    }
}
