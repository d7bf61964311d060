//! Who has a place, and until when. One set of places for each worker, so nothing is shared between threads.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use mulberry_shared::live::HEARTBEAT_SECONDS;

use super::peer::Peers;

/// So many connections are looked at to find the one that has waited longest: all of them unless there are thousands, and
/// then the work of letting one in stays bounded.
const LOOKED_AT: usize = 512;

/// A live stream is sent something every [`HEARTBEAT_SECONDS`]; one that takes nothing for so long is cut.
const STREAM_IDLE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);

/// Who must make room for others has this time from when it was last sent something: a request that is on its way still comes.
const GRACE: Duration = Duration::from_millis(250);

/// How long an answer that refuses a request has to arrive before its connection is cut.
const FAREWELL: Duration = Duration::from_secs(1);

/// What one worker grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections.
    pub places: usize,
    /// Most of them without standing.
    pub unknown: usize,
    /// Most of them from one prefix. Those with a valid token are not counted.
    pub each_peer: usize,
    /// Longest time without a byte sent to the other side.
    pub idle: Duration,
    /// Longest time from first to last, live streams and exports apart.
    pub life: Duration,
    /// How peers are told apart.
    pub peers: Peers,
}

impl Bounds {
    /// Most live streams of one prefix: a quarter of its connections is never taken by them, so that its polls find a place.
    #[must_use]
    pub fn streams_of_a_peer(&self) -> usize {
        self.each_peer.saturating_sub(self.each_peer.div_ceil(4))
    }
}

/// Why we ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It was sent nothing for too long: it asked for nothing, not to the end, or took no answer.
    Idle,
    /// Its life was over.
    Life,
    /// All places were taken, it had waited longest, and made room.
    Crowded,
    /// Its prefix had all places that it may have, and it had waited longest of them.
    Peer,
    /// It announced a body where none belongs.
    Body,
}

impl Cut {
    /// Each at its own number.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Idle, "idle"),
        (Self::Life, "life"),
        (Self::Crowded, "crowded"),
        (Self::Peer, "peer"),
        (Self::Body, "body"),
    ];
}

/// What a connection has shown of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing. It may be cut to let another one in.
    Unknown,
    /// It carries a live stream.
    Streaming,
    /// It sent a valid token.
    Authenticated,
}

/// One connection's place. Everything in it is of one worker's thread.
#[derive(Debug)]
pub struct Connection {
    opened: Instant,
    prefix: Option<IpNet>,
    standing: Cell<Standing>,
    /// Whether its life does not count.
    excused: Cell<bool>,
    /// When it was last sent something.
    sent: Cell<Instant>,
    /// When it is cut for a reason of its own.
    ends: Cell<Option<(Instant, Cut)>>,
    /// For whom it must make room.
    crowded: Cell<Option<Cut>>,
    /// Where it stands in [`Held::all`]; `None` when it has no place any more, because it must make room or has left.
    at: Cell<Option<usize>>,
    /// Whether it has left for good.
    left: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl Connection {
    /// When it is cut as things stand, and why then.
    #[must_use]
    pub fn deadline(&self, bounds: &Bounds) -> (Instant, Cut) {
        let earliest = |a: (Instant, Cut), b: (Instant, Cut)| if b.0 < a.0 { b } else { a };
        let streams = self.standing.get() == Standing::Streaming;
        let idle = if streams { bounds.idle.max(STREAM_IDLE) } else { bounds.idle };
        let mut deadline = (self.sent.get() + idle, Cut::Idle);
        if !self.excused.get() {
            deadline = earliest(deadline, (self.opened + bounds.life, Cut::Life));
        }
        let crowded = self.crowded.get().map(|why| (self.sent.get() + GRACE, why));
        [self.ends.get(), crowded].into_iter().flatten().fold(deadline, earliest)
    }

    /// It was sent something.
    pub fn note_sent(&self, now: Instant) {
        self.sent.set(now);
    }

    fn may_be_cut(&self) -> bool {
        self.standing.get() == Standing::Unknown && self.task.borrow().is_some()
    }

    /// Has its task look at its deadline again.
    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }
}

