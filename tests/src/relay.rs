//! Stands between an agent and its origin, passes everything on, and keeps what was said.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::stage::StageError;

/// Bytes read at once.
const PIECE: usize = 64 << 10;

/// Both directions, in the order in which pieces came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What the agent sent.
    pub asked: Vec<u8>,
    /// What the origin answered.
    pub answered: Vec<u8>,
}

impl Heard {
    /// The status codes of answers, as long as none has a body.
    #[must_use]
    pub fn statuses(&self) -> Vec<u16> {
        let text = String::from_utf8_lossy(&self.answered);
        let status = |head: &str| head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok();
        text.split_terminator("\r\n\r\n").map(|head| status(head).unwrap_or_default()).collect()
    }
}

/// A running relay, which ends with the process.
#[derive(Debug)]
pub struct Relay {
    address: String,
    heard: Arc<Mutex<Heard>>,
}

impl Relay {
    /// Starts one before `origin`, such as `http://127.0.0.1:8080`, on a free port of loopback.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn to(origin: &str) -> Result<Self, StageError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| StageError(error.to_string()))?;
        let at = listener.local_addr().map_err(|error| StageError(error.to_string()))?;
        let target = origin.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let heard = Arc::<Mutex<Heard>>::default();
        let kept = heard.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Who cannot be connected is disconnected.
                let _ = connect(client, &target, &kept);
            }
        });
        Ok(Self { address: format!("http://{at}/"), heard })
    }

    /// Where it listens, as an origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.address
    }

    /// What was said since it was last taken. Of what has arrived at the other side, nothing is missing.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn connect(client: TcpStream, target: &str, heard: &Arc<Mutex<Heard>>) -> std::io::Result<()> {
    let server = TcpStream::connect(target)?;
    let (asks, answers) = (client.try_clone()?, server.try_clone()?);
    let kept = heard.clone();
    std::thread::spawn(move || pass(asks, server, &kept, |heard| &mut heard.asked));
    let kept = heard.clone();
    std::thread::spawn(move || pass(answers, client, &kept, |heard| &mut heard.answered));
    Ok(())
}

/// Keeps each piece, then passes it on, until one side ends.
fn pass(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Heard>, side: fn(&mut Heard) -> &mut Vec<u8>) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let read = piece.get(..length).unwrap_or_default();
        side(&mut heard.lock().unwrap_or_else(PoisonError::into_inner)).extend_from_slice(read);
        if to.write_all(read).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
