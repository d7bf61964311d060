//! Error answers (RFC 9457).

use serde::{Deserialize, Serialize};

use crate::explain::explained;

/// What kind of problem: stable, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// 400: the request is not what the interface describes.
    MalformedRequest,
    /// 401: no token, or one the server does not know.
    Unauthenticated,
    /// 403: the token's scopes do not cover this.
    Forbidden,
    /// 404: no such address.
    NotFound,
    /// 404: no such recipe is published.
    UnknownRecipe,
    /// 404: no such proposal is kept, or several begin with these digits.
    UnknownProposal,
    /// 405: the address does not take this method.
    MethodNotAllowed,
    /// 408 or 413: the request took too long or is larger than the limit.
    TooLarge,
    /// 409: a recipe would disappear without being withdrawn by name.
    WouldDisappear,
    /// 409: a withdrawn slug is not in the lane, or is still in the new metadata.
    WithdrawMismatch,
    /// 409: the slug is taken by the other lane.
    SlugTaken,
    /// 409: the version of the metadata, or a changed recipe's revision, does not rise.
    NotNewer,
    /// 409: the gate request names a revision that is not the published one.
    RevisionMismatch,
    /// 409: the gate of this revision has ended, which is final.
    GateEnded,
    /// 409: one person alone may not open it so far now; a second person's key is needed.
    SecondKeyNeeded,
    /// 409: somebody paused or narrowed the gate, and the request does not say that it undoes that.
    WouldResume,
    /// 409: the proposal was overtaken: its lane has moved on.
    ProposalOvertaken,
    /// 409: this key has signed the proposal already.
    AlreadySigned,
    /// 422: the signature does not hold, or its key may not sign for the lane.
    SignatureRefused,
    /// 422: the proposal is of no kind that the server takes, or too many are kept.
    ProposalRefused,
    /// 422: the signatures or the form of the metadata were refused.
    TrustRefused,
    /// 422: a recipe's bytes are missing, differ from the metadata or are not a valid recipe.
    RecipeRefused,
    /// 422: the gate request is impossible: percentage, state or reason.
    GateRefused,
    /// 422: the signatures under an opening do not hold, or it is for something else, too old, or was used.
    ApprovalRefused,
    /// 500: a fault of the server; its log says more.
    Internal,
    /// 503: the server could not make it durable or is shutting down; nothing was changed, or a later status shows it.
    Unavailable,
    /// A kind that this version of the reader does not know.
    #[serde(other)]
    Unknown,
}

/// An error answer (RFC 9457), with two members of our own: `kind` and `remedy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:mulberry:problem:<kind>`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The kind in a few words; the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong here, and where.
    pub detail: String,
    /// What kind of problem.
    pub kind: ProblemKind,
    /// What to do next.
    pub remedy: String,
}

explained!(ProblemKind {
    MalformedRequest: "400: the request is not what the interface describes",
        "compare it with `/api/v1/openapi.json`; update `mulberryctl`";
    Unauthenticated: "401: no token, or one that the server does not know",
        "give `--token-file`; the server makes tokens with `mulberry-server token add`";
    Forbidden: "403: the token may not do this",
        "use the token of somebody who may, or make one with `--may`";
    NotFound: "404: no such address",
        "check `--server`";
    UnknownRecipe: "404: no such recipe is published",
        "check the slug with `mulberryctl status`";
    UnknownProposal: "404: no such proposal is kept, or several begin with these digits",
        "look at `mulberryctl proposals`: it may be published, replaced or dropped";
    MethodNotAllowed: "405: the address does not take this method",
        "compare it with `/api/v1/openapi.json`";
    TooLarge: "408 or 413: the request took too long or is larger than the limit",
        "publish less at once";
    WouldDisappear: "409: a published recipe is missing from the new metadata and was not withdrawn by name",
        "publish again from the present edition, or name it with `--withdraw`";
    WithdrawMismatch: "409: a slug to withdraw is not in the lane, or still in the new metadata",
        "check the slug with `mulberryctl status`";
    SlugTaken: "409: the other lane has that slug",
        "choose another slug";
    NotNewer: "409: the version of the metadata or a changed recipe's revision does not rise",
        "somebody else was faster: run the command again; raise `revision` of a changed recipe";
    RevisionMismatch: "409: the gate names another revision than the published one",
        "look at `mulberryctl status`, then name the published one";
    GateEnded: "409: the gate of this revision is ended, which is final",
        "publish a new revision";
    SecondKeyNeeded: "409: one person alone may not open it so far now: it is not the next step of the recipe's plan, or too early",
        "give a second person's key with `--key`, or `--out FILE` for their machine; pausing and ending need none";
    WouldResume: "409: people paused or narrowed the gate, and the request does not name the event of each that it undoes",
        "talk to whoever did it; if all of it is over, open it again with `--resume EVENT,EVENT`, as the answer has it";
    ProposalOvertaken: "409: something else was published in the lane, so the proposal is for a version that is taken",
        "rebuild it with `mulberryctl propose --rebase ID`; everybody signs again";
    AlreadySigned: "409: this key has signed the proposal already",
        "let another person sign: `mulberryctl proposals` says who may";
    SignatureRefused: "422: the signature does not hold, or its key may not sign for the lane",
        "sign again with `mulberryctl sign` and a key of the lane";
    ProposalRefused: "422: the proposal is of no kind that the server takes, or too many are kept",
        "see the sentence; drop old ones with `mulberryctl proposals drop`";
    TrustRefused: "422: signatures or form of the metadata were refused",
        "sign with enough people's keys of the lane; see the sentence";
    RecipeRefused: "422: a recipe's bytes are missing, differ from the metadata, or are no valid recipe",
        "run `mulberryctl recipe check`";
    GateRefused: "422: the gate asked for is impossible",
        "stay within `max_percent`, and give a reason";
    ApprovalRefused: "422: the signatures under an opening do not hold, or it is for something else, too old, or was used",
        "make a new one: `mulberryctl gate open SLUG --percent N --out FILE`";
    Internal: "500: a fault of the server",
        "read its log; nothing is lost that was acknowledged";
    Unavailable: "503: it could not be made durable, or the server is stopping",
        "look at `mulberryctl status` before trying again: it may have happened";
    Unknown: "a kind that this version does not know",
        "update `mulberryctl`; the sentence says more";
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_from_a_newer_server_is_read_as_unknown() {
        assert_eq!(serde_json::from_str::<ProblemKind>(r#""gate-ended""#).unwrap(), ProblemKind::GateEnded);
        assert_eq!(serde_json::from_str::<ProblemKind>(r#""of-tomorrow""#).unwrap(), ProblemKind::Unknown);
    }
}
