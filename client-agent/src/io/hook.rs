//! The host's hook as a process.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use mulberry_shared::answer::plain;
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
                return HookEnd::NotStarted { reason: not_started(&self.program, &error) };
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

/// Why a hook cannot run: the system says "no such file" of the script when it means its interpreter.
#[must_use]
pub fn not_started(program: &Path, error: &io::Error) -> String {
    let shown = program.display();
    match (error.kind(), missing_interpreter(program)) {
        (io::ErrorKind::NotFound, Some(interpreter)) => format!(
            "{shown}: its first line names the interpreter {interpreter}, which is not on this machine; install it or correct the line"
        ),
        _ if error.raw_os_error() == Some(nix::errno::Errno::ENOEXEC as i32) => format!(
            "{shown}: it is neither a program nor a script with an interpreter; begin it with a line such as #!/bin/sh"
        ),
        _ => format!("{shown}: {error}"),
    }
}

/// The interpreter that the first line of a script names, where there is none at that path.
#[must_use]
pub fn missing_interpreter(program: &Path) -> Option<String> {
    let mut start = Vec::new();
    File::open(program).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let blanks = [' ', '\t'];
    let interpreter = line.trim_matches(blanks).split(blanks).next().filter(|text| !text.is_empty())?;
    // A carriage return at its end is part of the name: such a file was written on Windows.
    (!Path::new(interpreter).exists()).then(|| plain(interpreter))
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
    use super::*;
    use std::fs;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;

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
    async fn one_whose_interpreter_is_missing_is_told_apart_from_one_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(folder.path(), "");
        for (text, words) in [
            ("#!/nonexistent/python3 -u\n", "names the interpreter /nonexistent/python3, which is not on"),
            ("#!/bin/sh\r\n", "names the interpreter /bin/sh"),
        ] {
            fs::write(&program, text).unwrap();
            let end = HookProcess::new(program.clone(), folder.path().into()).run(b"{}").await;
            assert!(matches!(&end, HookEnd::NotStarted { reason } if reason.contains(words)), "{end:?}");
        }
        assert_eq!(missing_interpreter(&script(folder.path(), "")), None);
    }

    #[tokio::test]
    async fn one_that_does_not_exist_is_named() {
        let hook = HookProcess::new("/nonexistent/hook".into(), "/".into());
        assert!(
            matches!(hook.run(b"{}").await, HookEnd::NotStarted { reason } if reason.contains("/nonexistent/hook"))
        );
    }
}
