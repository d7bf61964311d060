//! Which certificates are refused whatever they chain to.

use std::collections::BTreeSet;

use super::Certificate;
use crate::digest::Sha256Digest;

/// The distrusted certificates: by issuer and serial (that one certificate), or by public key (every certificate that
/// carries the key, siblings included).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distrust {
    issuer_serial: BTreeSet<(Vec<u8>, Vec<u8>)>,
    spki: BTreeSet<Sha256Digest>,
}

/// By which entry a certificate is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DistrustReason {
    /// Its issuer and serial are listed.
    IssuerSerial,
    /// The SHA-256 of its SubjectPublicKeyInfo is listed.
    Spki,
}

impl Distrust {
    /// Distrusts the one certificate with this issuer (a Name in DER) and serial (big-endian; leading zeros do not
    /// matter).
    pub fn add_issuer_serial(&mut self, issuer_der: &[u8], serial: &[u8]) {
        self.issuer_serial.insert((issuer_der.to_vec(), without_leading_zeros(serial).to_vec()));
    }

    /// Distrusts every certificate whose SubjectPublicKeyInfo has this SHA-256.
    pub fn add_spki(&mut self, spki_sha256: Sha256Digest) {
        self.spki.insert(spki_sha256);
    }

    /// Adds everything `other` distrusts.
    pub fn extend(&mut self, other: &Distrust) {
        self.issuer_serial.extend(other.issuer_serial.iter().cloned());
        self.spki.extend(other.spki.iter().copied());
    }

    /// Whether nothing is distrusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.issuer_serial.is_empty() && self.spki.is_empty()
    }

    /// Why `certificate` is distrusted, if it is. Looks at this certificate alone, not at its issuers.
    #[must_use]
    pub fn refuses(&self, certificate: &Certificate) -> Option<DistrustReason> {
        if self.spki.contains(&certificate.spki_sha256()) {
            return Some(DistrustReason::Spki);
        }
        if self.issuer_serial.is_empty() {
            return None;
        }
        let key = (certificate.issuer_der().to_vec(), without_leading_zeros(certificate.serial()).to_vec());
        self.issuer_serial.contains(&key).then_some(DistrustReason::IssuerSerial)
    }
}

/// DER puts a zero octet before a serial whose first bit is set; people who copy a serial leave it out.
fn without_leading_zeros(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_octet_of_a_serial_does_not_matter() {
        assert_eq!(without_leading_zeros(&[0, 0x80, 1]), without_leading_zeros(&[0x80, 1]));
        assert_eq!(without_leading_zeros(&[0]), without_leading_zeros(&[]));
    }
}
