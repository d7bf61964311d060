//! Any bytes: parsed within bounds or refused, and what is accepted keeps its meaning in canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::json;
use mulberry_shared::limits::JsonLimits;

fuzz_target!(|bytes: &[u8]| {
    let limits = JsonLimits::default();
    if let Ok(value) = json::parse(bytes, &limits) {
        let canonical = json::canonical(&value);
        let again = json::parse_canonical(&canonical, &limits).expect("canonical form must parse");
        assert_eq!(again, value);
        assert_eq!(json::canonical(&again), canonical);
    }
});
