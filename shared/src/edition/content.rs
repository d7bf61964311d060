//! One consistent published set, as decisions read it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp as Instant;

use super::profile::{self, Listing};
use super::state::TrustState;
use super::waiver::Waiver;
use crate::decide::{EditionView, Freshness, RecipeEntry};
use crate::digest::Sha256Digest;
use crate::gates::{Gate, ReadGates, UnreadableGates};
use crate::limits::Limits;
use crate::recipe::{Lane, RecipePath};
use crate::tuf::error::{TrustError, TrustErrorKind};
use crate::tuf::metadata::{Body, LedgerHead};
use crate::tuf::verify::Verified;

/// What the last refreshes verified. Each lane stands alone: one keeps its last verified content while the other moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Version of the snapshot. 0 while the snapshot's keys have rotated and the new snapshot has not arrived.
    pub number: u64,
    /// When the timestamp was signed. For judging the clock (`crate::clock`); never a floor for what is refreshed.
    pub signed_at: Option<Instant>,
    /// Head of the server's ledger.
    pub ledger: Option<LedgerHead>,
    /// Lanes with verified content. A lane that is absent here is unknown, not empty.
    pub lanes: BTreeMap<Lane, LaneContent>,
    /// The gates that the trusted snapshot names, when they are here whole.
    pub gates: Option<GatesContent>,
    /// Of each gate that carries people's signatures for what its lane lists: whether enough of the lane's keys signed.
    pub approvals: BTreeMap<RecipePath, Result<(), TrustError>>,
    /// Expiry of every role that is here, in TUF's order.
    pub expiries: Vec<RoleExpiry>,
}

/// A lane's verified content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneContent {
    /// Version of the lane's metadata.
    pub version: u64,
    /// When it expires.
    pub expires: Instant,
    /// The recipes it lists, in order of their paths.
    pub recipes: Vec<LaneRecipe>,
}

/// One recipe of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRecipe {
    /// Its path.
    pub path: RecipePath,
    /// Hash and bytes, or why they are not here. The bytes of an earlier revision never stand in.
    pub content: Result<RecipeContent, TrustError>,
}

/// A recipe's verified bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipeContent {
    /// Their SHA-256.
    pub sha256: Sha256Digest,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

/// The gates file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatesContent {
    /// Version of the gates role.
    pub version: u64,
    /// When it expires.
    pub expires: Instant,
    /// The bytes of `gates.json`.
    pub bytes: Arc<[u8]>,
    /// What they say.
    pub read: Result<ReadGates, UnreadableGates>,
}

/// When a role expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleExpiry {
    /// The role.
    pub role: String,
    /// The version that is here.
    pub version: u64,
    /// When it expires.
    pub expires: Instant,
}

impl TrustState {
    /// The edition that decisions read; `None` before targets was ever verified under the current root.
    #[must_use]
    pub fn edition(&self, limits: &Limits) -> Option<Edition> {
        let trusted = self.trusted();
        trusted.targets("targets")?;
        let lanes = self.listings(limits).into_iter();
        let lanes = lanes.filter_map(|(lane, listing)| Some((lane, self.lane(lane, listing)?))).collect();
        let gates = self.gates(limits);
        let timestamp = trusted.timestamp();
        Some(Edition {
            number: trusted.snapshot().map_or(0, |snapshot| snapshot.version),
            signed_at: timestamp.and_then(|timestamp| timestamp.signed_at),
            ledger: timestamp.and_then(|timestamp| timestamp.ledger),
            approvals: self.approvals(&lanes, gates.as_ref(), limits),
            lanes,
            gates,
            expiries: self.expiries(),
        })
    }

    /// When each role that is here expires, in TUF's order.
    #[must_use]
    pub fn expiries(&self) -> Vec<RoleExpiry> {
        let trusted = self.trusted();
        let mut out = vec![expiry("root", trusted.root())];
        out.extend(trusted.timestamp().map(|held| expiry("timestamp", held)));
        out.extend(trusted.snapshot().map(|held| expiry("snapshot", held)));
        for role in std::iter::once("targets").chain(profile::DELEGATED) {
            out.extend(trusted.targets(role).map(|held| expiry(role, held)));
        }
        out
    }

    fn lane(&self, lane: Lane, listing: Listing) -> Option<LaneContent> {
        let metadata = self.trusted().targets(lane.as_str())?;
        let recipes = listing
            .recipes
            .into_iter()
            .map(|(path, listed)| {
                let content = listed.and_then(|listed| match self.files.get(&listed.sha256) {
                    Some(bytes) => Ok(RecipeContent { sha256: listed.sha256, bytes: Arc::clone(bytes) }),
                    None => Err(TrustError::new(
                        TrustErrorKind::Absent,
                        path.to_string(),
                        "it is published, and its file has not arrived yet; the next refresh asks again",
                    )),
                });
                LaneRecipe { path, content }
            })
            .collect();
        Some(LaneContent { version: metadata.version, expires: metadata.expires, recipes })
    }

