//! What all three binaries do in the same way.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use mulberry_lab::binaries::Binaries;
use mulberry_lab::process::run;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;
use serde_json::{Value, json};

#[test]
fn completions_name_every_subcommand_in_every_shell() {
    let binaries = Binaries::build().unwrap();
    let here = tempfile::tempdir().unwrap();
    let programs: [(_, &[&str]); 3] = [
        (binaries.ctl(), &["recipe", "preflight", "publish", "gate", "status", "config"]),
        (binaries.server(), &["init", "token", "run"]),
        (binaries.agent(), &["init", "once", "run", "status", "why", "verify"]),
    ];
    for (program, subcommands) in programs {
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let said = run(&program, &["completions", shell], here.path()).unwrap().expect_code(0).unwrap();
            for subcommand in subcommands {
                assert!(said.stdout.contains(subcommand), "{}: {subcommand}", said.command);
            }
        }
        run(&program, &["completions", "tcsh"], here.path()).unwrap().expect_code(2).unwrap();
    }
}

#[test]
fn uninstall_keeps_add_ons_and_what_the_host_reads_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 10, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    let init = || stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]);
    init().unwrap();
    let replacement = material.replacement.to_string_lossy();
    let new = ["recipe", "new", "--certificate", &replacement, "--slug", "install"];
    stage.ctl(&new).unwrap().expect_code(0).unwrap();
    stage.publish("emergency", "recipes/install").unwrap();
    stage.open_gate("install", "100").unwrap();
    let addons = contents(&material.addons);
    let daemon = stage.start_daemon("a", &[]).unwrap();
    stage.wait_for_status("a", "the recipe", |status| status["enrolments"][0].is_object()).unwrap();

    let busy = stage.agent("a", &["uninstall", "--yes"]).unwrap().expect_code(5).unwrap();
    assert!(busy.stderr.contains(&format!("kill -TERM {}", daemon.pid())), "{}", busy.stderr);
    stage.stop_daemon(daemon).unwrap();
    let before = contents(&stage.path("agents/a"));
    stage.agent("a", &["uninstall"]).unwrap().expect_code(2).unwrap();
    assert_eq!(contents(&stage.path("agents/a")), before, "nobody said yes");

    std::fs::write(stage.path("agents/a/notes.txt"), "mine").unwrap();
    let told = stage.agent("a", &["uninstall", "--yes", "--json"]).unwrap().expect_code(0).unwrap().json();
    let told = told.unwrap();
    let left = contents(&stage.path("agents/a"));
    let certificate = before.keys().find(|name| name.starts_with("certificates/")).unwrap();
    assert_eq!(left.keys().collect::<Vec<_>>(), ["addons.json", certificate, "notes.txt"]);
    assert!(left.iter().all(|(name, bytes)| name == "notes.txt" || before[name] == *bytes));
    // Whatever an agent makes in its life, uninstall knows; this fails when a new file is not told to it.
    let why = |path: &str| if path == "notes.txt" { "not-the-agents" } else { "for-the-host" };
    let expected: Vec<Value> = left.keys().map(|path| json!({"path": path, "why": why(path)})).collect();
    assert_eq!(told["left"], Value::from(expected));
    let removed: Vec<&str> =
        told["removed"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    let gone: Vec<&String> =
        before.keys().filter(|name| !left.contains_key(*name) && *name != "lock").collect();
    assert_eq!(removed, gone);
    assert_eq!(contents(&material.addons), addons);

    // Twice is refused, and a new agent may move in.
    stage.agent("a", &["uninstall", "--yes"]).unwrap().expect_code(2).unwrap();
    std::fs::remove_file(stage.path("agents/a/notes.txt")).unwrap();
    init().unwrap();
    stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    let all = ["uninstall", "--yes", "--host-files", "remove"];
    stage.agent("a", &all).unwrap().expect_code(0).unwrap();
    assert!(!stage.path("agents/a").exists());
    assert_eq!(contents(&material.addons), addons);
}

/// Every file below a folder, by its path in it.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}
