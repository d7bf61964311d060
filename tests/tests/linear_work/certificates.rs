//! Certificates, signatures and archives.

use std::hint::black_box;
use std::sync::Arc;

use ciborium::Value;
use jiff::Timestamp;
use mulberry_lab::pki::{
    BasicConstraints, CertificateSpec, Extension, Incident, IncidentDates, KeyKind, LabCertificate, LabKey,
    common_name, key,
};
use mulberry_lab::xpi_signer::{Addon, AddonSigner, ContainerStyle, SigningOptions, ZipEntry, zip};
use mulberry_shared::limits::Limits;
use mulberry_shared::x509::{
    Anchors, Certificate, Distrust, EndEntityTime, PathBuilder, Pool, SignatureMemo, Usage,
};

use crate::inputs::{elements, tlv};

const DAY: &str = "2019-03-01T00:00:00Z";
const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
const ALTERNATIVE_NAMES: &str = "2.5.29.17";
const NAME_CONSTRAINTS: &str = "2.5.29.30";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn p256(name: &str) -> Arc<LabKey> {
    key(KeyKind::P256, name).unwrap()
}

fn ca(name: &str) -> CertificateSpec {
    CertificateSpec::ca(
        common_name(name).unwrap(),
        1,
        time("2016-01-01T00:00:00Z"),
        time("2024-01-01T00:00:00Z"),
    )
}

fn end_entity(name: &str) -> CertificateSpec {
    let dates = (time("2019-01-01T00:00:00Z"), time("2020-01-01T00:00:00Z"));
    CertificateSpec::end_entity(common_name(name).unwrap(), 2, dates.0, dates.1)
}

fn anchor() -> LabCertificate {
    ca("anchor").self_signed(&p256("anchor")).unwrap()
}

/// A certificate with this extension.
fn with_extension(oid: &'static str, value: Vec<u8>) -> CertificateSpec {
    let mut spec = end_entity("leaf");
    spec.extensions = vec![Extension { oid, critical: false, value }];
    spec
}

fn issued(spec: &CertificateSpec) -> Vec<u8> {
    spec.issued_by(&anchor(), &p256("leaf")).unwrap().der().to_vec()
}

/// Bytes of a certificate of an extension alone, so that all of it stays within the ceiling.
const AROUND: usize = 700;

fn host(n: usize) -> Vec<u8> {
    tlv(0x82, &[format!("h{n:04}.example").as_bytes()])
}

fn attribute(n: usize) -> Vec<u8> {
    tlv(0x30, &[COMMON_NAME, &tlv(0x0c, &[format!("{n:05}").as_bytes()])])
}

/// Attributes from the last to the first: the worst order for what sorts by insertion.
fn in_reverse(bytes: usize) -> Vec<u8> {
    elements(bytes, |n| attribute(99_999 - n))
}

/// A Name of parts with one attribute each.
fn name(bytes: usize) -> Vec<u8> {
    tlv(0x30, &[&elements(bytes, |n| tlv(0x31, &[&attribute(n)]))])
}

pub(crate) fn alternative_names(bytes: usize) -> Vec<u8> {
    let names = elements(bytes.saturating_sub(AROUND), host);
    issued(&with_extension(ALTERNATIVE_NAMES, tlv(0x30, &[&names])))
}

pub(crate) fn directory_names(bytes: usize) -> Vec<u8> {
    let names = elements(bytes.saturating_sub(AROUND), |_| tlv(0xa4, &[&name(200)]));
    issued(&with_extension(ALTERNATIVE_NAMES, tlv(0x30, &[&names])))
}

/// A certificate by its parts: the names are none that a laboratory would make.
fn raw(subject: &[u8], extensions: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
    let (version, serial) = (tlv(0xa0, &[&[2, 1, 2]]), [2, 1, 1]);
    let issuer = name(40);
    let validity = tlv(0x30, &[&tlv(0x17, &[b"190101000000Z"]), &tlv(0x17, &[b"200101000000Z"])]);
    let key = p256("leaf");
    let extensions = if extensions.is_empty() { Vec::new() } else { tlv(0xa3, &[&tlv(0x30, &[extensions])]) };
    let tbs =
        tlv(0x30, &[&version, &serial, &algorithm, &issuer, &validity, subject, key.spki_der(), &extensions]);
    tlv(0x30, &[&tbs, &algorithm, &tlv(0x03, &[&[0], &[1; 70]])])
}

pub(crate) fn name_of_parts(bytes: usize) -> Vec<u8> {
    raw(&name(bytes.saturating_sub(400)), &[])
}

pub(crate) fn name_of_one_part(bytes: usize) -> Vec<u8> {
    raw(&tlv(0x30, &[&tlv(0x31, &[&in_reverse(bytes.saturating_sub(400))])]), &[])
}

