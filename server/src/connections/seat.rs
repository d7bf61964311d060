//! What a connection's task, its socket and its handlers hold of its place, and until when it may keep it. Everything here
//! belongs to one worker's thread; the time is handed in.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use mulberry_shared::live::HEARTBEAT_SECONDS;

use super::bounds::{Bounds, Cut};
use super::places::{Departure, Exit, Id, Places};
use crate::metrics::ConnectionCounts;

/// A live stream is sent something every [`HEARTBEAT_SECONDS`]; one that takes nothing for so long is cut.
const STREAM_IDLE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);

/// Who makes room in the middle of an answer has this time to take the rest of it, however fast it takes it.
const GRACE: Duration = Duration::from_millis(250);

/// How long an answer that refuses a request has to arrive before its connection is cut.
const FAREWELL: Duration = Duration::from_secs(1);

/// One connection.
#[derive(Debug)]
struct Connection {
    id: Id,
    opened: Instant,
    /// Whether it carries a live stream.
    streams: Cell<bool>,
    /// Whether its life does not count.
    excused: Cell<bool>,
    /// When it was last sent something.
    sent: Cell<Instant>,
    /// When it is cut for a reason of its own.
    ends: Cell<Option<(Instant, Cut)>>,
    /// That it makes room for others.
    departs: Cell<Option<Departs>>,
    task: RefCell<Option<Waker>>,
}

/// How and until when a connection makes room. Nothing moves this.
#[derive(Clone, Copy, Debug)]
struct Departs {
    by: Instant,
    why: Cut,
    exit: Exit,
}

impl Connection {
    fn deadline(&self, bounds: &Bounds) -> (Instant, Cut) {
        let earliest = |a: (Instant, Cut), b: (Instant, Cut)| if b.0 < a.0 { b } else { a };
        let idle = if self.streams.get() { bounds.idle.max(STREAM_IDLE) } else { bounds.idle };
        let idle = (self.sent.get() + idle, Cut::Idle);
        let life = (!self.excused.get()).then(|| (self.opened + bounds.life, Cut::Life));
        let departs = self.departs.get().map(|departs| (departs.by, departs.why));
        [life, self.ends.get(), departs].into_iter().flatten().fold(idle, earliest)
    }

    /// Has its task look at its deadline again.
    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }
}

/// The places of one worker, and who sits on them.
#[derive(Debug)]
pub struct Seats {
    bounds: Bounds,
    counts: ConnectionCounts,
    places: RefCell<Places>,
    /// Those with a place, or with leave to finish an answer.
    connections: RefCell<HashMap<Id, Rc<Connection>>>,
    /// Who wants to let another one in.
    door: RefCell<Option<Waker>>,
}

impl Seats {
    /// Empty ones, whose figures are kept in `counts`.
    #[must_use]
    pub fn new(bounds: Bounds, counts: ConnectionCounts) -> Rc<Self> {
        let places = RefCell::new(Places::new(bounds.clone()));
        Rc::new(Self { bounds, counts, places, connections: RefCell::default(), door: RefCell::default() })
    }

    /// Ready when another may be let in: those who came last have been served once.
    pub fn poll_ready(&self, task: &Context<'_>) -> Poll<()> {
        if self.places.borrow().is_ready() {
            return Poll::Ready(());
        }
        self.door.replace(Some(task.waker().clone()));
        Poll::Pending
    }

    /// A place for a connection from `peer`, which there always is if they were ready.
    #[must_use]
    pub fn admit(self: &Rc<Self>, peer: Option<IpAddr>, now: Instant) -> Option<Place> {
        let prefix = peer.and_then(|peer| self.bounds.peers.prefix(peer));
        let (admitted, departures) = self.places.borrow_mut().admit(prefix);
        self.tell(departures, now);
        let id = admitted.inspect_err(|why| self.counts.count(*why)).ok()?;
        let connection = Rc::new(Connection {
            id,
            opened: now,
            streams: Cell::new(false),
            excused: Cell::new(false),
            sent: Cell::new(now),
            ends: Cell::new(None),
            departs: Cell::new(None),
            task: RefCell::new(None),
        });
        self.connections.borrow_mut().insert(id, connection.clone());
        Some(Place { seat: Seat { connection, seats: self.clone() }, is_served: false })
    }

    /// Tells those who make room.
    fn tell(&self, departures: Vec<Departure>, now: Instant) {
        for Departure { id, why, exit } in departures {
            let Some(connection) = self.connections.borrow().get(&id).cloned() else { continue };
            let by = if exit == Exit::Finish { now + GRACE } else { now };
            connection.departs.set(Some(Departs { by, why, exit }));
            connection.wake();
            if exit != Exit::Finish {
                self.connections.borrow_mut().remove(&id);
            }
        }
    }

