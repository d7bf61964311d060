//! Several origins: dead, behind, fresh, and folders.

use std::path::Path;

use jiff::SignedDuration;
use mulberry_lab::hostile_origin::Recording;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;
use serde_json::Value;

const DEAD: &str = "http://127.0.0.1:9/";
const SLUG: &str = "install";

/// A stage after the expiry, with a server that has published nothing yet.
fn stage() -> (Stage, Material, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 10, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    (stage, material, folder)
}

fn publish(stage: &Stage, material: &Material) {
    let certificate = material.replacement.to_string_lossy();
    let made = stage.ctl(&["recipe", "new", "--certificate", &certificate, "--slug", SLUG]).unwrap();
    made.expect_code(0).unwrap();
    stage.publish("emergency", &format!("recipes/{SLUG}")).unwrap();
    stage.open_gate_together(SLUG, "100").unwrap();
}

/// A static mirror of what the server serves now.
fn mirror(stage: &Stage, folder: &Path) {
    for (path, bytes) in Recording::fetch(stage.origin()).unwrap().files() {
        let file = folder.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
}

fn enabled(stage: &Stage, agent: &str) -> usize {
    let addons = stage.addons(agent).unwrap();
    addons["addons"].as_array().unwrap().iter().filter(|addon| addon["enabled"] == true).count()
}

/// One run that must end with 0: its report.
fn once(stage: &Stage, agent: &str) -> Value {
    stage.agent(agent, &["once", "--json"]).unwrap().expect_code(0).unwrap().json().unwrap()
}

fn outcomes(report: &Value) -> Vec<&str> {
    report["origins"].as_array().unwrap().iter().map(|note| note["outcome"].as_str().unwrap()).collect()
}

fn applied(report: &Value) -> bool {
    let recipe = &report["recipes"][0];
    recipe["path"] == format!("emergency/{SLUG}.json")
        && (recipe["status"] == "applied" || recipe["status"] == "unchanged")
}

#[test]
fn the_fix_comes_from_the_one_origin_that_has_it_and_stays_when_that_one_is_gone() {
    let (mut stage, material, _folder) = stage();
    mirror(&stage, &stage.path("old"));
    publish(&stage, &material);
    let more = ["--version", "66.0", "--origin", DEAD, "--origin", "./old"];
    stage.init_agent("a", &material.anchor, &material.addons, &more).unwrap();

    let report = once(&stage, "a");
    assert!(applied(&report), "{report:#}");
    assert_eq!(
        (&report["refresh"]["outcome"], &report["refresh"]["origin"]),
        (&Value::from("current"), &Value::from(format!("{}/", stage.origin().trim_end_matches('/'))))
    );
    let fixed = enabled(&stage, "a");
    assert!(fixed >= material.hit().count(), "{fixed}");

    // Within the hour, the origin that serves is asked alone. After it all are, and the mirror is known to be behind.
    stage.set_clock(material.expired_at.checked_add(SignedDuration::from_hours(2)).unwrap());
    let report = once(&stage, "a");
    assert_eq!(outcomes(&report), ["current", "unreachable", "stale"], "{report:#}");
    let status = stage.agent("a", &["status"]).unwrap().expect_code(0).unwrap().stdout;
    for told in [stage.origin(), DEAD, "/old/", "stale", "unreachable", "2019-05-05T02:00:"] {
        assert!(status.contains(told), "{told}: {status}");
    }

    stage.stop_server().unwrap();
    let said = stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap().stdout;
    assert!(said.contains(&format!("Passed over {}", stage.origin())), "{said}");
    assert!(said.contains("connection refused") || said.contains("Connection refused"), "{said}");
    let status = stage.status("a").unwrap();
    assert_eq!(outcomes(&status), ["unreachable", "unreachable", "stale"], "{status:#}");
    assert!(applied(&status) && enabled(&stage, "a") == fixed, "nothing was undone");
    stage.agent("a", &["once", "--origin", DEAD]).unwrap().expect_code(4).unwrap();
    assert!(applied(&stage.status("a").unwrap()) && enabled(&stage, "a") == fixed);
}

#[test]
fn an_agent_lives_on_folders_alone() {
    let (stage, material, _folder) = stage();
    publish(&stage, &material);
    let folder = stage.path("on a stick");
    let (anchor, addons) = (material.anchor.to_string_lossy(), material.addons.to_string_lossy());
    let origin = folder.to_string_lossy();
    std::fs::create_dir_all(stage.path("agents")).unwrap();
    let init = ["init", "--trust", "authority/root.json", "--origin", &origin, "--anchor", &anchor];
    let init = [&init[..], &["--addons", &addons, "--version", "66.0"]].concat();
    stage.agent("a", &init).unwrap().expect_code(0).unwrap();

    let said = stage.agent("a", &["once"]).unwrap().expect_code(4).unwrap().stdout;
    assert!(said.contains("cannot be used"), "a stick that is not there: {said}");
    mirror(&stage, &folder);
    assert!(applied(&once(&stage, "a")));
    assert!(enabled(&stage, "a") >= material.hit().count());

    let daemon = stage.start_daemon("a", &[]).unwrap();
    let status = stage.status("a").unwrap();
    assert_eq!(status["daemon"]["origin"], Value::Null);
    let origins = status["daemon"]["origins"].as_array().unwrap();
    assert!(
        matches!(&origins[..], [one] if one.as_str().unwrap().ends_with("/on%20a%20stick/")),
        "{status:#}"
    );
    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
}
