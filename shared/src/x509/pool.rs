//! The local certificates a path may be built from.

use std::collections::BTreeMap;

use super::Certificate;

/// Certificates indexed by subject, without duplicates, in an order that does not depend on how they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    by_subject: BTreeMap<Vec<u8>, Vec<Certificate>>,
    len: usize,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a certificate; false if it was there already.
    pub fn insert(&mut self, certificate: Certificate) -> bool {
        let same_subject = self.by_subject.entry(certificate.subject_der().to_vec()).or_default();
        match same_subject.binary_search(&certificate) {
            Ok(_) => false,
            Err(position) => {
                same_subject.insert(position, certificate);
                self.len += 1;
                true
            }
        }
    }

    /// Whether this very certificate is in the pool.
    #[must_use]
    pub fn contains(&self, certificate: &Certificate) -> bool {
        self.by_subject(certificate.subject_der()).binary_search(certificate).is_ok()
    }

    /// The certificates with this subject (a Name in DER).
    #[must_use]
    pub fn by_subject(&self, subject_der: &[u8]) -> &[Certificate] {
        self.by_subject.get(subject_der).map(Vec::as_slice).unwrap_or_default()
    }

    /// All certificates.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.by_subject.values().flatten()
    }

    /// How many certificates there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl FromIterator<Certificate> for Pool {
    fn from_iter<T: IntoIterator<Item = Certificate>>(certificates: T) -> Self {
        let mut pool = Self::default();
        pool.extend(certificates);
        pool
    }
}

impl Extend<Certificate> for Pool {
    fn extend<T: IntoIterator<Item = Certificate>>(&mut self, certificates: T) {
        for certificate in certificates {
            self.insert(certificate);
        }
    }
}

/// The X.509 trust anchors of add-ons. Their own dates and extensions count; their own signature does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors(Pool);

impl Anchors {
    /// Whether this very certificate is an anchor.
    #[must_use]
    pub fn contains(&self, certificate: &Certificate) -> bool {
        self.0.contains(certificate)
    }

    /// The anchors with this subject (a Name in DER).
    #[must_use]
    pub fn by_subject(&self, subject_der: &[u8]) -> &[Certificate] {
        self.0.by_subject(subject_der)
    }

    /// All anchors.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        self.0.iter()
    }

    /// How many anchors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Certificate> for Anchors {
    fn from_iter<T: IntoIterator<Item = Certificate>>(certificates: T) -> Self {
        Self(certificates.into_iter().collect())
    }
}
