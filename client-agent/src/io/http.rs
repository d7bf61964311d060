//! An origin over HTTP: bounded bodies, bounded time, and nothing clever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::proxy::{Proxy, UnusableProxy};
use mulberry_shared::trust::location;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, StatusCode, Url};

use super::tls::Tls;
use crate::config::BadOrigin;
use crate::ports::{Fetched, Transport};

/// How long an origin may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// To connect.
    pub(super) connect: Duration,
    /// Without a single byte.
    pub(super) idle: Duration,
    /// For one whole document.
    pub(super) total: Duration,
}

/// The largest documents are a few megabytes; slower than this is no way to get an emergency fix. A connection that drips
/// is cut by the total.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    idle: Duration::from_secs(15),
    total: Duration::from_secs(60),
};
/// Redirects within the origin's own scheme, host and port; a mirror that moved a path needs one or two.
const REDIRECTS: usize = 3;
/// Bytes of the header of an answer over HTTP/2. Over HTTP/1.1 hyper stops at 100 fields or some 400 KB.
const HEADER_BYTES: u32 = 16 << 10;
/// Connections kept open between two requests, which come one after another.
const IDLE_CONNECTIONS: usize = 1;
/// Bytes of an entity tag worth keeping. A SHA-256 has 66.
const TAG_BYTES: usize = 256;

/// An HTTP or HTTPS origin.
#[derive(Debug)]
pub struct HttpOrigin {
    base: Url,
    text: String,
    /// The proxy that leads there.
    proxy: Option<Proxy>,
    client: Result<Client, UnusableProxy>,
    /// The tag that came with the last conditional document, and what it was the tag of.
    tag: Mutex<Option<(Sha256Digest, HeaderValue)>>,
    /// Whether it has answered "forbidden" for what is absent.
    forbids: AtomicBool,
}

impl HttpOrigin {
    /// Prepares the client for the origin at this address; nothing is sent yet. Proxies are those of the environment: one that cannot
    /// be used fails each request, since this may not be the only origin.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new(base: Url, tls: &Tls) -> Result<Self, BadOrigin> {
        Self::with(base, tls, PATIENCE)
    }

    fn with(base: Url, tls: &Tls, patience: Patience) -> Result<Self, BadOrigin> {
        let proxy = proxy_for(&base);
        let client = match &proxy {
            Err(unusable) => Err(unusable.clone()),
            Ok(proxy) => Ok(client(tls, patience.connect, proxy.as_ref())
                .and_then(|builder| builder.read_timeout(patience.idle).timeout(patience.total).build())
                .map_err(|error| BadOrigin { origin: base.to_string(), problem: sentence(&error) })?),
        };
        let proxy = proxy.unwrap_or_default();
        let (tag, forbids) = (Mutex::default(), AtomicBool::new(false));
        Ok(Self { text: base.to_string(), base, proxy, client, tag, forbids })
    }

    async fn fetch(&self, path: &str, max_bytes: u64, held: Option<&[u8]>) -> Result<Fetched, String> {
        let url = self.base.join(path).map_err(|error| error.to_string())?;
        // A path from metadata must not lead elsewhere ("//host/x", "../../x").
        if !url.as_str().starts_with(self.base.as_str()) {
            return Err("the path leads out of the origin".into());
        }
        let client = self.client.as_ref().map_err(ToString::to_string)?;
        let mut request = client.get(url).header(ACCEPT_ENCODING, "identity");
        if let Some(tag) = held.and_then(|held| self.tag_of(held)) {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let mut response = request.send().await.map_err(|error| {
            let connecting = error.is_connect();
            let problem = sentence(&error.without_url());
            match &self.proxy {
                Some(proxy) => proxy.explain(self.base.scheme(), connecting, &problem),
                None => problem,
            }
        })?;
        // What comes through a tunnel is the origin's.
        let proxy = self.proxy.as_ref().filter(|_| self.base.scheme() == "http");
        let has_header = |name: &str| response.headers().contains_key(name);
        if let Some(answer) =
            proxy.and_then(|proxy| proxy.own_answer(response.status().as_u16(), &has_header))
        {
            return Err(answer);
        }
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if held.is_some() => return Ok(Fetched::NotModified),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Fetched::Absent),
            StatusCode::FORBIDDEN if location::may_be_absent(path) => {
                if !self.forbids.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        origin = self.text,
                        path,
                        "the origin answers 403 for a file that it need not have: taken as absent, from now on without a word"
                    );
                }
                return Ok(Fetched::Absent);
            }
            status => {
                let told = proxy.map(|proxy| proxy.either_answered(&status.to_string()));
                return Err(told.unwrap_or_else(|| format!("the origin answered {status}")));
            }
        }
        // Nothing here inflates, so a compressed body would only fail later, and less clearly.
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING)
            && encoding.as_bytes() != b"identity"
        {
            return Err("the origin compressed the answer although that was not asked for".into());
        }
        if response.content_length().is_some_and(|length| length > max_bytes) {
            return Ok(Fetched::TooLong);
        }
        let tag = response.headers().get(ETAG).filter(|tag| tag.len() <= TAG_BYTES).cloned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| sentence(&error.without_url()))? {
            if (body.len() as u64).saturating_add(chunk.len() as u64) > max_bytes {
                return Ok(Fetched::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        if held.is_some() {
            *self.tag.lock().unwrap_or_else(PoisonError::into_inner) =
                tag.map(|tag| (Sha256Digest::of(&body), tag));
        }
        Ok(Fetched::Bytes(body))
    }

    /// The tag to ask with: what this origin gave for the same bytes, else what mulberry-server gives for them. To any
    /// other origin that is a tag of nothing, and it sends the document.
    fn tag_of(&self, held: &[u8]) -> Option<HeaderValue> {
        let digest = Sha256Digest::of(held);
        match &*self.tag.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((of, tag)) if *of == digest => Some(tag.clone()),
            _ => HeaderValue::from_str(&format!("\"{digest}\"")).ok(),
        }
    }
}

