//! The error catalogue in the repository is the one that the code's own texts make.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use mulberry_lab::binaries::workspace;
use mulberry_lab::commands::error_catalogue::text;

#[test]
fn the_catalogue_is_up_to_date_and_says_something_of_every_name() {
    let kept = std::fs::read_to_string(workspace().join("shared/docs/errors.md")).unwrap();
    assert!(kept == text(), "out of date. Run: cargo run -p mulberry-lab -- error-catalogue");
    let rows: Vec<&str> = kept.lines().filter(|line| line.contains('`') && line.starts_with("| ")).collect();
    for row in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        assert!(cells.iter().all(|cell| !cell.is_empty() && *cell != "``"), "{row}");
    }
    assert!(rows.len() > 100, "{}", rows.len());
}
