//! The measurements run and say what they should. No time is asserted: that is for a quiet machine.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use mulberry_lab::bench::cdn;
use mulberry_lab::bench::polls::Tools;
use mulberry_lab::process::run;
use mulberry_lab::python_tuf::Python;
use serde_json::Value;

/// What `bench` says with these arguments. That a bound does not hold is no fault here.
fn bench(arguments: &[&str]) -> Value {
    let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab"));
    let said = run(lab, &[&["bench", "--json", "--rounds", "1"], arguments].concat(), &std::env::temp_dir());
    let said = said.unwrap();
    assert!(matches!(said.code, Some(0 | 1)), "{}\n{}", said.stdout, said.stderr);
    let report = said.json().unwrap();
    let holds =
        |part: &str| report[part]["ratios"].as_array().into_iter().flatten().all(|r| r["holds"] == true);
    assert_eq!(said.code == Some(0), ["verification", "polls", "refresh", "cdn"].into_iter().all(holds));
    report
}

#[track_caller]
fn assert_ratios(part: &Value, count: usize) {
    let ratios = part["ratios"].as_array().unwrap();
    assert_eq!(ratios.len(), count);
    for ratio in ratios {
        let (low, high) = (ratio["lowest"].as_f64().unwrap(), ratio["highest"].as_f64().unwrap());
        assert!(0.0 < low && low <= high && ratio["wall"].as_f64().unwrap() > 0.0, "{ratio}");
    }
}

#[test]
fn verification_is_measured() {
    let report = bench(&["verification", "--addons", "20", "--keys", "rsa2048"]);
    let verification = &report["verification"];
    assert_eq!((verification["addons"].as_u64(), verification["rounds"].as_u64()), (Some(20), Some(1)));
    assert!(verification["archive_bytes"].as_u64() < verification["content_bytes"].as_u64());
    assert_ratios(verification, 3);
    assert_eq!(report["polls"], Value::Null);
}

#[test]
fn polls_are_measured_where_nginx_and_wrk_are_there() {
    if let Err(missing) = Tools::find() {
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let report = bench(&["polls", "--seconds", "1"]);
    assert!(report["polls"]["bytes"].as_u64() > Some(100));
    assert!(report["polls"]["per_second"]["mulberry-304"].as_f64() > Some(1.0));
    let weight = &report["polls"]["poll_without_news"];
    assert_eq!(weight["requests"], 2);
    for side in ["request_bytes", "answer_bytes"] {
        assert!((100..1_000).contains(&weight[side].as_u64().unwrap()), "{weight}");
    }
    assert_ratios(&report["polls"], 2);
}

/// The share is a count, so it must hold here as on any machine.
#[test]
fn a_cache_before_the_server_shields_it_and_outlives_it() {
    if let Err(missing) = cdn::find() {
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let report = bench(&["cdn", "--polls", "20000", "--over", "0"]);
    let cdn = &report["cdn"];
    assert_eq!((cdn["polls"].as_u64(), cdn["requests"].as_u64()), (Some(20_000), Some(40_000)));
    assert_eq!(cdn["ratios"][0]["holds"], true, "{cdn}");
    assert_eq!(cdn["new_agent"], "applied", "{cdn}");
    assert!(cdn["known_agent"].as_str().unwrap().starts_with("verified"), "{cdn}");
}

#[test]
fn refreshes_are_measured_where_python_tuf_is_to_be_had() {
    if let Err(missing) = Python::find() {
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let report = bench(&["refresh", "--recipes", "3"]);
    let milliseconds = report["refresh"]["milliseconds"].as_object().unwrap();
    assert!(milliseconds.len() == 5 && milliseconds.values().all(|wall| wall.as_f64() > Some(0.0)));
    assert_ratios(&report["refresh"], 2);
}

#[test]
fn what_is_missing_is_named_with_how_to_get_it() {
    let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab"));
    let mut command = mulberry_lab::process::command(lab, &std::env::temp_dir());
    let said = command.args(["bench", "polls"]).env("PATH", "/nonexistent").output().unwrap();
    // nginx is also looked for where Debian keeps servers, wrk is not.
    let text = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(2), "{text}");
    assert!(text.contains("apt-get install"), "{text}");
}
