//! `mozilla.rsa`: detached CMS SignedData (RFC 5652) over the signature file.

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5911, rfc5912};
use der::Encode;
use der::asn1::UtcTime;
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::Fault;
use super::der_write::{integer, null, octets, oid, sequence, set, sorted, tlv};
use crate::LabError;
use crate::pki::{KeyKind, LabCertificate, SignatureKind};

/// How `mozilla.rsa` is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pkcs7Options {
    /// The digest of the signature.
    pub digest: CmsDigest,
    /// Signed attributes (contentType, signingTime, messageDigest), or a signature directly over the content.
    pub attributes: SignedAttributes,
    /// How the signer is named.
    pub signer_id: SignerId,
    /// How algorithms are written.
    pub algorithms: AlgorithmStyle,
}

/// The digest of a CMS signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmsDigest {
    /// SHA-1: most real files.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// Whether attributes are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignedAttributes {
    /// The signature covers attributes that carry the content's digest.
    Present,
    /// The signature covers the content itself.
    Absent,
}

/// How a signer is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerId {
    /// By issuer and serial number: SignerInfo version 1.
    IssuerAndSerial,
    /// By subject key identifier: SignerInfo version 3.
    SubjectKeyId,
}

/// How algorithm identifiers are written; both styles stand in real files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgorithmStyle {
    /// `rsaEncryption` and NULL parameters: the older service.
    RsaEncryption,
    /// `sha…WithRSAEncryption` and no parameters: the newer one.
    DigestWithRsa,
}

/// Signs the content. `signer` stands in the SignerInfo; `certificates` are the embedded ones, DER.
pub(crate) fn signed_data(
    content: &[u8],
    signer: &LabCertificate,
    certificates: Vec<Vec<u8>>,
    at: Timestamp,
    options: Pkcs7Options,
    faults: &[Fault],
) -> Result<Vec<u8>, LabError> {
    let digest_algorithm = match (options.digest, options.algorithms) {
        (CmsDigest::Sha1, AlgorithmStyle::RsaEncryption) => sequence(&[&oid(rfc5912::ID_SHA_1), &null()]),
        (CmsDigest::Sha1, AlgorithmStyle::DigestWithRsa) => sequence(&[&oid(rfc5912::ID_SHA_1)]),
        (CmsDigest::Sha256, AlgorithmStyle::RsaEncryption) => sequence(&[&oid(rfc5912::ID_SHA_256), &null()]),
        (CmsDigest::Sha256, AlgorithmStyle::DigestWithRsa) => sequence(&[&oid(rfc5912::ID_SHA_256)]),
    };
    let has = |fault: Fault| faults.contains(&fault);
    let mut infos = vec![signer_info(content, signer, at, options, &digest_algorithm, faults)?];
    if has(Fault::TwoSignerInfos) {
        let other = match options.attributes {
            SignedAttributes::Present => SignedAttributes::Absent,
            SignedAttributes::Absent => SignedAttributes::Present,
        };
        let options = Pkcs7Options { attributes: other, ..options };
        infos.push(signer_info(content, signer, at, options, &digest_algorithm, faults)?);
    }
    // Whoever needs the other digest finds a signer too.
    if has(Fault::SignerOfOtherDigest) {
        let (digest, other) = match options.digest {
            CmsDigest::Sha1 => (CmsDigest::Sha256, rfc5912::ID_SHA_256),
            CmsDigest::Sha256 => (CmsDigest::Sha1, rfc5912::ID_SHA_1),
        };
        let options = Pkcs7Options { digest, ..options };
        infos.push(signer_info(content, signer, at, options, &sequence(&[&oid(other)]), faults)?);
    }
    if has(Fault::NoSignerInfo) {
        infos.clear();
    }
    let version = if options.signer_id == SignerId::SubjectKeyId { 3 } else { 1 };
    let data = oid(rfc5911::ID_DATA);
    let encapsulated = if has(Fault::AttachedContent) {
        sequence(&[&data, &tlv(0xa0, &octets(content))])
    } else {
        sequence(&[&data])
    };
    let mut out = sequence(&[
        &oid(rfc5911::ID_SIGNED_DATA),
        &tlv(
            0xa0,
            &sequence(&[
                &integer(version),
                &set(vec![digest_algorithm]),
                &encapsulated,
                &tlv(0xa0, &sorted(certificates)),
                &set(infos),
            ]),
        ),
    ]);
    if has(Fault::SignatureTruncated) {
        out.truncate(out.len() / 2);
    }
    if has(Fault::SignatureTrailingData) {
        out.extend_from_slice(b"more");
    }
    if has(Fault::SignatureNotAsn1) {
        out = b"this is not ASN.1 at all".to_vec();
    }
    Ok(out)
}

