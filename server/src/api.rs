//! HTTP. Two listeners: the public one serves finished bytes, the operators' one takes requests with bearer tokens.

use std::time::Instant;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::http::{ConnectionType, Method};
use actix_web::web::Data;
use actix_web::{HttpRequest, ResponseError as _};
use tokio_util::either::Either;

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

/// Middleware that refuses bodies where none belongs, counts each request once it is answered, by what it was for, and logs it:
/// method, path and status; neither client addresses nor headers. For `wrap_fn`, which boxes nothing.
pub fn observe<S, B>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse<EitherBody<B>>, actix_web::Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    let has_body = announces_body(&request);
    let answer = if has_body && matches!(*request.method(), Method::GET | Method::HEAD) {
        let refused = problem::body_not_taken(request.method().as_str()).error_response();
        Either::Right(request.into_response(refused).map_into_right_body())
    } else {
        Either::Left(service.call(request))
    };
    async move {
        let mut answer = match answer {
            Either::Left(answer) => answer.await?.map_into_left_body(),
            Either::Right(refused) => refused,
        };
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
