//! Small add-ons made by others after public reports: each row of the table that came with them, through the built binary.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use mulberry_lab::binaries::Binaries;
use mulberry_lab::real::announce;
use mulberry_shared::xpi::VerdictKind;

/// The verdicts that are right, by file.
const RIGHT: [(&str, VerdictKind); 5] = [
    ("infozip-to-a-pipe.xpi", VerdictKind::Ok),
    ("name-folded-inside-a-character.xpi", VerdictKind::Ok),
    ("name-that-is-not-utf8.xpi", VerdictKind::Ok),
    ("sections-only-crlf.xpi", VerdictKind::MalformedManifest),
    ("xml-namespaces-unsigned.xpi", VerdictKind::Unsigned),
];

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("MULBERRY_CASES").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases"));
    folder.canonicalize().ok().filter(|folder| folder.join("xpi").is_dir())
}

#[test]
fn every_row_is_right() {
    let Some(folder) = folder() else {
        return announce(
            "SKIPPED: add-ons made by others: they are absent. Put them at ../shared/cases beside the repository, or name them in MULBERRY_CASES.",
        );
    };
    let mut command = Command::new(Binaries::build().unwrap().agent());
    command.args(["verify", "--json", "--anchor"]).arg(folder.join("anchor.pem"));
    let output = command.arg(folder.join("xpi")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<(String, VerdictKind)> = said
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let name = Path::new(line["path"].as_str().unwrap()).file_name().unwrap();
            (name.to_str().unwrap().to_owned(), line["verdict"].as_str().unwrap().parse().unwrap())
        })
        .collect();
    let right: Vec<(String, VerdictKind)> = RIGHT.map(|(name, kind)| (name.to_owned(), kind)).into();
    assert_eq!(verdicts, right, "{said}");
}
