//! Any bytes as manifest.json.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::xpi::identity::Identity;

fuzz_target!(|bytes: &[u8]| {
    let _ = Identity::of_manifest_json(bytes);
});
