//! Agents with several origins, behind proxies, and over TLS, with real processes.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used)]

mod relay;
mod several;
mod stores;
mod transport;
