//! A report for people: the tables first, since what people act upon must stand last on the screen.

use crate::output;
use mulberry_shared::answer::plain;
use mulberry_shared::preflight::{AddonReport, Finding, Moment, Report, Severity};

/// Tables, findings (failures last), and one line that says whether to go on.
pub(super) fn human(report: &Report) -> String {
    let mut parts: Vec<String> =
        report.times.iter().enumerate().map(|(index, moment)| at(report, index, moment)).collect();
    if !report.unread.is_empty() {
        let lines = report.unread.iter().map(|one| format!("{}: {}", plain(&one.key), plain(&one.problem)));
        parts.push(format!("Not readable:\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    parts.push(report.findings.iter().rev().map(finding).collect::<Vec<_>>().join("\n"));
    parts.push(last_line(report));
    parts.join("\n\n")
}

fn at(report: &Report, index: usize, moment: &Moment) -> String {
    let row = |addon: &AddonReport| {
        let judged = addon.verdicts.get(index)?;
        let id = addon.id.as_deref().map(|id| format!(" ({})", plain(id))).unwrap_or_default();
        Some([
            judged.change.as_str().to_owned(),
            judged.before.kind.to_string(),
            judged.after.kind.to_string(),
            format!("{}{id}", plain(&addon.key)),
        ])
    };
    let table = output::table(["CHANGE", "BEFORE", "AFTER", "ADD-ON"], report.addons.iter().filter_map(row));
    let Moment { at, better, worse, disabled, work, broken } = moment;
    format!(
        "At {}\n{table}\n{better} better, {worse} worse, {disabled} disabled as declared, {work} work as before, {broken} do \
         not as before",
        output::instant(*at)
    )
}

fn finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Failure => "FAILURE",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let at = finding.at.map(|at| format!("at {}: ", output::instant(at))).unwrap_or_default();
    format!("{severity:<8} {at}{}.", plain(&finding.sentence))
}

fn last_line(report: &Report) -> String {
    let recipe = &report.recipe;
    let what = format!("{} revision {} ({})", recipe.path, recipe.revision, recipe.action);
    match report.failures() {
        0 => format!("PASSED: {what} does what it says on {} add-ons.", report.addons.len()),
        1 => format!("FAILED: {what}: 1 failure, above."),
        many => format!("FAILED: {what}: {many} failures, above."),
    }
}
