//! `mulberryctl init`, run as a real process in a temporary folder.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use mulberry_shared::{
    edition::TrustState,
    limits::Limits,
    tuf::{Targets, Verified, metadata::Body, verify},
};
use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

fn ctl(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mulberryctl"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MULBERRYCTL_")) {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_folder_is_the_contract_and_clients_believe_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = ctl(
        folder.path(),
        &["init", "authority", "--no-passphrase", "--person", "ada", "--person", "grace", "--json"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["threshold"], 2);
    assert!(!text(&output.stderr).contains("one person alone"), "{}", text(&output.stderr));

    let made = folder.path().join("authority");
    let names = |path: &Path| -> BTreeSet<String> {
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let expect = |path: &str, expected: &[&str]| {
        assert_eq!(
            names(&made.join(path)),
            expected.iter().map(|name| (*name).to_owned()).collect(),
            "{path}"
        );
    };
    expect("", &["root.json", "mulberryctl.toml", "people", "server"]);
    expect("people", &["ada", "grace"]);
    expect("people/ada", &["root.pem", "targets.pem", "emergency.pem", "routine.pem"]);
    expect("server", &["metadata", "keys"]);
    expect("server/metadata", &["1.root.json", "1.targets.json", "1.emergency.json", "1.routine.json"]);
    expect("server/keys", &["snapshot.pem", "timestamp.pem", "gates.pem"]);
    for key in ["people/ada/root.pem", "people/grace/emergency.pem", "server/keys/gates.pem"] {
        assert_eq!(mode(&made.join(key)), 0o600, "{key}");
    }
    for private in ["", "people", "people/ada", "server/keys"] {
        assert_eq!(mode(&made.join(private)), 0o700, "{private}");
    }

    let limits = Limits::default();
    let root = fs::read(made.join("root.json")).unwrap();
    assert_eq!(root, fs::read(made.join("server/metadata/1.root.json")).unwrap());
    let state = TrustState::pinned(&root, &limits).unwrap();
    let root = state.trusted().root();
    assert_eq!(root.roles["root"].threshold, 2);
    assert_eq!(root.roles["timestamp"].threshold, 1);
    let held: BTreeSet<_> =
        root.roles["root"].keyids.iter().map(|id| root.keys[id].person().unwrap().as_str()).collect();
    assert_eq!(held, BTreeSet::from(["ada", "grace"]));
    let targets = fs::read(made.join("server/metadata/1.targets.json")).unwrap();
    let targets: Verified<Targets> = verify::top_level(root, &targets, &limits).unwrap();
    for role in ["emergency", "routine"] {
        let lane = fs::read(made.join(format!("server/metadata/1.{role}.json"))).unwrap();
        let lane = verify::delegated(&targets, "targets", role, &lane, &limits).unwrap();
        assert_eq!((lane.version(), lane.targets.len()), (1, 0), "{role}");
        let authority = targets.authority(role, "targets").unwrap();
        assert_eq!(authority.role_keys.threshold, 2);
        // The lanes have their own keys: a stolen routine key opens nothing else.
        let other = if role == "emergency" { "routine" } else { "emergency" };
        let others = &targets.authority(other, "targets").unwrap().role_keys.keyids;
        assert!(authority.role_keys.keyids.iter().all(|id| !others.contains(id)), "{role}");
    }
}

#[test]
fn keys_are_encrypted_unless_asked_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let refused = ctl(folder.path(), &["init", "a"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--passphrase-file"), "{}", text(&refused.stderr));
    assert!(!folder.path().join("a").exists(), "a refusal leaves nothing behind");

    let passphrase = folder.path().join("p");
    fs::write(&passphrase, "secret\n").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let done =
        ctl(folder.path(), &["init", "a", "--passphrase-file", "p", "--person", "ada", "--threshold", "1"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(
        text(&done.stderr).contains("Warning: --threshold 1: one person alone"),
        "{}",
        text(&done.stderr)
    );
    let pem = |path: &str| fs::read_to_string(folder.path().join("a").join(path)).unwrap();
    for role in ["root", "targets", "emergency", "routine"] {
        assert!(pem(&format!("people/ada/{role}.pem")).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    }
    // The server starts unattended.
    assert!(pem("server/keys/gates.pem").starts_with("-----BEGIN PRIVATE KEY-----"));
    assert!(text(&done.stdout).contains("mulberry-server init --from a/server"), "{}", text(&done.stdout));
}

#[test]
fn nothing_is_overwritten_and_impossible_wishes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/precious"), "x").unwrap();
    let cases: [&[&str]; 5] = [
        &["init", "full", "--no-passphrase"],
        &["init", "new", "--no-passphrase", "--person", "ada", "--person", "Ada"],
        &["init", "new", "--no-passphrase", "--threshold", "4"],
        &["init", "new", "--no-passphrase", "--person", "../evil"],
        &["init", "new", "--no-passphrase", "--server", "http://ops.example"],
    ];
    for arguments in cases {
        let output = ctl(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("Error: "), "{}", text(&output.stderr));
    }
    assert!(!folder.path().join("new").exists());
    assert_eq!(fs::read_dir(folder.path().join("full")).unwrap().count(), 1);

    let json = ctl(folder.path(), &["init", "full", "--no-passphrase", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(answer["error"]["kind"], "not-empty");
}

#[test]
fn the_written_configuration_is_the_one_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "init",
        "a",
        "--no-passphrase",
        "--server",
        "https://ops.example",
        "--origin",
        "http://cdn.example/x",
    ];
    assert_eq!(ctl(folder.path(), &arguments).status.code(), Some(0));
    let shown = ctl(&folder.path().join("a"), &["config", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["server"]["value"], "https://ops.example");
    assert_eq!(shown["origin"]["value"], "http://cdn.example/x");
    assert_eq!(shown["root"]["value"], "root.json");
    assert_eq!(shown["root"]["source"], "mulberryctl.toml");
}
