//! Any text as a product version and as a range: what is read shows as it was written, a range means the same to those who read
//! it as it is published, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::version::{ProductVersion, VersionRange, Whose};

fuzz_target!(|text: &str| {
    let (version, range) = text.split_once('|').unwrap_or((text, text));
    let version = version.parse::<ProductVersion>();
    if let Ok(version) = &version {
        assert_eq!(version.as_str().parse::<ProductVersion>().as_ref(), Ok(version));
    }
    let written = [Whose::Product, Whose::Agent].map(|whose| VersionRange::written(range, whose));
    for range in written.into_iter().chain([VersionRange::published(range)]).flatten() {
        assert_eq!(VersionRange::published(range.as_published()).as_ref(), Ok(&range));
        let _ = (range.to_string(), range.pre_releases(), version.as_ref().is_ok_and(|v| range.contains(v)));
    }
});
