//! Proposals: making, signing and giving them up. The signature that completes one publishes it, by the decision that every
//! publish takes.

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{
    Base64, DropRequest, ProblemKind, ProposalRequest, ProposalResponse, ProposalState, ProposalStatus,
    ProposalsResponse, ProposedChange, ProposedRecipe, PublishRequest, SignatureRequest, SignatureStatus,
};
use mulberry_shared::proposal::{self, Proposal, ProposalError};
use mulberry_shared::recipe::{Lane, RecipePath};
use mulberry_shared::tuf::key::{Key, KeyId};
use mulberry_shared::tuf::threshold::Authority;

use super::{Refusal, publish};
use crate::event::Event;
use crate::state::proposals::{self, Kept};
use crate::state::{FoldError, State};

/// What a request about a proposal comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The proposal.
    pub id: Sha256Digest,
    /// Its lane.
    pub lane: Lane,
    /// What it withdraws.
    pub withdrawn: Vec<String>,
    /// What is to be recorded, in this order; none when nothing changes.
    pub events: Vec<Event>,
}

impl Decision {
    fn about(proposal: &Proposal, events: Vec<Event>) -> Self {
        let withdrawn = proposal.withdraw().iter().map(ToString::to_string).collect();
        Self { id: proposal.id(), lane: proposal.lane(), withdrawn, events }
    }
}

/// A proposal is submitted. One that is kept gets the signatures that it lacks; one that is published changes nothing. The one
/// whose place it takes is dropped whenever that is said, and need not be there where this one is known: the answer to an
/// earlier request may have been lost.
///
/// # Errors
/// [`publish::examine`]'s and [`publish::decide`]'s; `malformed-request`, `too-large`, `proposal-refused`,
/// `signature-refused`, `proposal-overtaken`, `unknown-proposal`.
pub fn make(
    state: &State,
    request: ProposalRequest,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if request.proposal.base.is_some() {
        let detail = "the proposal carries the edition that it was made on, which is for files";
        return Err(Refusal::new(ProblemKind::MalformedRequest, detail, "send it without `base`"));
    }
    let proposal = Proposal::from_document(request.proposal, limits).map_err(|error| unreadable(&error))?;
    let kept = state.proposals.get(&proposal.id());
    let published = is_live(state, proposal.lane(), &proposal.id(), limits);
    let replaced = || match &request.replaces {
        Some(prefix) => match search(state, prefix)? {
            None if published || kept.is_some() => Ok(None),
            None => Err(absent(prefix)),
            Some(other) => replaceable(other, &proposal).map(Some),
        },
        None => Ok(None),
    };
    let shown = proposal::shown(&proposal.id());
    let drop_for = |more: &str| {
        let reason = format!("replaced by {shown}{more}");
        move |id| Event::ProposalDropped { id, reason }
    };
    if published {
        publish::check_published(state, proposal.lane(), now)?;
        let dropped = replaced()?.map(drop_for(", which is published"));
        return Ok(Decision::about(&proposal, dropped.into_iter().collect()));
    }
    let authority = authority(state, proposal.lane())?;
    proposals::check_signatures(&proposal, &state.targets, limits).map_err(|error| {
        let remedy = "submit only signatures of distinct keys of the lane, over exactly this proposal";
        Refusal::new(ProblemKind::SignatureRefused, error.to_string(), remedy)
    })?;
    check_open(state, &proposal)?;
    let before = kept.map_or(&proposal, |kept| &kept.proposal);
    let merged = before.merged(&proposal, authority, limits).map_err(|error| unreadable(&error))?;
    let recipes = publish::examine(state, &merged, now, limits)?;
    let replaced = replaced()?;
    let mut events = Vec::new();
    if is_complete(&merged, authority, limits)? {
        events.extend(publication(state, &merged, now, limits)?);
        events.extend(replaced.map(drop_for(", which is published")));
        return Ok(Decision::about(&merged, events));
    }
    match kept {
        None => {
            events.push(Event::ProposalMade {
                role: merged.lane().into(),
                metadata: Base64(merged.metadata()),
                recipes,
                withdraw: merged.withdraw().iter().cloned().collect(),
                failed_preflights: merged.failed_preflights().to_vec(),
                replaces: replaced,
            });
            check_room(state, &events, limits)?;
        }
        Some(kept) => {
            let known = |label: &KeyId| kept.proposal.signatures().any(|held| held.keyid == *label);
            events.extend(merged.signatures().filter(|one| !known(&one.keyid)).map(|one| {
                Event::ProposalSigned { id: merged.id(), keyid: one.keyid.clone(), sig: one.sig.clone() }
            }));
            events.extend(replaced.map(drop_for("")));
        }
    }
    Ok(Decision::about(&merged, events))
}

