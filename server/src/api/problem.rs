//! Every error answer is a problem document (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder, ResponseError};
use mulberry_shared::operators::{PROBLEM_MEDIA_TYPE, Problem, ProblemKind};

use crate::services::Refusal;

/// A problem on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemAnswer(pub Problem);

impl ProblemAnswer {
    /// A problem of this kind.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (status, title) = describe(kind);
        Self(Problem {
            type_uri: format!("urn:mulberry:problem:{}", Refusal::kind_name(kind)),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            kind,
            remedy: remedy.into(),
        })
    }
}

impl From<Refusal> for ProblemAnswer {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind, refusal.detail, refusal.remedy)
    }
}

impl fmt::Display for ProblemAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.title, self.0.detail)
    }
}

impl ResponseError for ProblemAnswer {
    fn status_code(&self) -> StatusCode {
        describe(self.0.kind).0
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut answer = HttpResponseBuilder::new(status);
        answer.insert_header((CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE)));
        // An absent `N.root.json` may exist the next second.
        answer.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if status == StatusCode::UNAUTHORIZED {
            answer.insert_header((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mulberry\"")));
        }
        answer.body(serde_json::to_vec(&self.0).unwrap_or_default())
    }
}

impl Responder for ProblemAnswer {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

/// No such address.
#[must_use]
pub fn not_found(path: &str) -> ProblemAnswer {
    let path: String = path.chars().take(200).collect();
    ProblemAnswer::new(ProblemKind::NotFound, format!("there is nothing at {path}"), "check the address")
}

/// The address takes other methods than this.
#[must_use]
pub fn method_not_allowed(method: &str, allow: &str) -> ProblemAnswer {
    let method: String = method.chars().take(20).collect();
    let detail = format!("this address does not take {method}");
    ProblemAnswer::new(ProblemKind::MethodNotAllowed, detail, format!("it takes {allow}"))
}

/// A request of this method came with a body.
#[must_use]
pub fn body_not_taken(method: &str) -> ProblemAnswer {
    let method: String = method.chars().take(20).collect();
    let detail = format!("{method} takes no body here, and one was announced");
    ProblemAnswer::new(
        ProblemKind::MalformedRequest,
        detail,
        "send it without Content-Length and Transfer-Encoding",
    )
}

fn describe(kind: ProblemKind) -> (StatusCode, &'static str) {
    use ProblemKind as K;
    match kind {
        K::MalformedRequest => (StatusCode::BAD_REQUEST, "Malformed request"),
        K::Unauthenticated => (StatusCode::UNAUTHORIZED, "No valid token"),
        K::Forbidden => (StatusCode::FORBIDDEN, "The token may not do this"),
        K::NotFound => (StatusCode::NOT_FOUND, "No such address"),
        K::UnknownRecipe => (StatusCode::NOT_FOUND, "No such recipe"),
        K::UnknownProposal => (StatusCode::NOT_FOUND, "No such proposal"),
        K::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
        K::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Too large or too slow"),
        K::WouldDisappear => (StatusCode::CONFLICT, "A recipe would disappear"),
        K::WithdrawMismatch => (StatusCode::CONFLICT, "Withdrawals do not match the metadata"),
        K::SlugTaken => (StatusCode::CONFLICT, "The slug is taken"),
        K::NotNewer => (StatusCode::CONFLICT, "Not the next version or revision"),
        K::RevisionMismatch => (StatusCode::CONFLICT, "Not the published revision"),
        K::GateEnded => (StatusCode::CONFLICT, "The revision has ended"),
        K::WouldResume => (StatusCode::CONFLICT, "It would undo what somebody stopped"),
        K::ProposalOvertaken => (StatusCode::CONFLICT, "The proposal was overtaken"),
        K::AlreadySigned => (StatusCode::CONFLICT, "The key has signed already"),
        K::SignatureRefused => (StatusCode::UNPROCESSABLE_ENTITY, "The signature was refused"),
        K::ProposalRefused => (StatusCode::UNPROCESSABLE_ENTITY, "The proposal was refused"),
        K::TrustRefused => (StatusCode::UNPROCESSABLE_ENTITY, "The metadata was refused"),
        K::RecipeRefused => (StatusCode::UNPROCESSABLE_ENTITY, "A recipe was refused"),
        K::SecondKeyNeeded => (StatusCode::CONFLICT, "A second person's key is needed"),
        K::ApprovalRefused => (StatusCode::UNPROCESSABLE_ENTITY, "The signatures were refused"),
        K::GateRefused => (StatusCode::UNPROCESSABLE_ENTITY, "The gate was refused"),
        K::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "Not possible now"),
        K::Internal | K::Unknown => (StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
    }
}
