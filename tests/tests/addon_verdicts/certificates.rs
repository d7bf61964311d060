//! Chains: the incident, its fix, and the ways both can go wrong.

use mulberry_lab::pki::certificate::Presence;
use mulberry_lab::pki::certificate::{KeyUsages, Version};
use mulberry_lab::pki::{
    BasicConstraints, CertificateSpec, ExtendedKeyUse, Extension, KeyKind, SignatureKind, common_name, key,
};
use mulberry_shared::x509::EndEntityTime;
use mulberry_shared::xpi::{Policy, VerdictKind};

use crate::bench::{bench, days, expired_at, intermediate, of_2018, of_2023, signed, signed_by};

#[test]
fn the_incident_an_expired_intermediate_and_its_replacement() {
    let incident = &bench().incident;
    let group_a = || signed_by(&incident.expiring, of_2018());
    group_a().at(days(-1)).is(VerdictKind::Ok);
    // Validity includes its last second (RFC 5280 section 4.1.2.5).
    group_a().at(expired_at()).is(VerdictKind::Ok);
    let second = jiff::SignedDuration::from_secs(1);
    let case = group_a().at(expired_at().checked_add(second).unwrap());
    case.is_naming(VerdictKind::IssuerExpired, "2019-05-04");
    group_a().is_naming(VerdictKind::IssuerExpired, "signingca1.addons.example.org");
    group_a().knowing(&incident.replacement).is(VerdictKind::Ok);
    group_a().knowing(&incident.expiring).knowing(&incident.replacement).is(VerdictKind::Ok);
    // The control group notices nothing.
    signed(of_2018()).knowing(&incident.replacement).is(VerdictKind::Ok);
}

#[test]
fn a_replacement_for_another_key_fixes_nothing_and_hides_nothing() {
    let incident = &bench().incident;
    let group_a = || signed_by(&incident.expiring, of_2018()).knowing(&incident.wrong_key);
    group_a().is(VerdictKind::IssuerExpired);
    group_a().knowing(&incident.replacement).is(VerdictKind::Ok);
}

#[test]
fn an_addon_signed_under_the_replacement_holds_before_and_after() {
    let incident = &bench().incident;
    for at in [days(-1), days(1)] {
        signed_by(&incident.replacement, of_2018()).at(at).is(VerdictKind::Ok);
    }
}

#[test]
fn the_anchors_own_dates_count_and_a_replacement_may_outlive_it() {
    let incident = &bench().incident;
    let after_the_anchor = incident.dates.anchor.1.checked_add(jiff::SignedDuration::from_hours(24)).unwrap();
    assert!(incident.dates.replacement.1 > after_the_anchor);
    signed_by(&incident.replacement, of_2018())
        .at(after_the_anchor)
        .is_naming(VerdictKind::IssuerExpired, "root-ca-laboratory");
    let before_the_anchor =
        incident.dates.anchor.0.checked_add(jiff::SignedDuration::from_hours(-24)).unwrap();
    signed(of_2018()).at(before_the_anchor).is(VerdictKind::IssuerNotYetValid);
}

#[test]
fn an_intermediate_that_begins_later_is_not_yet_valid() {
    let (_, end) = bench().incident.dates.anchor;
    let later = intermediate("begins-later", KeyKind::Rsa2048, |spec| {
        spec.not_before = days(30);
        spec.not_after = end;
    });
    signed_by(&later, of_2018()).is_naming(VerdictKind::IssuerNotYetValid, "begins-later");
}

#[test]
fn other_roots_are_unknown_issuers() {
    let incident = &bench().incident;
    signed_by(&incident.other, of_2018()).is_naming(VerdictKind::UnknownIssuer, "elsewhere");
    // An embedded anchor is no anchor.
    let mut options = of_2018();
    options.extra_certificates = vec![incident.other_anchor.der().to_vec()];
    signed_by(&incident.other, options).is(VerdictKind::UnknownIssuer);
    signed_by(&incident.other, of_2018()).anchored_at(&incident.other_anchor).is(VerdictKind::Ok);
}

#[test]
fn an_intermediate_that_is_neither_embedded_nor_known_is_an_unknown_issuer() {
    let incident = &bench().incident;
    let mut options = of_2018();
    options.issuer_embedded = Presence::Absent;
    signed(options.clone()).is(VerdictKind::UnknownIssuer);
    signed(options).knowing(&incident.control).is(VerdictKind::Ok);
}

