//! The ledger watched from outside, with real processes: what a thief of the server cannot change unseen, and what is no alarm.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Stage, wait_for};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::actor::Actor;
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
        let actor = if record.sequence == 1 {
            record.actor.clone()
        } else {
            Actor::Unknown("somebody-else".to_owned())
        };
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

/// Copies what the server publishes now to the folder `mirror`, as a mirror that knows its paths would.
fn mirror(stage: &Stage) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let origin = stage.origin().trim_end_matches('/').to_owned();
    let get = |path: &str| -> Option<Vec<u8>> {
        runtime.block_on(async {
            let answer = reqwest::get(format!("{origin}/{path}")).await.unwrap();
            answer.status().is_success().then_some(())?;
            Some(answer.bytes().await.unwrap().to_vec())
        })
    };
    let keep = |path: &str, bytes: &[u8]| {
        let file = stage.path("mirror").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    };
    let bundle = stage.ctl(&["bundle", "--out", "mirror.bundle", "--replace"]).unwrap();
    bundle.expect_code(0).unwrap();
    let bytes = fs::read(stage.path("mirror.bundle")).unwrap();
    let bundle =
        mulberry_shared::bundle::Bundle::read(&bytes, &mulberry_shared::limits::Limits::default().bundle);
    for (path, bytes) in bundle.unwrap().entries() {
        keep(path, bytes);
    }
    if let Some(bytes) = get("ledger/continues.json") {
        keep("ledger/continues.json", &bytes);
    }
}

/// What the server publishes that people signed, and the gates, by path.
fn signed_by_people(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let state = stage.path("mirror.bundle");
    let bytes = fs::read(state).unwrap();
    let bundle =
        mulberry_shared::bundle::Bundle::read(&bytes, &mulberry_shared::limits::Limits::default().bundle)
            .unwrap();
    let online = ["snapshot.json", "timestamp.json", "gates.json"];
    let people =
        |path: &str| !path.starts_with("metadata/") || online.iter().all(|name| !path.ends_with(name));
    let entries = bundle.entries().iter().filter(|(path, _)| people(path));
    entries.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
}

/// The server and its ledger are gone; a new one is made from the mirror, as these people signed.
fn rebuild(stage: &mut Stage, from: &str, file: &str, people: [&str; 2], waive: &[&str]) {
    stage.stop_server().unwrap();
    let lost = stage.path("lost");
    let _ = fs::remove_dir_all(&lost);
    fs::rename(stage.path("server"), lost).unwrap();
    let make = ["ledger", "continue", "--from", from, "--reason", "the machine burnt down", "--out", file];
    let made = stage.ctl(&make).unwrap().expect_code(0).unwrap();
    assert!(
        made.stdout.contains("it ended:     event") && made.stdout.contains("mulberryctl ledger sign"),
        "{}",
        made.stdout
    );
    let words = ["rebuild", "--from", from, "--root", "authority/root.json", "--continues", file];
    let words = [&words[..], &["--keys", "lost/keys", "--state", "server"]].concat();
    if !waive.is_empty() {
        let expired = stage.server_command(&words).unwrap().expect_code(3).unwrap();
        assert!(expired.stderr.contains("--waive-expiry"), "{}", expired.stderr);
    }
    let words = [&words, waive].concat();
    let refused = stage.server_command(&words).unwrap().expect_code(3).unwrap();
    assert!(
        refused.stderr.contains(&format!("{file}: targets: 0 of the 2 distinct keys needed"))
            && refused.stderr.contains(&format!("mulberryctl ledger sign {file}")),
        "{}",
        refused.stderr
    );
    for person in people {
        let key = format!("authority/people/{person}/targets.pem");
        let sign = ["ledger", "sign", file, "--key", &key, "--yes"];
        let signed = stage.ctl(&sign).unwrap().expect_code(0).unwrap();
        assert_eq!(signed.stdout.matches("the machine burnt down").count(), 1, "{}", signed.stdout);
        stage.ctl(&sign).unwrap().expect_code(1).unwrap();
    }
    stage.server_command(&words).unwrap().expect_code(0).unwrap();
    fs::copy(stage.path("lost/tokens.json"), stage.path("server/tokens.json")).unwrap();
    stage.start_server().unwrap();
}

#[test]
fn a_server_rebuilt_from_a_mirror_serves_the_same_and_agents_do_not_notice() {
    let (mut stage, _folder, material) = stage();
    let addons = stage.addons("a").unwrap();
    mirror(&stage);
    let (before, run) = (signed_by_people(&stage), once(&stage));
    assert!(before.iter().any(|(path, _)| path.ends_with("install.json")), "{before:?}");
    rebuild(&mut stage, "mirror", "continues.json", ["person-1", "person-3"], &[]);

    let after = once(&stage);
    assert_eq!(
        after["recipes"],
        serde_json::json!([{"path": "emergency/install.json", "revision": 1,
        "status": "unchanged", "detail": after["recipes"][0]["detail"]}])
    );
    assert!(after["edition"]["number"].as_u64() > run["edition"]["number"].as_u64());
    assert_eq!(stage.addons("a").unwrap()["addons"], addons["addons"]);
    let witness = &after["witness"];
    assert_eq!((&witness["rewritten"], &witness["unchecked"]), (&Value::Null, &Value::Null), "{witness}");
    assert_eq!(witness["checked"]["sequence"], 1);
    assert_eq!(witness["continued"]["seen"], run["witness"]["checked"]);
    assert_eq!(witness["continued"]["signed_by"], serde_json::json!(["person-1", "person-3"]));
    mirror(&stage);
    assert_eq!(signed_by_people(&stage), before);

    // Life goes on, and the server may be lost once more, this time with a bundle alone; the old word does not do again.
    publish(&stage, &material, "second");
    assert_eq!(once(&stage)["witness"]["checked"]["sequence"], 3);
    mirror(&stage);
    let words =
        ["rebuild", "--from", "mirror", "--root", "authority/root.json", "--continues", "continues.json"];
    let again = stage.server_command(&[&words[..], &["--state", "again"]].concat()).unwrap();
    assert!(again.expect_code(3).unwrap().stderr.contains("continues a ledger that ended with"));
    assert!(!stage.path("again").exists());
    // It takes two days until anybody finds the bundle.
    stage.set_clock(stage.now() + jiff::SignedDuration::from_hours(48));
    let waive = ["--waive-expiry", "timestamp"];
    rebuild(&mut stage, "mirror.bundle", "second.json", ["person-1", "person-3"], &waive);
    let witness = once(&stage)["witness"].clone();
    assert_eq!(
        (&witness["rewritten"], &witness["checked"]["sequence"]),
        (&Value::Null, &1.into()),
        "{witness}"
    );
    stage.server_command(&["ledger", "verify", "--state", "server"]).unwrap().expect_code(0).unwrap();
}

