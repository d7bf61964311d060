//! What earlier versions left on disk is read by this one: each folder in `tests/fixtures/`, recorded by
//! `mulberry-lab record-fixtures` and kept for ever.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::hostile_origin::{HostileOrigin, Recording};
use mulberry_lab::process::{command, run};
use mulberry_lab::stage::wait_for;
use mulberry_shared::bundle::Bundle;
use mulberry_shared::limits::Limits;
use serde_json::Value;

/// A copy of one recording, private as programs want it, and the time of its making.
struct Recorded {
    folder: tempfile::TempDir,
    binaries: Binaries,
    at: Timestamp,
    recipe: String,
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_recorded_version_is_read_by_this_one() {
    let mut seen = 0;
    for version in fs::read_dir(workspace().join("tests/fixtures")).unwrap() {
        let path = version.unwrap().path();
        println!("{}", path.display());
        let recorded = Recorded::open(&path);
        recorded.a_new_agent_takes_the_edition();
        recorded.the_bundle_is_the_edition();
        recorded.server_and_agent_go_on();
        seen += 1;
    }
    assert!(seen > 0);
}

impl Recorded {
    fn open(recording: &Path) -> Self {
        let about: Value = serde_json::from_slice(&fs::read(recording.join("about.json")).unwrap()).unwrap();
        assert_eq!(about["format"], 1);
        let folder = tempfile::tempdir().unwrap();
        copy(recording, folder.path());
        Self {
            folder,
            binaries: Binaries::build().unwrap(),
            at: about["at"].as_str().unwrap().parse().unwrap(),
            recipe: about["recipe"].as_str().unwrap().to_owned(),
        }
    }

    /// Ledger and agent's state: a server restored from the one, and the agent that has the other, meet again.
    fn server_and_agent_go_on(&self) {
        let here = self.folder.path();
        run(&self.binaries.server(), &["ledger", "verify", "ledger.jsonl"], here)
            .unwrap()
            .expect_code(0)
            .unwrap();
        let restore = ["restore", "--from", "ledger.jsonl", "--keys", "keys", "--state", "server"];
        run(&self.binaries.server(), &restore, here).unwrap().expect_code(0).unwrap();
        let held = self.agent("agent", &["status", "--json"]).json;
        assert_eq!(held["enrolments"][0]["path"], self.recipe);
        let before = held["edition"]["number"].as_u64().unwrap();

        let mut start = command(&self.binaries.server(), here);
        start.args([
            "run",
            "--state",
            "server",
            "--listen",
            "127.0.0.1:0",
            "--operators-listen",
            "127.0.0.1:0",
        ]);
        start.args(["--clock-start", &self.later()]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Running(start.stderr(Stdio::null()).spawn().unwrap());
        let told = wait_for("the server to listen", || {
            assert!(server.0.try_wait().unwrap().is_none(), "the server ended at its start");
            let told = fs::read(here.join("server/listening.json")).ok();
            Ok(told.and_then(|told| serde_json::from_slice::<Value>(&told).ok()))
        })
        .unwrap();
        let origin = told["public"].as_str().unwrap();
        let report = self.agent("agent", &["once", "--json", "--origin", origin]).json;
        assert_eq!(report["recipes"][0]["status"], "unchanged", "{report}");
        assert!(report["edition"]["number"].as_u64().unwrap() > before, "{report}");
        assert_eq!(report["addons"]["disabled"], 0, "{report}");
    }

    /// The edition, from the first root on, as an origin serves it.
    fn a_new_agent_takes_the_edition(&self) {
        let files = below(&self.folder.path().join("origin"));
        let recording =
            files.iter().fold(Recording::default(), |all, (path, bytes)| all.with(path, bytes.clone()));
        let origin = HostileOrigin::serve(&recording, &[]).unwrap();
        let anchors = below(&self.folder.path().join("agent/anchors"));
        let anchor = format!("agent/anchors/{}", anchors.keys().next().unwrap());
        let url = origin.url();
        let init = ["init", "--trust", "origin/metadata/1.root.json", "--origin", &url, "--anchor", &anchor];
        self.agent("new", &[&init[..], &["--addons", "addons", "--version", "66.0.3"]].concat());
        let report = self.agent("new", &["once", "--json"]).json;
        assert_eq!(report["recipes"][0]["path"], self.recipe, "{report}");
        assert_eq!(report["recipes"][0]["status"], "applied", "{report}");
        assert_eq!(report["addons"]["disabled"], 0, "{report}");
    }

    fn the_bundle_is_the_edition(&self) {
        let bytes = fs::read(self.folder.path().join("edition.mulberry")).unwrap();
        let bundle = Bundle::read(&bytes, &Limits::default().bundle).unwrap();
        assert_eq!(*bundle.entries(), below(&self.folder.path().join("origin")));
    }

    fn agent(&self, state: &str, words: &[&str]) -> Said {
        let later = self.later();
        let all = [words, &["--state", state, "--clock-start", &later]].concat();
        let said = run(&self.binaries.agent(), &all, self.folder.path()).unwrap().expect_code(0).unwrap();
        Said { json: serde_json::from_str(&said.stdout).unwrap_or_default() }
    }

    /// An hour after the recording: what it holds is still fresh then.
    fn later(&self) -> String {
        self.at.checked_add(SignedDuration::from_hours(1)).unwrap().to_string()
    }
}

struct Said {
    json: Value,
}

/// Copies a folder so that only its owner may use it, which a repository cannot keep.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in below(from) {
        let path = to.join(path);
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Every file below a folder, by its path in it.
fn below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}
