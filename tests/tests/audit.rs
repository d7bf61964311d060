//! The ledger watched from outside, with real processes: what a thief of the server cannot change unseen, and what is no alarm.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;

use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Stage, wait_for};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::event::Record;
use mulberry_shared::ledger::export::{ExportReader, Header, event_line};
use mulberry_shared::operators::LedgerHead;
use serde_json::Value;

/// A stage after the expiry, with a server, a published recipe that is open, and the agent `a` that has applied it.
fn stage() -> (Stage, tempfile::TempDir, Material) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 5, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
    publish(&stage, &material, "install");
    assert_eq!(once(&stage)["recipes"][0]["status"], "applied");
    (stage, folder, material)
}

fn publish(stage: &Stage, material: &Material, slug: &str) {
    let certificate = material.replacement.to_string_lossy();
    let made = stage.ctl(&["recipe", "new", "--certificate", &certificate, "--slug", slug]).unwrap();
    made.expect_code(0).unwrap();
    stage.publish("emergency", &format!("recipes/{slug}")).unwrap();
    stage.open_gate_together(slug, "100").unwrap();
}

fn once(stage: &Stage) -> Value {
    stage.agent("a", &["once", "--json"]).unwrap().expect_code(0).unwrap().json().unwrap()
}

fn export(stage: &Stage, to: &str) {
    let words = ["ledger", "export", "--state", "server", "--out", to];
    stage.server_command(&words).unwrap().expect_code(0).unwrap();
}

/// The same history told otherwise: another actor in every record but the first, and all hashes right again.
fn retold(export: &[u8]) -> Vec<u8> {
    let mut reader = ExportReader::open(export).unwrap();
    let (mut head, mut first, mut lines) =
        (LedgerHead { sequence: 0, head: Sha256Digest([0; 32]) }, None, Vec::new());
    while let Some((record, _)) = reader.next_event().unwrap() {
        let actor = if record.sequence == 1 { record.actor.clone() } else { "somebody-else".to_owned() };
        let record = Record { previous: head.head, actor, ..record };
        let bytes = record.to_bytes().unwrap();
        head = LedgerHead { sequence: record.sequence, head: Sha256Digest::of(&bytes) };
        first = first.or(Some(head.head));
        lines.extend(event_line(&[head.head.0.as_slice(), &bytes].concat()).unwrap());
    }
    [Header::new(first.unwrap(), head).line().unwrap(), lines].concat()
}

/// Puts a server in the place of the one that runs: from `export`, with the keys of the one before.
fn replace_server(stage: &mut Stage, export: &str) {
    stage.stop_server().unwrap();
    let versions = fs::read(stage.path("server/edition.json")).unwrap();
    let lost = stage.path("lost");
    let _ = fs::remove_dir_all(&lost);
    fs::rename(stage.path("server"), lost).unwrap();
    let restore = ["restore", "--from", export, "--keys", "lost/keys", "--state", "server"];
    stage.server_command(&restore).unwrap().expect_code(0).unwrap();
    fs::copy(stage.path("lost/tokens.json"), stage.path("server/tokens.json")).unwrap();
    // Several signatures in one second push a version ahead of the clock; whoever loses a server takes longer.
    let ahead = versions_ahead(&versions, stage);
    let waited = std::time::Instant::now();
    wait_for("the clock to pass the last version", || {
        Ok((i64::try_from(waited.elapsed().as_secs()).unwrap() > ahead).then_some(()))
    })
    .unwrap();
    stage.start_server().unwrap();
}

/// By how many seconds the versions in a stored edition are ahead of the clock.
fn versions_ahead(edition: &[u8], stage: &Stage) -> i64 {
    use base64::Engine as _;
    let edition: Value = serde_json::from_slice(edition).unwrap();
    let version = |role: &str| {
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(edition[role].as_str().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["signed"]["version"].as_i64().unwrap()
    };
    ["gates", "snapshot", "timestamp"].map(version).into_iter().max().unwrap() - stage.now().as_second()
}

#[test]
fn a_rewritten_history_is_reported_and_keeps_no_fix_from_being_applied() {
    let (mut stage, _folder, material) = stage();
    let seen = stage.status("a").unwrap()["witness"]["checked"].clone();
    assert_eq!(seen["sequence"], 3);
    // A ledger that only goes on is no alarm, nor is one that was restored as it was.
    stage.ctl(&["gate", "pause", "install", "--reason", "a look"]).unwrap().expect_code(0).unwrap();
    assert_eq!(once(&stage)["witness"]["checked"]["sequence"], 4);
    export(&stage, "true.jsonl");
    replace_server(&mut stage, "true.jsonl");
    let witness = once(&stage)["witness"].clone();
    assert_eq!((&witness["checked"]["sequence"], &witness["rewritten"]), (&4.into(), &Value::Null));

    // A thief of the server and all its keys hides who did what.
    fs::write(stage.path("told.jsonl"), retold(&fs::read(stage.path("true.jsonl")).unwrap())).unwrap();
    replace_server(&mut stage, "told.jsonl");
    let run = stage.agent("a", &["once", "--json"]).unwrap().expect_code(0).unwrap();
    assert!(run.stderr.contains("THE LEDGER'S HISTORY WAS REWRITTEN"), "{}", run.stderr);
    let found = run.json().unwrap()["witness"]["rewritten"].clone();
    assert_eq!(found["seen"], witness["checked"]);
    assert_eq!(found["shown"]["sequence"], 4);

    publish(&stage, &material, "second");
    let run = once(&stage);
    let statuses: Vec<&str> =
        run["recipes"].as_array().unwrap().iter().map(|recipe| recipe["status"].as_str().unwrap()).collect();
    assert!(statuses.contains(&"unchanged"), "{statuses:?}");
    let told = stage.agent("a", &["status"]).unwrap().expect_code(0).unwrap().stdout;
    assert!(told.contains("WARNING: the ledger's history was rewritten"), "{told}");
    let command = told.lines().find_map(|line| line.split_once("mulberry-agent acknowledge ")).unwrap().1;
    stage.agent("a", &["acknowledge", "4:aa"]).unwrap().expect_code(2).unwrap();
    stage.agent("a", &["acknowledge", command]).unwrap().expect_code(0).unwrap();
    stage.agent("a", &["acknowledge", command]).unwrap().expect_code(1).unwrap();
    let after = once(&stage)["witness"].clone();
    assert_eq!((&after["rewritten"], &after["checked"]["sequence"]), (&Value::Null, &6.into()));
}
