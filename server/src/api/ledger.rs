//! `GET /api/v1/ledger`: the export of the ledger, for backups that are fetched from elsewhere.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use mulberry_shared::operators::address;
use tokio::sync::mpsc;

use super::access::{By, Read};
use super::problem::ProblemAnswer;
use crate::connections::seat::Seat;
use crate::export::socket::STALLED;
use crate::ledger::LedgerError;
use crate::services::Core;

/// JSON Lines have no registered type; this one is in common use.
const MEDIA_TYPE: &str = "application/jsonl";

/// Export every event of the ledger, as JSON Lines. Any token may.
#[utoipa::path(get, path = address::LEDGER.path, responses(
    (status = 200, description = "a header line, then one event a line", body = String, content_type = "application/jsonl"),
))]
pub(super) async fn ledger(
    by: By<Read>,
    request: HttpRequest,
    core: Data<Core>,
) -> Result<HttpResponse, ProblemAnswer> {
    let actor = by.actor.name().to_owned();
    let mut export = core.export_remotely()?;
    if let Some(seat) = request.conn_data::<Seat>() {
        seat.excuse();
    }
    let (lines, body) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let next = export.next_lines().await.transpose();
            let Some(next) = next else {
                tracing::info!(actor, events = export.events(), "the ledger was exported");
                return;
            };
            let failed = next.as_ref().err().map(ToString::to_string);
            let sent = tokio::time::timeout(STALLED, lines.send(next.map(Bytes::from))).await;
            if failed.is_some() || !matches!(sent, Ok(Ok(()))) {
                let error =
                    failed.unwrap_or_else(|| "its reader is gone, or took nothing for a minute".to_owned());
                tracing::warn!(actor, error, "an export of the ledger was not finished");
                return;
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .body(Lines(body)))
}

/// The lines as they come. A failure ends the connection, and the first line tells how many events were to come.
struct Lines(mpsc::Receiver<Result<Bytes, LedgerError>>);

impl MessageBody for Lines {
    type Error = LedgerError;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, LedgerError>>> {
        self.get_mut().0.poll_recv(task)
    }
}