/// One person's signature. The very same one again adds nothing, so that a tool that lost the answer may ask again; where
/// fewer are needed since it was given, it publishes what is complete now.
///
/// # Errors
/// `unknown-proposal`, `proposal-overtaken`, `already-signed`, `signature-refused`; [`publish::decide`]'s for the last one.
pub fn sign(
    state: &State,
    prefix: &str,
    request: &SignatureRequest,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if let Some((lane, id)) = live(state, prefix, limits) {
        publish::check_published(state, lane, now)?;
        return Ok(Decision { id, lane, withdrawn: vec![], events: vec![] });
    }
    let kept = find(state, prefix)?;
    check_open(state, &kept.proposal)?;
    let authority = authority(state, kept.proposal.lane())?;
    let keyid = KeyId(request.keyid.clone());
    let sig = request.sig.to_ascii_lowercase();
    let public = |label: &KeyId| authority.keys.get(label).and_then(Key::public);
    let eligible = authority.role_keys.keyids.contains(&keyid).then(|| public(&keyid)).flatten();
    let refuse = |what: &str| {
        let detail = format!("key id {:.80}: {what}", request.keyid);
        let remedy = "sign this very proposal with a key of the lane: `mulberryctl sign`";
        Err(Refusal::new(ProblemKind::SignatureRefused, detail, remedy))
    };
    let Some(key) = eligible else {
        return refuse(&format!("it may not sign for the {} lane", kept.proposal.lane()));
    };
    if let Some(held) = kept.proposal.signatures().find(|held| public(&held.keyid) == Some(key)) {
        let complete = is_complete(&kept.proposal, authority, limits)?;
        if held.keyid == keyid && held.sig == sig {
            let event = if complete { publication(state, &kept.proposal, now, limits)? } else { None };
            return Ok(Decision::about(&kept.proposal, event.into_iter().collect()));
        }
        let holder = authority.keys.get(&keyid).map(proposal::signing::holder).unwrap_or_default();
        let shown = proposal::shown(&kept.id());
        let detail = format!("{holder} has signed proposal {shown} already");
        let remedy = if complete {
            format!("nobody is missing: `mulberryctl submit {shown}`")
        } else {
            "let another person sign".to_owned()
        };
        return Err(Refusal::new(ProblemKind::AlreadySigned, detail, remedy));
    }
    let signed = (*kept.proposal).clone().with_signature(proposals::signature(&keyid, &sig));
    if proposals::check_signatures(&signed, &state.targets, limits).is_err() {
        return refuse("the signature is not this key's over this proposal");
    }
    let event = if is_complete(&signed, authority, limits)? {
        publication(state, &signed, now, limits)?
    } else {
        Some(Event::ProposalSigned { id: kept.id(), keyid, sig })
    };
    Ok(Decision::about(&signed, event.into_iter().collect()))
}

/// A proposal is given up, whether or not it was overtaken.
///
/// # Errors
/// `unknown-proposal`, `proposal-refused` for the reason.
pub fn give_up(
    state: &State,
    prefix: &str,
    request: &DropRequest,
    limits: &Limits,
) -> Result<(ProposalStatus, Event), Refusal> {
    let kept = find(state, prefix)?;
    let reason = reason(request, limits)?;
    let event = Event::ProposalDropped { id: kept.id(), reason };
    Ok((status(state, kept, limits)?, event))
}

/// Why something is given up.
///
/// # Errors
/// `proposal-refused` when it is no short line.
pub(super) fn reason(request: &DropRequest, limits: &Limits) -> Result<String, Refusal> {
    Refusal::reason(&request.reason, limits.proposal.reason, ProblemKind::ProposalRefused)
}

