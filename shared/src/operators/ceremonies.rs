//! Messages about ceremonies. What a server says of one is for listings: whoever signs reads the document itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LedgerHead, ProposalOutcome, ProposalState};
use crate::ceremony::Document;
use crate::digest::Sha256Digest;
use crate::proposal::Role;
use crate::tuf::Person;

/// `POST /api/v1/ceremonies`: a ceremony, with the signatures it has. Handing in one that is there adds its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CeremonyRequest {
    /// The ceremony, without `base`.
    pub ceremony: Document,
}

/// Answer to a ceremony: it is durable, and served where it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CeremonyResponse {
    /// What became of it.
    pub outcome: ProposalOutcome,
    /// Its id.
    pub id: Sha256Digest,
    /// While it waits.
    pub ceremony: Option<CeremonyStatus>,
    /// The edition (snapshot version) that is served now.
    pub edition: u64,
    /// Open gates that clients take for closed now, a sentence each: a key under their opening may count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
    /// Head of the ledger after it.
    pub ledger: LedgerHead,
}

/// `GET /api/v1/ceremonies`: all that are kept, older ones first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CeremoniesResponse {
    /// The ceremonies.
    pub ceremonies: Vec<CeremonyStatus>,
}

/// `GET /api/v1/ceremonies/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShownCeremony {
    /// What the server says of it.
    pub status: CeremonyStatus,
    /// The document itself: what counts.
    pub ceremony: Document,
}

/// Answer to `POST /api/v1/ceremonies/{id}/drop`, which takes a reason as for a proposal: it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DroppedCeremony {
    /// The ceremony as it was, whose signatures are void now.
    pub dropped: CeremonyStatus,
}

/// One ceremony, as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CeremonyStatus {
    /// SHA-256 that names it.
    pub id: Sha256Digest,
    /// Whether it can still be signed.
    pub state: ProposalState,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub made: Timestamp,
    /// The name of the token that made it.
    pub by: String,
    /// The person whose token it is, where that is known. Older servers do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_person: Option<Person>,
    /// Each part, once for each group of keys that must sign it.
    pub parts: Vec<CeremonyPart>,
}

/// One part, and how far one group of keys has signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CeremonyPart {
    /// The role.
    pub role: Role,
    /// The version it would have.
    pub version: u64,
    /// Until when it would be valid.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: Timestamp,
    /// Whether it is the keys in force now that sign, and not those in force after it.
    pub by_present_keys: bool,
    /// Who has signed.
    pub signed: Vec<String>,
    /// How many distinct keys must sign.
    pub needed: u32,
    /// How many are missing.
    pub missing: u32,
    /// Who may sign and has not.
    pub may_sign: Vec<String>,
}
