//! Giving the ledger away: what [`mulberry_shared::ledger::export`] describes, written from a store, to a socket or over HTTP.

pub mod socket;
pub mod source;

#[cfg(test)]
pub(crate) mod tests;
