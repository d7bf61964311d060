//! Netflix BetterTLS, path building: several issuers of one name, some of them unusable.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mulberry_lab::real;
use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, Distrust, EndEntityTime, PathBuilder, Pool, SignatureMemo, Usage,
};
use serde::Deserialize;

use crate::suite::{Case, Counts, Known, Outcome, settle};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    trust_root: String,
    suites: BTreeMap<String, Suite>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    test_cases: Vec<TestCase>,
}

#[derive(Deserialize)]
struct TestCase {
    id: u32,
    certificates: Vec<String>,
    expected: String,
}

/// Every case is made for one of the features the suite lists, and all of them are supported.
#[derive(Clone, Copy, Debug)]
enum Missing {}

#[test]
fn bettertls_path_building() {
    let Some(folder) = real::folder_or_skip("BetterTLS path building") else { return };
    let bytes = std::fs::read(folder.join("vectors/bettertls-pathbuilding.json")).unwrap();
    let file: File = serde_json::from_slice(&bytes).unwrap();
    let anchors: Anchors = [parse(&file.trust_root)].into_iter().collect();
    let mut cases = Vec::new();
    for case in file.suites.into_values().flat_map(|suite| suite.test_cases) {
        let accepted = match case.expected.as_str() {
            "ACCEPT" => true,
            "REJECT" => false,
            other => panic!("case {}: unknown expectation {other}", case.id),
        };
        let outcome = build(&anchors, &case);
        cases.push(Case { id: case.id.to_string(), accepted, outcome });
    }
    let counts = settle::<Missing>("BetterTLS path building", &cases, &BTreeMap::<_, Known<_>>::new());
    assert_eq!(counts, Counts { run: 81, excluded: 0, diverged: 0 });
}

fn build(anchors: &Anchors, case: &TestCase) -> Outcome {
    let certificates: Vec<_> = case.certificates.iter().map(|base64| parse(base64)).collect();
    let (end_entity, embedded) = certificates.split_first().unwrap();
    let builder = PathBuilder {
        anchors,
        pool: &Pool::new(),
        distrust: &Distrust::default(),
        memo: &SignatureMemo::default(),
        usage: Usage::ServerAuth,
        end_entity_time: EndEntityTime::Enforce,
        limits: &X509Limits::default(),
    };
    // The certificates that are meant to be valid are so from 2026-11-21 to 2027-11-23.
    let at = "2027-05-01T00:00:00Z".parse().unwrap();
    let straight = builder.build(end_entity, embedded, at);
    let reversed: Vec<_> = embedded.iter().rev().cloned().collect();
    assert_eq!(straight, builder.build(end_entity, &reversed, at), "case {}: the order matters", case.id);
    match straight {
        Ok(_) => Outcome::Accepted,
        Err(reason) => Outcome::Refused(reason.sentence),
    }
}

fn parse(base64: &str) -> Certificate {
    Certificate::parse_der(&STANDARD.decode(base64).unwrap(), &X509Limits::default()).unwrap()
}
