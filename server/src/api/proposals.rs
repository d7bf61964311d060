//! Proposals over HTTP: reading needs any token, everything else one with the scope `publish`.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Payload};
use mulberry_shared::operators::schema::IdPrefix;
use mulberry_shared::operators::{
    DropRequest, DropResponse, ProposalRequest, ProposalResponse, ProposalsResponse, ProposeResponse,
    SignatureRequest, address,
};

use super::access::{By, Publish, Read};
use super::operators::{answer, read};
use super::problem::ProblemAnswer;
use crate::services::Core;

/// What waits for whose signature, and what was overtaken.
#[utoipa::path(get, path = address::PROPOSALS.path, responses(
    (status = 200, body = ProposalsResponse),
))]
pub(super) async fn list(_by: By<Read>, core: Data<Core>) -> Result<HttpResponse, ProblemAnswer> {
    Ok(answer(&core.proposals()?))
}

/// Submit a proposal, or more signatures of one. Enough of them publish it. Needs a token with the scope `publish`.
#[utoipa::path(post, path = address::PROPOSALS.path, request_body = ProposalRequest, responses(
    (status = 200, body = ProposeResponse),
))]
pub(super) async fn propose(
    by: By<Publish>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let body: ProposalRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().propose(by.actor, body).await?))
}

/// One proposal with its document. What the server says of it is for listings: sign what the document says.
#[utoipa::path(get, path = address::PROPOSAL.path,
    params(("id" = IdPrefix, Path)), responses(
    (status = 200, body = ProposalResponse),
))]
pub(super) async fn show(
    _by: By<Read>,
    id: Path<String>,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    Ok(answer(&core.proposal(&id)?))
}

/// Sign a proposal. The last signature that is needed publishes it. Needs a token with the scope `publish`.
#[utoipa::path(post, path = address::PROPOSAL_SIGNATURES.path, request_body = SignatureRequest,
    params(("id" = IdPrefix, Path)), responses(
    (status = 200, body = ProposeResponse),
))]
pub(super) async fn sign(
    by: By<Publish>,
    id: Path<String>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let body: SignatureRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().sign_proposal(by.actor, id.into_inner(), body).await?))
}

/// Give a proposal up, with its signatures. Needs a token with the scope `publish`.
#[utoipa::path(post, path = address::PROPOSAL_DROP.path, request_body = DropRequest,
    params(("id" = IdPrefix, Path)), responses(
    (status = 200, body = DropResponse),
))]
pub(super) async fn give_up(
    by: By<Publish>,
    id: Path<String>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let body: DropRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().drop_proposal(by.actor, id.into_inner(), body).await?))
}