/// The places of one worker.
#[derive(Debug)]
pub struct Places {
    bounds: Bounds,
    held: RefCell<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: Vec<Rc<Connection>>,
    unknown: usize,
    /// Connections of each prefix but those with a valid token, and the live streams among them.
    peers: HashMap<IpNet, Peer>,
    /// Where looking for the one that has waited longest begins.
    next: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Peer {
    counted: usize,
    streams: usize,
}

impl Places {
    /// Empty places.
    #[must_use]
    pub fn new(bounds: Bounds) -> Rc<Self> {
        Rc::new(Self { bounds, held: RefCell::default() })
    }

    /// What they grant.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// A place for a connection from `peer`. There is always one: who makes room for it is decided once it has been served for
    /// the first time, since its request may be there already, or [`Seat::settle`] finds that nobody asks.
    #[must_use]
    pub fn admit(self: &Rc<Self>, peer: Option<IpAddr>, now: Instant) -> Place {
        let prefix = peer.and_then(|peer| self.bounds.peers.prefix(peer));
        let mut held = self.held.borrow_mut();
        let connection = Rc::new(Connection {
            opened: now,
            prefix,
            standing: Cell::new(Standing::Unknown),
            excused: Cell::new(false),
            sent: Cell::new(now),
            ends: Cell::new(None),
            crowded: Cell::new(None),
            at: Cell::new(None),
            left: Cell::new(false),
            task: RefCell::new(None),
        });
        held.enter(&connection, Standing::Unknown);
        Place(Seat { connection, places: self.clone() })
    }

    fn leave(&self, connection: &Connection) {
        connection.left.set(true);
        self.held.borrow_mut().remove(connection);
    }
}

impl Held {
    fn peer(&self, prefix: IpNet) -> Peer {
        self.peers.get(&prefix).copied().unwrap_or_default()
    }

    /// Has those who are too many besides the newest make room, of its prefix and of all.
    fn trim(&mut self, bounds: &Bounds, newest: &Connection) {
        let other = |connection: &Connection| !std::ptr::eq(connection, newest);
        if let Some(prefix) = newest.prefix {
            let of_it = |connection: &Connection| connection.prefix == Some(prefix) && other(connection);
            while self.peer(prefix).counted > bounds.each_peer && self.crowd_out(Cut::Peer, of_it) {}
        }
        while (self.unknown > bounds.unknown || self.all.len() > bounds.places)
            && self.crowd_out(Cut::Crowded, other)
        {}
    }

    /// Takes the place of the one that has waited longest, of those without standing that have been served once. Whether there was one.
    fn crowd_out(&mut self, why: Cut, of: impl Fn(&Connection) -> bool) -> bool {
        let length = self.all.len();
        let start = self.next.checked_rem(length).unwrap_or_default();
        let (before, after) = self.all.split_at(start);
        let looked_at = after.iter().chain(before).take(LOOKED_AT);
        let longest = looked_at
            .filter(|connection| connection.may_be_cut() && of(connection))
            .min_by_key(|connection| connection.sent.get())
            .cloned();
        self.next = start.saturating_add(LOOKED_AT.min(length));
        let Some(longest) = longest else { return false };
        self.remove(&longest);
        longest.crowded.set(Some(why));
        longest.wake();
        true
    }

    fn enter(&mut self, connection: &Rc<Connection>, standing: Standing) {
        connection.standing.set(standing);
        connection.crowded.set(None);
        connection.at.set(Some(self.all.len()));
        self.all.push(connection.clone());
        if standing == Standing::Unknown {
            self.unknown = self.unknown.saturating_add(1);
        }
        self.count(connection);
    }

    fn remove(&mut self, connection: &Connection) {
        let Some(at) = connection.at.take() else { return };
        self.uncount(connection);
        if connection.standing.get() == Standing::Unknown {
            self.unknown = self.unknown.saturating_sub(1);
        }
        self.all.swap_remove(at);
        if let Some(moved) = self.all.get(at) {
            moved.at.set(Some(at));
        }
    }

    /// Gives a connection another standing, and a place if it had to make room.
    fn change(&mut self, bounds: &Bounds, connection: &Rc<Connection>, standing: Standing) {
        if !connection.left.get() {
            self.remove(connection);
            self.enter(connection, standing);
            self.trim(bounds, connection);
        }
    }

