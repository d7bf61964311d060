//! Small files: as [`mulberry_host::files`] reads and writes them, and what a person is told when that fails.

use crate::failure::{Failure, FailureKind};
use mulberry_host::files::{self as host, Closed};
pub use mulberry_host::files::{Existing, Readers, check_place, read as read_bounded};
use std::{
    fs::{DirBuilder, File, Metadata},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};
use zeroize::Zeroizing;

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
    let bytes = Zeroizing::new(host::read_open(&file, max).map_err(unreadable)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("is not UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// The mode of a file that others than its owner may use. Pipes and terminals have no owner in this sense.
#[must_use]
pub fn open_to_others(metadata: &Metadata) -> Option<u32> {
    host::open_to_others(metadata).filter(|_| metadata.is_file())
}

/// Writes a file that must not exist yet, whole or not at all, and makes it durable.
///
/// # Errors
/// The file exists or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    host::write(path, bytes, readers, Existing::Refuse)
}

/// Writes a file that everybody may read, whole or not at all, and makes it durable.
///
/// # Errors
/// [`Occupied`](host::Occupied) inside the error when what lies there may not be replaced; or it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    host::write(path, bytes, Readers::All, existing)
}

/// The same for a file that holds what only its owner may read.
///
/// # Errors
/// As [`write_whole`].
pub fn write_private(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    host::write(path, bytes, Readers::Owner, existing)
}

/// Why a file was not written, as a failure.
#[must_use]
pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let closed = error.get_ref().and_then(|inner| inner.downcast_ref::<Closed>());
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(FailureKind::FileExists, format!("{error}.")),
        _ => {
            let elsewhere = closed.filter(|closed| closed.why != io::ErrorKind::NotFound);
            let remedy = elsewhere.map_or("", |_| ", with --out, or copy this one to where you may write");
            Failure::usage(FailureKind::FileUnwritable, format!("{}: {error}{remedy}.", path.display()))
        }
    }
}

/// Makes a folder (and its parents) that only the owner may enter.
///
/// # Errors
/// The folder cannot be made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_folder_that_takes_nothing_is_named_with_what_to_do() {
        let path = Path::new("/sys/f");
        let error = write_whole(path, b"x", Existing::Refuse).unwrap_err();
        let failure = unwritable(path, &error);
        assert_eq!(failure.kind, "file-unwritable");
        assert!(
            failure.sentence.starts_with("/sys/f: the folder /sys cannot be written to (")
                && failure
                    .sentence
                    .ends_with("name a file elsewhere, with --out, or copy this one to where you may write."),
            "{failure}"
        );
    }
}
