//! Prompts of `mulberryctl`, on a terminal of their own.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use nix::{
    pty::openpty,
    sys::termios::{LocalFlags, tcgetattr},
};
use std::{
    fs::File,
    io::Write,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const SIGINT: i32 = 2;
/// How long a process of the test may take to do something.
const PATIENCE: Duration = Duration::from_secs(30);

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

fn echoes(terminal: &OwnedFd) -> bool {
    tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
}

#[test]
fn ctrl_c_at_a_prompt_ends_it_and_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let pty = openpty(None, None).unwrap();
    let before = tcgetattr(&pty.slave).unwrap();
    assert!(echoes(&pty.slave));
    let stream = || Stdio::from(pty.slave.try_clone().unwrap());
    // A new session whose terminal is this one: prompts open /dev/tty.
    let mut child = Command::new("setsid")
        .args(["--ctty", env!("CARGO_BIN_EXE_mulberryctl"), "init", "authority"])
        .current_dir(folder.path())
        .env("XDG_CONFIG_HOME", folder.path())
        .env_remove("MULBERRYCTL_PASSPHRASE")
        .stdin(stream())
        .stdout(stream())
        .stderr(stream())
        .spawn()
        .unwrap();
    wait_for("the prompt", || (!echoes(&pty.slave)).then_some(()));
    let mut keyboard = File::from(pty.master);
    keyboard.write_all(b"secr\x03").unwrap();
    let status = wait_for("the end", || child.try_wait().unwrap());
    assert_eq!(status.signal(), Some(SIGINT), "{status}");
    assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}
