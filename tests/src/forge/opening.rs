//! Openings signed by whoever, and gates that carry them, whether or not they fit.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use mulberry_shared::approval::{Approval, Opening};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::recipe::{Recipe, published};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::tuf::threshold::Signature;
use mulberry_shared::tuf::{KeyId, Signer, TrustError};

use super::{Forge, key, key_id};

/// The signature of the key of this number under an opening, under a label of one's own choosing.
///
/// # Errors
/// See [`key`].
pub fn sign_opening_as(opening: &Opening, number: u8, label: KeyId) -> Result<Signature, TrustError> {
    let sig = hex::encode(key(number)?.sign(&opening.message())?);
    Ok(Signature { keyid: label, sig, other: BTreeMap::new() })
}

/// The signatures of the keys of these numbers under an opening.
///
/// # Errors
/// See [`key`].
pub fn sign_opening(opening: &Opening, numbers: &[u8]) -> Result<Vec<Signature>, TrustError> {
    numbers.iter().map(|number| sign_opening_as(opening, *number, key_id(*number)?)).collect()
}

impl Forge {
    /// What people would sign to open this recipe for everyone.
    #[must_use]
    pub fn opening(&self, recipe: &Recipe) -> Opening {
        Opening {
            path: recipe.path(),
            revision: recipe.revision,
            sha256: Sha256Digest::of(&published::write(recipe)),
            percent: BasisPoints::EVERYONE,
            since: self.now,
            expires: self.now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(self.now),
            open_until: None,
        }
    }

    /// Opens the gate of a recipe for everyone, with this beside it.
    pub fn open_with(&mut self, recipe: &Recipe, approval: Option<Approval>) {
        let gate = Gate::new(recipe.revision, GateState::Open, BasisPoints::EVERYONE, self.now);
        let gate = Gate { approval, ..gate };
        self.gates.0.insert(recipe.path(), gate);
    }
}
