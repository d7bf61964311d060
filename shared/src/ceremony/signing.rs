//! Who must sign which part of a ceremony, who has, and the union of two copies.
//!
//! Nothing is counted here: [`threshold::tally`] says which signatures count, and which do not hold.

use std::collections::BTreeMap;

use super::{Ceremony, CeremonyError, Live, Part};
use crate::limits::Limits;
use crate::proposal::signing::holders;
use crate::proposal::{KeyHolder, Role, Signing, shown};
use crate::tuf::threshold::{self, Authority, Signature, Tally};
use crate::tuf::{Key, KeyId, Signer, TrustError, TrustErrorKind};

/// Which keys of the root: a new root is signed by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those in force now.
    Present,
    /// Those in force after it.
    Next,
}

/// A group of keys of which enough must sign a part.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// The part.
    pub role: Role,
    /// Which keys.
    pub whose: Whose,
    /// The keys, and how many.
    pub authority: Authority<'a>,
}

/// How far one demand is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demanded {
    /// The part.
    pub role: Role,
    /// Which keys.
    pub whose: Whose,
    /// Who has signed and who is missing.
    pub signing: Signing,
}

/// Signatures by the part they are for.
pub type Signatures = BTreeMap<Role, Vec<Signature>>;

impl Ceremony {
    /// Whose signatures it takes: the next root those of the present root's and of its own keys, every other part those of the
    /// role above it as it will be.
    ///
    /// # Errors
    /// `not-delegated` when a role is missing above.
    pub fn demands<'a>(&'a self, live: &Live<'a>) -> Result<Vec<Demand<'a>>, TrustError> {
        let root = self.root().unwrap_or(live.root);
        let targets = self.targets().unwrap_or(live.targets);
        let mut demands = Vec::new();
        for role in self.parts.keys().copied() {
            let authority = super::rules::authority(role, root, targets)?;
            if role == Role::Root {
                let present = live.root.authority("root")?;
                let same = present.distinct_keys() == authority.distinct_keys()
                    && present.role_keys.threshold == authority.role_keys.threshold;
                demands.push(Demand { role, whose: Whose::Present, authority: present });
                if same {
                    continue;
                }
            }
            demands.push(Demand { role, whose: Whose::Next, authority });
        }
        Ok(demands)
    }

    /// How far the signing is, for each group of keys.
    ///
    /// # Errors
    /// [`threshold::so_far`]'s.
    pub fn signing(&self, live: &Live<'_>, limits: &Limits) -> Result<Vec<Demanded>, TrustError> {
        let mut all = Vec::new();
        for Demand { role, whose, authority } in self.demands(live)? {
            let Some(part) = self.parts.get(&role) else { continue };
            let labels: Vec<KeyId> =
                part.counted(authority, limits)?.into_iter().map(|one| one.keyid).collect();
            let signing = Signing::of(authority, &labels);
            all.push(Demanded { role, whose, signing });
        }
        Ok(all)
    }

    /// Whether enough have signed every part.
    ///
    /// # Errors
    /// [`Self::signing`]'s.
    pub fn is_complete(&self, live: &Live<'_>, limits: &Limits) -> Result<bool, TrustError> {
        Ok(self.signing(live, limits)?.iter().all(|demanded| demanded.signing.missing() == 0))
    }

    /// Signs every part that the signer's key may sign, under the labels it has there.
    ///
    /// # Errors
    /// `key` when it may sign none, or cannot sign now.
    pub fn sign(&mut self, live: &Live<'_>, signer: &dyn Signer) -> Result<Vec<Role>, TrustError> {
        let public = signer.key().public();
        let mut labels: Vec<(Role, KeyId)> = Vec::new();
        for Demand { role, authority, .. } in self.demands(live)? {
            let own = |id: &&KeyId| authority.keys.get(*id).is_some_and(|key| key.public() == public);
            labels.extend(authority.role_keys.keyids.iter().find(own).map(|id| (role, id.clone())));
        }
        let mut signed = Vec::new();
        for (role, keyid) in labels {
            let Some(part) = self.parts.get_mut(&role) else { continue };
            let sig = hex::encode(signer.sign(&part.canonical)?);
            part.signatures.insert(keyid.clone(), Signature { keyid, sig, other: BTreeMap::new() });
            signed.push(role);
        }
        signed.dedup();
        if signed.is_empty() {
            let sentence = "the key is none of those that may sign any part of it";
            return Err(TrustError::new(TrustErrorKind::Key, "ceremony", sentence));
        }
        Ok(signed)
    }

