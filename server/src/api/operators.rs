//! The operators' listener: publish, propose, gate, status, the ledger, metrics, and the description of them all.

use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue};
use actix_web::web::{self, Bytes, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use mulberry_shared::json;
use mulberry_shared::limits::{JsonLimits, Limits};
use mulberry_shared::operators::{
    GateRequest, GateResponse, Problem, ProblemKind, PublishRequest, PublishResponse, Scope, StatusResponse,
};
use mulberry_shared::recipe::{Lane, RecipePath};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::ceremonies;
use super::problem::{self, ProblemAnswer};
use super::{ledger, metrics, proposals};
use super::{method_not_allowed, not_found};
use crate::connections::seat::Seat;
use crate::services::Core;
use crate::tokens::LiveTokens;

/// Adds the operators' routes.
pub fn configure(config: &mut ServiceConfig) {
    let other_method = || web::to(method_not_allowed);
    config
        .service(web::resource("/api/v1/status").route(web::get().to(status)).default_service(other_method()))
        .service(
            web::resource("/api/v1/lanes/{lane}")
                .route(web::post().to(publish))
                .default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/gates/{lane}/{slug}")
                .route(web::put().to(set_gate))
                .default_service(other_method()),
        )
        .configure(proposals::configure)
        .configure(ceremonies::configure)
        .service(
            web::resource("/api/v1/ledger")
                .route(web::get().to(ledger::ledger))
                .default_service(other_method()),
        )
        .service(
            web::resource("/metrics").route(web::get().to(metrics::metrics)).default_service(other_method()),
        )
        .service(
            web::resource("/api/v1/openapi.json")
                .route(web::get().to(openapi))
                .default_service(other_method()),
        )
        .default_service(web::to(not_found));
}

/// What is published, how far it is open, and what is due.
#[utoipa::path(get, path = "/api/v1/status", security(("token" = [])), responses(
    (status = 200, body = StatusResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
async fn status(
    request: HttpRequest,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let asked_by = Some(authorise(&request, &tokens, Scope::Read)?);
    Ok(answer(&StatusResponse { asked_by, ..core.status() }))
}

/// Publish the next version of a lane. Needs a token with the scope `publish`.
#[utoipa::path(post, path = "/api/v1/lanes/{lane}", request_body = PublishRequest, security(("token" = [])),
    params(("lane" = String, Path, description = "`emergency` or `routine`")), responses(
    (status = 200, body = PublishResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
async fn publish(
    request: HttpRequest,
    lane: Path<String>,
    payload: Payload,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = authorise(&request, &tokens, Scope::Publish)?;
    let lane: Lane = lane.parse().map_err(|_| problem::not_found(request.path()))?;
    let body: PublishRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().publish(actor, lane, body).await?))
}

/// Set the gate of the published revision of a recipe. Needs a token with the scope `gate`.
#[utoipa::path(put, path = "/api/v1/gates/{lane}/{slug}", request_body = GateRequest, security(("token" = [])),
    params(("lane" = String, Path, description = "`emergency` or `routine`"), ("slug" = String, Path)), responses(
    (status = 200, body = GateResponse),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
async fn set_gate(
    request: HttpRequest,
    names: Path<(String, String)>,
    payload: Payload,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = authorise(&request, &tokens, Scope::Gate)?;
    let (lane, slug) = &*names;
    let (Ok(lane), Ok(slug)) = (lane.parse(), slug.parse()) else {
        return Err(problem::not_found(request.path()));
    };
    let body: GateRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().set_gate(actor, RecipePath { lane, slug }, body).await?))
}

async fn openapi() -> HttpResponse {
    answer(&Description::openapi())
}

/// The name of the token, if it may do this.
pub(super) fn authorise(
    request: &HttpRequest,
    tokens: &LiveTokens,
    scope: Scope,
) -> Result<String, ProblemAnswer> {
    let unauthenticated = |detail: &str| {
        if let Some(core) = request.app_data::<Data<Core>>() {
            core.metrics().count_refused_token();
        }
        let remedy = "send `Authorization: Bearer TOKEN` with a token made by `mulberry-server token add`";
        ProblemAnswer::new(ProblemKind::Unauthenticated, detail, remedy)
    };
    let header = request.headers().get(AUTHORIZATION).ok_or_else(|| unauthenticated("no token was sent"))?;
    let text = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| unauthenticated("the Authorization header is not a bearer token"))?;
    let token = tokens.find(text).map_err(|error| {
        tracing::error!(%error, "the tokens cannot be read, so nobody is admitted");
        let detail = "the server cannot read its tokens";
        ProblemAnswer::new(ProblemKind::Unavailable, detail, "look at the server's log")
    })?;
    let token = token.ok_or_else(|| unauthenticated("the token is not known, or was revoked"))?;
    // From here on its connection is not cut for others.
    if let Some(seat) = request.conn_data::<Seat>() {
        seat.authenticate();
    }
    if scope != Scope::Read && !token.may.contains(&scope) {
        let detail = format!("the token {:?} lacks the scope {}", token.name, scope.as_str());
        let remedy = format!("use a token made with `--may {}`", scope.as_str());
        return Err(ProblemAnswer::new(ProblemKind::Forbidden, detail, remedy));
    }
    Ok(token.name)
}

/// Reads a body, which nobody without a token gets as far as sending.
pub(super) async fn read<T: DeserializeOwned>(payload: Payload, limits: &Limits) -> Result<T, ProblemAnswer> {
    let bytes = collect(payload, limits).await?;
    let limits = JsonLimits { bytes: limits.operators.body_bytes, ..limits.json.clone() };
    json::decode(&bytes, &limits).map_err(|error| {
        let remedy = "see /api/v1/openapi.json for what this address takes";
        ProblemAnswer::new(ProblemKind::MalformedRequest, format!("the body: {error}"), remedy)
    })
}

async fn collect(payload: Payload, limits: &Limits) -> Result<Bytes, ProblemAnswer> {
    let (most, time) = (limits.operators.body_bytes, limits.operators.body_seconds);
    let too_large = |detail: String| {
        ProblemAnswer::new(ProblemKind::TooLarge, detail, "send less at once, or over a faster connection")
    };
    match tokio::time::timeout(Duration::from_secs(time), payload.to_bytes_limited(most)).await {
        Err(_) => Err(too_large(format!("the body took more than {time} seconds to arrive"))),
        Ok(Err(_)) => Err(too_large(format!("the body has more than {most} bytes"))),
        Ok(Ok(Err(error))) => {
            let detail = format!("the body could not be read: {error}");
            Err(ProblemAnswer::new(ProblemKind::MalformedRequest, detail, "send it again"))
        }
        Ok(Ok(Ok(bytes))) => Ok(bytes),
    }
}

pub(super) fn answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store"))).json(body)
}

/// The OpenAPI description.
#[derive(OpenApi)]
#[openapi(
    info(title = "Mulberry operators' interface", description = "Every error answer is a problem document (RFC 9457)."),
    paths(
        status, publish, set_gate, ledger::ledger, metrics::metrics, proposals::list, proposals::propose,
        proposals::show, proposals::sign, proposals::give_up,
        ceremonies::list, ceremonies::hand_in, ceremonies::show, ceremonies::give_up
    ),
    modifiers(&BearerToken)
)]
struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}