/// All proposals, those of one lane together, older ones first.
///
/// # Errors
/// None is known.
pub fn list(state: &State, limits: &Limits) -> Result<ProposalsResponse, Refusal> {
    let mut kept: Vec<&Kept> = state.proposals.iter().collect();
    kept.sort_by_key(|kept| kept.proposal.lane());
    let proposals = kept.into_iter().map(|kept| status(state, kept, limits)).collect::<Result<_, _>>()?;
    Ok(ProposalsResponse { proposals })
}

/// One proposal with its document.
///
/// # Errors
/// `unknown-proposal`.
pub fn show(state: &State, prefix: &str, limits: &Limits) -> Result<ProposalResponse, Refusal> {
    let kept = find(state, prefix)?;
    Ok(ProposalResponse { status: status(state, kept, limits)?, proposal: kept.proposal.document() })
}

/// What the server says of one proposal.
///
/// # Errors
/// None is known: what is kept was checked.
pub fn status(state: &State, kept: &Kept, limits: &Limits) -> Result<ProposalStatus, Refusal> {
    let proposal = &kept.proposal;
    let authority = authority(state, proposal.lane())?;
    let signing = proposal.signing(authority, limits).map_err(|error| internal(&error))?;
    let published = |path: &RecipePath| ProposedRecipe {
        path: path.to_string(),
        change: ProposedChange::Publish,
        revision: proposal
            .recipes()
            .get(path)
            .and_then(|bytes| mulberry_shared::recipe::published::read(path, bytes, limits).ok())
            .map(|recipe| recipe.revision),
    };
    let withdrawn = proposal.withdraw().iter().map(|slug| ProposedRecipe {
        path: RecipePath { lane: proposal.lane(), slug: slug.clone() }.to_string(),
        change: ProposedChange::Withdraw,
        revision: None,
    });
    let overtaken = kept.is_overtaken(&state.lane_versions());
    Ok(ProposalStatus {
        id: kept.id(),
        role: proposal.lane().into(),
        version: proposal.body().version,
        expires: proposal.body().expires,
        state: if overtaken { ProposalState::Overtaken } else { ProposalState::Open },
        made: kept.made.at,
        by: kept.made.by.name().to_owned(),
        by_person: kept.made.by.person().cloned(),
        changes: proposal.recipes().keys().map(published).chain(withdrawn).collect(),
        missing: signing.missing(),
        needed: signing.needed,
        signed: signing
            .signed
            .into_iter()
            .map(|key| SignatureStatus { keyid: key.keyid.0, holder: key.holder })
            .collect(),
        may_sign: signing.others.into_iter().map(|key| key.holder).collect(),
    })
}

/// The one proposal whose id begins with `prefix`.
fn find<'a>(state: &'a State, prefix: &str) -> Result<&'a Kept, Refusal> {
    search(state, prefix)?.ok_or_else(|| absent(prefix))
}

fn absent(prefix: &str) -> Refusal {
    let detail = format!("no proposal {} is kept", prefix.chars().take(64).collect::<String>());
    let remedy = "look at `mulberryctl proposals`; it may have been published, replaced or dropped";
    Refusal::new(ProblemKind::UnknownProposal, detail, remedy)
}

/// The same, or none. What is no prefix, or that of several, is refused.
fn search<'a>(state: &'a State, prefix: &str) -> Result<Option<&'a Kept>, Refusal> {
    let unknown = |detail: String, remedy: &str| Refusal::new(ProblemKind::UnknownProposal, detail, remedy);
    let shown: String = prefix.chars().take(64).collect();
    if !proposal::is_prefix(prefix) {
        let detail = format!("{shown:?} is no id of a proposal");
        return Err(unknown(detail, "give at least its first 6 hexadecimal digits, in small letters"));
    }
    let mut found = state.proposals.iter().filter(|kept| kept.id().to_string().starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => {
            Err(unknown(format!("several proposals begin with {shown}"), "give more digits of its id"))
        }
        (one, _) => Ok(one),
    }
}

/// The lane that is published as the proposal whose id begins with `prefix`.
fn live(state: &State, prefix: &str, limits: &Limits) -> Option<(Lane, Sha256Digest)> {
    let id = |lane: &Lane| proposal::id_of_metadata(state.lanes.get(lane)?.metadata.bytes(), limits).ok();
    let mut all = Lane::ALL.into_iter().filter_map(|lane| Some((lane, id(&lane)?)));
    all.find(|(_, id)| proposal::is_prefix(prefix) && id.to_string().starts_with(prefix))
}

