//! How verdicts are shown.

use std::io::{self, Write};
use std::path::Path;

use mulberry_shared::answer::plain;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::xpi::VerdictKind;
use serde::Serialize;

use super::Checked;

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    path: String,
    id: Option<&'a str>,
    version: Option<&'a str>,
    sha256: Option<Sha256Digest>,
    verdict: VerdictKind,
    detail: &'a str,
}

/// Prints one verdict: a JSON line, or a line for people.
pub(super) fn verdict(out: &mut impl Write, checked: &Checked<'_>, json: bool) -> io::Result<()> {
    let Checked { path, inspection, verdict } = checked;
    if !json {
        let id = inspection.id.as_deref().map(|id| format!(" ({})", plain(id))).unwrap_or_default();
        return writeln!(out, "{:<24} {}{id}: {}", verdict.kind, shown(path), plain(&verdict.detail));
    }
    let line = Line {
        path: path.to_string_lossy().into_owned(),
        id: inspection.id.as_deref(),
        version: inspection.version.as_deref(),
        sha256: inspection.sha256,
        verdict: verdict.kind,
        detail: &verdict.detail,
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// Prints how many there were, for people.
pub(super) fn summary(out: &mut impl Write, checked: usize, refused: usize) -> io::Result<()> {
    let s = if checked == 1 { "" } else { "s" };
    writeln!(out, "{checked} add-on{s} checked: {} ok, {refused} not", checked - refused)
}

/// A path as it may be shown on a terminal.
pub(super) fn shown(path: &Path) -> String {
    plain(&path.to_string_lossy())
}
