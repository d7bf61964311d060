//! HTTP with bounds: an answer of at most so many bytes within so much time, and no token over a line others can read.

use crate::failure::{Failure, FailureKind};
use mulberry_shared::{answer::plain, proxy::Proxy};
use reqwest::{Client, Response, StatusCode, Url, header::LOCATION, redirect::Policy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Time to connect; an origin that does not answer by then is down for a person who waits.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a whole exchange.
const TOTAL: Duration = Duration::from_secs(60);
/// Between bytes.
const IDLE: Duration = Duration::from_secs(15);

/// Whether a person may see a URL's secrets: who may ride on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Public documents: any HTTP will do, since trust never rests on the transport.
    PublicDocuments,
    /// A bearer token travels: TLS, or a loopback address.
    Token,
}

/// An answer with its whole, bounded body.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
}

/// A base URL and a client that suits it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    base: Url,
    purpose: Purpose,
    client: Client,
    /// The proxy that leads there.
    proxy: Option<Proxy>,
    /// Whether it has answered "forbidden" for what is absent.
    forbids: Arc<AtomicBool>,
}

impl Endpoint {
    /// Checks a URL and makes a client for it.
    ///
    /// # Errors
    /// Not an http(s) URL, carries credentials or a query, or a token would travel in the clear.
    pub fn new(url: &str, purpose: Purpose) -> Result<Self, Failure> {
        let base = parse(url, purpose)?;
        let mut builder = Client::builder()
            .user_agent(concat!("mulberryctl/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .read_timeout(IDLE)
            // A redirect could carry a token elsewhere, and no origin of ours needs one.
            .redirect(Policy::none())
            // Ours says which it is, and takes `NO_PROXY=*` for addresses too.
            .no_proxy();
        // A proxy named in the environment must not see what is meant for this machine.
        let proxy = if is_loopback(&base) { None } else { proxy_for(&base)? };
        if let Some(proxy) = &proxy {
            let through = reqwest::Proxy::all(&proxy.url);
            builder =
                builder.proxy(through.map_err(|error| unusable(&format!("{proxy}: {}", causes(&error))))?);
        }
        let client = builder.build().map_err(|error| unusable(&causes(&error)))?;
        Ok(Self { base, purpose, client, proxy, forbids: Arc::default() })
    }

    /// The URL of a path below the base.
    ///
    /// # Errors
    /// The path does not make a URL below the base.
    pub fn join(&self, path: &str) -> Result<Url, Failure> {
        let url = self.base.join(path.trim_start_matches('/'));
        let inside = url.ok().filter(|url| url.as_str().starts_with(self.base.as_str()));
        inside.ok_or_else(|| {
            Failure::usage(FailureKind::BadPath, format!("`{path}` is no path below {}", self.base))
        })
    }

    /// The client, to build requests with.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Notes that it answers "forbidden" for what is absent; whether that is new.
    #[must_use]
    pub fn forbids(&self) -> bool {
        !self.forbids.swap(true, Ordering::Relaxed)
    }

    /// The base URL.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Where an answer redirects to, as a sentence with the way out; `None` where it does not. Nothing is followed: a token would
    /// travel along, and only a person moves a server to another place.
    fn redirect(&self, response: &Response) -> Option<String> {
        let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection())?;
        let status = response.status();
        let Some(to) = location.to_str().ok().and_then(|to| response.url().join(to).ok()) else {
            return Some(format!("it answered {status} with a redirect to no URL"));
        };
        let option = match self.purpose {
            Purpose::PublicDocuments => "--origin",
            Purpose::Token => "--server",
        };
        // The same path below another base: that base is what was meant.
        let path = response.url().as_str().strip_prefix(self.base.as_str()).unwrap_or_default();
        let shown = plain(to.as_str()).chars().take(200).collect::<String>();
        let next = match to.as_str().strip_suffix(path).filter(|base| base.ends_with('/')) {
            Some(base) if shown == to.as_str() => format!("if that is the right place, give {option} {base}"),
            _ => format!("if what is served has moved, give its address with {option}"),
        };
        Some(format!("it answered {status} and points to {shown}; redirects are not followed, so {next}"))
    }

    /// Sends a request, made with [`Self::client`], and reads at most `max` bytes of the answer.
    ///
    /// # Errors
    /// [`NoAnswer`], also where a proxy answered in the server's place.
    pub async fn send(&self, request: reqwest::RequestBuilder, max: u64) -> Result<Answer, NoAnswer> {
        let response = request.send().await.map_err(|error| {
            let (connecting, problem) = (error.is_connect(), causes(&error));
            NoAnswer::Broken(match &self.proxy {
                Some(proxy) => proxy.explain(self.base.scheme(), connecting, &problem),
                None => problem,
            })
        })?;
        let status = response.status();
        // What comes through a tunnel is the server's.
        let proxy = self.proxy.as_ref().filter(|_| self.base.scheme() == "http");
        let has_header = |name: &str| response.headers().contains_key(name);
        if let Some(answer) = proxy.and_then(|proxy| proxy.own_answer(status.as_u16(), &has_header)) {
            return Err(NoAnswer::Broken(answer));
        }
        if let Some(sentence) = self.redirect(&response) {
            return Err(NoAnswer::Redirected(sentence));
        }
        Ok(Answer { status, body: body(response, max).await? })
    }
}

/// The proxy of the environment that leads to this URL.
fn proxy_for(base: &Url) -> Result<Option<Proxy>, Failure> {
    let env = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    Proxy::of_environment(base.scheme(), base.host_str().unwrap_or_default(), &env)
        .map_err(|error| unusable(&error.to_string()))
}

fn unusable(why: &str) -> Failure {
    Failure::usage(FailureKind::HttpClient, format!("Cannot set up HTTP: {why}."))
}

/// No whole answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody answered, or the answer broke off.
    #[error("{0}")]
    Broken(String),
    /// The answer was to ask elsewhere.
    #[error("{0}")]
    Redirected(String),
    /// More than may be meant.
    #[error("the answer is longer than {0} bytes")]
    TooLong(u64),
}

