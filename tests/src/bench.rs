//! How fast Mulberry is, as ratios: figures in seconds say more about a machine than about a program.
//!
//! | module | what |
//! |---|---|
//! | [`series`] | one thing measured in several rounds, and the ratio of two of them |
//! | [`verification`] | verifying add-ons, against [`yardstick`] |
//! | [`yardstick`] | the least that must be done to the same bytes: inflate and hash them |
//! | [`polls`] | polls of `timestamp.json`, against nginx |
//! | [`cdn`] | a crowd of polls through a cache before the server, and the cache without the server |
//! | [`refresh`] | refreshes of an edition, against python-tuf |
//!
//! What is compared is measured in turns, round by round, so that a machine that is busy meanwhile slows both.

pub mod cdn;
pub mod polls;
pub mod refresh;
pub mod series;
pub mod verification;
pub mod yardstick;
