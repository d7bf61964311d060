//! Interoperability over The Update Framework: our client on repositories of any shape and under the public conformance suite,
//! python-tuf on a Mulberry origin.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod journeys;
mod python;
mod repository;
