//! Mulberry's laboratory: a PKI, an add-on signer, the incident replay and the journeys.

fn main() {}
