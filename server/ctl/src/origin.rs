//! The public repository: the sans-io trust workflow, driven over HTTP with bounds.

use crate::{
    failure::{Failure, FailureKind},
    files,
    http::{self, Endpoint, NoAnswer},
};
use jiff::Timestamp;
use mulberry_shared::{
    bundle::Bundle,
    limits::Limits,
    trust::{Fetch, Next, Outcome, Refresh, RefreshReport, Reply, TrustError, TrustState, report},
};
use reqwest::StatusCode;
use std::path::Path;

/// Reads the pinned root.
///
/// # Errors
/// It cannot be read, or is not a root that its own keys signed.
pub fn pinned(path: &Path, limits: &Limits) -> Result<TrustState, Failure> {
    let bytes = files::read_bounded(path, limits.trust.root_bytes).map_err(|error| {
        Failure::usage(
            FailureKind::RootUnreadable,
            format!("{}: {error}. Give --root FILE: the root.json of mulberryctl init.", path.display()),
        )
    })?;
    TrustState::pinned(&bytes, limits).map_err(|error| {
        Failure::refused(
            error.kind,
            format!("{}: {error}. Give the root.json of mulberryctl init.", path.display()),
        )
    })
}

/// One whole refresh: every step of the client workflow, as agents take it.
pub async fn refresh(
    endpoint: &Endpoint,
    state: TrustState,
    now: Timestamp,
    limits: &Limits,
) -> (TrustState, RefreshReport) {
    let mut refresh = Refresh::start(state, now, limits);
    while let Next::Fetch(wanted) = refresh.next() {
        refresh.supply(fetch(endpoint, &wanted).await);
    }
    refresh.finish()
}

/// Where the repository is read from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An origin, over HTTP.
    Origin(&'a Endpoint),
    /// The edition in a file.
    Bundle(&'a Bundle),
}

impl Source<'_> {
    /// One file. Absent and failed are different things.
    pub async fn fetch(self, wanted: &Fetch) -> Reply {
        match self {
            Self::Origin(endpoint) => fetch(endpoint, wanted).await,
            Self::Bundle(bundle) => bundle.get(&wanted.path).map_or(Reply::Absent, |bytes| {
                if u64::try_from(bytes.len()).is_ok_and(|length| length <= wanted.max_bytes) {
                    Reply::Bytes(bytes.to_vec())
                } else {
                    Reply::TooLong
                }
            }),
        }
    }

    /// A trust error as a failure: unreachable is exit code 4, everything else is 3.
    #[must_use]
    pub fn failure(self, error: &TrustError) -> Failure {
        match self {
            Self::Origin(endpoint) => failure(endpoint, error),
            Self::Bundle(_) => Failure::refused(
                error.kind,
                format!(
                    "The edition in the file was refused: {error}. Check --root, or name an origin with --origin."
                ),
            ),
        }
    }
}

/// One file. Absent and failed are different things.
pub async fn fetch(endpoint: &Endpoint, wanted: &Fetch) -> Reply {
    let url = match endpoint.join(&wanted.path) {
        Ok(url) => url,
        Err(failure) => return Reply::Failed(failure.sentence),
    };
    match http::send(endpoint.client().get(url), wanted.max_bytes).await {
        Ok(answer) if answer.status == StatusCode::OK => Reply::Bytes(answer.body),
        Ok(answer) if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) => Reply::Absent,
        Ok(answer) => Reply::Failed(format!("the origin answered {}", answer.status)),
        Err(NoAnswer::TooLong(_)) => Reply::TooLong,
        Err(NoAnswer::Broken(why)) => Reply::Failed(why),
    }
}

/// A trust error as a failure: unreachable is exit code 4, everything else is 3.
#[must_use]
pub fn failure(endpoint: &Endpoint, error: &TrustError) -> Failure {
    let base = endpoint.base();
    match report::outcome_of(error) {
        Outcome::Unreachable => Failure::unreachable(
            FailureKind::OriginUnreachable,
            format!("The origin {base} cannot be read: {error}. Check --origin, and that the server runs."),
        ),
        _ => Failure::refused(
            error.kind,
            format!("What the origin {base} serves was refused: {error}. Check --origin and --root."),
        ),
    }
}
