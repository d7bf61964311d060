//! The public repository, at an origin or in a copy of it: the sans-io trust workflow, driven with bounds.

use crate::{
    failure::{Failure, FailureKind},
    files,
    http::{Endpoint, NoAnswer},
    output,
};
use jiff::Timestamp;
use mulberry_shared::{
    bundle::Bundle,
    edition::{Refresh, TrustState, Waiver},
    limits::Limits,
    tuf::{Fetch, Next, Outcome, RefreshReport, Reply, TrustError, location, report},
};
use reqwest::StatusCode;
use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
};

/// Says what could not be learnt, and kept the refresh from nothing.
pub fn warn_of_withheld(report: &RefreshReport) {
    for error in report.withheld() {
        output::warn(&format!("{error}. The root that is held goes on, and a newer one is not known of."));
    }
}

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
    Source::Origin(endpoint).refresh(state, now, Waiver::NONE, limits).await
}

/// A copy of what an origin serves, on this machine.
#[derive(Debug)]
pub enum Mirror {
    /// A mirror's folder.
    Folder(PathBuf),
    /// A bundle.
    Bundle(Bundle),
}

impl Mirror {
    /// Opens a folder, or reads a bundle.
    ///
    /// # Errors
    /// It cannot be read, or is no bundle.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, Failure> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let unreadable = |error: &dyn fmt::Display| {
            let sentence = format!("{}: {error}. Give a mirror's folder or a bundle.", path.display());
            Failure::usage(FailureKind::EditionUnreadable, sentence)
        };
        let bytes =
            files::read_bounded(path, limits.bundle.bytes as u64).map_err(|error| unreadable(&error))?;
        Bundle::read(&bytes, &limits.bundle).map(Self::Bundle).map_err(|error| unreadable(&error))
    }

    /// It, to be read from.
    #[must_use]
    pub fn source(&self) -> Source<'_> {
        match self {
            Self::Folder(folder) => Source::Folder(folder),
            Self::Bundle(bundle) => Source::Bundle(bundle),
        }
    }
}

/// Where the repository is read from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An origin, over HTTP.
    Origin(&'a Endpoint),
    /// The edition in a file.
    Bundle(&'a Bundle),
    /// The edition in a mirror's folder.
    Folder(&'a Path),
}

impl<'a> From<&'a Endpoint> for Source<'a> {
    fn from(endpoint: &'a Endpoint) -> Self {
        Self::Origin(endpoint)
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin(endpoint) => write!(f, "{}", endpoint.base()),
            Self::Bundle(_) => f.write_str("the file"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
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
            // Paths come from metadata that may not be verified yet; those of an edition have none of what leads out of a folder.
            Self::Folder(_)
                if wanted.path.split('/').any(|part| part.is_empty() || part.starts_with('.')) =>
            {
                Reply::Absent
            }
            Self::Folder(folder) => match files::read_bounded(&folder.join(&wanted.path), wanted.max_bytes) {
                Ok(bytes) => Reply::Bytes(bytes),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Reply::Absent,
                Err(error) => Reply::Failed(error.to_string()),
            },
        }
    }

    /// One whole refresh: every step of the client workflow, as agents take it, but for what is waived.
    pub async fn refresh(
        self,
        state: TrustState,
        now: Timestamp,
        waiver: Waiver,
        limits: &Limits,
    ) -> (TrustState, RefreshReport) {
        let mut refresh = Refresh::start(state, now, limits).waiving(&waiver);
        while let Next::Fetch(wanted) = refresh.next() {
            refresh.supply(self.fetch(&wanted).await);
        }
        let (state, report) = refresh.finish();
        warn_of_withheld(&report);
        (state, report)
    }

    /// The roots before this version, as far back as there are any. Nothing vouches for them yet.
    ///
    /// # Errors
    /// One could not be read.
    pub async fn roots_before(
        self,
        version: u64,
        limits: &Limits,
    ) -> Result<BTreeMap<u64, Vec<u8>>, Failure> {
        let mut roots = BTreeMap::new();
        for version in (1..version).rev() {
            let path = location::metadata("root", Some(version));
            let wanted = Fetch { path, max_bytes: limits.trust.root_bytes };
            match self.fetch(&wanted).await {
                Reply::Bytes(bytes) => drop(roots.insert(version, bytes)),
                Reply::Absent => break,
                Reply::TooLong | Reply::Failed(_) => {
                    let sentence = format!("{} could not be fetched from {self}; try again.", wanted.path);
                    return Err(Failure::unreachable(FailureKind::OriginUnreachable, sentence));
                }
            }
        }
        Ok(roots)
    }

    /// A trust error as a failure: unreachable is exit code 4, everything else is 3.
    #[must_use]
    pub fn failure(self, error: &TrustError) -> Failure {
        match self {
            Self::Origin(endpoint) => failure(endpoint, error),
            Self::Bundle(_) | Self::Folder(_) => Failure::refused(
                error.kind,
                format!(
                    "The edition in {self} was refused: {error}. Check --root, or name an origin with --origin."
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
    match endpoint.send(endpoint.client().get(url), wanted.max_bytes).await {
        Ok(answer) if answer.status == StatusCode::OK => Reply::Bytes(answer.body),
        Ok(answer) if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) => Reply::Absent,
        // What lets nobody list it says so for what it does not have.
        Ok(answer) if answer.status == StatusCode::FORBIDDEN && location::may_be_absent(&wanted.path) => {
            if endpoint.forbids() {
                output::tell(&format!(
                    "The origin {} answers 403 for {}, which it need not have: taken as absent.",
                    endpoint.base(),
                    wanted.path
                ));
            }
            Reply::Absent
        }
        Ok(answer) => Reply::Failed(format!("the origin answered {}", answer.status)),
        Err(NoAnswer::TooLong(_)) => Reply::TooLong,
        Err(NoAnswer::Broken(why) | NoAnswer::Redirected(why)) => Reply::Failed(why),
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
