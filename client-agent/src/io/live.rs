//! Listens to the live stream of one of the origins, and goes to another, or comes back, when it is lost.
//!
//! What arrives is a hint. The worst that the other side can do is to say "there is news" too often, which the schedule bounds,
//! or nothing at all, which polling makes up for.

use std::time::Duration;

use mulberry_shared::limits::Limits;
use mulberry_shared::live::{Decoder, MEDIA_TYPE, PATH};
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{StatusCode, Url};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::http::{Patience, client, proxy_for, sentence};
use super::tls::Tls;
use crate::backoff::Dice;

/// The server sends a byte every 15 seconds; this forgives two that are lost. A stream has no end that could be waited for.
const PATIENCE: Patience =
    Patience { connect: Duration::from_secs(10), idle: Duration::from_secs(50), total: Duration::MAX };
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
    /// The origin that it is, or was last tried: its place in the list.
    pub origin: usize,
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

/// Keeps listening to one of `origins`, the first that can be had, and telling `state`, until dropped. Without origins it
/// ends at once.
pub async fn follow(origins: Vec<Url>, tls: Tls, state: watch::Sender<Live>, limits: Limits, mut dice: Dice) {
    let mut turns = Turns { failures: vec![0; origins.len()], now: 0 };
    while let Some(origin) = origins.get(turns.now) {
        state.send_modify(|live| live.origin = turns.now);
        let started = Instant::now();
        let lost = listen(origin, &tls, &state, &limits, PATIENCE).await;
        state.send_if_modified(|live| std::mem::take(&mut live.connected));
        let failures = turns.lost(&lost, started.elapsed());
        let wait = dice.after_failures(failures, FIRST_WAIT, LONGEST_WAIT).max(Duration::from_millis(200));
        match lost {
            Lost::NotOffered(why) => tracing::debug!(%origin, why, "the origin has no live stream; polling"),
            Lost::Broken(why) => tracing::info!(%origin, why, ?wait, "no live stream; polling meanwhile"),
        }
        sleep(wait).await;
    }
}

/// Whose turn it is.
#[derive(Debug)]
struct Turns {
    /// Failures in a row of each origin.
    failures: Vec<u32>,
    now: usize,
}

impl Turns {
    /// The stream of the present origin was lost after so long: gives the turn to the one that failed least, the next in the list
    /// where several did. Says how many failures of that one the wait before should weigh.
    fn lost(&mut self, lost: &Lost, after: Duration) -> u32 {
        if after >= GOOD {
            self.failures.fill(0);
        }
        if let Some(failures) = self.failures.get_mut(self.now) {
            *failures = match lost {
                Lost::NotOffered(_) => NOT_OFFERED.max(*failures),
                Lost::Broken(_) => failures.saturating_add(1),
            };
        }
        let (before, from) = self.failures.split_at(self.now.saturating_add(1).min(self.failures.len()));
        let round = (before.len()..).zip(from).chain((0..).zip(before));
        let next = round
            .map(|(place, failures)| (*failures, place))
            .reduce(|best, other| if other.0 < best.0 { other } else { best });
        let (failures, place) = next.unwrap_or((0, self.now));
        self.now = place;
        failures
    }
}

async fn listen(
    origin: &Url,
    tls: &Tls,
    state: &watch::Sender<Live>,
    limits: &Limits,
    patience: Patience,
) -> Lost {
    match attempt(origin, tls, state, limits, patience).await {
        Ok(()) => Lost::Broken("the server ended it".into()),
        Err(lost) => lost,
    }
}

async fn attempt(
    origin: &Url,
    tls: &Tls,
    state: &watch::Sender<Live>,
    limits: &Limits,
    patience: Patience,
) -> Result<(), Lost> {
    let proxy = proxy_for(origin).map_err(|unusable| Lost::Broken(unusable.to_string()))?;
    let broken = |error: reqwest::Error| {
        let connecting = error.is_connect();
        let problem = sentence(&error.without_url());
        Lost::Broken(match &proxy {
            Some(proxy) => proxy.explain(origin.scheme(), connecting, &problem),
            None => problem,
        })
    };
    let url = origin.join(PATH).map_err(|error| Lost::Broken(error.to_string()))?;
    let client = client(tls, patience.connect, proxy.as_ref())
        .and_then(|builder| builder.read_timeout(patience.idle).build())
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
    tracing::info!(%origin, "the live stream is connected");
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
    use crate::config::TlsDates;

    /// Listens once to a server that gives this answer and closes: how it ended, and what was heard.
    async fn hear(answer: String) -> (Lost, Live) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}/mirror/", listener.local_addr().unwrap()).parse().unwrap();
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap();
            let _ = socket.write_all(answer.as_bytes()).await;
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let (state, heard) = watch::channel(Live::default());
        let lost = listen(&origin, &tls(), &state, &Limits::default(), PATIENCE).await;
        assert!(served.await.unwrap().starts_with("GET /mirror/api/v1/live HTTP/1.1\r\n"));
        (lost, *heard.borrow())
    }

    fn tls() -> Tls {
        Tls::new(TlsDates::default(), vec![]).unwrap()
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

    #[test]
    fn the_turn_goes_to_the_origin_that_failed_least_and_a_good_time_forgives_all() {
        let broken = || Lost::Broken(String::new());
        let mut turns = Turns { failures: vec![0; 3], now: 0 };
        let mut lose = |lost: &Lost, after: Duration| {
            let weighs = turns.lost(lost, after);
            (turns.now, weighs)
        };
        assert_eq!(lose(&broken(), Duration::ZERO), (1, 0));
        assert_eq!(lose(&Lost::NotOffered(String::new()), Duration::ZERO), (2, 0));
        assert_eq!(lose(&broken(), Duration::ZERO), (0, 1), "the second is not bothered again soon");
        assert_eq!(lose(&broken(), Duration::ZERO), (2, 1));
        assert_eq!(lose(&broken(), Duration::ZERO), (0, 2));
        assert_eq!(lose(&broken(), GOOD), (1, 0));

        let mut alone = Turns { failures: vec![0], now: 0 };
        let weighs: Vec<u32> = (0..3).map(|_| alone.lost(&broken(), Duration::ZERO)).collect();
        assert_eq!((weighs, alone.now), (vec![1, 2, 3], 0));
        assert_eq!(alone.lost(&broken(), GOOD), 1);
    }

    #[tokio::test]
    async fn a_stream_without_a_byte_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let (state, _heard) = watch::channel(Live::default());
        let (tls, limits) = (tls(), Limits::default());
        let patience = Patience { idle: Duration::from_millis(100), ..PATIENCE };
        let silent = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let _ = socket.read(&mut request).await.unwrap();
            socket.write_all(stream(&mulberry_shared::live::announcement(4)).as_bytes()).await.unwrap();
            // Until the agent hangs up.
            let _ = socket.read(&mut request).await;
        };
        let listening = listen(&origin, &tls, &state, &limits, patience);
        let (lost, ()) = tokio::join!(tokio::time::timeout(PATIENCE.idle, listening), silent);
        assert!(matches!(lost, Ok(Lost::Broken(why)) if why.contains("timed out")));
    }
}
