//! One writer at a time in a state folder. Readers need no lock: what they read is swapped atomically.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the lock file.
pub const LOCK: &str = "lock";

/// Holds the state folder until dropped; the system lets go of it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Another process works there.
    #[error("another mulberry-agent is working in this state folder; wait for it, or stop it")]
    Held,
    /// The lock file cannot be used.
    #[error("the lock file cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl Lock {
    /// Takes the lock without waiting.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be opened.
    pub fn take(folder: &Path) -> Result<Self, NotLocked> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(LOCK))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(NotLocked::Held),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_taker_is_refused_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        assert!(matches!(Lock::take(folder.path()), Err(NotLocked::Held)));
        drop(first);
        Lock::take(folder.path()).unwrap();
    }
}
