//! Any bytes as manifest.json and as install.rdf.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::XpiLimits;
use mulberry_shared::xpi::identity::Identity;

fuzz_target!(|bytes: &[u8]| {
    let _ = Identity::of_manifest_json(bytes);
    let _ = Identity::of_install_rdf(bytes, &XpiLimits::default());
});
