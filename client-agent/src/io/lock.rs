//! One writer at a time in a state folder. Readers need no lock: what they read is swapped atomically.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use mulberry_host::lock;

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
    #[error("{} cannot be locked: {error}; the state folder must be writable", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl Lock {
    /// Takes the lock without waiting.
    ///
    /// # Errors
    /// Another process holds it, or the file cannot be opened.
    pub fn take(folder: &Path) -> Result<Self, NotLocked> {
        let path = folder.join(LOCK);
        match lock::take(&path) {
            Ok(Some(file)) => Ok(Self { _file: file }),
            Ok(None) => Err(NotLocked::Held),
            Err(error) => Err(NotLocked::Io { path, error }),
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
    #[test]
    fn a_folder_that_cannot_be_locked_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let sentence = Lock::take(&gone).unwrap_err().to_string();
        assert!(sentence.starts_with(&gone.join(LOCK).display().to_string()), "{sentence}");
    }
}
