//! Proposals over HTTP: reading needs any token, everything else one with the scope `publish`.

use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use mulberry_shared::operators::{
    DropRequest, DropResponse, Problem, ProposalRequest, ProposalResponse, ProposalsResponse,
    ProposeResponse, Scope, SignatureRequest,
};

use super::method_not_allowed;
use super::operators::{answer, authorise, read};
use super::problem::ProblemAnswer;
use crate::services::Core;
use crate::tokens::LiveTokens;

/// Adds the routes.
pub fn configure(config: &mut ServiceConfig) {
    let other_method = || web::to(method_not_allowed);
    config
        .service(
            web::resource("/api/v1/proposals")
                .route(web::get().to(list))
                .route(web::post().to(propose))
                .default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/proposals/{id}")
                .route(web::get().to(show))
                .default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/proposals/{id}/signatures")
                .route(web::post().to(sign))
                .default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/proposals/{id}/drop")
                .route(web::post().to(give_up))
                .default_service(other_method()),
        );
}

/// What waits for whose signature, and what was overtaken.
#[utoipa::path(get, path = "/api/v1/proposals", security(("token" = [])), responses(
    (status = 200, body = ProposalsResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    request: HttpRequest,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    authorise(&request, &tokens, Scope::Read)?;
    Ok(answer(&core.proposals()?))
}

/// Hand in a proposal, or more signatures of one. Enough of them publish it. Needs a token with the scope `publish`.
#[utoipa::path(post, path = "/api/v1/proposals", request_body = ProposalRequest, security(("token" = [])), responses(
    (status = 200, body = ProposeResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn propose(
    request: HttpRequest,
    payload: Payload,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = authorise(&request, &tokens, Scope::Publish)?;
    let body: ProposalRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().propose(actor, body).await?))
}

/// One proposal with its document. What the server says of it is for listings: sign what the document says.
#[utoipa::path(get, path = "/api/v1/proposals/{id}", security(("token" = [])),
    params(("id" = String, Path, description = "the first 6 or more hexadecimal digits of its id")), responses(
    (status = 200, body = ProposalResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    request: HttpRequest,
    id: Path<String>,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    authorise(&request, &tokens, Scope::Read)?;
    Ok(answer(&core.proposal(&id)?))
}

/// Sign a proposal. The last signature that is needed publishes it. Needs a token with the scope `publish`.
#[utoipa::path(post, path = "/api/v1/proposals/{id}/signatures", request_body = SignatureRequest,
    security(("token" = [])),
    params(("id" = String, Path, description = "the first 6 or more hexadecimal digits of its id")), responses(
    (status = 200, body = ProposeResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn sign(
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = authorise(&request, &tokens, Scope::Publish)?;
    let body: SignatureRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().sign_proposal(actor, id.into_inner(), body).await?))
}

/// Give a proposal up, with its signatures. Needs a token with the scope `publish`.
#[utoipa::path(post, path = "/api/v1/proposals/{id}/drop", request_body = DropRequest, security(("token" = [])),
    params(("id" = String, Path, description = "the first 6 or more hexadecimal digits of its id")), responses(
    (status = 200, body = DropResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn give_up(
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = authorise(&request, &tokens, Scope::Publish)?;
    let body: DropRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().drop_proposal(actor, id.into_inner(), body).await?))
}
