//! `mulberry-agent status`: what the agent holds, from its files, and what a running daemon says of itself. Needs no lock and
//! asks no origin.

use std::fmt;

use jiff::Timestamp;
use mulberry_shared::answer::plain;
use mulberry_shared::enrolment::{self, Enrolment, EnrolmentState};
use mulberry_shared::exit::Exit;
use mulberry_shared::limits::Limits;
use serde::Serialize;

use super::settings::StateArg;
use super::{Failure, Output, OutputArgs, show};
use crate::driver::load_trust;
use crate::io::presence::Presence;
use crate::ports::{Clock, Disk};
use crate::projections::AddonLine;
use crate::report::{AddonCounts, ClockReport, EditionReport, FORMAT, origins_table, recipes_table, table};
use crate::state::{LastRun, OriginNote, RecipeResult, Refreshed, State, WaivedImport};
use crate::witness::Witness;

/// Options of `mulberry-agent status`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mulberry-agent status --state ./agent
  mulberry-agent status --state ./agent --json")]
pub struct Args {
    /// The state folder.
    #[command(flatten)]
    pub state: StateArg,
    /// How to show the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What the agent holds.
#[derive(Clone, Debug, Serialize)]
struct Report<'a> {
    format: u64,
    now: Timestamp,
    clock_shifted: bool,
    clock: ClockReport,
    daemon: Option<Presence>,
    /// Why a daemon that may run here says nothing.
    daemon_problem: Option<String>,
    last_run: Option<Timestamp>,
    last_run_clock_shifted: bool,
    last_contact: Option<Timestamp>,
    refresh: Option<&'a Refreshed>,
    origins: &'a [OriginNote],
    edition: Option<EditionReport>,
    /// Set while what is held came in by a bundle whose expiry was waived.
    waived: Option<&'a WaivedImport>,
    /// What was seen of the server's ledger.
    witness: Option<&'a Witness>,
    held_until: Option<Timestamp>,
    last_full_pass: Option<Timestamp>,
    enrolments: Vec<EnrolmentLine<'a>>,
    recipes: &'a [RecipeResult],
    addons: AddonCounts,
    /// Those that are disabled, and those that are enabled for another reason than an `ok` verdict.
    remarkable: Vec<AddonLine<'a>>,
    certificates: usize,
    /// Why the last run verified no add-on.
    pass_problem: Option<&'a str>,
}

#[derive(Clone, Debug, Serialize)]
struct EnrolmentLine<'a> {
    path: String,
    revision: u64,
    name: &'a str,
    action: &'static str,
    state: EnrolmentState,
    enrolled_at: Timestamp,
    held_until: Option<Timestamp>,
}

impl<'a> EnrolmentLine<'a> {
    fn of(enrolment: &'a Enrolment, now: Timestamp) -> Self {
        let alone = enrolment::effects(std::slice::from_ref(enrolment), now);
        Self {
            path: enrolment.path.to_string(),
            revision: enrolment.revision,
            name: &enrolment.recipe.name,
            action: enrolment.recipe.action.kind().as_str(),
            state: enrolment.state,
            enrolled_at: enrolment.enrolled_at,
            held_until: alone.hold_until,
        }
    }
}

