//! The socket that notes what is sent on it, and the future that ends it when its place is over.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Sleep, sleep_until};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::places::{Place, Seat};
use crate::metrics::ConnectionCounts;

/// How long what was sent may stay unacknowledged, or find no room on the other side, before the system ends the connection.
const STALLED: Duration = Duration::from_secs(60);

/// An accepted connection below TLS and HTTP.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    seat: Seat,
}

impl Socket {
    /// The socket of the connection that has this seat.
    #[must_use]
    pub fn new(stream: TcpStream, seat: Seat) -> Self {
        // What waits in the system's own buffers is no business of ours otherwise.
        if let Err(error) = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(STALLED)) {
            tracing::debug!(%error, "a connection has no bound on stalls");
        }
        Self { stream, seat }
    }

    /// Its seat, for those who answer its requests.
    #[must_use]
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.seat.connection().note_sent(Instant::now());
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(task, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(task, bytes);
        this.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(task, slices);
        this.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(task)
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(task)
    }
}

/// Serves a connection for as long as it may keep its place, whatever the service that owns the socket waits for.
///
/// The timer is only moved when the deadline comes closer. A deadline that moved away is found when the timer rings, so a request
/// costs no timer.
#[derive(Debug)]
pub struct Bounded<F> {
    // In this order: the socket is closed before the place is given back.
    served: Pin<Box<F>>,
    timer: Pin<Box<Sleep>>,
    place: Place,
    counts: ConnectionCounts,
}

impl<F> Bounded<F> {
    /// `served` owns the socket, so that dropping it closes it.
    #[must_use]
    pub fn new(served: F, place: Place, counts: ConnectionCounts) -> Self {
        let (deadline, _) = place.seat().deadline();
        counts.open.inc();
        Self { served: Box::pin(served), timer: Box::pin(sleep_until(deadline.into())), place, counts }
    }
}

impl<F: Future<Output = Result<(), E>>, E> Future for Bounded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        if let ended @ Poll::Ready(_) = this.served.as_mut().poll(task) {
            return ended;
        }
        let seat = this.place.seat();
        seat.settle(task.waker());
        loop {
            let (deadline, why) = seat.deadline();
            let deadline = deadline.into();
            if deadline < this.timer.deadline() {
                this.timer.as_mut().reset(deadline);
            }
            ready!(this.timer.as_mut().poll(task));
            if deadline <= this.timer.deadline() {
                this.counts.count(why);
                return Poll::Ready(Ok(()));
            }
            this.timer.as_mut().reset(deadline);
        }
    }
}

impl<F> Drop for Bounded<F> {
    fn drop(&mut self) {
        self.counts.open.dec();
    }
}
