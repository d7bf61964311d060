//! The plan in `[rollout]`.

use super::reader::{Need, Reader, Section};
use crate::limits::RecipeLimits;
use crate::recipe::{Health, Step, rules};
use crate::sampling::BasisPoints;

/// The steps, none where there is no plan; `None` when one cannot be read.
pub(super) fn plan(
    reader: &mut Reader<'_>,
    rollout: &mut Section<'_>,
    max_percent: Option<BasisPoints>,
    limits: &RecipeLimits,
) -> Option<Vec<Step>> {
    let sections = rollout.tables(reader, "plan", limits.plan_steps)?;
    let count = sections.len();
    let steps: Vec<Step> =
        sections.into_iter().filter_map(|mut section| step(reader, &mut section)).collect();
    if steps.len() < count {
        return None;
    }
    for breach in rules::plan(&steps, max_percent, limits) {
        rollout.problem(reader, breach.key, breach.kind, &breach.what, &breach.remedy);
    }
    Some(steps)
}

fn step(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Step> {
    let percent = section.percent(reader, "percent", Need::Required);
    let bake = section.duration(reader, "bake");
    // One without the other means nothing.
    let judged = section.has("max_failure_percent") || section.has("min_reports");
    let need = if judged { Need::Required } else { Need::Optional };
    let max_failure_percent = section.percent(reader, "max_failure_percent", need);
    let min_reports = section.integer(reader, "min_reports", need);
    section.finish(reader);
    let health = match (judged, max_failure_percent.zip(min_reports)) {
        (false, _) => None,
        (true, judged) => {
            let (max_failure_percent, min_reports) = judged?;
            Some(Health { max_failure_percent, min_reports })
        }
    };
    Some(Step { percent: percent?, bake: bake?, health })
}
