//! HTTP. Two listeners: the public one serves finished bytes, the operators' one takes requests with bearer tokens.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};

use crate::connections::seat::Seat;
use crate::services::Core;

mod access;
pub mod ceremonies;
pub mod dockerflow;
pub mod ledger;
pub mod live;
pub mod metrics;
pub mod operators;
pub mod problem;
pub mod proposals;
pub mod public;
pub mod routes;

/// Any address that nothing else answers.
pub async fn not_found(request: HttpRequest) -> problem::ProblemAnswer {
    problem::not_found(request.path())
}

/// Beside a request that a body follows, or is said to.
struct Body;

/// Whether a body follows the request with these extensions, or is said to.
fn has_body(extensions: &Extensions) -> bool {
    extensions.contains::<Body>()
}

/// Middleware that notes whether a body is to come, counts each request once it is answered, by what it was for, and logs it:
/// method, path and status; neither client addresses nor headers. For `wrap_fn`, which boxes nothing.
pub fn observe<S, B>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let has_body = announces_body(&request);
    if has_body {
        request.extensions_mut().insert(Body);
    }
    let answer = service.call(request);
    async move {
        let mut answer = answer.await?;
        let status = answer.status();
        if let Some(seat) = answer.request().conn_data::<Seat>() {
            // HTTP would go on waiting for a body that nobody reads, for ever.
            let refused = has_body && (status.is_client_error() || status.is_server_error());
            if refused {
                seat.refuse_body(Instant::now());
            }
            if refused || seat.should_close() {
                answer.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
        }
        let (asked, status) = (answer.request(), status.as_u16());
        if let Some(core) = asked.app_data::<Data<Core>>() {
            core.metrics().count_request(asked.path(), status);
        }
        tracing::debug!(method = %asked.method(), path = asked.path(), status, "request");
        Ok(answer)
    }
}

/// Whether a body follows the head of this request, or is said to.
fn announces_body(request: &ServiceRequest) -> bool {
    let (head, payload) = request.parts();
    let length = || head.headers().get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    !matches!(payload, Payload::None) && (head.headers().contains_key(TRANSFER_ENCODING) || length())
}

#[cfg(test)]
mod tests;
