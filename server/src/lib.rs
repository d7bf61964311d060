//! Mulberry's server: ledger, store, services and HTTP.

pub mod clock;
pub mod event;
pub mod ledger;
pub mod store;
