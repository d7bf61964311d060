//! Verification passes: when one is due, and what it makes of each add-on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::addon_trust::AddonTrust;
use mulberry_shared::pass::{PassCause, next_state};
use serde::Serialize;

use crate::apply::Asked;
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
#[must_use]
pub fn choose(due: bool, misdated: bool, held: bool, asked: Asked) -> Pass {
    let asked = if misdated { asked.max(Asked::Disabled) } else { asked };
    match (due && !held, asked) {
        (true, _) => Pass::Periodic,
        (false, Asked::All) => Pass::RecipeAll,
        (false, Asked::Disabled) => Pass::RecipeDisabled,
        (false, Asked::Nothing) => Pass::NewAndChanged,
    }
}

/// Makes the pass: the records as they are after it. Add-ons that are no longer there are forgotten.
///
/// # Errors
/// The add-ons folder cannot be listed: then nothing changes.
pub fn make(
    pass: Pass,
    records: &Records,
    trust: &AddonTrust,
    bench: &mut Bench<'_>,
) -> Result<Records, String> {
    let listed = bench.list()?;
    let wanted: Vec<ListedAddon> =
        listed.iter().filter(|addon| concerns(pass, records.get(&addon.path), addon)).cloned().collect();
    let at = bench.at();
    let mut next: Records = listed
        .iter()
        .filter_map(|addon| records.get(&addon.path).map(|record| (addon.path.clone(), record.clone())))
        .collect();
    if wanted.is_empty() {
        return Ok(next);
    }
    let paths: BTreeSet<&str> = wanted.iter().map(|addon| addon.path.as_str()).collect();
    let some;
    let corpus: &dyn Corpus = if wanted.len() == listed.len() || bench.has_everything() {
        bench.everything()?
    } else {
        some = bench.some(&wanted);
        &*some
    };
    let verdicts = corpus.judge(trust, at);
    for seen in corpus.seen().iter().filter(|seen| paths.contains(seen.path.as_str())) {
        next.insert(seen.path.clone(), settle(records.get(&seen.path), seen, &verdicts, pass.cause()));
    }
    Ok(next)
}

fn concerns(pass: Pass, record: Option<&AddonRecord>, addon: &ListedAddon) -> bool {
    let Some(record) = record else { return true };
    match pass {
        Pass::Periodic | Pass::RecipeAll => true,
        Pass::RecipeDisabled => record.stamp != addon.stamp || !record.enabled(),
        Pass::NewAndChanged => record.stamp != addon.stamp || record.unreadable.is_some(),
    }
}

fn settle(previous: Option<&AddonRecord>, seen: &Seen, verdicts: &Verdicts, cause: PassCause) -> AddonRecord {
    let unreadable = |problem: &str, kept: Option<&AddonRecord>| AddonRecord {
        stamp: seen.stamp,
        id: previous.and_then(|record| record.id.clone()),
        version: previous.and_then(|record| record.version.clone()),
        state: kept.and_then(|record| record.state.clone()),
        unreadable: Some(problem.to_owned()),
    };
    match &seen.content {
        Content::Read { id, version, sha256 } => {
            let Some(verdict) = verdicts.get(&seen.path) else {
                return unreadable("it was not judged", None);
            };
            let before = previous.and_then(|record| record.state.as_ref());
            AddonRecord {
                stamp: seen.stamp,
                id: id.clone(),
                version: version.clone(),
                state: Some(next_state(before, *sha256, verdict, cause)),
                unreadable: None,
            }
        }
        // A medium that fails says nothing against the content that was judged, unless the file has changed since.
        Content::Unreadable(problem) => {
            unreadable(problem, previous.filter(|record| record.stamp == seen.stamp))
        }
        Content::TooLarge(problem) => unreadable(problem, None),
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
        assert_eq!(choose(true, false, false, Asked::Disabled), Pass::Periodic);
        assert_eq!(choose(true, false, true, Asked::Disabled), Pass::RecipeDisabled);
        assert_eq!(choose(true, false, true, Asked::All), Pass::RecipeAll);
        assert_eq!(choose(true, false, true, Asked::Nothing), Pass::NewAndChanged);
        assert_eq!(choose(false, false, false, Asked::All), Pass::RecipeAll);
        assert_eq!(choose(true, true, true, Asked::Nothing), Pass::RecipeDisabled);
        assert_eq!(choose(true, true, false, Asked::Nothing), Pass::Periodic);
    }
}
