//! Any bytes as a ceremony and as a file of public keys: never a panic, what is read writes back to the same, nobody has signed
//! it, and whatever fits is what the words say and no more.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mulberry_shared::ceremony::public::PublicKeys;
use mulberry_shared::ceremony::{Ceremony, Live};
use mulberry_shared::edition::write::{self, Holders, LaneHolders, RootHolders};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::{Ed25519Signer, Root, Signer, Targets, Verified, verify};

/// What is live, under keys that no seed was signed with: nine of them, one for each role and a person.
static LIVE: LazyLock<(Verified<Root>, Verified<Targets>)> = LazyLock::new(|| {
    let key = |number: u8| {
        Ed25519Signer::from_seed(&[number; 32]).expect("a key").held_by(&"nobody".parse().expect("a name"))
    };
    let one = |number: u8| Holders::one(key(number).key());
    let expires = "2027-01-01T00:00:00Z".parse().expect("a time");
    let top = RootHolders { root: one(201), targets: one(202), snapshot: one(203), timestamp: one(204) };
    let lanes = LaneHolders { emergency: one(205), routine: one(206), gates: one(207) };
    let (root, targets) = (write::root(1, expires, &top), write::targets(1, expires, &lanes));
    let limits = Limits::default();
    let root =
        verify::pinned_root(&write::sign(&root, &[&key(201)]).expect("signs"), &limits).expect("a root");
    let targets = write::sign(&targets, &[&key(202)]).expect("signs");
    let targets = verify::top_level(&root, &targets, &limits).expect("targets");
    (root, targets)
});

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(keys) = PublicKeys::read(bytes, &limits) {
        let written = keys.write().expect("public keys can be written");
        assert_eq!(PublicKeys::read(&written, &limits).expect("what was written can be read"), keys);
    }
    let Ok(ceremony) = Ceremony::read(bytes, &limits) else { return };
    let written = ceremony.write().expect("a ceremony can be written");
    let again = Ceremony::read(&written, &limits).expect("what was written can be read");
    assert_eq!((&again, again.id()), (&ceremony, ceremony.id()));
    let (root, targets) = &*LIVE;
    let live = Live { root, targets, lanes: BTreeMap::new() };
    let _ = ceremony.check(&live, &limits);
    let _ = ceremony.describe(&live, "2026-11-22T00:00:00Z".parse().expect("a time"));
    assert!(ceremony.verify(&live, &limits).is_err(), "a ceremony that nobody signed is published");
    if let Ok(merged) = ceremony.merged(&again, &live, &limits) {
        assert_eq!(merged.id(), ceremony.id());
    }
});
