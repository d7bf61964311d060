//! `GET /api/v1/live`: server-sent events that announce editions.
//!
//! On connecting the number of the current edition, then one event for each new one, and comments in between. No secret is in
//! it: the same number is in the public metadata, and agents take it for a hint only.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::ConnectionType;
use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::rt::time::timeout;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, ResponseError as _};
use mulberry_shared::live::{HEARTBEAT, HEARTBEAT_SECONDS, MEDIA_TYPE, announcement};
use mulberry_shared::operators::{ProblemKind, address};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;

use super::problem::ProblemAnswer;
use crate::connections::seat::{Seat, Streaming};
use crate::live::Admission;
use crate::services::Core;

/// Proxies that collect answers before they pass them on would defeat the purpose.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// After how many seconds to ask again for a stream that was refused. Agents wait as they see fit, spread at random.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("60");

/// Opens a stream, where there is room for one. Who is refused is also disconnected: connections that wait for nothing would
/// take the room that is kept for everything else.
#[utoipa::path(get, path = address::LIVE, responses(
    (status = 200, body = String, content_type = MEDIA_TYPE, description = "server-sent events without an end"),
))]
pub(super) async fn stream(
    request: HttpRequest,
    core: Data<Core>,
    admission: Data<Admission>,
) -> HttpResponse {
    let Some(place) = admission.enter() else { return refusal("all live streams of this server are taken") };
    let streaming = request.conn_data::<Seat>().map(Seat::stream);
    if matches!(streaming, Some(None)) {
        return refusal("all live streams that this network may have are taken");
    }
    // Listen first, look then: an edition in between is announced twice rather than never.
    let Some(listener) = core.live().subscribe() else { return refusal("the server is stopping") };
    let current = core.served().edition.number();
    HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header(UNBUFFERED)
        .body(Stream::new(Connection {
            listener,
            first: Some(current),
            told: current,
            _place: place,
            _streaming: streaming.flatten(),
        }))
}

fn refusal(detail: &str) -> HttpResponse {
    let problem =
        ProblemAnswer::new(ProblemKind::Unavailable, detail, "poll metadata/timestamp.json instead");
    let mut answer = problem.error_response();
    answer.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    answer.head_mut().set_connection_type(ConnectionType::Close);
    answer
}

/// One agent's end of the hub.
struct Connection {
    listener: Receiver<u64>,
    first: Option<u64>,
    told: u64,
    _place: OwnedSemaphorePermit,
    /// None in tests without a socket.
    _streaming: Option<Streaming>,
}

impl Connection {
    /// What to send next; `None` at the end: the server stops, or the other side is too slow.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(current) = self.first.take() {
            return Some(announcement(current).into());
        }
        loop {
            match timeout(Duration::from_secs(HEARTBEAT_SECONDS), self.listener.recv()).await {
                Err(_) => return Some(Bytes::from_static(HEARTBEAT.as_bytes())),
                Ok(Err(_)) => return None,
                Ok(Ok(edition)) if edition == self.told => {}
                Ok(Ok(edition)) => {
                    self.told = edition;
                    return Some(announcement(edition).into());
                }
            }
        }
    }
}

type Step = Pin<Box<dyn Future<Output = Option<(Bytes, Connection)>>>>;

/// A body that is written as the connection speaks.
struct Stream(Option<Step>);

impl Stream {
    fn new(connection: Connection) -> Self {
        Self(Some(step(connection)))
    }
}

fn step(mut connection: Connection) -> Step {
    Box::pin(async move { connection.next().await.map(|bytes| (bytes, connection)) })
}

impl MessageBody for Stream {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        let Some(running) = &mut this.0 else { return Poll::Ready(None) };
        let Poll::Ready(said) = running.as_mut().poll(task) else { return Poll::Pending };
        let (bytes, connection) = said.unzip();
        this.0 = connection.map(step);
        Poll::Ready(bytes.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::live::Live;

    fn connection(live: &Live, current: u64) -> Pin<Box<Stream>> {
        let place = Admission::for_connections(4).enter().unwrap();
        let listener = live.subscribe().unwrap();
        Box::pin(Stream::new(Connection {
            listener,
            first: Some(current),
            told: current,
            _place: place,
            _streaming: None,
        }))
    }

    async fn said(stream: &mut Pin<Box<Stream>>) -> Option<String> {
        let bytes = poll_fn(|task| stream.as_mut().poll_next(task)).await?.unwrap();
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn the_current_edition_first_then_each_new_one_once_then_the_end() {
        let live = Live::default();
        let mut stream = connection(&live, 5);
        live.announce(5);
        live.announce(6);
        assert_eq!(said(&mut stream).await, Some(announcement(5)));
        assert_eq!(said(&mut stream).await, Some(announcement(6)));
        live.announce(7);
        live.close();
        assert_eq!(said(&mut stream).await, Some(announcement(7)));
        assert_eq!(said(&mut stream).await, None);
        assert_eq!(said(&mut stream).await, None);
    }

    #[actix_web::test]
    async fn who_does_not_keep_up_is_ended() {
        let live = Live::default();
        let mut stream = connection(&live, 1);
        (2..100).for_each(|edition| live.announce(edition));
        assert_eq!(said(&mut stream).await, Some(announcement(1)));
        assert_eq!(said(&mut stream).await, None);
    }
}
