//! The figures of a report, for people.

use mulberry_host::table::markdown;

use super::{Report, agent, restart, server};

/// The tables, and a last line that says whether all is well.
#[must_use]
pub fn show(report: &Report) -> String {
    let mut parts = Vec::new();
    parts.extend(report.server.as_ref().map(of_server));
    parts.extend(report.agent.as_ref().map(of_agent));
    parts.extend(report.restart.as_ref().map(of_restart));
    let problems = report.problems();
    parts.push(if problems.is_empty() {
        "Nothing was lost.".to_owned()
    } else {
        format!("LOST OR DAMAGED:\n  {}", problems.join("\n  "))
    });
    parts.join("\n\n")
}

fn of_server(figures: &server::Figures) -> String {
    table(
        "server, during a publish",
        &["figure"],
        &[
            ("kills", vec![figures.kills.to_string()]),
            ("an undisturbed publish, ms (median)", vec![figures.window_ms.to_string()]),
            ("kills inside that window", vec![figures.inside_window.to_string()]),
            ("kills before the answer", vec![figures.before_answer.to_string()]),
            ("  there after the restart all the same", vec![figures.recorded_unanswered.to_string()]),
            ("kills after the answer", vec![figures.after_answer.to_string()]),
            ("publishes acknowledged", vec![figures.acknowledged.to_string()]),
            ("events in the chain at the end", vec![figures.events.to_string()]),
            ("restart to heartbeat, ms (median)", vec![figures.restart_median_ms.to_string()]),
            ("restart to heartbeat, ms (longest)", vec![figures.restart_longest_ms.to_string()]),
        ],
    )
}

fn of_agent(figures: &agent::Figures) -> String {
    let both = |figure: fn(&agent::Kind) -> String| vec![figure(&figures.apply), figure(&figures.undo)];
    table(
        "agent, during a run",
        &["apply", "undo"],
        &[
            ("kills", both(|kind| kind.kills.to_string())),
            ("an undisturbed run, ms (median)", both(|kind| kind.window_ms.to_string())),
            ("kills inside that window", both(|kind| kind.inside_window.to_string())),
            ("kills that left the old state", both(|kind| kind.before_commit.to_string())),
            ("kills that left the new state", both(|kind| kind.after_commit.to_string())),
            ("  with the host's view still behind", both(|kind| kind.behind.to_string())),
            ("runs that had ended before the kill", both(|kind| kind.too_late.to_string())),
            ("next runs that converged", both(|kind| kind.converged.to_string())),
        ],
    )
}

fn of_restart(figures: &restart::Figures) -> String {
    table(
        "server, restart on a long ledger",
        &["figure"],
        &[
            ("events", vec![figures.events.to_string()]),
            ("publishes among them", vec![figures.publishes.to_string()]),
            ("restarts", vec![figures.restarts.to_string()]),
            ("restart to heartbeat, ms (median)", vec![figures.median_ms.to_string()]),
            ("restart to heartbeat, ms (longest)", vec![figures.longest_ms.to_string()]),
        ],
    )
}

fn table(title: &str, columns: &[&str], rows: &[(&str, Vec<String>)]) -> String {
    let header = std::iter::once(title).chain(columns.iter().copied());
    let rows =
        rows.iter().map(|(name, cells)| std::iter::once((*name).to_owned()).chain(cells.iter().cloned()));
    markdown(header, rows, 1..)
}
