//! What may be wrong with one certificate, whatever path it stands in (RFC 5280 sections 4.2 and 6.1.4).

use std::fmt;

use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use x509_cert::Version;

use crate::x509::{Certificate, LEAST_RSA_BITS, PathErrorKind, Usage};

/// What a certificate is in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The path is for it, and it signs code or messages.
    EndEntity,
    /// The path is for it, and it is to become a local candidate for issuers.
    NewIntermediate,
    /// Stands between.
    Intermediate,
    /// The path ends with it.
    Anchor,
}

impl Role {
    pub(super) fn is_target(self) -> bool {
        matches!(self, Self::EndEntity | Self::NewIntermediate)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::EndEntity => "end entity",
            Self::NewIntermediate | Self::Intermediate => "intermediate",
            Self::Anchor => "anchor",
        }
    }
}

/// A fault that no time and no other certificate heals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    KeyTooSmall(usize),
    UnknownCriticalExtension(ObjectIdentifier),
    OtherUsage(Usage),
    NotVersion3,
    NotACa,
    MayNotSignCertificates,
    AsksForTls,
    EmptySubject,
    EndEntityIsCa,
    EndEntityHasNameConstraints,
    EndEntityMaySignCertificates,
    MayNotSign,
}

impl Fault {
    /// The first fault of `certificate` in `role`.
    ///
    /// basicConstraints need not be critical and end entities need no basicConstraints, keyUsage or extended key usage: real
    /// add-on certificates are like that. An anchor of version 1 or 2 cannot have extensions and is taken at its word.
    pub(super) fn of(certificate: &Certificate, role: Role, usage: Usage) -> Option<Self> {
        let extensions = certificate.extensions();
        if let Some(bits) = certificate.rsa_bits().filter(|bits| *bits < LEAST_RSA_BITS) {
            return Some(Self::KeyTooSmall(bits));
        }
        if let Some(id) = extensions.unknown_critical {
            return Some(Self::UnknownCriticalExtension(id));
        }
        if certificate.extended_key_usages().is_some_and(|usages| !usages.contains(&usage.oid())) {
            return Some(Self::OtherUsage(usage));
        }
        let version3 = certificate.version() == Version::V3;
        let key_usage = extensions.key_usage;
        // What RFC 5280 asks of certificates that are no CA's, and Firefox does not of an add-on's.
        let web = usage != Usage::CodeSigning;
        let faults = match role {
            Role::EndEntity => vec![
                (web && !version3, Self::NotVersion3),
                (certificate.is_ca(), Self::EndEntityIsCa),
                (web && extensions.name_constraints.is_some(), Self::EndEntityHasNameConstraints),
                // RFC 5280 section 4.2.1.3: only with cA.
                (web && key_usage.is_some_and(|k| k.key_cert_sign()), Self::EndEntityMaySignCertificates),
                (!web && key_usage.is_some_and(|k| !k.digital_signature()), Self::MayNotSign),
            ],
            Role::NewIntermediate | Role::Intermediate | Role::Anchor => vec![
                (!version3 && role != Role::Anchor, Self::NotVersion3),
                (version3 && !certificate.is_ca(), Self::NotACa),
                (key_usage.is_some_and(|k| !k.key_cert_sign()), Self::MayNotSignCertificates),
                (!web && extensions.tls_features, Self::AsksForTls),
                // RFC 5280 section 4.1.2.6. An empty SEQUENCE has two bytes.
                (certificate.subject_der().len() <= 2, Self::EmptySubject),
            ],
        };
        faults.into_iter().find_map(|(found, fault)| found.then_some(fault))
    }

    /// The kind of reason that it is.
    pub(super) fn kind(self) -> PathErrorKind {
        match self {
            Self::KeyTooSmall(_) => PathErrorKind::KeyTooSmall,
            _ => PathErrorKind::BadCertificate,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooSmall(bits) => write!(f, "has an RSA key of {bits} bits, less than {LEAST_RSA_BITS}"),
            Self::UnknownCriticalExtension(id) => {
                write!(f, "has a critical extension ({id}) that is not understood")
            }
            Self::OtherUsage(usage) => {
                write!(f, "has extended key usages, and {} is not among them", usage.as_str())
            }
            Self::NotVersion3 => f.write_str("is not of version 3"),
            Self::NotACa => f.write_str("is not a CA by its basicConstraints"),
            Self::MayNotSignCertificates => f.write_str("may not sign certificates by its keyUsage"),
            Self::AsksForTls => {
                f.write_str("asks those below it for TLS features, which signers have none of")
            }
            Self::EmptySubject => f.write_str("has an empty subject"),
            Self::EndEntityIsCa => f.write_str("is a CA, which is not accepted as an end entity"),
            Self::EndEntityHasNameConstraints => f.write_str("has name constraints and is not a CA"),
            Self::EndEntityMaySignCertificates => {
                f.write_str("has keyCertSign in its keyUsage and is not a CA")
            }
            Self::MayNotSign => f.write_str("may not make digital signatures by its keyUsage"),
        }
    }
}

/// A certificate is out of date at the time of verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DateFault {
    /// It expired at this time.
    Expired(Timestamp),
    /// It becomes valid at this time.
    NotYetValid(Timestamp),
}

impl DateFault {
    /// Both ends are inclusive and in whole seconds (RFC 5280 section 4.1.2.5).
    pub(super) fn of(certificate: &Certificate, at: Timestamp) -> Option<Self> {
        let (first, last) = (certificate.not_before(), certificate.not_after());
        if at < first {
            Some(Self::NotYetValid(first))
        } else if at.as_second() > last.as_second() {
            Some(Self::Expired(last))
        } else {
            None
        }
    }

    /// Seconds between the time of verification and the nearest at which it is valid.
    pub(super) fn distance(self, at: Timestamp) -> u64 {
        let (Self::Expired(then) | Self::NotYetValid(then)) = self;
        at.as_second().abs_diff(then.as_second())
    }
}

impl fmt::Display for DateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(then) => write!(f, "expired on {then}"),
            Self::NotYetValid(then) => write!(f, "is not valid before {then}"),
        }
    }
}
