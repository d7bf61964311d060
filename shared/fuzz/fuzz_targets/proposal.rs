//! Any bytes as a proposal: never a panic, what is read writes back to the same proposal, and nobody has signed it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mulberry_shared::edition::write::{self, Holders, LaneHolders};
use mulberry_shared::limits::Limits;
use mulberry_shared::proposal::Proposal;
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::{Ed25519Signer, Signer, Targets};

/// Targets whose lanes need a key that no seed was signed with.
static TARGETS: LazyLock<Targets> = LazyLock::new(|| {
    let signer = Ed25519Signer::from_seed(&[9; 32]).expect("a key");
    let one = Holders::one(signer.key());
    let holders = LaneHolders { emergency: one.clone(), routine: one.clone(), gates: one };
    write::targets(1, "2027-01-01T00:00:00Z".parse().expect("a time"), &holders)
});

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let Ok(proposal) = Proposal::read(bytes, &limits) else { return };
    let written = proposal.write().expect("a proposal can be written");
    let again = Proposal::read(&written, &limits).expect("what was written can be read");
    assert_eq!((&again, again.id()), (&proposal, proposal.id()));
    let lane: Lane = proposal.lane();
    let authority = TARGETS.authority(lane.as_str(), "targets").expect("a lane");
    if let Ok(counted) = proposal.counted(authority, &limits) {
        assert!(counted.is_empty(), "a signature that nobody made counts");
        let merged = proposal.merged(&again, authority, &limits).expect("copies of one");
        assert_eq!(merged.id(), proposal.id());
    }
});
