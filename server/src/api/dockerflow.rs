//! Health in Mozilla's Dockerflow form: `/__heartbeat__`, `/__lbheartbeat__`, `/__version__`.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use mulberry_shared::operators::address;
use serde::Serialize;
use utoipa::ToSchema;

use crate::services::Core;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How the server is.
#[derive(Serialize, ToSchema)]
pub(super) struct Heartbeat {
    status: Health,
    /// The served edition (snapshot version).
    edition: u64,
    /// What an operator must look at, a sentence each; none when all is well.
    troubles: Vec<String>,
}

/// Whether the process answers.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    status: Health,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Health {
    Ok,
    Error,
}

/// What runs here.
#[derive(Serialize, ToSchema)]
pub(super) struct Version {
    source: &'static str,
    version: &'static str,
    commit: &'static str,
    build: &'static str,
}

/// 200 while all is well; 500 when any of our own metadata is due or the last write failed. Mulberry must not die of the
/// disease it cures, so this speaks up long before anything expires.
#[utoipa::path(method(get, head), path = address::HEARTBEAT, responses(
    (status = 200, body = Heartbeat),
    (status = 500, body = Heartbeat, description = "something needs an operator"),
))]
pub(super) async fn heartbeat(core: Data<Core>) -> HttpResponse {
    let troubles = core.troubles();
    let mut answer =
        if troubles.is_empty() { HttpResponse::Ok() } else { HttpResponse::InternalServerError() };
    let status = if troubles.is_empty() { Health::Ok } else { Health::Error };
    let edition = core.served().edition.number();
    answer.insert_header((CACHE_CONTROL, NO_STORE)).json(Heartbeat { status, edition, troubles })
}

/// 200 while the process answers at all: for load balancers.
#[utoipa::path(method(get, head), path = address::LBHEARTBEAT, responses((status = 200, body = Alive)))]
pub(super) async fn lbheartbeat() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, NO_STORE)).json(Alive { status: Health::Ok })
}

/// What runs here. Commit and build are those that the builder put into the environment while compiling.
#[utoipa::path(method(get, head), path = address::VERSION, responses((status = 200, body = Version)))]
pub(super) async fn version() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, NO_STORE)).json(Version {
        source: option_env!("MULBERRY_BUILD_SOURCE").unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("MULBERRY_BUILD_COMMIT").unwrap_or_default(),
        build: option_env!("MULBERRY_BUILD_URL").unwrap_or_default(),
    })
}
