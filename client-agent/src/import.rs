//! A run whose one origin is a bundle that a person hands in.
//!
//! Refresh comes from the bundle, whole or not at all; everything after it is the run that is made from any origin. What is
//! refused leaves no trace on disk.

use mulberry_shared::bundle::{Bundle, Unfit};
use mulberry_shared::edition::{Edition, OnlineRole, Waiver};

use crate::driver::{Agent, Begun, RunError, load_trust};
use crate::refresh::sentence;
use crate::report::RunReport;
use crate::state::{RefreshOutcome, Refreshed, WaivedImport};

/// What is handed in.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    /// The bundle, read and not yet verified.
    pub bundle: &'a Bundle,
    /// Its file, for reports.
    pub file: &'a str,
    /// The roles whose expiry shall not count in this run.
    pub waiver: &'a Waiver,
}

/// Why a bundle was not imported. Nothing was changed, except where the disk failed in the middle.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bundle was not taken.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The run could not be made.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Agent<'_> {
    /// Makes one run with a bundle in place of the origins.
    ///
    /// # Errors
    /// The bundle is refused, expired or older than what is held; or the state folder cannot be used.
    pub async fn import(&self, import: Import<'_>) -> Result<RunReport, ImportError> {
        let Import { bundle, file, waiver } = import;
        let mut run = self.begin()?;
        let stored = load_trust(self.disk, &self.limits)?;
        let (trusted, report) = bundle.take(&stored, run.now, waiver, &self.limits)?;
        let refreshed = Refreshed {
            outcome: report.outcome().into(),
            origin: file.to_owned(),
            detail: sentence(&report),
        };
        let waived = trusted.edition(&self.limits).and_then(|edition| waived(&run, &edition, import));
        match &waived {
            Some(waived) => tracing::warn!(file, edition = waived.edition, "{waived}"),
            None if refreshed.outcome == RefreshOutcome::Current => run.state.last_contact = Some(run.now),
            None => tracing::warn!(outcome = refreshed.outcome.as_str(), detail = refreshed.detail, "import"),
        }
        run.state.waived = waived;
        Ok(self.go_on(run, trusted, refreshed, waiver).await?)
    }
}

/// What the waiver was needed for, if for anything.
fn waived(run: &Begun, edition: &Edition, import: Import<'_>) -> Option<WaivedImport> {
    let roles: Vec<String> = edition.waived(run.now, import.waiver).map(|held| held.role.clone()).collect();
    let timestamp = edition.version_of(OnlineRole::Timestamp.as_str())?;
    (!roles.is_empty()).then(|| WaivedImport {
        at: run.now,
        file: import.file.to_owned(),
        edition: edition.number,
        timestamp,
        roles,
    })
}

#[cfg(test)]
mod tests;
