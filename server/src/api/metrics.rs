//! `GET /metrics` on the operators' listener. Needs a token as everything there does: any will do.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use mulberry_shared::operators::{ProblemKind, address};

use super::access::{By, Read};
use super::problem::ProblemAnswer;
use crate::metrics::MEDIA_TYPE;
use crate::services::Core;

/// Figures for a monitoring system, as OpenMetrics text. Any token may.
#[utoipa::path(get, path = address::METRICS.path, responses(
    (status = 200, body = String, content_type = "application/openmetrics-text"),
))]
pub(super) async fn metrics(_by: By<Read>, core: Data<Core>) -> Result<HttpResponse, ProblemAnswer> {
    let text = core.metrics().encode(&core.reading()).map_err(|error| {
        ProblemAnswer::new(ProblemKind::Internal, error.to_string(), "look at the server's log")
    })?;
    Ok(HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(text))
}
