//! The public suite tuf-conformance against our client, where a copy of the suite is at hand.

use std::path::{Path, PathBuf};

use mulberry_lab::binaries::Binaries;
use mulberry_lab::python_tuf::Python;
use mulberry_lab::real::announce;

/// The variable that names the suite's folder: a checkout of theupdateframework/tuf-conformance.
const VARIABLE: &str = "MULBERRY_TUF_CONFORMANCE";

/// Tests that the suite had when our client passed all of them. None is expected to fail, so none is listed.
const TESTS: u64 = 113;

#[test]
fn the_public_suite_of_tuf_passes_whole() {
    let Some(suite) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        return announce(&format!(
            "SKIPPED: the public suite of TUF: it is no part of this repository. Check out theupdateframework/tuf-conformance \
             and name its folder in {VARIABLE}."
        ));
    };
    let folder = suite.join("tuf_conformance");
    assert!(folder.is_dir(), "{VARIABLE} names {}, which has no folder tuf_conformance", suite.display());
    let found = |name: &str| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .any(|path| path.join(name).is_file())
    };
    assert!(found("faketime"), "the suite needs faketime; on Debian: apt-get install faketime");
    let python = Python::find().unwrap();
    let report = tempfile::NamedTempFile::new().unwrap();
    let entrypoint = format!("{} tuf", Binaries::build().unwrap().agent().display());
    let output = python
        .command(&suite)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "--json-report", "--json-report-file"])
        .arg(report.path())
        .args([Path::new("tuf_conformance"), Path::new("--entrypoint"), Path::new(&entrypoint)])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    let summary = &report["summary"];
    announce(&format!("tuf-conformance: {}", said.lines().last().unwrap_or_default()));
    assert_eq!(summary["passed"], summary["total"], "skipped or expected to fail: {said}");
    assert!(summary["passed"].as_u64() >= Some(TESTS), "fewer tests than there were: {summary}");
}
