//! A real Firefox as oracle: add-ons of every shape, judged by our verifier and by the code that hosts run.
//!
//! | module | what |
//! |---|---|
//! | [`firefox`] | a running Firefox that is asked, one file after the other |
//! | [`making`] | an add-on on its way to being signed, with a place to change it at every step |
//! | [`raw_zip`] | archives of which every field can be set |
//! | [`shapes`] | the changes: by name, alone and in random combinations |
//! | [`compare`] | both verdicts side by side, and what may differ |
//!
//! Everything is signed under the test root that every build of Firefox knows, whose key was published for this purpose; real
//! add-ons are asked about under the public root. What may differ is the closed list of
//! [`Refusal`](mulberry_shared::xpi::Refusal), and each entry of it must be seen to differ.

pub mod compare;
pub mod firefox;
pub mod making;
pub mod raw_zip;
pub mod shapes;

use std::path::{Path, PathBuf};

use crate::real;

/// The variable that names the folder with the test root and the script that asks.
pub const VARIABLE: &str = "MULBERRY_FIREFOX";

/// The folder with the test root and the script: what [`VARIABLE`] names, else `../shared/firefox` beside the repository. `None` if it
/// is absent.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os(VARIABLE) {
        Some(named) => PathBuf::from(named),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/firefox"),
    };
    folder.canonicalize().ok().filter(|folder| folder.join("verify.py").is_file())
}

/// Says past every capture that `what` was skipped, and why.
pub fn skipped(what: &str, why: &str) {
    real::announce(&format!("SKIPPED: {what}: {why}"));
}
