//! Any bytes served for every path of an origin: never a panic, and nothing that the root's keys did not sign is ever
//! trusted.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mulberry_shared::edition::write::{self, Holders, RootHolders};
use mulberry_shared::edition::{Refresh, TrustState};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::{Ed25519Signer, Next, Reply, Signer};

static PINNED: LazyLock<TrustState> = LazyLock::new(|| {
    let signer = Ed25519Signer::from_seed(&[7; 32]).expect("a key");
    let holders = Holders::one(signer.key());
    let all = RootHolders {
        root: holders.clone(),
        targets: holders.clone(),
        snapshot: holders.clone(),
        timestamp: holders,
    };
    let root = write::root(1, "2027-01-01T00:00:00Z".parse().expect("a time"), &all);
    let bytes = write::sign(&root, &[&signer]).expect("a root");
    TrustState::pinned(&bytes, &Limits::default()).expect("a root")
});

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let _ = TrustState::pinned(bytes, &limits);
    let now = "2026-11-22T00:00:00Z".parse().expect("a time");
    let mut refresh = Refresh::start(PINNED.clone(), now, &limits);
    while let Next::Fetch(_) = refresh.next() {
        refresh.supply(Reply::Bytes(bytes.to_vec()));
    }
    assert_eq!(refresh.finish().0.to_files(), PINNED.to_files(), "something unsigned was trusted");
});
