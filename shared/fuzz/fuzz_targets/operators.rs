//! Any bytes as a request to the operators' interface: what is read writes back to the same request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::json;
use mulberry_shared::limits::JsonLimits;
use mulberry_shared::operators::{GateRequest, PublishRequest};

fuzz_target!(|bytes: &[u8]| {
    let limits = JsonLimits::default();
    if let Ok(request) = json::decode::<PublishRequest>(bytes, &limits) {
        let again = serde_json::to_vec(&request).expect("a request can be written");
        assert_eq!(json::decode::<PublishRequest>(&again, &limits).as_ref(), Ok(&request));
    }
    if let Ok(request) = json::decode::<GateRequest>(bytes, &limits) {
        let again = serde_json::to_vec(&request).expect("a request can be written");
        assert_eq!(json::decode::<GateRequest>(&again, &limits).as_ref(), Ok(&request));
    }
});
