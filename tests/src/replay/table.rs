//! The final table of a replay.

use mulberry_host::table::markdown;
use serde::Serialize;

/// What became of one agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The agent's name.
    pub agent: &'static str,
    /// Add-ons disabled before the replacement was published.
    pub disabled_before: usize,
    /// Add-ons enabled after it.
    pub enabled_after: usize,
    /// Seconds from publish to the agent having applied it; `None` for an agent it was not meant for.
    pub seconds: Option<f64>,
}

/// The table as a person reads it.
#[must_use]
pub fn show(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        let seconds = row.seconds.map_or("not targeted".to_owned(), |s| format!("{s:.2}"));
        [row.agent.to_owned(), row.disabled_before.to_string(), row.enabled_after.to_string(), seconds]
    };
    let header = ["agent", "disabled before", "enabled after", "seconds from publish"];
    markdown(header, rows.iter().map(cells), 1..)
}
