//! Editions: what the server signs with its online keys over what people signed.
//!
//! An edition is built from the state, made durable, and only then served. Signing again what did not change is no event
//! of the ledger.

pub mod store;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::profile;
use mulberry_shared::edition::write::{self, Life};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{Base64, LedgerHead};
use mulberry_shared::tuf::metadata::{self, Snapshot, TargetFile, Targets};
use mulberry_shared::tuf::{TrustError, TrustErrorKind, Verified, verify};
use serde::{Deserialize, Serialize};

use crate::clock::watch::Doubt;
use crate::keys::OnlineKeys;
use crate::state::State;

/// The format of a stored edition beside which nothing is doubted.
const PLAIN: u64 = 1;

/// The newest format of a stored edition that this program reads: with what is doubted of the clock.
const FORMAT: u64 = 2;

/// How often the timestamp is signed again.
const TIMESTAMP_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// What the server signed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// The bytes of `gates.json`.
    pub gates_file: Arc<[u8]>,
    /// Metadata of the gates role.
    pub gates: Verified<Targets>,
    /// The snapshot; its version is the edition's number.
    pub snapshot: Verified<Snapshot>,
    /// The timestamp.
    pub timestamp: Verified<metadata::Timestamp>,
    /// What was doubted of the server's clock when it was signed. Nobody else sees it.
    pub doubt: Option<Doubt>,
}

/// What has to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Nothing.
    Nothing,
    /// A timestamp over the same snapshot.
    Timestamp,
    /// A new snapshot, over new gates where they changed or age.
    Snapshot,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u64,
    gates_file: Base64,
    gates: Base64,
    snapshot: Base64,
    timestamp: Base64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<Doubt>,
}

/// A stored edition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoredEditionError {
    /// It was written by a newer program.
    #[error(
        "the stored edition has format {0}, this program knows {FORMAT}; use a newer program, nothing was changed"
    )]
    NewerFormat(u64),
    /// It cannot be read.
    #[error(
        "the stored edition cannot be read: {0}; move edition.json away from the state folder and start again: it is signed again"
    )]
    Malformed(String),
    /// It was not signed by keys that the metadata names.
    #[error(
        "the stored edition is refused: {0}; move edition.json away from the state folder and start again: it is signed again"
    )]
    Refused(#[from] TrustError),
}

impl Edition {
    /// The edition's number: the snapshot's version.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.snapshot.version
    }

    /// The ledger's head that the timestamp names; the empty one when it names none.
    #[must_use]
    pub fn ledger(&self) -> LedgerHead {
        self.timestamp.ledger.map_or(crate::ledger::EMPTY, |ledger| LedgerHead {
            sequence: ledger.sequence,
            head: ledger.head,
        })
    }

    /// Whether what it lists is what the state has: then it can be served although later events changed something else.
    #[must_use]
    pub fn fits(&self, state: &State) -> bool {
        let lists =
            |role: &str, version| self.snapshot.role(role).is_some_and(|listed| listed.version == version);
        lists("targets", state.targets.version)
            && state.lanes.iter().all(|(lane, content)| lists(lane.as_str(), content.metadata.version))
    }

    /// The form in which it is stored.
    ///
    /// # Errors
    /// None is known.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Stored {
            format: if self.doubt.is_some() { FORMAT } else { PLAIN },
            gates_file: Base64(self.gates_file.to_vec()),
            gates: Base64(self.gates.bytes().to_vec()),
            snapshot: Base64(self.snapshot.bytes().to_vec()),
            timestamp: Base64(self.timestamp.bytes().to_vec()),
            doubt: self.doubt,
        })
    }

    /// Reads and verifies a stored edition.
    ///
    /// # Errors
    /// [`StoredEditionError`].
    pub fn from_bytes(bytes: &[u8], state: &State, limits: &Limits) -> Result<Self, StoredEditionError> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let malformed = |error: serde_json::Error| StoredEditionError::Malformed(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format > FORMAT {
            return Err(StoredEditionError::NewerFormat(format));
        }
        let stored: Stored = serde_json::from_slice(bytes).map_err(malformed)?;
        let edition = Self {
            gates: verify_gates(state, &stored.gates.0, limits)?,
            gates_file: stored.gates_file.0.into(),
            snapshot: verify::top_level(&state.root, &stored.snapshot.0, limits)?,
            timestamp: verify::top_level(&state.root, &stored.timestamp.0, limits)?,
            doubt: stored.doubt,
        };
        let listed = edition.gates.targets.get(profile::GATES_FILE).and_then(TargetFile::sha256);
        if listed != Some(Sha256Digest::of(&edition.gates_file)) {
            return Err(StoredEditionError::Malformed(
                "gates.json is not the one that was signed".to_owned(),
            ));
        }
        Ok(edition)
    }
}

