//! What all three binaries do in the same way.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use mulberry_lab::binaries::{Binaries, workspace};
use mulberry_lab::process::{command, run};
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
        (binaries.agent(), &["init", "once", "run", "status", "why", "verify", "tuf"]),
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
    stage.open_gate_together("install", "100").unwrap();
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

#[test]
fn config_show_says_who_said_what() {
    let binaries = Binaries::build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let show = |program: &Path, words: &[&str], variable: (&str, &str)| -> Value {
        let mut shown = command(program, folder.path());
        shown.args(["config", "show", "--json"]).args(words).env(variable.0, variable.1);
        let output = shown.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let server =
        show(&binaries.server(), &["--listen", "127.0.0.1:1"], ("MULBERRY_SERVER_MAX_CONNECTIONS", "99"));
    assert_eq!(server["listen"], json!({"value": "127.0.0.1:1", "source": "command line"}));
    assert_eq!(
        server["max_connections"],
        json!({"value": "99", "source": "MULBERRY_SERVER_MAX_CONNECTIONS"})
    );
    assert_eq!(server["state"], json!({"value": "/var/lib/mulberry/server", "source": "default"}));
    assert_eq!(server["operators_tls_key"], json!({"value": null, "source": "nobody"}));

    let material = Material::laboratory(folder.path(), 2, &|_| ()).unwrap();
    let stage = Stage::new(None).unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
    let state = stage.path("agents/a").display().to_string();
    let agent =
        show(&binaries.agent(), &["--state", &state, "--channel", "beta"], ("MULBERRY_AGENT_COUNTRY", "AT"));
    let file = format!("{state}/agent.toml");
    assert_eq!(agent["version"], json!({"value": "66.0", "source": file}));
    assert_eq!(agent["channel"], json!({"value": "beta", "source": "command line"}));
    assert_eq!(agent["country"], json!({"value": "AT", "source": "MULBERRY_AGENT_COUNTRY"}));
    assert_eq!(agent["pass_hours"], json!({"value": "24", "source": "default"}));
    assert_eq!(agent["ring"], json!({"value": null, "source": "nobody"}));
}

/// As exposed as `systemd-analyze security` may find a unit, in tenths: 10 would be the whole machine.
const EXPOSURE: &str = "20";

#[test]
fn the_units_are_well_formed_and_hardened() {
    let analyze = Path::new("/usr/bin/systemd-analyze");
    if !analyze.exists() {
        eprintln!("SKIPPED: {} is absent, so the units were not checked", analyze.display());
        return;
    }
    let binaries = Binaries::build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let units = [
        ("server/systemd/mulberry-server.service", "mulberry-server", binaries.server()),
        ("client-agent/systemd/mulberry-agent.service", "mulberry-agent", binaries.agent()),
    ];
    for (unit, name, program) in units {
        let text = std::fs::read_to_string(workspace().join(unit)).unwrap();
        let installed = format!("ExecStart=/usr/bin/{name} run");
        assert!(text.contains(&installed), "{unit}");
        // The program must exist for the check; and the words after it must be ones that it takes.
        let here = text.replace(&format!("/usr/bin/{name}"), &program.display().to_string());
        let copy = folder.path().join(format!("{name}.service"));
        std::fs::write(&copy, here).unwrap();
        let copy = copy.display().to_string();
        run(analyze, &["verify", "--man=no", &copy], folder.path()).unwrap().expect_code(0).unwrap();
        let words = ["security", "--offline=yes", "--threshold", EXPOSURE, &copy];
        run(analyze, &words, folder.path()).unwrap().expect_code(0).unwrap();

        let settings = text.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='));
        let mut help = command(&program, folder.path());
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("ExecStart=/usr/bin/{name} ")));
        help.args(line.unwrap().split_whitespace()).arg("--help").envs(settings.clone());
        let help = help.output().unwrap();
        assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
        // Every variable that a unit sets is one that the program knows.
        let told = String::from_utf8_lossy(&help.stdout);
        for (variable, _) in settings {
            assert!(told.contains(variable), "{unit}: {variable}");
        }
    }
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

