//! A run in words and as JSON.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use mulberry_host::table::{self, Width};
use mulberry_shared::answer::plain;
use mulberry_shared::clock::{self, ClockStanding};
use mulberry_shared::edition::Edition;
use mulberry_shared::exit::Exit;
use serde::Serialize;

use crate::passes::{Pass, Records};
use crate::ports::HookEnd;
use crate::state::{
    LastRun, LeftOut, OriginNote, RecipeResult, RefreshOutcome, Refreshed, State, WaivedImport,
};
use crate::witness::Witness;

/// The format of the JSON reports.
pub const FORMAT: u64 = 1;

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The format's number.
    pub format: u64,
    /// When, by the agent's clock.
    pub at: Option<Timestamp>,
    /// Whether that clock was started elsewhere.
    pub clock_shifted: bool,
    /// Whether the edition vouches for it.
    pub clock: ClockReport,
    /// How the refresh ended.
    pub refresh: Option<Refreshed>,
    /// What is known of each origin.
    pub origins: Vec<OriginNote>,
    /// The edition decisions were made on.
    pub edition: Option<EditionReport>,
    /// Set while the metadata held came in by a bundle whose expiry was waived.
    pub waived: Option<WaivedImport>,
    /// What was seen of the server's ledger.
    pub witness: Option<Witness>,
    /// Every recipe's status.
    pub recipes: Vec<RecipeResult>,
    /// The verification pass.
    pub pass: PassReport,
    /// When the last periodic pass was made, this run or earlier.
    pub last_full_pass: Option<Timestamp>,
    /// The add-ons after it.
    pub addons: AddonCounts,
    /// How the hook ended, if it was run.
    pub hook: Option<HookEnd>,
}

impl RunReport {
    /// Puts a report together.
    #[must_use]
    pub fn new(state: &State, edition: Option<&Edition>, pass: PassReport, hook: Option<HookEnd>) -> Self {
        let run = state.last_run.as_ref();
        Self {
            format: FORMAT,
            at: run.map(|run| run.at),
            clock_shifted: run.is_some_and(|run| run.clock_shifted),
            clock: ClockReport::of(edition, run.map(|run| run.at).unwrap_or_default()),
            refresh: run.map(|run| run.refresh.clone()),
            origins: state.origins.clone(),
            edition: edition.map(|edition| EditionReport::of(edition, run.map(|run| run.at))),
            waived: state.waived.clone(),
            witness: state.witness.clone(),
            recipes: run.map_or_else(Vec::new, |run: &LastRun| run.recipes.clone()),
            pass,
            last_full_pass: state.last_full_pass,
            addons: AddonCounts::of(&state.addons, state.left_out.as_ref()),
            hook,
        }
    }

    /// How the command ends: the best that an origin did decides.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.refresh.as_ref().map(|refresh| refresh.outcome) {
            Some(RefreshOutcome::Refused) => Exit::TrustRefused,
            Some(RefreshOutcome::Unreachable) => Exit::Unreachable,
            Some(RefreshOutcome::Current | RefreshOutcome::Stale) | None => Exit::Yes,
        }
    }
}

/// Whether the clock is believed as far as add-ons may stop working by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockReport {
    /// Whether it is.
    pub vouched: bool,
    /// Why, or why not.
    pub detail: String,
}

impl ClockReport {
    /// What an edition says of a clock that shows `now`.
    #[must_use]
    pub fn of(edition: Option<&Edition>, now: Timestamp) -> Self {
        let standing = ClockStanding::of(edition, now);
        Self { vouched: standing.is_vouched(), detail: standing.to_string() }
    }
}

impl fmt::Display for ClockReport {
    /// A line where there is something to say.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.vouched {
            return Ok(());
        }
        writeln!(
            f,
            "Clock not vouched for: {}. Until it is, no date disables an add-on, the periodic verification waits, and nothing \
             that was installed is taken away",
            self.detail
        )
    }
}

/// A verified edition, for people.
#[derive(Clone, Debug, Serialize)]
pub struct EditionReport {
    /// Its number: the version of the snapshot.
    pub number: u64,
    /// When its timestamp was signed.
    pub signed_at: Option<Timestamp>,
    /// When each role expires.
    pub expiries: Vec<Expiry>,
    /// Set when the clocks of this machine and of the signer do not agree.
    pub clock_warning: Option<String>,
}

