//! A certificate of every shape met in real files, and some that must be refused.

use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use const_oid::ObjectIdentifier;
use const_oid::db::{rfc5280, rfc5912};
use der::asn1::{Any, BitString, GeneralizedTime, Ia5String, OctetString, UtcTime};
use der::{Decode, DecodePem, Encode};
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{self, AuthorityKeyIdentifier, KeyUsage, NameConstraints};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate};

pub use x509_cert::certificate::Version;
pub use x509_cert::ext::pkix::KeyUsages;

use super::keys::LabKey;
use crate::LabError;

/// How a certificate is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureKind {
    /// sha1WithRSAEncryption: must be refused in a certificate.
    Sha1Rsa,
    /// sha256WithRSAEncryption.
    Sha256Rsa,
    /// sha384WithRSAEncryption: what the real certificates have.
    Sha384Rsa,
    /// ecdsa-with-SHA256.
    EcdsaSha256,
    /// ecdsa-with-SHA384.
    EcdsaSha384,
    /// ecdsa-with-SHA512.
    EcdsaSha512,
}

/// The basicConstraints extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicConstraints {
    /// None, as in real end entities.
    Absent,
    /// CA:TRUE and not critical, as in all real add-on CAs (RFC 5280 wants it critical).
    CaNotCritical,
    /// CA:TRUE and critical.
    CaCritical,
    /// CA:TRUE, critical, with a path length.
    CaWithPathLength(u8),
    /// CA:FALSE.
    NotCa,
}

/// The extKeyUsage extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedKeyUse {
    /// None, as in older real end entities.
    Absent,
    /// codeSigning, critical, as in real CAs.
    CodeSigningCritical,
    /// codeSigning, not critical, as in newer real end entities.
    CodeSigning,
    /// serverAuth only: wrong for an add-on.
    ServerAuth,
    /// anyExtendedKeyUsage only, which never counts as codeSigning.
    Any,
}

/// An extension written as it is, for shapes no field of [`CertificateSpec`] covers.
#[derive(Clone, Debug)]
pub struct Extension {
    /// Object identifier in dotted form.
    pub oid: &'static str,
    /// Marked critical.
    pub critical: bool,
    /// DER of the value.
    pub value: Vec<u8>,
}

/// What a certificate shall be. Start from [`CertificateSpec::ca`] or [`CertificateSpec::end_entity`] and change fields.
#[derive(Clone, Debug)]
pub struct CertificateSpec {
    /// Subject.
    pub subject: Name,
    /// Serial number.
    pub serial: u64,
    /// First instant of validity, 1970 or later. Whole seconds; through 2049 written as UTCTime, from 2050 as GeneralizedTime.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// v3, or v1: then no extension is written.
    pub version: Version,
    /// basicConstraints.
    pub basic_constraints: BasicConstraints,
    /// A keyUsage bit (critical); none for no extension.
    pub key_usage: Option<KeyUsages>,
    /// A further keyUsage bit, where there is a first.
    pub second_key_usage: Option<KeyUsages>,
    /// extKeyUsage.
    pub extended_key_use: ExtendedKeyUse,
    /// Write a subjectKeyIdentifier (SHA-1 of the key, RFC 5280 section 4.2.1.2 method 1).
    pub subject_key_id: Presence,
    /// Write an authorityKeyIdentifier with the issuer's key id.
    pub authority_key_id: Presence,
    /// Excluded DNS subtrees, not critical, as in real intermediates.
    pub excluded_dns: Vec<String>,
    /// subjectAltName DNS names.
    pub dns_names: Vec<String>,
    /// Further extensions.
    pub extensions: Vec<Extension>,
    /// How the issuer signs; by default as its key suggests.
    pub signature: Option<SignatureKind>,
}

/// Whether an optional part is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Written.
    Present,
    /// Left out.
    Absent,
}

/// A certificate of the laboratory with its private key.
#[derive(Clone)]
pub struct LabCertificate {
    der: Vec<u8>,
    subject: Name,
    serial: u64,
    issuer: Name,
    key: Arc<LabKey>,
}

impl std::fmt::Debug for LabCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LabCertificate({}, serial {})", self.subject, self.serial)
    }
}

impl CertificateSpec {
    /// A CA as the real add-on CAs are: basicConstraints not critical, keyCertSign and cRLSign, EKU codeSigning critical.
    pub fn ca(subject: Name, serial: u64, not_before: Timestamp, not_after: Timestamp) -> Self {
        Self {
            subject,
            serial,
            not_before,
            not_after,
            version: Version::V3,
            basic_constraints: BasicConstraints::CaNotCritical,
            key_usage: Some(KeyUsages::KeyCertSign),
            second_key_usage: Some(KeyUsages::CRLSign),
            extended_key_use: ExtendedKeyUse::CodeSigningCritical,
            subject_key_id: Presence::Present,
            authority_key_id: Presence::Present,
            excluded_dns: Vec::new(),
            dns_names: Vec::new(),
            extensions: Vec::new(),
            signature: None,
        }
    }