/// The proxy of the environment that leads to this origin.
///
/// # Errors
/// The variable that would name it names none.
pub fn proxy_for(origin: &Url) -> Result<Option<Proxy>, UnusableProxy> {
    let env = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    Proxy::of_environment(origin.scheme(), origin.host_str().unwrap_or_default(), &env)
}

#[async_trait]
impl Transport for HttpOrigin {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        self.fetch(path, max_bytes, None).await.unwrap_or_else(Fetched::Failed)
    }

    async fn get_unless_held(&self, path: &str, max_bytes: u64, held: &[u8]) -> Fetched {
        self.fetch(path, max_bytes, Some(held)).await.unwrap_or_else(Fetched::Failed)
    }

    fn origin(&self) -> &str {
        &self.text
    }
}

/// What polls and the live stream have in common.
pub(super) fn client(
    tls: &Tls,
    connect: Duration,
    proxy: Option<&Proxy>,
) -> Result<ClientBuilder, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(concat!("mulberry-agent/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls.config())
        .redirect(Policy::custom(within_the_origin))
        .referer(false)
        .http2_max_header_list_size(HEADER_BYTES)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .connect_timeout(connect)
        // Ours says which it is, and takes `NO_PROXY=*` for addresses too.
        .no_proxy();
    Ok(match proxy {
        Some(proxy) => builder.proxy(reqwest::Proxy::all(&proxy.url)?),
        None => builder,
    })
}

/// Where a redirect that is not followed leads. Only a person moves an origin to another scheme, host or port.
fn elsewhere(from: Option<&Url>, to: &Url) -> String {
    let same_host = from.is_some_and(|from| from.host_str() == to.host_str());
    let place = to.origin().ascii_serialization();
    match (from.map(Url::scheme), to.scheme()) {
        (Some("http"), "https") if same_host => {
            format!("the origin redirected to HTTPS on the same host; name it as {place} among the origins")
        }
        _ if same_host => {
            format!("the origin redirected to {place}, another port; name that one if it is meant")
        }
        _ => format!("the origin redirected to another host, {place}; name that one if it is meant"),
    }
}

fn within_the_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if !same {
        let sentence = elsewhere(attempt.previous().first(), attempt.url());
        return attempt.error(sentence);
    }
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("the origin redirected too often");
    }
    attempt.follow()
}

