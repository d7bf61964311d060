//! Small files: bounded reading, private modes, and writing that no crash leaves half done.
//!
//! A file is made beside its place and moved there. A crash after each of these steps leaves:
//!
//! | step | at the place, afterwards |
//! |---|---|
//! | the new file is written, under another name | the old file |
//! | it is synced | the old file |
//! | it is renamed | the old file or the new one, whole in either case |
//! | the folder is synced | the new file |
//!
//! So what was answered after the last step survives. A file under another name that a crash leaves lying about begins with `.new-`,
//! and nothing ever reads it.
//!
//! Errors do not name the path: whoever asked knows it, and says it in their own sentence.

use std::fmt;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What the name of a file begins with that is not in its place yet.
const TEMPORARY: &str = ".new-";

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

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Refuse,
    /// It is replaced, if it is a regular file.
    Replace,
}

impl Existing {
    /// What `--replace` means.
    #[must_use]
    pub fn of_flag(replace: bool) -> Self {
        if replace { Self::Replace } else { Self::Refuse }
    }
}

/// What lies at a place is not written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occupied {
    /// A file, and nobody said that it may be replaced.
    File(PathBuf),
    /// Something that no answer may replace: a folder, a link, a pipe, a device.
    Other {
        /// Where.
        path: PathBuf,
        /// What lies there.
        what: &'static str,
    },
}

impl std::error::Error for Occupied {}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => {
                write!(f, "{} exists; name another file, or say --replace to write over it", path.display())
            }
            Self::Other { path, what } => write!(
                f,
                "{} is {what} and is left as it is; name a regular file, or one that does not exist yet",
                path.display()
            ),
        }
    }
}

/// No file can be made in a folder. The system's own error has the name of a temporary file, which nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The folder.
    pub folder: PathBuf,
    /// What the system said.
    pub why: io::ErrorKind,
}

impl std::error::Error for Closed {}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (folder, why) = (self.folder.display(), self.why);
        match why {
            io::ErrorKind::NotFound => {
                write!(f, "there is no folder {folder}; make it, or name a file in another one")
            }
            _ => write!(f, "the folder {folder} cannot be written to ({why}); name a file elsewhere"),
        }
    }
}

/// Reads a whole file of at most `max` bytes.
///
/// # Errors
/// It cannot be read, is a folder, or holds more ([`io::ErrorKind::FileTooLarge`]).
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    read_open(&File::open(path)?, max)
}

/// The same of a file that is open, so that what was asked of it before holds for what is read.
///
/// # Errors
/// As [`read`].
pub fn read_open(file: &File, max: u64) -> io::Result<Vec<u8>> {
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

/// The permission bits of what others than its owner may use.
#[must_use]
pub fn open_to_others(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Makes a folder that only its owner may enter (0700), in one that is there. One that exists stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn make_private_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Whether [`write`](fn@write) would write there: for asking before the work is done.
///
/// # Errors
/// [`Occupied`] inside the error; nothing but a regular file is ever replaced.
pub fn check_place(path: &Path, existing: Existing) -> io::Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.file_type(),
    };
    let what = match kind {
        kind if kind.is_file() && existing == Existing::Replace => return Ok(()),
        kind if kind.is_file() => return Err(occupied(Occupied::File(path.to_owned()))),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(occupied(Occupied::Other { path: path.to_owned(), what }))
}

/// Writes a file that a person named, whole or not at all, and makes it durable.
///
/// # Errors
/// [`Occupied`] or [`Closed`] inside the error, or what the system says; the place is then as it was, unless only the folder could
/// not be synced.
pub fn write(path: &Path, bytes: &[u8], readers: Readers, existing: Existing) -> io::Result<()> {
    let mut file = NewFile::create(path, readers, existing)?;
    file.write_all(bytes)?;
    file.place()
}

/// Replaces one of the program's own files, whole or not at all, and makes it durable. Whatever lies there goes.
///
/// # Errors
/// What the system says; the old file is then still there, unless only the folder could not be synced.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    replace_stepwise(path, bytes, readers, &mut |_| Ok(()))
}

/// What was done to replace a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Written,
    FileSynced,
    Renamed,
    FolderSynced,
}

/// Told of every step when it was made; it can let the whole fail there.
type After<'a> = &'a mut dyn FnMut(Step) -> io::Result<()>;

fn replace_stepwise(path: &Path, bytes: &[u8], readers: Readers, after: After<'_>) -> io::Result<()> {
    let mut temporary = temporary(path, readers)?;
    temporary.write_all(bytes)?;
    after(Step::Written)?;
    place(temporary, path, Existing::Replace, after)
}

fn temporary(path: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let permissions = Permissions::from_mode(readers.mode());
    tempfile::Builder::new().prefix(TEMPORARY).permissions(permissions).tempfile_in(folder_of(path))
}

fn place(temporary: NamedTempFile, path: &Path, existing: Existing, after: After<'_>) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    after(Step::FileSynced)?;
    let placed = match existing {
        Existing::Refuse => temporary.persist_noclobber(path),
        Existing::Replace => temporary.persist(path),
    };
    placed.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => occupied(Occupied::File(path.to_owned())),
        _ => not_replaced(&error.error),
    })?;
    after(Step::Renamed)?;
    sync(folder_of(path))?;
    after(Step::FolderSynced)
}

/// A file that a person named, written bit by bit: made beside its place, and moved there when it is whole.
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
    /// [`Occupied`] inside the error when something lies there that may not be replaced; [`Closed`]; or what the system says.
    pub fn create(path: &Path, readers: Readers, existing: Existing) -> io::Result<Self> {
        check_place(path, existing)?;
        let temporary = temporary(path, readers).map_err(|error| {
            io::Error::new(error.kind(), Closed { folder: folder_of(path).to_owned(), why: error.kind() })
        })?;
        Ok(Self { path: path.to_owned(), existing, temporary })
    }

    /// Makes what was written durable, and moves it to its place.
    ///
    /// # Errors
    /// As [`write`](fn@write).
    pub fn place(self) -> io::Result<()> {
        place(self.temporary, &self.path, self.existing, &mut |_| Ok(()))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}

/// Writes a file where it is, not whole and not durable: the first step of who takes the others by [`sync`] and [`rename`].
///
/// # Errors
/// What the system says.
pub fn write_in_place(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(readers.mode()).open(path)?.write_all(bytes)
}

/// Makes a file's content durable, or the entries of a folder.
///
/// # Errors
/// What the system says.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Renames a file over another, atomically. Not durable before [`sync`] of the target's folder.
///
/// # Errors
/// What the system says, with what to do where a mount is in the way.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).map_err(|error| not_replaced(&error))
}

/// Why a file could not take the place of the old one, with what to do.
fn not_replaced(error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        // Linux says so of a file that something is mounted on.
        io::ErrorKind::ResourceBusy => {
            "; it seems to be mounted by itself, as a container's bind mount of one file is: mount its folder instead"
        }
        io::ErrorKind::CrossesDevices => {
            "; its folder is on another file system than the rest: mount the folder whole"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("{error}{remedy}"))
}

fn occupied(occupied: Occupied) -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, occupied)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
