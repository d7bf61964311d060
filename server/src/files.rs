//! Small files in the state folder: private, and written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use mulberry_shared::answer::{self, Existing, Occupied};
use tempfile::NamedTempFile;

/// How often a lock file may be removed under who takes it. One that goes more often than this is in use.
const LOCK_TRIES: usize = 16;

/// A file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others than the owner may use it.
    #[error("{path} may be used by others than its owner (mode {mode:o}); run `chmod {wanted} {path}`")]
    TooWide {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The permission bits to set.
        wanted: &'static str,
    },
    /// It is larger than such a file can be.
    #[error("{path} has more than {limit} bytes, which no such file has; check that it is the right one")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The ceiling in bytes.
        limit: u64,
    },
    /// No file can be made in a folder.
    #[error("the folder {folder} cannot be written to ({why}); name a file elsewhere")]
    Closed {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        why: io::ErrorKind,
    },
    /// What lies there is not written over.
    #[error(transparent)]
    Occupied(#[from] Occupied),
    /// Its content is not what it should be.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl FileError {
    fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }

    /// Whether it says that the file is absent.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Makes sure that `folder` exists and is private (mode 0700).
///
/// # Errors
/// [`FileError::TooWide`] when it exists and others may enter it.
pub fn private_folder(folder: &Path) -> Result<(), FileError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(FileError::io(folder, error));
        }
        _ => {}
    }
    let metadata = fs::metadata(folder).map_err(|error| FileError::io(folder, error))?;
    refuse_wide(folder, metadata.mode(), "700")
}

/// Reads a file that only its owner may use (mode 0600 or narrower), at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| FileError::io(path, error))?;
    // Of the open file, so that no other file can take its place in between.
    let metadata = file.metadata().map_err(|error| FileError::io(path, error))?;
    refuse_wide(path, metadata.mode(), "600")?;
    read_bounded(file, path, limit)
}

/// Reads a file, at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    read_bounded(File::open(path).map_err(|error| FileError::io(path, error))?, path, limit)
}

/// Writes `bytes` to `path` (mode 0600) so that after a crash there is either the old file or the new one, and the new
/// one for certain once this returns.
///
/// # Errors
/// [`FileError::Io`]; the old file is then still there, unless only the folder could not be synced.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    replace(path, bytes, &mut |_| Ok(()))
}

/// What was done to replace a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Written,
    FileSynced,
    Renamed,
    FolderSynced,
}

/// `after` is told of every step when it was made, and can let the whole fail there.
fn replace(
    path: &Path,
    bytes: &[u8],
    after: &mut dyn FnMut(Step) -> io::Result<()>,
) -> Result<(), FileError> {
    let io = |error| FileError::io(path, error);
    let folder = folder_of(path);
    let mut temporary = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(io)?;
    temporary.write_all(bytes).and_then(|()| after(Step::Written)).map_err(io)?;
    temporary.as_file().sync_all().and_then(|()| after(Step::FileSynced)).map_err(io)?;
    temporary.persist(path).map_err(|error| FileError::io(path, error.error))?;
    after(Step::Renamed).map_err(io)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .and_then(|()| after(Step::FolderSynced))
        .map_err(io)
}

/// A file that a command was told to write (mode 0600): made beside its place, and moved there when it is whole.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    existing: Existing,
    temporary: NamedTempFile,
}

impl NewFile {
    /// Begins the file that shall lie at `path`.
    ///
    /// # Errors
    /// [`FileError::Occupied`] when something lies there that may not be replaced; [`FileError::Closed`]; [`FileError::Io`].
    pub fn create(path: &Path, existing: Existing) -> Result<Self, FileError> {
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(other.map_err(|error| FileError::io(path, error))?),
        };
        answer::may_write(path, found.as_ref(), existing)?;
        let folder = folder_of(path);
        let closed = |error: io::Error| FileError::Closed { folder: folder.to_owned(), why: error.kind() };
        let temporary = tempfile::Builder::new().prefix(".new-").tempfile_in(folder).map_err(closed)?;
        Ok(Self { path: path.to_owned(), existing, temporary })
    }

    /// Makes what was written durable, and moves it to its place.
    ///
    /// # Errors
    /// [`FileError`]; the place is then as it was, unless only the folder could not be synced.
    pub fn place(self) -> Result<(), FileError> {
        let io = |error| FileError::io(&self.path, error);
        self.temporary.as_file().sync_all().map_err(io)?;
        let placed = match self.existing {
            Existing::Refuse => self.temporary.persist_noclobber(&self.path),
            Existing::Replace => self.temporary.persist(&self.path),
        };
        placed.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => Occupied::File(self.path.clone()).into(),
            _ => FileError::io(&self.path, error.error),
        })?;
        File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all()).map_err(io)
    }
}

