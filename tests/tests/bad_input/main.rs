//! Bad input of every kind, given to the real binaries: a clear error, no panic, bounded memory, and the agent keeps its
//! last good state.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod addons;
mod metadata;
mod play;
mod recipes;
mod scene;
mod server;
mod state;
