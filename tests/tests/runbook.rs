//! The runbook's own commands, all of them, against real processes, with the answers that it promises.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::page::{Running, block, is_shown};
use mulberry_lab::process::command;
use mulberry_lab::stage::wait_for;

/// A place as the runbook supposes it, and the blocks that were played there.
struct Night {
    folder: tempfile::TempDir,
    path: String,
    runbook: String,
    played: BTreeSet<String>,
    addresses: [String; 2],
}

#[test]
fn the_whole_night_from_a_certificate_file_to_repaired_clients() {
    let mut night = Night::new();
    night.prepare();
    let server = night.serve("server");
    night.shell(&format!(
        "mulberry-agent init --trust authority/root.json --origin http://{} --anchor anchor.pem --addons addons \
         --version 66.0.3",
        night.addresses[0]
    ));
    night.shell("mulberry-agent once");
    assert_eq!(night.disabled(), 13, "the incident: 12 of one intermediate, and somebody else's");
    let agent = night.start("exec mulberry-agent run");

    for step in ["status", "new", "edit", "check"] {
        night.play(step);
    }
    let read_aloud = night.play("show");
    assert!(read_aloud.contains(">=60.0, <67.0"), "what was edited is what is read: {read_aloud}");
    for step in ["preflight", "publish"] {
        night.play(step);
    }
    // Whose answer was lost asks again.
    night.play("publish");
    night.play("canary");
    wait_for("the client to hear of the canary", || {
        let said = night.shell("mulberry-agent why replace-intermediate || true");
        Ok(["applied", "unchanged", "not-sampled"].iter().any(|status| said.contains(status)).then_some(()))
    })
    .unwrap();
    night.play("look");
    night.play("widen");
    night.play("all");
    wait_for("the add-ons to be back", || Ok((night.disabled() == 1).then_some(()))).unwrap();
    night.play("done");
    night.play("client");

    night.play("pause");
    night.play("resume");
    drop(agent);
    for step in ["bundle", "import", "import-old", "end", "token", "withdraw", "export"] {
        night.play(step);
    }
    let left = night.shell("mulberryctl status --json");
    assert!(!left.contains("replace-intermediate"), "{left}");
    drop(server);
    night.play("restore");
    let _restored = night.serve("restored");
    night.play("status");
    assert_eq!(night.disabled(), 1, "what clients have, they keep");
    night.shell("mulberry-agent once");
    assert_eq!(night.disabled(), 1);

    let all: BTreeSet<String> = night
        .runbook
        .lines()
        .filter_map(|line| line.strip_prefix("```").and_then(|rest| rest.split_once(' ')))
        .map(|(_, label)| label.to_owned())
        .collect();
    assert_eq!(night.played, all, "every block of the runbook is played");
}

impl Night {
    fn new() -> Self {
        let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab")).parent().unwrap();
        let others = Binaries::build().unwrap();
        let rest = std::env::var("PATH").unwrap();
        // Both at once, so that they differ.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        Self {
            folder: tempfile::tempdir().unwrap(),
            path: format!("{}:{}:{rest}", lab.display(), others.folder().display()),
            runbook: std::fs::read_to_string(workspace().join("server/docs/runbook.md")).unwrap(),
            played: BTreeSet::new(),
            addresses: free.map(|listener| listener.local_addr().unwrap().to_string()),
        }
    }

    /// What the runbook says one needs.
    fn prepare(&self) {
        let [public, operators] = &self.addresses;
        self.shell(&format!(
            r#"mulberry-lab corpus --out corpus --addons 20 --expired-at "$(date -u -d '1 minute ago' +%FT%TZ)"
            mv corpus/certificates/replacement.pem corpus/certificates/anchor.pem corpus/addons .
            mulberryctl init authority --no-passphrase --person alice --person bob --person carol \
              --server http://{operators} --origin http://{public}
            mulberry-server init --from authority/server --state server
            mulberry-server token add alice --person alice --may publish --may gate --state server --out authority/token
            mkdir backup; cp -rp server/keys backup/keys"#
        ));
        let editor = self.folder.path().join("editor");
        let script = "#!/bin/sh\nsed -i 's/^# versions = .*/versions = \">=60, <67\"/' \"$1\"\n";
        std::fs::write(&editor, script).unwrap();
        std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn serve(&self, state: &str) -> Running {
        let [public, operators] = &self.addresses;
        let mut server = self.start(&format!(
            "exec mulberry-server run --state {state} --listen {public} --operators-listen {operators}"
        ));
        wait_for("the server to listen", || {
            assert!(server.0.try_wait().unwrap().is_none(), "{}", self.read("log"));
            Ok(self.folder.path().join(state).join("listening.json").is_file().then_some(()))
        })
        .unwrap();
        server
    }

    /// Runs a block to the letter and compares what it printed with what the runbook shows below it.
    fn play(&mut self, label: &str) -> String {
        let script = block(&self.runbook, &format!("sh {label}"));
        let said = self.shell(&script.expect(label));
        for line in block(&self.runbook, &format!("text {label}")).unwrap_or_default().lines() {
            let shown = said.lines().any(|said| is_shown(line, said));
            assert!(shown, "{label}: the runbook shows {line:?}, the command said\n{said}");
        }
        self.played.insert(label.to_owned());
        said
    }

    /// Runs a script as a person would type it; all that it printed. Fails when any command of it fails.
    fn shell(&self, script: &str) -> String {
        let output = self.bash(script).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{script}\n--- said\n{said}\n--- errors\n{errors}\n{}",
            self.read("log")
        );
        said
    }

    fn start(&self, script: &str) -> Running {
        let path = self.folder.path().join("log");
        let log = std::fs::File::options().create(true).append(true).open(path).unwrap();
        Running(self.bash(script).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn bash(&self, script: &str) -> Command {
        let mut bash = command(Path::new("bash"), self.folder.path());
        bash.args(["-euo", "pipefail", "-c", script]).stdin(Stdio::null()).env("PATH", &self.path);
        bash.env("EDITOR", "./editor").env("MULBERRY_AGENT_STATE", "agent");
        bash.env("MULBERRYCTL_CONFIG", "authority/mulberryctl.toml");
        bash
    }

    fn disabled(&self) -> usize {
        let told: serde_json::Value = serde_json::from_str(&self.read("agent/addons.json")).unwrap();
        told["addons"].as_array().unwrap().iter().filter(|addon| addon["enabled"] == false).count()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}
