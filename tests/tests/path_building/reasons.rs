//! Every other reason a path may not hold.

use mulberry_lab::pki::{
    BasicConstraints, CertificateSpec, ExtendedKeyUse, Extension, KeyKind, LabCertificate, SignatureKind,
    certificate::Presence, key,
};
use mulberry_shared::x509::{Certificate, PathErrorKind};
use x509_cert::Version;

use crate::bench::{AFTER, Bench, ca_spec, end_entity, end_entity_spec, read};

/// What makes a certificate unfit.
type Change = fn(&mut CertificateSpec);

fn p256(name: &str) -> std::sync::Arc<mulberry_lab::pki::LabKey> {
    key(KeyKind::P256, name).unwrap()
}

/// Judges an end entity below `issuer`, all of `between` embedded.
fn below(bench: &Bench, issuer: &LabCertificate, between: &[&LabCertificate]) -> Result<(), PathErrorKind> {
    let embedded: Vec<Certificate> = between.iter().map(|c| read(c)).collect();
    bench.setting().kind(&end_entity(issuer, 8), &embedded, AFTER)
}

#[test]
fn distrust_by_serial_is_for_one_certificate_and_by_key_for_its_siblings_too() {
    let bench = Bench::new();
    let (stolen, sibling) = (read(&bench.lab.stolen), read(&bench.lab.stolen_sibling));
    let victim = end_entity(&bench.lab.stolen, 12);
    let both = [stolen.clone(), sibling.clone()];
    let by_serial = bench.setting().distrusting(&stolen);
    assert_eq!(by_serial.kind(&victim, std::slice::from_ref(&stolen), AFTER), Err(PathErrorKind::Distrusted));
    assert_eq!(by_serial.kind(&victim, &both, AFTER), Ok(()));
    let by_key = bench.setting().distrusting_key_of(&stolen);
    assert_eq!(by_key.kind(&victim, &both, AFTER), Err(PathErrorKind::Distrusted));
    assert_eq!(by_key.kind(&bench.end_entity, &[bench.replacement.clone(), stolen], AFTER), Ok(()));
}

#[test]
fn a_distrusted_end_entity_is_distrusted_whatever_else_is_wrong() {
    let bench = Bench::new();
    for setting in [
        bench.setting().distrusting(&bench.end_entity).enforcing(),
        bench.setting().distrusting_key_of(&bench.end_entity),
    ] {
        for at in [AFTER, "2030-01-01T00:00:00Z"] {
            assert_eq!(setting.kind(&bench.end_entity, &[], at), Err(PathErrorKind::Distrusted));
        }
    }
}

#[test]
fn distrust_is_named_also_when_the_distrusted_path_is_out_of_date() {
    let bench = Bench::new();
    let embedded = [bench.expiring.clone()];
    let by_key = bench.setting().distrusting_key_of(&bench.expiring);
    assert_eq!(by_key.kind(&bench.end_entity, &embedded, AFTER), Err(PathErrorKind::Distrusted));
    // But not when a path that is merely out of date remains.
    let by_serial = bench.setting().distrusting(&bench.replacement);
    let both = [bench.expiring.clone(), bench.replacement.clone()];
    assert_eq!(by_serial.kind(&bench.end_entity, &embedded, AFTER), Err(PathErrorKind::IssuerExpired));
    // And the replacement alone would have held.
    assert_eq!(by_serial.kind(&bench.end_entity, &both, AFTER), Err(PathErrorKind::Distrusted));
}

#[test]
fn extended_key_usages_count_on_every_certificate_that_has_them() {
    let bench = Bench::new();
    for (eku, expected) in [
        (ExtendedKeyUse::Absent, Ok(())),
        (ExtendedKeyUse::CodeSigning, Ok(())),
        (ExtendedKeyUse::ServerAuth, Err(PathErrorKind::BadCertificate)),
        (ExtendedKeyUse::Any, Err(PathErrorKind::BadCertificate)),
    ] {
        let mut ca = ca_spec("ca", 20);
        ca.extended_key_use = eku;
        let ca = ca.issued_by(&bench.lab.anchor, &p256("ca")).unwrap();
        assert_eq!(below(&bench, &ca, &[&ca]), expected, "CA {eku:?}");
        let mut leaf = end_entity_spec(21);
        leaf.extended_key_use = eku;
        let leaf = read(&leaf.issued_by(&bench.lab.replacement, &p256("end entity")).unwrap());
        let setting = bench.setting().pooled(&[&bench.replacement]);
        assert_eq!(setting.kind(&leaf, &[], AFTER), expected, "end entity {eku:?}");
    }
}

#[test]
fn an_issuer_must_be_a_ca_that_may_sign_certificates_and_is_understood() {
    let bench = Bench::new();
    let cases: [(&str, Change); 5] = [
        ("not a CA", |ca| ca.basic_constraints = BasicConstraints::NotCa),
        ("no basicConstraints", |ca| ca.basic_constraints = BasicConstraints::Absent),
        ("no keyCertSign", |ca| ca.key_usage = ca.second_key_usage),
        ("version 1", |ca| ca.version = Version::V1),
        ("unknown critical extension", |ca| {
            ca.extensions = vec![Extension { oid: "1.2.3.4", critical: true, value: vec![5, 0] }];
        }),
    ];
    for (what, change) in cases {
        let mut ca = ca_spec("ca", 30);
        change(&mut ca);
        let ca = ca.issued_by(&bench.lab.anchor, &p256("ca")).unwrap();
        assert_eq!(below(&bench, &ca, &[&ca]), Err(PathErrorKind::BadCertificate), "{what}");
    }
}

