//! Any bytes as a bundle, with and without their digest put right: never a panic, only what the writer writes is read, and
//! nothing unsigned gets anywhere, whatever is waived.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mulberry_shared::bundle::Bundle;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::write::{self, Holders, RootHolders};
use mulberry_shared::edition::{OnlineRole, TrustState, Waiver};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::{Ed25519Signer, Signer};

static PINNED: LazyLock<TrustState> = LazyLock::new(|| {
    let signer = Ed25519Signer::from_seed(&[9; 32]).expect("a key");
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
    let seal = format!("sha256 {}\n", Sha256Digest::of(bytes));
    for file in [bytes, &[bytes, seal.as_bytes()].concat()] {
        let Ok(bundle) = Bundle::read(file, &limits.bundle) else { continue };
        assert_eq!(bundle.write(), file, "two files are one bundle");
        let now = "2036-11-22T00:00:00Z".parse().expect("a time");
        for now in [now, "2026-11-22T00:00:00Z".parse().expect("a time")] {
            let taken = bundle.take(&PINNED, now, &Waiver::of(OnlineRole::ALL), &limits);
            assert!(taken.is_err(), "something unsigned was trusted");
        }
    }
});
