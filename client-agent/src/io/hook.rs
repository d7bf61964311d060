//! The host's hook as a process.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::ports::{Hook, HookEnd};

/// How long a hook may run. Long enough to import certificates into a database, short enough not to hold up the next run.
pub const HOOK_TIME: Duration = Duration::from_secs(30);

/// Runs an executable without a shell and without arguments, in the state folder. Its output goes nowhere but its
/// standard error, which is the agent's.
#[derive(Debug)]
pub struct HookProcess {
    program: PathBuf,
    folder: PathBuf,
    time: Duration,
}

impl HookProcess {
    /// A hook that may run for [`HOOK_TIME`].
    #[must_use]
    pub fn new(program: PathBuf, folder: PathBuf) -> Self {
        Self { program, folder, time: HOOK_TIME }
    }

    /// In a process group of its own, which [`end`] ends.
    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }
}

#[async_trait]
impl Hook for HookProcess {
    async fn run(&self, event: &[u8]) -> HookEnd {
        let mut child = match self.start() {
            Ok(child) => child,
            Err(error) => {
                return HookEnd::NotStarted { reason: format!("{}: {error}", self.program.display()) };
            }
        };
        let stdin = child.stdin.take();
        let finished = tokio::time::timeout(self.time, async {
            if let Some(mut stdin) = stdin {
                // A hook that does not read its event is within its rights: a broken pipe is no failure.
                let _ = stdin.write_all(event).await;
            }
            child.wait().await
        })
        .await;
        match finished {
            Ok(Ok(status)) => HookEnd::Exited { code: status.code() },
            Ok(Err(error)) => HookEnd::NotStarted { reason: error.to_string() },
            Err(_) => {
                end(&mut child).await;
                HookEnd::TimedOut
            }
        }
    }
}

/// Ends the hook with whatever it started, or what a script left running would be at work beside the next try.
async fn end(child: &mut Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    let ended =
        group.map_or(Ok(()), |id| killpg(Pid::from_raw(id), Signal::SIGKILL).map_err(io::Error::from));
    if let Err(error) = ended.and(child.wait().await.map(drop)) {
        tracing::warn!(%error, "the hook could not be ended");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("hook");
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    #[tokio::test]
    async fn gets_the_event_and_its_exit_code_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "cat > got; exit 7");
        let end = HookProcess::new(program, folder.path().into()).run(b"{\"event\":1}").await;
        assert_eq!(end, HookEnd::Exited { code: Some(7) });
        assert_eq!(fs::read(folder.path().join("got")).unwrap(), b"{\"event\":1}");
    }

    #[tokio::test]
    async fn ignoring_the_event_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "exec <&-; exit 0");
        let end = HookProcess::new(program, folder.path().into()).run(&vec![b' '; 1 << 20]).await;
        assert!(end.succeeded(), "{end:?}");
    }

    #[tokio::test]
    async fn is_ended_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut hook = HookProcess::new(script(folder.path(), "while :; do :; done"), folder.path().into());
        hook.time = Duration::from_millis(50);
        assert_eq!(hook.run(b"{}").await, HookEnd::TimedOut);
    }

    #[tokio::test]
    async fn what_it_started_is_ended_with_it() {
        let folder = tempfile::tempdir().unwrap();
        // Its other end closes when the last of them is gone.
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let text = "sh -c 'echo there; exec sleep 60' >pipe & wait";
        let hook = HookProcess::new(script(folder.path(), text), folder.path().into());
        let mut child = hook.start().unwrap();
        let mut read = BufReader::new(fs::File::open(pipe).unwrap()).lines();
        assert_eq!(read.next().unwrap().unwrap(), "there");
        let (closed, ended) = std::sync::mpsc::channel();
        std::thread::spawn(move || closed.send(read.next().is_none()));
        end(&mut child).await;
        assert!(ended.recv_timeout(Duration::from_secs(20)).expect("it still runs"));
    }

    #[tokio::test]
    async fn one_that_does_not_exist_is_named() {
        let hook = HookProcess::new("/nonexistent/hook".into(), "/".into());
        assert!(
            matches!(hook.run(b"{}").await, HookEnd::NotStarted { reason } if reason.contains("/nonexistent/hook"))
        );
    }
}
