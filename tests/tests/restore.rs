//! A server lost and restored from an export, with real processes: agents go on.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Stage, wait_for};
use serde_json::Value;

/// A stage after the expiry, with a server and the agent `a`.
fn stage() -> (Stage, tempfile::TempDir, Material) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 10, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
    (stage, folder, material)
}

fn publish(stage: &Stage, material: &Material, slug: &str) {
    let certificate = material.replacement.to_string_lossy();
    if !stage.path(&format!("recipes/{slug}")).exists() {
        let made = stage.ctl(&["recipe", "new", "--certificate", &certificate, "--slug", slug]).unwrap();
        made.expect_code(0).unwrap();
    }
    stage.publish("emergency", &format!("recipes/{slug}")).unwrap();
    stage.open_gate_together(slug, "100").unwrap();
}

/// One run of the agent, which is to end with this code: what it printed.
fn once(stage: &Stage, code: i32) -> Value {
    stage.agent("a", &["once", "--json"]).unwrap().expect_code(code).unwrap().json().unwrap()
}

/// The statuses of all recipes, by path.
fn statuses(run: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let recipes = run["recipes"].as_array().unwrap();
    recipes.iter().map(|recipe| (text(&recipe["path"]), text(&recipe["status"]))).collect()
}

fn export(stage: &Stage, to: &str) -> Vec<u8> {
    let said =
        stage.server_command(&["ledger", "export", "--state", "server", "--out", to, "--json"]).unwrap();
    assert!(said.expect_code(0).unwrap().json().unwrap()["events"].as_u64().unwrap() > 0);
    std::fs::read(stage.path(to)).unwrap()
}

fn verify(stage: &Stage, arguments: &[&str], code: i32) -> Value {
    let arguments = [&["ledger", "verify", "--json"], arguments].concat();
    stage.server_command(&arguments).unwrap().expect_code(code).unwrap().json().unwrap()
}

/// Stops the server and puts one in its place that is restored from `export` with the former one's keys.
fn replace_server(stage: &mut Stage, export: &str) {
    let stopping = Instant::now();
    let status = stage.ctl(&["status", "--json"]).unwrap().json().unwrap();
    stage.stop_server().unwrap();
    std::fs::rename(stage.path("server"), stage.path("lost")).unwrap();
    let restore = ["restore", "--from", export, "--keys", "lost/keys", "--state", "server"];
    stage.server_command(&restore).unwrap().expect_code(0).unwrap();
    let token = [
        "token",
        "add",
        "on-duty-2",
        "--duty",
        "on-duty",
        "--may",
        "publish",
        "--may",
        "gate",
        "--state",
        "server",
        "--json",
    ];
    let token = stage.server_command(&token).unwrap().expect_code(0).unwrap().json().unwrap();
    std::fs::write(stage.path("token"), token["token"].as_str().unwrap()).unwrap();
    // Several signatures in one second push a version ahead of the clock; whoever loses a server takes longer.
    let now: jiff::Timestamp = status["now"].as_str().unwrap().parse().unwrap();
    let versions =
        status["expiries"].as_array().unwrap().iter().map(|role| role["version"].as_i64().unwrap());
    let ahead = versions.max().unwrap() - now.as_second();
    let passed = || Ok((i64::try_from(stopping.elapsed().as_secs()).unwrap() > ahead).then_some(()));
    wait_for("the clock to pass the last version", passed).unwrap();
    stage.start_server().unwrap();
}

#[test]
fn agents_go_on_with_a_server_that_was_restored_from_an_export_made_while_it_ran() {
    let (mut stage, _folder, material) = stage();
    publish(&stage, &material, "install");
    assert_eq!(statuses(&once(&stage, 0)), [("emergency/install.json".to_owned(), "applied".to_owned())]);
    let running = export(&stage, "running.jsonl");
    assert_eq!(verify(&stage, &["--state", "server"], 0)["events"], 3);
    assert_eq!(verify(&stage, &["running.jsonl"], 0)["sound"], true);

    let addons = stage.addons("a").unwrap();
    replace_server(&mut stage, "running.jsonl");
    let run = once(&stage, 0);
    assert_eq!(statuses(&run), [("emergency/install.json".to_owned(), "unchanged".to_owned())]);
    assert_eq!(stage.addons("a").unwrap()["addons"], addons["addons"]);
    assert_eq!(export(&stage, "again.jsonl"), running);

    publish(&stage, &material, "second");
    let statuses = statuses(&once(&stage, 0));
    assert!(statuses.iter().all(|(_, status)| status == "applied" || status == "unchanged"), "{statuses:?}");
    assert_eq!(statuses.len(), 2);
    stage.stop_server().unwrap();
    assert_eq!(verify(&stage, &["--state", "server"], 0)["events"], 5);
    let log = std::fs::read_to_string(stage.path("server.log")).unwrap();
    let token = std::fs::read_to_string(stage.path("token")).unwrap();
    assert!(log.contains("gate set") && log.contains("on-duty-2") && !log.contains(token.trim()), "{log}");
}

#[test]
fn what_was_published_after_the_export_is_published_again_and_agents_undo_nothing_meanwhile() {
    let (mut stage, _folder, material) = stage();
    publish(&stage, &material, "install");
    export(&stage, "older.jsonl");
    publish(&stage, &material, "second");
    assert_eq!(statuses(&once(&stage, 0)).len(), 2);
    let addons = stage.addons("a").unwrap();

    replace_server(&mut stage, "older.jsonl");
    let refused = stage.agent("a", &["once"]).unwrap().expect_code(3).unwrap();
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.contains("it lists version 2 of emergency.json, older than version 3"), "{told}");
    assert_eq!(stage.addons("a").unwrap()["addons"], addons["addons"]);

    publish(&stage, &material, "second");
    let statuses = statuses(&once(&stage, 0));
    assert!(statuses.iter().all(|(_, status)| status == "applied" || status == "unchanged"), "{statuses:?}");
    assert_eq!(statuses.len(), 2);
}

#[test]
fn a_restore_without_keys_does_not_start_and_says_which_are_missing() {
    let (mut stage, _folder, _material) = stage();
    export(&stage, "export.jsonl");
    let in_use = stage.server_command(&["restore", "--from", "export.jsonl", "--state", "server"]).unwrap();
    in_use.expect_code(5).unwrap();
    stage.stop_server().unwrap();
    let used = stage.server_command(&["restore", "--from", "export.jsonl", "--state", "server"]).unwrap();
    assert!(used.expect_code(2).unwrap().stderr.contains("is not empty and is left as it is"));
    let made = stage.server_command(&["restore", "--from", "export.jsonl", "--state", "new"]).unwrap();
    made.expect_code(0).unwrap();
    let run = stage.server_command(&["run", "--state", "new", "--listen", "127.0.0.1:0"]).unwrap();
    let told = run.expect_code(2).unwrap().stderr;
    assert!(told.contains("new/keys/snapshot.pem is missing; put this server's online keys there"), "{told}");

    let mut bytes = std::fs::read(stage.path("export.jsonl")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(stage.path("damaged.jsonl"), bytes).unwrap();
    assert_eq!(verify(&stage, &["damaged.jsonl"], 1)["first_bad"]["sequence"], 1);
    let refused = stage.server_command(&["restore", "--from", "damaged.jsonl", "--state", "other"]).unwrap();
    refused.expect_code(3).unwrap();
    assert!(!stage.path("other").exists());
}
