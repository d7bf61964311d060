//! Reading one certificate: what is kept of it, and the bounds.

use std::ops::Range;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280 as oid;
use const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use const_oid::db::rfc6962::CT_PRECERT_SCTS;
use der::{Decode, Tag};
use jiff::Timestamp;
use x509_cert::Version;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::time::Time;

use super::error::{CertificateError, CertificateErrorKind};
use super::structure::{self, Extension, Outer, Tbs};
use crate::digest::Sha256Digest;
use crate::limits::X509Limits;

/// RFC 7633 section 4.1.
const TLS_FEATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24");
/// Of the time before extended key usages.
const NETSCAPE_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");

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
    /// Whether it asks for TLS features (RFC 7633), as an issuer also of those below it.
    pub(super) tls_features: bool,
    /// Whether it has a critical Netscape certificate type.
    netscape_type: bool,
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
    let tbs = Tbs::read(outer.tbs, limits.name_part).map_err(|error| {
        check_names(outer.tbs, limits).err().unwrap_or_else(|| CertificateError::malformed(error))
    })?;
    if outer.signature_algorithm != tbs.signature_algorithm {
        return Err(CertificateError::malformed("its two signature algorithms differ"));
    }
    if tbs.issuer.is_empty {
        return Err(CertificateError::malformed("its issuer is empty"));
    }
    if tbs.extensions.is_some() && tbs.version != Version::V3 {
        return Err(CertificateError::malformed("its version has no extensions"));
    }
    let range = |part: &[u8]| {
        range_within(der, part).ok_or_else(|| CertificateError::malformed("its parts lie outside it"))
    };
    let extensions = extensions(tbs.extensions.unwrap_or_default(), limits)?;
    Ok(Parsed {
        sha256: Sha256Digest::of(der),
        spki_sha256: Sha256Digest::of(tbs.key.spki),
        tbs: range(outer.tbs)?,
        issuer: range(tbs.issuer.der)?,
        subject: range(tbs.subject.der)?,
        signature_algorithm: range(content(outer.signature_algorithm)?)?,
        signature: range(outer.signature)?,
        key_algorithm: range(content(tbs.key.algorithm)?)?,
        key: range(tbs.key.bytes)?,
        der: der.into(),
        common_name: tbs.subject.common_name.map(Into::into),
        serial: tbs.serial.as_bytes().into(),
        version: tbs.version,
        not_before: timestamp(tbs.validity.not_before),
        not_after: timestamp(tbs.validity.not_after),
        extensions,
    })
}

/// The content of one SEQUENCE.
fn content(der: &[u8]) -> Result<&[u8], CertificateError> {
    structure::sequence(der).map_err(CertificateError::malformed)
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

/// Refuses names that would take too long to decode.
fn check_names(der: &[u8], limits: &X509Limits) -> Result<(), CertificateError> {
    if !structure::has_larger_set(der, limits.name_part) {
        return Ok(());
    }
    let sentence =
        format!("the certificate has a name of which one part has more than {} attributes", limits.name_part);
    Err(CertificateError::new(CertificateErrorKind::TooLarge, sentence))
}

fn extensions(list: &[u8], limits: &X509Limits) -> Result<Extensions, CertificateError> {
    let mut found = Extensions::default();
    let mut seen = Vec::new();
    for extension in structure::elements(list) {
        let extension = extension.and_then(Extension::read).map_err(CertificateError::malformed)?;
        let id = extension.id;
        if seen.len() == limits.extensions {
            return Err(CertificateError::new(
                CertificateErrorKind::TooLarge,
                format!("the certificate has more than {} extensions", limits.extensions),
            ));
        }
        if seen.contains(&id) {
            return Err(CertificateError::malformed(format_args!("extension {id} occurs twice")));
        }
        seen.push(id);
        if matches!(id, oid::ID_CE_NAME_CONSTRAINTS | oid::ID_CE_SUBJECT_ALT_NAME) {
            check_names(extension.value, limits)?;
        }
        let known = found
            .read(&extension)
            .map_err(|e| CertificateError::malformed(format_args!("extension {id}: {e}")))?;
        if !known && extension.critical {
            found.unknown_critical.get_or_insert(id);
        }
    }
    if found.netscape_type && (found.basic_constraints.is_none() || found.extended_key_usages.is_none()) {
        found.unknown_critical.get_or_insert(NETSCAPE_TYPE);
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
    fn read(&mut self, extension: &Extension<'_>) -> der::Result<bool> {
        let value = extension.value;
        match extension.id {
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
            // Understood and not evaluated, as in Firefox: any policy will do (RFC 5280 section 6.1.1, user-initial-policy-set).
            oid::ID_CE_CERTIFICATE_POLICIES
            | oid::ID_CE_POLICY_CONSTRAINTS
            | oid::ID_CE_INHIBIT_ANY_POLICY
            | oid::ID_PE_AUTHORITY_INFO_ACCESS
            | CT_PRECERT_SCTS
            | ID_PKIX_OCSP_NOCHECK => {}
            TLS_FEATURE => self.tls_features = true,
            // basicConstraints and extended key usages say the same, where both are there.
            NETSCAPE_TYPE => self.netscape_type |= extension.critical,
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
