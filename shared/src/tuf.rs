//! The Update Framework as the specification has it: keys, thresholds, metadata, the client's workflow, and signing.
//!
//! It knows nothing of Mulberry's own: no recipe, lane or gate, and no decision. What Mulberry asks above TUF is
//! [`edition`](crate::edition)'s.
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
//! | [`expiry`] | the freeze check of one refresh |
//! | [`trusted`], [`lookup`] | the set a client trusts, with the checks of every step; the delegated look-up |
//! | `workflow`, [`report`] | the steps of a refresh that every client does; what happened in it |
//! | [`fetch`] | what passes between a refresh and whoever fetches for it |
//! | [`updater`] | a client of any repository: refresh, and look-up of paths through delegations |
//! | [`write`](mod@write) | the writing side: bodies of the top-level roles, and signing |

pub mod error;
pub mod expiry;
pub mod fetch;
pub mod key;
pub mod location;
pub mod lookup;
pub mod metadata;
pub mod pattern;
pub mod person;
pub mod report;
pub mod signer;
pub mod threshold;
pub mod trusted;
pub mod updater;
pub mod verify;
pub(crate) mod workflow;
pub mod write;

#[cfg(test)]
pub(crate) mod test_repository;

pub use error::{TrustError, TrustErrorKind};
pub use fetch::{Fetch, Next, Reply};
pub use key::{Holder, Key, KeyId, PublicKey};
pub use metadata::{LedgerHead, Root, Snapshot, Targets, Timestamp};
pub use person::{NotAPerson, Person};
pub use report::{Outcome, RefreshReport};
pub use signer::{Ed25519Signer, P256Signer, Signer, p256_signature_of};
pub use updater::Updater;
pub use verify::Verified;