#[test]
fn end_entity_dates_count_under_strict_alone() {
    let enforce = Policy { end_entity_time: EndEntityTime::Enforce, ..Policy::firefox() };
    for (at, kind) in
        [(days(100), VerdictKind::EndEntityExpired), (days(-301), VerdictKind::EndEntityNotYetValid)]
    {
        signed(of_2018()).at(at).is(VerdictKind::Ok);
        signed(of_2018()).at(at).policy(enforce).is(kind);
        signed(of_2023()).at(at).policy(Policy::strict()).is(kind);
    }
    signed(of_2018()).policy(enforce).is(VerdictKind::Ok);
}

#[test]
fn distrust_by_key_hits_the_sibling_certificate_too() {
    let incident = &bench().incident;
    let group_s = || signed_by(&incident.stolen, of_2018());
    group_s().is(VerdictKind::Ok);
    group_s().distrusting_key_of(&incident.stolen).is_naming(VerdictKind::Distrusted, "signingca2");
    group_s()
        .distrusting_key_of(&incident.stolen)
        .knowing(&incident.stolen_sibling)
        .is(VerdictKind::Distrusted);
    signed(of_2018()).distrusting_key_of(&incident.stolen).is(VerdictKind::Ok);
}

#[test]
fn distrust_by_issuer_and_serial_leaves_the_sibling_certificate() {
    let incident = &bench().incident;
    let group_s = || signed_by(&incident.stolen, of_2018()).distrusting_serial_of(&incident.stolen);
    group_s().is(VerdictKind::Distrusted);
    group_s().knowing(&incident.stolen_sibling).is(VerdictKind::Ok);
}

#[test]
fn distrust_beats_an_installed_replacement_and_an_expiry() {
    let incident = &bench().incident;
    signed_by(&incident.expiring, of_2018())
        .knowing(&incident.replacement)
        .distrusting_key_of(&incident.replacement)
        .is(VerdictKind::Distrusted);
}

/// All facts of the real CAs are in every fixture already; here what real CAs do not have, and may.
#[test]
fn intermediates_of_other_shapes_hold() {
    let critical = intermediate("critical", KeyKind::Rsa2048, |spec| {
        spec.basic_constraints = BasicConstraints::CaWithPathLength(0);
    });
    signed_by(&critical, of_2018()).is(VerdictKind::Ok);
    for kind in [KeyKind::P256, KeyKind::P384] {
        let ecdsa = intermediate(&format!("{kind:?}"), kind, |_| ());
        signed_by(&ecdsa, of_2018()).is(VerdictKind::Ok);
    }
    let without_eku = intermediate("without-eku", KeyKind::Rsa2048, |spec| {
        spec.extended_key_use = ExtendedKeyUse::Absent;
    });
    signed_by(&without_eku, of_2018()).is(VerdictKind::Ok);
    // Validity after 2049 is written as GeneralizedTime.
    let long = intermediate("to-2100", KeyKind::Rsa2048, |spec| {
        spec.not_after = "2100-12-03T00:00:00Z".parse().unwrap();
    });
    signed_by(&long, of_2018()).is(VerdictKind::Ok);
}

#[test]
fn a_certificate_that_is_no_ca_issues_nothing() {
    for constraints in [BasicConstraints::Absent, BasicConstraints::NotCa] {
        let no_ca = intermediate("no-ca", KeyKind::Rsa2048, |spec| spec.basic_constraints = constraints);
        signed_by(&no_ca, of_2018()).is(VerdictKind::UnknownIssuer);
    }
    let no_key_cert_sign = intermediate("no-cert-sign", KeyKind::Rsa2048, |spec| {
        spec.key_usage = Some(KeyUsages::CRLSign);
        spec.second_key_usage = None;
    });
    signed_by(&no_key_cert_sign, of_2018()).is_naming(VerdictKind::UnknownIssuer, "no-cert-sign");
    let first_version = intermediate("version-1", KeyKind::Rsa2048, |spec| spec.version = Version::V1);
    signed_by(&first_version, of_2018()).is_naming(VerdictKind::UnknownIssuer, "version-1");
}

