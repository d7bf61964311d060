//! PKCS#7 and COSE.

use ciborium::Value;
use mulberry_shared::xpi::Refusal;

use super::Shape;
use crate::oracle::making::days;
use crate::pki::certificate::Presence;
use crate::pki::name::end_entity_name;
use crate::pki::{CertificateSpec, KeyKind, key, mozilla_name};
use crate::xpi_signer::der_write::tlv;
use crate::xpi_signer::{
    AlgorithmStyle, CmsDigest, CoseAlgorithm, Fault, ManifestDigests, SignedAttributes, SignerId,
};

fn block(name: &str, edit: impl Fn(Vec<u8>) -> Vec<u8> + Clone + 'static) -> Shape {
    Shape::new(format!("PKCS#7: {name}"), move |making| making.block_edits.push(Box::new(edit.clone())))
}

fn fault(name: &str, fault: Fault) -> Shape {
    Shape::new(format!("PKCS#7: {name}"), move |making| making.faults.push(fault))
}

fn cose(name: &str, algorithms: &'static [CoseAlgorithm]) -> Shape {
    Shape::new(format!("COSE: {name}"), move |making| making.cose = algorithms.to_vec())
}

fn cose_fault(name: &str, fault: Fault) -> Shape {
    Shape::new(format!("COSE: {name}"), move |making| {
        making.cose = vec![CoseAlgorithm::Es256];
        making.faults.push(fault);
    })
}

fn cose_edit(name: &str, edit: impl Fn(Vec<u8>) -> Vec<u8> + Clone + 'static) -> Shape {
    Shape::new(format!("COSE: {name}"), move |making| {
        making.cose = vec![CoseAlgorithm::Es256];
        making.cose_edits.push(Box::new(edit.clone()));
    })
}

/// `cose.sig` with its four parts changed.
fn cose_parts(name: &str, edit: impl Fn(&mut Vec<Value>) + Clone + 'static) -> Shape {
    cose_edit(name, move |bytes| {
        let Ok(Value::Tag(tag, body)) = ciborium::from_reader::<Value, _>(bytes.as_slice()) else {
            return bytes;
        };
        let Value::Array(mut parts) = *body else { return bytes };
        edit(&mut parts);
        let mut out = Vec::new();
        let _ = ciborium::into_writer(&Value::Tag(tag, Box::new(Value::Array(parts))), &mut out);
        out
    })
}

/// The outer SEQUENCE and what it holds in indefinite lengths, as streaming signers write it.
fn indefinite(der: &[u8], depth: usize) -> Vec<u8> {
    let Some((tag, header, content)) = element(der) else { return der.to_vec() };
    let rest = der.get(header + content.len()..).unwrap_or_default();
    let mut out = if tag & 0x20 != 0 && depth > 0 {
        let mut inner = Vec::new();
        let mut left = content;
        while let Some((_, header, content)) = element(left) {
            let (one, after) = left.split_at(header + content.len());
            inner.extend(indefinite(one, depth - 1));
            left = after;
        }
        [vec![tag, 0x80], inner, vec![0, 0]].concat()
    } else {
        der.get(..header + content.len()).unwrap_or_default().to_vec()
    };
    out.extend_from_slice(rest);
    out
}

