//! Who has a place in one worker, and who makes room for whom. Pure: no socket, no clock. Nothing is searched, so letting one
//! in costs the same however many there are: a handful of look-ups in ordered maps.
//!
//! A newcomer is let in. Where that is one too many, another makes room:
//!
//! - where its prefix has all that it may have, the one of that prefix that has waited longest, at once;
//! - where all places are taken, the one that has waited longest of the prefix that has most of them waiting. So those who come
//!   with many connections push out their own, and someone who comes with one keeps it. Peers that are not counted
//!   (see [`Peers`](super::peer::Peers)) have one each.
//!
//! | standing | counted for its prefix | makes room for others |
//! |---|---|---|
//! | `Arriving`: not served once yet | yes | no |
//! | `Waiting`: nothing known of it | yes | yes |
//! | `Streaming`: carries a live stream | yes | no |
//! | `Authenticated`: sent a valid token | no | no |
//! | `Finishing`: made room in the middle of an answer | yes | of its prefix first, and when too many finish |

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;

use super::bounds::{Bounds, Cut};

/// A connection's number in its worker. No number is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

/// When a connection was last sent something, or came: later ones are greater, and no two are the same.
type Turn = u64;

/// How a connection that makes room goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// At once, and nothing is left of it in the system: it was sent nothing.
    Reset,
    /// At once; the system delivers what was sent.
    Close,
    /// It is in the middle of an answer, and has a moment to take the rest.
    Finish,
}

/// A connection that makes room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Which.
    pub id: Id,
    /// For whom.
    pub why: Cut,
    /// How.
    pub exit: Exit,
}

/// Whose share of the places a connection is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Peer {
    Prefix(IpNet),
    /// A connection whose peer is not counted.
    Alone(Id),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Arriving,
    Waiting(Turn),
    Streaming,
    Authenticated,
    Finishing(Turn),
}

/// What a connection was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    /// All that there was for it.
    Whole,
    /// Part of an answer; the rest waits until the other side takes it.
    Part,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    peer: Peer,
    standing: Standing,
    sent: Sent,
}

/// The connections of one peer, but those with a valid token.
#[derive(Debug, Default)]
struct Share {
    arriving: usize,
    waiting: BTreeMap<Turn, Id>,
    streams: usize,
    finishing: BTreeMap<Turn, Id>,
}

/// How far up a peer is on the list of those who make room: by how many it has waiting, then by how long one has waited.
type Rank = (usize, Reverse<Turn>);

impl Share {
    fn counted(&self) -> usize {
        [self.arriving, self.waiting.len(), self.streams, self.finishing.len()].iter().sum()
    }

    fn rank(&self) -> Option<Rank> {
        let (turn, _) = self.waiting.first_key_value()?;
        Some((self.waiting.len(), Reverse(*turn)))
    }

    fn add(&mut self, id: Id, standing: Standing) {
        match standing {
            Standing::Arriving => self.arriving = self.arriving.saturating_add(1),
            Standing::Waiting(turn) => drop(self.waiting.insert(turn, id)),
            Standing::Streaming => self.streams = self.streams.saturating_add(1),
            Standing::Authenticated => {}
            Standing::Finishing(turn) => drop(self.finishing.insert(turn, id)),
        }
    }

    fn remove(&mut self, standing: Standing) {
        match standing {
            Standing::Arriving => self.arriving = self.arriving.saturating_sub(1),
            Standing::Waiting(turn) => drop(self.waiting.remove(&turn)),
            Standing::Streaming => self.streams = self.streams.saturating_sub(1),
            Standing::Authenticated => {}
            Standing::Finishing(turn) => drop(self.finishing.remove(&turn)),
        }
    }

    /// The first that makes room for another of this peer.
    fn first_to_go(&self) -> Option<Id> {
        self.finishing.values().chain(self.waiting.values()).next().copied()
    }
}

/// The places of one worker.
#[derive(Debug)]
pub struct Places {
    bounds: Bounds,
    held: HashMap<Id, Held>,
    shares: HashMap<Peer, Share>,
    /// Peers with a connection that waits; the last one makes room.
    crowd: BTreeSet<(Rank, Peer)>,
    finishing: BTreeMap<Turn, Id>,
    /// How many are arriving.
    arriving: usize,
    /// How many have a place without standing, those included that are arriving.
    unknown: usize,
    /// How many have a place and standing: they stream, or sent a valid token.
    known: usize,
    turns: Turn,
}

