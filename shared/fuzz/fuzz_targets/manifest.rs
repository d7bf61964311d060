//! Any bytes as manifest.mf and as a signature file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::XpiLimits;
use mulberry_shared::xpi::manifest::{Manifest, ManifestKind};

fuzz_target!(|bytes: &[u8]| {
    let limits = XpiLimits::default();
    for kind in [ManifestKind::Files, ManifestKind::SignatureFile] {
        if let Ok(manifest) = Manifest::parse(bytes, kind, "fuzz", &limits) {
            for section in manifest.sections() {
                assert_eq!(manifest.find(&section.name).map(|found| &found.name), Some(&section.name));
            }
        }
    }
});