/// Tag, header length and content of the first element.
fn element(der: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (tag, first) = (*der.first()?, *der.get(1)?);
    let (header, len) = if first < 0x80 {
        (2, usize::from(first))
    } else {
        let size = usize::from(first & 0x7f);
        let bytes = der.get(2..2 + size)?;
        (2 + size, bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
    };
    Some((tag, header, der.get(header..header + len)?))
}

/// Certificates nobody needs.
fn junk(count: u64, large: bool) -> Vec<Vec<u8>> {
    let made = (0..count).map(|serial| {
        let mut spec =
            CertificateSpec::ca(mozilla_name("Oracle", "junk").ok()?, serial + 1, days(-10), days(10));
        if large {
            spec.excluded_dns = (0..64).map(|n| format!("{n}.a-rather-long-name.junk.example.org")).collect();
        }
        let key = key(KeyKind::P256, "junk").ok()?;
        Some(spec.self_signed(&key).ok()?.der().to_vec())
    });
    made.flatten().collect()
}

/// All of them.
#[must_use]
#[allow(clippy::too_many_lines)]
pub fn all() -> Vec<Shape> {
    let mut all = Vec::new();
    for digest in [CmsDigest::Sha1, CmsDigest::Sha256] {
        for attributes in [SignedAttributes::Present, SignedAttributes::Absent] {
            for signer_id in [SignerId::IssuerAndSerial, SignerId::SubjectKeyId] {
                for algorithms in [AlgorithmStyle::RsaEncryption, AlgorithmStyle::DigestWithRsa] {
                    let name = format!(
                        "PKCS#7: {digest:?}, attributes {attributes:?}, {signer_id:?}, {algorithms:?}"
                    );
                    all.push(Shape::new(name, move |making| {
                        (making.manifest_digests, making.signature_file_digests) =
                            (ManifestDigests::Sha1AndSha256, ManifestDigests::Sha1AndSha256);
                        making.end_entity.0.subject_key_id = Presence::Present;
                        if let Some(pkcs7) = &mut making.pkcs7 {
                            (pkcs7.digest, pkcs7.attributes, pkcs7.signer_id, pkcs7.algorithms) =
                                (digest, attributes, signer_id, algorithms);
                        }
                    }));
                }
            }
        }
    }
    all.extend([
        Shape::new("PKCS#7: none", |making| making.pkcs7 = None),
        fault("two signers", Fault::TwoSignerInfos),
        fault("a signer of the other digest too", Fault::SignerOfOtherDigest),
        fault("no signer", Fault::NoSignerInfo),
        fault("bit flipped", Fault::SignatureBitFlipped),
        fault("truncated", Fault::SignatureTruncated),
        fault("bytes behind it", Fault::SignatureTrailingData),
        fault("no ASN.1", Fault::SignatureNotAsn1),
        fault("content attached", Fault::AttachedContent),
        fault("another message digest", Fault::WrongMessageDigest),
        fault("no message digest", Fault::MissingMessageDigest),
        fault("end entity not embedded", Fault::EndEntityNotEmbedded),
        block("empty", |_| Vec::new()),
        block("a NUL behind it", |bytes| [bytes, vec![0]].concat()),
        block("indefinite lengths, outside", |bytes| indefinite(&bytes, 1)),
        block("indefinite lengths, two deep", |bytes| indefinite(&bytes, 2)),
        block("indefinite lengths, three deep", |bytes| indefinite(&bytes, 3)),
        block("a length that is too long", |bytes| match element(&bytes) {
            Some((tag, _, content)) => {
                [vec![tag, 0x84], (content.len() as u32).to_be_bytes().to_vec(), content.to_vec()].concat()
            }
            None => bytes,
        }),
        block("in another SEQUENCE", |bytes| tlv(0x30, &bytes)),
        block("PEM", |bytes| {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("-----BEGIN PKCS7-----\n{text}\n-----END PKCS7-----\n").into_bytes()
        }),
        Shape::new("PKCS#7: three certificates more", |making| making.embedded_before = junk(3, false)),
        Shape::new("PKCS#7: intermediates not embedded", |making| {
            making.intermediates_embedded = Presence::Absent;
        }),
        Shape::new("PKCS#7: what is no certificate beside them", |making| {
            making.embedded_before = vec![tlv(0x30, b"\x02\x01\x07")];
        }),
        Shape::refused("PKCS#7: 300 certificates more", Refusal::Ceiling, |making| {
            making.embedded_before = junk(300, false);
        })
        .dear(),
        Shape::refused("PKCS#7: 300 KB of certificates more", Refusal::Ceiling, |making| {
            making.embedded_before = junk(120, true);
        })
        .dear(),
        cose("ES256", &[CoseAlgorithm::Es256]),
        cose("ES384", &[CoseAlgorithm::Es384]),
        cose("ES512", &[CoseAlgorithm::Es512]),
        cose("PS256", &[CoseAlgorithm::Ps256]),
        cose("ES256 and ES384", &[CoseAlgorithm::Es256, CoseAlgorithm::Es384]),
        cose("ES256 and PS256", &[CoseAlgorithm::Es256, CoseAlgorithm::Ps256]),
        Shape::refused("COSE: nine signers", Refusal::Ceiling, |making| {
            making.cose = vec![CoseAlgorithm::Es256; 9];
        }),
        cose_fault("external_aad empty", Fault::CoseEmptyAad),
        cose_fault("bit flipped", Fault::CoseBitFlipped),
        cose_fault("untagged", Fault::CoseUntagged),
        cose_fault("truncated", Fault::CoseTruncated),
        cose_fault("a byte behind it", Fault::CoseTrailingData),
        cose_fault("deep", Fault::CoseDeepNesting),
        cose_edit("empty", |_| Vec::new()),
        cose_edit("another tag", |mut bytes| {
            bytes.splice(..2, [0xd8, 99]);
            bytes
        }),
        cose_edit("the array without a length", |bytes| match bytes.split_at_checked(3) {
            Some((head, rest)) => [head.get(..2).unwrap_or_default(), &[0x9f], rest, &[0xff]].concat(),
            None => bytes,
        }),
        cose_edit("a length that is too long", |bytes| match bytes.split_at_checked(3) {
            Some((head, rest)) => [head.get(..2).unwrap_or_default(), &[0x98, 4], rest].concat(),
            None => bytes,
        }),
        cose_edit("the tag in two bytes", |bytes| match bytes.split_at_checked(2) {
            Some((_, rest)) => [&[0xd9, 0, 98], rest].concat(),
            None => bytes,
        }),
        cose_parts("an unprotected header", |parts| parts[1] = Value::Map(vec![(4.into(), Value::Null)])),
        cose_parts("a signer's unprotected header", |parts| {
            if let Some(Value::Array(signers)) = parts.get_mut(3)
                && let Some(Value::Array(signer)) = signers.get_mut(0)
            {
                signer[1] = Value::Map(vec![(4.into(), Value::Null)]);
            }
        }),
        cose_parts("content attached", |parts| parts[2] = Value::Bytes(b"content".to_vec())),
        cose_parts("no signer", |parts| parts[3] = Value::Array(Vec::new())),
        cose_parts("a part too many", |parts| parts.push(Value::Null)),
        cose_parts("a header that is no bytes", |parts| parts[0] = Value::Map(Vec::new())),
        cose_parts("an empty header", |parts| parts[0] = Value::Bytes(Vec::new())),
        Shape::new("COSE: signed by another id", |making| {
            making.cose = vec![CoseAlgorithm::Es256];
            making.cose_edits.push(Box::new(|bytes| bytes));
        }),
    ]);
    all.push(Shape::fallible("PKCS#7: an impostor of the end entity before it", |making| {
        let junk = key(KeyKind::Rsa2048, "impostor")?;
        let mut spec = making.end_entity.0.clone();
        spec.subject = end_entity_name("a")?;
        let made = spec.sign(&junk, &making.intermediate.0.subject, &junk)?;
        making.embedded_before.push(made.der().to_vec());
        Ok(())
    }));
    all.push(Shape::fallible("PKCS#7: an impostor of the end entity behind it", |making| {
        let junk = key(KeyKind::Rsa2048, "impostor")?;
        let mut spec = making.end_entity.0.clone();
        // DER sorts by length first here.
        spec.subject =
            mozilla_name("behind it because it is much longer than the other one", &"x".repeat(60))?;
        spec.excluded_dns = (0..30).map(|n| format!("{n}.impostor.example.org")).collect();
        let made = spec.sign(&junk, &making.intermediate.0.subject, &junk)?;
        making.embedded_before.push(made.der().to_vec());
        Ok(())
    }));
    all.push(Shape::new("PKCS#7: signature file of signer SHA-1 names", |making| {
        if let Some(pkcs7) = &mut making.pkcs7 {
            pkcs7.digest = CmsDigest::Sha1;
        }
    }));
    all
}
