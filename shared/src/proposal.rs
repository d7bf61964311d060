//! Proposals: the next metadata of one role in the making, passed from person to person until enough have signed.
//!
//! One document ([`Document`]) travels through the server and in files. Nothing in it is trusted for being in it: whoever
//! signs computes the change ([`examine`]) from the very bytes that will be signed, against what they verified themselves.
//!
//! | module | what |
//! |---|---|
//! | [`document`] | the form on the wire and in files |
//! | [`signing`] | who has signed, who is missing, and the union of two copies |
//! | [`change`] | what signing would change, as a value and in words |
//! | [`preflight`] | that a preflight failed, for whoever signs next |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::recipe::{Lane, RecipePath, Slug};
use crate::tuf::error::TrustError;
use crate::tuf::key::KeyId;
use crate::tuf::threshold::Signature;
use crate::tuf::{Targets, verify};

pub mod change;
pub mod document;
pub mod preflight;
pub mod signing;

pub use change::{Change, Changes, Examined, Live, Unfit, UnfitRecipe, UnknownRecipe, examine};
pub use document::{Document, FORMAT, Role};
pub use preflight::FailedPreflight;
pub use signing::{KeyHolder, Signing};

/// Hex digits of an id that are shown to people.
pub const SHOWN_DIGITS: usize = 12;

/// The fewest hex digits that name a proposal.
pub const FEWEST_DIGITS: usize = 6;

/// The next version of a lane, with the signatures it has so far. Not trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    lane: Lane,
    signed: Value,
    canonical: Vec<u8>,
    body: Targets,
    signatures: BTreeMap<KeyId, Signature>,
    recipes: BTreeMap<RecipePath, Vec<u8>>,
    withdraw: BTreeSet<Slug>,
    base: Option<Vec<u8>>,
    failed_preflights: Vec<FailedPreflight>,
}

impl Eq for Proposal {}

/// Bytes are no proposal, or two of them do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Something else.
    #[error("this is no proposal: {0}")]
    Malformed(String),
    /// What it says of failed preflights does not go with the rest of it.
    #[error("this is no proposal: {0}")]
    FailedPreflights(String),
    /// Written by a later version.
    #[error("the proposal has format {found}, and this program knows up to {FORMAT}; use a newer one")]
    Newer {
        /// The number found.
        found: u64,
    },
    /// A role whose ceremonies this version does not know.
    #[error(
        "it is for the role {role}, and only proposals for emergency and routine are handled; use a newer program"
    )]
    OtherRole {
        /// The role.
        role: Role,
    },
    /// More bytes than allowed.
    #[error("the proposal has {found} bytes, more than the {limit} allowed; propose less at once")]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The ceiling.
        limit: usize,
    },
    /// Its metadata is not what a role's is.
    #[error("its metadata is refused: {0}")]
    Metadata(#[from] TrustError),
    /// Two proposals, not two copies of one.
    #[error("these are two proposals, {one} and {other}: a signature speaks for one of them only")]
    Different {
        /// The id of one, as people see it.
        one: String,
        /// The id of the other.
        other: String,
    },
}

impl Proposal {
    /// A proposal that nobody has signed: the body of a lane's next version, and the bytes of what is new in it.
    ///
    /// # Errors
    /// [`ProposalError`], as for one that is read.
    pub fn new(
        lane: Lane,
        body: &Targets,
        recipes: BTreeMap<RecipePath, Vec<u8>>,
        withdraw: impl IntoIterator<Item = Slug>,
        limits: &Limits,
    ) -> Result<Self, ProposalError> {
        let malformed = |error: serde_json::Error| ProposalError::Malformed(error.to_string());
        let signed = serde_json::to_value(body).map_err(malformed)?;
        let envelope = serde_json::json!({"signatures": [], "signed": signed});
        let metadata = serde_json::to_vec(&envelope).map_err(malformed)?;
        Self::of_parts(lane, &metadata, recipes, withdraw.into_iter().collect(), limits)
    }

