//! Small files in the state folder, as [`mulberry_host::files`] reads and writes them: private, with errors that name them.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use mulberry_host::files::Existing;
use mulberry_host::files::{self as host, Closed, Occupied, Readers};
use mulberry_host::lock;

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
    #[error(transparent)]
    Closed(Closed),
    /// What lies there is not written over.
    #[error(transparent)]
    Occupied(Occupied),
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
    /// What the system or [`mulberry_host::files`] says of `path`.
    pub fn of(path: &Path, error: io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(occupied) = inner.and_then(|inner| inner.downcast_ref::<Occupied>()) {
            return Self::Occupied(occupied.clone());
        }
        if let Some(closed) = inner.and_then(|inner| inner.downcast_ref::<Closed>()) {
            return Self::Closed(closed.clone());
        }
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
    let of = |error| FileError::of(folder, error);
    host::make_private_folder(folder).map_err(of)?;
    refuse_wide(folder, &fs::metadata(folder).map_err(of)?, "700")
}

/// Reads a file that only its owner may use (mode 0600 or narrower), at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let of = |error| FileError::of(path, error);
    let file = File::open(path).map_err(of)?;
    // Of the open file, so that no other file can take its place in between.
    refuse_wide(path, &file.metadata().map_err(of)?, "600")?;
    bounded(path, limit, host::read_open(&file, limit))
}

/// Reads a file, at most `limit` bytes.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    bounded(path, limit, host::read(path, limit))
}

/// Replaces the file at `path` (mode 0600), whole or not at all; what was written survives a crash once this returns.
///
/// # Errors
/// [`FileError::Io`]; the old file is then still there, unless only the folder could not be synced.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    host::replace(path, bytes, Readers::Owner).map_err(|error| FileError::of(path, error))
}

/// A file that a command was told to write (mode 0600): made beside its place, and moved there when it is whole.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: host::NewFile,
}

impl NewFile {
    /// Begins the file that shall lie at `path`.
    ///
    /// # Errors
    /// [`FileError::Occupied`] when something lies there that may not be replaced; [`FileError::Closed`]; [`FileError::Io`].
    pub fn create(path: &Path, existing: Existing) -> Result<Self, FileError> {
        let file = host::NewFile::create(path, Readers::Owner, existing);
        let file = file.map_err(|error| FileError::of(path, error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Makes what was written durable, and moves it to its place.
    ///
    /// # Errors
    /// [`FileError`]; the place is then as it was, unless only the folder could not be synced.
    pub fn place(self) -> Result<(), FileError> {
        self.file.place().map_err(|error| FileError::of(&self.path, error))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Takes the lock file `path`, held until the returned file is dropped; `None` when another process holds it.
///
/// # Errors
/// [`FileError::Io`].
pub fn lock(path: &Path) -> Result<Option<File>, FileError> {
    lock::take(path).map_err(|error| FileError::of(path, error))
}

fn bounded(path: &Path, limit: u64, read: io::Result<Vec<u8>>) -> Result<Vec<u8>, FileError> {
    read.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => FileError::TooLarge { path: path.to_owned(), limit },
        _ => FileError::of(path, error),
    })
}

fn refuse_wide(path: &Path, metadata: &Metadata, wanted: &'static str) -> Result<(), FileError> {
    match host::open_to_others(metadata) {
        None => Ok(()),
        Some(mode) => Err(FileError::TooWide { path: path.to_owned(), mode, wanted }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

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
}
