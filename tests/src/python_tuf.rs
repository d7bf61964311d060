//! python-tuf, the reference implementation of TUF, and the driver of a Firefox: each installed from PyPI, at fixed versions, into a
//! folder of its own below the target folder.

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

/// What drives a Firefox, and what it needs.
const MARIONETTE: [&str; 3] = ["marionette_driver==3.7.1", "mozrunner==8.4.0", "mozprofile==3.0.0"];

/// An interpreter that can import what it was made for.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

impl Python {
    /// Finds the one that can `import tuf`, or installs it the first time.
    ///
    /// # Errors
    /// A sentence that says what is missing: python3, or a way to PyPI.
    pub fn find() -> Result<Self, String> {
        let binaries = Binaries::build().map_err(|error| error.to_string())?;
        let target = binaries.folder().parent().unwrap_or(binaries.folder());
        // Packages at other versions are another folder.
        let name = format!("python-{}", PACKAGES[..2].join("-").replace("==", "-"));
        Self::installed(target, &name, &PACKAGES, &["--only-binary", ":all:"], "tuf.ngclient")
    }

    /// Finds the one that can `import marionette_driver`, or installs it the first time.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn with_marionette() -> Result<Self, String> {
        let own = std::env::current_exe().map_err(|error| format!("this program's own place: {error}"))?;
        let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
        let target =
            target.ok_or("this program is not in a target folder, beside which Python packages are kept")?;
        let name = format!("python-{}", MARIONETTE[0].replace("==", "-"));
        // Some of what it needs has no wheel.
        Self::installed(target, &name, &MARIONETTE, &[], "marionette_driver")
    }

    fn installed(
        target: &Path,
        name: &str,
        packages: &[&str],
        options: &[&str],
        module: &str,
    ) -> Result<Self, String> {
        let python = |folder: &Path| folder.join("bin/python");
        let folder = target.join(name);
        if !python(&folder).is_file() {
            // Whoever is first wins: what is half made is never seen under the final name.
            let making = tempfile::Builder::new().prefix("python-").tempdir_in(target);
            let making = making.map_err(|error| format!("{}: {error}", target.display()))?;
            let mut venv = Command::new("python3");
            did("python3", venv.args(["-m", "venv"]).arg(making.path()))?;
            let mut pip = Command::new(python(making.path()));
            pip.args(["-m", "pip", "install", "--quiet", "--retries", "1", "--disable-pip-version-check"]);
            did("pip", pip.args(["--timeout", "20"]).args(options).args(packages))?;
            if fs::rename(making.path(), &folder).is_ok() {
                let _gone = making.keep();
            }
        }
        let found = Self(python(&folder));
        let imported = did(module, found.command(target).args(["-c", &format!("import {module}")]));
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
