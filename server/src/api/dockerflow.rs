//! Health in Mozilla's Dockerflow form: `/__heartbeat__`, `/__lbheartbeat__`, `/__version__`.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use serde_json::json;

use crate::services::Core;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// 200 while all is well; 500 when any of our own metadata is due or the last write failed. Mulberry must not die of the
/// disease it cures, so this speaks up long before anything expires.
pub async fn heartbeat(core: Data<Core>) -> HttpResponse {
    let troubles = core.troubles();
    let mut answer =
        if troubles.is_empty() { HttpResponse::Ok() } else { HttpResponse::InternalServerError() };
    let status = if troubles.is_empty() { "ok" } else { "error" };
    let edition = core.served().edition.number();
    answer
        .insert_header((CACHE_CONTROL, NO_STORE))
        .json(json!({"status": status, "edition": edition, "troubles": troubles}))
}

/// 200 while the process answers at all: for load balancers.
pub async fn lbheartbeat() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, NO_STORE)).json(json!({"status": "ok"}))
}

/// What runs here. Commit and build are those that the builder put into the environment while compiling.
pub async fn version() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, NO_STORE)).json(json!({
        "source": option_env!("MULBERRY_BUILD_SOURCE").unwrap_or_default(),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("MULBERRY_BUILD_COMMIT").unwrap_or_default(),
        "build": option_env!("MULBERRY_BUILD_URL").unwrap_or_default(),
    }))
}
