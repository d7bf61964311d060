//! Any bytes as a certificate, DER or PEM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{Certificate, Purpose};

fuzz_target!(|bytes: &[u8]| {
    let limits = X509Limits::default();
    for certificate in Certificate::read_file(bytes, Purpose::Pool, &limits).unwrap_or_default() {
        let _ = (certificate.subject(), certificate.serial_hex(), certificate.described());
        assert_eq!(Certificate::parse_der(certificate.der(), &limits).as_ref(), Ok(&certificate));
    }
});
