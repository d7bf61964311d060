//! How `status` learns of a running daemon: it asks through a socket in the state folder, which only the folder's owner can
//! enter. Nothing is written on disk while the daemon runs, and a daemon that died answers nothing, so nothing can be stale.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::schedule::Why;

/// The socket's name in the state folder.
pub const SOCKET: &str = "daemon.sock";
/// The format of the answer.
pub const FORMAT: u64 = 1;
/// Bytes of an answer: some addresses and a sentence.
const MAX_BYTES: u64 = 64 << 10;
/// How long either side waits for the other. Both are on this machine, and the daemon answers also during a run.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a running daemon says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// The format's number.
    pub format: u64,
    /// The process.
    pub pid: u32,
    /// Since when.
    pub started: Timestamp,
    /// How many runs it has made.
    pub runs: u64,
    /// Whether it is making a run now.
    pub running: bool,
    /// When the next run will be made, by the agent's clock; `None` during a run.
    pub next_run: Option<Timestamp>,
    /// Why it will be made.
    pub next_why: Option<Why>,
    /// All origins.
    pub origins: Vec<String>,
    /// The one whose live stream is followed, or is tried now; `None` where all are folders.
    pub origin: Option<String>,
    /// Whether that live stream is connected.
    pub live_connected: bool,
    /// Why the settings could not be loaded again; the former ones are in force then.
    pub settings_problem: Option<String>,
    /// Why the last run could not be made.
    pub run_problem: Option<String>,
}

/// Answers until dropped, and removes the socket then.
#[derive(Debug)]
pub struct Answering {
    socket: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.socket);
    }
}

/// Answers in a state folder. Only for who holds its lock: what a daemon that was killed left there is removed.
///
/// # Errors
/// The socket cannot be made.
pub fn answer(folder: &Path, presence: watch::Receiver<Presence>) -> io::Result<Answering> {
    let socket = folder.join(SOCKET);
    match fs::remove_file(&socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = short(folder, |path| UnixListener::bind(path))?;
    let task = tokio::spawn(async move {
        loop {
            let Ok((mut asker, _)) = listener.accept().await else {
                // No file is free just now. Whoever asks asks again.
                tokio::time::sleep(PATIENCE).await;
                continue;
            };
            let said = serde_json::to_vec(&*presence.borrow()).unwrap_or_default();
            let _ = timeout(PATIENCE, asker.write_all(&said)).await;
        }
    });
    Ok(Answering { socket, task })
}

/// Asks the daemon of a state folder; `None` where none runs.
///
/// # Errors
/// One may run, and does not answer as this agent understands.
pub fn ask(folder: &Path) -> io::Result<Option<Presence>> {
    let connection = match short(folder, UnixStream::connect) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        connection => connection?,
    };
    connection.set_read_timeout(Some(PATIENCE))?;
    let mut said = Vec::new();
    connection.take(MAX_BYTES).read_to_end(&mut said)?;
    Ok(Some(serde_json::from_slice(&said)?))
}

/// A socket's path may have 107 bytes, a state folder's more: /proc gives it a short one.
fn short<T>(folder: &Path, act: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    let opened = File::open(folder)?;
    act(PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence() -> Presence {
        Presence {
            format: FORMAT,
            pid: 7,
            started: "2019-05-04T12:00:00Z".parse().unwrap(),
            runs: 0,
            running: false,
            next_run: None,
            next_why: Some(Why::Poll),
            origins: vec!["http://x/".into()],
            origin: Some("http://x/".into()),
            live_connected: true,
            settings_problem: None,
            run_problem: None,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_daemon_answers_with_what_is_so_now_and_a_dead_one_not_at_all() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("a-long-name-".repeat(15));
        fs::create_dir(&folder).unwrap();
        let asked = || {
            let folder = folder.clone();
            tokio::task::spawn_blocking(move || ask(&folder).unwrap())
        };
        assert_eq!(asked().await.unwrap(), None);
        let (say, said) = watch::channel(presence());
        let answering = answer(&folder, said).unwrap();
        assert_eq!(asked().await.unwrap(), Some(presence()));
        say.send_modify(|now| now.running = true);
        assert!(asked().await.unwrap().unwrap().running);
        drop(answering);
        assert!(!folder.join(SOCKET).exists());
        // As a killed daemon leaves it.
        drop(short(&folder, std::os::unix::net::UnixListener::bind).unwrap());
        assert_eq!(asked().await.unwrap(), None);
        drop(answer(&folder, say.subscribe()).unwrap());
    }
}
