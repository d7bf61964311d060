//! Verification passes: when one is due, and what it makes of each add-on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::clock::ClockStanding;
use mulberry_shared::effects::Effects;
use mulberry_shared::pass::{AddonState, Dates, PassCause, Why, next_state};
use mulberry_shared::recipe::Verifies;
use mulberry_shared::xpi::VerdictKind;
use serde::Serialize;

use crate::examine::{Bench, Content, Corpus, Seen, Verdicts};
use crate::ports::ListedAddon;
use crate::state::AddonRecord;

/// Records of add-ons by path.
pub type Records = BTreeMap<String, AddonRecord>;

/// The pass a run makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// All add-ons, because it is time.
    Periodic,
    /// All add-ons, because of a recipe.
    RecipeAll,
    /// Disabled add-ons, because of a recipe; and those that are new or changed.
    RecipeDisabled,
    /// Only add-ons that are new or changed.
    NewAndChanged,
}

impl Pass {
    fn cause(self) -> PassCause {
        match self {
            Self::Periodic => PassCause::Periodic,
            // A file nobody has judged yet follows the stricter half of this rule: it is enabled only if it verifies.
            Self::RecipeAll | Self::RecipeDisabled | Self::NewAndChanged => PassCause::Recipe,
        }
    }
}

/// Whether the last periodic pass lies ahead: it was made under a wrong clock, so what it found must be found again.
#[must_use]
pub fn is_misdated(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_some_and(|last| now < last)
}

/// Whether it is time for the periodic pass.
#[must_use]
pub fn is_due(last: Option<Timestamp>, every: SignedDuration, now: Timestamp) -> bool {
    is_misdated(last, now) || last.is_none_or(|last| now.duration_since(last) >= every)
}

/// Which pass this run makes. A hold suspends the periodic one and nothing else; what a misdated pass disabled is looked at
/// again during a hold too.
///
/// Under a clock that is not vouched for the periodic pass waits, and the last one counts as rightly dated. What waits with it is small:
/// changed content is looked at in every run and distrust when it comes, so on the content it verified the pass would find dates alone.
#[must_use]
pub fn choose(due: bool, misdated: bool, held: bool, asked: Verifies, clock: &ClockStanding) -> Pass {
    let misdated = misdated && clock.is_vouched();
    let asked = if misdated { asked.max(Verifies::Disabled) } else { asked };
    match (due && !held && clock.is_vouched(), asked) {
        (true, _) => Pass::Periodic,
        (false, Verifies::All) => Pass::RecipeAll,
        (false, Verifies::Disabled) => Pass::RecipeDisabled,
        (false, Verifies::Nothing) => Pass::NewAndChanged,
    }
}

/// What a pass depends on besides the add-ons.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// What is in force.
    pub effects: &'a Effects,
    /// Whether dates may disable.
    pub clock: &'a ClockStanding,
    /// The last instant that was vouched for and at which everything was judged.
    pub last_full_pass: Option<Timestamp>,
}

/// Makes the pass: the records as they are after it. Add-ons that are no longer there are forgotten; those that are where nobody
/// could look keep what was decided.
///
/// # Errors
/// The add-ons folder cannot be listed: then nothing changes.
pub fn make(
    pass: Pass,
    records: &Records,
    circumstances: Circumstances<'_>,
    bench: &mut Bench<'_>,
) -> Result<Records, String> {
    let listed = bench.list()?;
    let clock = circumstances.clock;
    let concerned = |addon: &&ListedAddon| concerns(pass, clock, records.get(&addon.path), addon);
    let wanted: Vec<ListedAddon> = listed.iter().filter(concerned).cloned().collect();
    let mut next: Records = listed
        .iter()
        .filter_map(|addon| records.get(&addon.path).map(|record| (addon.path.clone(), record.clone())))
        .collect();
    let gaps = bench.gaps()?;
    for (path, record) in records {
        if let (false, Some(gap)) = (next.contains_key(path), gaps.over(path)) {
            let hidden = AddonRecord { unreadable: Some(gap.problem.clone()), ..record.clone() };
            next.insert(path.clone(), hidden);
        }
    }
    if wanted.is_empty() {
        return Ok(next);
    }
    let as_of = circumstances.effects.judged_as_of(bench.now());
    let paths: BTreeSet<&str> = wanted.iter().map(|addon| addon.path.as_str()).collect();
    let some;
    let corpus: &dyn Corpus = if wanted.len() == listed.len() || bench.has_everything() {
        bench.everything()?
    } else {
        some = bench.some(&wanted);
        &*some
    };
    let verdicts = corpus.judge(circumstances.effects, as_of);
    let judged = Judged { earlier: earlier(corpus, &verdicts, circumstances), now: verdicts, clock };
    for seen in corpus.seen().iter().filter(|seen| paths.contains(seen.path.as_str())) {
        next.insert(seen.path.clone(), settle(records.get(&seen.path), seen, &judged, pass.cause()));
    }
    Ok(next)
}

