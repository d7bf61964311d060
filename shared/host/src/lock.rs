//! Lock files: at most one process works in a folder.
//!
//! The system lets go of a lock when its process dies, however it dies; a lock file that lies about locks nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// How often a lock file may be removed under who takes it. One that goes more often than this is in use.
const TRIES: usize = 16;

/// Takes the lock file at `path` (mode 0600) without waiting, held until the returned file is dropped; `None` when another process
/// holds it.
///
/// # Errors
/// What the system says.
pub fn take(path: &Path) -> io::Result<Option<File>> {
    take_after(path, &mut || ())
}

/// `opened` is told when the file was opened and not yet locked.
fn take_after(path: &Path, opened: &mut dyn FnMut()) -> io::Result<Option<File>> {
    for _ in 0..TRIES {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        opened();
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(error),
        }
        // A lock on a file that was removed since it was opened keeps out nobody.
        if names(path, &file)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Removes the lock file at `path` while `held`, its lock, is still held: whoever took it in between would lose it.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path, held: &File) -> io::Result<()> {
    if names(path, held)? { fs::remove_file(path) } else { Ok(()) }
}

/// Whether the open `file` is the one at `path`.
fn names(path: &Path, file: &File) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found.map(|found| (found.dev(), found.ino()) == (own.dev(), own.ino())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = take(&path).unwrap();
        assert!(held.is_some());
        assert!(take(&path).unwrap().is_none());
        drop(held);
        assert!(take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_that_is_removed_never_gives_two_holders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut first = take(&path).unwrap();
        // The second has opened it when the first removes it and goes.
        let second = take_after(&path, &mut || {
            if let Some(held) = first.take() {
                remove(&path, &held).unwrap();
                assert!(!path.exists());
            }
        });
        let second = second.unwrap().unwrap();
        assert!(take(&path).unwrap().is_none(), "what the second holds is the lock");
        // Nor is it another's lock that goes.
        let stale = File::create(folder.path().join("other")).unwrap();
        remove(&path, &stale).unwrap();
        assert!(path.exists());
        remove(&path, &second).unwrap();
        assert!(!path.exists());
    }
}
