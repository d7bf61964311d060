//! Attacks on the update system, each made by a hostile origin on a real agent that holds a good edition and working
//! add-ons. Whatever the origin serves, the agent keeps what it has, says what happened, and takes the honest edition
//! afterwards. In `names` it is people who are attacked: with what they read before they sign.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod idle_sockets;
mod lanes;
mod malformed;
mod mutations;
mod names;
mod people;
mod scene;
mod signatures;
mod slow_drip;
mod specification;
mod thief;
