//! The README's first run, to the letter: its own commands, in an empty folder.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Stdio};

use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::page::{self, Running};
use mulberry_lab::process::command;
use mulberry_lab::stage::wait_for;

#[test]
fn the_first_run_of_the_readme_repairs_the_add_ons() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = lab_and_binaries();
    shell(&block(&readme, "prepare"), folder.path(), &path);

    let start = format!("exec {}", block(&readme, "server"));
    let log = std::fs::File::create(folder.path().join("server.log")).unwrap();
    let mut server = Running(bash(&start, folder.path(), &path).stderr(log).spawn().unwrap());
    wait_for("the server to listen", || {
        assert!(server.0.try_wait().unwrap().is_none(), "{}", read(folder.path(), "server.log"));
        Ok(folder.path().join("server/listening.json").is_file().then_some(()))
    })
    .unwrap();

    let hit = shell(&block(&readme, "agent"), folder.path(), &path);
    assert!(hit.contains("24 issuer-expired"), "{hit}");
    assert_eq!(disabled(folder.path()), 26);

    let published = shell(&block(&readme, "publish"), folder.path(), &path);
    let told = "NOT LIVE: gate closed. Next: mulberryctl gate open replace-intermediate --percent 5";
    assert!(published.contains(told), "{published}");
    assert!(published.contains("open at 100 %"), "{published}");

    let repaired = shell(&block(&readme, "again"), folder.path(), &path);
    assert!(repaired.contains("emergency/replace-intermediate.json, revision 1: applied"), "{repaired}");
    // Two of the forty are somebody else's and were never meant to work.
    assert_eq!(disabled(folder.path()), 2);
}

/// The README's commands are the ones that this repository is run with elsewhere.
#[test]
fn the_readme_names_the_replay_and_the_tests_first() {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    let blocks: Vec<&str> = readme.lines().filter(|line| line.starts_with("```sh")).collect();
    assert_eq!(blocks[..2], ["```sh replay", "```sh tests"]);
    assert_eq!(block(&readme, "replay"), "cargo run --release -p mulberry-lab -- replay");
    assert_eq!(block(&readme, "tests"), "tests/run");
}

/// The code block of the README with this label.
fn block(readme: &str, label: &str) -> String {
    page::block(readme, &format!("sh {label}")).expect(label)
}

/// Runs a block as a person would type it; what it printed. Fails when any command of it fails.
fn shell(script: &str, folder: &Path, path: &str) -> String {
    let output = bash(script, folder, path).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n--- said\n{said}\n--- errors\n{errors}");
    said
}

fn bash(script: &str, folder: &Path, path: &str) -> Command {
    let mut bash = command(Path::new("bash"), folder);
    bash.args(["-euo", "pipefail", "-c", script]).env("PATH", path);
    bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    bash
}

/// A `PATH` with the three binaries, built now, and the lab's, which Cargo built for this test.
fn lab_and_binaries() -> String {
    let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab")).parent().unwrap();
    let others = Binaries::build().unwrap();
    let rest = std::env::var("PATH").unwrap();
    format!("{}:{}:{rest}", lab.display(), others.folder().display())
}

fn disabled(folder: &Path) -> usize {
    let told: serde_json::Value = serde_json::from_str(&read(folder, "agent/addons.json")).unwrap();
    told["addons"].as_array().unwrap().iter().filter(|addon| addon["enabled"] == false).count()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}
