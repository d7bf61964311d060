//! HTTP. Two listeners: the public one serves finished bytes, the operators' one takes requests with bearer tokens.

use actix_web::HttpRequest;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::web::Data;

use crate::services::Core;

pub mod ceremonies;
pub mod dockerflow;
pub mod ledger;
pub mod live;
pub mod metrics;
pub mod operators;
pub mod problem;
pub mod proposals;
pub mod public;

/// Any address that nothing else answers.
pub async fn not_found(request: HttpRequest) -> problem::ProblemAnswer {
    problem::not_found(request.path())
}

/// Any method that an address does not take.
pub async fn method_not_allowed(request: HttpRequest) -> problem::ProblemAnswer {
    problem::method_not_allowed(request.method().as_str())
}

/// Middleware that counts each request once it is answered, by what it was for, and logs it: method, path and status;
/// neither client addresses nor headers. For `wrap_fn`, which boxes nothing.
pub fn observe<S, B>(
    request: ServiceRequest,
    service: &S,
) -> impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>> + use<S, B>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
{
    let answer = service.call(request);
    async move {
        let answer = answer.await?;
        let (asked, status) = (answer.request(), answer.status().as_u16());
        if let Some(core) = asked.app_data::<Data<Core>>() {
            core.metrics().count_request(asked.path(), status);
        }
        tracing::debug!(method = %asked.method(), path = asked.path(), status, "request");
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
