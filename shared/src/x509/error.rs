//! Why a certificate was not read, and why no path holds: a stable kind and a sentence each.

use std::fmt;

use super::Certificate;

/// What kind of fault a certificate or PEM document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CertificateErrorKind {
    /// Larger than a ceiling of [`X509Limits`](crate::limits::X509Limits).
    TooLarge,
    /// Not a certificate in DER as RFC 5280 wants it.
    Malformed,
    /// The PEM document has no certificate, or a block that does not decode.
    NotPem,
    /// The PEM document holds a private key, which has no business near certificates that get published.
    PrivateKey,
    /// A PKCS#7 file of which it is not clear which certificate is meant.
    Several,
    /// A file of trust anchors in which no certificate is self-issued.
    NoAnchor,
}

impl CertificateErrorKind {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::NotPem => "not-pem",
            Self::PrivateKey => "private-key",
            Self::Several => "several",
            Self::NoAnchor => "no-anchor",
        }
    }
}

/// A certificate, or a PEM document of certificates, that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct CertificateError {
    /// What kind of fault it has.
    pub kind: CertificateErrorKind,
    /// What was wrong, where.
    pub sentence: String,
}

impl CertificateError {
    pub(super) fn new(kind: CertificateErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }

    pub(super) fn malformed(what: impl fmt::Display) -> Self {
        Self::new(CertificateErrorKind::Malformed, format!("the certificate is malformed: {what}"))
    }
}

/// Why no path holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PathErrorKind {
    /// No genuine chain of signatures leads from an anchor to the certificate.
    UnknownIssuer,
    /// A path would hold but for an intermediate or anchor that has expired.
    IssuerExpired,
    /// A path would hold but for an intermediate or anchor that is not valid yet.
    IssuerNotYetValid,
    /// The end entity has expired, and its time is enforced.
    EndEntityExpired,
    /// The end entity is not valid yet, and its time is enforced.
    EndEntityNotYetValid,
    /// The end entity is distrusted, or every path to an anchor leads through a distrusted certificate.
    Distrusted,
    /// A certificate is signed with an algorithm that is not accepted (SHA-1, DSA ...).
    UnsupportedAlgorithm,
    /// A certificate has an RSA key of less than [`LEAST_RSA_BITS`](super::LEAST_RSA_BITS).
    KeyTooSmall,
    /// A certificate may not do what the path asks of it (not a CA, path too long for it, other usage, name
    /// constraint, unknown critical extension ...).
    BadCertificate,
    /// A ceiling of [`X509Limits`](crate::limits::X509Limits) was reached.
    LimitExceeded,
}

impl PathErrorKind {
    /// The stable name: the verdict of the same name where there is one.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "unknown-issuer",
            Self::IssuerExpired => "issuer-expired",
            Self::IssuerNotYetValid => "issuer-not-yet-valid",
            Self::EndEntityExpired => "end-entity-expired",
            Self::EndEntityNotYetValid => "end-entity-not-yet-valid",
            Self::Distrusted => "distrusted",
            Self::UnsupportedAlgorithm => "unsupported-algorithm",
            Self::KeyTooSmall => "key-too-small",
            Self::BadCertificate => "bad-certificate",
            Self::LimitExceeded => "limit-exceeded",
        }
    }
}

impl fmt::Display for PathErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why no path from the end entity to an anchor holds: the most useful reason found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct PathError {
    /// The kind of reason.
    pub kind: PathErrorKind,
    /// The certificate that decided, where one did.
    pub certificate: Option<Certificate>,
    /// The reason in words, naming the certificate and the date.
    pub sentence: String,
}
