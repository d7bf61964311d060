//! Ceremonies: changes of keys, thresholds and expiries, kept while people sign them and published whole.

use jiff::Timestamp;
use mulberry_shared::ceremony::{Ceremony, CeremonyError, Unfit, Whose};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{
    CeremoniesResponse, CeremonyPart, CeremonyRequest, CeremonyStatus, DropRequest, ProblemKind,
    ProposalState, ShownCeremony,
};
use mulberry_shared::proposal::{self, KeyHolder, Role};

use super::{Refusal, propose};
use crate::event::Event;
use crate::state::State;
use crate::state::ceremonies::{self, Kept};

/// What a request about a ceremony comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The ceremony.
    pub id: Sha256Digest,
    /// What is to be recorded; none when nothing changes.
    pub event: Option<Event>,
}

/// A ceremony is submitted. One that is kept gets the signatures that it lacks; enough of them publish it; one that is
/// published changes nothing, so that a tool that lost the answer may ask again.
///
/// # Errors
/// `malformed-request`, `too-large`, `trust-refused`, `proposal-refused`, `proposal-overtaken`, `signature-refused`.
pub fn make(
    state: &State,
    request: CeremonyRequest,
    now: Timestamp,
    limits: &Limits,
) -> Result<Decision, Refusal> {
    if request.ceremony.base.is_some() {
        let detail = "the ceremony carries the edition that it was made on, which is for files";
        return Err(Refusal::new(ProblemKind::MalformedRequest, detail, "send it without `base`"));
    }
    let ceremony = Ceremony::from_document(request.ceremony, limits).map_err(|error| unreadable(&error))?;
    let id = ceremony.id();
    let trust = |error: &dyn std::fmt::Display| {
        Refusal::new(ProblemKind::TrustRefused, error.to_string(), "propose the ceremony again")
    };
    if is_live(state, &ceremony, limits) {
        // What has expired is published, and clients take it no more.
        ceremony.check_unexpired(now).map_err(|error| trust(&error))?;
        return Ok(Decision { id, event: None });
    }
    let live = state.live();
    ceremony.check(&live, limits).map_err(|unfit| refuse(&unfit))?;
    ceremony.check_unexpired(now).map_err(|error| trust(&error))?;
    if let Some((role, keyid)) = ceremony.idle_signature(&live, limits).map_err(|error| trust(&error))? {
        let remedy = "submit only signatures of keys of the roles, over exactly this ceremony";
        return Err(Refusal::new(ProblemKind::SignatureRefused, ceremonies::idle(role, &keyid.0), remedy));
    }
    let kept = state.ceremonies.get(&id);
    let before = kept.map_or(&ceremony, |kept| &kept.ceremony);
    let merged = before.merged(&ceremony, &live, limits).map_err(|error| unreadable(&error))?;
    let event = if merged.is_complete(&live, limits).map_err(|error| trust(&error))? {
        Some(Event::CeremonyPublished { parts: ceremonies::parts(&merged) })
    } else {
        match kept {
            None => Some(Event::CeremonyMade { parts: ceremonies::parts(&merged) }),
            Some(kept) => {
                let signatures = merged.signatures_beyond(&kept.ceremony);
                (!signatures.is_empty()).then_some(Event::CeremonySigned { id, signatures })
            }
        }
    };
    if let Some(event) = &event {
        // Tried, so that what cannot be applied is a refusal and no fault of the server.
        crate::state::apply(Some(state), event, state.head, limits).map_err(|error| {
            let remedy = "sign or drop what waits: `mulberryctl proposals`";
            Refusal::new(ProblemKind::ProposalRefused, error.to_string(), remedy)
        })?;
    }
    Ok(Decision { id, event })
}

/// A ceremony is given up, whether or not it was overtaken.
///
/// # Errors
/// `unknown-proposal`, `proposal-refused` for the reason.
pub fn give_up(
    state: &State,
    prefix: &str,
    request: &DropRequest,
    limits: &Limits,
) -> Result<(CeremonyStatus, Event), Refusal> {
    let kept = find(state, prefix)?;
    let reason = propose::reason(request, limits)?;
    Ok((status(state, kept, limits)?, Event::CeremonyDropped { id: kept.id(), reason }))
}

/// All ceremonies, older ones first.
///
/// # Errors
/// None is known.
pub fn list(state: &State, limits: &Limits) -> Result<CeremoniesResponse, Refusal> {
    let all = state.ceremonies.iter().map(|kept| status(state, kept, limits));
    Ok(CeremoniesResponse { ceremonies: all.collect::<Result<_, _>>()? })
}

