//! Status, publishing and gates over HTTP, and how every body is read and written.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use mulberry_shared::json;
use mulberry_shared::limits::{JsonLimits, Limits};
use mulberry_shared::operators::{
    GateRequest, GateResponse, ProblemKind, PublishRequest, PublishResponse, StatusResponse, address,
};
use mulberry_shared::recipe::{Lane, RecipePath, Slug};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::{By, Gate, Publish, Read};
use super::problem::{self, ProblemAnswer};
use crate::services::Core;

/// What is published, how far it is open, and what is due.
#[utoipa::path(get, path = address::STATUS.path, responses(
    (status = 200, body = StatusResponse),
))]
pub(super) async fn status(by: By<Read>, core: Data<Core>) -> Result<HttpResponse, ProblemAnswer> {
    let (name, person) = (by.actor.name().to_owned(), by.actor.person().cloned());
    Ok(answer(&StatusResponse { asked_by: Some(name), asked_by_person: person, ..core.status() }))
}

/// Publish the next version of a lane. Needs a token with the scope `publish`.
#[utoipa::path(post, path = address::LANE.path, request_body = PublishRequest,
    params(("lane" = Lane, Path)), responses(
    (status = 200, body = PublishResponse),
))]
pub(super) async fn publish(
    by: By<Publish>,
    request: HttpRequest,
    lane: Path<String>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let lane: Lane = lane.parse().map_err(|_| problem::not_found(request.path()))?;
    let body: PublishRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().publish(by.actor, lane, body).await?))
}

/// Set the gate of the published revision of a recipe. Needs a token with the scope `gate`.
#[utoipa::path(put, path = address::GATE.path, request_body = GateRequest,
    params(("lane" = Lane, Path), ("slug" = Slug, Path)), responses(
    (status = 200, body = GateResponse),
))]
pub(super) async fn set_gate(
    by: By<Gate>,
    request: HttpRequest,
    names: Path<(String, String)>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let (lane, slug) = &*names;
    let (Ok(lane), Ok(slug)) = (lane.parse(), slug.parse()) else {
        return Err(problem::not_found(request.path()));
    };
    let body: GateRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().set_gate(by.actor, RecipePath { lane, slug }, body).await?))
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