    fn count(&mut self, connection: &Connection) {
        let standing = connection.standing.get();
        if let (Some(prefix), true) = (connection.prefix, standing != Standing::Authenticated) {
            let peer = self.peers.entry(prefix).or_default();
            peer.counted = peer.counted.saturating_add(1);
            peer.streams = peer.streams.saturating_add(usize::from(standing == Standing::Streaming));
        }
    }

    fn uncount(&mut self, connection: &Connection) {
        let standing = connection.standing.get();
        let (Some(prefix), true) = (connection.prefix, standing != Standing::Authenticated) else { return };
        let Some(peer) = self.peers.get_mut(&prefix) else { return };
        peer.counted = peer.counted.saturating_sub(1);
        peer.streams = peer.streams.saturating_sub(usize::from(standing == Standing::Streaming));
        if peer.counted == 0 {
            self.peers.remove(&prefix);
        }
    }
}

/// A place that is held; dropping it gives it back.
#[derive(Debug)]
pub struct Place(Seat);

impl Place {
    /// What may be handed on to whoever answers requests.
    #[must_use]
    pub fn seat(&self) -> &Seat {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.leave(&self.0.connection);
    }
}

/// A connection as those see it who answer its requests. It holds nothing: that is [`Place`]'s.
#[derive(Clone, Debug)]
pub struct Seat {
    connection: Rc<Connection>,
    places: Rc<Places>,
}

impl Seat {
    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What it is granted.
    #[must_use]
    pub fn bounds(&self) -> &Bounds {
        &self.places.bounds
    }

    /// When it is cut as things stand, and why then.
    #[must_use]
    pub fn deadline(&self) -> (Instant, Cut) {
        self.connection.deadline(self.bounds())
    }

    /// It has been served as far as can be, and its `task` waits: that is woken when a deadline moves closer. The first time,
    /// whoever is too many makes room for it.
    pub fn settle(&self, task: &Waker) {
        let mut kept = self.connection.task.borrow_mut();
        if kept.as_ref().is_some_and(|kept| kept.will_wake(task)) {
            return;
        }
        let first = kept.replace(task.clone()).is_none();
        drop(kept);
        if first {
            self.places.held.borrow_mut().trim(self.bounds(), &self.connection);
        }
    }

    /// It sent a valid token: it is not cut for others, unless all places are held by such.
    pub fn authenticate(&self) {
        let mut held = self.places.held.borrow_mut();
        let known = held.all.len().saturating_sub(held.unknown);
        if self.connection.standing.get() == Standing::Unknown && known < self.bounds().places {
            held.change(self.bounds(), &self.connection, Standing::Authenticated);
        }
    }

    /// An answer begins that may take longer than a life, for one who sent a valid token.
    pub fn excuse(&self) {
        self.connection.excused.set(true);
    }

    /// A live stream begins: it has no life, and is not cut for others. `None` when its prefix has all that it may have.
    #[must_use]
    pub fn stream(&self) -> Option<Streaming> {
        let mut held = self.places.held.borrow_mut();
        if let Some(prefix) = self.connection.prefix
            && held.peer(prefix).streams >= self.bounds().streams_of_a_peer()
        {
            return None;
        }
        if self.connection.standing.get() == Standing::Unknown {
            held.change(self.bounds(), &self.connection, Standing::Streaming);
        }
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
        let Connection { opened, sent, excused, crowded, .. } = &*self.connection;
        let old = !excused.get() && sent.get().saturating_duration_since(*opened) >= self.bounds().life / 2;
        old || crowded.get().is_some()
    }
}

/// A live stream; when it is dropped, its connection is like any other again.
#[derive(Debug)]
pub struct Streaming(Seat);

impl Drop for Streaming {
    fn drop(&mut self) {
        let connection = &self.0.connection;
        connection.excused.set(false);
        if connection.standing.get() == Standing::Streaming {
            let mut held = self.0.places.held.borrow_mut();
            held.change(self.0.bounds(), connection, Standing::Unknown);
        }
    }
}

#[cfg(test)]
mod tests;
