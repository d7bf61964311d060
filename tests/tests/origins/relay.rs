//! What may stand between an agent and a server: a proxy, and an end of TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use mulberry_lab::pki::{KeyKind, LabCertificate, LabKey, SignatureKind};
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ServerConfig, ServerConnection, SignatureAlgorithm, SignatureScheme, StreamOwned};

/// Listens on loopback until the test ends, and serves each connection on a thread.
fn listen(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let serve = Arc::clone(&serve);
            // A client that hangs up early is no concern of the test.
            std::thread::spawn(move || client.and_then(|client| serve(client)));
        }
    });
    address
}

/// The first line of a request, and the connection after its header.
fn head(client: impl Read) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1, client);
    let (mut first, mut line) = (String::new(), String::new());
    reader.read_line(&mut first)?;
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    Ok(first)
}

/// Asks `upstream` for what this first line asks for, and passes the answer on.
fn forward(first: &str, upstream: &str, mut client: impl Write) -> io::Result<()> {
    let target = first.split(' ').nth(1).unwrap_or_default();
    let path = target.strip_prefix("http://").map_or(target, |rest| &rest[rest.find('/').unwrap_or(0)..]);
    let mut server = TcpStream::connect(upstream)?;
    write!(server, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    io::copy(&mut server, &mut client)?;
    client.flush()
}

/// An HTTP proxy that leads to `upstream` whatever it is asked for, and remembers the first lines.
pub(crate) struct Proxy {
    /// Its address.
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub(crate) fn to(upstream: &str) -> Self {
        let (upstream, seen) = (upstream.to_owned(), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&seen);
        let address = listen(move |mut client| {
            let first = head(&client)?;
            log.lock().unwrap().push(first.trim_end().to_owned());
            if !first.starts_with("CONNECT ") {
                return forward(&first, &upstream, client);
            }
            let mut server = TcpStream::connect(&upstream)?;
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
            std::thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            io::copy(&mut server, &mut client)?;
            client.shutdown(Shutdown::Write)
        });
        Self { url: format!("http://{address}"), seen }
    }

    /// One that gives this answer to everything.
    pub(crate) fn answering(answer: &str) -> Self {
        let (answer, seen) = (answer.to_owned(), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&seen);
        let address = listen(move |mut client| {
            let first = head(&client)?;
            log.lock().unwrap().push(first.trim_end().to_owned());
            client.write_all(answer.as_bytes())?;
            client.shutdown(Shutdown::Write)
        });
        Self { url: format!("http://{address}"), seen }
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Speaks TLS with this certificate before `upstream`; gives its address.
pub(crate) fn tls(certificate: &LabCertificate, upstream: &str) -> String {
    tls_chain(&[certificate], upstream)
}

/// As [`tls`], with the intermediates after the server's own certificate.
pub(crate) fn tls_chain(chain: &[&LabCertificate], upstream: &str) -> String {
    let key = Arc::new(Key(Arc::clone(chain[0].key())));
    let chain = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let one = Arc::new(One(Arc::new(CertifiedKey::new(chain, key))));
    let config = Arc::new(config.with_no_client_auth().with_cert_resolver(one));
    let upstream = upstream.to_owned();
    listen(move |client| {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, client);
        let first = head(&mut stream)?;
        forward(&first, &upstream, &mut stream)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A P-256 key of the laboratory, which never leaves it, as TLS wants it.
#[derive(Clone)]
struct Key(Arc<LabKey>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        assert_eq!(self.0.kind(), KeyKind::P256);
        offered.contains(&self.scheme()).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0
            .sign(SignatureKind::EcdsaSha256, message)
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
