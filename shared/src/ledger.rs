//! The ledger as others see it: its records and their chain, its export, and the public chain of links that makes every mirror
//! and agent a witness.
//!
//! | module | what |
//! |---|---|
//! | [`actor`] | who asked for an event |
//! | [`event`] | what can happen, and the record that is kept of it |
//! | [`chain`] | each record names the hash of the one before it |
//! | [`export`] | a ledger as a file of lines: written, read and checked |
//! | [`links`] | the hashes of the records without the records: one chain that anybody can follow |
//! | [`continuation`] | what people sign when a server was lost and its ledger starts again |
//! | [`witness`] | whether a ledger goes on from what was seen of it before |

pub mod actor;
pub mod chain;
pub mod continuation;
pub mod event;
pub mod export;
pub mod links;
pub mod witness;
