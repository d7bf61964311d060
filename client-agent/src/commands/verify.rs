//! `mulberry-agent verify`: the verdict on signed add-ons, without a server or a state folder.

use std::path::PathBuf;

use mulberry_shared::exit::Exit;

/// Options of `mulberry-agent verify`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Add-ons, or folders of .xpi and .zip files (searched recursively, links not followed)
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Verifies, prints and says how it ended; `now` is the time unless `--time` names another.
pub fn run(_args: &Args, _now: jiff::Timestamp) -> Exit {
    Exit::Usage
}
