//! The daemon when the world around it changes: its origin dies and another serves the same ledger, or its clock jumps.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

use jiff::SignedDuration;
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::{Stage, wait_for};
use serde_json::Value;

const NO_POLLS: [&str; 2] = ["--poll-minutes", "1440"];
const SLUG: &str = "install";

/// A stage after the expiry, with a server, the agent `a`, and a published recipe whose gate is closed.
fn stage() -> (Stage, Material, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::laboratory(folder.path(), 10, &|_| ()).unwrap();
    let mut stage = Stage::new(Some(material.expired_at)).unwrap();
    stage.start_server().unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
    let certificate = material.replacement.to_string_lossy();
    let made = stage.ctl(&["recipe", "new", "--certificate", &certificate, "--slug", SLUG]).unwrap();
    made.expect_code(0).unwrap();
    stage.publish("emergency", &format!("recipes/{SLUG}")).unwrap();
    (stage, material, folder)
}

fn enabled(stage: &Stage) -> usize {
    let addons = stage.addons("a").unwrap();
    addons["addons"].as_array().unwrap().iter().filter(|addon| addon["enabled"] == true).count()
}

/// Nothing is going on or about to: the next run is hours away.
fn is_settled(status: &Value) -> bool {
    let next = &status["daemon"]["next_why"];
    status["daemon"]["live_connected"] == true && (next == "poll" || next == "pass")
}

/// A server of the same ledger and keys, as a restore makes one, with a token of its own in `token-STATE`.
fn restored(stage: &Stage, state: &str) -> mulberry_lab::stage::Server {
    let said = |arguments: &[&str]| stage.server_command(arguments).unwrap().expect_code(0).unwrap();
    let _ = said(&["ledger", "export", "--state", "server", "--out", "export.jsonl"]);
    let _ = said(&["restore", "--from", "export.jsonl", "--keys", "server/keys", "--state", state]);
    let out = format!("token-{state}");
    let _ = said(&[
        "token", "add", "b", "--duty", "on-duty", "--may", "gate", "--may", "read", "--state", state,
        "--out", &out,
    ]);
    // Several signatures in one second push a version ahead of the clock; the second server begins after that.
    let status = stage.ctl(&["status", "--json"]).unwrap().json().unwrap();
    let versions =
        status["expiries"].as_array().unwrap().iter().map(|role| role["version"].as_i64().unwrap());
    let last = versions.max().unwrap();
    wait_for("the clock to pass the last version", || Ok((stage.now().as_second() > last).then_some(())))
        .unwrap();
    stage.start_another_server(state).unwrap()
}

#[test]
fn a_daemon_whose_origin_dies_listens_to_the_next_and_takes_the_fix_from_there() {
    let (mut stage, _material, _folder) = stage();
    let second = restored(&stage, "b");
    let (first_url, second_url) = (stage.origin().to_owned(), second.origin().to_owned());
    let origins = ["--origin", &first_url, "--origin", &second_url];
    let daemon = stage.start_daemon("a", &[&NO_POLLS[..], &origins].concat()).unwrap();
    let listens_to = |status: &Value, url: &str| {
        let origin = status["daemon"]["origin"].as_str().unwrap_or_default();
        is_settled(status) && origin.trim_end_matches('/') == url.trim_end_matches('/')
    };
    stage.wait_for_status("a", "the first stream", |status| listens_to(status, &first_url)).unwrap();
    let before = enabled(&stage);

    stage.kill_server().unwrap();
    stage.wait_for_status("a", "the second stream", |status| listens_to(status, &second_url)).unwrap();
    assert_eq!(enabled(&stage), before, "an outage changes nothing");

    stage.take_over(second);
    std::fs::copy(stage.path("token-b"), stage.path("token")).unwrap();
    stage.open_gate_together(SLUG, "100").unwrap();
    let has_it = |status: &Value| {
        let recipe = &status["recipes"][0];
        recipe["status"] == "applied" || recipe["status"] == "unchanged"
    };
    stage.wait_for_status("a", "the fix", has_it).unwrap();
    wait_for("the add-ons to be back", || Ok((enabled(&stage) > before).then_some(()))).unwrap();
    assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
}

/// A machine's clock that is wrong is set while the agent is off, or jumps: what the daemon knows across it is its state.
#[test]
fn a_daemon_under_a_clock_ten_years_ahead_and_then_back_disables_nothing() {
    let (mut stage, material, _folder) = stage();
    stage.open_gate_together(SLUG, "100").unwrap();
    let _ = stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
    let before = stage.addons("a").unwrap();
    assert!(enabled(&stage) >= material.hit().count());
    let start = material.expired_at;
    let years = start.checked_add(SignedDuration::from_hours(24 * 3653)).unwrap();
    for (clock, moment) in [(years, "ten years ahead"), (start, "back")] {
        stage.set_clock(clock);
        let daemon = stage.start_daemon("a", &NO_POLLS).unwrap();
        let ran = |status: &Value| {
            let daemon = &status["daemon"];
            daemon["runs"].as_u64().is_some_and(|runs| runs > 0) && daemon["running"] == false
        };
        let status = stage.wait_for_status("a", moment, ran).unwrap();
        assert_eq!(stage.addons("a").unwrap()["addons"], before["addons"], "{moment}: {status:#}");
        assert_eq!(stage.stop_daemon(daemon).unwrap(), Some(0));
    }
}
