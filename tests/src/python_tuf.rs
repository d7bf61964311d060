//! What is installed from PyPI, at fixed versions, each into a folder of its own below the target folder: python-tuf, the reference
//! implementation of TUF, the driver of a Firefox, and schemathesis, which tries an interface by its description.

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

/// What tries an HTTP interface by its OpenAPI document, and all that it needs.
const SCHEMATHESIS: [&str; 27] = [
    "schemathesis==4.32.5",
    "hypothesis==6.170.17",
    "hypothesis-graphql==0.13.5",
    "jsonschema_rs==0.60.3",
    "anyio==4.16.0",
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "click==8.5.1",
    "graphql-core==3.3.2",
    "harfile==0.6.0",
    "idna==3.20",
    "iniconfig==2.3.1",
    "markdown-it-py==4.3.0",
    "MarkupSafe==3.0.4",
    "mdurl==0.1.2",
    "packaging==26.4",
    "pluggy==1.7.0",
    "Pygments==2.21.0",
    "pyrate-limiter==4.5.1",
    "pytest==9.2.0",
    "PyYAML==6.0.4",
    "requests==2.34.2",
    "rich==15.0.0",
    "sortedcontainers==2.4.0",
    "typing_extensions==4.16.0",
    "urllib3==2.8.0",
    "Werkzeug==3.1.9",
];

/// An interpreter that can import what it was made for.
#[derive(Clone, Debug)]
pub struct Python(PathBuf);

impl Python {
    /// Finds the one that can `import tuf`, or installs it the first time.
    ///
    /// # Errors
    /// A sentence that says what is missing: python3, or a way to PyPI.
    pub fn find() -> Result<Self, String> {
        // Packages at other versions are another folder.
        let name = format!("python-{}", PACKAGES[..2].join("-").replace("==", "-"));
        Self::beside_binaries(&name, &PACKAGES, "tuf.ngclient")
    }

    /// Finds the one that can `import schemathesis`, or installs it the first time.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn with_schemathesis() -> Result<Self, String> {
        let name = format!("python-{}", SCHEMATHESIS[..2].join("-").replace("==", "-"));
        Self::beside_binaries(&name, &SCHEMATHESIS, "schemathesis")
    }

    fn beside_binaries(name: &str, packages: &[&str], module: &str) -> Result<Self, String> {
        let binaries = Binaries::build().map_err(|error| error.to_string())?;
        let target = binaries.folder().parent().unwrap_or(binaries.folder());
        Self::installed(target, name, packages, &["--only-binary", ":all:"], module)
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
