//! Ceremonies: a change of keys, thresholds or expiries, passed from person to person until enough have signed.
//!
//! A ceremony has parts: the next root, the next targets, and the lanes that must be signed again because their signatures
//! would not count any more. They are published together or not at all, so an agent never holds a role that it cannot
//! verify. As with a [proposal](crate::proposal), nothing in it is trusted for being in it: whoever signs computes the change
//! from the bytes to be signed, against what they verified themselves.
//!
//! | module | what |
//! |---|---|
//! | [`document`] | the form on the wire and in files |
//! | [`plan`] | from a wish ("revoke this key") to the parts that it takes |
//! | [`rules`] | who may hold keys, and under which names: what would lock people out, or let one person be two |
//! | [`check`] | everything a ceremony must be before anybody signs or publishes it |
//! | [`signing`] | who must sign which part, who has, and the union of two copies |
//! | [`words`] | before and after, in words |
//! | [`public`] | the file in which new public keys travel to whoever proposes |

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::proposal::Role;
use crate::recipe::Lane;
use crate::tuf::error::TrustError;
use crate::tuf::metadata::Body;
use crate::tuf::threshold::Signature;
use crate::tuf::{KeyId, Root, Targets, Verified, verify};

pub mod check;
pub mod document;
pub mod plan;
pub mod public;
pub mod rules;
pub mod signing;
pub mod words;

pub use check::{Next, Unfit};
pub use document::{CeremonyError, Document, FORMAT, KIND};
pub use plan::{Lone, PlanError, Step};
pub use signing::{Demand, Demanded, Whose};

/// What is published now, as the reader verified it. Expiry does not matter: a ceremony is how what has expired comes back.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The newest root.
    pub root: &'a Verified<Root>,
    /// The targets role.
    pub targets: &'a Verified<Targets>,
    /// The lanes.
    pub lanes: BTreeMap<Lane, &'a Verified<Targets>>,
}

/// The next version of one role.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    body: PartBody,
    signed: Value,
    canonical: Vec<u8>,
    signatures: BTreeMap<KeyId, Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PartBody {
    Root(Box<Root>),
    Targets(Box<Targets>),
}

/// The parts with the signatures they have so far. Not trusted.
#[derive(Clone, Debug, PartialEq)]
pub struct Ceremony {
    parts: BTreeMap<Role, Part>,
    base: Option<Vec<u8>>,
}

impl Eq for Ceremony {}

impl Part {
    /// Reads metadata with whatever signatures it has.
    fn read(role: Role, metadata: &[u8], limits: &Limits) -> Result<Self, CeremonyError> {
        let name = role.as_str();
        let most = if role == Role::Root { limits.trust.root_bytes } else { limits.trust.targets_bytes };
        verify::too_large(name, metadata, most)?;
        let verify::Envelope { signed, canonical, signatures } = verify::open(name, metadata, limits)?;
        let body = match role {
            Role::Root => PartBody::Root(Box::new(verify::typed(name, &canonical, limits)?)),
            _ => PartBody::Targets(Box::new(verify::typed(name, &canonical, limits)?)),
        };
        if signatures.len() > limits.trust.signatures {
            let most = limits.trust.signatures;
            return Err(CeremonyError::Malformed(format!("its {name} has more than {most} signatures")));
        }
        let mut by_key = BTreeMap::new();
        for signature in signatures {
            if let Some(twice) = by_key.insert(signature.keyid.clone(), signature) {
                let sentence = format!("key id {:.80} appears twice in its {name}", twice.keyid.0);
                return Err(CeremonyError::Malformed(sentence));
            }
        }
        Ok(Self { body, signed, canonical, signatures: by_key })
    }

    fn unsigned<T: Body>(role: Role, body: &T, limits: &Limits) -> Result<Self, CeremonyError> {
        let malformed = |error: serde_json::Error| CeremonyError::Malformed(error.to_string());
        let signed = serde_json::to_value(body).map_err(malformed)?;
        let envelope = serde_json::json!({"signatures": [], "signed": signed});
        Self::read(role, &serde_json::to_vec(&envelope).map_err(malformed)?, limits)
    }

    /// The version it would have.
    #[must_use]
    pub fn version(&self) -> u64 {
        match &self.body {
            PartBody::Root(root) => root.version,
            PartBody::Targets(targets) => targets.version,
        }
    }

    /// Until when it would be valid.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        match &self.body {
            PartBody::Root(root) => root.expires,
            PartBody::Targets(targets) => targets.expires,
        }
    }

    /// SHA-256 of the canonical bytes that are signed.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.canonical)
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

    fn check_unexpired(&self, role: Role, now: Timestamp) -> Result<(), TrustError> {
        match &self.body {
            PartBody::Root(root) => verify::unexpired(role.as_str(), &**root, now),
            PartBody::Targets(targets) => verify::unexpired(role.as_str(), &**targets, now),
        }
    }
}

impl Ceremony {
    /// A ceremony of these parts: each is the whole envelope, with whatever signatures it has.
    ///
    /// # Errors
    /// [`CeremonyError`] when there is none, or one is no metadata of its role.
    pub fn of_parts(metadata: &BTreeMap<Role, Vec<u8>>, limits: &Limits) -> Result<Self, CeremonyError> {
        let size = metadata.values().map(Vec::len).fold(0, usize::saturating_add);
        if size > limits.proposal.bytes {
            return Err(CeremonyError::TooLarge { found: size, limit: limits.proposal.bytes });
        }
        let read = |(role, bytes): (&Role, &Vec<u8>)| Ok((*role, Part::read(*role, bytes, limits)?));
        let parts = metadata.iter().map(read).collect::<Result<BTreeMap<_, _>, CeremonyError>>()?;
        if parts.is_empty() {
            return Err(CeremonyError::Malformed("it has no part".to_owned()));
        }
        Ok(Self { parts, base: None })
    }

    /// The parts, by role.
    #[must_use]
    pub fn parts(&self) -> &BTreeMap<Role, Part> {
        &self.parts
    }

    /// The next root, if it changes. Nothing vouches for it.
    #[must_use]
    pub fn root(&self) -> Option<&Root> {
        match &self.parts.get(&Role::Root)?.body {
            PartBody::Root(root) => Some(root),
            PartBody::Targets(_) => None,
        }
    }

    /// The next targets, if they change. Nothing vouches for them.
    #[must_use]
    pub fn targets(&self) -> Option<&Targets> {
        self.targets_of(Role::Targets)
    }

    /// A lane's next metadata, if it is signed again. Nothing vouches for it.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Option<&Targets> {
        self.targets_of(lane.into())
    }

    fn targets_of(&self, role: Role) -> Option<&Targets> {
        match &self.parts.get(&role)?.body {
            PartBody::Targets(targets) => Some(targets),
            PartBody::Root(_) => None,
        }
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

    /// The bundle of the edition it was made on, in files.
    #[must_use]
    pub fn base(&self) -> Option<&[u8]> {
        self.base.as_deref()
    }

    /// Its name: SHA-256 over the name and the SHA-256 of the canonical bytes of each part. Signatures do not change it;
    /// anything else does.
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        let lines = self.parts.iter().map(|(role, part)| format!("{role} {}\n", part.digest()));
        Sha256Digest::of(lines.collect::<String>().as_bytes())
    }

    /// Bytes that keeping it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        let parts = self.parts.values().map(|part| part.canonical.len().saturating_mul(2));
        parts.fold(self.base.as_ref().map_or(0, Vec::len), usize::saturating_add)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
