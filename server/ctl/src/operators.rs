//! The operators' interface of the server, from the client's side.

use crate::{
    config::Settings,
    failure::{Failure, FailureKind, Kind},
    http::{Endpoint, Purpose},
};
use mulberry_shared::{
    answer::plain,
    ceremony::Ceremony,
    limits::Limits,
    operators::{
        Address, CeremoniesResponse, CeremonyRequest, CeremonyResponse, DropRequest, DropResponse,
        DroppedCeremony, GateRequest, GateResponse, Problem, ProblemKind, ProposalRequest, ProposalResponse,
        ProposalsResponse, ProposeResponse, PublishRequest, PublishResponse, ShownCeremony, SignatureRequest,
        StatusResponse, address,
    },
    proposal::{self, Proposal},
    recipe::RecipePath,
};
use reqwest::{
    Method, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Bytes of the largest answer: a proposal as large as the server takes. A status of a thousand recipes has half a megabyte.
const MAX_ANSWER: u64 = 17 << 20;

/// A server that answers to our token.
pub struct Operators {
    endpoint: Endpoint,
    token: String,
}

impl Operators {
    /// Takes address and token from the configuration; nothing is sent yet.
    ///
    /// # Errors
    /// No token, a bad URL, or one that would carry the token in the clear.
    pub fn new(settings: &Settings) -> Result<Self, Failure> {
        let endpoint = Endpoint::new(&settings.server.value, Purpose::Token)?;
        Ok(Self { endpoint, token: settings.token()? })
    }

    /// Everything the server says about itself.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn status(&self) -> Result<StatusResponse, Failure> {
        self.call(Method::GET, address::STATUS.path, None::<&()>).await
    }

    /// Hands over signed lane metadata. The answer means that it is durable and served.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn publish(&self, lane: &str, request: &PublishRequest) -> Result<PublishResponse, Failure> {
        self.call(Method::POST, &address::LANE.with(&[&lane]), Some(request)).await
    }

    /// Sets a gate. The answer means that it is durable and served.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn gate(&self, recipe: &RecipePath, request: &GateRequest) -> Result<GateResponse, Failure> {
        let path = address::GATE.with(&[&recipe.lane, &recipe.slug]);
        self.call(Method::PUT, &path, Some(request)).await
    }

    /// Submits a proposal, or more signatures of one.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn propose(&self, request: &ProposalRequest) -> Result<ProposeResponse, Failure> {
        self.call(Method::POST, address::PROPOSALS.path, Some(request)).await
    }

    /// What waits for whom, as the server describes it.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn proposals(&self) -> Result<ProposalsResponse, Failure> {
        self.call(Method::GET, address::PROPOSALS.path, None::<&()>).await
    }

    /// One proposal, which must have the id that was asked for: nothing else is believed of it.
    ///
    /// # Errors
    /// Unreachable, a problem document, or another proposal than was asked for.
    pub async fn proposal(&self, id: &str, limits: &Limits) -> Result<Proposal, Failure> {
        let path = place(&address::PROPOSAL, id)?;
        let answer: ProposalResponse = self.call(Method::GET, &path, None::<&()>).await?;
        let refused = |what: String| {
            Failure::refused(
                ProblemKind::ProposalRefused,
                format!("The server's proposal {id} is refused: {what}. Nothing was signed."),
            )
        };
        let proposal =
            Proposal::from_document(answer.proposal, limits).map_err(|error| refused(error.to_string()))?;
        if proposal.id().to_string().starts_with(id) {
            return Ok(proposal);
        }
        let found = proposal::shown(&proposal.id());
        Err(refused(format!("what it sent is {found}, another one, so the server is not to be believed")))
    }

    /// Submits one person's signature.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn sign(&self, id: &str, request: &SignatureRequest) -> Result<ProposeResponse, Failure> {
        self.call(Method::POST, &place(&address::PROPOSAL_SIGNATURES, id)?, Some(request)).await
    }

    /// Gives a proposal up.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn drop_proposal(&self, id: &str, request: &DropRequest) -> Result<DropResponse, Failure> {
        self.call(Method::POST, &place(&address::PROPOSAL_DROP, id)?, Some(request)).await
    }

    /// An export of the ledger, of at most `most` bytes.
    ///
    /// # Errors
    /// Unreachable, too long, or a problem document.
    pub async fn ledger(&self, most: u64) -> Result<Vec<u8>, Failure> {
        let url = self.endpoint.join(address::LEDGER.path)?;
        let request = self.endpoint.client().get(url).bearer_auth(&self.token);
        let answer = self.endpoint.send(request, most).await.map_err(|why| {
            let base = self.endpoint.base();
            Failure::unreachable(
                FailureKind::ServerUnreachable,
                format!(
                    "The server at {base} did not give its ledger: {why}. Check --server, and that mulberry-server runs; a long \
                     ledger is exported on its machine: mulberry-server ledger export."
                ),
            )
        })?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(problem(answer.status, &answer.body)) }
    }

    /// Submits a ceremony, or more signatures of one.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn submit_ceremony(&self, request: &CeremonyRequest) -> Result<CeremonyResponse, Failure> {
        self.call(Method::POST, address::CEREMONIES.path, Some(request)).await
    }

    /// The ceremonies that wait, as the server describes them.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn ceremonies(&self) -> Result<CeremoniesResponse, Failure> {
        self.call(Method::GET, address::CEREMONIES.path, None::<&()>).await
    }

    /// One ceremony, which must have the id that was asked for: nothing else is believed of it. `None` when there is none.
    ///
    /// # Errors
    /// Unreachable, a problem document, or another one than was asked for.
    pub async fn shown_ceremony(&self, id: &str, limits: &Limits) -> Result<Option<Ceremony>, Failure> {
        let path = place(&address::CEREMONY, id)?;
        let answer: ShownCeremony = match self.call(Method::GET, &path, None::<&()>).await {
            Err(failure) if failure.kind == Kind::from(ProblemKind::UnknownProposal) => return Ok(None),
            other => other?,
        };
        let refused = |what: String| {
            Failure::refused(
                ProblemKind::ProposalRefused,
                format!("The server's ceremony {id} is refused: {what}. Nothing was signed."),
            )
        };
        let ceremony =
            Ceremony::from_document(answer.ceremony, limits).map_err(|error| refused(error.to_string()))?;
        if ceremony.id().to_string().starts_with(id) {
            return Ok(Some(ceremony));
        }
        let found = proposal::shown(&ceremony.id());
        Err(refused(format!("what it sent is {found}, another one, so the server is not to be believed")))
    }

    /// Gives a ceremony up; `None` when there is none.
    ///
    /// # Errors
    /// Unreachable, or a problem document.
    pub async fn drop_ceremony(
        &self,
        id: &str,
        request: &DropRequest,
    ) -> Result<Option<DroppedCeremony>, Failure> {
        match self.call(Method::POST, &place(&address::CEREMONY_DROP, id)?, Some(request)).await {
            Err(failure) if failure.kind == Kind::from(ProblemKind::UnknownProposal) => Ok(None),
            other => other.map(Some),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, Failure> {
        let writes = method != Method::GET;
        let url = self.endpoint.join(path)?;
        let mut request = self.endpoint.client().request(method, url).bearer_auth(&self.token);
        request = request.header(ACCEPT, "application/json");
        if let Some(body) = body {
            let bytes = serde_json::to_vec(body).map_err(|error| {
                Failure::usage(FailureKind::RequestUnwritable, format!("Cannot write the request: {error}"))
            })?;
            request = request.header(CONTENT_TYPE, "application/json").body(bytes);
        }
        let answer = self.endpoint.send(request, MAX_ANSWER).await.map_err(|why| {
            // A write whose answer is lost may have happened: say so, and how to find out.
            let doubt = if writes { " It may have been carried out all the same: look at `mulberryctl status`." } else { "" };
            Failure::unreachable(
                FailureKind::ServerUnreachable,
                format!(
                    "The server at {} did not answer: {why}.{doubt} Check --server, and that mulberry-server runs.",
                    self.endpoint.base()
                ),
            )
        })?;
        if !answer.status.is_success() {
            return Err(problem(answer.status, &answer.body));
        }
        let read = serde_json::from_slice(&answer.body).and_then(|mut value| {
            make_plain(&mut value);
            serde_json::from_value(value)
        });
        read.map_err(|error| {
            Failure::unreachable(
                FailureKind::AnswerNotUnderstood,
                format!(
                    "{} answered something else than a Mulberry server does ({error}). Check --server: it is the operators' \
                     address, not the public one.",
                    self.endpoint.base()
                ),
            )
        })
    }
}

/// The address of a proposal or ceremony, by the first digits of its id.
fn place(address: &Address, id: &str) -> Result<String, Failure> {
    if proposal::is_prefix(id) {
        return Ok(address.with(&[&id]));
    }
    let sentence = format!("{id:?} is no id of a proposal: give at least 6 of its hexadecimal digits.");
    Err(Failure::usage(FailureKind::NoSuchProposal, sentence))
}

/// Each text of an answer as one line that terminals only show: in a list of what waits for whom, a server's words end where they
/// seem to end.
fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(all) => all.iter_mut().for_each(make_plain),
        Value::Object(members) => members.values_mut().for_each(make_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A server's error as sentences: what it says, what to do.
fn problem(status: StatusCode, body: &[u8]) -> Failure {
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Failure::unreachable(
            FailureKind::AnswerNotUnderstood,
            format!(
                "The server answered {status} without saying why. Check --server: it is the operators' address \
                 (http://127.0.0.1:8081 unless `mulberry-server run` was told another one), not the public one that agents \
                 read."
            ),
        );
    };
    let make: fn(ProblemKind, String) -> Failure = match problem.kind {
        ProblemKind::MalformedRequest
        | ProblemKind::Unauthenticated
        | ProblemKind::Forbidden
        | ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::TooLarge => Failure::usage,
        ProblemKind::UnknownRecipe
        | ProblemKind::UnknownProposal
        | ProblemKind::ProposalOvertaken
        | ProblemKind::AlreadySigned
        | ProblemKind::ProposalRefused
        | ProblemKind::WouldDisappear
        | ProblemKind::WithdrawMismatch
        | ProblemKind::SlugTaken
        | ProblemKind::NotNewer
        | ProblemKind::RevisionMismatch
        | ProblemKind::GateEnded
        | ProblemKind::GateRefused
        | ProblemKind::SecondKeyNeeded
        | ProblemKind::WouldResume
        | ProblemKind::RecipeRefused => Failure::no,
        ProblemKind::TrustRefused | ProblemKind::SignatureRefused | ProblemKind::ApprovalRefused => {
            Failure::refused
        }
        ProblemKind::Internal | ProblemKind::Unavailable => Failure::unreachable,
        ProblemKind::Unknown if status.is_server_error() => Failure::unreachable,
        ProblemKind::Unknown => Failure::no,
    };
    let remedy = match problem.kind {
        // The server's own remedy is for those who write HTTP by hand.
        ProblemKind::Unauthenticated => {
            "Give another one with --token-file FILE or MULBERRYCTL_TOKEN; `mulberryctl config show` says where this one \
             came from, and on the server `mulberry-server token add` makes one"
        }
        _ => &problem.remedy,
    };
    make(
        problem.kind,
        plain(format!("The server refused: {} {}", ended(&problem.detail), ended(remedy)).trim_end()),
    )
}

/// A sentence that begins and ends like one.
fn ended(text: &str) -> String {
    let mut rest = text.trim().chars();
    let Some(first) = rest.next() else { return String::new() };
    let end = if text.trim_end().ends_with(['.', '!', '?', ':']) { "" } else { "." };
    // A path is no word: `emergency/fix.json` names something else with a capital letter.
    let is_word = text.split_whitespace().next().is_some_and(|word| !word.contains(['/', '.', '_']));
    if is_word {
        first.to_uppercase().chain(rest).collect::<String>() + end
    } else {
        format!("{}{end}", text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mulberry_shared::exit::Exit;

    #[test]
    fn problem_documents_become_sentences_and_exit_codes() {
        let body = |kind: &str| {
            format!(
                r#"{{"type":"urn:mulberry:problem:{kind}","title":"t","status":409,"detail":"version 3 is not above 3","kind":"{kind}",
                "remedy":"publish again","later":1}}"#
            )
        };
        let conflict = problem(StatusCode::CONFLICT, body("not-newer").as_bytes());
        assert_eq!(conflict.sentence, "The server refused: Version 3 is not above 3. Publish again.");
        assert_eq!((conflict.exit, conflict.kind.as_str()), (Exit::No, "not-newer"));
        assert_eq!(ended("emergency/fix.json has revision 3"), "emergency/fix.json has revision 3.");
        let token = problem(StatusCode::UNAUTHORIZED, body("unauthenticated").as_bytes());
        assert!(token.sentence.contains("--token-file"), "{}", token.sentence);
        let cases = [
            ("trust-refused", Exit::TrustRefused),
            ("unauthenticated", Exit::Usage),
            ("internal", Exit::Unreachable),
        ];
        for (kind, exit) in cases {
            assert_eq!(problem(StatusCode::CONFLICT, body(kind).as_bytes()).exit, exit, "{kind}");
        }
        assert_eq!(problem(StatusCode::BAD_GATEWAY, body("of-tomorrow").as_bytes()).exit, Exit::Unreachable);
        let public = problem(StatusCode::NOT_FOUND, b"");
        assert_eq!(public.kind, "answer-not-understood");
        assert!(public.sentence.contains(":8081"), "{public}");
    }
}
