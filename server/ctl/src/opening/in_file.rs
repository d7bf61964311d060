//! The file of an opening, on its way between two machines.

use crate::{
    failure::{Failure, FailureKind},
    files::{self, Existing},
    output::{self, Format},
};
use mulberry_shared::{
    approval::{Opening, OpeningFile},
    exit::Exit,
    limits::Limits,
    proposal::{Signing, signing::names},
};
use std::{io, path::Path};

/// What the file holds, and what comes next.
///
/// # Errors
/// As [`Format::print`].
pub fn print(
    file: &OpeningFile,
    path: &Path,
    signing: &Signing,
    needed: usize,
    format: Format,
) -> Result<Exit, Failure> {
    let Opening { path: recipe, revision, percent, since, expires, open_until, .. } = &file.opening;
    let (name, who) = (path.display(), names(&signing.signed));
    let incomplete = signing.signed.len() < needed;
    let next = if incomplete {
        format!("mulberryctl gate sign {name} --key people/NAME/{}.pem", recipe.lane)
    } else {
        format!("mulberryctl submit {name}")
    };
    format.print(
        || {
            let whose = match (incomplete, signing.signed.len()) {
                (true, _) => format!("Next, by one of {}", names(&signing.others)),
                (false, 1) => format!("Next, by somebody else than {who} alone"),
                (false, _) => "Next".to_owned(),
            };
            let until = open_until.map_or(String::new(), |until| format!(" until {}", output::instant(until)));
            format!(
                "\n{name}: opens {recipe} revision {revision} at {percent}{until}, signed by {who}. Nothing is open yet.\n{whose}: {next}"
            )
        },
        || {
            let signed: Vec<&str> = signing.signed.iter().map(|key| key.holder.as_str()).collect();
            serde_json::json!({
                "outcome": "in-file", "file": name.to_string(), "path": recipe, "revision": revision, "percent": percent,
                "since": since.to_string(), "expires": expires.to_string(), "open_until": open_until, "undoes": file.stops, "signed": signed,
                "next": next,
            })
        },
    )?;
    Ok(Exit::Yes)
}

/// Reads the file.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path, limits: &Limits) -> Result<OpeningFile, Failure> {
    let fault =
        |what: String| Failure::usage(FailureKind::OpeningUnreadable, format!("{}: {what}.", path.display()));
    let max = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
    let bytes = files::read_bounded(path, max).map_err(|error| fault(error.to_string()))?;
    OpeningFile::read(&bytes, limits).map_err(|error| fault(error.to_string()))
}

/// Writes the file, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, file: &OpeningFile, existing: Existing) -> Result<(), Failure> {
    let bytes = file.write().map_err(|error| {
        Failure::usage(FailureKind::FileUnwritable, format!("{}: {error}.", path.display()))
    })?;
    files::write_whole(path, &bytes, existing).map_err(|error| unwritable(path, &error))
}

/// Makes sure that nothing is in the place of a new file.
///
/// # Errors
/// Something is.
pub fn check_place(path: &Path) -> Result<(), Failure> {
    files::check_place(path, Existing::Refuse).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(
            FailureKind::FileExists,
            format!("{} exists and is left as it is. Name another file.", path.display()),
        ),
        _ => Failure::usage(FailureKind::FileUnwritable, format!("{}: {error}.", path.display())),
    }
}
