//! Published ed25519 vectors against the strict verification that trust rests on.
//!
//! Nothing is excluded and nothing diverges: the counts are pinned so that a change in either is seen.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::panic, clippy::unwrap_used)]

use mulberry_lab::real;
use mulberry_shared::tuf::PublicKey;
use serde_json::Value;

fn vectors(name: &str) -> Option<Value> {
    let path = real::folder_or_skip(name)?.join("vectors").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn accepts(key: &Value, message: &Value, signature: &Value) -> bool {
    PublicKey::ed25519(&bytes(key)).is_some_and(|key| key.verifies(&bytes(message), &bytes(signature)))
}

#[test]
fn wycheproof_ed25519() {
    let name = "wycheproof-ed25519_test.json";
    let Some(file) = vectors(name) else { return };
    let (mut valid, mut invalid, mut diverged) = (0, 0, Vec::new());
    for group in file["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            let accepted = accepts(&group["publicKey"]["pk"], &test["msg"], &test["sig"]);
            let expected = match test["result"].as_str().unwrap() {
                "valid" => true,
                "invalid" => false,
                other => panic!("a result we do not know: {other}"),
            };
            if expected {
                valid += 1;
            } else {
                invalid += 1;
            }
            if accepted != expected {
                diverged.push(test["tcId"].clone());
            }
        }
    }
    let run = valid + invalid;
    real::announce(&format!(
        "{name}: run {run} ({valid} valid, {invalid} invalid), excluded 0, diverged {}",
        diverged.len()
    ));
    assert_eq!((valid, invalid), (88, 63));
    assert_eq!(diverged, Vec::<Value>::new());
}

#[test]
fn speccheck_only_case_3_passes_strict_verification() {
    let name = "speccheck-cases.json";
    let Some(file) = vectors(name) else { return };
    let cases = file.as_array().unwrap();
    let accepted: Vec<usize> = (0..cases.len())
        .filter(|&index| {
            accepts(&cases[index]["pub_key"], &cases[index]["message"], &cases[index]["signature"])
        })
        .collect();
    real::announce(&format!("{name}: run {}, excluded 0, accepted {accepted:?}", cases.len()));
    assert_eq!(cases.len(), 12);
    assert_eq!(accepted, [3]);
}
