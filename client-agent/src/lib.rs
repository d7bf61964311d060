//! The agent: fetches, verifies and applies recipes on a client.
//!
//! One run is refresh → decide → apply → verify → record → report. The way in:
//!
//! | module | what |
//! |---|---|
//! | [`driver`] | one run from end to end, with its state diagram |
//! | [`import`] | a run whose origin is a bundle that a person hands in |
//! | [`daemon`] | runs for years: the driver of the schedule, signals, reload |
//! | [`schedule`], [`backoff`] | when a run is made: a pure state machine; full jitter |
//! | [`stop`] | how signals end a run early |
//! | [`wiring`] | a run's concrete parts, made from settings |
//! | [`refresh`] | drives the trust workflow of `mulberry-shared` over an origin |
//! | [`apply`] | which steps of a plan hold together with what is there; in memory |
//! | [`examine`] | looks at add-ons once, judges them as often as needed |
//! | [`passes`] | verification passes: when one is due, what it makes of each add-on |
//! | [`state`] | what the agent remembers; its file is the one commit point |
//! | [`store`] | files that are replaced whole or not at all; the trust files |
//! | [`witness`] | whether the server's ledger goes on from what was seen of it |
//! | [`projections`] | what the host sees, and the hook that tells it |
//! | [`report`] | a run in words and as JSON |
//! | [`config`] | settings: flags over environment over file over defaults |
//! | [`ports`] | the seams: transport, disk, add-ons folder, hook, clock |
//! | [`io`] | their real back ends, which `main` wires |
//! | [`commands`] | the commands, one module each |
//!
//! What to do, for whom, and what is trusted is decided in `mulberry-shared`; this crate only carries it out.

pub mod apply;
pub mod backoff;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod driver;
pub mod examine;
pub mod import;
pub mod io;
pub mod passes;
pub mod ports;
pub mod projections;
pub mod refresh;
pub mod report;
#[cfg(test)]
mod scene;
pub mod schedule;
pub mod state;
pub mod stop;
pub mod store;
pub mod wiring;
pub mod witness;
