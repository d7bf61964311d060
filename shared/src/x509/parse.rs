//! Reading one certificate: structure by `x509-cert`, exact byte ranges and bounds by us.

use std::ops::Range;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280 as oid;
use der::asn1::BitStringRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use jiff::Timestamp;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::time::Time;
use x509_cert::{TbsCertificate, Version};

use super::error::{CertificateError, CertificateErrorKind};
use crate::digest::Sha256Digest;
use crate::limits::X509Limits;

/// What is kept of a certificate. Ranges point into `der`.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) der: Box<[u8]>,
    pub(super) sha256: Sha256Digest,
    pub(super) spki_sha256: Sha256Digest,
    pub(super) tbs: Range<usize>,
    pub(super) issuer: Range<usize>,
    pub(super) subject: Range<usize>,
    /// Content of the signature's AlgorithmIdentifier, without its header: the form `webpki` compares.
    pub(super) signature_algorithm: Range<usize>,
    pub(super) signature: Range<usize>,
    /// Content of the key's AlgorithmIdentifier, without its header.
    pub(super) key_algorithm: Range<usize>,
    pub(super) key: Range<usize>,
    /// The last common name of the subject.
    pub(super) common_name: Option<Box<str>>,
    pub(super) serial: Box<[u8]>,
    pub(super) version: Version,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) extensions: Extensions,
}

/// The extensions that path building looks at.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) extended_key_usages: Option<Vec<ObjectIdentifier>>,
    pub(super) name_constraints: Option<Box<NameConstraints>>,
    pub(super) alternative_names: Vec<GeneralName>,
    pub(super) subject_key_id: Option<Box<[u8]>>,
    pub(super) authority_key_id: Option<Box<[u8]>>,
    /// The first critical extension that is not one of the above, or is marked critical against RFC 5280.
    pub(super) unknown_critical: Option<ObjectIdentifier>,
}

/// Parses exactly one certificate.
pub(super) fn certificate(der: &[u8], limits: &X509Limits) -> Result<Parsed, CertificateError> {
    if der.len() > limits.certificate_bytes {
        return Err(CertificateError::new(
            CertificateErrorKind::TooLarge,
            format!("the certificate has {} bytes, more than {}", der.len(), limits.certificate_bytes),
        ));
    }
    let outer = Outer::read(der).map_err(CertificateError::malformed)?;
    let inner = Inner::read(outer.tbs).map_err(CertificateError::malformed)?;
    if outer.signature_algorithm != inner.signature_algorithm {
        return Err(CertificateError::malformed("its two signature algorithms differ"));
    }
    let tbs = TbsCertificate::from_der(outer.tbs).map_err(CertificateError::malformed)?;
    if tbs.issuer.is_empty() {
        return Err(CertificateError::malformed("its issuer is empty"));
    }
    let key = tbs.subject_public_key_info.subject_public_key.as_bytes();
    if key.is_none() || tbs.extensions.is_some() && tbs.version != Version::V3 {
        return Err(CertificateError::malformed("its public key or version is impossible"));
    }
    let (key_algorithm, key) = read_key(inner.spki).map_err(CertificateError::malformed)?;
    let range = |part: &[u8]| {
        range_within(der, part).ok_or_else(|| CertificateError::malformed("its parts lie outside it"))
    };
    Ok(Parsed {
        sha256: Sha256Digest::of(der),
        spki_sha256: Sha256Digest::of(inner.spki),
        tbs: range(outer.tbs)?,
        issuer: range(inner.issuer)?,
        subject: range(inner.subject)?,
        signature_algorithm: range(content(outer.signature_algorithm)?)?,
        signature: range(outer.signature)?,
        key_algorithm: range(content(key_algorithm)?)?,
        key: range(key)?,
        der: der.into(),
        common_name: super::certificate::common_name(&tbs.subject).map(Into::into),
        serial: tbs.serial_number.as_bytes().into(),
        version: tbs.version,
        not_before: timestamp(tbs.validity.not_before),
        not_after: timestamp(tbs.validity.not_after),
        extensions: extensions(tbs.extensions.as_deref().unwrap_or_default(), limits)?,
    })
}

/// The three parts of a certificate (RFC 5280 section 4.1), as the bytes that stand there.
struct Outer<'a> {
    tbs: &'a [u8],
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Outer<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let outer = reader.sequence(|reader| {
            let tbs = reader.tlv_bytes()?;
            let signature_algorithm = reader.tlv_bytes()?;
            let signature = whole_bytes(BitStringRef::decode(reader)?)?;
            Ok(Self { tbs, signature_algorithm, signature })
        })?;
        reader.finish(outer)
    }
}

/// The parts of the TBSCertificate that are needed exactly as they stand there.
struct Inner<'a> {
    signature_algorithm: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
}

impl<'a> Inner<'a> {
    fn read(tbs: &'a [u8]) -> der::Result<Self> {
        let version = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };
        let mut reader = SliceReader::new(tbs)?;
        reader.sequence(|reader| {
            if reader.peek_tag()? == version {
                reader.tlv_bytes()?;
            }
            let _serial = reader.tlv_bytes()?;
            let signature_algorithm = reader.tlv_bytes()?;
            let issuer = reader.tlv_bytes()?;
            let _validity = reader.tlv_bytes()?;
            let subject = reader.tlv_bytes()?;
            let spki = reader.tlv_bytes()?;
            reader.read_slice(reader.remaining_len())?;
            Ok(Self { signature_algorithm, issuer, subject, spki })
        })
    }
}

