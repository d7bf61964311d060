//! C2SP x509-limbo: path validation by the rules of RFC 5280 and of the web.

use mulberry_lab::real;
use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, Distrust, EndEntityTime, PathBuilder, Pool, SignatureMemo, Usage,
};
use serde::Deserialize;

use crate::limbo_tables::known;
use crate::suite::{Case, Counts, Outcome, settle};

#[derive(Deserialize)]
struct File {
    testcases: Vec<TestCase>,
}

#[derive(Deserialize)]
struct TestCase {
    id: String,
    validation_kind: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: String,
    max_chain_depth: Option<usize>,
}

#[test]
fn x509_limbo() {
    let Some(folder) = real::folder_or_skip("x509-limbo") else { return };
    let bytes = std::fs::read(folder.join("vectors/x509-limbo.json")).unwrap();
    let file: File = serde_json::from_slice(&bytes).unwrap();
    let mut cases = Vec::new();
    for case in file.testcases {
        let accepted = match case.expected_result.as_str() {
            "SUCCESS" => true,
            "FAILURE" => false,
            other => panic!("{}: unknown expectation {other}", case.id),
        };
        let outcome = validate(&case);
        cases.push(Case { id: case.id, accepted, outcome });
    }
    let counts = settle("x509-limbo", &cases, &known());
    assert_eq!(counts, Counts { run: 149, excluded: 41, diverged: 18 });
}

/// As a caller would: a candidate or anchor that does not parse is none, an end entity that does not is refused.
fn validate(case: &TestCase) -> Outcome {
    let mut limits = X509Limits::default();
    if let Some(depth) = case.max_chain_depth {
        limits.intermediates = depth.min(limits.intermediates);
    }
    let parse = |pems: &[String]| -> Vec<Certificate> {
        pems.iter().flat_map(|pem| Certificate::parse_pem(pem.as_bytes(), &limits)).flatten().collect()
    };
    let end_entity = match Certificate::parse_pem(case.peer_certificate.as_bytes(), &limits).as_deref() {
        Ok([end_entity]) => end_entity.clone(),
        Ok(_) => panic!("{}: one end entity", case.id),
        Err(reason) => return Outcome::Refused(reason.sentence.clone()),
    };
    let anchors: Anchors = parse(&case.trusted_certs).into_iter().collect();
    let usage = match case.validation_kind.as_str() {
        "SERVER" => Usage::ServerAuth,
        "CLIENT" => Usage::ClientAuth,
        other => panic!("{}: unknown kind {other}", case.id),
    };
    // Most cases name no time; their certificates are valid from 1970 to 2969.
    let at = case.validation_time.as_deref().unwrap_or("2025-01-01T00:00:00Z").parse().unwrap();
    let builder = PathBuilder {
        anchors: &anchors,
        pool: &Pool::new(),
        distrust: &Distrust::default(),
        memo: &SignatureMemo::default(),
        usage,
        end_entity_time: EndEntityTime::Enforce,
        limits: &limits,
    };
    match builder.build(&end_entity, &parse(&case.untrusted_intermediates), at) {
        Ok(_) => Outcome::Accepted,
        Err(reason) => Outcome::Refused(reason.sentence),
    }
}
