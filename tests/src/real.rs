//! Where the real material lies that is not part of the repository: certificates and add-ons of the incident, published
//! test vectors.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The variable that names the folder.
pub const VARIABLE: &str = "MULBERRY_REAL";

/// The folder of real material: what [`VARIABLE`] names, else `../shared/real` beside the repository. `None` if it is absent.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os(VARIABLE) {
        Some(named) => PathBuf::from(named),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real"),
    };
    folder.canonicalize().ok().filter(|folder| folder.is_dir())
}

/// The folder, or `None` and a message that `what` was skipped, which no test harness captures.
#[must_use]
pub fn folder_or_skip(what: &str) -> Option<PathBuf> {
    let folder = folder();
    if folder.is_none() {
        announce(&format!(
            "SKIPPED: {what}: the real material is absent. Put it at ../shared/real beside the repository, or name it in {VARIABLE}."
        ));
    }
    folder
}

/// The variable that names the folder of cases: small inputs that once failed, with the right value beside each.
pub const CASES: &str = "MULBERRY_CASES";

/// The folder of cases, `../shared/cases` beside the repository unless [`CASES`] names another, or `None` and a message that
/// `what` was skipped.
#[must_use]
pub fn cases_or_skip(what: &str) -> Option<PathBuf> {
    let folder = match std::env::var_os(CASES) {
        Some(named) => PathBuf::from(named),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases"),
    };
    let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir());
    if folder.is_none() {
        announce(&format!(
            "SKIPPED: {what}: the cases are absent. Put them at ../shared/cases beside the repository, or name them in {CASES}."
        ));
    }
    folder
}

/// Prints a line to standard error past the capture of test harnesses, so that counts and skips are always seen.
pub fn announce(line: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
}