    /// A proposal of these parts: metadata is the whole envelope, with whatever signatures it has.
    ///
    /// # Errors
    /// [`ProposalError::Metadata`] when it is no metadata of a lane.
    pub fn of_parts(
        lane: Lane,
        metadata: &[u8],
        recipes: BTreeMap<RecipePath, Vec<u8>>,
        withdraw: BTreeSet<Slug>,
        limits: &Limits,
    ) -> Result<Self, ProposalError> {
        let role = lane.as_str();
        verify::too_large(role, metadata, limits.trust.targets_bytes)?;
        let verify::Envelope { signed, canonical, signatures } = verify::open(role, metadata, limits)?;
        let body: Targets = verify::typed(role, &canonical, limits)?;
        if signatures.len() > limits.trust.signatures {
            let most = limits.trust.signatures;
            return Err(ProposalError::Malformed(format!("it has more than {most} signatures")));
        }
        let mut by_key = BTreeMap::new();
        for signature in signatures {
            if let Some(twice) = by_key.insert(signature.keyid.clone(), signature) {
                return Err(ProposalError::Malformed(format!("key id {} appears twice in it", twice.keyid)));
            }
        }
        Ok(Self {
            lane,
            signed,
            canonical,
            body,
            signatures: by_key,
            recipes,
            withdraw,
            base: None,
            failed_preflights: Vec::new(),
        })
    }

    /// The same with the edition it was made on, as the bytes of a [`bundle`](crate::bundle).
    #[must_use]
    pub fn on(mut self, base: Vec<u8>) -> Self {
        self.base = Some(base);
        self
    }

    /// The same without the edition it was made on: as the server takes it.
    #[must_use]
    pub fn without_base(mut self) -> Self {
        self.base = None;
        self
    }

    /// The same with what its maker says of preflights that failed.
    #[must_use]
    pub fn despite(mut self, failed_preflights: Vec<FailedPreflight>) -> Self {
        self.failed_preflights = failed_preflights;
        self
    }

    /// The preflights that failed, as its maker says. Nothing vouches for it.
    #[must_use]
    pub fn failed_preflights(&self) -> &[FailedPreflight] {
        &self.failed_preflights
    }

    /// Its name: the SHA-256 of the canonical bytes that are signed. Signatures do not change it; anything else does.
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        Sha256Digest::of(&self.canonical)
    }

    /// The lane whose next version it is.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// What is to be signed. Nothing vouches for it.
    #[must_use]
    pub fn body(&self) -> &Targets {
        &self.body
    }

    /// Bytes of the recipes that are new or changed.
    #[must_use]
    pub fn recipes(&self) -> &BTreeMap<RecipePath, Vec<u8>> {
        &self.recipes
    }

    /// Slugs that leave the lane.
    #[must_use]
    pub fn withdraw(&self) -> &BTreeSet<Slug> {
        &self.withdraw
    }

    /// The bundle of the edition it was made on, in files.
    #[must_use]
    pub fn base(&self) -> Option<&[u8]> {
        self.base.as_deref()
    }

    /// The signatures it carries, whether or not they hold, in the order of their key ids.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.signatures.values()
    }

    /// The metadata as it is published: `signed` and all signatures, in the order of their key ids.
    #[must_use]
    pub fn metadata(&self) -> Vec<u8> {
        let signatures: Vec<&Signature> = self.signatures.values().collect();
        let envelope = serde_json::json!({"signatures": signatures, "signed": self.signed});
        // A value of plain JSON can be written.
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

/// The id of metadata that is published already: the name under which it was proposed.
///
/// # Errors
/// It is no metadata.
pub fn id_of_metadata(metadata: &[u8], limits: &Limits) -> Result<Sha256Digest, TrustError> {
    verify::open("metadata", metadata, limits).map(|envelope| Sha256Digest::of(&envelope.canonical))
}

/// An id as people see it: its first digits.
#[must_use]
pub fn shown(id: &Sha256Digest) -> String {
    id.to_string().chars().take(SHOWN_DIGITS).collect()
}

/// Whether `text` may name a proposal: the first digits of an id, or all of them.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    (FEWEST_DIGITS..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
