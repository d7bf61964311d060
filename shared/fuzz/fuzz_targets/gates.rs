//! Any bytes as `gates.json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::gates::ReadGates;
use mulberry_shared::limits::Limits;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(ReadGates { gates, unclear }) = ReadGates::read(bytes, &limits) {
        assert!(unclear.keys().all(|path| !gates.0.contains_key(path)), "understood, or not");
        let again = ReadGates::read(&gates.write(), &limits).and_then(ReadGates::whole);
        assert_eq!(again.as_ref(), Ok(&gates));
    }
});
