//! The final table of a replay.

use comfy_table::{CellAlignment, Table, presets};
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
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["agent", "disabled before", "enabled after", "seconds from publish"]);
    for row in rows {
        let seconds = row.seconds.map_or("not targeted".to_owned(), |s| format!("{s:.2}"));
        table.add_row([
            row.agent.to_owned(),
            row.disabled_before.to_string(),
            row.enabled_after.to_string(),
            seconds,
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
