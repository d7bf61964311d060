//! Daemons on the stage.

use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Stage, StageError, io, wait_for};
use crate::process::command;

/// A running `mulberry-agent run`. Dropping it ends it without warning.
pub struct Daemon {
    name: String,
    process: Child,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    /// The process's number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<(), StageError> {
        let pid = i32::try_from(self.process.id()).map_err(|e| StageError(e.to_string()))?;
        kill(Pid::from_raw(pid), signal).map_err(|e| StageError(e.to_string()))
    }
}

impl Stage {
    /// Starts the daemon of the agent called `name` and waits until it answers `status`. Its log is `NAME.log`.
    ///
    /// # Errors
    /// When it ends instead, or does not answer in time.
    pub fn start_daemon(&self, name: &str, arguments: &[&str]) -> Result<Daemon, StageError> {
        let log = self.path(&format!("{name}.log"));
        let log_file = std::fs::File::options().create(true).append(true).open(&log).map_err(io)?;
        let mut start = command(&self.binaries.agent(), self.folder());
        start.args(["run", "--state", &format!("agents/{name}")]).args(arguments);
        start.args(self.clock_arguments()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
        let process = start.spawn().map_err(io)?;
        let mut daemon = Daemon { name: name.to_owned(), process };
        wait_for("the daemon to answer", || {
            if let Some(status) = daemon.process.try_wait().map_err(io)? {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(StageError(format!("the daemon ended at its start ({status}):\n{log}")));
            }
            let told = self.status(name)?;
            Ok((told["daemon"]["pid"] == daemon.pid()).then_some(()))
        })?;
        Ok(daemon)
    }

    /// Asks a daemon to end as an init system would, and waits for it: its exit code.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop_daemon(&self, mut daemon: Daemon) -> Result<Option<i32>, StageError> {
        daemon.signal(Signal::SIGTERM)?;
        let what = format!("the daemon of {} to end", daemon.name);
        wait_for(&what, || daemon.process.try_wait().map_err(io)).map(|status| status.code())
    }

    /// What `status --json` of the agent called `name` says.
    ///
    /// # Errors
    /// When it does not end with 0.
    pub fn status(&self, name: &str) -> Result<Value, StageError> {
        self.agent(name, &["status", "--json"])?.expect_code(0)?.json()
    }

    /// Waits until `status --json` of the agent called `name` is as wanted.
    ///
    /// # Errors
    /// When that takes too long; with the last status.
    pub fn wait_for_status(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, StageError> {
        let mut last = Value::Null;
        let found = wait_for(what, || {
            last = self.status(name)?;
            Ok(wanted(&last).then(|| last.clone()))
        });
        let log = || std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
        found.map_err(|error| StageError(format!("{error}\n{last:#}\n{}", log())))
    }
}