/// An error with its causes in one line; reqwest keeps the useful part in the innermost.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::TlsDates;

    /// Answers every request with the same bytes, then closes; returns its address and the requests it saw.
    async fn serve(answer: impl Into<Vec<u8>>) -> (String, Arc<Mutex<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (answer, seen) = (answer.into(), Arc::new(Mutex::new(String::new())));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = socket.read(&mut request).await.unwrap_or(0);
                log.lock().unwrap().push_str(&String::from_utf8_lossy(&request[..length]));
                let _ = socket.write_all(&answer).await;
                let _ = socket.shutdown().await;
            }
        });
        (address, seen)
    }

    async fn get(answer: &str, max: u64) -> Fetched {
        let (address, _) = serve(answer.replace('\n', "\r\n")).await;
        at(&address).get("metadata/1.root.json", max).await
    }

    fn at(address: &str) -> HttpOrigin {
        HttpOrigin::new(
            format!("{address}/").parse().unwrap(),
            &Tls::new(TlsDates::default(), vec![]).unwrap(),
        )
        .unwrap()
    }

    fn failed(fetched: Fetched) -> String {
        match fetched {
            Fetched::Failed(problem) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn absent_and_failed_are_told_apart() {
        assert_eq!(get("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 2).await, Fetched::Bytes(b"hi".into()));
        assert_eq!(get("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n", 9).await, Fetched::Absent);
        assert!(failed(get("HTTP/1.1 503 Busy\nContent-Length: 0\n\n", 9).await).contains("503"));
        assert!(failed(get("HTTP/1.1 200 OK\nContent-Length: 5\n\nhi", 9).await).contains("body"));
        assert!(matches!(
            at("http://127.0.0.1:1").get("x", 9).await,
            Fetched::Failed(problem) if problem.contains("refused")
        ));
    }

    #[tokio::test]
    async fn forbidden_is_absent_for_what_need_not_be_there_and_a_failure_for_all_else() {
        let (address, _) = serve("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
        let origin = at(&address);
        for path in ["metadata/2.root.json", "2.root.json", "ledger/continues.json", "ledger/00/0.json"] {
            assert_eq!(origin.get(path, 9).await, Fetched::Absent, "{path}");
        }
        for path in ["metadata/timestamp.json", "metadata/2.snapshot.json", "targets/emergency/0.a.json"] {
            assert!(failed(origin.get(path, 9).await).contains("403"), "{path}");
        }
    }

    #[tokio::test]
    async fn a_body_is_cut_at_its_bound_announced_or_not() {
        assert_eq!(get("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", 2).await, Fetched::TooLong);
        assert_eq!(get("HTTP/1.1 200 OK\nConnection: close\n\nabc", 2).await, Fetched::TooLong);
        assert_eq!(get("HTTP/1.1 200 OK\nConnection: close\n\nabc", 3).await, Fetched::Bytes(b"abc".into()));
    }

    #[tokio::test]
    async fn compression_is_neither_asked_for_nor_taken() {
        let (address, seen) =
            serve("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi").await;
        let answer = at(&address).get("x", 9).await;
        assert!(failed(answer).contains("compressed"));
        let request = seen.lock().unwrap().to_lowercase();
        assert!(request.contains("accept-encoding: identity"), "{request}");
    }

    #[tokio::test]
    async fn redirects_stay_with_the_origin() {
        let (elsewhere, seen) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        let answer =
            get(&format!("HTTP/1.1 302 Found\nLocation: {elsewhere}/x\nContent-Length: 0\n\n"), 9).await;
        assert!(failed(answer).contains("another port"));
        assert_eq!(*seen.lock().unwrap(), "");
        let (from, to) =
            ("http://fixes.example/a".parse().unwrap(), "https://fixes.example/a".parse().unwrap());
        let sentence = super::elsewhere(Some(&from), &to);
        assert!(sentence.contains("HTTPS on the same host; name it as https://fixes.example "), "{sentence}");
        let looped = get("HTTP/1.1 302 Found\nLocation: /x\nContent-Length: 0\n\n", 9).await;
        assert!(failed(looped).contains("too often"));
    }

    #[tokio::test]
    async fn paths_cannot_leave_the_origin() {
        let (address, seen) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
        let origin = at(&format!("{address}/mirror"));
        for path in ["../x", "/x", "//other.example/x", "http://other.example/x"] {
            assert!(failed(origin.get(path, 9).await).contains("leads out"), "{path}");
        }
        assert_eq!(*seen.lock().unwrap(), "");
        assert_eq!(origin.get("metadata/x", 9).await, Fetched::Bytes(b"hi".into()));
        assert!(seen.lock().unwrap().starts_with("GET /mirror/metadata/x "));
    }

    #[tokio::test]
    async fn a_conditional_request_names_the_origin_s_tag_for_the_very_bytes_held() {
        let (address, seen) = serve("HTTP/1.1 200 OK\r\nETag: W/\"7\"\r\nContent-Length: 2\r\n\r\nhi").await;
        let origin = at(&address);
        let asked =
            || seen.lock().unwrap().to_lowercase().rsplit("if-none-match: ").next().unwrap().to_owned();
        assert_eq!(origin.get_unless_held("x", 9, b"old").await, Fetched::Bytes(b"hi".into()));
        assert!(asked().starts_with(&format!("\"{}\"", Sha256Digest::of(b"old"))), "{}", asked());
        origin.get_unless_held("x", 9, b"hi").await;
        assert!(asked().starts_with("w/\"7\""), "{}", asked());

        let (address, _) = serve("HTTP/1.1 304 Not Modified\r\nETag: \"7\"\r\n\r\n").await;
        let origin = at(&address);
        assert_eq!(origin.get_unless_held("x", 9, b"hi").await, Fetched::NotModified);
        assert!(failed(origin.get("x", 9).await).contains("304"));
    }

    const NEVER: Duration = Duration::from_secs(3600);
    const SOON: Duration = Duration::from_millis(100);

    /// What an agent with this patience makes of a server that sends `start`, then `piece` again and again until the agent hangs up.
    async fn drip(patience: Patience, start: &str, piece: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let tls = Tls::new(TlsDates::default(), vec![]).unwrap();
        let origin = HttpOrigin::with(address.parse().unwrap(), &tls, patience).unwrap();
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let _ = socket.read(&mut request).await.unwrap();
            let mut next = socket.write_all(start.as_bytes()).await;
            while next.is_ok() {
                let hung_up = tokio::time::timeout(SOON / 4, socket.read(&mut request)).await;
                if matches!(hung_up, Ok(Ok(0) | Err(_))) {
                    break;
                }
                next = socket.write_all(piece.as_bytes()).await;
            }
        };
        let bounded = tokio::time::timeout(PATIENCE.total, origin.get("metadata/x", 1 << 20));
        let (answer, ()) = tokio::join!(bounded, serve);
        failed(answer.unwrap())
    }

    #[tokio::test]
    async fn an_answer_that_stalls_is_cut_and_one_that_drips_too() {
        const HEADER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n";
        let body = format!("{HEADER}\r\n");
        let stalls = Patience { connect: NEVER, idle: SOON, total: NEVER };
        for start in ["", HEADER, &body] {
            let problem = drip(stalls, start, "").await;
            assert!(problem.contains("timed out"), "{start:?}: {problem}");
        }
        let drips = Patience { connect: NEVER, idle: NEVER, total: SOON };
        for (start, piece) in [(HEADER, "x: y\r\n"), (&body, "x")] {
            let problem = drip(drips, start, piece).await;
            assert!(problem.contains("timed out"), "{start:?}: {problem}");
        }
    }

    #[tokio::test]
    async fn a_header_without_end_is_cut() {
        for field in ["x: y\r\n".to_owned(), "x".repeat(1 << 16)] {
            let answer = format!("HTTP/1.1 200 OK\r\n{}", field.repeat(200));
            let (address, _) = serve(answer).await;
            let problem = failed(at(&address).get("x", 9).await);
            assert!(!problem.contains("timed out"), "{problem}");
        }
    }
}
