//! Path building on the laboratory's certificates: the incident, distrust, junk, and every reason a path may not hold.

// Helpers of tests are test code too, which the lints cannot see here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "path_building/attacks.rs"]
mod attacks;
#[path = "path_building/bench.rs"]
mod bench;
#[path = "path_building/incident.rs"]
mod incident;
#[path = "path_building/orderings.rs"]
mod orderings;
#[path = "path_building/parsing.rs"]
mod parsing;
#[path = "path_building/real.rs"]
mod real;
#[path = "path_building/reasons.rs"]
mod reasons;
