//! A bounded memory of parsed CA certificates.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::{Certificate, CertificateError};
use crate::limits::X509Limits;

/// Remembers CA certificates by their bytes, so that the few intermediates that thousands of add-ons embed are parsed, and held,
/// once. End entities are not remembered: each stands in one add-on.
///
/// What parsing gives follows from the bytes and the limits alone, so it may be used again wherever all bytes are the same; no
/// digest stands for them. Being remembered says nothing about being trusted. Shared between threads by reference; the
/// caller decides how long it lives.
#[derive(Debug)]
pub struct CertificateMemo {
    /// What all that is remembered was parsed within.
    limits: X509Limits,
    half: usize,
    generations: Mutex<Generations>,
}

/// Whole certificates are hashed for each look-up. The few that fit are found quickly enough even if all hashes were alike.
type Certificates = HashSet<Certificate, foldhash::fast::RandomState>;

/// As in [`SignatureMemo`](super::SignatureMemo): when the younger is full it becomes the elder, and the former elder is forgotten.
#[derive(Debug, Default)]
struct Generations {
    younger: Certificates,
    younger_bytes: usize,
    elder: Certificates,
}

impl CertificateMemo {
    /// Bytes that are plenty for the intermediates of all add-ons there are, and too few to matter.
    pub const USUAL_BYTES: usize = 1 << 20;

    /// A memory of at most `bytes`, of certificates parsed within `limits`. With 0 it remembers nothing.
    #[must_use]
    pub fn new(bytes: usize, limits: X509Limits) -> Self {
        Self { limits, half: bytes / 2, generations: Mutex::default() }
    }

    /// A memory that remembers nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(0, X509Limits::default())
    }

    /// [`Certificate::parse_der`], or what it gave for the same bytes before. Within other limits than this memory's,
    /// nothing is looked up or remembered.
    ///
    /// # Errors
    /// As [`Certificate::parse_der`].
    pub fn parse_der(&self, der: &[u8], limits: &X509Limits) -> Result<Certificate, CertificateError> {
        if self.half == 0 || *limits != self.limits {
            return Certificate::parse_der(der, limits);
        }
        if let Some(certificate) = self.recall(der) {
            return Ok(certificate);
        }
        // Not under the lock: several threads parse side by side.
        let certificate = Certificate::parse_der(der, limits)?;
        if certificate.is_ca() {
            self.insert(certificate.clone());
        }
        Ok(certificate)
    }

    fn recall(&self, der: &[u8]) -> Option<Certificate> {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = generations.younger.get(der) {
            return Some(certificate.clone());
        }
        let elder = generations.elder.get(der).cloned();
        drop(generations);
        if let Some(certificate) = &elder {
            self.insert(certificate.clone());
        }
        elder
    }

    fn insert(&self, certificate: Certificate) {
        let bytes = certificate.memory_bytes();
        if bytes > self.half {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger_bytes.saturating_add(bytes) > self.half {
            generations.elder = std::mem::take(&mut generations.younger);
            generations.younger_bytes = 0;
        }
        if generations.younger.insert(certificate) {
            generations.younger_bytes = generations.younger_bytes.saturating_add(bytes);
        }
    }
}

impl Default for CertificateMemo {
    /// For certificates within the default limits.
    fn default() -> Self {
        Self::new(Self::USUAL_BYTES, X509Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates() -> Vec<Certificate> {
        [
            include_bytes!("../../../recipes/replace-signing-intermediate/replacement.pem").as_slice(),
            include_bytes!("../../../recipes/distrust-stolen-intermediate/stolen.pem"),
            include_bytes!("../../../recipes/fire-drill/drill.pem"),
        ]
        .into_iter()
        .flat_map(|pem| Certificate::parse_pem(pem, &X509Limits::default()).unwrap())
        .collect()
    }

    /// Whether `memo` answers with what it holds.
    fn remembers(memo: &CertificateMemo, certificate: &Certificate) -> bool {
        let parse = || memo.parse_der(certificate.der(), &X509Limits::default()).unwrap();
        parse().der().as_ptr() == parse().der().as_ptr()
    }

    fn bytes(memo: &CertificateMemo) -> usize {
        let generations = memo.generations.lock().unwrap();
        let all = generations.younger.iter().chain(&generations.elder);
        all.map(Certificate::memory_bytes).sum()
    }

    #[test]
    fn a_ca_is_parsed_once_and_other_bytes_are_another_certificate() {
        let memo = CertificateMemo::default();
        let limits = X509Limits::default();
        for certificate in certificates() {
            assert!(remembers(&memo, &certificate));
            let last = certificate.der().len() - 1;
            let mut changed = certificate.der().to_vec();
            changed[last] ^= 1;
            let other = memo.parse_der(&changed, &limits).unwrap();
            assert_eq!(other.der(), changed);
            assert_ne!(other.sha256(), certificate.sha256());
            assert!(memo.parse_der(&changed[..last], &limits).is_err());
        }
    }

    #[test]
    fn what_other_limits_accepted_is_not_accepted_within_these() {
        let certificate = certificates().remove(0);
        let memo = CertificateMemo::default();
        assert!(remembers(&memo, &certificate));
        let smaller = X509Limits { certificate_bytes: certificate.der().len() - 1, ..X509Limits::default() };
        assert!(memo.parse_der(certificate.der(), &smaller).is_err());
    }

    #[test]
    fn it_stays_below_its_bound_and_keeps_what_is_in_use() {
        let [used, other, third] = &certificates()[..] else { panic!("three certificates") };
        let most = [used, other, third].map(Certificate::memory_bytes).into_iter().max().unwrap();
        // Room for two in each half.
        let memo = CertificateMemo::new(4 * most + 2, X509Limits::default());
        for turn in 0..100u8 {
            let mut der = other.der().to_vec();
            let last = der.len() - 1;
            der[last] ^= turn;
            memo.parse_der(&der, &X509Limits::default()).unwrap();
            assert!(remembers(&memo, used));
            assert!(bytes(&memo) <= 4 * most + 2);
        }
        assert!(!memo.generations.lock().unwrap().elder.is_empty());
        for little in [CertificateMemo::none(), CertificateMemo::new(most, X509Limits::default())] {
            assert!(!remembers(&little, third));
            assert_eq!(bytes(&little), 0);
        }
    }
}
