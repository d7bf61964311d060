//! Any bytes as `gates.json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::gates::Gates;
use mulberry_shared::limits::Limits;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    if let Ok(gates) = Gates::read(bytes, &limits) {
        assert_eq!(Gates::read(&gates.write(), &limits).as_ref(), Ok(&gates));
    }
});
