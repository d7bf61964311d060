//! Connections: how many there may be, from whom, and how long each may keep its place.
//!
//! HTTP's own timers bound single phases: the first request's head, an idle keep-alive. What falls between them would be held
//! for ever, such as a body that never comes or a second head that drips. So every accepted socket gets a place before HTTP
//! sees it, and keeps it within bounds that hold whatever the other side does:
//!
//! - an **idle bound**, from the last byte that it was sent (what it sends itself earns it nothing), and a **life**;
//! - at most so many connections for each address **prefix**, and so many for all. A newcomer that is one too many is let in
//!   all the same: the connection that has waited longest makes room, of its own prefix or of the one that has most waiting.
//!   So sockets that do nothing keep nobody out.
//!
//! Who makes room goes at once, reset if it was sent nothing; only one in the middle of an answer has a moment to take the rest.
//! So an idle socket costs its owner a connection, and us nothing that stays. Nobody goes before having been served once: a
//! worker lets few in at a time, and the event loop looks at what they sent before the next ones.
//!
//! Only connections without standing are cut for others. Whoever sent a valid token has standing, and so has a live stream,
//! of which there are never so many that nobody else finds a place.
//!
//! | module | what |
//! |---|---|
//! | [`bounds`] | what a worker of each listener grants, and why one is cut |
//! | [`peer`] | address prefixes, and who is not counted by them |
//! | [`places`] | who has a place, and who makes room for whom: pure |
//! | [`seat`] | a connection's hold on its place, and until when it may keep it; the time is handed in |
//! | [`socket`] | the socket that notes what is sent, and the future that ends it |
//! | [`listen`] | a listener: socket, place, TLS, HTTP, application |

pub mod bounds;
pub mod listen;
pub mod peer;
pub mod places;
pub mod seat;
pub mod socket;

use std::time::Duration;

/// How long the head of a request may take to arrive, and a TLS handshake.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
