//! The live stream's hub: who is connected, and what they are told.
//!
//! A new edition is announced once; every connection has a bounded queue of announcements, and one that does not keep up is
//! ended. Connected agents come back and are told the current number then, so nothing is lost by that.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

/// Announcements that wait for one connection. An agent reads one in microseconds.
const QUEUE: usize = 16;

/// Tells connections of new editions.
#[derive(Debug)]
pub struct Live {
    sender: Mutex<Option<broadcast::Sender<u64>>>,
}

impl Default for Live {
    fn default() -> Self {
        Self { sender: Mutex::new(Some(broadcast::channel(QUEUE).0)) }
    }
}

impl Live {
    /// Tells everybody connected. Never waits.
    pub fn announce(&self, edition: u64) {
        if let Some(sender) = self.sender.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // An error means that nobody is connected.
            let _ = sender.send(edition);
        }
    }

    /// A connection's view from now on; `None` once the server is stopping.
    #[must_use]
    pub fn subscribe(&self) -> Option<broadcast::Receiver<u64>> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().map(broadcast::Sender::subscribe)
    }

    /// How many are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        sender.as_ref().map_or(0, broadcast::Sender::receiver_count)
    }

    /// Ends every stream: they would hold up a stop for as long as it may take.
    pub fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// How many streams one worker of the public listener holds.
///
/// Counted for each worker, because a worker whose connections are all streams takes no other: health would not answer.
#[derive(Clone, Debug)]
pub struct Admission(Arc<Semaphore>);

impl Admission {
    /// For a worker that takes this many connections at once: a quarter stays for everything else.
    #[must_use]
    pub fn for_connections(connections: usize) -> Self {
        Self(Arc::new(Semaphore::new(Self::most(connections).min(Semaphore::MAX_PERMITS))))
    }

    /// How many places there are then.
    #[must_use]
    pub fn most(connections: usize) -> usize {
        connections.saturating_sub(connections.div_ceil(4))
    }

    /// A place for one stream, until dropped; `None` when there is none.
    #[must_use]
    pub fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.0.clone().try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_connections_is_never_taken_by_streams() {
        for (connections, most) in [(0, 0), (1, 0), (2, 1), (4, 3), (100, 75)] {
            let admission = Admission::for_connections(connections);
            let inside: Vec<_> = std::iter::from_fn(|| admission.enter()).collect();
            assert_eq!(inside.len(), most, "of {connections}");
            drop(inside);
            assert_eq!(admission.enter().is_some(), most > 0);
        }
    }

    #[tokio::test]
    async fn closing_ends_those_who_listen_and_admits_nobody() {
        let live = Live::default();
        live.announce(1);
        let mut listener = live.subscribe().unwrap();
        live.announce(2);
        live.close();
        live.announce(3);
        assert_eq!(listener.recv().await, Ok(2));
        assert!(listener.recv().await.is_err());
        assert!(live.subscribe().is_none());
    }
}
