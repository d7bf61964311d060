//! Who has signed a proposal, who is missing, and the union of two copies.
//!
//! Nothing is counted here: [`threshold::tally`] says which signatures count, and which do not hold.

use super::{Proposal, ProposalError, shown};
use crate::limits::Limits;
use crate::quoted::quoted;
use crate::tuf::key::{Holder, Key, KeyId};
use crate::tuf::signer::Signer;
use crate::tuf::threshold::{self, Authority, Signature, Tally};
use crate::tuf::{PublicKey, TrustError, write};

/// A key of a role, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The key's label in the role.
    pub keyid: KeyId,
    /// The person, or the key's first digits; nothing in it that could pass for more than one.
    pub holder: String,
}

/// How far the signing of a proposal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// How many distinct keys must sign.
    pub needed: u32,
    /// The keys whose signatures hold.
    pub signed: Vec<KeyHolder>,
    /// The keys of the role that may sign and have not.
    pub others: Vec<KeyHolder>,
}

impl Signing {
    /// How far it is when the keys under these labels have signed.
    #[must_use]
    pub fn of(authority: Authority<'_>, counted: &[KeyId]) -> Self {
        let public = |keyid: &KeyId| authority.keys.get(keyid).and_then(Key::public);
        let mut seen: std::collections::BTreeSet<&PublicKey> = counted.iter().filter_map(public).collect();
        let mut others = Vec::new();
        for keyid in &authority.role_keys.keyids {
            if public(keyid).is_some_and(|key| seen.insert(key)) {
                others.push(keyid.clone());
            }
        }
        Self {
            needed: authority.role_keys.threshold,
            signed: holders(authority, counted),
            others: holders(authority, &others),
        }
    }

    /// How many signatures are missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(u32::try_from(self.signed.len()).unwrap_or(u32::MAX))
    }

    /// In one line: who has signed, and how many of whom are missing.
    #[must_use]
    pub fn describe(&self) -> String {
        let signed = names(&self.signed);
        match self.missing() {
            0 => format!("signed by {signed}: enough"),
            missing => format!("signed by {signed}; missing {missing} of {}", names(&self.others)),
        }
    }
}

/// Who holds the keys under these labels.
#[must_use]
pub fn holders(authority: Authority<'_>, labels: &[KeyId]) -> Vec<KeyHolder> {
    let held = |keyid: &KeyId| {
        let holder = authority.keys.get(keyid).map(holder)?;
        Some(KeyHolder { keyid: keyid.clone(), holder })
    };
    labels.iter().filter_map(held).collect()
}

/// Holders in one line, sorted; `nobody` for none.
#[must_use]
pub fn names(holders: &[KeyHolder]) -> String {
    let names: std::collections::BTreeSet<&str> = holders.iter().map(|key| key.holder.as_str()).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.into_iter().collect::<Vec<_>>().join(", ") }
}

/// Who holds a key, for people.
#[must_use]
pub fn holder(key: &Key) -> String {
    match key.holder() {
        Holder::Person(person) => person.to_string(),
        Holder::Nobody => format!("the holder of key {:.8}…", key.key_id().0),
        Holder::Unfit(name) => {
            format!("the holder of key {:.8}…, recorded as {}", key.key_id().0, quoted(name))
        }
    }
}

impl Proposal {
    /// How far the signing is, by the keys of `authority`.
    ///
    /// # Errors
    /// [`threshold::so_far`]'s.
    pub fn signing(&self, authority: Authority<'_>, limits: &Limits) -> Result<Signing, TrustError> {
        let counted = self.counted(authority, limits)?;
        let labels: Vec<KeyId> = counted.into_iter().map(|signature| signature.keyid).collect();
        Ok(Signing::of(authority, &labels))
    }

    /// The signatures that hold, one for each distinct key.
    ///
    /// # Errors
    /// [`threshold::so_far`]'s.
    pub fn counted(&self, authority: Authority<'_>, limits: &Limits) -> Result<Vec<Signature>, TrustError> {
        let labels = self.tally(authority, limits)?.counted;
        Ok(labels.iter().filter_map(|label| self.signatures.get(label).cloned()).collect())
    }

    /// The keys of `authority` whose signature does not hold: whoever signed has signed something else.
    ///
    /// # Errors
    /// [`threshold::tally`]'s.
    pub fn broken(&self, authority: Authority<'_>, limits: &Limits) -> Result<Vec<KeyHolder>, TrustError> {
        Ok(holders(authority, &self.tally(authority, limits)?.broken))
    }

    fn tally(&self, authority: Authority<'_>, limits: &Limits) -> Result<Tally, TrustError> {
        let all: Vec<Signature> = self.signatures.values().cloned().collect();
        threshold::tally(authority, &all, &self.canonical, &limits.trust)
    }

    /// Signs it, under the label that the role has for the signer's key.
    ///
    /// # Errors
    /// `key` when the key is none of the role's, or cannot sign now.
    pub fn sign(&mut self, authority: Authority<'_>, signer: &dyn Signer) -> Result<Signature, TrustError> {
        let signature = write::signature(authority, signer, &self.canonical)?;
        self.signatures.insert(signature.keyid.clone(), signature.clone());
        Ok(signature)
    }

    /// The same with this signature beside the others, unless one stands under its label.
    #[must_use]
    pub fn with_signature(mut self, signature: Signature) -> Self {
        self.signatures.entry(signature.keyid.clone()).or_insert(signature);
        self
    }

    /// The union of two copies of one proposal: every signature that holds, one for each distinct key. The order of the two
    /// does not matter, and signatures that do not hold are left out.
    ///
    /// # Errors
    /// [`ProposalError::Different`]; [`threshold::so_far`]'s.
    pub fn merged(
        &self,
        other: &Self,
        authority: Authority<'_>,
        limits: &Limits,
    ) -> Result<Self, ProposalError> {
        if self.id() != other.id() {
            let (one, other) = (shown(&self.id()), shown(&other.id()));
            return Err(ProposalError::Different { one, other });
        }
        let mut by_key = std::collections::BTreeMap::new();
        for copy in [self, other] {
            for signature in copy.counted(authority, limits)? {
                let Some(key) = authority.keys.get(&signature.keyid).and_then(Key::public) else { continue };
                // One key may have several labels and, with some algorithms, several signatures: the smallest stays.
                let rank = |one: &Signature| (one.keyid.clone(), one.sig.to_ascii_lowercase());
                match by_key.get(key) {
                    Some(held) if rank(held) <= rank(&signature) => {}
                    _ => drop(by_key.insert(key, signature)),
                }
            }
        }
        let signatures = by_key.into_values().map(|signature| {
            let plain = Signature { other: std::collections::BTreeMap::new(), ..signature };
            (plain.keyid.clone(), plain)
        });
        Ok(Self { signatures: signatures.collect(), ..self.clone() })
    }
}
