//! An origin over HTTP: bounded bodies, bounded time, and nothing clever.

mod redirects;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::proxy::{Proxy, UnusableProxy};
use mulberry_shared::tuf::location;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH};
use reqwest::redirect::Policy;
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
        .redirect(Policy::custom(redirects::within_the_origin))
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
mod tests;
