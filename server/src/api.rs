//! HTTP. Two listeners: the public one serves finished bytes, the operators' one takes requests with bearer tokens.

use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

pub mod dockerflow;
pub mod ledger;
pub mod live;
pub mod operators;
pub mod problem;
pub mod public;

/// Any address that nothing else answers.
pub async fn not_found(request: HttpRequest) -> problem::ProblemAnswer {
    problem::not_found(request.path())
}

/// Any method that an address does not take.
pub async fn method_not_allowed(request: HttpRequest) -> problem::ProblemAnswer {
    problem::method_not_allowed(request.method().as_str())
}

/// Middleware that logs each request once it is answered: method, path and status; neither client addresses nor headers.
///
/// # Errors
/// Whatever the request ended with.
pub async fn log_request(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let method = request.method().clone();
    let path = request.path().to_owned();
    let answer = next.call(request).await?;
    tracing::debug!(%method, path, status = answer.status().as_u16(), "request");
    Ok(answer)
}

#[cfg(test)]
mod tests;
