//! `GET /metrics` on the operators' listener. Needs a token as everything there does: any will do.

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use mulberry_shared::operators::{Problem, ProblemKind, Scope};

use super::operators::authorise;
use super::problem::ProblemAnswer;
use crate::metrics::MEDIA_TYPE;
use crate::services::Core;
use crate::tokens::LiveTokens;

/// Figures for a monitoring system, as OpenMetrics text. Any token may.
#[utoipa::path(get, path = "/metrics", security(("token" = [])), responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
    (status = "default", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn metrics(
    request: HttpRequest,
    core: Data<Core>,
    tokens: Data<LiveTokens>,
) -> Result<HttpResponse, ProblemAnswer> {
    authorise(&request, &tokens, Scope::Read)?;
    let text = core.metrics().encode(&core.reading()).map_err(|error| {
        ProblemAnswer::new(ProblemKind::Internal, error.to_string(), "look at the server's log")
    })?;
    Ok(HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(text))
}
