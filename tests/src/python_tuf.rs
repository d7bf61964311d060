//! python-tuf, the reference implementation of TUF: installed from PyPI, at fixed versions, into the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::binaries::Binaries;
use crate::process::command;

/// What is installed: python-tuf, what it needs for the signatures we use, and pytest for suites written against it.
const PACKAGES: [&str; 9] = [
    "tuf==7.0.0",
    "securesystemslib==1.4.0",
    "urllib3==2.8.0",
    "cryptography==50.0.2",
    "cffi==2.1.1",
    "pycparser==3.12",
    "pytest==9.1.1",
    "pytest-json-report==1.5.0",
    "packaging==26.3",
];

/// An interpreter that can `import tuf`.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

impl Python {
    /// Finds it, or installs it the first time.
    ///
    /// # Errors
    /// A sentence that says what is missing: python3, or a way to PyPI.
    pub fn find() -> Result<Self, String> {
        let binaries = Binaries::build().map_err(|error| error.to_string())?;
        let target = binaries.folder().parent().unwrap_or(binaries.folder());
        let python = |folder: &Path| folder.join("bin/python");
        // Packages at other versions are another folder.
        let folder = target.join(format!("python-{}", PACKAGES[..2].join("-").replace("==", "-")));
        if !python(&folder).is_file() {
            // Whoever is first wins: what is half made is never seen under the final name.
            let making = tempfile::Builder::new().prefix("python-").tempdir_in(target);
            let making = making.map_err(|error| format!("{}: {error}", target.display()))?;
            let mut venv = Command::new("python3");
            did("python3", venv.args(["-m", "venv"]).arg(making.path()))?;
            let mut pip = Command::new(python(making.path()));
            pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--retries", "1"]);
            did("pip", pip.args(["--disable-pip-version-check", "--timeout", "20"]).args(PACKAGES))?;
            if fs::rename(making.path(), &folder).is_ok() {
                let _gone = making.keep();
            }
        }
        let found = Self(python(&folder));
        let imported = did("python-tuf", found.command(target).args(["-c", "import tuf.ngclient"]));
        imported.map_err(|problem| format!("{problem}; remove {} and try again", folder.display()))?;
        Ok(found)
    }

    /// A command in `folder` that runs this interpreter, without proxies, and leaves nothing beside the modules it loads.
    #[must_use]
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = command(&self.0, folder);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONNOUSERSITE", "1").env_remove("PYTHONPATH");
        command
    }
}

/// Runs a command to its end; a sentence when it did not succeed.
fn did(what: &str, command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{what} cannot be started ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what} failed: {}", said.trim().lines().last().unwrap_or("it said nothing")))
}
