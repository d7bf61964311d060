//! Ceremonies in the state: bounded, each signature checked when it comes and again in every fold, and carried out whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use mulberry_shared::ceremony::signing::Signatures;
use mulberry_shared::ceremony::{Ceremony, Live, Next};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::Base64;
use mulberry_shared::proposal::{self, Role};
use mulberry_shared::tuf::Root;

use super::{LaneState, Stamp, State};
use crate::event::Event;

/// One ceremony, who made it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The ceremony with the signatures so far, all of which hold.
    pub ceremony: Arc<Ceremony>,
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

    /// Whether it can no longer be published on what is live.
    #[must_use]
    pub fn is_overtaken(&self, live: &Live<'_>, limits: &Limits) -> bool {
        self.ceremony.check(live, limits).is_err()
    }

    /// The same by the rules under which it may have been recorded: a fold comes to what it came to then.
    fn was_overtaken(&self, live: &Live<'_>, limits: &Limits) -> bool {
        self.ceremony.check_recorded(live, limits).is_err()
    }
}

/// All that are kept, older ones first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceremonies(Vec<Kept>);

impl Ceremonies {
    /// All of them, older ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.0.iter()
    }

    /// The one with this id.
    #[must_use]
    pub fn get(&self, id: &Sha256Digest) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.id == *id)
    }

    fn forget(&mut self, id: &Sha256Digest) {
        self.0.retain(|kept| kept.id != *id);
    }
}

/// The ceremony of an event or a request.
///
/// # Errors
/// A sentence.
pub fn read(parts: &BTreeMap<Role, Base64>, limits: &Limits) -> Result<Ceremony, String> {
    let parts = parts.iter().map(|(role, bytes)| (*role, bytes.0.clone())).collect();
    Ceremony::of_parts(&parts, limits).map_err(|error| error.to_string())
}

/// Its metadata, as events have it.
#[must_use]
pub fn parts(ceremony: &Ceremony) -> BTreeMap<Role, Base64> {
    ceremony.parts().iter().map(|(role, part)| (*role, Base64(part.metadata()))).collect()
}

/// Applies an event about a ceremony.
///
/// # Errors
/// A sentence when it does not fit the state.
pub(super) fn advance(
    state: &mut State,
    event: &Event,
    stamp: &Stamp,
    limits: &Limits,
) -> Result<(), String> {
    match event {
        Event::CeremonyMade { parts } => {
            let ceremony = read(parts, limits)?;
            check(&ceremony, state, limits)?;
            keep(state, ceremony, stamp.clone(), limits)
        }
        Event::CeremonySigned { id, signatures } => sign(state, id, signatures, limits),
        Event::CeremonyPublished { parts } => {
            let ceremony = read(parts, limits)?;
            let next = {
                let live = state.live();
                ceremony.check_recorded(&live, limits).map_err(|error| error.to_string())?;
                ceremony.verify(&live, limits).map_err(|error| error.to_string())?
            };
            carry_out(state, next, limits);
            state.ceremonies.forget(&ceremony.id());
            recount(state, limits);
            Ok(())
        }
        // One that is gone already is no fault: how many overtaken ones are kept may change between versions.
        Event::CeremonyDropped { id, .. } => {
            state.ceremonies.forget(id);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn carry_out(state: &mut State, next: Next, limits: &Limits) {
    if let Some(root) = next.root {
        // Clients forget the versions of all online roles when these keys change (specification 5.3.11), and so do we.
        let keys = |root: &Root, role: &str| {
            root.authority(role)
                .map(|keys| keys.distinct_keys().into_iter().cloned().collect::<Vec<_>>())
                .ok()
        };
        if ["timestamp", "snapshot"].iter().any(|role| keys(&state.root, role) != keys(&root, role)) {
            state.above = 0;
        }
        state.roots.push(root.clone());
        state.root = root;
    }
    if let Some(targets) = next.targets {
        state.targets = targets;
    }
    for (lane, metadata) in next.lanes {
        // The metadata lists the very same recipes: the ceremony was checked for that.
        let recipes = state.lanes.remove(&lane).map(|content| content.recipes).unwrap_or_default();
        state.proposals.publish(lane, metadata.bytes(), limits);
        state.lanes.insert(lane, LaneState { metadata, recipes });
    }
    state.proposals.recount(&state.targets, limits);
}

/// Signatures of keys that count no more are forgotten, in what can still be signed.
fn recount(state: &mut State, limits: &Limits) {
    let mut ceremonies = state.ceremonies.clone();
    for kept in &mut ceremonies.0 {
        let live = state.live();
        if !kept.was_overtaken(&live, limits)
            && let Ok(merged) = kept.ceremony.merged(&kept.ceremony, &live, limits)
        {
            kept.ceremony = Arc::new(merged);
        }
    }
    state.ceremonies = ceremonies;
}

/// What a ceremony that is kept must be: fit for what is live by the rules of its day, and without a signature that counts nowhere.
/// Today's rules were asked before the event was recorded.
fn check(ceremony: &Ceremony, state: &State, limits: &Limits) -> Result<(), String> {
    let live = state.live();
    ceremony.check_recorded(&live, limits).map_err(|error| error.to_string())?;
    match ceremony.idle_signature(&live, limits).map_err(|error| error.to_string())? {
        None => Ok(()),
        Some((role, id)) => Err(idle(role, &id.0)),
    }
}

/// Says that a signature counts nowhere.
#[must_use]
pub fn idle(role: Role, keyid: &str) -> String {
    format!("the signature of {role} under key id {keyid:.80} does not hold, or its key may not sign that")
}

fn keep(state: &mut State, ceremony: Ceremony, made: Stamp, limits: &Limits) -> Result<(), String> {
    let (id, most) = (ceremony.id(), limits.proposal.ceremonies);
    if state.ceremonies.get(&id).is_some() {
        return Err(format!("ceremony {} is kept already", proposal::shown(&id)));
    }
    while state.ceremonies.0.len() >= most {
        let oldest = {
            let live = state.live();
            state.ceremonies.0.iter().position(|kept| kept.was_overtaken(&live, limits))
        };
        let Some(oldest) = oldest else {
            return Err(format!("{most} ceremonies are open, and no more are kept at once"));
        };
        state.ceremonies.0.remove(oldest);
    }
    state.ceremonies.0.push(Kept { ceremony: Arc::new(ceremony), made, id });
    Ok(())
}

fn sign(
    state: &mut State,
    id: &Sha256Digest,
    signatures: &Signatures,
    limits: &Limits,
) -> Result<(), String> {
    let kept = state.ceremonies.get(id);
    let kept = kept.ok_or_else(|| format!("ceremony {} is not kept", proposal::shown(id)))?;
    let signed = (*kept.ceremony).clone().with_signatures(signatures);
    check(&signed, state, limits)?;
    if let Some(kept) = state.ceremonies.0.iter_mut().find(|kept| kept.id == *id) {
        kept.ceremony = Arc::new(signed);
    }
    Ok(())
}
