//! Any bytes as a COSE signature file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::CertificateMemo;
use mulberry_shared::xpi::cose::Cose;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signature) = Cose::parse(bytes, &Limits::default(), &CertificateMemo::none()) {
        const CONTENT: &[u8] = b"content that nobody signed";
        if let Ok(mut content) = signature.content(CONTENT.len() as u64) {
            content.read(CONTENT);
            assert!(content.verify().is_err());
        }
    }
});
