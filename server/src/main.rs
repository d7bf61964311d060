//! Mulberry's server: ledger, store, services and HTTP.

fn main() {}