#[test]
fn an_anchor_of_version_1_is_an_anchor() {
    let (begin, end) = bench().incident.dates.anchor;
    let mut spec = CertificateSpec::ca(common_name("old-anchor").unwrap(), 1, begin, end);
    spec.version = Version::V1;
    let anchor = spec.self_signed(&key(KeyKind::Rsa2048, "old anchor").unwrap()).unwrap();
    let issuer = CertificateSpec::ca(common_name("below-the-old-anchor").unwrap(), 2, begin, end)
        .issued_by(&anchor, &key(KeyKind::Rsa2048, "below the old anchor").unwrap())
        .unwrap();
    signed_by(&issuer, of_2018()).anchored_at(&anchor).is(VerdictKind::Ok);
}

#[test]
fn a_path_may_be_longer_where_path_lengths_allow_it() {
    let incident = &bench().incident;
    for (length, kind) in
        [(None, VerdictKind::Ok), (Some(1), VerdictKind::Ok), (Some(0), VerdictKind::UnknownIssuer)]
    {
        let upper = intermediate("upper", KeyKind::Rsa2048, |spec| {
            if let Some(length) = length {
                spec.basic_constraints = BasicConstraints::CaWithPathLength(length);
            }
        });
        let (begin, end) = incident.dates.anchor;
        let lower = CertificateSpec::ca(common_name("lower").unwrap(), 3, begin, end)
            .issued_by(&upper, &key(KeyKind::Rsa2048, "lower").unwrap())
            .unwrap();
        signed_by(&lower, of_2018()).knowing(&upper).is(kind);
        signed_by(&lower, of_2018()).is(VerdictKind::UnknownIssuer);
    }
}

#[test]
fn an_excluded_dns_name_counts_against_end_entities_that_have_it_alone() {
    let mut options = of_2018();
    options.dns_names = vec!["f2a0.addons.example.org".to_owned()];
    signed(options.clone()).is(VerdictKind::Ok);
    options.dns_names = vec!["www.content-signature.example.org".to_owned()];
    signed(options).is(VerdictKind::UnknownIssuer);
}

#[test]
fn a_critical_extension_that_nobody_knows_is_refused() {
    for (critical, kind) in [(false, VerdictKind::Ok), (true, VerdictKind::UnknownIssuer)] {
        let issuer = intermediate("unknown-extension", KeyKind::Rsa2048, |spec| {
            spec.extensions =
                vec![Extension { oid: "1.3.6.1.4.1.99999.1", critical, value: vec![0x05, 0x00] }];
        });
        signed_by(&issuer, of_2018()).is(kind);
    }
}

/// Two CAs that vouch for each other in a circle, one of them also vouched for by the anchor.
#[test]
fn a_circle_of_intermediates_is_walked_once() {
    let incident = &bench().incident;
    let (begin, end) = incident.dates.anchor;
    let entry = intermediate("circle-a", KeyKind::Rsa2048, |_| ());
    let b = CertificateSpec::ca(common_name("circle-b").unwrap(), 5, begin, end)
        .issued_by(&entry, &key(KeyKind::Rsa2048, "circle-b").unwrap())
        .unwrap();
    let back =
        CertificateSpec::ca(entry.subject().clone(), 6, begin, end).issued_by(&b, entry.key()).unwrap();
    signed_by(&b, of_2018()).knowing(&back).is(VerdictKind::UnknownIssuer);
    signed_by(&b, of_2018()).knowing(&back).knowing(&entry).is(VerdictKind::Ok);
}

#[test]
fn code_signing_is_wanted_wherever_a_certificate_has_an_eku() {
    for eku in [ExtendedKeyUse::ServerAuth, ExtendedKeyUse::Any] {
        let issuer = intermediate("wrong-eku", KeyKind::Rsa2048, |spec| spec.extended_key_use = eku);
        signed_by(&issuer, of_2018()).is(VerdictKind::UnknownIssuer);
        let mut options = of_2018();
        options.extended_key_use = eku;
        signed(options).is(VerdictKind::UnknownIssuer);
    }
    let mut options = of_2018();
    options.extended_key_use = ExtendedKeyUse::CodeSigning;
    signed(options).is(VerdictKind::Ok);
}

#[test]
fn a_sha1_signature_on_a_certificate_is_an_unsupported_algorithm() {
    let mut options = of_2018();
    options.certificate_signature = Some(SignatureKind::Sha1Rsa);
    signed(options).is(VerdictKind::UnsupportedAlgorithm);
    let issuer = intermediate("sha1-signed", KeyKind::Rsa2048, |spec| {
        spec.signature = Some(SignatureKind::Sha1Rsa);
    });
    signed_by(&issuer, of_2018()).is(VerdictKind::UnsupportedAlgorithm);
}
