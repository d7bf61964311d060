//! A folder for new keys: never one that has something in it.

use crate::{
    failure::{Failure, FailureKind},
    files,
};
use std::{io, path::Path};

/// Makes sure that nothing is in the folder's place, or that it is empty.
///
/// # Errors
/// `not-empty`, with what it holds.
pub fn refuse_non_empty(folder: &Path) -> Result<(), Failure> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(found) => {
                let found = found.map(|found| format!(": it holds {}", found.file_name().to_string_lossy()));
                Err(Failure::usage(
                    FailureKind::NotEmpty,
                    format!(
                        "{}: is not empty{}. Name a folder that does not exist yet; keys are never overwritten.",
                        folder.display(),
                        found.unwrap_or_default()
                    ),
                ))
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::usage(
            FailureKind::NotEmpty,
            format!("{}: {error}. Name an empty folder.", folder.display()),
        )),
    }
}

/// Makes the folder, for its owner alone.
///
/// # Errors
/// `unwritable`.
pub fn make(path: &Path) -> Result<(), Failure> {
    files::private_folder(path).map_err(|error| unwritable(path, &error))
}

/// Why nothing can be written there.
#[must_use]
pub fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(
        FailureKind::Unwritable,
        format!("{}: {error}. Name a folder that you may write to.", path.display()),
    )
}
