//! The public listener: a TUF repository, the live stream, and health.

use std::future::{Ready, ready};

use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{HttpMessage as _, HttpResponse, Resource, ResponseError as _};
use mulberry_shared::operators::address;
use mulberry_shared::tuf::location;

use super::routes::{not_allowed, resource};
use super::{dockerflow, has_body, live, problem};
use crate::served::{Caching, ServedFile};
use crate::services::Core;

mod description;

/// For files whose name is of one content for ever.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// For the timestamp and the newest page of links: caches shield the server from a crowd, and nobody waits longer than this for a fix.
const SHORT: HeaderValue = HeaderValue::from_static("public, max-age=5");

/// For an absent file that metadata should not have named.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// For an absent file that clients ask for on a chance, since each refresh asks for the next root: a new one reaches those behind a
/// cache so much later. And for the description.
const SHORTLY: HeaderValue = HeaderValue::from_static("public, max-age=60");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Adds the public routes. Those without a file's name are compared as they are: patterns would be matched against each poll,
/// which takes longer than all the rest of its answer.
pub fn configure(config: &mut ServiceConfig) {
    let description = Bytes::from(serde_json::to_vec(&description::description()).unwrap_or_default());
    let describe = move || {
        let mut answer = HttpResponse::Ok();
        answer.insert_header((header::CACHE_CONTROL, SHORTLY)).insert_header((header::CONTENT_TYPE, JSON));
        ready(answer.body(description.clone()))
    };
    config
        .service(resource(address::LIVE, vec![(Method::GET, web::get().to(live::stream))]))
        .service(readable(address::HEARTBEAT, dockerflow::heartbeat))
        .service(readable(address::LBHEARTBEAT, dockerflow::lbheartbeat))
        .service(readable(address::VERSION, dockerflow::version))
        .service(readable(address::OPENAPI.path, describe))
        .default_service(fn_service(file_or_nothing));
}

/// A resource that takes GET and HEAD.
fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    resource(
        path,
        vec![(Method::GET, web::get().to(handler.clone())), (Method::HEAD, web::head().to(handler))],
    )
}

/// What is at all other addresses.
fn file_or_nothing(request: ServiceRequest) -> Ready<Result<ServiceResponse, actix_web::Error>> {
    let path = request.path();
    let name = path.strip_prefix('/').unwrap_or_default();
    let is_file = [location::METADATA, location::TARGETS, location::LEDGER]
        .iter()
        .any(|folder| name.starts_with(folder));
    let answer = match request.app_data::<Data<Core>>() {
        _ if !is_file => problem::not_found(path).error_response(),
        _ if !matches!(*request.method(), Method::GET | Method::HEAD) => {
            not_allowed(request.method(), "GET, HEAD")
        }
        _ if has_body(&request.extensions()) => {
            problem::body_not_taken(request.method().as_str()).error_response()
        }
        Some(core) => file(name, request.headers(), core),
        None => HttpResponse::InternalServerError().finish(),
    };
    ready(Ok(request.into_response(answer)))
}

fn file(name: &str, headers: &HeaderMap, core: &Core) -> HttpResponse {
    let served = core.served();
    // Each refresh asks for the next root, which is not there, so the answer is no longer than it must be.
    let Some(file) = served.file(name) else {
        let caching = if location::may_be_absent(name) { SHORTLY } else { NO_STORE };
        return HttpResponse::NotFound().insert_header((header::CACHE_CONTROL, caching)).finish();
    };
    // Everything below is ready: nothing is formatted, checked or copied for one answer.
    let known = is_known(headers, file);
    let mut answer = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    let caching = match file.caching {
        Caching::Immutable => IMMUTABLE,
        Caching::Short => SHORT,
    };
    answer.insert_header((header::ETAG, file.etag.clone()));
    answer.insert_header((header::CACHE_CONTROL, caching));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, NOSNIFF));
    if known {
        return answer.finish();
    }
    answer.insert_header((header::CONTENT_TYPE, JSON));
    answer.body(file.body.clone())
}

/// RFC 9110 section 13.1.2: weak comparison, a list, or `*`.
fn is_known(headers: &HeaderMap, file: &ServedFile) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == file.etag.as_bytes())
}
