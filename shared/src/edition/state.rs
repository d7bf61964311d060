//! What a client keeps between refreshes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::profile::{self, Listed, Listing};
use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::recipe::Lane;
use crate::tuf::error::{TrustError, TrustErrorKind};
use crate::tuf::trusted::{Trusted, check_content};
use crate::tuf::verify::{self, Verified};

/// The trusted metadata and the files it vouches for. Always whole: a step of a refresh enters it entirely or not at all.
///
/// Everything in it verifies under its newest root. So when people's keys rotate and the re-signed lane has not arrived
/// yet, the lane counts as unknown: nothing newly enrols from it and nothing is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustState {
    pub(super) trusted: Trusted,
    pub(super) files: BTreeMap<Sha256Digest, Arc<[u8]>>,
}

/// A file that trusted metadata vouches for and that is not here yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Path as signed.
    pub(super) path: String,
    pub(super) sha256: Sha256Digest,
    pub(super) length: u64,
}

const ROOT: &str = "root.json";
const TIMESTAMP: &str = "timestamp.json";
const SNAPSHOT: &str = "snapshot.json";
const FILES: &str = "files/";

impl TrustState {
    /// A fresh client that trusts this root. It may have expired: that is judged in a refresh, after newer roots.
    ///
    /// # Errors
    /// When the root is not signed by its own threshold of keys, or is no root.
    pub fn pinned(root: &[u8], limits: &Limits) -> Result<Self, TrustError> {
        let root = verify::pinned_root(root, limits)?;
        Ok(Self { trusted: Trusted::new(root, profile::FLOOR), files: BTreeMap::new() })
    }

    /// The trusted metadata.
    #[must_use]
    pub fn trusted(&self) -> &Trusted {
        &self.trusted
    }