fn read_key(spki: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(spki)?;
    let parts = reader.sequence(|reader| {
        let algorithm = reader.tlv_bytes()?;
        Ok((algorithm, whole_bytes(BitStringRef::decode(reader)?)?))
    })?;
    reader.finish(parts)
}

fn whole_bytes(bits: BitStringRef<'_>) -> der::Result<&[u8]> {
    bits.as_bytes().ok_or_else(|| Tag::BitString.value_error())
}

/// The content of one TLV.
fn content(tlv: &[u8]) -> Result<&[u8], CertificateError> {
    let mut reader = SliceReader::new(tlv).map_err(CertificateError::malformed)?;
    reader.sequence(|reader| reader.read_slice(reader.remaining_len())).map_err(CertificateError::malformed)
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_within(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

/// Whole seconds, as certificates have them. Year 9999, "no well-defined expiration" (RFC 5280 section 4.1.2.5), ends
/// a day after the last instant `Timestamp` can hold; it becomes that instant.
fn timestamp(time: Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

fn extensions(list: &[Extension], limits: &X509Limits) -> Result<Extensions, CertificateError> {
    if list.len() > limits.extensions {
        return Err(CertificateError::new(
            CertificateErrorKind::TooLarge,
            format!("the certificate has {} extensions, more than {}", list.len(), limits.extensions),
        ));
    }
    let mut found = Extensions::default();
    let mut seen = Vec::with_capacity(list.len());
    for extension in list {
        let id = extension.extn_id;
        if seen.contains(&id) {
            return Err(CertificateError::malformed(format_args!("extension {id} occurs twice")));
        }
        seen.push(id);
        let known = found
            .read(extension)
            .map_err(|e| CertificateError::malformed(format_args!("extension {id}: {e}")))?;
        if !known && extension.critical {
            found.unknown_critical.get_or_insert(id);
        }
    }
    Ok(found)
}

impl Extensions {
    /// The decoded lists; the texts in them are no longer together than the certificate.
    pub(super) fn memory_bytes(&self) -> usize {
        let constraints = self.name_constraints.as_deref();
        let subtrees = constraints.map(|c| c.permitted_subtrees.iter().chain(&c.excluded_subtrees).flatten());
        let constrained = subtrees.into_iter().flatten().map(|subtree| &subtree.base);
        constrained.chain(&self.alternative_names).map(name_bytes).sum::<usize>()
            + self.extended_key_usages.as_ref().map_or(0, Vec::len) * size_of::<ObjectIdentifier>()
    }

    /// Whether the extension is one that is processed.
    fn read(&mut self, extension: &Extension) -> der::Result<bool> {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            oid::ID_CE_BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(BasicConstraints::from_der(value)?);
            }
            oid::ID_CE_KEY_USAGE => self.key_usage = Some(KeyUsage::from_der(value)?),
            oid::ID_CE_EXT_KEY_USAGE => {
                self.extended_key_usages = Some(not_empty(ExtendedKeyUsage::from_der(value)?.0)?);
            }
            oid::ID_CE_NAME_CONSTRAINTS => {
                let constraints = NameConstraints::from_der(value)?;
                let (permitted, excluded) = (&constraints.permitted_subtrees, &constraints.excluded_subtrees);
                // RFC 5280 section 4.2.1.10: neither empty, nor both absent.
                if permitted.is_none() && excluded.is_none()
                    || permitted.as_ref().is_some_and(Vec::is_empty)
                    || excluded.as_ref().is_some_and(Vec::is_empty)
                {
                    return Err(Tag::Sequence.value_error());
                }
                self.name_constraints = Some(Box::new(constraints));
            }
            oid::ID_CE_SUBJECT_ALT_NAME => {
                self.alternative_names = not_empty(SubjectAltName::from_der(value)?.0)?;
            }
            // Hints only, and never critical (RFC 5280 sections 4.2.1.1 and 4.2.1.2).
            oid::ID_CE_SUBJECT_KEY_IDENTIFIER => {
                let id = SubjectKeyIdentifier::from_der(value)?;
                self.subject_key_id = Some(id.0.as_bytes().into());
                return Ok(false);
            }
            oid::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
                let id = AuthorityKeyIdentifier::from_der(value)?;
                self.authority_key_id = id.key_identifier.map(|id| id.as_bytes().into());
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn name_bytes(name: &GeneralName) -> usize {
    let parts = match name {
        GeneralName::DirectoryName(name) => name.0.iter().map(|part| part.0.len()).sum(),
        _ => 0,
    };
    size_of::<GeneralSubtree>() + parts * size_of::<AttributeTypeAndValue>()
}

fn not_empty<T>(list: Vec<T>) -> der::Result<Vec<T>> {
    if list.is_empty() { Err(Tag::Sequence.value_error()) } else { Ok(list) }
}
