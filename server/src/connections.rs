//! Connections: how many there may be, from whom, and how long each may keep its place.
//!
//! HTTP's own timers bound single phases: the first request's head, an idle keep-alive. What falls between them would be held
//! for ever, such as a body that never comes or a second head that drips. So every accepted socket gets a place before HTTP
//! sees it, and keeps it within bounds that hold whatever the other side does:
//!
//! - an **idle bound**, from the last byte that it was sent (what it sends itself earns it nothing), and a **life**;
//! - at most so many connections for each address **prefix**, and so many for all. A newcomer that is one too many is let in
//!   all the same: the connection that has waited longest makes room. So sockets that do nothing keep nobody out.
//!
//! Only connections without standing are cut for others. Whoever sent a valid token has standing, and so has a live stream,
//! of which there are never so many that nobody else finds a place.
//!
//! | module | what |
//! |---|---|
//! | [`peer`] | address prefixes, and who is not counted by them |
//! | [`places`] | who has a place and until when: pure, the time is handed in |
//! | [`socket`] | the socket that notes what is sent, and the future that ends it |
//! | [`listen`] | a listener: socket, place, TLS, HTTP, application |

pub mod listen;
pub mod peer;
pub mod places;
pub mod socket;

use std::time::Duration;

use mulberry_shared::limits::OperatorsLimits;

use crate::capacity::{Capacity, OPERATORS_CONNECTIONS};
use crate::config::ConnectionArgs;
use peer::Peers;
use places::Bounds;

/// How long the head of a request may take to arrive, and a TLS handshake.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Of a listener's places, this part is left for newcomers while others are being cut.
const SPARE: usize = 8;

/// Of the connections of all prefixes, one may have this part, unless the operator says otherwise.
const PEERS: usize = 4;

/// The bounds of one worker of the public listener.
#[must_use]
pub fn public(args: &ConnectionArgs, capacity: &Capacity) -> Bounds {
    let each_worker = capacity.each_worker();
    let places = usable(each_worker);
    let each_peer = args.peer_connections.map_or(each_worker.div_ceil(PEERS), |most| {
        usize::try_from(most).unwrap_or(usize::MAX).div_ceil(capacity.workers)
    });
    Bounds { places, unknown: places, each_peer, ..bounds(args, args.idle().min(REQUEST_TIMEOUT)) }
}

/// The bounds of the operators' listener: a quarter is for those who have not sent a valid token. A body may take its time.
#[must_use]
pub fn operators(args: &ConnectionArgs, limits: &OperatorsLimits) -> Bounds {
    let body = Duration::from_secs(limits.body_seconds);
    let unknown = OPERATORS_CONNECTIONS / 4;
    let each_peer =
        args.peer_connections.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let each_peer = each_peer.min(unknown / 2);
    Bounds {
        places: usable(OPERATORS_CONNECTIONS),
        unknown,
        each_peer,
        ..bounds(args, REQUEST_TIMEOUT + body)
    }
}

/// Places of so many connections.
fn usable(connections: usize) -> usize {
    connections.saturating_sub(connections.div_ceil(SPARE)).max(1)
}

/// HTTP ends an idle connection after [`ConnectionArgs::idle`]; a request that began at the last moment has `more` time.
fn bounds(args: &ConnectionArgs, more: Duration) -> Bounds {
    Bounds {
        places: 0,
        unknown: 0,
        each_peer: 0,
        idle: args.idle().saturating_add(more),
        life: args.life(),
        peers: Peers {
            ipv4_bits: args.ipv4_prefix,
            ipv6_bits: args.ipv6_prefix,
            trusted: args.trusted_proxy.clone(),
        },
    }
}
