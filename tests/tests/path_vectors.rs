//! Published path building and path validation suites against `mulberry_shared::x509`.
//!
//! Every case is run. A case of the tables of exclusions and divergences must disagree, any other must agree; the counts are printed
//! and pinned.

// Helpers of tests are test code too, which the lints cannot see here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "path_vectors/bettertls.rs"]
mod bettertls;
#[path = "path_vectors/limbo.rs"]
mod limbo;
#[path = "path_vectors/limbo_tables.rs"]
mod limbo_tables;
#[path = "path_vectors/suite.rs"]
mod suite;
