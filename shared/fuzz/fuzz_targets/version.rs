//! Any text as a product version and as a range: what is read shows as it was written, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::version::{ProductVersion, VersionRange};

fuzz_target!(|text: &str| {
    let (version, range) = text.split_once('|').unwrap_or((text, text));
    if let Ok(version) = version.parse::<ProductVersion>() {
        assert_eq!(version.as_str().parse::<ProductVersion>().as_ref(), Ok(&version));
        let _ = range.parse::<VersionRange>().is_ok_and(|range| range.contains(&version));
    }
});