/// A closed pipe is the reader's wish; a full disk is not, and a token that nobody saw is not valid.
#[test]
fn standard_output_that_takes_nothing_ends_no_command_in_a_panic() {
    let binaries = Binaries::build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (ctl, server, agent) = (binaries.ctl(), binaries.server(), binaries.agent());
    run(&ctl, &["init", "authority", "--no-passphrase"], folder.path()).unwrap().expect_code(0).unwrap();
    run(&ctl, &["recipe", "new", "--action", "hold-verification", "--slug", "hold"], folder.path())
        .unwrap()
        .expect_code(0)
        .unwrap();
    let onto = |program: &Path, line: &str, full: bool| {
        let mut command = command(program, folder.path());
        command.args(line.split(' ')).env("MULBERRY_SERVER_STATE", "server");
        if full {
            command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
        } else {
            command.stdout(std::io::pipe().unwrap().1);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let tokens = || run(&server, &["token", "list", "--state", "server"], folder.path()).unwrap().stdout;

    let (code, said) = onto(&server, "init --from authority/server", true);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("standard output"), "{said}");
    for (program, line) in [
        (&server, "token list"),
        (&server, "ledger verify"),
        (&server, "ledger verify --json"),
        (&server, "ledger export"),
        (&server, "config show"),
        (&server, "completions bash"),
        (&ctl, "config show"),
        (&ctl, "config show --json"),
        (&ctl, "recipe check recipes/hold"),
        (&ctl, "recipe show recipes/hold"),
        (&ctl, "recipe show recipes/hold --json"),
        (&ctl, "completions bash"),
        (&agent, "completions bash"),
    ] {
        if line != "token list" {
            let (code, said) = onto(program, line, true);
            assert_eq!(code, Some(2), "{line}: {said}");
            assert!(said.contains("standard output"), "{line}: {said}");
        }
        let (code, said) = onto(program, line, false);
        assert_eq!((code, said.contains("panicked")), (Some(0), false), "{line}: {said}");
    }
    for full in [true, false] {
        let (code, said) = onto(&server, "token add mei --person mei --may gate", full);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("no token was added"), "{said}");
        assert_eq!(tokens(), "");
    }
    let mut closed = command(Path::new("sh"), folder.path());
    closed.args(["-c", "exec \"$0\" token add mei --person mei --may gate --state server >&-"]).arg(&server);
    let closed = closed.output().unwrap();
    let said = String::from_utf8_lossy(&closed.stderr);
    assert!(closed.status.code() == Some(2) && said.contains("--out FILE"), "{said}");
    assert_eq!(tokens(), "");
    let add =
        ["token", "add", "mei", "--person", "mei", "--may", "gate", "--state", "server", "--out", "token"];
    run(&server, &add, folder.path()).unwrap().expect_code(0).unwrap();
    assert!(tokens().starts_with("mei of person mei may gate"));
    assert_eq!(onto(&server, "token list", true).0, Some(2));
}

#[test]
fn what_the_server_says_of_tokens_and_keys_is_one_json_document() {
    let binaries = Binaries::build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    run(&binaries.ctl(), &["init", "authority", "--no-passphrase"], folder.path()).unwrap();
    let server = |line: &str| {
        let words: Vec<&str> = line.split(' ').chain(["--state", "server"]).collect();
        run(&binaries.server(), &words, folder.path()).unwrap().expect_code(0).unwrap()
    };
    server("init --from authority/server");
    for name in ["mei", "tom"] {
        server(&format!("token add {name} --person {name} --may gate --out {name}"));
    }
    let revoked = server("token revoke mei --json").json().unwrap();
    assert!(revoked["name"] == "mei" && revoked["revoked"].is_string(), "{revoked}");
    let list = server("token list --json").json().unwrap();
    assert_eq!((&list["tokens"][1]["person"], &list["tokens"][1]["duty"]), (&json!("tom"), &Value::Null));
    let [mei, tom] = list["tokens"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((mei, &tom["name"], &tom["revoked"]), (&revoked, &json!("tom"), &Value::Null));

    let document = server("keys new --json").json().unwrap();
    let made = server("keys new --out server.keys --json").json().unwrap();
    let roles = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(roles(&made["fingerprints"]), roles(&document["keys"]));
    assert_eq!(made["public"], "server.keys");
}
