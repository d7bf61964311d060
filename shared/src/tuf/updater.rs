//! A client of any TUF repository, sans-io: refreshes the top-level roles, then looks paths up through whatever tree of
//! delegations there is. Mulberry's own agent does not use it (it asks which recipes exist, which TUF has no question for), but
//! both take the same steps ([`trusted`](super::trusted), `workflow`, [`lookup`](super::lookup)).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp as Instant;

use super::error::{TrustError, TrustErrorKind};
use super::fetch::{Fetch, Next, Reply};
use super::location;
use super::lookup::{Found, Lookup};
use super::metadata::TargetFile;
use super::report::{Event, RefreshReport};
use super::trusted::{RollbackFloor, Trusted, check_content};
use super::verify::{self, Verified};
use super::workflow::{self, Workflow};
use crate::limits::Limits;

/// Gives a metadata file that was kept, by the name under which [`Updater::files`] gave it; `None` where there is none.
pub type Kept<'a> = dyn FnMut(&str) -> Option<Vec<u8>> + 'a;

/// One client at work: a refresh, then any number of look-ups.
///
/// Keep what [`Self::files`] gives after every [`Self::supply`], and each step is kept when it has passed, as the specification
/// wants it.
#[derive(Clone, Debug)]
pub struct Updater {
    trusted: Trusted,
    workflow: Workflow,
    search: Search,
}

/// A file that the repository vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path as signed.
    pub path: String,
    /// The role that vouches for it.
    pub role: String,
    /// Length and hashes.
    pub file: TargetFile,
    /// Where it is, and how long.
    pub fetch: Fetch,
}

#[derive(Clone, Debug)]
enum Search {
    None,
    Running { lookup: Lookup, waiting: Option<Waiting> },
    Done(Result<Target, TrustError>),
}

#[derive(Clone, Debug)]
struct Waiting {
    role: String,
    delegator: String,
    fetch: Fetch,
}

impl Updater {
    /// Starts from what was kept; a new client keeps one root that it trusts for another reason. `now` is the time for everything
    /// that follows (specification 5.1).
    ///
    /// Kept metadata other than the root that no longer verifies is left out; the refresh fetches it again.
    ///
    /// # Errors
    /// The root is not there, or not signed by its own threshold of keys.
    pub fn start(kept: &mut Kept<'_>, now: Instant, limits: &Limits) -> Result<Self, TrustError> {
        let root = kept(&location::kept("root")).ok_or_else(|| {
            let sentence = "no root is kept; initialise this client from one that you trust";
            TrustError::new(TrustErrorKind::Absent, "root", sentence)
        })?;
        let mut trusted = Trusted::new(verify::pinned_root(&root, limits)?, RollbackFloor::Snapshot);
        // Expiry is not judged here: what has expired is still a floor for what follows.
        if let Some(bytes) = kept(&location::kept("timestamp")) {
            let _damaged = trusted.restore_timestamp(&bytes, limits);
        }
        if let Some(bytes) = kept(&location::kept("snapshot")) {
            let _damaged = trusted.restore_snapshot(&bytes, limits);
        }
        if let Some(bytes) = kept(&location::kept("targets"))
            && let Ok(metadata) = trusted.verify_targets_signatures("targets", "root", &bytes, limits)
        {
            trusted.accept_targets("targets", "root", metadata, limits);
        }
        // Whose keys a role has is each repository's own affair.
        let workflow = Workflow::start(&trusted, now, |_, _| Ok(()), limits);
        Ok(Self { trusted, workflow, search: Search::None })
    }

    /// What is needed next. Asking twice gives the same answer.
    pub fn next(&mut self, kept: &mut Kept<'_>) -> Next {
        if let Some(fetch) = self.workflow.next(&self.trusted) {
            return Next::Fetch(fetch);
        }
        while let Search::Running { lookup, waiting } = &mut self.search {
            if let Some(waiting) = waiting {
                return Next::Fetch(waiting.fetch.clone());
            }
            let trusted = &self.trusted;
            let current = |role: &str, delegator: &str| trusted.has_expected_targets(role, delegator);
            let step = lookup.step(trusted, &self.workflow.limits, current);
            if let Some(done) = self.after(step, kept) {
                self.search = Search::Done(done);
            }
        }
        Next::Done
    }

    /// Gives what came of the fetch that [`Self::next`] named.
    pub fn supply(&mut self, reply: Reply) {
        if let Some(fetch) = self.workflow.next(&self.trusted) {
            return self.workflow.supply(&mut self.trusted, &fetch, reply);
        }
        let Search::Running { waiting, .. } = &mut self.search else { return };
        let Some(Waiting { role, delegator, fetch }) = waiting.take() else { return };
        let bytes = workflow::received(&role, &fetch, reply);
        match self.workflow.enter_role(&mut self.trusted, &role, &delegator, bytes, |_| Ok(())) {
            Ok(event) => self.workflow.report.add(&role, event),
            Err(error) => self.search = Search::Done(Err(error.in_file(&fetch.path))),
        }
    }

