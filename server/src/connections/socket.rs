//! The socket that notes what is sent on it, and the future that ends it when its place is over.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Sleep, sleep_until};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

use super::seat::{Place, Seat};

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
        match written {
            Poll::Ready(Ok(1..)) => self.seat.note_sent(Instant::now()),
            Poll::Ready(_) => {}
            Poll::Pending => self.seat.note_stalled(),
        }
        written
    }
}

/// Closes a connection that was sent nothing, so that nothing is left of it in the system.
pub fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a connection is closed, not reset");
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.seat.is_reset() {
            reset(&self.stream);
        }
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
    arrival: Arrival,
}

/// How far a connection is that has just come. What it sent before it was accepted shows when the event loop has looked at its
/// socket, which is after it was polled for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Unseen,
    Polled,
    Served,
}

impl<F> Bounded<F> {
    /// `served` owns the socket, so that dropping it closes it.
    #[must_use]
    pub fn new(served: F, place: Place) -> Self {
        let (deadline, _) = place.seat().deadline();
        let timer = Box::pin(sleep_until(deadline.into()));
        Self { served: Box::pin(served), timer, place, arrival: Arrival::Unseen }
    }
}

impl<F: Future<Output = Result<(), E>>, E> Future for Bounded<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        this.place.serve();
        let seat = this.place.seat();
        if let Some(why) = seat.ends_at_once() {
            this.place.count(why);
            return Poll::Ready(Ok(()));
        }
        if let ended @ Poll::Ready(_) = this.served.as_mut().poll(task) {
            return ended;
        }
        seat.wait(task.waker());
        match this.arrival {
            Arrival::Unseen => {
                this.arrival = Arrival::Polled;
                // Has this task polled again after the event loop has looked at all sockets.
                let _: Poll<()> = pin!(yield_now()).poll(task);
            }
            Arrival::Polled => {
                this.arrival = Arrival::Served;
                seat.settle();
            }
            Arrival::Served => {}
        }
        loop {
            let (deadline, why) = seat.deadline();
            let deadline = deadline.into();
            if deadline < this.timer.deadline() {
                this.timer.as_mut().reset(deadline);
            }
            ready!(this.timer.as_mut().poll(task));
            if deadline <= this.timer.deadline() {
                this.place.count(why);
                return Poll::Ready(Ok(()));
            }
            this.timer.as_mut().reset(deadline);
        }
    }
}