impl Places {
    /// Empty places.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            held: HashMap::new(),
            shares: HashMap::new(),
            crowd: BTreeSet::new(),
            finishing: BTreeMap::new(),
            arriving: 0,
            unknown: 0,
            known: 0,
            turns: 0,
        }
    }

    /// Whether another may be let in before those who came last have been served once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.arriving < self.bounds.arriving()
    }

    /// Lets a connection in, and says who makes room for it: at most two. It has a place, `Err` (with what it found no place
    /// in) only when it was let in although [`Self::is_ready`] denied it.
    pub fn admit(&mut self, prefix: Option<IpNet>) -> (Result<Id, Cut>, Vec<Departure>) {
        let mut departures = Vec::new();
        let id = Id(self.next_turn());
        let peer = prefix.map_or(Peer::Alone(id), Peer::Prefix);
        let admitted = if !self.make_room_in(peer, &mut departures) {
            Err(Cut::Peer)
        } else if !self.make_room(&mut departures) {
            Err(Cut::Crowded)
        } else {
            self.put(id, Held { peer, standing: Standing::Arriving, sent: Sent::Nothing });
            Ok(id)
        };
        (admitted, departures)
    }

    /// It has been served once: if it had asked for something already, that was answered.
    pub fn settle(&mut self, id: Id) {
        self.change(id, |held, turn| match held.standing {
            Standing::Arriving => Standing::Waiting(turn),
            other => other,
        });
    }

    /// It was sent something, and waits again.
    pub fn note_sent(&mut self, id: Id) {
        self.change(id, |held, turn| {
            held.sent = Sent::Whole;
            match held.standing {
                Standing::Waiting(_) => Standing::Waiting(turn),
                other => other,
            }
        });
    }

    /// It does not take what it is sent, for now.
    pub fn note_stalled(&mut self, id: Id) {
        if let Some(held) = self.held.get_mut(&id) {
            held.sent = Sent::Part;
        }
    }

    /// It sent a valid token: it does not make room for others, unless all places but a few are held by such.
    pub fn authenticate(&mut self, id: Id) {
        let room = self.known < self.bounds.known();
        self.change(id, |held, _| match held.standing {
            Standing::Arriving | Standing::Waiting(_) if room => Standing::Authenticated,
            other => other,
        });
    }

    /// A live stream begins, where there is room for one: it does not make room for others.
    pub fn stream(&mut self, id: Id) -> bool {
        let Some(Held { peer, standing, .. }) = self.held.get(&id).copied() else { return false };
        if matches!(standing, Standing::Streaming | Standing::Authenticated) {
            return true;
        }
        let of_its_peer = self.shares.get(&peer).map_or(0, |share| share.streams);
        let free = matches!(peer, Peer::Alone(_)) || of_its_peer < self.bounds.streams_of_a_peer();
        let room = free && self.known < self.bounds.known() && !matches!(standing, Standing::Finishing(_));
        if room {
            self.change(id, |_, _| Standing::Streaming);
        }
        room
    }

    /// A live stream ends; its connection is like any other again. Says who makes room for it: at most two, and maybe itself.
    pub fn end_stream(&mut self, id: Id) -> Vec<Departure> {
        let mut departures = Vec::new();
        if !self.held.get(&id).is_some_and(|held| held.standing == Standing::Streaming) {
            return departures;
        }
        let Some(held) = self.take(id) else { return departures };
        if self.make_room(&mut departures) {
            let standing = Standing::Waiting(self.next_turn());
            self.put(id, Held { standing, ..held });
        } else {
            departures.push(depart(id, &held, Cut::Crowded));
        }
        departures
    }

    /// It is over.
    pub fn leave(&mut self, id: Id) {
        self.take(id);
    }

    /// Makes room for one more of this peer. False when none of its connections may make room.
    fn make_room_in(&mut self, peer: Peer, departures: &mut Vec<Departure>) -> bool {
        match self.shares.get(&peer) {
            Some(share) if share.counted() >= self.bounds.each_peer => {
                let first = share.first_to_go();
                first.is_some_and(|id| self.dismiss(id, Cut::Peer, departures))
            }
            _ => true,
        }
    }

    /// Makes room for one more without standing. False when none of all may make room.
    fn make_room(&mut self, departures: &mut Vec<Departure>) -> bool {
        let taken = self.unknown.saturating_add(self.known);
        if self.unknown < self.bounds.unknown && taken < self.bounds.places {
            return true;
        }
        let Some((_, peer)) = self.crowd.last() else { return false };
        let first = self.shares.get(peer).and_then(|share| share.waiting.first_key_value());
        let Some((_, id)) = first.map(|(turn, id)| (*turn, *id)) else { return false };
        let in_an_answer = self.held.get(&id).is_some_and(|held| held.sent == Sent::Part);
        if !in_an_answer || self.bounds.finishing == 0 {
            return self.dismiss(id, Cut::Crowded, departures);
        }
        if self.finishing.len() >= self.bounds.finishing
            && let Some((_, oldest)) = self.finishing.first_key_value()
        {
            self.dismiss(*oldest, Cut::Crowded, departures);
        }
        self.change(id, |_, turn| Standing::Finishing(turn));
        departures.push(Departure { id, why: Cut::Crowded, exit: Exit::Finish });
        true
    }

    fn dismiss(&mut self, id: Id, why: Cut, departures: &mut Vec<Departure>) -> bool {
        let held = self.take(id);
        departures.extend(held.map(|held| depart(id, &held, why)));
        held.is_some()
    }

    fn next_turn(&mut self) -> Turn {
        self.turns = self.turns.wrapping_add(1);
        self.turns
    }

    /// Gives a connection another standing; `next` is told the turn that it is, if it waits from now on.
    fn change(&mut self, id: Id, next: impl FnOnce(&mut Held, Turn) -> Standing) {
        let turn = self.next_turn();
        if let Some(mut held) = self.take(id) {
            held.standing = next(&mut held, turn);
            self.put(id, held);
        }
    }

    fn put(&mut self, id: Id, held: Held) {
        match held.standing {
            Standing::Arriving => {
                self.arriving = self.arriving.saturating_add(1);
                self.unknown = self.unknown.saturating_add(1);
            }
            Standing::Waiting(_) => self.unknown = self.unknown.saturating_add(1),
            Standing::Streaming | Standing::Authenticated => self.known = self.known.saturating_add(1),
            Standing::Finishing(turn) => drop(self.finishing.insert(turn, id)),
        }
        self.share(held.peer, |share| share.add(id, held.standing));
        self.held.insert(id, held);
    }

    fn take(&mut self, id: Id) -> Option<Held> {
        let held = self.held.remove(&id)?;
        match held.standing {
            Standing::Arriving => {
                self.arriving = self.arriving.saturating_sub(1);
                self.unknown = self.unknown.saturating_sub(1);
            }
            Standing::Waiting(_) => self.unknown = self.unknown.saturating_sub(1),
            Standing::Streaming | Standing::Authenticated => self.known = self.known.saturating_sub(1),
            Standing::Finishing(turn) => drop(self.finishing.remove(&turn)),
        }
        self.share(held.peer, |share| share.remove(held.standing));
        Some(held)
    }

    /// Changes the share of a peer, and its rank with it. A share without connections is not kept.
    fn share(&mut self, peer: Peer, change: impl FnOnce(&mut Share)) {
        let share = self.shares.entry(peer).or_default();
        let before = share.rank();
        change(share);
        let after = share.rank();
        if share.counted() == 0 {
            self.shares.remove(&peer);
        }
        if before != after {
            before.map(|rank| self.crowd.remove(&(rank, peer)));
            after.map(|rank| self.crowd.insert((rank, peer)));
        }
    }
}

fn depart(id: Id, held: &Held, why: Cut) -> Departure {
    let exit = if held.sent == Sent::Nothing { Exit::Reset } else { Exit::Close };
    Departure { id, why, exit }
}

#[cfg(test)]
mod tests;