#[test]
fn after_ceremonies_todays_holders_of_targets_sign_with_nothing_but_the_first_root() {
    let (mut stage, _folder, _material) = stage();
    let made = ["key", "new", "authority/people/dora", "--person", "dora", "--no-passphrase"];
    stage.ctl(&made).unwrap().expect_code(0).unwrap();
    for step in [["add-key", "authority/people/dora/dora.public"], ["revoke-key", "person-3"]] {
        let keys =
            ["--key", "authority/people/person-1/root.pem", "--key", "authority/people/person-2/root.pem"];
        let words = [&["root"], &step[..], &["--role", "targets"], &keys, &["--yes"]].concat();
        stage.ctl(&words).unwrap().expect_code(0).unwrap();
    }
    once(&stage);
    mirror(&stage);

    let make = ["ledger", "continue", "--from", "mirror", "--reason", "a trial", "--out", "trial.json"];
    stage.ctl(&make).unwrap().expect_code(0).unwrap();
    let sign = ["ledger", "sign", "trial.json", "--key", "authority/people/person-3/targets.pem", "--yes"];
    let revoked = stage.ctl(&sign).unwrap().expect_code(2).unwrap();
    assert!(revoked.stderr.contains("none of targets' in version 3 of the root"), "{}", revoked.stderr);

    rebuild(&mut stage, "mirror", "continues.json", ["person-2", "dora"], &[]);
    let witness = once(&stage)["witness"].clone();
    assert_eq!(witness["rewritten"], Value::Null, "{witness}");
    let mut signed: Vec<&str> =
        witness["continued"]["signed_by"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    signed.sort_unstable();
    assert_eq!(signed, ["dora", "person-2"]);
}

#[test]
fn the_ledger_is_shown_exported_and_verified_against_what_others_saw() {
    let (stage, _folder, _material) = stage();
    let said = |words: &[&str], code: i32| stage.ctl(words).unwrap().expect_code(code).unwrap();
    said(&["ledger", "export", "--out", "ledger.jsonl"], 0);
    let mode = fs::metadata(stage.path("ledger.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "names, reasons and salts are in it");
    said(&["ledger", "export", "--out", "ledger.jsonl"], 2);
    stage.server_command(&["ledger", "verify", "ledger.jsonl"]).unwrap().expect_code(0).unwrap();

    let live = said(&["ledger", "verify", "--json"], 0).json().unwrap();
    assert_eq!((&live["sound"], &live["events"]), (&true.into(), &3.into()));
    let seen = stage.status("a").unwrap()["witness"]["checked"].clone();
    let witness = format!("{}:{}", seen["sequence"], seen["link"].as_str().unwrap());
    let status = stage.agent("a", &["status"]).unwrap().stdout;
    assert!(status.contains(&format!("Ledger followed to: {witness}")), "{status}");
    let sound = said(&["ledger", "verify", "ledger.jsonl", "--witness", &witness], 0);
    assert!(sound.stdout.contains("event 3 is the one seen there"), "{}", sound.stdout);
    fs::write(stage.path("told.jsonl"), retold(&fs::read(stage.path("ledger.jsonl")).unwrap())).unwrap();
    let told = said(&["ledger", "verify", "told.jsonl", "--witness", &witness], 1);
    assert!(
        told.stdout.contains("NOT SOUND") && told.stdout.contains("history was rewritten"),
        "{}",
        told.stdout
    );
    let mut damaged = fs::read(stage.path("ledger.jsonl")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(stage.path("damaged.jsonl"), damaged).unwrap();
    assert!(said(&["ledger", "verify", "damaged.jsonl"], 1).stdout.contains("NOT SOUND"));
    said(&["ledger", "show", "damaged.jsonl"], 3);

    let shown = said(&["ledger", "show", "--slug", "install"], 0).stdout;
    assert!(shown.contains("on-duty") && shown.contains("person-1, person-2"), "{shown}");
    assert_eq!(shown.lines().count(), 3, "{shown}");
    let json = said(&["ledger", "show", "ledger.jsonl", "--actor", "on-duty", "--json"], 0).json().unwrap();
    assert_eq!(json["events"][0]["type"], "lane-published");
    assert_eq!(json["events"].as_array().unwrap().len(), 2);
    assert!(said(&["ledger", "show", "--since", "2030-01-01T00:00:00Z"], 0).stdout.contains("No event fits"));
}