    /// An end entity as the real ones of 2019 are: keyUsage digitalSignature, no EKU, no basicConstraints.
    pub fn end_entity(subject: Name, serial: u64, not_before: Timestamp, not_after: Timestamp) -> Self {
        Self {
            basic_constraints: BasicConstraints::Absent,
            key_usage: Some(KeyUsages::DigitalSignature),
            second_key_usage: None,
            extended_key_use: ExtendedKeyUse::Absent,
            subject_key_id: Presence::Absent,
            ..Self::ca(subject, serial, not_before, not_after)
        }
    }

    /// Signs it with its own key.
    ///
    /// # Errors
    /// When a part cannot be written or signed.
    pub fn self_signed(&self, key: &Arc<LabKey>) -> Result<LabCertificate, LabError> {
        self.sign(key, &self.subject.clone(), key)
    }

    /// Signs it with the issuer's key.
    ///
    /// # Errors
    /// When a part cannot be written or signed.
    pub fn issued_by(&self, issuer: &LabCertificate, key: &Arc<LabKey>) -> Result<LabCertificate, LabError> {
        self.sign(key, &issuer.subject, &issuer.key)
    }

    /// The general case: any issuer name, any signing key, so that the name may lie about the key.
    ///
    /// # Errors
    /// When a part cannot be written or signed.
    pub fn sign(
        &self,
        key: &Arc<LabKey>,
        issuer: &Name,
        issuer_key: &LabKey,
    ) -> Result<LabCertificate, LabError> {
        let kind = self.signature.unwrap_or_else(|| SignatureKind::natural(issuer_key.kind()));
        let algorithm = kind.algorithm();
        let tbs = TbsCertificate {
            version: self.version,
            serial_number: SerialNumber::from(self.serial),
            signature: algorithm.clone(),
            issuer: issuer.clone(),
            validity: Validity { not_before: time(self.not_before)?, not_after: time(self.not_after)? },
            subject: self.subject.clone(),
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(key.spki_der())?,
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: if self.version == Version::V3 { self.extensions(key, issuer_key)? } else { None },
        };
        let signature = issuer_key.sign(kind, &tbs.to_der()?)?;
        let certificate = Certificate {
            tbs_certificate: tbs,
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(&signature)?,
        };
        Ok(LabCertificate {
            der: certificate.to_der()?,
            subject: self.subject.clone(),
            serial: self.serial,
            issuer: issuer.clone(),
            key: Arc::clone(key),
        })
    }

    fn extensions(
        &self,
        key: &LabKey,
        issuer_key: &LabKey,
    ) -> Result<Option<Vec<x509_cert::ext::Extension>>, LabError> {
        let mut list = Vec::new();
        let mut push = |oid: ObjectIdentifier, critical: bool, value: Vec<u8>| -> Result<(), LabError> {
            let extn_value = OctetString::new(value)?;
            list.push(x509_cert::ext::Extension { extn_id: oid, critical, extn_value });
            Ok(())
        };
        let (critical, constraints) = match self.basic_constraints {
            BasicConstraints::Absent => (false, None),
            BasicConstraints::CaNotCritical => (false, Some((true, None))),
            BasicConstraints::CaCritical => (true, Some((true, None))),
            BasicConstraints::CaWithPathLength(length) => (true, Some((true, Some(length)))),
            BasicConstraints::NotCa => (true, Some((false, None))),
        };
        if let Some((ca, path_len_constraint)) = constraints {
            let value = pkix::BasicConstraints { ca, path_len_constraint }.to_der()?;
            push(rfc5280::ID_CE_BASIC_CONSTRAINTS, critical, value)?;
        }
        if let Some(usage) = self.key_usage {
            let mut flags = der::flagset::FlagSet::from(usage);
            if let Some(second) = self.second_key_usage {
                flags |= second;
            }
            push(rfc5280::ID_CE_KEY_USAGE, true, KeyUsage(flags).to_der()?)?;
        }
        let purpose = match self.extended_key_use {
            ExtendedKeyUse::Absent => None,
            ExtendedKeyUse::CodeSigningCritical | ExtendedKeyUse::CodeSigning => {
                Some(rfc5280::ID_KP_CODE_SIGNING)
            }
            ExtendedKeyUse::ServerAuth => Some(rfc5280::ID_KP_SERVER_AUTH),
            ExtendedKeyUse::Any => Some(rfc5280::ANY_EXTENDED_KEY_USAGE),
        };
        if let Some(purpose) = purpose {
            let critical = self.extended_key_use == ExtendedKeyUse::CodeSigningCritical;
            push(rfc5280::ID_CE_EXT_KEY_USAGE, critical, vec![purpose].to_der()?)?;
        }
        if self.subject_key_id == Presence::Present {
            push(
                rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER,
                false,
                OctetString::new(key_identifier(key)?)?.to_der()?,
            )?;
        }
        if self.authority_key_id == Presence::Present {
            let value = AuthorityKeyIdentifier {
                key_identifier: Some(OctetString::new(key_identifier(issuer_key)?)?),
                ..Default::default()
            };
            push(rfc5280::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, value.to_der()?)?;
        }
        if !self.excluded_dns.is_empty() {
            let excluded = self
                .excluded_dns
                .iter()
                .map(|dns| {
                    let base = GeneralName::DnsName(Ia5String::new(dns)?);
                    Ok(GeneralSubtree { base, minimum: 0, maximum: None })
                })
                .collect::<Result<Vec<_>, LabError>>()?;
            let value = NameConstraints { permitted_subtrees: None, excluded_subtrees: Some(excluded) };
            push(rfc5280::ID_CE_NAME_CONSTRAINTS, false, value.to_der()?)?;
        }
        if !self.dns_names.is_empty() {
            let names = self
                .dns_names
                .iter()
                .map(|dns| Ok(GeneralName::DnsName(Ia5String::new(dns)?)))
                .collect::<Result<Vec<_>, LabError>>()?;
            push(rfc5280::ID_CE_SUBJECT_ALT_NAME, false, names.to_der()?)?;
        }
        for extension in &self.extensions {
            let oid = ObjectIdentifier::from_str(extension.oid)
                .map_err(|_| LabError::Impossible(format!("extension with identifier {}", extension.oid)))?;
            push(oid, extension.critical, extension.value.clone())?;
        }
        Ok(if list.is_empty() { None } else { Some(list) })
    }
}