    /// Fewer are arriving, maybe.
    fn open_door(&self) {
        if let Some(task) = self.door.take() {
            task.wake();
        }
    }
}

/// A place that is held; dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    seat: Seat,
    is_served: bool,
}

impl Place {
    /// What may be handed on to whoever answers requests.
    #[must_use]
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Its connection is served from now on, and counted as open until the place is given back. Whoever made room for it was
    /// told before, and is gone by then.
    pub fn serve(&mut self) {
        if !std::mem::replace(&mut self.is_served, true) {
            self.seat.seats.counts.open.inc();
        }
    }

    /// Counts that its connection was ended by us.
    pub fn count(&self, why: Cut) {
        self.seat.seats.counts.count(why);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Seat { connection, seats } = &self.seat;
        seats.places.borrow_mut().leave(connection.id);
        seats.connections.borrow_mut().remove(&connection.id);
        if self.is_served {
            seats.counts.open.dec();
        }
        seats.open_door();
    }
}

/// A connection as its socket sees it, and those who answer its requests. It holds nothing: that is [`Place`]'s.
#[derive(Clone, Debug)]
pub struct Seat {
    connection: Rc<Connection>,
    seats: Rc<Seats>,
}

impl Seat {
    /// When it is cut as things stand, and why then.
    #[must_use]
    pub fn deadline(&self) -> (Instant, Cut) {
        self.connection.deadline(&self.seats.bounds)
    }

    /// Why it must be ended before anything else is done for it.
    #[must_use]
    pub fn ends_at_once(&self) -> Option<Cut> {
        self.connection
            .departs
            .get()
            .filter(|departs| departs.exit != Exit::Finish)
            .map(|departs| departs.why)
    }

    /// Whether its socket is closed so that nothing is left of it in the system.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.connection.departs.get().is_some_and(|departs| departs.exit == Exit::Reset)
    }

    /// It was sent something.
    pub fn note_sent(&self, now: Instant) {
        self.connection.sent.set(now);
        self.seats.places.borrow_mut().note_sent(self.connection.id);
    }

    /// It does not take what it is sent, for now.
    pub fn note_stalled(&self) {
        self.seats.places.borrow_mut().note_stalled(self.connection.id);
    }

    /// Its task waits, and is woken when its deadline comes closer.
    pub fn wait(&self, task: &Waker) {
        let mut kept = self.connection.task.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(task)) {
            kept.replace(task.clone());
        }
    }

    /// It has been served once, with all that had come by then. From now on it may be cut for others.
    pub fn settle(&self) {
        self.seats.places.borrow_mut().settle(self.connection.id);
        self.seats.open_door();
    }

    /// It sent a valid token: it is not cut for others, unless all places but a few are held by such.
    pub fn authenticate(&self) {
        self.seats.places.borrow_mut().authenticate(self.connection.id);
    }

    /// An answer begins that may take longer than a life, for one who sent a valid token.
    pub fn excuse(&self) {
        self.connection.excused.set(true);
    }

    /// A live stream begins: it has no life, and is not cut for others. `None` when its prefix has all that it may have.
    #[must_use]
    pub fn stream(&self) -> Option<Streaming> {
        if !self.seats.places.borrow_mut().stream(self.connection.id) {
            return None;
        }
        self.connection.streams.set(true);
        self.connection.excused.set(true);
        Some(Streaming(self.clone()))
    }

    /// Its request is refused together with the body that it announced: it is cut when the answer has had time to arrive.
    pub fn refuse_body(&self, now: Instant) {
        if self.connection.ends.get().is_none() {
            self.connection.ends.set(Some((now + FAREWELL, Cut::Body)));
            self.connection.wake();
        }
    }

    /// Whether the next answer should be its last: it has had half of its life, or must make room. So a client that goes on asking
    /// is told in time, and never cut in the middle of an answer.
    #[must_use]
    pub fn should_close(&self) -> bool {
        let Connection { opened, sent, excused, departs, .. } = &*self.connection;
        let age = sent.get().saturating_duration_since(*opened);
        let old = !excused.get() && age >= self.seats.bounds.life / 2;
        old || departs.get().is_some()
    }
}

/// A live stream; when it is dropped, its connection is like any other again.
#[derive(Debug)]
pub struct Streaming(Seat);

impl Drop for Streaming {
    fn drop(&mut self) {
        let Seat { connection, seats } = &self.0;
        connection.streams.set(false);
        connection.excused.set(false);
        let departures = seats.places.borrow_mut().end_stream(connection.id);
        // All but who finishes an answer go at once, and a stream that has just ended was the last to be sent something.
        seats.tell(departures, connection.sent.get());
    }
}

#[cfg(test)]
mod tests;