/// When one role expires.
#[derive(Clone, Debug, Serialize)]
pub struct Expiry {
    /// The role.
    pub role: String,
    /// The version that is here.
    pub version: u64,
    /// When it expires.
    pub expires: Timestamp,
    /// Whether it has.
    pub expired: bool,
}

impl EditionReport {
    /// As seen at `now`.
    #[must_use]
    pub fn of(edition: &Edition, now: Option<Timestamp>) -> Self {
        let ahead = |signed: &Timestamp| now.is_some_and(|now| signed.duration_since(now) > clock::TOLERANCE);
        Self {
            number: edition.number,
            signed_at: edition.signed_at,
            expiries: edition
                .expiries
                .iter()
                .map(|expiry| Expiry {
                    role: expiry.role.clone(),
                    version: expiry.version,
                    expires: expiry.expires,
                    expired: now.is_some_and(|now| now >= expiry.expires),
                })
                .collect(),
            clock_warning: edition.signed_at.filter(ahead).map(|signed| {
                format!(
                    "the edition was signed at {signed:.0}, which lies ahead: check the clock of this machine"
                )
            }),
        }
    }
}

/// What a verification pass did.
#[derive(Clone, Debug, Serialize)]
pub struct PassReport {
    /// Which pass it was.
    pub kind: Pass,
    /// Why no add-on was looked at, if so.
    pub problem: Option<String>,
    /// Until when the periodic pass is suspended.
    pub held_until: Option<Timestamp>,
    /// Add-ons that became enabled, new ones included.
    pub enabled: Vec<String>,
    /// Add-ons that became disabled, new ones included.
    pub disabled: Vec<String>,
}

impl PassReport {
    /// The difference between two states.
    #[must_use]
    pub fn of(
        kind: Pass,
        problem: Option<String>,
        old: &State,
        new: &State,
        held_until: Option<Timestamp>,
    ) -> Self {
        let became = |enabled: bool| -> Vec<String> {
            new.addons
                .iter()
                .filter(|(_, record)| record.enabled() == enabled)
                .filter(|(path, _)| old.addons.get(*path).is_none_or(|record| record.enabled() != enabled))
                .map(|(path, _)| path.clone())
                .collect()
        };
        Self { kind, problem, held_until, enabled: became(true), disabled: became(false) }
    }
}

/// How many add-ons are in which condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddonCounts {
    /// All.
    pub total: usize,
    /// Those the host may run.
    pub enabled: usize,
    /// Those it may not.
    pub disabled: usize,
    /// By the last verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// What none of these counts, because nobody could look there.
    pub left_out: Option<LeftOut>,
}

impl AddonCounts {
    /// Counts.
    #[must_use]
    pub fn of(addons: &Records, left_out: Option<&LeftOut>) -> Self {
        let mut verdicts = BTreeMap::new();
        for record in addons.values() {
            let verdict = record.state.as_ref().map_or("unreadable", |state| state.verdict.as_str());
            *verdicts.entry(verdict.to_owned()).or_insert(0) += 1;
        }
        let enabled = addons.values().filter(|record| record.enabled()).count();
        let left_out = left_out.cloned();
        Self { total: addons.len(), enabled, disabled: addons.len() - enabled, verdicts, left_out }
    }
}

