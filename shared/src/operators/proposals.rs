//! Messages about proposals. What a server says of one is for listings: whoever signs reads the document itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PublishResponse;
use crate::digest::Sha256Digest;
use crate::proposal::{Document, Role};
use crate::tuf::Person;

/// `POST /api/v1/proposals`: a proposal, with the signatures it has. Handing in one that is there adds its signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposalRequest {
    /// The proposal, without `base`.
    pub proposal: Document,
    /// The id of the proposal whose place it takes, at least its first six digits: that one is dropped, with its signatures.
    /// The same request again succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::schema::IdPrefix>))]
    pub replaces: Option<String>,
}

/// `POST /api/v1/proposals/{id}/signatures`: one person's signature over the canonical bytes of `signed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignatureRequest {
    /// The key's label in the role.
    pub keyid: String,
    /// The signature in hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(pattern = "^(?:[0-9a-fA-F]{2})+$"))]
    pub sig: String,
}

/// What became of a proposal or a signature that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProposalOutcome {
    /// It is kept, and waits for signatures.
    Waiting,
    /// With it enough people have signed: it is published.
    Published,
}

/// Answer to a proposal or signature: it is durable, and served where it was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposeResponse {
    /// What became of it.
    pub outcome: ProposalOutcome,
    /// The id of the proposal.
    pub id: Sha256Digest,
    /// While it waits.
    pub proposal: Option<ProposalStatus>,
    /// Once it is published.
    pub published: Option<PublishResponse>,
}

/// `GET /api/v1/proposals`: all that are kept, those of one lane together, older ones first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalsResponse {
    /// The proposals.
    pub proposals: Vec<ProposalStatus>,
}

/// `GET /api/v1/proposals/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalResponse {
    /// What the server says of it.
    pub status: ProposalStatus,
    /// The document itself: what counts.
    pub proposal: Document,
}

/// `POST /api/v1/proposals/{id}/drop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DropRequest {
    /// Why, for the ledger: one line of 1 to 500 bytes.
    #[cfg_attr(feature = "openapi", schema(value_type = super::schema::Reason))]
    pub reason: String,
}

/// Answer to a drop: it is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DropResponse {
    /// The proposal as it was, whose signatures are void now.
    pub dropped: ProposalStatus,
}

/// Whether a proposal can still be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProposalState {
    /// It waits for signatures.
    Open,
    /// Its lane has moved on; it can be rebased or dropped.
    Overtaken,
}

/// One proposal, as the server describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposalStatus {
    /// SHA-256 of the canonical bytes that are signed.
    pub id: Sha256Digest,
    /// Whose next metadata it is.
    pub role: Role,
    /// The version it would have.
    pub version: u64,
    /// Until when it would be valid.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires: Timestamp,
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
    /// Recipes that are new, changed or withdrawn, by path. None: the lane is signed again.
    pub changes: Vec<ProposedRecipe>,
    /// The signatures that hold.
    pub signed: Vec<SignatureStatus>,
    /// How many distinct keys must sign.
    pub needed: u32,
    /// How many are missing.
    pub missing: u32,
    /// Who may sign and has not.
    pub may_sign: Vec<String>,
}

/// One change of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProposedRecipe {
    /// The recipe.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::recipe::RecipePath))]
    pub path: String,
    /// What happens to it.
    pub change: ProposedChange,
    /// The revision that it would have.
    pub revision: Option<u64>,
}

/// What happens to a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProposedChange {
    /// It is added or replaced.
    Publish,
    /// It disappears.
    Withdraw,
}

/// One signature that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureStatus {
    /// The key's label in the role.
    pub keyid: String,
    /// Who holds the key.
    pub holder: String,
}
