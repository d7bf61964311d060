//! An edition: one consistent published set of lanes and gates, under Mulberry's rules above TUF.
//!
//! [`tuf`](crate::tuf) verifies metadata of any repository. What a repository of Mulberry's must look like besides, how a client
//! keeps and refreshes one, and how its parts are written stands here.
//!
//! | module | what |
//! |---|---|
//! | [`profile`] | the rules for what targets delegates to, and for what lanes and gates say |
//! | [`state`], [`client`] | what a client of Mulberry keeps; one refresh of an edition |
//! | [`content`] | the edition as decisions read it |
//! | [`waiver`] | whose expiry a person may let not count |
//! | [`write`](mod@write) | the writing side: lives, delegations, gates, and a lane's next version with its check |

pub mod client;
pub mod content;
pub mod profile;
pub mod state;
pub mod waiver;
pub mod write;

#[cfg(test)]
mod attacks;
#[cfg(test)]
pub(crate) mod test_repository;

pub use client::Refresh;
pub use content::{Edition, RoleExpiry};
pub use state::TrustState;
pub use waiver::{OnlineRole, Waiver};