/// Shows the state in a folder, and what a daemon there said, or why it said nothing.
///
/// # Errors
/// The folder holds none that this agent can read.
pub fn run(
    disk: &dyn Disk,
    daemon: Result<Option<Presence>, String>,
    clock: &dyn Clock,
    limits: &Limits,
    output: Output,
) -> Result<Exit, Failure> {
    let now = clock.now();
    let state = State::load(disk).map_err(Failure::usage)?;
    let edition = load_trust(disk, limits)?.edition(limits);
    let run = state.last_run.as_ref();
    let effects = enrolment::effects(&state.enrolments, now);
    let (daemon, daemon_problem) = match daemon {
        Ok(daemon) => (daemon, None),
        Err(problem) => (None, Some(problem)),
    };
    let report = Report {
        format: FORMAT,
        now,
        clock_shifted: clock.is_shifted(),
        clock: ClockReport::of(edition.as_ref(), now),
        daemon,
        daemon_problem,
        last_run: run.map(|run| run.at),
        last_run_clock_shifted: run.is_some_and(|run| run.clock_shifted),
        last_contact: state.last_contact,
        refresh: run.map(|run| &run.refresh),
        origins: &state.origins,
        edition: edition.as_ref().map(|edition| EditionReport::of(edition, Some(now))),
        waived: state.waived.as_ref(),
        witness: state.witness.as_ref(),
        held_until: effects.hold_until,
        last_full_pass: state.last_full_pass,
        enrolments: state.enrolments.iter().map(|enrolment| EnrolmentLine::of(enrolment, now)).collect(),
        recipes: run.map_or(&[], |run: &LastRun| &run.recipes),
        addons: AddonCounts::of(&state.addons, state.left_out.as_ref()),
        remarkable: state
            .addons
            .iter()
            .map(|(path, record)| AddonLine::of(path, record))
            .filter(|line| !line.enabled || line.verdict != "ok" || line.why == "kept-while-unreadable")
            .collect(),
        certificates: effects.installed().count(),
        pass_problem: state.pass_problem.as_deref(),
    };
    show(&report, output)?;
    Ok(Exit::Yes)
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_never =
            |time: Option<Timestamp>| time.map_or_else(|| "never".into(), |time| format!("{time:.0}"));
        if self.clock_shifted {
            writeln!(f, "Clock: started elsewhere (--clock-start); it shows {:.0}", self.now)?;
        }
        write!(f, "{}", self.clock)?;
        match &self.daemon_problem {
            Some(problem) => {
                writeln!(f, "Daemon: one seems to run here, but gives no answer: {}", plain(problem))
            }
            None => write_daemon(f, self.daemon.as_ref()),
        }?;
        let shifted = if self.last_run_clock_shifted { ", with a clock started elsewhere" } else { "" };
        writeln!(f, "Last run: {}{shifted}", or_never(self.last_run))?;
        writeln!(f, "Last contact: {}", or_never(self.last_contact))?;
        if let Some(refresh) = self.refresh {
            writeln!(f, "Last refresh from {}: {}", refresh.origin, plain(&refresh.detail))?;
        }
        if !self.origins.is_empty() {
            write!(f, "\n{}\n", origins_table(self.origins))?;
        }
        match &self.edition {
            None => writeln!(f, "Edition: none yet")?,
            Some(edition) => {
                writeln!(f, "Edition: {}", edition.number)?;
                if let Some(warning) = &edition.clock_warning {
                    writeln!(f, "Warning: {warning}")?;
                }
                let rows = edition.expiries.iter().map(|expiry| {
                    let expired = if expiry.expired { "expired" } else { "" };
                    [
                        expiry.role.clone(),
                        expiry.version.to_string(),
                        expiry.expires.to_string(),
                        expired.into(),
                    ]
                });
                if let Some(waived) = self.waived {
                    writeln!(f, "Waived: {}", plain(&waived.to_string()))?;
                }
                write!(f, "\n{}", table(["role", "version", "expires", ""], rows))?;
            }
        }
        if let Some(witness) = self.witness {
            write!(f, "\n{witness}")?;
        }
        if !self.enrolments.is_empty() {
            let rows = self.enrolments.iter().map(|line| {
                let until = line.held_until.map_or_else(String::new, |until| format!("until {until:.0}"));
                let kept = match line.state {
                    EnrolmentState::Active => "active",
                    EnrolmentState::KeptAfterEnd => "kept after its end",
                };
                [
                    line.path.clone(),
                    line.action.into(),
                    kept.into(),
                    format!("{:.0}", line.enrolled_at),
                    until,
                ]
            });
            write!(f, "\n{}", table(["applied", "action", "state", "since", ""], rows))?;
        }
        write!(f, "\n{}\n", recipes_table(self.recipes))?;
        if let Some(until) = self.held_until {
            writeln!(f, "Periodic verification is held until {until:.0}")?;
        }
        writeln!(f, "Last periodic verification: {}", or_never(self.last_full_pass))?;
        writeln!(f, "{}; {} installed certificates", self.addons, self.certificates)?;
        if let Some(left_out) = &self.addons.left_out {
            writeln!(f, "{left_out}")?;
        }
        if let Some(problem) = self.pass_problem {
            writeln!(f, "The last run verified no add-on: {}", plain(problem))?;
        }
        if !self.remarkable.is_empty() {
            let rows = self.remarkable.iter().map(|line| {
                let enabled = if line.enabled { "enabled" } else { "disabled" };
                [line.path.into(), enabled.into(), line.verdict.into(), line.detail.into()]
            });
            write!(f, "\n{}", table(["add-on", "", "verdict", "detail"], rows))?;
        }
        Ok(())
    }
}

fn write_daemon(f: &mut fmt::Formatter<'_>, daemon: Option<&Presence>) -> fmt::Result {
    let Some(daemon) = daemon else { return writeln!(f, "Daemon: none runs") };
    writeln!(f, "Daemon: runs as process {} since {:.0}", daemon.pid, daemon.started)?;
    let live = if daemon.live_connected { "connected" } else { "not connected; polling" };
    match &daemon.origin {
        Some(origin) => writeln!(f, "Live stream of {origin}: {live}")?,
        None => writeln!(f, "Live stream: folders have none; polling")?,
    }
    match daemon.next_run {
        Some(next) => writeln!(f, "Next run: {next:.0} at the latest")?,
        None => writeln!(f, "Next run: now")?,
    }
    for problem in daemon.settings_problem.iter().flat_map(|problem| problem.lines()) {
        writeln!(f, "Settings not loaded again: {problem}")?;
    }
    match &daemon.run_problem {
        Some(problem) => writeln!(f, "Last run not made: {problem}"),
        None => Ok(()),
    }
}
