//! Ceremonies over HTTP: reading needs any token, everything else one with the scope `publish`.

use actix_web::web::{self, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use mulberry_shared::operators::{
    CeremoniesResponse, CeremonyRequest, CeremonyResponse, DropRequest, DroppedCeremony, Problem, Scope,
    ShownCeremony,
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
            web::resource("/api/v1/ceremonies")
                .route(web::get().to(list))
                .route(web::post().to(hand_in))
                .default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/ceremonies/{id}")
                .route(web::get().to(show))
                .default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/ceremonies/{id}/drop")
                .route(web::post().to(give_up))
                .default_service(other_method()),
        );
}

/// Changes of keys, thresholds and expiries that wait for signatures, and those that were overtaken.
#[utoipa::path(get, path = "/api/v1/ceremonies", security(("token" = [])), responses(
    (status = 200, body = CeremoniesResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    request: HttpRequest,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    authorise(&request, &tokens, Scope::Read)?;
    Ok(answer(&core.ceremonies()?))
}

/// Hand in a ceremony, or more signatures of one. Enough of them publish it whole. Needs a token with the scope `publish`.
#[utoipa::path(post, path = "/api/v1/ceremonies", request_body = CeremonyRequest, security(("token" = [])), responses(
    (status = 200, body = CeremonyResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn hand_in(
    request: HttpRequest,
    payload: Payload,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = authorise(&request, &tokens, Scope::Publish)?;
    let body: CeremonyRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().ceremony(actor, body).await?))
}

/// One ceremony with its document. What the server says of it is for listings: sign what the document says.
#[utoipa::path(get, path = "/api/v1/ceremonies/{id}", security(("token" = [])),
    params(("id" = String, Path, description = "the first 6 or more hexadecimal digits of its id")), responses(
    (status = 200, body = ShownCeremony),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    request: HttpRequest,
    id: Path<String>,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    authorise(&request, &tokens, Scope::Read)?;
    Ok(answer(&core.shown_ceremony(&id)?))
}

/// Give a ceremony up, with its signatures. Needs a token with the scope `publish`.
#[utoipa::path(post, path = "/api/v1/ceremonies/{id}/drop", request_body = DropRequest, security(("token" = [])),
    params(("id" = String, Path, description = "the first 6 or more hexadecimal digits of its id")), responses(
    (status = 200, body = DroppedCeremony),
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
    Ok(answer(&core.into_inner().drop_ceremony(actor, id.into_inner(), body).await?))
}