impl fmt::Display for AddonCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} add-ons: {} enabled, {} disabled", self.total, self.enabled, self.disabled)?;
        let verdicts: Vec<String> =
            self.verdicts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        if verdicts.is_empty() { Ok(()) } else { write!(f, " (verdicts: {})", verdicts.join(", ")) }
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(refresh) = &self.refresh {
            writeln!(f, "Refresh from {}: {}", refresh.origin, plain(&refresh.detail))?;
            for note in self.origins.iter().filter(|note| note.asked == self.at) {
                if let Some(problem) = note.problem.as_ref().filter(|_| note.origin != refresh.origin) {
                    writeln!(f, "Passed over {}: {}", note.origin, plain(problem))?;
                }
            }
        }
        match &self.edition {
            Some(edition) => writeln!(f, "Edition {}", edition.number)?,
            None => writeln!(f, "No edition yet")?,
        }
        if let Some(warning) = self.edition.as_ref().and_then(|edition| edition.clock_warning.as_ref()) {
            writeln!(f, "Warning: {warning}")?;
        }
        if let Some(waived) = &self.waived {
            writeln!(f, "Waived: {}", plain(&waived.to_string()))?;
        }
        write!(f, "{}", self.clock)?;
        // A run reports what is wrong; status tells all.
        if let Some(witness) = self.witness.as_ref().filter(|witness| witness.asks_for_people()) {
            write!(f, "{witness}")?;
        }
        write!(f, "{}", recipes_table(&self.recipes))?;
        if let Some(until) = self.pass.held_until {
            writeln!(f, "Periodic verification is held until {until:.0}")?;
        }
        if let Some(problem) = &self.pass.problem {
            writeln!(f, "No add-on was verified: {problem}")?;
        }
        for (what, list) in [("Enabled", &self.pass.enabled), ("Disabled", &self.pass.disabled)] {
            if !list.is_empty() {
                writeln!(f, "{what} {}: {}", list.len(), some_of(list))?;
            }
        }
        writeln!(f, "{}", self.addons)?;
        if let Some(left_out) = &self.addons.left_out {
            writeln!(f, "{left_out}")?;
        }
        match &self.hook {
            None => Ok(()),
            Some(HookEnd::Exited { code: Some(0) }) => writeln!(f, "The hook has taken note"),
            Some(end) => writeln!(f, "The hook failed ({end}); it is run again in the next run"),
        }
    }
}

/// Recipes with their statuses, a line each.
#[must_use]
pub fn recipes_table(recipes: &[RecipeResult]) -> String {
    if recipes.is_empty() {
        return "No recipes\n".into();
    }
    let rows = recipes.iter().map(|recipe| {
        let revision = recipe.revision.map_or_else(|| "-".into(), |revision| revision.to_string());
        [recipe.path.to_string(), revision, recipe.status.to_string(), recipe.detail.clone()]
    });
    table(["recipe", "revision", "status", "detail"], rows)
}

/// What is known of each origin, a line each.
#[must_use]
pub fn origins_table(origins: &[OriginNote]) -> String {
    let rows = origins.iter().map(|note| {
        let asked = note.asked.map_or_else(|| "never".into(), |asked| format!("{asked:.0}"));
        let outcome = note.outcome.map_or_else(String::new, |outcome| outcome.as_str().to_owned());
        [note.origin.clone(), asked, outcome, note.problem.clone().unwrap_or_default()]
    });
    table(["origin", "last asked", "outcome", "problem"], rows)
}

/// A plain table that fits the terminal.
#[must_use]
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows = rows.into_iter().map(|row| row.map(|cell| plain(&cell)));
    format!("{}\n", table::plain(header, rows, Width::Terminal))
}

fn some_of(list: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = list.iter().take(SHOWN).map(|name| plain(name)).collect();
    let more = list.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_rewrite_the_terminal() {
        let name = "a\u{1b}[31m\n40 add-ons: 40 enabled.xpi".to_owned();
        let shown = some_of(std::slice::from_ref(&name)) + &table(["add-on"], [[name]]);
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
        assert_eq!(shown.lines().count(), 2, "the names, the header's end, one row: {shown:?}");
    }

    #[test]
    fn a_hook_that_failed_is_told_in_words() {
        let hook = HookEnd::Exited { code: Some(3) };
        let report = RunReport {
            format: FORMAT,
            at: None,
            clock_shifted: false,
            clock: ClockReport::of(None, Timestamp::UNIX_EPOCH),
            refresh: None,
            origins: Vec::new(),
            edition: None,
            waived: None,
            witness: None,
            recipes: Vec::new(),
            pass: PassReport {
                kind: Pass::Periodic,
                problem: None,
                held_until: None,
                enabled: Vec::new(),
                disabled: Vec::new(),
            },
            last_full_pass: None,
            addons: AddonCounts::of(&BTreeMap::new(), None),
            hook: Some(hook),
        };
        assert!(report.to_string().contains("The hook failed (it ended with exit code 3); it is run again"));
    }
}
