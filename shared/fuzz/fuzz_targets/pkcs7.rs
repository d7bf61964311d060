//! Any bytes as a PKCS#7 signature file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::CertificateMemo;
use mulberry_shared::xpi::pkcs7::Pkcs7;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(signature) = Pkcs7::parse(bytes, &Limits::default(), &CertificateMemo::none()) {
        assert!(signature.verify(&[7; 32]).is_err());
    }
});