impl io::Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Takes the lock file `path`, held until the returned file is dropped; `None` when another process holds it.
///
/// # Errors
/// [`FileError::Io`].
pub fn lock(path: &Path) -> Result<Option<File>, FileError> {
    lock_after(path, &mut || ())
}

/// `opened` is told when the file was opened and not yet locked.
fn lock_after(path: &Path, opened: &mut dyn FnMut()) -> Result<Option<File>, FileError> {
    let io = |error| FileError::io(path, error);
    for _ in 0..LOCK_TRIES {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(io)?;
        opened();
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Ok(None),
            Err(fs::TryLockError::Error(error)) => return Err(io(error)),
        }
        // A lock on a file that was removed since it was opened keeps out nobody.
        if names(path, &file).map_err(io)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Removes the lock file `path` while `held`, its lock, is still held: whoever took it in between would lose it.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove_lock(path: &Path, held: &File) -> Result<(), FileError> {
    let io = |error| FileError::io(path, error);
    if names(path, held).map_err(io)? { fs::remove_file(path).map_err(io) } else { Ok(()) }
}

/// Whether the open `file` is the one at `path`.
fn names(path: &Path, file: &File) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found.map(|found| (found.dev(), found.ino()) == (own.dev(), own.ino())),
    }
}

fn read_bounded(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| FileError::io(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

fn refuse_wide(path: &Path, mode: u32, wanted: &'static str) -> Result<(), FileError> {
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(FileError::TooWide { path: path.to_owned(), mode: mode & 0o7777, wanted })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn private_files_are_written_private_and_refused_when_wider() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path, 3).unwrap(), b"two");
        assert!(matches!(read_private(&path, 2), Err(FileError::TooLarge { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_private(&path, 3), Err(FileError::TooWide { mode: 0o640, .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn content_is_synced_before_the_name_and_a_failing_step_leaves_the_old_file_or_the_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edition");
        let steps = [Step::Written, Step::FileSynced, Step::Renamed, Step::FolderSynced];
        for (n, last) in steps.into_iter().enumerate() {
            write_private(&path, b"old").unwrap();
            let (mut made, mut found) = (Vec::new(), Vec::new());
            let result = replace(&path, b"new", &mut |step| {
                made.push(step);
                found.push(read_private(&path, 3).unwrap());
                if step == last { Err(io::Error::other("told to")) } else { Ok(()) }
            });
            assert!(result.is_err());
            assert_eq!(made, steps[..=n]);
            for (step, found) in made.iter().zip(found) {
                let renamed = matches!(step, Step::Renamed | Step::FolderSynced);
                assert_eq!(found, if renamed { b"new" } else { b"old" }, "{step:?}");
            }
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
        }
    }

    #[test]
    fn the_state_folder_is_made_private_and_refused_when_wider() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("state");
        private_folder(&folder).unwrap();
        private_folder(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(private_folder(&folder), Err(FileError::TooWide { .. })));
        assert!(private_folder(&parent.path().join("a/b")).unwrap_err().is_absent());
    }

    #[test]
    fn a_folder_that_takes_nothing_is_named_and_no_temporary_file() {
        // Permissions do not stop root; there, root may make no files either.
        let refused = NewFile::create(Path::new("/sys/export"), Existing::Refuse).unwrap_err().to_string();
        assert!(refused.starts_with("the folder /sys cannot be written to ("), "{refused}");
    }

    #[test]
    fn a_lock_is_held_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(held.is_some());
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_that_is_removed_never_gives_two_holders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let mut first = lock(&path).unwrap();
        // The second has opened it when the first removes it and goes.
        let second = lock_after(&path, &mut || {
            if let Some(held) = first.take() {
                remove_lock(&path, &held).unwrap();
                assert!(!path.exists());
            }
        });
        let second = second.unwrap().unwrap();
        assert!(lock(&path).unwrap().is_none(), "what the second holds is the lock");
        // Nor is it another's lock that goes.
        let stale = File::create(folder.path().join("other")).unwrap();
        remove_lock(&path, &stale).unwrap();
        assert!(path.exists());
        remove_lock(&path, &second).unwrap();
        assert!(!path.exists());
    }
}
