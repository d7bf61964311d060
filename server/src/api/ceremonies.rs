//! Ceremonies over HTTP: reading needs any token, everything else one with the scope `publish`.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path, Payload};
use mulberry_shared::operators::schema::IdPrefix;
use mulberry_shared::operators::{
    CeremoniesResponse, CeremonyRequest, CeremonyResponse, DropRequest, DroppedCeremony, ShownCeremony,
    address,
};

use super::access::{By, Publish, Read};
use super::operators::{answer, read};
use super::problem::ProblemAnswer;
use crate::services::Core;

/// Changes of keys, thresholds and expiries that wait for signatures, and those that were overtaken.
#[utoipa::path(get, path = address::CEREMONIES.path, responses(
    (status = 200, body = CeremoniesResponse),
))]
pub(super) async fn list(_by: By<Read>, core: Data<Core>) -> Result<HttpResponse, ProblemAnswer> {
    Ok(answer(&core.ceremonies()?))
}

/// Submit a ceremony, or more signatures of one. Enough of them publish it whole. Needs a token with the scope `publish`.
#[utoipa::path(post, path = address::CEREMONIES.path, request_body = CeremonyRequest, responses(
    (status = 200, body = CeremonyResponse),
))]
pub(super) async fn submit(
    by: By<Publish>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let body: CeremonyRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().ceremony(by.actor, body).await?))
}

/// One ceremony with its document. What the server says of it is for listings: sign what the document says.
#[utoipa::path(get, path = address::CEREMONY.path,
    params(("id" = IdPrefix, Path)), responses(
    (status = 200, body = ShownCeremony),
))]
pub(super) async fn show(
    _by: By<Read>,
    id: Path<String>,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    Ok(answer(&core.shown_ceremony(&id)?))
}

/// Give a ceremony up, with its signatures. Needs a token with the scope `publish`.
#[utoipa::path(post, path = address::CEREMONY_DROP.path, request_body = DropRequest,
    params(("id" = IdPrefix, Path)), responses(
    (status = 200, body = DroppedCeremony),
))]
pub(super) async fn give_up(
    by: By<Publish>,
    id: Path<String>,
    payload: Payload,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let body: DropRequest = read(payload, core.limits()).await?;
    Ok(answer(&core.into_inner().drop_ceremony(by.actor, id.into_inner(), body).await?))
}
