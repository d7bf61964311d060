//! Listens to an origin's live stream, and comes back when it is lost.
//!
//! What arrives is a hint. The worst that the other side can do is to say "there is news" too often, which the schedule bounds,
//! or nothing at all, which polling makes up for.

use std::time::Duration;

use mulberry_shared::limits::Limits;
use mulberry_shared::live::{Decoder, MEDIA_TYPE, PATH};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::http::{sentence, within_the_origin};
use crate::backoff::Dice;
use crate::config::parse_origin;

/// Time without a byte. The server sends one every 15 seconds; this forgives two.
const IDLE_TIME: Duration = Duration::from_secs(50);
/// Time to connect.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// Wait before the first attempt to come back, at most: 10,000 agents that lose their server are 2,000 connections a second.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Wait before any attempt, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// A connection that held this long was a good one: the failures before it are forgotten.
const GOOD: Duration = Duration::from_secs(60);
/// An origin that has no live stream (a mirror, a folder behind a web server) may have one some day.
const NOT_OFFERED: u32 = 10;

/// What is known of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Whether it is connected.
    pub connected: bool,
    /// The edition named last.
    pub edition: Option<u64>,
    /// How many announcements there were: the same number may be announced again.
    pub told: u64,
}

/// Why a stream ended.
#[derive(Debug, PartialEq, Eq)]
enum Lost {
    /// The origin has none.
    NotOffered(String),
    /// Anything else.
    Broken(String),
}

/// Keeps listening to `origin` and telling `state`, until dropped.
pub async fn follow(origin: String, state: watch::Sender<Live>, limits: Limits, mut dice: Dice) {
    let mut failures = 0_u32;
    loop {
        let started = Instant::now();
        let lost = listen(&origin, &state, &limits).await;
        state.send_if_modified(|live| std::mem::take(&mut live.connected));
        failures = match &lost {
            Lost::NotOffered(_) => failures.max(NOT_OFFERED),
            Lost::Broken(_) if started.elapsed() >= GOOD => 1,
            Lost::Broken(_) => failures.saturating_add(1),
        };
        let wait = dice.after_failures(failures, FIRST_WAIT, LONGEST_WAIT).max(Duration::from_millis(200));
        match lost {
            Lost::NotOffered(why) => tracing::debug!(why, "the origin has no live stream; polling"),
            Lost::Broken(why) => tracing::info!(why, ?wait, "no live stream; polling meanwhile"),
        }
        sleep(wait).await;
    }
}

async fn listen(origin: &str, state: &watch::Sender<Live>, limits: &Limits) -> Lost {
    match attempt(origin, state, limits).await {
        Ok(()) => Lost::Broken("the server ended it".into()),
        Err(lost) => lost,
    }
}

async fn attempt(origin: &str, state: &watch::Sender<Live>, limits: &Limits) -> Result<(), Lost> {
    let broken = |error: reqwest::Error| Lost::Broken(sentence(&error.without_url()));
    let base = parse_origin(origin).map_err(|error| Lost::Broken(error.to_string()))?;
    let url = base.join(PATH).map_err(|error| Lost::Broken(error.to_string()))?;
    let client = Client::builder()
        .user_agent(concat!("mulberry-agent/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(within_the_origin))
        .referer(false)
        .connect_timeout(CONNECT_TIME)
        .read_timeout(IDLE_TIME)
        .build()
        .map_err(broken)?;
    let request = client.get(url).header(ACCEPT, MEDIA_TYPE).header(ACCEPT_ENCODING, "identity");
    let mut response = request.send().await.map_err(broken)?;
    match response.status() {
        StatusCode::OK => {}
        status @ (StatusCode::NOT_FOUND
        | StatusCode::GONE
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::NOT_IMPLEMENTED) => {
            return Err(Lost::NotOffered(format!("the origin answered {status}")));
        }
        status => return Err(Lost::Broken(format!("the origin answered {status}"))),
    }
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !kind.is_some_and(|kind| kind.starts_with(MEDIA_TYPE.as_bytes())) {
        return Err(Lost::NotOffered("what the origin has there is no stream of events".into()));
    }
    state.send_modify(|live| live.connected = true);
    tracing::info!(origin, "the live stream is connected");
    let mut decoder = Decoder::new(limits);
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        let announced = decoder.feed(&piece).map_err(|error| Lost::Broken(error.to_string()))?;
        if let Some(last) = announced.last() {
            state.send_modify(|live| {
                live.edition = Some(last.edition);
                live.told = live.told.saturating_add(1);
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Listens once to a server that gives this answer and closes: how it ended, and what was heard.
    async fn hear(answer: String) -> (Lost, Live) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}/mirror/", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap();
            let _ = socket.write_all(answer.as_bytes()).await;
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let (state, heard) = watch::channel(Live::default());
        let lost = listen(&origin, &state, &Limits::default()).await;
        assert!(served.await.unwrap().starts_with("GET /mirror/api/v1/live HTTP/1.1\r\n"));
        (lost, *heard.borrow())
    }

    fn stream(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}")
    }

    #[tokio::test]
    async fn announcements_are_passed_on_and_the_end_is_noticed() {
        let events =
            mulberry_shared::live::announcement(4) + ":\n\n" + &mulberry_shared::live::announcement(5);
        let (lost, live) = hear(stream(&events)).await;
        assert!(matches!(lost, Lost::Broken(why) if why.contains("ended")));
        assert!(live.connected && live.edition == Some(5) && live.told >= 1);
    }

    #[tokio::test]
    async fn an_endless_line_is_not_read_on() {
        let (lost, live) = hear(stream(&"x".repeat(1 << 20))).await;
        assert!(matches!(lost, Lost::Broken(why) if why.contains("longer than")));
        assert_eq!(live.edition, None);
    }

    #[tokio::test]
    async fn an_origin_without_stream_is_told_from_one_that_fails() {
        let answer = |status| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        assert!(matches!(hear(answer("404 Not Found")).await.0, Lost::NotOffered(_)));
        assert!(matches!(hear(answer("200 OK")).await.0, Lost::NotOffered(_)));
        assert!(matches!(hear(answer("503 Busy")).await.0, Lost::Broken(_)));
    }
}
