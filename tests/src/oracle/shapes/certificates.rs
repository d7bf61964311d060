//! The chain: test root, intermediate, end entity.

use std::fmt::Debug;

use super::Shape;
use crate::oracle::making::{days, intermediate};
use crate::pki::certificate::{KeyUsages, Presence, Version};
use crate::pki::{
    BasicConstraints, CertificateSpec, ExtendedKeyUse, Extension, KeyKind, SignatureKind, common_name, key,
};
use crate::xpi_signer::CmsDigest;

type Change = fn(&mut CertificateSpec);

fn end_entity(name: impl Debug, change: impl Fn(&mut CertificateSpec) + 'static) -> Shape {
    Shape::new(format!("end entity: {name:?}"), move |making| change(&mut making.end_entity.0))
}

fn issuer(name: impl Debug, change: impl Fn(&mut CertificateSpec) + 'static) -> Shape {
    Shape::new(format!("intermediate: {name:?}"), move |making| change(&mut making.intermediate.0))
}

fn extension(oid: &'static str, critical: bool, value: &'static [u8]) -> [Shape; 2] {
    let name = format!("extension {oid}{}", if critical { ", critical" } else { "" });
    let extension = move || Extension { oid, critical, value: value.to_vec() };
    [
        end_entity(&name, move |spec| spec.extensions.push(extension())),
        issuer(&name, move |spec| spec.extensions.push(extension())),
    ]
}

/// Extensions by name, with a value that is right.
const EXTENSIONS: [(&str, &[u8]); 14] = [
    // certificatePolicies, policyMappings, policyConstraints, inhibitAnyPolicy.
    ("2.5.29.32", &[0x30, 0x08, 0x30, 0x06, 0x06, 0x04, 0x55, 0x1d, 0x20, 0x00]),
    ("2.5.29.33", &[0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x06, 0x03, 0x2a, 0x03, 0x05]),
    ("2.5.29.36", &[0x30, 0x03, 0x80, 0x01, 0x00]),
    ("2.5.29.54", &[0x02, 0x01, 0x00]),
    // authorityInfoAccess, OCSP nocheck, TLS feature, SCT list, netscape certificate type.
    ("1.3.6.1.5.5.7.1.1", &[0x30, 0x00]),
    ("1.3.6.1.5.5.7.48.1.5", &[0x05, 0x00]),
    ("1.3.6.1.5.5.7.1.24", &[0x30, 0x03, 0x02, 0x01, 0x05]),
    ("1.3.6.1.4.1.11129.2.4.2", &[0x04, 0x02, 0x00, 0x00]),
    ("2.16.840.1.113730.1.1", &[0x03, 0x02, 0x04, 0x10]),
    // cRLDistributionPoints, issuerAltName, subjectDirectoryAttributes, privateKeyUsagePeriod; nobody's.
    ("2.5.29.31", &[0x30, 0x00]),
    ("2.5.29.18", &[0x30, 0x03, 0x82, 0x01, 0x61]),
    ("2.5.29.9", &[0x30, 0x00]),
    ("2.5.29.16", &[0x30, 0x00]),
    ("1.2.3.4", &[0x05, 0x00]),
];

