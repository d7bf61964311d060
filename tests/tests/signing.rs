//! The walkthrough of two people on two machines, all of its commands, with the answers that it promises.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::page::{Running, block, is_shown};
use mulberry_lab::process::command;
use mulberry_lab::stage::wait_for;
use serde_json::Value;

struct Walk {
    folder: tempfile::TempDir,
    path: String,
    page: String,
    played: BTreeSet<String>,
}

#[test]
fn two_people_on_two_machines_sign_with_and_without_a_network() {
    let mut walk = Walk::new();
    let _server = walk.prepare();
    walk.play("alice-propose");
    for step in ["bob-look", "bob-sign"] {
        walk.play(step);
    }
    assert!(walk.proposals().is_empty());
    for step in ["alice-wrong", "alice-replace", "alice-drop"] {
        walk.play(step);
    }
    walk.play("alice-out");
    walk.carry("fix.proposal", "alice", "bob");
    // From here on Bob's machine reaches nothing.
    walk.shell(
        "bob",
        "printf 'root = \"root.json\"\\norigin = \"http://127.0.0.1:9\"\\n' > mulberryctl.toml",
    );
    walk.play("bob-offline");
    walk.carry("fix.proposal", "bob", "alice");
    walk.play("alice-submit");
    let status = walk.shell("alice", "mulberryctl status");
    assert!(status.contains("emergency/replace-intermediate.json  2"), "{status}");
    walk.play("alice-open");
    walk.carry("all.opening", "alice", "bob");
    walk.play("bob-open");
    walk.carry("all.opening", "bob", "alice");
    walk.play("alice-opened");
    let ledger = walk.shell("", "mulberry-server ledger export --state server");
    let last: Value = serde_json::from_str(ledger.lines().last().unwrap()).unwrap();
    let record = &last["record"];
    let alice = serde_json::json!({"token": "alice", "owner": {"person": "alice"}});
    assert_eq!((&record["actor"], &record["event"]["type"]), (&alice, &"gate-approved".into()));

    let labels = walk.page.lines().filter_map(|line| line.strip_prefix("```sh "));
    assert_eq!(walk.played, labels.map(ToOwned::to_owned).collect(), "every block of the page is played");
}

impl Walk {
    fn new() -> Self {
        let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab")).parent().unwrap();
        let others = Binaries::build().unwrap();
        let rest = std::env::var("PATH").unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            path: format!("{}:{}:{rest}", lab.display(), others.folder().display()),
            page: fs::read_to_string(workspace().join("server/docs/signing.md")).unwrap(),
            played: BTreeSet::new(),
        }
    }

    /// What the page says one needs, and a server.
    fn prepare(&self) -> Running {
        // Both at once, so that they differ.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [public, operators] = free.map(|listener| listener.local_addr().unwrap().to_string());
        self.shell(
            "",
            &format!(
                r#"mulberry-lab corpus --out corpus --addons 2 --expired-at "$(date -u -d '1 minute ago' +%FT%TZ)"
                mulberryctl init authority --no-passphrase --person alice --person bob --person carol \
                  --server http://{operators} --origin http://{public}
                mulberry-server init --from authority/server --state server
                for person in alice bob; do
                  (umask 077; mkdir $person; cp -p authority/people/$person/emergency.pem authority/root.json authority/mulberryctl.toml $person
                   mulberry-server token add $person --person $person --may publish --may gate --state server > $person/token)
                done
                cd alice
                mulberryctl recipe new --certificate ../corpus/certificates/replacement.pem --slug replace-intermediate"#
            ),
        );
        let run = format!(
            "exec mulberry-server run --state server --listen {public} --operators-listen {operators}"
        );
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut server = Running(self.bash("", &run).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        wait_for("the server to listen", || {
            assert!(server.0.try_wait().unwrap().is_none(), "the server ended");
            Ok(self.folder.path().join("server/listening.json").is_file().then_some(()))
        })
        .unwrap();
        server
    }

    fn carry(&self, name: &str, from: &str, to: &str) {
        let file = |machine: &str| self.folder.path().join(machine).join(name);
        fs::copy(file(from), file(to)).unwrap();
    }

    fn proposals(&self) -> Vec<Value> {
        let told: Value = serde_json::from_str(&self.shell("alice", "mulberryctl proposals --json")).unwrap();
        told["proposals"].as_array().unwrap().clone()
    }

    /// Runs a block to the letter on its machine, and compares what it printed with what the page shows below it.
    fn play(&mut self, label: &str) {
        let script = block(&self.page, &format!("sh {label}")).expect(label);
        let waiting =
            self.proposals().first().and_then(|one| one["id"].as_str().map(|id| id[..12].to_owned()));
        let script = format!("PROPOSAL={}\n{script}", waiting.unwrap_or_default());
        let said = self.shell(label.split('-').next().unwrap(), &script);
        for line in block(&self.page, &format!("text {label}")).unwrap_or_default().lines() {
            let shown = said.lines().any(|said| is_shown(line, said));
            assert!(shown, "{label}: the page shows {line:?}, the command said\n{said}");
        }
        self.played.insert(label.to_owned());
    }

    fn shell(&self, machine: &str, script: &str) -> String {
        let output =
            self.bash(machine, script).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n--- said\n{said}\n--- errors\n{errors}");
        said
    }

    fn bash(&self, machine: &str, script: &str) -> Command {
        let mut bash = command(Path::new("bash"), &self.folder.path().join(machine));
        bash.args(["-euo", "pipefail", "-c", script]).stdin(Stdio::null()).env("PATH", &self.path);
        bash
    }
}
