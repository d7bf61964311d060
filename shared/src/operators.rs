//! The messages of the operators' HTTP interface (`/api/v1/…`), used by the server and the release engineers' tool.
//!
//! Requests refuse unknown fields; responses may grow, so readers must ignore fields they do not know. Percentages are
//! basis points, 0 to 10,000, everywhere. With the feature `openapi` each message also describes itself.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Sha256Digest;
pub use crate::gates::GateState;
use crate::recipe::Opens;
use crate::tuf::Person;

pub mod address;
mod ceremonies;
mod gates;
mod problem;
mod proposals;
#[cfg(feature = "openapi")]
pub mod schema;

pub use address::Address;
pub use ceremonies::{
    CeremoniesResponse, CeremonyPart, CeremonyRequest, CeremonyResponse, CeremonyStatus, DroppedCeremony,
    ShownCeremony,
};
pub use gates::{GateEnd, GateRequest, GateResponse, GateStatus, NextStep, SetBy, Stop, StopKind};
pub use problem::{Problem, ProblemKind};
pub use proposals::{
    DropRequest, DropResponse, ProposalOutcome, ProposalRequest, ProposalResponse, ProposalState,
    ProposalStatus, ProposalsResponse, ProposeResponse, ProposedChange, ProposedRecipe, SignatureRequest,
    SignatureStatus,
};

/// Media type of every error answer (RFC 9457 section 3).
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// Bytes that travel as standard base64 text with padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl std::fmt::Debug for Base64 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// What a bearer token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Submit lane metadata that people signed, and proposals and signatures on the way there.
    Publish,
    /// Open, pause and end gates.
    Gate,
    /// Read status. Every token may.
    Read,
}

impl Scope {
    /// The name used on command lines and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Gate => "gate",
            Self::Read => "read",
        }
    }
}

/// `POST /api/v1/lanes/{lane}`: the next metadata of a lane, and the recipes that the server does not hold yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The lane's targets metadata exactly as people signed it.
    #[cfg_attr(feature = "openapi", schema(value_type = Base64))]
    pub metadata: Base64,
    /// Published recipe bytes by path (`emergency/<slug>.json`); only those that are new.
    #[cfg_attr(feature = "openapi", schema(value_type = schema::Recipes))]
    pub recipes: BTreeMap<String, Base64>,
    /// Slugs that are meant to disappear from the lane. A recipe that disappears without being named here is refused.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::recipe::Slug>))]
    pub withdraw: Vec<String>,
}

/// Answer to a publish: it is durable and served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishResponse {
    /// The edition (snapshot version) that first contains it.
    pub edition: u64,
    /// The lane, `emergency` or `routine`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::recipe::Lane))]
    pub lane: String,
    /// Version of the lane's metadata.
    pub lane_version: u64,
    /// Slugs that the lane no longer contains.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<crate::recipe::Slug>))]
    pub withdrawn: Vec<String>,
    /// Recipes of the lane as they stand now, by path.
    pub recipes: Vec<RecipeStatus>,
    /// Head of the ledger after it.
    pub ledger: LedgerHead,
}

/// `GET /api/v1/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusResponse {
    /// The server's time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub now: Timestamp,
    /// Whether that time was shifted by `--clock-start`: a rehearsal.
    pub clock_shifted: bool,
    /// The served edition (snapshot version).
    pub edition: u64,
    /// All published recipes, by path.
    pub recipes: Vec<RecipeStatus>,
    /// Every metadata document that is served, root first.
    pub expiries: Vec<ExpiryStatus>,
    /// How many proposals wait for signatures; overtaken ones do not count.
    #[serde(default)]
    pub proposals_waiting: usize,
    /// Head of the ledger: what is recorded, even if it is not served yet.
    pub ledger: LedgerHead,
    /// What an operator must look at, a sentence each; none when all is well. Older servers do not say.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// The name of the token that asks. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
    /// The person whose token asks, where that is known. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by_person: Option<Person>,
}

/// One published recipe and its gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecipeStatus {
    /// `emergency/<slug>.json` or `routine/<slug>.json`.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::recipe::RecipePath))]
    pub path: String,
    /// The lane.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::recipe::Lane))]
    pub lane: String,
    /// The slug.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::recipe::Slug))]
    pub slug: String,
    /// The published revision.
    pub revision: u64,
    /// Its name, for people.
    pub name: String,
    /// Its action, such as `install-certificates`.
    pub action: String,
    /// SHA-256 of the published bytes.
    pub sha256: Sha256Digest,
    /// The most that people signed, in basis points.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::sampling::BasisPoints))]
    pub max_percent: u16,
    /// Start of its window, if it has one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub starts: Option<Timestamp>,
    /// End of its window.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: Timestamp,
    /// The gate of this revision; none means closed.
    pub gate: Option<GateStatus>,
    /// Who may open it. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Opens>,
    /// What `gate end` does on clients that have it. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_gate_end: Option<GateEnd>,
    /// The share it is open to now, in basis points, as clients see it: the smaller of `max_percent` and an open gate, 0 when
    /// closed, paused, ended or outside its window, and where clients take the gate for closed.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::sampling::BasisPoints))]
    pub effective_percent: u16,
    /// Why clients take nothing new though the gate is open and the window, too. None: they do take it. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_to_clients: Option<String>,
    /// The next step of its plan, which one person may take alone. None: it has no plan, or the plan has come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<NextStep>,
}

/// Who keeps a role's metadata alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SignedBy {
    /// People, with offline keys: due 14 days before expiry.
    People,
    /// The server: due at half its life, which means that re-signing does not work.
    Server,
}

/// Expiry of one role's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExpiryStatus {
    /// The role: `root`, `targets`, `emergency`, `routine`, `gates`, `snapshot`, `timestamp`.
    pub role: String,
    /// Version of its metadata.
    pub version: u64,
    /// When it expires.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: Timestamp,
    /// From when on it is due.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub due_from: Timestamp,
    /// Whether it is due at the server's time.
    pub due: bool,
    /// Who signs it.
    pub signed_by: SignedBy,
}

/// The head of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerHead {
    /// Number of the last event; the first is 1.
    pub sequence: u64,
    /// Hash of the last event, which covers all before it.
    pub head: Sha256Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_travel_as_base64_and_bad_text_is_refused() {
        let request = PublishRequest {
            metadata: Base64(vec![0, 255]),
            recipes: BTreeMap::from([("emergency/a.json".to_owned(), Base64(b"{}".to_vec()))]),
            withdraw: vec![],
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, r#"{"metadata":"AP8=","recipes":{"emergency/a.json":"e30="},"withdraw":[]}"#);
        assert_eq!(serde_json::from_str::<PublishRequest>(&text).unwrap(), request);
        assert!(serde_json::from_str::<PublishRequest>(r#"{"metadata":"AP8","recipes":{}}"#).is_err());
        assert!(serde_json::from_str::<PublishRequest>(r#"{"metadata":"","recipes":{},"force":1}"#).is_err());
    }
}
