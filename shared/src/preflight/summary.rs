//! What it all comes to: numbers at each time, and whether they are what the action declares.

use std::collections::BTreeMap;

use super::finding::add_ons;
use super::report::{Change, Moment};
use super::{Finding, FindingKind, Looked, Preflight};
use crate::never_worse;
use crate::recipe::Proof;
use crate::xpi::{Verdict, VerdictKind};

/// The numbers at each time, and what follows from them.
pub(super) fn of(preflight: &Preflight<'_>, looked: &[Looked]) -> (Vec<Moment>, Vec<Finding>) {
    let recipe = preflight.question.recipe;
    let declared = recipe.action.does().breaks();
    let (mut times, mut findings) = (Vec::new(), Vec::new());
    if looked.is_empty() {
        let sentence = "no add-on could be looked at: this proves nothing. Check --addons";
        findings.push(Finding::failure(FindingKind::EmptyCorpus, sentence));
    }
    for (index, trusts) in preflight.moments.iter().enumerate() {
        let at = trusts.at;
        let judged = || looked.iter().filter_map(|one| Some((&one.key, one.judged.get(index)?)));
        let pairs = |which: fn(&super::Judged) -> &Verdict| -> Vec<(String, Verdict)> {
            judged().map(|(key, judged)| (key.clone(), which(judged).clone())).collect()
        };
        let worse = never_worse::check(&pairs(|j| &j.before), &pairs(|j| &j.after), declared).err();
        let worse = worse.unwrap_or_default();
        let count = |is: &dyn Fn(&super::Judged) -> bool| judged().filter(|(_, judged)| is(judged)).count();
        let breaks = count(&|j| j.change == Change::Breaks);
        let moment = Moment {
            at,
            better: count(&|j| j.change == Change::Better),
            worse: worse.len(),
            disabled: breaks.saturating_sub(worse.len()),
            work: count(&|j| j.before.is_ok() && j.after.is_ok()),
            broken: count(&|j| !j.before.is_ok() && !j.after.is_ok()),
        };
        if let Some(first) = worse.first() {
            let what =
                first.after.as_ref().map_or_else(String::new, |v| format!(" ({}: {})", v.kind, v.detail));
            let sentence = format!(
                "{} would stop working, which {} does not declare; the first is {:?}{what}. Agents would refuse the recipe",
                add_ons(worse.len()),
                recipe.action.kind().as_str(),
                first.addon
            );
            findings.push(Finding::failure(FindingKind::GetsWorse, sentence).at(at));
        }
        if moment.better > 0 {
            let sentence = format!("{} that did not work would work", add_ons(moment.better));
            findings.push(Finding::note(FindingKind::GetsBetter, sentence).at(at));
        }
        if recipe.expires <= at || recipe.starts.is_some_and(|starts| starts > at) {
            let sentence =
                "agents would not take the recipe: it has not started, or has expired, at this time";
            findings.push(Finding::warning(FindingKind::OutsideItsLife, sentence).at(at));
        }
        times.push(moment);
    }
    findings.extend(effect(preflight, looked, &times));
    (times, findings)
}

/// Files that were not looked at.
pub(super) fn unread(count: usize) -> Finding {
    let sentence = format!("{} could not be read and prove nothing either way", add_ons(count));
    Finding::warning(FindingKind::Unreadable, sentence)
}

/// Whether the action has the effect it is for.
fn effect(preflight: &Preflight<'_>, looked: &[Looked], times: &[Moment]) -> Vec<Finding> {
    match preflight.question.recipe.action.does().proof() {
        Proof::SomethingBetter { .. } if times.iter().any(|moment| moment.better > 0) => Vec::new(),
        Proof::SomethingBetter { else_said, .. } => vec![nothing_better(else_said, looked)],
        Proof::NoVerdict { sentence } => vec![Finding::note(FindingKind::Holds, sentence)],
        Proof::Disables => {
            times.iter().map(|moment| disabled(moment, preflight.question.expect_disabled)).collect()
        }
    }
}

fn nothing_better(why: &str, looked: &[Looked]) -> Finding {
    let mut kinds: BTreeMap<VerdictKind, usize> = BTreeMap::new();
    for last in looked.iter().filter_map(|one| one.judged.last()) {
        *kinds.entry(last.after.kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let sentence = format!("nothing gets better: {why}. At the last time, with it: {}", kinds.join(", "));
    Finding::failure(FindingKind::NothingBetter, sentence)
}

fn disabled(moment: &Moment, expected: Option<u64>) -> Finding {
    let does = format!("it disables {}", add_ons(moment.disabled));
    let finding = match expected {
        Some(expected) if usize::try_from(expected) == Ok(moment.disabled) => {
            Finding::note(FindingKind::Disables, format!("{does}, as expected"))
        }
        Some(expected) => Finding::failure(
            FindingKind::DisablesUnexpected,
            format!(
                "{does}, and {expected} were expected (--expect-disabled). Find out which differ before signing"
            ),
        ),
        None => Finding::failure(
            FindingKind::DisablesUnexpected,
            format!("{does}, and nobody said how many it should: name the number with --expect-disabled"),
        ),
    };
    finding.at(moment.at)
}