/// All of them.
#[must_use]
#[allow(clippy::too_many_lines)]
pub fn all() -> Vec<Shape> {
    let mut all = Vec::new();
    for usage in [
        ExtendedKeyUse::Absent,
        ExtendedKeyUse::CodeSigning,
        ExtendedKeyUse::CodeSigningCritical,
        ExtendedKeyUse::ServerAuth,
        ExtendedKeyUse::Any,
    ] {
        all.push(end_entity(usage, move |spec| spec.extended_key_use = usage));
        all.push(issuer(usage, move |spec| spec.extended_key_use = usage));
    }
    for constraints in [
        BasicConstraints::Absent,
        BasicConstraints::CaNotCritical,
        BasicConstraints::CaCritical,
        BasicConstraints::CaWithPathLength(0),
        BasicConstraints::CaWithPathLength(3),
        BasicConstraints::NotCa,
    ] {
        all.push(end_entity(constraints, move |spec| spec.basic_constraints = constraints));
        all.push(issuer(constraints, move |spec| spec.basic_constraints = constraints));
    }
    for usage in [
        KeyUsages::DigitalSignature,
        KeyUsages::NonRepudiation,
        KeyUsages::KeyEncipherment,
        KeyUsages::DataEncipherment,
        KeyUsages::KeyAgreement,
        KeyUsages::KeyCertSign,
        KeyUsages::CRLSign,
    ] {
        all.push(end_entity(usage, move |spec| {
            (spec.key_usage, spec.second_key_usage) = (Some(usage), None);
        }));
        all.push(issuer(usage, move |spec| (spec.key_usage, spec.second_key_usage) = (Some(usage), None)));
        all.push(end_entity(("digitalSignature and", usage), move |spec| {
            (spec.key_usage, spec.second_key_usage) = (Some(KeyUsages::DigitalSignature), Some(usage));
        }));
    }
    all.push(end_entity("no key usage", |spec| spec.key_usage = None));
    all.push(issuer("no key usage", |spec| spec.key_usage = None));
    all.push(issuer("no EKU, no key usage", |spec| {
        (spec.key_usage, spec.extended_key_use) = (None, ExtendedKeyUse::Absent);
    }));
    for (oid, value) in EXTENSIONS {
        all.extend(extension(oid, true, value));
        all.extend(extension(oid, false, value));
    }
    all.extend(extension("2.5.29.32", true, &[0x30, 0x00]));
    all.extend(extension("2.5.29.32", true, &[0x05, 0x00]));
    for (name, from, to) in [
        ("expired", -100, -1),
        ("not valid yet", 1, 100),
        ("for 5 minutes", 0, 0),
        ("from 1970", -20_000, 100),
        ("until 2060", -100, 12_500),
    ] {
        let change =
            move |spec: &mut CertificateSpec| (spec.not_before, spec.not_after) = (days(from), days(to));
        all.push(end_entity(name, change));
        all.push(issuer(name, change));
    }
    let both: [(&str, Change); 8] = [
        ("version 1", |spec| spec.version = Version::V1),
        ("version 2", |spec| spec.version = Version::V2),
        ("signed with SHA-1", |spec| spec.signature = Some(SignatureKind::Sha1Rsa)),
        ("signed with SHA-256", |spec| spec.signature = Some(SignatureKind::Sha256Rsa)),
        ("serial number 0", |spec| spec.serial = 0),
        ("no key identifiers", |spec| {
            (spec.subject_key_id, spec.authority_key_id) = (Presence::Absent, Presence::Absent);
        }),
        ("excluded names", |spec| spec.excluded_dns = vec!["example.com".to_owned()]),
        ("alternative names", |spec| spec.dns_names = vec!["addons.example.org".to_owned()]),
    ];
    for (name, change) in both {
        all.push(end_entity(name, change));
        all.push(issuer(name, change));
    }
    for kind in [KeyKind::Rsa1024, KeyKind::Rsa4096, KeyKind::P256] {
        all.push(
            Shape::new(format!("end entity: {kind:?}"), move |making| making.end_entity.1 = kind).dear(),
        );
    }
    for kind in [KeyKind::Rsa1024, KeyKind::Rsa4096, KeyKind::P256, KeyKind::P384, KeyKind::P521] {
        all.push(
            Shape::new(format!("intermediate: {kind:?}"), move |making| making.intermediate.1 = kind).dear(),
        );
    }
    all.push(Shape::new("end entity: P256, signer SHA-1", |making| {
        making.end_entity.1 = KeyKind::P256;
        if let Some(pkcs7) = &mut making.pkcs7 {
            pkcs7.digest = CmsDigest::Sha1;
        }
    }));
    all.push(Shape::new("chain: excluded names that the end entity has", |making| {
        making.intermediate.0.excluded_dns = vec!["example.org".to_owned()];
        making.end_entity.0.dns_names = vec!["addons.example.org".to_owned()];
    }));
    all.push(Shape::fallible("chain: the root signs", |making| {
        making.end_entity_by = Some(making.root.clone());
        Ok(())
    }));
    all.push(Shape::fallible("chain: an end entity that signs itself", |making| {
        let own = key(making.end_entity.1, &format!("oracle {}", making.end_entity.0.subject))?;
        making.end_entity_by = Some(making.end_entity.0.self_signed(&own)?);
        Ok(())
    }));
    all.push(Shape::fallible("chain: signed by another key of the same name", |making| {
        let other = making.intermediate.0.issued_by(&making.root, &key(KeyKind::Rsa2048, "another key")?)?;
        making.end_entity_by = Some(other);
        Ok(())
    }));
    all.push(Shape::fallible("chain: an intermediate of another root", |making| {
        let root = intermediate("another root", 1)?.self_signed(&key(KeyKind::Rsa2048, "another root")?)?;
        making.root = root;
        Ok(())
    }));
    all.push(Shape::fallible("chain: the same name and key, expired, before it", |making| {
        let mut old = making.intermediate.0.clone();
        (old.serial, old.not_before, old.not_after) = (7, days(-300), days(-1));
        let name = format!("oracle {}", old.subject);
        let old = old.issued_by(&making.root, &key(making.intermediate.1, &name)?)?;
        making.embedded_before.push(old.der().to_vec());
        Ok(())
    }));
    all.push(Shape::fallible("chain: an intermediate with an empty subject", |making| {
        making.intermediate.0.subject = x509_cert::name::RdnSequence(Vec::new());
        Ok(())
    }));
    all.push(Shape::fallible("end entity: with a name of its own, no id of any add-on", |making| {
        making.end_entity.0.subject = common_name("oracle@lab.example.org")?;
        Ok(())
    }));
    for depth in 1..=7u64 {
        let shape = Shape::fallible(format!("chain: {} intermediates", depth + 1), move |making| {
            for number in 0..depth {
                making
                    .below
                    .push((intermediate(&format!("below {number}"), 100 + number)?, KeyKind::Rsa2048));
            }
            Ok(())
        });
        all.push(shape.dear());
    }
    all.push(Shape::fallible("chain: an intermediate below a path length of 0", |making| {
        making.intermediate.0.basic_constraints = BasicConstraints::CaWithPathLength(0);
        making.below.push((intermediate("below 0", 100)?, KeyKind::Rsa2048));
        Ok(())
    }));
    all
}
