//! One certificate, parsed once and cheap to clone.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use const_oid::ObjectIdentifier;
use der::asn1::UintRef;
use der::{Decode, SliceReader};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
use x509_cert::Version;
use x509_cert::name::Name;

use super::error::CertificateError;
use super::parse::{self, Extensions, Parsed};
use super::pem;
use crate::digest::Sha256Digest;
use crate::limits::X509Limits;

/// Bits of an RSA key that counts for anything, as in Firefox.
pub const LEAST_RSA_BITS: usize = 2048;

/// An X.509 certificate: strict DER, within [`X509Limits`]. Equality, order and hash are those of its bytes.
///
/// Being one says nothing about being trusted: that is [`PathBuilder`](super::PathBuilder)'s word.
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

impl Certificate {
    /// Parses exactly one certificate in DER.
    ///
    /// # Errors
    /// Too large, not DER, not a certificate, or an extension that path building needs is malformed or occurs twice.
    /// Dates before 1970 are refused.
    pub fn parse_der(der: &[u8], limits: &X509Limits) -> Result<Self, CertificateError> {
        parse::certificate(der, limits).map(|parsed| Self(Arc::new(parsed)))
    }

    /// Parses every certificate of a PEM document, in order; text and other blocks between them are skipped.
    ///
    /// # Errors
    /// No certificate in it, one that does not parse, or a private key anywhere in it.
    pub fn parse_pem(pem: &[u8], limits: &X509Limits) -> Result<Vec<Self>, CertificateError> {
        pem::certificates(pem, limits)?.iter().map(|der| Self::parse_der(der, limits)).collect()
    }

    /// The certificate in PEM, lines of 64 characters.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let base64 = STANDARD.encode(self.der());
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for line in base64.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
        pem
    }

    /// Its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The SHA-256 of its bytes.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.0.sha256
    }

    /// The SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki_sha256(&self) -> Sha256Digest {
        self.0.spki_sha256
    }

    /// Its subject as text (RFC 4514).
    #[must_use]
    pub fn subject(&self) -> String {
        name_text(self.subject_der())
    }

    /// Its issuer as text (RFC 4514).
    #[must_use]
    pub fn issuer(&self) -> String {
        name_text(self.issuer_der())
    }

    /// Its subject, a Name in DER.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        self.part(&self.0.subject)
    }

    /// Its issuer, a Name in DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        self.part(&self.0.issuer)
    }

    /// Its serial number: the content of the DER INTEGER, big-endian.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// Its serial number in lower-case hexadecimal, without a leading sign octet.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        match self.serial() {
            [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
            serial => hex::encode(serial),
        }
    }

    /// The first second it is valid.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last second it is valid.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// Whether issuer and subject are the same name (which says nothing about who signed it).
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer_der() == self.subject_der()
    }

    /// Whether its basicConstraints say it is a CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.extensions().basic_constraints.as_ref().is_some_and(|constraints| constraints.ca)
    }

    /// The last (most specific) common name of its subject.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.0.common_name.as_deref()
    }

    /// Its subject key identifier.
    #[must_use]
    pub fn ski(&self) -> Option<&[u8]> {
        self.extensions().subject_key_id.as_deref()
    }

    /// The key identifier of its authority key identifier.
    #[must_use]
    pub fn aki(&self) -> Option<&[u8]> {
        self.extensions().authority_key_id.as_deref()
    }

    /// Its extended key usages; `None` without that extension.
    #[must_use]
    pub fn extended_key_usages(&self) -> Option<&[ObjectIdentifier]> {
        self.extensions().extended_key_usages.as_deref()
    }

    /// The content of its public key's AlgorithmIdentifier in DER, without the SEQUENCE header (the form
    /// `webpki::alg_id` and `SignatureVerificationAlgorithm::public_key_alg_id` use).
    #[must_use]
    pub fn public_key_algorithm(&self) -> &[u8] {
        self.part(&self.0.key_algorithm)
    }

    /// Its public key: the content of the subjectPublicKey BIT STRING.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.part(&self.0.key)
    }

    /// The bits of its public key's modulus; `None` where that is not RSA.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        // RFC 8017 appendix A.1.1: RSAPublicKey, modulus first.
        let modulus = |key: &[u8]| {
            let mut reader = SliceReader::new(super::structure::sequence(key)?)?;
            let modulus = UintRef::decode(&mut reader)?.as_bytes();
            let first = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            der::Result::Ok((modulus.len() * 8).saturating_sub(first))
        };
        let rsa = RSA_PKCS1_2048_8192_SHA256.public_key_alg_id();
        let is_rsa = self.public_key_algorithm() == rsa.as_ref();
        is_rsa.then(|| modulus(self.public_key()).ok()).flatten()
    }

    /// The content of its signature's AlgorithmIdentifier in DER, without the SEQUENCE header.
    pub(super) fn signature_algorithm(&self) -> &[u8] {
        self.part(&self.0.signature_algorithm)
    }

    /// What is signed, and the signature.
    pub(super) fn signed(&self) -> (&[u8], &[u8]) {
        (self.part(&self.0.tbs), self.part(&self.0.signature))
    }

    pub(super) fn version(&self) -> Version {
        self.0.version
    }

    pub(super) fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// Name (its first 200 characters) and serial as sentences have them: `"signingca1.addons.mozilla.org" (serial 100004)`.
    #[must_use]
    pub fn described(&self) -> String {
        let name = self.common_name().map_or_else(|| self.subject().into(), Cow::Borrowed);
        let end = name.char_indices().nth(200).map_or(name.len(), |(end, _)| end);
        format!("{:?} (serial {})", name.get(..end).unwrap_or_default(), self.serial_hex())
    }

    /// The most memory in bytes that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let common_name = self.common_name().map_or(0, str::len);
        size_of::<Parsed>() + 2 * self.der().len() + common_name + self.extensions().memory_bytes()
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der().get(range.clone()).unwrap_or_default()
    }
}

fn name_text(der: &[u8]) -> String {
    Name::from_der(der).map(|name| name.to_string()).unwrap_or_default()
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.der() == other.der()
    }
}

impl Eq for Certificate {}

/// So that a set of certificates can be asked for bytes: they are what equality and hash are of.
impl Borrow<[u8]> for Certificate {
    fn borrow(&self) -> &[u8] {
        self.der()
    }
}

impl PartialOrd for Certificate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Certificate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.der().cmp(other.der())
    }
}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der().hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} sha256 {})", self.described(), self.sha256())
    }
}

impl Serialize for Certificate {
    /// Base64 of its DER, as in published recipes.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.der()))
    }
}

impl<'de> Deserialize<'de> for Certificate {
    /// Parses within the default [`X509Limits`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let der = STANDARD.decode(text).map_err(|_| {
            serde::de::Error::custom("a certificate is base64 of its DER, this is not base64")
        })?;
        Self::parse_der(&der, &X509Limits::default()).map_err(serde::de::Error::custom)
    }
}