pub(crate) fn constraint_of_one_part(bytes: usize) -> Vec<u8> {
    let wide = tlv(0x30, &[&tlv(0x31, &[&in_reverse(bytes.saturating_sub(AROUND))])]);
    let constraints = tlv(0x30, &[&tlv(0xa1, &[&tlv(0x30, &[&tlv(0xa4, &[&wide])])])]);
    issued(&with_extension(NAME_CONSTRAINTS, constraints))
}

pub(crate) fn extensions(bytes: usize) -> Vec<u8> {
    let extension = |n: usize| {
        let oid = [6, 4, 0x2b, 6, 0x81 | (n >> 7) as u8, (n & 0x7f) as u8];
        tlv(0x30, &[&oid, &tlv(4, &[&[0; 200]])])
    };
    raw(&name(40), &elements(bytes.saturating_sub(400), extension))
}

fn pem_of(certificates: &[LabCertificate]) -> Vec<u8> {
    certificates.iter().map(LabCertificate::pem).collect::<String>().into_bytes()
}

pub(crate) fn pem(bytes: usize) -> Vec<u8> {
    let one = anchor();
    pem_of(&vec![one.clone(); bytes / one.pem().len()])
}

/// An anchor, an end entity, and as many certificates as fit that claim the anchor and each other as issuers, in vain.
pub(crate) fn worthless(bytes: usize) -> Vec<u8> {
    let (anchor, attacker) = (anchor(), p256("attacker"));
    let leaf = end_entity("leaf").sign(&p256("leaf"), &common_name("n0").unwrap(), &attacker).unwrap();
    let mut all = vec![anchor.clone(), leaf];
    let len = all[1].pem().len() + 60;
    for n in 0..bytes / len - 2 {
        let spec = ca(&format!("n{n}"));
        let next = common_name(&format!("n{}", n + 1)).unwrap();
        let issuer = if n % 2 == 0 { &next } else { anchor.subject() };
        all.push(spec.sign(&attacker, issuer, &attacker).unwrap());
    }
    pem_of(&all)
}

/// A chain of an anchor, a CA with constraints and an end entity with names, each as large as it gets.
fn constrained(bytes: usize, subtree: impl Fn(usize) -> Vec<u8>, name: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let each = bytes / 2 - AROUND;
    let excluded = elements(each, |n| tlv(0x30, &[&subtree(n)]));
    let mut spec = ca("constrained");
    spec.extensions = vec![Extension {
        oid: NAME_CONSTRAINTS,
        critical: true,
        value: tlv(0x30, &[&tlv(0xa1, &[&excluded])]),
    }];
    let (anchor, keys) = (anchor(), p256("constrained"));
    let constrained = spec.issued_by(&anchor, &keys).unwrap();
    let leaf = with_extension(ALTERNATIVE_NAMES, tlv(0x30, &[&elements(each, name)]));
    let leaf = leaf.issued_by(&constrained, &p256("leaf")).unwrap();
    pem_of(&[anchor, leaf, constrained])
}

pub(crate) fn hosts_and_constraints(bytes: usize) -> Vec<u8> {
    constrained(bytes, |n| host(n + 5_000), host)
}

pub(crate) fn names_and_constraints(bytes: usize) -> Vec<u8> {
    let names = |n: usize| tlv(0xa4, &[&name(300 + n % 7)]);
    constrained(bytes, names, |n| tlv(0xa4, &[&name(290 + n % 5)]))
}

/// What a thief of a CA's key can make: layers of CAs, each issued by all of the layer above, below one that may have none below it.
/// A layer is a whole number of CAs wide, so only some sizes double.
pub(crate) fn mesh(bytes: usize) -> Vec<u8> {
    let anchor = anchor();
    let len = anchor.pem().len() + 40;
    let width = (1..).take_while(|width| (width + 4 * width * width + 2) * len <= bytes).last().unwrap();
    let mut top = ca("top");
    top.basic_constraints = BasicConstraints::CaWithPathLength(0);
    let top = top.issued_by(&anchor, &p256("top")).unwrap();
    let mut all = Vec::new();
    let keys: Vec<_> = (0..width).map(|n| p256(&format!("mesh {n}"))).collect();
    for layer in 0..5 {
        for key in &keys {
            let spec = ca(&format!("layer {layer}"));
            if layer == 0 {
                all.push(spec.issued_by(&top, key).unwrap());
                continue;
            }
            let issuer = common_name(&format!("layer {}", layer - 1)).unwrap();
            all.extend(keys.iter().map(|other| spec.sign(key, &issuer, other).unwrap()));
        }
    }
    let leaf = end_entity("leaf").issued_by(all.last().unwrap(), &p256("leaf")).unwrap();
    pem_of(&[vec![anchor, leaf, top], all].concat())
}

