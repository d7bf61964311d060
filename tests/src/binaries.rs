//! The three binaries under test, built in this process's own profile, so that a release replay never runs a
//! debug agent by accident.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the three binaries are.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

/// Why the binaries could not be built.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BuildError {
    /// The running program is not in a Cargo target folder.
    #[error(
        "cannot tell the build profile: {0} does not lie in a Cargo target folder; run the lab through cargo"
    )]
    NotInTargetFolder(PathBuf),
    /// Cargo could not be started or failed.
    #[error("building the binaries failed ({0}); run `cargo build --workspace` to see why")]
    Cargo(String),
}

impl Binaries {
    /// Builds the binaries (a moment when nothing changed) and says where they are; once a process.
    ///
    /// # Errors
    /// When the running program is outside a Cargo target folder, or when Cargo fails.
    pub fn build() -> Result<Self, BuildError> {
        static BUILT: OnceLock<Result<Binaries, BuildError>> = OnceLock::new();
        BUILT.get_or_init(build).clone()
    }

    /// The server, `mulberry-server`.
    #[must_use]
    pub fn server(&self) -> PathBuf {
        self.folder.join("mulberry-server")
    }

    /// The release engineers' tool, `mulberryctl`.
    #[must_use]
    pub fn ctl(&self) -> PathBuf {
        self.folder.join("mulberryctl")
    }

    /// The agent, `mulberry-agent`.
    #[must_use]
    pub fn agent(&self) -> PathBuf {
        self.folder.join("mulberry-agent")
    }

    /// The folder that holds them, for a `PATH`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The workspace's root folder.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

fn build() -> Result<Binaries, BuildError> {
    let running = std::env::current_exe().map_err(|e| BuildError::Cargo(e.to_string()))?;
    let not_in_target = || BuildError::NotInTargetFolder(running.clone());
    let mut folder = running.parent().ok_or_else(not_in_target)?.to_path_buf();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let profile = match folder.file_name().and_then(|name| name.to_str()).ok_or_else(not_in_target)? {
        "debug" => "dev",
        name => name,
    };
    let target = folder.parent().ok_or_else(not_in_target)?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // A person sees what is built, a log what went wrong.
    if !std::io::stderr().is_terminal() {
        cargo.arg("--quiet");
    }
    let status = cargo
        // The whole workspace, as Cargo selected it before: a part of it would unify features once more and build the
        // dependencies twice.
        .args(["build", "--workspace", "--bins", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(workspace())
        .status()
        .map_err(|e| BuildError::Cargo(e.to_string()))?;
    if !status.success() {
        return Err(BuildError::Cargo(status.to_string()));
    }
    Ok(Binaries { folder })
}
