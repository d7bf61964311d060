//! Reading certificates: bounds, damage, text and JSON forms.

use mulberry_lab::pki::{Extension, KeyKind, key, mozilla_name};
use mulberry_shared::limits::X509Limits;
use mulberry_shared::x509::{Certificate, CertificateErrorKind, CertificateMemo, Purpose};

use crate::bench::{AFTER, Bench, ca_spec, read};

fn refusal(der: &[u8], limits: &X509Limits) -> CertificateErrorKind {
    Certificate::parse_der(der, limits).unwrap_err().kind
}

#[test]
fn no_flipped_bit_and_no_cut_survives_verification() {
    let bench = Bench::new();
    let setting = bench.setting().pooled(&[&bench.replacement]);
    assert_eq!(setting.kind(&bench.end_entity, &[], AFTER), Ok(()));
    let der = bench.end_entity.der();
    let limits = X509Limits::default();
    for length in 0..der.len() {
        assert_eq!(refusal(&der[..length], &limits), CertificateErrorKind::Malformed, "cut at {length}");
    }
    for bit in 0..der.len() * 8 {
        let mut damaged = der.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(certificate) = Certificate::parse_der(&damaged, &limits) {
            assert!(setting.kind(&certificate, &[], AFTER).is_err(), "bit {bit} makes no difference");
        }
    }
    let mut longer = der.to_vec();
    longer.push(0);
    assert_eq!(refusal(&longer, &limits), CertificateErrorKind::Malformed);
}

#[test]
fn a_memory_of_certificates_shows_in_no_answer() {
    let bench = Bench::new();
    let (limits, memo) = (X509Limits::default(), CertificateMemo::default());
    for certificate in [&bench.expiring, &bench.end_entity] {
        let plain = |der: &[u8]| Certificate::parse_der(der, &limits);
        let remembered = |der: &[u8]| memo.parse_der(der, &limits);
        for byte in 0..certificate.der().len() {
            let mut damaged = certificate.der().to_vec();
            damaged[byte] ^= 1 << (byte % 8);
            assert_eq!(remembered(certificate.der()).as_ref(), Ok(certificate));
            assert_eq!(remembered(&damaged), plain(&damaged), "byte {byte}");
            assert_eq!(remembered(&damaged).map(|c| c.sha256()), plain(&damaged).map(|c| c.sha256()));
        }
    }
    let place =
        |certificate: &Certificate| memo.parse_der(certificate.der(), &limits).unwrap().der().as_ptr();
    let first = memo.parse_der(bench.expiring.der(), &limits).unwrap();
    assert_eq!(first.der().as_ptr(), place(&bench.expiring), "an intermediate is held once");
    let first = memo.parse_der(bench.end_entity.der(), &limits).unwrap();
    assert_ne!(first.der().as_ptr(), place(&bench.end_entity), "an end entity takes no room");
}

#[test]
fn ceilings_and_doubled_extensions_are_refused() {
    let bench = Bench::new();
    let keys = key(KeyKind::P256, "ca").unwrap();
    let with = |extensions: Vec<Extension>| {
        let mut spec = ca_spec("ca", 1);
        spec.extensions = extensions;
        spec.issued_by(&bench.lab.anchor, &keys).unwrap()
    };
    let extension = |oid: &'static str| Extension { oid, critical: false, value: vec![5, 0] };
    let limits = X509Limits { extensions: 6, ..X509Limits::default() };
    let accepted = Certificate::parse_der(with(vec![extension("1.2.3.5")]).der(), &limits);
    assert!(accepted.is_ok(), "{accepted:?}");
    let many = with(vec![extension("1.2.3.5"), extension("1.2.3.6")]);
    assert_eq!(refusal(many.der(), &limits), CertificateErrorKind::TooLarge);
    let doubled = with(vec![extension("1.2.3.5"), extension("1.2.3.5")]);
    assert_eq!(refusal(doubled.der(), &X509Limits::default()), CertificateErrorKind::Malformed);
    let small = X509Limits { certificate_bytes: many.der().len() - 1, ..X509Limits::default() };
    assert_eq!(refusal(many.der(), &small), CertificateErrorKind::TooLarge);
}

#[test]
fn text_forms_come_back_as_the_same_certificate() {
    let bench = Bench::new();
    let limits = X509Limits::default();
    let pem = bench.expiring.to_pem() + "text between\n" + &bench.replacement.to_pem();
    let both = vec![bench.expiring.clone(), bench.replacement.clone()];
    assert_eq!(Certificate::read_file(pem.as_bytes(), Purpose::Pool, &limits).as_deref(), Ok(&both[..]));
    assert_eq!(Certificate::read_file(both[0].der(), Purpose::Pool, &limits).as_deref(), Ok(&both[..1]));
    let json = serde_json::to_string(&both).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Certificate>>(&json).unwrap(), both);
    assert!(serde_json::from_str::<Certificate>("\"AQID\"").is_err());
    assert!(serde_json::from_str::<Certificate>("\"?\"").is_err());
}

#[test]
fn names_serials_and_dates_are_told() {
    let bench = Bench::new();
    let certificate = &bench.expiring;
    assert_eq!(certificate.common_name(), Some("signingca1.addons.example.org"));
    assert_eq!(
        certificate.subject(),
        "CN=signingca1.addons.example.org,OU=Laboratory Signing Service,O=Mulberry Laboratory,C=US"
    );
    assert_eq!(certificate.issuer(), bench.anchor.subject());
    assert_eq!(certificate.serial_hex(), "100004");
    assert_eq!(certificate.not_after().to_string(), crate::bench::EXPIRY);
    assert!(certificate.is_ca() && !certificate.is_self_issued() && bench.anchor.is_self_issued());
    assert_eq!(certificate.ski().map(<[u8]>::to_vec), bench.lab.expiring.key_identifier().ok());
    assert_eq!(certificate.aki(), bench.anchor.ski());
    assert!(bench.end_entity.extended_key_usages().is_none());
    // A serial whose first bit is set has a sign octet, which people do not write.
    let mut spec = ca_spec("ca", 0x8000_0000_0000_0001);
    spec.subject = mozilla_name("\u{202e}unit", "line\nbreak").unwrap();
    let odd = read(&spec.issued_by(&bench.lab.anchor, &key(KeyKind::P256, "ca").unwrap()).unwrap());
    assert_eq!(odd.described(), "\"line\\nbreak\" (serial 8000000000000001)");
    assert_eq!(odd.serial().len(), 9);
}

#[test]
fn the_last_day_of_year_9999_is_the_last_instant() {
    let bench = Bench::new();
    let mut spec = ca_spec("ca", 2);
    spec.not_after = jiff::Timestamp::MAX;
    let keys = key(KeyKind::P256, "ca").unwrap();
    let der = spec.issued_by(&bench.lab.anchor, &keys).unwrap().der().to_vec();
    let at = der.windows(15).position(|w| w == b"99991230220000Z").unwrap();
    let mut forever = der;
    forever[at..at + 15].copy_from_slice(b"99991231235959Z");
    let forever = Certificate::parse_der(&forever, &X509Limits::default()).unwrap();
    assert_eq!(forever.not_after(), jiff::Timestamp::MAX);
}
