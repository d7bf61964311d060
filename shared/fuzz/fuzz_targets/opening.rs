//! Any bytes as the file of an opening: never a panic, what is read writes back to the same, and nobody has signed it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mulberry_shared::approval::{OpeningFile, file};
use mulberry_shared::edition::write::{self, Holders, LaneHolders};
use mulberry_shared::limits::Limits;
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
    let named = file::is_one(bytes, &limits);
    let Ok(opening) = OpeningFile::read(bytes, &limits) else { return };
    assert!(named, "what can be read is named as one");
    let written = opening.write().expect("an opening can be written");
    let again = OpeningFile::read(&written, &limits).expect("what was written can be read");
    assert_eq!(again, opening);
    let signed = opening.opening;
    let authority = TARGETS.authority(signed.path.lane.as_str(), "targets").expect("a lane");
    if let Ok(counted) = signed.signed_by(authority, &opening.signatures, &limits.trust) {
        assert!(counted.is_empty(), "a signature that nobody made counts");
    }
    let approval = signed.approved(opening.signatures);
    assert_eq!(approval.opening(&signed.path, signed.revision, signed.sha256), signed);
});