#[test]
fn an_anchor_of_version_1_is_taken_at_its_word() {
    let bench = Bench::new();
    let mut root = ca_spec("old root", 0);
    root.version = Version::V1;
    let root = root.self_signed(&p256("old root")).unwrap();
    let mut setting = bench.setting();
    setting.anchors = [read(&root)].into_iter().collect();
    assert_eq!(setting.kind(&end_entity(&root, 31), &[], AFTER), Ok(()));
}

#[test]
fn path_lengths_count_intermediates_that_are_not_self_issued() {
    let bench = Bench::new();
    let mut top = ca_spec("top", 40);
    top.basic_constraints = BasicConstraints::CaWithPathLength(0);
    let top = top.issued_by(&bench.lab.anchor, &p256("top")).unwrap();
    let rolled = ca_spec("top", 41).issued_by(&top, &p256("top, rolled")).unwrap();
    let lower = ca_spec("lower", 42).issued_by(&top, &p256("lower")).unwrap();
    assert_eq!(below(&bench, &top, &[&top]), Ok(()));
    assert_eq!(below(&bench, &rolled, &[&top, &rolled]), Ok(()));
    assert_eq!(below(&bench, &lower, &[&top, &lower]), Err(PathErrorKind::BadCertificate));
    // The CA to be installed is an intermediate itself.
    let setting = bench.setting().pooled(&[&read(&top)]);
    let kind =
        setting.with(|b| b.chains_to_anchor(&read(&lower), crate::bench::time(AFTER)).unwrap_err().kind);
    assert_eq!(kind, PathErrorKind::BadCertificate);
}

#[test]
fn excluded_names_are_excluded_and_real_exclusions_harm_nobody() {
    let bench = Bench::new();
    let setting = bench.setting().pooled(&[&bench.replacement]);
    for (name, expected) in [
        ("addons.example.org", Ok(())),
        ("content-signature.example.org", Err(PathErrorKind::BadCertificate)),
        ("a.content-signature.example.org", Err(PathErrorKind::BadCertificate)),
    ] {
        let mut leaf = end_entity_spec(50);
        leaf.dns_names = vec![name.to_owned()];
        let leaf = read(&leaf.issued_by(&bench.lab.replacement, &p256("end entity")).unwrap());
        assert_eq!(setting.kind(&leaf, &[], AFTER), expected, "{name}");
    }
}

#[test]
fn sha1_signatures_are_refused_by_name() {
    let bench = Bench::new();
    let rsa = |name: &str| key(KeyKind::Rsa2048, name).unwrap();
    let ca = ca_spec("rsa", 60).issued_by(&bench.lab.anchor, &rsa("rsa ca")).unwrap();
    let mut leaf = end_entity_spec(61);
    leaf.signature = Some(SignatureKind::Sha1Rsa);
    let leaf = read(&leaf.issued_by(&ca, &p256("end entity")).unwrap());
    let setting = bench.setting().pooled(&[&read(&ca)]);
    assert_eq!(setting.kind(&leaf, &[], AFTER), Err(PathErrorKind::UnsupportedAlgorithm));

    let elsewhere = ca_spec("elsewhere", 64).self_signed(&rsa("rsa ca")).unwrap();
    let mut stranger = end_entity_spec(65);
    stranger.signature = Some(SignatureKind::Sha1Rsa);
    let stranger = read(&stranger.issued_by(&elsewhere, &p256("end entity")).unwrap());
    assert_eq!(setting.kind(&stranger, &[read(&elsewhere)], AFTER), Err(PathErrorKind::UnknownIssuer));

    let top = ca_spec("rsa top", 62).issued_by(&bench.lab.anchor, &rsa("rsa ca")).unwrap();
    let mut old = ca_spec("sha1 ca", 63);
    old.signature = Some(SignatureKind::Sha1Rsa);
    let old = old.issued_by(&top, &p256("ca")).unwrap();
    assert_eq!(below(&bench, &old, &[&top, &old]), Err(PathErrorKind::UnsupportedAlgorithm));
}

#[test]
fn a_chain_longer_than_the_ceiling_is_refused_by_that_name() {
    let bench = Bench::new();
    let mut chain = vec![bench.lab.anchor.clone()];
    for i in 0..7 {
        let spec = ca_spec(&format!("ca {i}"), 70 + i);
        let next = spec.issued_by(chain.last().unwrap(), &p256(&format!("ca {i}"))).unwrap();
        chain.push(next);
    }
    let all: Vec<_> = chain.iter().skip(1).collect();
    assert_eq!(below(&bench, all[5], &all), Ok(()));
    assert_eq!(below(&bench, all[6], &all), Err(PathErrorKind::LimitExceeded));
}

#[test]
fn key_identifiers_are_hints_only() {
    let bench = Bench::new();
    let mut ca = ca_spec("ca", 80);
    ca.subject_key_id = Presence::Absent;
    ca.authority_key_id = Presence::Absent;
    let ca = ca.issued_by(&bench.lab.anchor, &p256("ca")).unwrap();
    assert_eq!(below(&bench, &ca, &[&ca]), Ok(()));
}