    /// Everything to store: metadata under unversioned names, content under `files/<sha256>`. Names are single path
    /// segments or `files/` and one; the map is the whole state.
    #[must_use]
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut out = BTreeMap::from([(ROOT.to_owned(), self.trusted.root().bytes().to_vec())]);
        if let Some(timestamp) = self.trusted.timestamp() {
            out.insert(TIMESTAMP.to_owned(), timestamp.bytes().to_vec());
        }
        if let Some(snapshot) = self.trusted.snapshot() {
            out.insert(SNAPSHOT.to_owned(), snapshot.bytes().to_vec());
        }
        for role in std::iter::once("targets").chain(profile::DELEGATED) {
            let held = self.trusted.targets(role).map(Verified::bytes);
            if let Some(bytes) = held.or_else(|| self.trusted.waiting(role)) {
                out.insert(format!("{role}.json"), bytes.to_vec());
            }
        }
        for (sha256, bytes) in &self.files {
            out.insert(format!("{FILES}{sha256}"), bytes.to_vec());
        }
        out
    }

    /// Reads back what [`Self::to_files`] gave, verifying everything again except expiry, which is judged when used.
    ///
    /// A stored file that no longer verifies (a damaged disk) is left out and reported: the next refresh fetches it
    /// again. A client that cannot start would be worse.
    ///
    /// # Errors
    /// Only when the root itself is missing or does not verify: nothing can be trusted then, and the client must be
    /// initialised again.
    pub fn from_files(
        files: &BTreeMap<String, Vec<u8>>,
        limits: &Limits,
    ) -> Result<(Self, Vec<TrustError>), TrustError> {
        let root = files.get(ROOT).ok_or_else(|| {
            let sentence =
                "the stored trust has no root.json; initialise this client again from a pinned root";
            TrustError::new(TrustErrorKind::Absent, "root", sentence)
        })?;
        let mut state = Self::pinned(root, limits)?;
        let mut damaged = Vec::new();
        let trusted = &mut state.trusted;
        if let Some(bytes) = files.get(TIMESTAMP) {
            damaged.extend(trusted.restore_timestamp(bytes, limits).err());
        }
        if let Some(bytes) = files.get(SNAPSHOT) {
            damaged.extend(trusted.restore_snapshot(bytes, limits).err());
        }
        for role in std::iter::once("targets").chain(profile::DELEGATED) {
            let Some(bytes) = files.get(&format!("{role}.json")) else { continue };
            let restored =
                trusted.verify_targets_signatures(role, "targets", bytes, limits).and_then(|metadata| {
                    if role != "targets" {
                        profile::check(role, &metadata, limits)?;
                    }
                    Ok(metadata)
                });
            match restored {
                Ok(metadata) => trusted.accept_targets(role, "targets", metadata, limits),
                // The root has changed, and the targets under it have not arrived yet.
                Err(error) if error.kind == TrustErrorKind::NotDelegated => {
                    trusted.wait_for_delegator(role, "targets", bytes.as_slice().into());
                }
                Err(error) => damaged.push(error),
            }
        }
        for wanted in state.wanted(limits) {
            let Some(bytes) = files.get(&format!("{FILES}{}", wanted.sha256)) else { continue };
            damaged.extend(state.accept_file(&wanted, bytes.clone()).err());
        }
        Ok((state, damaged))
    }

    /// What the trusted metadata vouches for and is not here, emergency first, gates last; within the edition's budget.
    pub(super) fn wanted(&self, limits: &Limits) -> Vec<Wanted> {
        let mut wanted: Vec<Wanted> = self
            .usable(limits)
            .filter(|listed| !self.files.contains_key(&listed.sha256))
            .map(|listed| Wanted {
                path: listed.path.to_string(),
                sha256: listed.sha256,
                length: listed.length,
            })
            .collect();
        if let Some((sha256, length)) = self.gates_file(limits)
            && !self.files.contains_key(&sha256)
        {
            wanted.push(Wanted { path: profile::GATES_FILE.to_owned(), sha256, length });
        }
        wanted
    }

    /// Step 5.7.3 for one file.
    pub(super) fn accept_file(&mut self, wanted: &Wanted, bytes: Vec<u8>) -> Result<(), TrustError> {
        let hashes = BTreeMap::from([("sha256".to_owned(), wanted.sha256.to_string())]);
        check_content(&wanted.path, &bytes, Some(wanted.length), Some(&hashes))?;
        self.files.insert(wanted.sha256, bytes.into());
        Ok(())
    }

    /// Forgets files that nothing vouches for any more.
    pub(super) fn prune(&mut self, limits: &Limits) {
        let mut kept: BTreeSet<Sha256Digest> = self.usable(limits).map(|listed| listed.sha256).collect();
        kept.extend(self.gates_file(limits).map(|(sha256, _)| sha256));
        self.files.retain(|sha256, _| kept.contains(sha256));
    }

    /// SHA-256 and length of `gates.json`, when the gates role lists it.
    pub(super) fn gates_file(&self, limits: &Limits) -> Option<(Sha256Digest, u64)> {
        let file = self.trusted.targets(profile::GATES)?.targets.get(profile::GATES_FILE)?;
        (file.length <= limits.trust.file_bytes).then_some((file.sha256()?, file.length))
    }

    /// What each lane with verified content lists, emergency first. Recipes beyond the edition's budget are refused, so the
    /// emergency lane is the last to suffer.
    pub(super) fn listings(&self, limits: &Limits) -> Vec<(Lane, Listing)> {
        let mut budget = limits.trust.edition_bytes;
        let mut listings = Vec::new();
        for lane in Lane::ALL.into_iter().filter(|lane| self.trusted.targets(lane.as_str()).is_some()) {
            let mut listing = profile::list(lane, &self.trusted, limits);
            for (path, entry) in &mut listing.recipes {
                let Ok(listed) = entry else { continue };
                if let Some(left) = budget.checked_sub(listed.length) {
                    budget = left;
                    continue;
                }
                let sentence = format!(
                    "the recipes before it fill the {} bytes of an edition; withdraw some",
                    limits.trust.edition_bytes
                );
                *entry = Err(TrustError::new(TrustErrorKind::TooMany, path.to_string(), sentence));
            }
            listings.push((lane, listing));
        }
        listings
    }

    fn usable(&self, limits: &Limits) -> impl Iterator<Item = Listed> {
        let listings = self.listings(limits).into_iter();
        listings.flat_map(|(_, listing)| listing.recipes).filter_map(|(_, entry)| entry.ok())
    }
}
