//! Tables, set alike by all binaries: plain ones for people at a terminal, Markdown for reports.

use std::ops::RangeBounds;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// How wide a plain table becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// As wide as what is in it: each row is one line, which can be searched for.
    Content,
    /// No wider than the terminal: cells wrap.
    Terminal,
}

/// A plain table: aligned columns, no frames, so that it pastes well into a chat at 3 a.m. No line end after the last row.
#[must_use]
pub fn plain<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
    width: Width,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header).add_rows(rows);
    if width == Width::Terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    // The preset pads every cell on both sides; lines then start with one blank and end with many.
    let lines: Vec<String> =
        table.lines().map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A table in Markdown; the columns of `figures`, counted from 0, are aligned to the right.
#[must_use]
pub fn markdown<'a>(
    header: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item: IntoIterator<Item = String>>,
    figures: impl RangeBounds<usize>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if figures.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_tables_align_without_frames() {
        for width in [Width::Content, Width::Terminal] {
            let text = plain(["A", "LONG"], [["xx".to_owned(), "y".to_owned()]], width);
            assert_eq!(text, "A   LONG\nxx  y");
        }
    }

    #[test]
    fn figures_are_aligned_to_the_right() {
        let row = ["a", "1", "x"].map(str::to_owned);
        let text = markdown(["name", "count", "note"], [row], 1..2);
        assert_eq!(text, "| name | count | note |\n|------|-------|------|\n| a    |     1 | x    |");
    }
}