fn signer_info(
    content: &[u8],
    signer: &LabCertificate,
    at: Timestamp,
    options: Pkcs7Options,
    digest_algorithm: &[u8],
    faults: &[Fault],
) -> Result<Vec<u8>, LabError> {
    let has = |fault: Fault| faults.contains(&fault);
    let (version, id) = match options.signer_id {
        SignerId::IssuerAndSerial => (1, sequence(&[&signer.issuer().to_der()?, &integer(signer.serial())])),
        SignerId::SubjectKeyId => (3, tlv(0x80, &signer.key_identifier()?)),
    };
    let attributes = match options.attributes {
        SignedAttributes::Absent => None,
        SignedAttributes::Present => {
            let mut digest = match options.digest {
                CmsDigest::Sha1 => Sha1::digest(content).to_vec(),
                CmsDigest::Sha256 => Sha256::digest(content).to_vec(),
            };
            if has(Fault::WrongMessageDigest) {
                flip(&mut digest);
            }
            let seconds = u64::try_from(at.as_second()).unwrap_or_default();
            let time = UtcTime::from_unix_duration(std::time::Duration::from_secs(seconds))?.to_der()?;
            let mut list = vec![
                attribute(rfc5911::ID_CONTENT_TYPE, oid(rfc5911::ID_DATA)),
                attribute(rfc5911::ID_SIGNING_TIME, time),
            ];
            if !has(Fault::MissingMessageDigest) {
                list.push(attribute(rfc5911::ID_MESSAGE_DIGEST, octets(&digest)));
            }
            Some(sorted(list))
        }
    };
    // RFC 5652 section 5.4: the signature covers the attributes as an explicit SET OF.
    let message = attributes.as_ref().map_or_else(|| content.to_vec(), |list| tlv(0x31, list));
    let elliptic = matches!(signer.key().kind(), KeyKind::P256 | KeyKind::P384 | KeyKind::P521);
    let kind = match options.digest {
        _ if elliptic => SignatureKind::EcdsaSha256,
        CmsDigest::Sha1 => SignatureKind::Sha1Rsa,
        CmsDigest::Sha256 => SignatureKind::Sha256Rsa,
    };
    let mut signature = signer.key().sign(kind, &message)?;
    if has(Fault::SignatureBitFlipped) {
        flip(&mut signature);
    }
    let signature_algorithm = match (options.algorithms, options.digest) {
        _ if elliptic => sequence(&[&oid(rfc5912::ECDSA_WITH_SHA_256)]),
        (AlgorithmStyle::RsaEncryption, _) => sequence(&[&oid(rfc5912::RSA_ENCRYPTION), &null()]),
        (AlgorithmStyle::DigestWithRsa, CmsDigest::Sha1) => {
            sequence(&[&oid(rfc5912::SHA_1_WITH_RSA_ENCRYPTION)])
        }
        (AlgorithmStyle::DigestWithRsa, CmsDigest::Sha256) => {
            sequence(&[&oid(rfc5912::SHA_256_WITH_RSA_ENCRYPTION)])
        }
    };
    let attributes = attributes.map(|list| tlv(0xa0, &list)).unwrap_or_default();
    Ok(sequence(&[
        &integer(version),
        &id,
        digest_algorithm,
        &attributes,
        &signature_algorithm,
        &octets(&signature),
    ]))
}

fn attribute(name: ObjectIdentifier, value: Vec<u8>) -> Vec<u8> {
    sequence(&[&oid(name), &set(vec![value])])
}

/// Changes one bit in the middle.
pub(super) fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}
