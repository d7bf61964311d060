//! The walkthrough of ceremonies, all of its commands with the answers that it promises, and an agent that follows; and what
//! stolen keys can do before and after.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

#[path = "ceremonies/stolen.rs"]
mod stolen;
#[path = "ceremonies/tokens.rs"]
mod tokens;
#[path = "ceremonies/walkthrough.rs"]
mod walkthrough;
