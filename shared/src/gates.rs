//! How far one revision of a published recipe is open now.
//!
//! `gates.json` is signed by the server's online key. A gate speaks for one revision, and lists earlier ones that were ended; a
//! recipe without a gate is closed. A gate never opens a recipe wider than people signed it. Where only the lane's people may
//! open a recipe, the gate carries their signatures.
//!
//! Every gate is read by itself ([`ReadGates`]): what a reader does not understand in one closes that one, and neither opens
//! nor ends anything. So a later server may say more in a gate than an earlier agent knows.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::Approval;
use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::recipe::RecipePath;
use crate::sampling::BasisPoints;
use crate::tuf::{Targets, TrustError};

mod read;

pub use read::{End, GatesFault, ReadGates, Since, UnclearGate, UnreadableGates};

/// The `schema_version` that every agent knows.
const PLAIN: u64 = 1;

/// The `schema_version` of people's signatures. Agents that know no later one refuse the whole document at any member that
/// they do not know.
const APPROVED: u64 = 2;

/// The `schema_version` of ended revisions, and of signatures with an `open_until`.
const ENDED: u64 = 3;

/// What a gate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum GateState {
    /// Clients within the percentage may enrol.
    Open,
    /// Nobody new may enrol; whoever is enrolled stays.
    Paused,
    /// The revision is over: enrolments end, as the recipe's `on_end` says.
    Ended,
}

impl GateState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Open, Self::Paused, Self::Ended];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }
}

/// How far one revision is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The revision it speaks for, and no other.
    pub revision: u64,
    /// What it does.
    pub state: GateState,
    /// How far it is open; the recipe's own maximum narrows it.
    pub percent: BasisPoints,
    /// A word for the public; empty for none. Written as `reason`, which earlier agents require.
    #[serde(rename = "reason", alias = "note", default)]
    pub note: String,
    /// Since when.
    pub since: Timestamp,
    /// Earlier revisions of the recipe that were ended, so that a client that was away meets their end.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ended: BTreeSet<u64>,
    /// What the lane's people signed, where only they may open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

impl Gate {
    /// A gate without anything that it need not have.
    #[must_use]
    pub fn new(revision: u64, state: GateState, percent: BasisPoints, since: Timestamp) -> Self {
        let (note, ended, approval) = (String::new(), BTreeSet::new(), None);
        Self { revision, state, percent, note, since, ended, approval }
    }

    /// The lowest number whose readers know all that it has.
    fn schema_version(&self) -> u64 {
        match &self.approval {
            _ if !self.ended.is_empty() => ENDED,
            Some(approval) if approval.open_until.is_some() => ENDED,
            Some(_) => APPROVED,
            None => PLAIN,
        }
    }
}

/// All gates of an edition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates(pub BTreeMap<RecipePath, Gate>);

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u64,
    gates: &'a BTreeMap<RecipePath, Gate>,
}

impl Gates {
    /// `gates.json`: the same bytes for the same gates, under the lowest `schema_version` whose readers know all of it.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let schema_version = self.0.values().map(Gate::schema_version).max().unwrap_or(PLAIN);
        let document = Document { schema_version, gates: &self.0 };
        // Only maps with text keys, texts and integers: turning them into a JSON value cannot fail.
        serde_json::to_value(document).unwrap_or_default().to_string().into_bytes()
    }

    /// The gate that speaks for `revision` of the recipe at `path`.
    #[must_use]
    pub fn of(&self, path: &RecipePath, revision: u64) -> Option<&Gate> {
        self.0.get(path).filter(|gate| gate.revision == revision)
    }
}

impl Gate {
    /// Whether as many of the lane's people as must signed what is beside the gate, over these bytes of the recipe; `None` where
    /// nothing is.
    #[must_use]
    pub fn check_approval(
        &self,
        path: &RecipePath,
        sha256: Sha256Digest,
        targets: &Targets,
        limits: &Limits,
    ) -> Option<Result<(), TrustError>> {
        let approval = self.approval.as_ref()?;
        let opening = approval.opening(path, self.revision, sha256);
        let authority = targets.authority(path.lane.as_str(), "targets");
        let checked =
            authority.and_then(|authority| opening.check(authority, &approval.signatures, &limits.trust));
        Some(checked.map(drop))
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
