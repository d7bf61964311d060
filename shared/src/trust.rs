//! The Update Framework: keys, thresholds, client workflow, editions, and the writing side.
//!
//! Numbers such as 5.3.4 in comments are sections of the TUF specification 1.0.x
//! (<https://theupdateframework.github.io/specification/latest/>).
//!
//! | module | what |
//! |---|---|
//! | [`key`], [`signer`], [`person`] | public keys and key objects; keys that sign; the names of those who hold them |
//! | [`threshold`] | the one place where signatures are counted |
//! | [`metadata`], [`pattern`], [`location`] | the four kinds of metadata; path patterns of delegations; paths in an origin |
//! | [`verify`] | from bytes to [`Verified`] |
//! | [`expiry`] | whose expiry counts |
//! | [`trusted`], [`lookup`] | the set a client trusts, with the checks of every step; the delegated look-up |
//! | [`profile`] | Mulberry's rules above TUF for lanes and gates |
//! | `workflow`, [`report`] | the steps of a refresh that every client does; what happened in it |
//! | [`state`], [`client`] | what a client of Mulberry keeps; one refresh of an edition |
//! | [`updater`] | a client of any repository: refresh, and look-up of paths through delegations |
//! | [`edition`] | one consistent published set as decisions read it |
//! | [`write`](mod@write) | the writing side: builders, signing, and the check before anything is published |

pub mod client;
pub mod edition;
pub mod error;
pub mod expiry;
pub mod key;
pub mod location;
pub mod lookup;
pub mod metadata;
pub mod pattern;
pub mod person;
pub mod profile;
pub mod report;
pub mod signer;
pub mod state;
pub mod threshold;
pub mod trusted;
pub mod updater;
pub mod verify;
mod workflow;
pub mod write;

#[cfg(test)]
mod attacks;
#[cfg(test)]
pub(crate) mod test_repository;

pub use client::{Fetch, Next, Refresh, Reply};
pub use edition::{Edition, RoleExpiry};
pub use error::{TrustError, TrustErrorKind};
pub use expiry::{OnlineRole, Waiver};
pub use key::{Holder, Key, KeyId, PublicKey};
pub use metadata::{LedgerHead, Root, Snapshot, Targets, Timestamp};
pub use person::{NotAPerson, Person};
pub use report::{Outcome, RefreshReport};
pub use signer::{Ed25519Signer, P256Signer, Signer, p256_signature_of};
pub use state::TrustState;
pub use updater::Updater;
pub use verify::Verified;