fn concerns(pass: Pass, clock: &ClockStanding, record: Option<&AddonRecord>, addon: &ListedAddon) -> bool {
    let Some(record) = record else { return true };
    let waited = |state: &AddonState| state.why == Why::NotVerifiedYet && clock.is_vouched();
    match pass {
        Pass::Periodic | Pass::RecipeAll => true,
        Pass::RecipeDisabled => record.stamp != addon.stamp || !record.enabled(),
        Pass::NewAndChanged => {
            record.stamp != addon.stamp
                || record.unreadable.is_some()
                || record.state.as_ref().is_some_and(waited)
        }
    }
}

/// The verdicts of a pass, and where the clock is doubted and it matters, those at the last instant that was vouched for.
struct Judged<'a> {
    now: Verdicts,
    earlier: Option<Verdicts>,
    clock: &'a ClockStanding,
}

impl Judged<'_> {
    fn dates(&self, path: &str) -> Dates<'_> {
        if self.clock.is_vouched() {
            return Dates::Count;
        }
        Dates::Doubted { earlier: self.earlier.as_ref().and_then(|verdicts| verdicts.get(path)) }
    }
}

fn earlier(corpus: &dyn Corpus, now: &Verdicts, circumstances: Circumstances<'_>) -> Option<Verdicts> {
    let matters = now.values().any(|verdict| verdict.kind == VerdictKind::Distrusted);
    let then = circumstances.last_full_pass.filter(|_| matters && !circumstances.clock.is_vouched())?;
    Some(corpus.judge(circumstances.effects, then))
}

fn settle(previous: Option<&AddonRecord>, seen: &Seen, judged: &Judged<'_>, cause: PassCause) -> AddonRecord {
    let before = previous.and_then(AddonRecord::decided);
    let unreadable = |problem: &str| AddonRecord {
        stamp: seen.stamp,
        id: previous.and_then(|record| record.id.clone()),
        version: previous.and_then(|record| record.version.clone()),
        state: None,
        unreadable: Some(problem.to_owned()),
        formerly: None,
    };
    match &seen.content {
        Content::Read { id, version, sha256 } => match judged.now.get(&seen.path) {
            None => unreadable("it was not judged"),
            Some(verdict) => AddonRecord {
                stamp: seen.stamp,
                id: id.clone(),
                version: version.clone(),
                state: Some(next_state(before, *sha256, verdict, cause, judged.dates(&seen.path))),
                unreadable: None,
                formerly: None,
            },
        },
        // A medium that fails says nothing against the content that was judged, unless the file may have changed since.
        Content::Unreadable(problem) => match previous {
            Some(record) if record.state.is_some() && seen.stamp.suggests_content_of(&record.stamp) => {
                AddonRecord { state: record.state.clone(), ..unreadable(problem) }
            }
            _ => AddonRecord { formerly: before.cloned(), ..unreadable(problem) },
        },
        Content::TooLarge(problem) => unreadable(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_pass_is_due_when_there_was_none_or_a_day_ago_or_the_clock_went_back() {
        let day = SignedDuration::from_hours(24);
        let last = Some(time("2019-05-04T00:00:00Z"));
        assert!(is_due(None, day, time("2019-05-04T00:00:00Z")));
        assert!(!is_due(last, day, time("2019-05-04T23:59:59Z")));
        assert!(is_due(last, day, time("2019-05-05T00:00:00Z")));
        assert!(is_due(last, day, time("2019-05-03T00:00:00Z")));
    }

    #[test]
    fn a_hold_suspends_only_the_periodic_pass() {
        let choose = |due, misdated, held, asked| choose(due, misdated, held, asked, &ClockStanding::Vouched);
        assert_eq!(choose(true, false, false, Verifies::Disabled), Pass::Periodic);
        assert_eq!(choose(true, false, true, Verifies::Disabled), Pass::RecipeDisabled);
        assert_eq!(choose(true, false, true, Verifies::All), Pass::RecipeAll);
        assert_eq!(choose(true, false, true, Verifies::Nothing), Pass::NewAndChanged);
        assert_eq!(choose(false, false, false, Verifies::All), Pass::RecipeAll);
        assert_eq!(choose(true, true, true, Verifies::Nothing), Pass::RecipeDisabled);
        assert_eq!(choose(true, true, false, Verifies::Nothing), Pass::Periodic);
    }

    #[test]
    fn under_a_doubted_clock_the_periodic_pass_waits_and_recipes_do_not() {
        for misdated in [true, false] {
            let choose = |asked| choose(true, misdated, false, asked, &ClockStanding::NoEdition);
            assert_eq!(choose(Verifies::Nothing), Pass::NewAndChanged);
            assert_eq!(choose(Verifies::Disabled), Pass::RecipeDisabled);
            assert_eq!(choose(Verifies::All), Pass::RecipeAll);
        }
    }
}
