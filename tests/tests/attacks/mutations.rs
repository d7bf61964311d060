//! A short run of `mulberry-lab mutate`, as people start it.

use std::path::Path;

use mulberry_lab::process::run;
use serde_json::Value;

#[test]
fn mutations_of_valid_metadata_are_refused_or_say_what_was_signed() {
    let folder = tempfile::tempdir().unwrap();
    let lab = Path::new(env!("CARGO_BIN_EXE_mulberry-lab"));
    let said = run(lab, &["mutate", "--count", "20000", "--json"], folder.path()).unwrap();
    let report: Value = said.expect_code(0).unwrap().json().unwrap();
    assert_eq!((&report["wrong"], report["findings"].as_array().unwrap().len()), (&Value::from(0), 0));
    let roles = report["roles"].as_object().unwrap();
    assert_eq!(roles.len(), 7);
    for (role, tally) in roles {
        let count = |value: &Value| value.as_u64().unwrap();
        let refused: u64 = tally["refused"].as_object().unwrap().values().map(count).sum();
        assert_eq!(count(&tally["accepted"]) + refused, count(&tally["mutations"]), "{role}");
        // Mutations that change nothing that is signed are no small part, and most of the rest reach the signatures.
        assert!(count(&tally["accepted"]) > 100, "{role}: {tally:#}");
        assert!(count(&tally["refused"]["threshold-not-met"]) > 500, "{role}: {tally:#}");
        assert!(count(&tally["refused"]["malformed"]) > 500, "{role}: {tally:#}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no finding, no file");
}
