//! The agent: fetches, verifies and applies recipes on a client.

pub mod commands;
pub mod io;
pub mod ports;
pub mod store;
