//! What one worker grants its connections, and why it ends one.

use std::time::Duration;

use mulberry_shared::limits::OperatorsLimits;

use super::REQUEST_TIMEOUT;
use super::peer::Peers;
use crate::capacity::{Capacity, OPERATORS_CONNECTIONS};
use crate::config::ConnectionArgs;

/// This part of a listener's sockets has no place: half of it finishes answers after making room, half has just been accepted.
const SPARE: usize = 8;

/// Of the connections of all prefixes, one may have this part, unless the operator says otherwise.
const PEERS: usize = 4;

/// Of the operators' sockets, this many are for those who have not sent a valid token. The rest of the places is reserved.
const OPERATORS_UNKNOWN: usize = OPERATORS_CONNECTIONS / 8 * 5;

/// Of the operators' sockets, this many are for one prefix without a valid token.
const OPERATORS_OF_A_PEER: usize = OPERATORS_CONNECTIONS / 8;

/// Most connections that are let in during one turn of a worker's event loop.
const ARRIVALS: usize = 8;

/// What one worker grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections.
    pub places: usize,
    /// Most of them without standing.
    pub unknown: usize,
    /// Most connections from one prefix. Those with a valid token are not counted.
    pub each_peer: usize,
    /// Most connections that made room in the middle of an answer and may still finish it. They have no place any more.
    pub finishing: usize,
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

    /// Most connections that have not been served once. It is so few that even where one prefix sends them all, each is
    /// served before another takes its place.
    #[must_use]
    pub fn arriving(&self) -> usize {
        let of_a_peer = self.each_peer.saturating_sub(self.streams_of_a_peer());
        of_a_peer.min(self.unknown).min(self.places / SPARE).clamp(1, ARRIVALS)
    }

    /// Most connections with standing: newcomers always find a place.
    #[must_use]
    pub fn known(&self) -> usize {
        self.places.saturating_sub(self.arriving())
    }
}

/// Why we ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It was sent nothing for too long: it asked for nothing, not to the end, or took no answer.
    Idle,
    /// Its life was over.
    Life,
    /// All places were taken, and it made room.
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

/// The bounds of one worker of the public listener.
#[must_use]
pub fn public(args: &ConnectionArgs, capacity: &Capacity) -> Bounds {
    let each_worker = capacity.each_worker();
    let each_peer = args.peer_connections.map_or(each_worker.div_ceil(PEERS), |most| {
        usize::try_from(most).unwrap_or(usize::MAX).div_ceil(capacity.workers)
    });
    let bounds = bounds(args, each_worker, args.idle().min(REQUEST_TIMEOUT));
    Bounds { each_peer, ..bounds }
}

/// The bounds of the operators' listener: some places are for those who sent a valid token. A body may take its time.
#[must_use]
pub fn operators(args: &ConnectionArgs, limits: &OperatorsLimits) -> Bounds {
    let body = Duration::from_secs(limits.body_seconds);
    let asked = args.peer_connections.and_then(|most| usize::try_from(most).ok());
    let each_peer = asked.unwrap_or(usize::MAX).min(OPERATORS_OF_A_PEER);
    let bounds = bounds(args, OPERATORS_CONNECTIONS, REQUEST_TIMEOUT + body);
    Bounds { unknown: OPERATORS_UNKNOWN, each_peer, ..bounds }
}

/// HTTP ends an idle connection after [`ConnectionArgs::idle`]; a request that began at the last moment has `more` time.
fn bounds(args: &ConnectionArgs, sockets: usize, more: Duration) -> Bounds {
    let spare = sockets.div_ceil(SPARE);
    let places = sockets.saturating_sub(spare).max(1);
    Bounds {
        places,
        unknown: places,
        each_peer: places,
        finishing: spare / 2,
        idle: args.idle().saturating_add(more),
        life: args.life(),
        peers: Peers::new(args.ipv4_prefix, args.ipv6_prefix, &args.trusted_proxy),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        connections: ConnectionArgs,
    }

    fn args(words: &[&str]) -> ConnectionArgs {
        Options::try_parse_from([&["x"], words].concat()).unwrap().connections
    }

    /// Of sockets, places and streams of every size, in that order, so that newcomers get in whatever is held.
    #[test]
    fn sockets_are_more_than_places_and_places_more_than_what_never_makes_room() {
        for sockets in 16..2_000_u32 {
            let capacity = Capacity { open_files: 10_000, connections: sockets, workers: 1 };
            for words in [&[][..], &["--peer-connections", "1"], &["--peer-connections", "1000000"]] {
                let bounds = public(&args(words), &capacity);
                let sockets = usize::try_from(sockets).unwrap();
                assert!(bounds.places + bounds.finishing < sockets, "{sockets}: {bounds:?}");
                assert!(crate::live::Admission::most(sockets) <= bounds.known(), "{sockets}: {bounds:?}");
                assert!(bounds.streams_of_a_peer() + bounds.arriving() <= bounds.each_peer, "{bounds:?}");
            }
        }
    }

    #[test]
    fn operators_have_reserved_places_and_no_prefix_takes_those_of_all_others() {
        for (words, each_peer) in [(&[][..], 8), (&["--peer-connections", "2"], 2)] {
            let bounds = operators(&args(words), &OperatorsLimits::default());
            let numbers = (bounds.places, bounds.unknown, bounds.each_peer, bounds.finishing);
            assert_eq!(numbers, (56, 40, each_peer, 4));
        }
    }
}
