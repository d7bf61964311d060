//! The next version of a lane, which people sign: made, judged from the bytes to be signed, and signed.

use super::{base::Base, signers};
use crate::{failure::Failure, keys::PersonKey};
use jiff::Timestamp;
use mulberry_shared::{
    edition::write::LaneDraft,
    limits::Limits,
    operators::ProblemKind,
    proposal::{self, Change, Changes, Examined, Proposal, Unfit},
    recipe::{Lane, Slug, published},
    tuf::{Signer, TrustError, threshold::Signature},
};
use std::collections::BTreeMap;

/// The wishes as a proposal that nobody has signed.
///
/// # Errors
/// The plan does not make a lane's next version.
pub fn make(
    lane: Lane,
    base: &Base,
    plan: &Changes,
    withdraw: &[Slug],
    now: Timestamp,
    limits: &Limits,
) -> Result<Proposal, Failure> {
    let refused = |error: TrustError| Failure::refused(error.kind, error.to_string());
    let mut draft = LaneDraft::new(lane, Some(&base.lane));
    let mut recipes = BTreeMap::new();
    for (path, change) in plan {
        match change {
            Change::New(recipe) | Change::Changed { to: recipe, .. } => {
                let bytes = published::write(recipe);
                draft.add(path, &bytes).map_err(refused)?;
                recipes.insert(path.clone(), bytes);
            }
            Change::Withdrawn(_) => draft.withdraw(&path.slug).map_err(refused)?,
            Change::Unchanged => {}
        }
    }
    let body = draft.build(now).map_err(refused)?;
    Proposal::new(lane, &body, recipes, withdraw.iter().cloned(), limits).map_err(|error| {
        Failure::no(ProblemKind::ProposalRefused, format!("It cannot be proposed: {error}."))
    })
}

/// What the proposal would change, from the bytes to be signed.
///
/// # Errors
/// It was overtaken, or is not what could be published.
pub fn examine(
    proposal: &Proposal,
    base: &Base,
    now: Timestamp,
    limits: &Limits,
) -> Result<Examined, Failure> {
    proposal::examine(proposal, base.live(), now, limits).map_err(|unfit| match &unfit {
        Unfit::Overtaken { .. } => Failure::no(
            ProblemKind::ProposalOvertaken,
            format!(
                "Overtaken: {unfit}. Nothing was signed. Rebuild it on what is live, and everybody signs again:\n  \
                 mulberryctl propose --rebase {}",
                proposal::shown(&proposal.id())
            ),
        ),
        Unfit::Metadata(error) => Failure::refused(
            error.kind,
            format!("The proposal is refused: {error}. Nothing was signed."),
        ),
        Unfit::Recipe { .. } => Failure::refused(
            ProblemKind::RecipeRefused,
            format!("The proposal is refused: {unfit}. Nothing was signed. Ask who made it, not the server alone."),
        ),
    })
}

/// Signs with each of the keys.
///
/// # Errors
/// A key that cannot sign.
pub fn sign(proposal: &mut Proposal, signers: &[PersonKey], base: &Base) -> Result<Vec<Signature>, Failure> {
    let authority = signers::authority(&base.targets, proposal.lane())?;
    let mut sign = |signer: &dyn Signer| proposal.sign(authority, signer);
    let signed: Result<Vec<_>, _> = signers.iter().map(|signer| sign(signer.as_ref())).collect();
    signed.map_err(|error| Failure::refused(error.kind, error.to_string()))
}