fn is_live(state: &State, lane: Lane, id: &Sha256Digest, limits: &Limits) -> bool {
    let published = state.lanes.get(&lane).map(|content| content.metadata.bytes());
    published.is_some_and(|bytes| proposal::id_of_metadata(bytes, limits).as_ref() == Ok(id))
}

fn authority(state: &State, lane: Lane) -> Result<Authority<'_>, Refusal> {
    state.targets.authority(lane.as_str(), "targets").map_err(|error| internal(&error))
}

fn is_complete(proposal: &Proposal, authority: Authority<'_>, limits: &Limits) -> Result<bool, Refusal> {
    let signing = proposal.signing(authority, limits).map_err(|error| internal(&error))?;
    Ok(signing.missing() == 0)
}

/// The one event of a complete proposal. Whether it is complete is the publish decision's to say, once more.
fn publication(
    state: &State,
    proposal: &Proposal,
    now: Timestamp,
    limits: &Limits,
) -> Result<Option<Event>, Refusal> {
    let recipes = proposal.recipes().iter().map(|(path, bytes)| (path.to_string(), Base64(bytes.clone())));
    let request = PublishRequest {
        metadata: Base64(proposal.metadata()),
        recipes: recipes.collect(),
        withdraw: proposal.withdraw().iter().map(ToString::to_string).collect(),
    };
    publish::decide(state, proposal.lane(), &request, now, limits)
}

fn check_open(state: &State, proposal: &Proposal) -> Result<(), Refusal> {
    let (lane, version) = (proposal.lane(), proposal.body().version);
    let live = state.lane_versions().get(&lane).copied().unwrap_or_default();
    if version > live {
        return Ok(());
    }
    let shown = proposal::shown(&proposal.id());
    let detail = format!(
        "proposal {shown} is version {version} of the {lane} lane, and another version {version} was published meanwhile"
    );
    let remedy = format!("rebuild it on what is live: mulberryctl propose --rebase {shown}, or its file");
    Err(Refusal::new(ProblemKind::ProposalOvertaken, detail, remedy))
}

fn replaceable(kept: &Kept, by: &Proposal) -> Result<Sha256Digest, Refusal> {
    if kept.proposal.lane() == by.lane() && kept.id() != by.id() {
        return Ok(kept.id());
    }
    let shown = proposal::shown(&kept.id());
    let detail = format!("proposal {shown} is of the other lane, or the very same one");
    Err(Refusal::new(ProblemKind::ProposalRefused, detail, "name the proposal whose place it takes"))
}

/// Tries whether the state takes one more.
fn check_room(state: &State, events: &[Event], limits: &Limits) -> Result<(), Refusal> {
    let [event] = events else { return Ok(()) };
    match crate::state::apply(Some(state), event, state.head, limits) {
        Ok(_) => Ok(()),
        Err(error) => {
            let why = match error {
                FoldError::Event { why, .. } => why,
                FoldError::Ledger(error) => error.to_string(),
            };
            let remedy = "sign or drop what waits: `mulberryctl proposals`";
            Err(Refusal::new(ProblemKind::ProposalRefused, why, remedy))
        }
    }
}

fn unreadable(error: &ProposalError) -> Refusal {
    let (kind, remedy) = match error {
        ProposalError::Malformed(_) => (ProblemKind::MalformedRequest, "correct the request"),
        ProposalError::FailedPreflights(_) => (ProblemKind::ProposalRefused, "correct the request"),
        ProposalError::TooLarge { .. } => (ProblemKind::TooLarge, "propose less at once"),
        ProposalError::Metadata(_) => (ProblemKind::TrustRefused, "correct the metadata"),
        ProposalError::Newer { .. } | ProposalError::OtherRole { .. } | ProposalError::Different { .. } => {
            (ProblemKind::ProposalRefused, "propose for a lane, with a program that fits the server")
        }
    };
    Refusal::new(kind, error.to_string(), remedy)
}

fn internal(error: &dyn std::fmt::Display) -> Refusal {
    tracing::error!(%error, "what is kept does not hold");
    Refusal::new(ProblemKind::Internal, "the server made a mistake", "look at its log and report it")
}

#[cfg(test)]
mod tests;
