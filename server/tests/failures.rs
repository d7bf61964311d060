//! Failures as scripts see them: with `--json` they are JSON too, whatever went wrong.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};

/// Exit code and kind of a command that fails.
fn failing(arguments: &[&str]) -> (i64, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mulberry-server"));
    command.args(arguments).current_dir(folder.path()).env_clear().stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.stderr.is_empty(), "people are told on standard error");
    let error = serde_json::from_str::<serde_json::Value>(&said).unwrap()["error"].take();
    assert_eq!(error["exit"].as_i64(), output.status.code().map(i64::from));
    assert!(!error["sentence"].as_str().unwrap().is_empty());
    (error["exit"].as_i64().unwrap(), error["kind"].as_str().unwrap().to_owned())
}

#[test]
fn a_failure_asked_for_as_json_is_json() {
    let usage = (2, "usage".to_owned());
    for arguments in [
        &["init", "--json", "--from", "absent", "--state", "state"][..],
        &["token", "list", "--state", "absent", "--json"][..],
        &["token", "add", "x", "--person", "x", "--may", "fly", "--json"][..],
    ] {
        assert_eq!(failing(arguments), usage, "{arguments:?}");
    }
}
