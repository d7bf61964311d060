//! An edition in one file, carried to agents that never had a network: real processes on both ends.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Said, Stage};
use mulberry_shared::digest::Sha256Digest;
use serde_json::Value;

const SLUG: &str = "install";
/// The bundle before its gate was opened, and after.
const ARMED: &str = "armed.mulberry";
const FIX: &str = "fix.mulberry";
const ALL: [&str; 2] = ["--waive-expiry", "timestamp,snapshot,gates"];

/// A stage after the expiry, whose server published the fix, was bundled before and after the gate opened, and is gone.
fn stage() -> (Stage, Material, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 10, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    let unreachable =
        stage.ctl(&["bundle", "--out", FIX, "--root", "authority/root.json", "--origin", stage.origin()]);
    unreachable.unwrap().expect_code(4).unwrap();
    assert!(!stage.path(FIX).exists());

    stage.start_server().unwrap();
    let certificate = material.replacement.to_string_lossy();
    stage
        .ctl(&["recipe", "new", "--certificate", &certificate, "--slug", SLUG])
        .unwrap()
        .expect_code(0)
        .unwrap();
    stage.publish("emergency", &format!("recipes/{SLUG}")).unwrap();
    bundle(&stage, ARMED, &[]).expect_code(0).unwrap();
    stage.open_gate_together(SLUG, "100").unwrap();
    let told = bundle(&stage, FIX, &["--json"]).expect_code(0).unwrap().json().unwrap();
    let file = fs::read(stage.path(FIX)).unwrap();
    assert_eq!((&told["bytes"], &told["roots"]), (&Value::from(file.len()), &serde_json::json!([1, 1])));
    assert_eq!(told["sha256"], Sha256Digest::of(&file).to_string());
    assert_eq!(told["recipes"][0]["path"], format!("emergency/{SLUG}.json"));
    assert_eq!(
        (&told["recipes"][0]["gate"], &told["recipes"][0]["percent"]),
        (&"open".into(), &10_000.into())
    );
    assert_eq!(told["expiries"].as_array().unwrap().len(), 7);

    let refused = bundle(&stage, FIX, &[]).expect_code(2).unwrap();
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    let words = bundle(&stage, FIX, &["--replace"]).expect_code(0).unwrap().stdout;
    assert!(words.contains("open at 100 %") && words.contains("mulberry-agent import"), "{words}");
    assert_eq!(fs::read(stage.path(FIX)).unwrap(), file, "one edition has one bundle");
    stage.stop_server().unwrap();
    (stage, material, folder)
}

fn bundle(stage: &Stage, out: &str, more: &[&str]) -> Said {
    stage.ctl(&[&["bundle", "--out", out], more].concat()).unwrap()
}

fn import(stage: &Stage, name: &str, file: &str, more: &[&str]) -> Said {
    stage.agent(name, &[&["import", file], more].concat()).unwrap()
}