/// The first certificate is the anchor, the second the end entity, the others stand beside it.
pub(crate) fn build_path(pem: &[u8]) {
    let limits = Limits::default().x509;
    let all = Certificate::parse_pem(pem, &limits).unwrap();
    let (anchor, leaf, embedded) = (&all[0], &all[1], &all[2..]);
    let builder = PathBuilder {
        anchors: &Anchors::from_iter([anchor.clone()]),
        pool: &Pool::new(),
        distrust: &Distrust::default(),
        memo: &SignatureMemo::default(),
        usage: Usage::CodeSigning,
        end_entity_time: EndEntityTime::Enforce,
        limits: &limits,
    };
    drop(black_box(builder.build(leaf, embedded, time(DAY))));
}

const DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const SIGNED_DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const SHA256: &[u8] = &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// A PKCS#7 signature of an unnamed key, with these certificates and signed attributes.
fn pkcs7(certificates: &[u8], attributes: &[u8]) -> Vec<u8> {
    let signer = tlv(
        0x30,
        &[
            &[2, 1, 1],
            &tlv(0x30, &[&name(40), &[2, 1, 1]]),
            &tlv(0x30, &[SHA256]),
            &tlv(0xa0, &[attributes]),
            &tlv(0x30, &[RSA]),
            &tlv(4, &[&[1; 256]]),
        ],
    );
    let signed = tlv(
        0x30,
        &[
            &[2, 1, 1],
            &tlv(0x31, &[]),
            &tlv(0x30, &[DATA]),
            &tlv(0xa0, &[certificates]),
            &tlv(0x31, &[&signer]),
        ],
    );
    tlv(0x30, &[SIGNED_DATA, &tlv(0xa0, &[&signed])])
}

pub(crate) fn pkcs7_of_certificates(bytes: usize) -> Vec<u8> {
    let one = raw(&name(40), &[]);
    pkcs7(&elements(bytes - 600, |_| one.clone()), &[])
}

pub(crate) fn pkcs7_of_attributes(bytes: usize) -> Vec<u8> {
    let one = raw(&name(40), &[]);
    let attribute = |n: usize| {
        tlv(
            0x30,
            &[&[6, 3, 0x55, 4, 3], &tlv(0x31, &[&tlv(0x0c, &[format!("{:05}", 99_999 - n).as_bytes()])])],
        )
    };
    pkcs7(&one, &elements(bytes - 1_000, attribute))
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

pub(crate) fn cose_items(bytes: usize) -> Vec<u8> {
    cbor(&Value::Tag(98, Box::new(Value::Array(vec![Value::Null; bytes]))))
}

pub(crate) fn cose_nesting(bytes: usize) -> Vec<u8> {
    let deep = (0..10).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    cbor(&Value::Tag(98, Box::new(Value::Array(vec![deep; bytes / 11]))))
}

pub(crate) fn cose_labels(bytes: usize) -> Vec<u8> {
    let header = Value::Map((0..bytes / 5).map(|n| (Value::from(100_000 + n as u64), Value::Null)).collect());
    let parts =
        vec![Value::Bytes(cbor(&header)), Value::Map(Vec::new()), Value::Null, Value::Array(Vec::new())];
    cbor(&Value::Tag(98, Box::new(Value::Array(parts))))
}

fn archive(names: impl Iterator<Item = String>) -> Vec<u8> {
    let entries: Vec<ZipEntry> = names.map(|name| ZipEntry::new(name, Vec::new())).collect();
    zip::write(&entries, ContainerStyle::LocalHeader, &[]).unwrap()
}

pub(crate) fn zip_of_entries(bytes: usize) -> Vec<u8> {
    archive((0..bytes / 88).map(|n| format!("{n:06}")))
}

pub(crate) fn zip_of_long_names(bytes: usize) -> Vec<u8> {
    archive((0..bytes / 2_080).map(|n| format!("{}{n:06}", "x".repeat(990))))
}

pub(crate) fn signed_add_on(bytes: usize) -> Vec<u8> {
    let incident =
        Incident::with_keys(KeyKind::P256, IncidentDates::expired_at(time("2019-05-04T00:09:46Z")).unwrap());
    let incident = incident.unwrap();
    let options = SigningOptions::service_of_2018(time("2018-07-01T00:00:00Z"), time("2019-05-04T00:09:46Z"));
    let signer = AddonSigner { issuer: &incident.expiring, options };
    let mut addon = Addon::small("linear@example.org");
    for n in 0..bytes / 260 {
        addon = addon.with_file(format!("f{n:05}.js"), b"content".to_vec());
    }
    signer.sign(&addon).unwrap()
}
