//! Proposals in the state: bounded, and each signature checked when it comes and again in every fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::Base64;
use mulberry_shared::proposal::{self, Proposal, ProposalError, Role};
use mulberry_shared::recipe::{Lane, RecipePath, Slug};
use mulberry_shared::tuf::threshold::Signature;
use mulberry_shared::tuf::{KeyId, Targets};

use super::Stamp;

/// One proposal, who made it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The proposal with the signatures so far, all of which hold.
    pub proposal: Arc<Proposal>,
    /// Who made it, and when.
    pub made: Stamp,
    id: Sha256Digest,
}

impl Kept {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        self.id
    }

    /// Whether its lane has moved on, given the published version of each lane.
    #[must_use]
    pub fn is_overtaken(&self, lanes: &BTreeMap<Lane, u64>) -> bool {
        lanes.get(&self.proposal.lane()).is_some_and(|live| self.proposal.body().version <= *live)
    }
}

/// All that are kept, older ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposals(Vec<Kept>);

impl Proposals {
    /// All of them, older ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.0.iter()
    }

    /// The one with this id.
    #[must_use]
    pub fn get(&self, id: &Sha256Digest) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.id == *id)
    }

    /// Makes room and keeps one more. Overtaken ones yield, the oldest first; open ones do not.
    ///
    /// # Errors
    /// A sentence: it is kept already, or too many are open.
    pub fn keep(
        &mut self,
        proposal: Proposal,
        made: Stamp,
        lanes: &BTreeMap<Lane, u64>,
        limits: &Limits,
    ) -> Result<(), String> {
        let id = proposal.id();
        if self.get(&id).is_some() {
            return Err(format!("proposal {} is kept already", proposal::shown(&id)));
        }
        let (most, most_bytes) = (limits.proposal.kept, limits.proposal.kept_bytes);
        let size = proposal.size();
        let full = |held: &Self| held.0.len() >= most || held.bytes().saturating_add(size) > most_bytes;
        while full(self) {
            let Some(oldest) = self.0.iter().position(|kept| kept.is_overtaken(lanes)) else {
                return Err(format!(
                    "{} proposals of {} bytes are open, and {most} of {most_bytes} bytes together are kept at most",
                    self.0.len(),
                    self.bytes()
                ));
            };
            self.0.remove(oldest);
        }
        self.0.push(Kept { proposal: Arc::new(proposal), made, id });
        Ok(())
    }

    /// Adds a signature that holds and is of a key that has not signed.
    ///
    /// # Errors
    /// A sentence.
    pub fn sign(
        &mut self,
        id: &Sha256Digest,
        keyid: &KeyId,
        sig: &str,
        targets: &Targets,
        limits: &Limits,
    ) -> Result<(), String> {
        let kept = self.0.iter_mut().find(|kept| kept.id == *id);
        let kept = kept.ok_or_else(|| format!("proposal {} is not kept", proposal::shown(id)))?;
        let before = kept.proposal.signatures().count();
        let signed = (*kept.proposal).clone().with_signature(signature(keyid, sig));
        check_signatures(&signed, targets, limits).map_err(|error| error.to_string())?;
        if signed.signatures().count() == before {
            return Err(format!("key {keyid} has signed proposal {} before", proposal::shown(id)));
        }
        kept.proposal = Arc::new(signed);
        Ok(())
    }

    /// Takes one out, if it is there.
    pub fn forget(&mut self, id: &Sha256Digest) {
        self.0.retain(|kept| kept.id != *id);
    }

    /// A lane was published: the proposal that this was is done.
    pub fn publish(&mut self, lane: Lane, metadata: &[u8], limits: &Limits) {
        if self.0.iter().any(|kept| kept.proposal.lane() == lane)
            && let Ok(id) = proposal::id_of_metadata(metadata, limits)
        {
            self.forget(&id);
        }
    }

    /// The lanes' keys changed: signatures of keys that count no more are forgotten.
    pub fn recount(&mut self, targets: &Targets, limits: &Limits) {
        for kept in &mut self.0 {
            let authority = targets.authority(kept.proposal.lane().as_str(), "targets");
            let merged =
                authority.ok().and_then(|keys| kept.proposal.merged(&kept.proposal, keys, limits).ok());
            if let Some(merged) = merged {
                kept.proposal = Arc::new(merged);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|kept| kept.proposal.size()).fold(0, usize::saturating_add)
    }
}

/// A signature without further attributes.
#[must_use]
pub fn signature(keyid: &KeyId, sig: &str) -> Signature {
    Signature { keyid: keyid.clone(), sig: sig.to_owned(), other: BTreeMap::new() }
}

/// The proposal of an event.
///
/// # Errors
/// [`ProposalError`].
pub fn read(
    role: Role,
    metadata: &Base64,
    recipes: &BTreeMap<RecipePath, Base64>,
    withdraw: &[Slug],
    limits: &Limits,
) -> Result<Proposal, ProposalError> {
    let lane = role.lane().ok_or(ProposalError::OtherRole { role })?;
    let recipes = recipes.iter().map(|(path, bytes)| (path.clone(), bytes.0.clone())).collect();
    Proposal::of_parts(lane, &metadata.0, recipes, withdraw.iter().cloned().collect(), limits)
}

/// Makes sure that every signature is of a distinct key of the lane, and holds.
///
/// # Errors
/// [`ProposalError::Malformed`] with the first that does not.
pub fn check_signatures(
    proposal: &Proposal,
    targets: &Targets,
    limits: &Limits,
) -> Result<(), ProposalError> {
    let authority = targets.authority(proposal.lane().as_str(), "targets")?;
    let counted = proposal.counted(authority, limits)?;
    let idle = proposal.signatures().find(|one| !counted.iter().any(|held| held.keyid == one.keyid));
    match idle {
        None => Ok(()),
        Some(idle) => Err(ProposalError::Malformed(format!(
            "the signature under key id {:.80} does not hold, or its key may not sign for the {} lane, or has signed already",
            idle.keyid.0,
            proposal.lane()
        ))),
    }
}
