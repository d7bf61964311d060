//! Any bytes as an add-on: inspected under each policy and judged, without a panic and without trusting anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{Anchors, Distrust, Pool, SignatureMemo};
use mulberry_shared::xpi::{JudgeContext, Policy, inspect};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    for policy in [Policy::firefox(), Policy::strict()] {
        let Ok(inspection) = inspect(&bytes, &policy, &limits) else { continue };
        let context = JudgeContext {
            anchors: &Anchors::default(),
            pool: &Pool::new(),
            distrust: &Distrust::default(),
            memo: &SignatureMemo::new(16),
            policy: &policy,
            limits: &limits,
        };
        let at = "2019-05-05T00:00:00Z".parse().expect("a time");
        assert!(!inspection.judge(&context, at).is_ok(), "accepted without an anchor");
    }
});