    /// People's signatures under gates, checked as those under a lane are: with the lane's keys, as many as it needs.
    fn approvals(
        &self,
        lanes: &BTreeMap<Lane, LaneContent>,
        gates: Option<&GatesContent>,
        limits: &Limits,
    ) -> BTreeMap<RecipePath, Result<(), TrustError>> {
        let listed: BTreeMap<&RecipePath, &LaneRecipe> =
            lanes.values().flat_map(|lane| &lane.recipes).map(|listed| (&listed.path, listed)).collect();
        let check = |(path, gate): (&RecipePath, &Gate)| {
            let sha256 = listed.get(path)?.content.as_ref().ok()?.sha256;
            let checked = gate.check_approval(path, sha256, self.trusted().targets("targets")?, limits)?;
            Some((path.clone(), checked))
        };
        let read = gates.and_then(|gates| gates.read.as_ref().ok());
        read.iter().flat_map(|read| &read.gates.0).filter_map(check).collect()
    }

    /// Only what timestamp and snapshot now name: an origin that withholds newer gates cannot keep older ones in force.
    fn gates(&self, limits: &Limits) -> Option<GatesContent> {
        let trusted = self.trusted();
        if !trusted.has_expected_snapshot() || !trusted.has_expected_targets(profile::GATES, "targets") {
            return None;
        }
        let metadata = trusted.targets(profile::GATES)?;
        let (sha256, _) = self.gates_file(limits)?;
        let bytes = Arc::clone(self.files.get(&sha256)?);
        let read = ReadGates::read(&bytes, limits);
        Some(GatesContent { version: metadata.version, expires: metadata.expires, bytes, read })
    }
}

impl Edition {
    /// What decisions need, at one time.
    ///
    /// A lane whose metadata, or the targets or root above it, has expired still says what was published; nothing new is
    /// taken from it. Gates count only while they and everything above them are unexpired: without them nothing newly
    /// opens and nothing is undone. A recipe whose file is missing comes with empty bytes: unreadable, but not withdrawn.
    #[must_use]
    pub fn view(&self, now: Instant) -> EditionView {
        self.view_waiving(now, &Waiver::NONE)
    }

    /// As [`Self::view`], where the expiry of what the server signs does not count as far as `waiver` names it.
    ///
    /// Gates are then as valid as they were when they were signed: they open, pause and end. But an edition that needs the
    /// waiver is [`Freshness::Waived`]: it proves nothing about today's date.
    #[must_use]
    pub fn view_waiving(&self, now: Instant, waiver: &Waiver) -> EditionView {
        let unexpired =
            |role: &str| self.expiries.iter().any(|expiry| expiry.role == role && now < expiry.expires);
        let counts = |role: &str| {
            unexpired(role) || waiver.covers(role) && self.expiries.iter().any(|held| held.role == role)
        };
        let people = unexpired("root") && unexpired("targets");
        let freshness = if people && unexpired("timestamp") && unexpired("snapshot") {
            Freshness::Current
        } else if people && counts("timestamp") && counts("snapshot") {
            Freshness::Waived
        } else {
            Freshness::Expired
        };
        let recipes = self.lanes.iter().flat_map(|(lane, content)| {
            let lane_current = people && unexpired(lane.as_str());
            content.recipes.iter().map(move |recipe| RecipeEntry {
                path: recipe.path.clone(),
                bytes: recipe.content.as_ref().map_or_else(|_| Arc::default(), |c| Arc::clone(&c.bytes)),
                lane_current,
            })
        });
        let gates = self.gates.as_ref().filter(|_| freshness != Freshness::Expired && counts(profile::GATES));
        let (gates, gates_fault) = match gates.map(|gates| &gates.read) {
            None => (None, None),
            Some(Ok(read)) => (Some(read.clone()), None),
            Some(Err(fault)) => (None, Some(fault.clone())),
        };
        EditionView {
            recipes: recipes.collect(),
            gates,
            gates_fault,
            approved: self.approvals.clone(),
            lanes_known: self.lanes.keys().copied().collect(),
            freshness,
        }
    }

    /// The version of a role that is here.
    #[must_use]
    pub fn version_of(&self, role: &str) -> Option<u64> {
        self.expiries.iter().find(|held| held.role == role).map(|held| held.version)
    }

    /// The roles that have expired at `now` and whose expiry `waiver` lets not count.
    pub fn waived(&self, now: Instant, waiver: &Waiver) -> impl Iterator<Item = &RoleExpiry> {
        self.expiries.iter().filter(move |held| waiver.covers(&held.role) && now >= held.expires)
    }
}

fn expiry<T: Body>(role: &str, held: &Verified<T>) -> RoleExpiry {
    RoleExpiry { role: role.to_owned(), version: held.version(), expires: held.expires() }
}
