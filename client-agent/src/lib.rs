//! The agent: fetches, verifies and applies recipes on a client.

pub mod commands;
