//! Proposals of a lane's next version: their files, and what is told of them.

use crate::{
    failure::{Failure, FailureKind},
    files::{self, Existing},
    lane::outcome,
    output::{self, Format},
};
use jiff::Timestamp;
use mulberry_shared::{
    limits::Limits,
    operators::{ProposalOutcome, ProposalStatus, ProposeResponse},
    proposal::{self, Changes, FailedPreflight, Proposal, Signing},
    recipe::Lane,
};
use std::{io, path::Path};

/// The preflights that failed, for whoever signs.
pub fn failed_preflights(failed: &[FailedPreflight], now: Timestamp) -> String {
    if failed.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = failed
        .iter()
        .map(|one| format!("\n  {} {}: {:?}", one.path, output::distance(one.failed, now), one.reason))
        .collect();
    format!(
        "PREFLIGHT FAILED, and it was proposed all the same. So says whoever made the proposal; nobody signed it, so ask them:{}",
        lines.concat()
    )
}

/// Reads a proposal's file.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path, limits: &Limits) -> Result<Proposal, Failure> {
    let max = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
    let fault = |what: String| {
        Failure::usage(FailureKind::ProposalUnreadable, format!("{}: {what}.", path.display()))
    };
    let bytes = files::read_bounded(path, max).map_err(|error| fault(error.to_string()))?;
    Proposal::read(&bytes, limits).map_err(|error| fault(error.to_string()))
}

/// Writes a proposal's file, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, proposal: &Proposal, existing: Existing) -> Result<(), Failure> {
    let unwritable =
        |what: String| Failure::usage(FailureKind::FileUnwritable, format!("{}: {what}.", path.display()));
    let bytes = proposal.write().map_err(|error| unwritable(error.to_string()))?;
    files::write_whole(path, &bytes, existing).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => unwritable(error.to_string()),
    })
}

/// Why a file is left as it is.
#[must_use]
pub fn exists(path: &Path) -> Failure {
    Failure::usage(
        FailureKind::FileExists,
        format!("{} exists and is left as it is. Name another file.", path.display()),
    )
}

/// What became of a proposal that was handed to the server.
///
/// # Errors
/// As [`Format::print`].
pub fn print(
    format: Format,
    response: &ProposeResponse,
    changes: Option<&Changes>,
    now: Timestamp,
) -> Result<(), Failure> {
    format.print(
        || match (&response.outcome, &response.published, &response.proposal) {
            (ProposalOutcome::Published, Some(published), _) => outcome::words(published, changes, now),
            (_, _, Some(status)) => waiting(status),
            _ => format!("Proposal {}: look at mulberryctl proposals", proposal::shown(&response.id)),
        },
        || {
            let mut json = serde_json::json!(response);
            if let (Some(object), Some(status)) = (json.as_object_mut(), &response.proposal) {
                object.insert("next".to_owned(), next(status).into());
            }
            json
        },
    )
}

fn waiting(status: &ProposalStatus) -> String {
    format!(
        "\nWAITING: proposal {}, lane {} version {}. {}\nNothing is published yet. Next, one of them: {}",
        proposal::shown(&status.id),
        status.role,
        status.version,
        so_far(status),
        next(status)
    )
}

/// Who has signed, and how many of whom are missing, as the server says it.
pub fn so_far(status: &ProposalStatus) -> String {
    let signed: Vec<&str> = status.signed.iter().map(|one| one.holder.as_str()).collect();
    let signed = if signed.is_empty() { "nobody".to_owned() } else { signed.join(", ") };
    match status.missing {
        0 => format!("Signed by {signed}: enough."),
        missing => format!("Signed by {signed}; missing {missing} of {}.", status.may_sign.join(", ")),
    }
}

/// The command that comes next.
pub fn next(status: &ProposalStatus) -> String {
    let id = proposal::shown(&status.id);
    match status.missing {
        // A ceremony lowered the threshold since the last of them signed.
        0 => format!("mulberryctl submit {id}"),
        _ => format!("mulberryctl sign {id} --key people/NAME/{}.pem", status.role),
    }
}

/// What the file holds, and what comes next.
pub fn in_file(proposal: &Proposal, path: &Path, signing: &Signing) -> String {
    let (id, file, lane) = (proposal::shown(&proposal.id()), path.display(), proposal.lane());
    let next = next_of_file(path, lane, signing);
    format!(
        "\n{file}: proposal {id}, lane {lane} version {}, {}.\nNext: {next}",
        proposal.body().version,
        signing.describe()
    )
}

/// The same for scripts.
pub fn file_json(proposal: &Proposal, path: &Path, signing: &Signing) -> serde_json::Value {
    let holders =
        |keys: &[proposal::KeyHolder]| keys.iter().map(|key| key.holder.clone()).collect::<Vec<_>>();
    serde_json::json!({
        "outcome": "in-file",
        "id": proposal.id(),
        "file": path.display().to_string(),
        "role": proposal.lane().as_str(),
        "version": proposal.body().version,
        "signed": holders(&signing.signed),
        "missing": signing.missing(),
        "may_sign": holders(&signing.others),
        "next": next_of_file(path, proposal.lane(), signing),
    })
}

fn next_of_file(path: &Path, lane: Lane, signing: &Signing) -> String {
    match signing.missing() {
        0 => format!("mulberryctl submit {}", path.display()),
        _ => format!("mulberryctl sign {} --key people/NAME/{lane}.pem", path.display()),
    }
}