    /// The same with these signatures beside the others, unless one stands under their label. Whether they hold is not asked.
    #[must_use]
    pub fn with_signatures(mut self, signatures: &Signatures) -> Self {
        for (role, all) in signatures {
            let Some(part) = self.parts.get_mut(role) else { continue };
            for signature in all {
                part.signatures.entry(signature.keyid.clone()).or_insert_with(|| signature.clone());
            }
        }
        self
    }

    /// The signatures of `self` under labels that `other` does not have.
    #[must_use]
    pub fn signatures_beyond(&self, other: &Self) -> Signatures {
        let new = |role: &Role, part: &Part| {
            let held = other.parts.get(role);
            let known = |id: &KeyId| held.is_some_and(|held| held.signatures.contains_key(id));
            part.signatures.values().filter(|one| !known(&one.keyid)).cloned().collect::<Vec<_>>()
        };
        let all = self.parts.iter().map(|(role, part)| (*role, new(role, part)));
        all.filter(|(_, signatures)| !signatures.is_empty()).collect()
    }

    /// The union of two copies of one ceremony, with the signatures that hold and count.
    ///
    /// # Errors
    /// [`CeremonyError::Different`]; [`threshold::so_far`]'s.
    pub fn merged(&self, other: &Self, live: &Live<'_>, limits: &Limits) -> Result<Self, CeremonyError> {
        if self.id() != other.id() {
            return Err(CeremonyError::Different { one: shown(&self.id()), other: shown(&other.id()) });
        }
        let mut kept = Signatures::new();
        for copy in [self, other] {
            for Demand { role, authority, .. } in copy.demands(live)? {
                let Some(part) = copy.parts.get(&role) else { continue };
                for signature in part.counted(authority, limits)? {
                    let plain = Signature { other: BTreeMap::new(), ..signature };
                    kept.entry(role).or_default().push(plain);
                }
            }
        }
        let mut merged = self.clone();
        merged.parts.values_mut().for_each(|part| part.signatures.clear());
        Ok(merged.with_signatures(&kept))
    }

    /// The keys that must sign a part and whose signature of it does not hold: whoever signed has signed something else. One under a
    /// label that the present and the next root both have needs to hold for either.
    ///
    /// # Errors
    /// [`threshold::tally`]'s.
    pub fn broken(&self, live: &Live<'_>, limits: &Limits) -> Result<Vec<KeyHolder>, TrustError> {
        let (mut broken, mut counted) = (Vec::new(), Vec::new());
        for Demand { role, authority, .. } in self.demands(live)? {
            let Some(part) = self.parts.get(&role) else { continue };
            let tally = part.tally(authority, limits)?;
            counted.extend(tally.counted.into_iter().map(|id| (role, id)));
            broken.extend(holders(authority, &tally.broken).into_iter().map(|key| (role, key)));
        }
        broken.retain(|(role, key)| !counted.contains(&(*role, key.keyid.clone())));
        Ok(broken.into_iter().map(|(_, key)| key).collect())
    }

    /// The first signature that counts for no part, if there is one.
    ///
    /// # Errors
    /// [`threshold::so_far`]'s.
    pub fn idle_signature(
        &self,
        live: &Live<'_>,
        limits: &Limits,
    ) -> Result<Option<(Role, KeyId)>, TrustError> {
        let mut counted: BTreeMap<Role, Vec<KeyId>> = BTreeMap::new();
        for Demand { role, authority, .. } in self.demands(live)? {
            let Some(part) = self.parts.get(&role) else { continue };
            let ids = part.counted(authority, limits)?.into_iter().map(|one| one.keyid);
            counted.entry(role).or_default().extend(ids);
        }
        let all = self.parts.iter().flat_map(|(role, part)| part.signatures.keys().map(|id| (*role, id)));
        let mut idle = all.filter(|(role, id)| !counted.get(role).is_some_and(|ids| ids.contains(id)));
        Ok(idle.next().map(|(role, id)| (role, id.clone())))
    }
}

impl Part {
    fn counted(&self, authority: Authority<'_>, limits: &Limits) -> Result<Vec<Signature>, TrustError> {
        let labels = self.tally(authority, limits)?.counted;
        Ok(labels.iter().filter_map(|label| self.signatures.get(label).cloned()).collect())
    }

    fn tally(&self, authority: Authority<'_>, limits: &Limits) -> Result<Tally, TrustError> {
        let all: Vec<Signature> = self.signatures.values().cloned().collect();
        threshold::tally(authority, &all, &self.canonical, &limits.trust)
    }
}

/// Whether the key may sign any part.
#[must_use]
pub fn may_sign(demands: &[Demand<'_>], key: &Key) -> bool {
    demands
        .iter()
        .any(|demand| key.public().is_some_and(|key| demand.authority.distinct_keys().contains(key)))
}
