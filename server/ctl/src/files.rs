//! Small files: bounded reading, and writing that neither overwrites nor widens.

use crate::failure::{Failure, FailureKind};
pub use mulberry_shared::answer::Existing;
use mulberry_shared::answer::may_write;
use std::{
    fs::{File, Metadata, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The owner alone: 0600.
    Owner,
    /// Everybody: 0644 less the umask.
    All,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::All => 0o644,
        }
    }
}

/// Reads a whole file of at most `max` bytes.
///
/// # Errors
/// The file cannot be read, or holds more.
pub fn read_bounded(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    bounded(File::open(path)?, max)
}

/// Reads a secret: text of at most `max` bytes, in a file that nobody but its owner may use.
///
/// # Errors
/// Others may use it, too; or `fault` of why it cannot be read: it is away, too long, not UTF-8.
pub fn read_secret(
    path: &Path,
    max: u64,
    fault: impl Fn(&str) -> Failure,
) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error: io::Error| fault(&error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    // Of the open file, so that no other file can take its place in between.
    if let Some(mode) = open_to_others(&file.metadata().map_err(unreadable)?) {
        return Err(Failure::usage(
            FailureKind::KeyPermissions,
            format!(
                "{0}: other people may read this secret (mode {mode:04o}). Run `chmod 600 {0}` if nobody has, else change it.",
                path.display()
            ),
        ));
    }
    let bytes = Zeroizing::new(bounded(file, max).map_err(unreadable)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The mode of a file that others than its owner may use. Pipes and terminals have no owner in this sense.
#[must_use]
pub fn open_to_others(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o7777;
    (metadata.is_file() && mode & 0o077 != 0).then_some(mode)
}

fn bounded(file: File, max: u64) -> io::Result<Vec<u8>> {
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder, a file is needed"));
    }
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("has more than {max} bytes")));
    }
    Ok(bytes)
}

/// Writes a file that must not exist yet, whole or not at all, and makes it durable.
///
/// # Errors
/// The file exists or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    write_for(readers, path, bytes, Existing::Refuse)
}

/// Whether [`write_whole`] and [`write_private`] would write there: for asking before the work is done.
///
/// # Errors
/// [`Occupied`](mulberry_shared::answer::Occupied) inside the error.
pub fn check_place(path: &Path, existing: Existing) -> io::Result<()> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    may_write(path, found.as_ref(), existing)
        .map_err(|error| io::Error::new(io::ErrorKind::AlreadyExists, error))
}

/// Writes a file that everybody may read, whole or not at all, and makes it durable.
///
/// # Errors
/// [`Occupied`](mulberry_shared::answer::Occupied) inside the error when what lies there may not be replaced; or it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    write_for(Readers::All, path, bytes, existing)
}

/// The same for a file that holds what only its owner may read.
///
/// # Errors
/// As [`write_whole`].
pub fn write_private(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    write_for(Readers::Owner, path, bytes, existing)
}

fn write_for(readers: Readers, path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    check_place(path, existing)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".mulberry-")
        .permissions(Permissions::from_mode(readers.mode()))
        .tempfile_in(folder)
        .map_err(|error| closed_folder(folder, &error))?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    match existing {
        Existing::Refuse => file.persist_noclobber(path)?,
        Existing::Replace => file.persist(path)?,
    };
    File::open(folder)?.sync_all()
}

/// Why nothing can be made in a folder: with the folder's name, where the system's error has that of a temporary file.
fn closed_folder(folder: &Path, error: &io::Error) -> io::Error {
    let (at, kind) = (folder.display(), error.kind());
    let why = match kind {
        io::ErrorKind::NotFound => format!("there is no folder {at}; make it, or name a file in another one"),
        _ => format!(
            "the folder {at} cannot be written to ({kind}); name a file elsewhere, with --out, or copy this one to where you may write"
        ),
    };
    io::Error::new(kind, why)
}

/// Why a file was not written, as a failure.
#[must_use]
pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(FailureKind::FileExists, format!("{error}.")),
        _ => Failure::usage(FailureKind::FileUnwritable, format!("{}: {error}.", path.display())),
    }
}

/// Makes a folder (and its parents) that only the owner may enter.
///
/// # Errors
/// The folder cannot be made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn reading_is_bounded_and_writing_never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write_new(&path, b"12345", Readers::Owner).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert_eq!(read_bounded(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(read_bounded(folder.path(), 4).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(write_new(&path, b"x", Readers::All).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_written_whole_replaces_another_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write_whole(&path, b"one", Existing::Refuse).unwrap();
        let error = write_whole(&path, b"two", Existing::Refuse).unwrap_err();
        assert_eq!(
            (error.kind(), std::fs::read(&path).unwrap()),
            (io::ErrorKind::AlreadyExists, b"one".to_vec())
        );
        write_whole(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        write_private(&path, b"three", Existing::Replace).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_folder_that_takes_nothing_is_named_and_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        // Permissions do not stop root; there, root may make no files either.
        let closed = Path::new("/sys");
        for (place, remedy) in [(closed, "elsewhere"), (&nowhere, "make it")] {
            let path = place.join("f");
            let error = write_whole(&path, b"x", Existing::Refuse).unwrap_err();
            let said = unwritable(&path, &error).sentence;
            let named = format!("folder {}", place.display());
            assert!(said.contains(&named) && said.contains(remedy), "{said}");
            assert!(!said.contains(".mulberry-") && !said.contains("os error"), "{said}");
        }
    }

    #[test]
    fn nothing_but_a_regular_file_is_ever_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "kept").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("dangling")).unwrap();
        std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for (path, what) in [
            (at("link"), "a symbolic link"),
            (at("dangling"), "a symbolic link"),
            (at("socket"), "a socket"),
            (at("folder"), "a folder"),
            ("/dev/null".into(), "a device"),
        ] {
            for existing in [Existing::Replace, Existing::Refuse] {
                let error = write_whole(&path, b"x", existing).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
                assert!(error.to_string().contains(what), "{error}");
            }
        }
        assert_eq!(std::fs::read(at("link")).unwrap(), b"kept");
    }
}