/// One ceremony with its document.
///
/// # Errors
/// `unknown-proposal`.
pub fn show(state: &State, prefix: &str, limits: &Limits) -> Result<ShownCeremony, Refusal> {
    let kept = find(state, prefix)?;
    Ok(ShownCeremony { status: status(state, kept, limits)?, ceremony: kept.ceremony.document() })
}

/// What the server says of one.
///
/// # Errors
/// None is known: what is kept was checked.
pub fn status(state: &State, kept: &Kept, limits: &Limits) -> Result<CeremonyStatus, Refusal> {
    let live = state.live();
    let names = |holders: Vec<KeyHolder>| holders.into_iter().map(|key| key.holder).collect();
    let signing = kept.ceremony.signing(&live, limits).map_err(|error| {
        tracing::error!(%error, "what is kept does not hold");
        Refusal::new(ProblemKind::Internal, "the server made a mistake", "look at its log and report it")
    })?;
    let parts = signing.into_iter().filter_map(|demanded| {
        let part = kept.ceremony.parts().get(&demanded.role)?;
        Some(CeremonyPart {
            role: demanded.role,
            version: part.version(),
            expires: part.expires(),
            by_present_keys: demanded.whose == Whose::Present,
            missing: demanded.signing.missing(),
            needed: demanded.signing.needed,
            signed: names(demanded.signing.signed),
            may_sign: names(demanded.signing.others),
        })
    });
    let overtaken = kept.is_overtaken(&live, limits);
    Ok(CeremonyStatus {
        id: kept.id(),
        state: if overtaken { ProposalState::Overtaken } else { ProposalState::Open },
        made: kept.made.at,
        by: kept.made.by.name().to_owned(),
        by_person: kept.made.by.person().cloned(),
        parts: parts.collect(),
    })
}

/// The one ceremony whose id begins with `prefix`.
fn find<'a>(state: &'a State, prefix: &str) -> Result<&'a Kept, Refusal> {
    let is_meant = |kept: &&Kept| proposal::is_prefix(prefix) && kept.id().to_string().starts_with(prefix);
    let mut found = state.ceremonies.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        _ => {
            let shown: String = prefix.chars().take(64).collect();
            let detail = format!("no one ceremony {shown} is kept");
            let remedy = "look at `mulberryctl proposals`; it may have been published or dropped";
            Err(Refusal::new(ProblemKind::UnknownProposal, detail, remedy))
        }
    }
}

/// Whether every part is what is published.
fn is_live(state: &State, ceremony: &Ceremony, limits: &Limits) -> bool {
    ceremony.parts().iter().all(|(role, part)| {
        let live = match role {
            Role::Root => Some(state.root.bytes()),
            Role::Targets => Some(state.targets.bytes()),
            Role::Emergency | Role::Routine => {
                role.lane().and_then(|lane| state.lanes.get(&lane)).map(|content| content.metadata.bytes())
            }
        };
        live.is_some_and(|bytes| proposal::id_of_metadata(bytes, limits) == Ok(part.digest()))
    })
}

fn refuse(unfit: &Unfit) -> Refusal {
    match unfit {
        Unfit::Overtaken { .. } => Refusal::new(
            ProblemKind::ProposalOvertaken,
            format!("the ceremony was overtaken: {unfit}"),
            "propose it again on what is live: run the command that made it once more",
        ),
        Unfit::Metadata(error) => {
            Refusal::new(ProblemKind::TrustRefused, error.to_string(), "propose the ceremony again")
        }
        Unfit::Part { .. } | Unfit::Unverifiable { .. } | Unfit::Rules(_) => Refusal::new(
            ProblemKind::ProposalRefused,
            unfit.to_string(),
            "propose it again with `mulberryctl root` or `mulberryctl lanes`, which show what is wrong",
        ),
    }
}

fn unreadable(error: &CeremonyError) -> Refusal {
    let (kind, remedy) = match error {
        CeremonyError::Malformed(_) => (ProblemKind::MalformedRequest, "correct the request"),
        CeremonyError::TooLarge { .. } => (ProblemKind::TooLarge, "change less at once"),
        CeremonyError::Metadata(_) => (ProblemKind::TrustRefused, "correct the metadata"),
        CeremonyError::Newer { .. } | CeremonyError::Different { .. } => {
            (ProblemKind::ProposalRefused, "use a program that fits the server")
        }
    };
    Refusal::new(kind, error.to_string(), remedy)
}