/// The ledger's head that a stored edition names, which keys signed that count no more: people may have changed the online
/// keys, and the server ended before it signed with the new ones. `None` when no root in the chain vouches for it.
#[must_use]
pub fn outdated(bytes: &[u8], state: &State, limits: &Limits) -> Option<LedgerHead> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    let under = |root| verify::top_level::<metadata::Timestamp>(root, &stored.timestamp.0, limits).ok();
    let timestamp = state.roots.iter().rev().find_map(under)?;
    let ledger = timestamp.ledger?;
    Some(LedgerHead { sequence: ledger.sequence, head: ledger.head })
}

/// What has to be signed at `now`, given what was signed last.
#[must_use]
pub fn due(edition: Option<&Edition>, state: &State, now: Timestamp) -> Work {
    let Some(edition) = edition else { return Work::Snapshot };
    let changed = edition.ledger() != state.head;
    if changed
        || ages(edition.snapshot.expires, Life::Online, now)
        || ages(edition.gates.expires, Life::Online, now)
    {
        return Work::Snapshot;
    }
    // One that an earlier program signed names no link.
    if edition.timestamp.ledger.and_then(|ledger| ledger.link).is_none() {
        return Work::Timestamp;
    }
    match edition.timestamp.signed_at {
        // Signed later than now: the clock was set back, and readers' clocks are probably right.
        Some(signed) if signed <= now && now.duration_since(signed) < TIMESTAMP_EVERY => Work::Nothing,
        _ => Work::Timestamp,
    }
}

/// The next edition: does `work` (at least a timestamp) on top of `previous`.
///
/// # Errors
/// A key that cannot sign or is not trusted, or versions that are exhausted.
pub fn next(
    previous: Option<&Edition>,
    state: &State,
    keys: &OnlineKeys,
    now: Timestamp,
    work: Work,
    limits: &Limits,
) -> Result<Edition, TrustError> {
    let (gates_file, gates, snapshot) = match previous {
        Some(previous) if work < Work::Snapshot => {
            (previous.gates_file.clone(), previous.gates.clone(), previous.snapshot.clone())
        }
        _ => {
            let (file, gates) = next_gates(previous, state, keys, now, limits)?;
            let snapshot = next_snapshot(previous, state, &gates, keys, now, limits)?;
            (file, gates, snapshot)
        }
    };
    let version = next_version(previous, |previous| previous.timestamp.version, state, now, limits)?;
    let link = state.links.head();
    let ledger = metadata::LedgerHead {
        sequence: state.head.sequence,
        head: state.head.head,
        link: link.map(|head| head.link),
        id: link.map(|head| head.ledger),
    };
    let body = write::timestamp(
        version,
        Life::Timestamp.from(now),
        (snapshot.version, snapshot.bytes()),
        now,
        Some(ledger),
    );
    // Each document goes through the verifier before anyone sees it: what clients would refuse is never published.
    let timestamp = verify::top_level(&state.root, &write::sign(&body, &[&keys.timestamp])?, limits)?;
    let doubt = previous.and_then(|previous| previous.doubt);
    Ok(Edition { gates_file, gates, snapshot, timestamp, doubt })
}

