//! An origin that serves a recorded edition, well or with one document damaged in one named way.

mod damage;
mod recording;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use damage::Damage;
pub use recording::Recording;

use damage::Answer;

/// The longest that one connection may block.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running origin. Dropping it ends it.
#[derive(Debug)]
pub struct HostileOrigin {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl HostileOrigin {
    /// Serves `recording` on a free port of loopback, with the document at each of these paths damaged.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn serve(recording: &Recording, damaged: &[(&str, Damage)]) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let mut served: BTreeMap<String, Answer> =
            recording.files().map(|(path, bytes)| (path.to_owned(), Answer::whole(bytes))).collect();
        for (path, damage) in damaged {
            let bytes = recording.file(path).unwrap_or_default();
            served.insert((*path).to_owned(), damage.answer(bytes));
        }
        let served = Arc::new((served, Answer::denial(recording.denial())));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let listening = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (served, log) = (Arc::clone(&served), Arc::clone(&log));
                // A client that hangs up in the middle of an endless body is what is wanted here.
                std::thread::spawn(move || {
                    connection.and_then(|connection| answer(connection, &served, &log))
                });
            }
        });
        Ok(Self { address, heard, ended, listening: Some(listening) })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that it was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.heard().iter().map(|head| path(head).to_owned()).collect()
    }

    /// The requests that came, in order: request line and headers.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for HostileOrigin {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn answer(
    connection: TcpStream,
    (served, denial): &(BTreeMap<String, Answer>, Answer),
    log: &Mutex<Vec<String>>,
) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new((&connection).take(16 << 10));
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    log.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
    let mut out = &connection;
    served.get(path(&head)).unwrap_or(denial).write(&mut out)?;
    connection.shutdown(std::net::Shutdown::Write)
}

fn path(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn get(origin: &HostileOrigin, path: &str) -> String {
        let mut socket = TcpStream::connect(origin.address).unwrap();
        socket.write_all(format!("GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let mut text = Vec::new();
        let _ = socket.take(100_000).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn only_the_named_document_is_damaged() {
        let recording = Recording::of([("metadata/a.json", b"{\"signed\":{}}".to_vec())]);
        let origin = HostileOrigin::serve(&recording, &[("metadata/b.json", Damage::Huge)]).unwrap();
        assert!(get(&origin, "metadata/a.json").ends_with("\r\n\r\n{\"signed\":{}}"));
        assert_eq!(get(&origin, "metadata/b.json").len(), 100_000);
        assert!(get(&origin, "metadata/c.json").starts_with("HTTP/1.1 404"));
    }
}