async fn body(mut response: Response, max: u64) -> Result<Vec<u8>, NoAnswer> {
    if response.content_length().is_some_and(|length| length > max) {
        return Err(NoAnswer::TooLong(max));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::Broken(causes(&error)))? {
        if (bytes.len() as u64).saturating_add(chunk.len() as u64) > max {
            return Err(NoAnswer::TooLong(max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// An error with its causes, innermost last: reqwest's own sentence hides `connection refused`.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

fn parse(text: &str, purpose: Purpose) -> Result<Url, Failure> {
    let fault = |what: &str| Failure::usage(FailureKind::BadUrl, format!("`{text}`: {what}"));
    let mut url = Url::parse(text)
        .map_err(|error| fault(&format!("is not a URL ({error}); write http(s)://host:port")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fault("only http:// and https:// URLs work here"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(fault("a URL with a name or password ends up in logs; use --token-file"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("must have no query and no fragment"));
    }
    if purpose == Purpose::Token && url.scheme() != "https" && !is_loopback(&url) {
        return Err(Failure::usage(
            FailureKind::TokenInTheClear,
            format!(
                "`{text}`: no token is sent over plain HTTP except to loopback. Use https://, or a tunnel \
                 (ssh -L 8081:127.0.0.1:8081 SERVER) and --server http://127.0.0.1:8081."
            ),
        ));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        // RFC 3986 writes IPv6 in brackets; an IPv4-mapped loopback counts as what it maps.
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_travel_over_tls_or_loopback_only() {
        for url in [
            "https://ops.example",
            "http://127.0.0.1:8081",
            "http://[::1]:8081/x",
            "http://localhost",
            "http://127.9.9.9",
        ] {
            assert!(parse(url, Purpose::Token).is_ok(), "{url}");
        }
        for url in [
            "http://ops.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://[::ffff:10.0.0.1]",
        ] {
            assert_eq!(parse(url, Purpose::Token).unwrap_err().kind, "token-in-the-clear", "{url}");
            assert!(parse(url, Purpose::PublicDocuments).is_ok(), "{url}");
        }
        for url in [
            "",
            "ftp://x",
            "http://u:p@localhost",
            "http://localhost/?a",
            "file:///etc/passwd",
            "localhost:8081",
        ] {
            assert_eq!(parse(url, Purpose::Token).unwrap_err().kind, "bad-url", "{url}");
        }
    }

    /// Answers one request with these bytes and closes.
    fn serve_once(answer: Vec<u8>) -> Endpoint {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        });
        Endpoint::new(&format!("http://{address}"), Purpose::Token).unwrap()
    }

    fn get(answer: &[u8], max: u64) -> Result<Answer, NoAnswer> {
        let endpoint = serve_once(answer.to_vec());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(endpoint.send(endpoint.client().get(endpoint.join("x").unwrap()), max))
    }

    #[test]
    fn answers_are_bounded_whether_they_state_their_length_or_not() {
        let stated = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345";
        let closed = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n12345";
        for answer in [&stated[..], closed] {
            assert_eq!(get(answer, 5).unwrap().body, b"12345");
            assert_eq!(get(answer, 4).unwrap_err(), NoAnswer::TooLong(4));
        }
        let broken = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12345";
        assert!(get(broken, 100).is_err(), "half an answer is none");
    }

    #[test]
    fn redirects_are_not_followed_and_say_where_they_point_and_what_to_do() {
        let moved = |location: &str| {
            let answer = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            match get(answer.as_bytes(), 10) {
                Err(NoAnswer::Redirected(sentence)) => sentence,
                other => panic!("{location}: {other:?}"),
            }
        };
        for (location, told) in [
            ("https://fixes.example/deep/x", "302 Found and points to https://fixes.example/deep/x"),
            ("https://fixes.example/deep/x", "give --server https://fixes.example/deep/"),
            ("https://login.example/?from=x", "give its address with --server"),
            ("/elsewhere", "points to http://127.0.0.1:"),
            ("http://[", "a redirect to no URL"),
        ] {
            assert!(moved(location).contains(told), "{location}: {}", moved(location));
        }
        assert!(moved(&format!("https://fixes.example/{}", "a".repeat(4_000))).len() < 500);
        // Without a place it is an answer as any other.
        let nowhere = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(get(nowhere, 10).unwrap().status, StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn paths_stay_below_the_base() {
        let endpoint = Endpoint::new("http://127.0.0.1:1/deep", Purpose::Token).unwrap();
        assert_eq!(
            endpoint.join("/metadata/1.root.json").unwrap().as_str(),
            "http://127.0.0.1:1/deep/metadata/1.root.json"
        );
        for path in ["../x", "http://evil.example/", "a/../../x"] {
            assert!(endpoint.join(path).is_err(), "{path}");
        }
    }
}
