//! Running one of the binaries and reading what it said.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a finished command said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The command line, for messages.
    pub command: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A process of the stage did something else than it should.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StageError(pub String);

impl Said {
    /// This, if the exit code is `code`; otherwise an error with all that was said.
    ///
    /// # Errors
    /// When the command ended in another way.
    pub fn expect_code(self, code: i32) -> Result<Self, StageError> {
        if self.code == Some(code) {
            return Ok(self);
        }
        let ended = self.code.map_or("a signal".to_owned(), |c| c.to_string());
        Err(StageError(format!(
            "`{}` ended with {ended} instead of {code}\n--- standard output\n{}--- standard error\n{}",
            self.command, self.stdout, self.stderr
        )))
    }

    /// Standard output as one JSON document.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn json(&self) -> Result<serde_json::Value, StageError> {
        serde_json::from_str(&self.stdout)
            .map_err(|e| StageError(format!("`{}` did not print JSON ({e}):\n{}", self.command, self.stdout)))
    }
}

/// Runs `program` with `arguments` in `folder` to its end, without standard input and without the caller's
/// `MULBERRY*` variables.
///
/// # Errors
/// When it cannot be started.
pub fn run<A: AsRef<OsStr>>(program: &Path, arguments: &[A], folder: &Path) -> Result<Said, StageError> {
    let mut command = command(program, folder);
    command.args(arguments).stdin(Stdio::null());
    let shown = shown(&command);
    let output = command.output().map_err(|e| StageError(format!("`{shown}` cannot be started: {e}")))?;
    Ok(Said {
        command: shown,
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `program` as [`run`] does, under `lab measure`: what it said, and the most memory it held, in KiB. `lab` is
/// the laboratory's own binary.
///
/// # Errors
/// When it cannot be started or measured.
pub fn run_measured<A: AsRef<OsStr>>(
    lab: &Path,
    program: &Path,
    arguments: &[A],
    folder: &Path,
) -> Result<(Said, u64), StageError> {
    let io = |error: std::io::Error| StageError(error.to_string());
    let peak = tempfile::NamedTempFile::new().map_err(io)?;
    let mut all: Vec<&OsStr> =
        vec!["measure".as_ref(), "--peak".as_ref(), peak.path().as_ref(), "--".as_ref(), program.as_ref()];
    all.extend(arguments.iter().map(AsRef::as_ref));
    let said = run(lab, &all, folder)?;
    let figure = std::fs::read_to_string(peak.path()).map_err(io)?;
    let figure = figure
        .trim()
        .parse()
        .map_err(|_| StageError(format!("`{}` was not measured:\n{}", said.command, said.stderr)))?;
    Ok((said, figure))
}

/// A command in `folder` that inherits no `MULBERRY*` variable and no proxy, so that the caller's settings cannot
/// change a test.
#[must_use]
pub fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if upper.starts_with("MULBERRY") || upper.ends_with("_PROXY") || upper == "RUST_LOG" {
            command.env_remove(&name);
        }
    }
    command
}

/// The command line as a person would type it.
#[must_use]
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