impl LabCertificate {
    /// A certificate that somebody else made, with its key, in PEM.
    ///
    /// # Errors
    /// When it is none.
    pub fn published(pem: &str, key: Arc<LabKey>) -> Result<Self, LabError> {
        let certificate = Certificate::from_pem(pem)?;
        let tbs = &certificate.tbs_certificate;
        Ok(Self {
            der: certificate.to_der()?,
            subject: tbs.subject.clone(),
            // Larger than the laboratory's own numbers are; nobody asks for it.
            serial: 0,
            issuer: tbs.issuer.clone(),
            key,
        })
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM. Never the key: no laboratory key is ever written.
    pub fn pem(&self) -> String {
        pem(&self.der)
    }

    /// Its private key.
    pub fn key(&self) -> &Arc<LabKey> {
        &self.key
    }

    /// Its subject.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// Its issuer's name.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Its serial number.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The key identifier of its key, whether the certificate names it or not.
    ///
    /// # Errors
    /// Never for keys of the laboratory.
    pub fn key_identifier(&self) -> Result<Vec<u8>, LabError> {
        key_identifier(&self.key)
    }
}

impl SignatureKind {
    /// What a key of this kind signs certificates with by default.
    pub fn natural(kind: super::KeyKind) -> Self {
        match kind {
            super::KeyKind::Rsa1024 => Self::Sha256Rsa,
            super::KeyKind::Rsa2048 | super::KeyKind::Rsa4096 => Self::Sha384Rsa,
            super::KeyKind::P256 => Self::EcdsaSha256,
            super::KeyKind::P384 => Self::EcdsaSha384,
            super::KeyKind::P521 => Self::EcdsaSha512,
        }
    }

    fn algorithm(self) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::Sha1Rsa => (rfc5912::SHA_1_WITH_RSA_ENCRYPTION, Some(Any::null())),
            Self::Sha256Rsa => (rfc5912::SHA_256_WITH_RSA_ENCRYPTION, Some(Any::null())),
            Self::Sha384Rsa => (rfc5912::SHA_384_WITH_RSA_ENCRYPTION, Some(Any::null())),
            Self::EcdsaSha256 => (rfc5912::ECDSA_WITH_SHA_256, None),
            Self::EcdsaSha384 => (rfc5912::ECDSA_WITH_SHA_384, None),
            Self::EcdsaSha512 => (rfc5912::ECDSA_WITH_SHA_512, None),
        };
        AlgorithmIdentifierOwned { oid, parameters }
    }
}

/// Wraps DER as a PEM certificate, 64 characters a line.
pub fn pem(der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in body.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

fn key_identifier(key: &LabKey) -> Result<Vec<u8>, LabError> {
    let spki = SubjectPublicKeyInfoOwned::from_der(key.spki_der())?;
    Ok(Sha1::digest(spki.subject_public_key.raw_bytes()).to_vec())
}

/// RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
fn time(at: Timestamp) -> Result<Time, LabError> {
    let seconds = u64::try_from(at.as_second())
        .map_err(|_| LabError::Impossible(format!("a certificate date before 1970: {at}")))?;
    let duration = std::time::Duration::from_secs(seconds);
    const YEAR_2050: u64 = 2_524_608_000;
    Ok(if seconds < YEAR_2050 {
        Time::UtcTime(UtcTime::from_unix_duration(duration)?)
    } else {
        Time::GeneralTime(GeneralizedTime::from_unix_duration(duration)?)
    })
}