fn init(stage: &Stage, material: &Material, name: &str) {
    stage.init_agent(name, &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
}

/// How many of the add-ons that the expiry hit are enabled, and how many there are.
fn fixed(stage: &Stage, material: &Material, name: &str) -> (usize, usize) {
    let addons = stage.addons(name).unwrap();
    let enabled: Vec<&str> = addons["addons"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|addon| addon["enabled"] == true)
        .filter_map(|addon| addon["path"].as_str())
        .collect();
    (material.hit().filter(|hit| enabled.contains(hit)).count(), material.hit().count())
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path().display().to_string(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn an_agent_that_never_had_a_network_is_fixed_by_a_file() {
    let (stage, material, _folder) = stage();
    init(&stage, &material, "a");
    stage.agent("a", &["once"]).unwrap().expect_code(4).unwrap();
    let (before, hit) = fixed(&stage, &material, "a");
    assert!(before == 0 && hit > 0);

    // Armed, and not fired.
    let report = import(&stage, "a", ARMED, &["--json"]).expect_code(0).unwrap().json().unwrap();
    assert_eq!(report["recipes"][0]["status"], "gate-closed");
    assert_eq!(fixed(&stage, &material, "a").0, 0);
    let report = import(&stage, "a", FIX, &["--json"]).expect_code(0).unwrap().json().unwrap();
    assert_eq!(report["recipes"][0]["status"], "applied");
    assert_eq!((&report["refresh"]["origin"], &report["waived"]), (&FIX.into(), &Value::Null));
    assert_eq!(fixed(&stage, &material, "a"), (hit, hit));

    // An older one changes nothing, nor does anything while a daemon works there.
    let held = files(&stage.path("agents/a"));
    let older = import(&stage, "a", ARMED, &ALL).expect_code(1).unwrap();
    assert!(older.stderr.contains("older than what is held"), "{}", older.stderr);
    assert_eq!(files(&stage.path("agents/a")), held);
    let daemon = stage.start_daemon("a", &[]).unwrap();
    let locked = import(&stage, "a", FIX, &[]).expect_code(5).unwrap();
    assert!(locked.stderr.contains("Stop it, import, and start it again"), "{}", locked.stderr);
    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
    assert_eq!(fixed(&stage, &material, "a"), (hit, hit));
}

#[test]
fn what_has_expired_or_was_changed_is_refused_and_a_named_waiver_takes_the_expired_one() {
    let (mut stage, material, _folder) = stage();
    stage.set_clock(material.expired_at + SignedDuration::from_hours(8 * 24));
    init(&stage, &material, "b");
    stage.agent("b", &["once"]).unwrap().expect_code(4).unwrap();
    let before = files(&stage.path("agents/b"));

    let expired = import(&stage, "b", FIX, &["--json"]).expect_code(3).unwrap();
    assert_eq!(expired.json().unwrap()["error"]["exit"], 3);
    for part in ["its timestamp expired at 2019-05-06", "its gates expired", &ALL.join(" ")] {
        assert!(expired.stderr.contains(part), "{part}: {}", expired.stderr);
    }
    import(&stage, "b", FIX, &["--waive-expiry", "emergency"]).expect_code(2).unwrap();
    import(&stage, "b", "authority/root.json", &ALL).expect_code(2).unwrap();

    // Damaged on the way; and changed by somebody who put the digest right.
    let mut damaged = fs::read(stage.path(FIX)).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(stage.path("damaged"), &damaged).unwrap();
    let said = import(&stage, "b", "damaged", &ALL).expect_code(3).unwrap();
    assert!(said.stderr.contains("cut short or damaged"), "{}", said.stderr);
    let fix = fs::read_to_string(stage.path(FIX)).unwrap();
    let sealed = fix.rfind("sha256 ").unwrap();
    for (from, to) in [("\"percent\":10000", "\"percent\":10001"), ("\"revision\":1", "\"revision\":2")] {
        let body = fix[..sealed].replacen(from, to, 1);
        assert_ne!(body, fix[..sealed]);
        fs::write(stage.path("changed"), format!("{body}sha256 {}\n", Sha256Digest::of(body.as_bytes())))
            .unwrap();
        let said = import(&stage, "b", "changed", &ALL).expect_code(3).unwrap();
        assert!(said.stderr.contains("Nothing was changed"), "{}", said.stderr);
    }
    assert_eq!(files(&stage.path("agents/b")), before);

    let taken = import(&stage, "b", FIX, &ALL).expect_code(0).unwrap();
    let sentence = format!("was imported from {FIX}");
    assert!(taken.stdout.contains(&sentence) && taken.stderr.contains(&sentence), "{taken:?}");
    let (fixed_now, hit) = fixed(&stage, &material, "b");
    assert_eq!(fixed_now, hit);
    let status = stage.status("b").unwrap();
    assert_eq!(status["waived"]["roles"], serde_json::json!(["timestamp", "snapshot", "gates"]));
    let words = stage.agent("b", &["status"]).unwrap().expect_code(0).unwrap().stdout;
    assert!(words.contains(&sentence), "{words}");

    // The server comes back: the next run goes on as ever, and the waiver is history.
    stage.start_server().unwrap();
    let report = stage.agent("b", &["once", "--json"]).unwrap().expect_code(0).unwrap().json().unwrap();
    assert_eq!((&report["refresh"]["outcome"], &report["waived"]), (&"current".into(), &Value::Null));
    assert_eq!(fixed(&stage, &material, "b"), (hit, hit));
}