fn next_gates(
    previous: Option<&Edition>,
    state: &State,
    keys: &OnlineKeys,
    now: Timestamp,
    limits: &Limits,
) -> Result<(Arc<[u8]>, Verified<Targets>), TrustError> {
    let file: Arc<[u8]> = state.gates.write().into();
    if let Some(previous) = previous
        && previous.gates_file == file
        && !ages(previous.gates.expires, Life::Online, now)
        && verify_gates(state, previous.gates.bytes(), limits).is_ok()
    {
        return Ok((file, previous.gates.clone()));
    }
    let version = next_version(previous, |previous| previous.gates.version, state, now, limits)?;
    let body = write::gates(version, Life::Online.from(now), &file);
    let gates = verify_gates(state, &write::sign(&body, &[&keys.gates])?, limits)?;
    Ok((file, gates))
}

fn next_snapshot(
    previous: Option<&Edition>,
    state: &State,
    gates: &Verified<Targets>,
    keys: &OnlineKeys,
    now: Timestamp,
    limits: &Limits,
) -> Result<Verified<Snapshot>, TrustError> {
    let mut roles: Vec<(&str, u64, &[u8])> =
        vec![("targets", state.targets.version, state.targets.bytes().as_ref())];
    for (lane, content) in &state.lanes {
        roles.push((lane.as_str(), content.metadata.version, content.metadata.bytes().as_ref()));
    }
    roles.push((profile::GATES, gates.version, gates.bytes().as_ref()));
    let version = next_version(previous, Edition::number, state, now, limits)?;
    let body = write::snapshot(version, Life::Online.from(now), &roles);
    verify::top_level(&state.root, &write::sign(&body, &[&keys.snapshot])?, limits)
}

/// How long a clock that was ahead is thought to have gone on signing after its last event: a version a second.
const AHEAD: u64 = 24 * 3_600;

/// The next version of an online role: above what this server signed before, and what a lost one is known to have signed.
///
/// Versions are never below the time, so a clock that was ahead has left them ahead. That is nothing to a server that knows what it
/// signed last. One that was restored from the ledger alone begins a day above the latest time in there, where that lies ahead:
/// else clients would refuse what it signs until that time has come.
///
/// Where the keys of timestamp or snapshot have changed since, whatever a thief of the old ones signed binds nobody: clients
/// forget the versions of all three (specification 5.3.11), and so do we where they lie ahead of the clock.
fn next_version(
    previous: Option<&Edition>,
    version: impl Fn(&Edition) -> u64,
    state: &State,
    now: Timestamp,
    limits: &Limits,
) -> Result<u64, TrustError> {
    let rotated = |previous: &Edition| {
        let root = &state.root;
        verify::top_level::<metadata::Timestamp>(root, previous.timestamp.bytes(), limits).is_err()
            || verify::top_level::<Snapshot>(root, previous.snapshot.bytes(), limits).is_err()
    };
    let time = u64::try_from(now.as_second()).unwrap_or(0);
    let floor = previous.map(|edition| match version(edition) {
        ahead if ahead > time && rotated(edition) => time,
        version => version,
    });
    let seconds = |at: Timestamp| u64::try_from(at.as_second()).unwrap_or(0);
    let ahead =
        (previous.is_none() && state.latest > now).then(|| seconds(state.latest).saturating_add(AHEAD));
    write::next_version(floor.max(ahead).max(Some(state.above).filter(|above| *above > 0)), now)
}

fn verify_gates(state: &State, bytes: &[u8], limits: &Limits) -> Result<Verified<Targets>, TrustError> {
    let gates = verify::delegated(&state.targets, "targets", profile::GATES, bytes, limits)?;
    profile::check(profile::GATES, &gates, limits)?;
    if gates.targets.contains_key(profile::GATES_FILE) {
        return Ok(gates);
    }
    Err(TrustError::new(TrustErrorKind::AgainstProfile, profile::GATES, "it does not list gates.json"))
}

/// Whether a third of its life is over: well before half of it, where the heartbeat fails. Also when it expires later
/// than anything signed now would, since then the clock was set back.
fn ages(expires: Timestamp, life: Life, now: Timestamp) -> bool {
    let left = expires.duration_since(now);
    left <= life.duration() * 2 / 3 || left > life.duration()
}
