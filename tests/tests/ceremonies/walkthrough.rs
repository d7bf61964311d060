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
fn people_renew_revoke_add_and_rotate_and_an_agent_follows() {
    let mut walk = Walk::new();
    let _server = walk.prepare();
    for step in ["alice-expiries", "alice-renew", "bob-renew", "alice-revoke", "alice-drop", "dora-new"] {
        walk.play(step);
    }
    walk.shell("", "mulberry-agent once --state agent");
    walk.shell("", "cp dora/keys/dora.public alice");
    walk.play("alice-add");
    walk.play("bob-add");
    walk.play("alice-out");
    walk.shell("", "cp alice/carol.ceremony dora");
    walk.play("dora-offline");
    walk.shell("", "cp dora/carol.ceremony alice");
    walk.play("alice-submit");
    walk.play("server-keys");
    walk.shell("", "cp server/server.keys alice");
    for step in ["alice-rotate", "bob-rotate", "alice-status"] {
        walk.play(step);
    }
    assert!(walk.ceremonies().is_empty());
    // The agent slept through three roots, and goes on from the one it was given.
    walk.shell("", "mulberry-agent once --state agent");

    // Who would lock everybody out is told so, and nothing is proposed.
    let alice = |arguments: &str| walk.fails("alice", &format!("mulberryctl {arguments} --yes"));
    for (arguments, code, words) in [
        ("root threshold 4", 1, "nobody could ever sign it again"),
        ("root threshold 1", 1, "--accept one-person-alone"),
        ("lanes add-key dora.public", 1, "may sign for the emergency role already"),
        ("root revoke-key carol", 1, "its keys are held by alice, bob, dora"),
        ("root renew --role root --key emergency.pem", 2, "this is the emergency key of alice"),
        ("root add-key server.keys", 2, "these are a server's keys"),
    ] {
        let (ended, said) = alice(arguments);
        assert_eq!(ended, Some(code), "{arguments}: {said}");
        assert!(said.contains(words), "{arguments}: {words}\n{said}");
    }
    assert!(walk.ceremonies().is_empty());
    let expiries: Value = serde_json::from_str(&walk.shell("alice", "mulberryctl expiries --json")).unwrap();
    let roles: Vec<_> =
        expiries["expiries"].as_array().unwrap().iter().map(|row| row["role"].clone()).collect();
    assert_eq!(roles, ["root", "targets", "emergency", "routine", "gates", "snapshot", "timestamp"]);
    let (ended, said) = walk.fails("alice", "mulberryctl --clock-start 2100-01-01T00:00:00Z expiries");
    assert!(ended == Some(1) && said.contains("root: mulberryctl root renew --role root"), "{said}");

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
            page: fs::read_to_string(workspace().join("server/docs/ceremonies.md")).unwrap(),
            played: BTreeSet::new(),
        }
    }

    /// What the page says one needs, a server and an agent.
    fn prepare(&self) -> Running {
        // Both at once, so that they differ.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [public, operators] = free.map(|listener| listener.local_addr().unwrap().to_string());
        self.shell(
            "",
            &format!(
                r#"mulberry-lab corpus --out corpus --addons 1 --expired-at "$(date -u -d '1 minute ago' +%FT%TZ)"
                mulberryctl root init authority --no-passphrase --person alice --person bob --person carol \
                  --server http://{operators} --origin http://{public}
                mkdir server
                mulberry-server init --from authority/server --state server/state
                for person in alice bob dora; do
                  (umask 077; mkdir $person; cp -p authority/root.json authority/mulberryctl.toml $person
                   mulberry-server token add $person --person $person --may publish --state server/state > $person/token)
                done
                cp -p authority/people/alice/* alice
                cp -p authority/people/bob/* bob
                printf 'root = "root.json"\norigin = "http://127.0.0.1:9"\n' > dora/mulberryctl.toml
                (umask 077; echo long and hard to guess > dora/passphrase)"#
            ),
        );
        let run = format!(
            "exec mulberry-server run --state server/state --listen {public} --operators-listen {operators}"
        );
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let mut server = Running(self.bash("", &run).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        wait_for("the server to listen", || {
            assert!(server.0.try_wait().unwrap().is_none(), "the server ended");
            Ok(self.folder.path().join("server/state/listening.json").is_file().then_some(()))
        })
        .unwrap();
        self.shell(
            "",
            &format!(
                "mulberry-agent init --trust authority/root.json --origin http://{public} --state agent \
                 --anchor corpus/certificates/anchor.pem --addons corpus/addons --version 66.0.3"
            ),
        );
        server
    }

    fn ceremonies(&self) -> Vec<Value> {
        let told: Value = serde_json::from_str(&self.shell("alice", "mulberryctl proposals --json")).unwrap();
        told["ceremonies"].as_array().unwrap().clone()
    }

    /// Runs a block to the letter on its machine, and compares what it printed with what the page shows below it.
    fn play(&mut self, label: &str) {
        let script = block(&self.page, &format!("sh {label}")).expect(label);
        let waiting =
            self.ceremonies().first().and_then(|one| one["id"].as_str().map(|id| id[..12].to_owned()));
        let script = format!("CEREMONY={}\n{script}", waiting.unwrap_or_default());
        let said = self.shell(label.split('-').next().unwrap(), &script);
        for line in block(&self.page, &format!("text {label}")).unwrap_or_default().lines() {
            let shown = said.lines().any(|said| is_shown(line.trim_start(), said));
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

    /// The exit code, and everything that was said.
    fn fails(&self, machine: &str, script: &str) -> (Option<i32>, String) {
        let output =
            self.bash(machine, script).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    fn bash(&self, machine: &str, script: &str) -> Command {
        let mut bash = command(Path::new("bash"), &self.folder.path().join(machine));
        bash.args(["-euo", "pipefail", "-c", script]).stdin(Stdio::null()).env("PATH", &self.path);
        bash
    }
}