    /// Looks `path` up; then [`Self::next`] and [`Self::supply`] until done, then [`Self::found`].
    pub fn look_up(&mut self, path: &str) {
        self.search = Search::Running { lookup: Lookup::new(path), waiting: None };
    }

    /// What the last look-up found.
    ///
    /// # Errors
    /// What stopped the refresh or the look-up; `not-delegated` when no role vouches for the path.
    pub fn found(&self) -> Result<Target, TrustError> {
        self.refreshed()?;
        match &self.search {
            Search::Done(found) => found.clone(),
            Search::None | Search::Running { .. } => {
                Err(TrustError::new(TrustErrorKind::Absent, "targets", "the look-up has not ended"))
            }
        }
    }

    /// Whether the top-level roles are those that the repository publishes, verified and fresh.
    ///
    /// # Errors
    /// What stopped the refresh.
    pub fn refreshed(&self) -> Result<(), TrustError> {
        if self.workflow.is_through() {
            return Ok(());
        }
        let unfinished = || TrustError::new(TrustErrorKind::Absent, "root", "the refresh has not ended");
        Err(self.report().errors().next().cloned().unwrap_or_else(unfinished))
    }

    /// What happened so far.
    #[must_use]
    pub fn report(&self) -> &RefreshReport {
        &self.workflow.report
    }

    /// The trusted metadata.
    #[must_use]
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// All metadata to keep, as it came, by name. What is kept of delegated roles besides may stay: it is verified before use.
    /// What is kept of the four top-level roles and is not here must go: a rotation of keys has ended it (5.3.11).
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Arc<[u8]>> {
        let trusted = &self.trusted;
        let top = [
            ("root", Some(trusted.root().bytes())),
            ("timestamp", trusted.timestamp().map(Verified::bytes)),
            ("snapshot", trusted.snapshot().map(Verified::bytes)),
            ("targets", trusted.targets("targets").map(Verified::bytes)),
        ];
        let top = top.into_iter().filter_map(|(role, bytes)| Some((role, bytes?)));
        let delegated = trusted.delegated().iter().map(|(role, held)| (role.as_str(), held.metadata.bytes()));
        top.chain(delegated).map(|(role, bytes)| (location::kept(role), Arc::clone(bytes))).collect()
    }

    /// What follows from a step of the look-up; `None` when it goes on.
    fn after(
        &mut self,
        step: Result<Found, TrustError>,
        kept: &mut Kept<'_>,
    ) -> Option<Result<Target, TrustError>> {
        let Search::Running { lookup, waiting } = &mut self.search else { return None };
        match step {
            Err(error) => Some(Err(error)),
            Ok(Found::Target { role, file }) => {
                Some(target(&self.trusted, lookup.path(), role, file, &self.workflow.limits))
            }
            Ok(Found::Nothing) => {
                let sentence = "no role of the repository vouches for it";
                Some(Err(TrustError::new(TrustErrorKind::NotDelegated, lookup.path(), sentence)))
            }
            Ok(Found::Needs { role, delegator }) => {
                // Bytes that are kept count if they are the very ones that the snapshot names, under this delegator.
                let held = kept(&location::kept(&role)).map(|bytes| {
                    self.workflow.enter_role(&mut self.trusted, &role, &delegator, Ok(bytes), |_| Ok(()))
                });
                if let Some(Ok(_)) = held {
                    self.workflow.report.add(&role, Event::Unchanged);
                    return None;
                }
                match self.workflow.role_fetch(&self.trusted, &role, &delegator) {
                    Ok(Some(fetch)) => {
                        *waiting = Some(Waiting { role, delegator, fetch });
                        None
                    }
                    // Only if this and the look-up disagreed about what is current: an end, where another step would be none.
                    Ok(None) => {
                        let sentence = "it cannot be brought up to date";
                        Some(Err(TrustError::new(TrustErrorKind::Impossible, role, sentence)))
                    }
                    Err(error) => Some(Err(error)),
                }
            }
        }
    }
}

impl Target {
    /// Checks the file's bytes (specification 5.7.3).
    ///
    /// # Errors
    /// `wrong-length`, `wrong-hash`.
    pub fn check(&self, bytes: &[u8]) -> Result<(), TrustError> {
        check_content(&self.path, bytes, Some(self.file.length), Some(&self.file.hashes))
    }
}

fn target(
    trusted: &Trusted,
    path: &str,
    role: String,
    file: TargetFile,
    limits: &Limits,
) -> Result<Target, TrustError> {
    if file.length > limits.trust.target_bytes {
        let most = limits.trust.target_bytes;
        let sentence = format!("{} bytes are signed, more than the {most} allowed", file.length);
        return Err(TrustError::new(TrustErrorKind::TooMany, path, sentence));
    }
    // 5.7.3: with any of the hashes in its name; the most usual one first.
    let hash = file.hashes.get("sha256").or_else(|| file.hashes.values().next());
    let hash = hash.filter(|_| trusted.root().consistent_snapshot).map(String::as_str);
    let fetch = Fetch { path: location::hashed_file(path, hash), max_bytes: file.length };
    Ok(Target { path: path.to_owned(), role, file, fetch })
}

#[cfg(test)]
mod tests;
