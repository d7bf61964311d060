//! Verifying a TLS chain whatever the dates in it are.
//!
//! webpki judges all certificates of a chain at one instant, and for some there is none at which all hold: a server's certificate that
//! ended before its intermediate was renewed. So each certificate is verified with its dates replaced by ones that always hold, and each
//! signature over what was really signed. Names, usages, constraints and signatures are webpki's business as ever.

use std::time::Duration;

use der::{Decode, Reader, SliceReader, Tag, Tagged};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName, SignatureVerificationAlgorithm,
    UnixTime,
};
use rustls::server::ParsedCertificate;
use rustls::{Error, RootCertStore};

/// 2000-01-01, which lies within [`FROM`] and [`TO`]. The dates of roots are not looked at (RFC 5280 section 6.1 does neither).
const WITHIN: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(946_684_800));

/// Dates of the two types of time, each as long as those that they replace.
const FROM: [&[u8]; 2] = [b"700101000000Z", b"19700101000000Z"];
const TO: [&[u8]; 2] = [b"491231235959Z", b"20491231235959Z"];

/// Whether the chain leads to a root and is the server's, dates apart.
///
/// # Errors
/// What is wrong with it besides; a certificate whose dates cannot be read keeps them.
pub(super) fn verify(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    server_name: &ServerName<'_>,
    roots: &RootCertStore,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), Error> {
    let timeless = |certificate: &CertificateDer<'_>| {
        let timeless = Timeless::of(certificate);
        timeless.unwrap_or_else(|| Timeless { certificate: certificate.to_vec(), signed: None })
    };
    let end_entity = timeless(end_entity);
    let (intermediates, mut signed): (Vec<_>, Vec<_>) = intermediates
        .iter()
        .map(timeless)
        .map(|timeless| (CertificateDer::from(timeless.certificate), timeless.signed))
        .unzip();
    signed.push(end_entity.signed);
    let signed: Vec<Signed> = signed.into_iter().flatten().collect();
    let really: Vec<_> =
        algorithms.iter().map(|algorithm| Really { algorithm: *algorithm, signed: &signed }).collect();
    let algorithms: Vec<_> =
        really.iter().map(|really| really as &dyn SignatureVerificationAlgorithm).collect();
    let end_entity = CertificateDer::from(end_entity.certificate);
    let parsed = ParsedCertificate::try_from(&end_entity)?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, &intermediates, WITHIN, &algorithms)?;
    verify_server_name(&parsed, server_name)
}

/// A certificate with dates that always hold.
struct Timeless {
    certificate: Vec<u8>,
    signed: Option<Signed>,
}

/// The signed part of a certificate, with the dates replaced and as it really is.
#[derive(Debug)]
struct Signed {
    timeless: Vec<u8>,
    real: Vec<u8>,
}

impl Timeless {
    /// RFC 5280 section 4.1: the signed part comes first in a certificate, and the dates after version, serial, algorithm and issuer in it.
    fn of(certificate: &[u8]) -> Option<Self> {
        let outer = content(certificate)?;
        let real = SliceReader::new(outer).ok()?.tlv_bytes().ok()?;
        let mut reader = SliceReader::new(content(real)?).ok()?;
        let mut field = reader.tlv_bytes().ok()?;
        if field.first() == Some(&0xa0) {
            field = reader.tlv_bytes().ok()?;
        }
        let _serial = field;
        let (_algorithm, _issuer) = (reader.tlv_bytes().ok()?, reader.tlv_bytes().ok()?);
        let dates = content(reader.tlv_bytes().ok()?)?;
        let mut dates = SliceReader::new(dates).ok()?;
        let (from, to) = (dates.tlv_bytes().ok()?, dates.tlv_bytes().ok()?);
        let mut timeless = certificate.to_vec();
        for (date, replacements) in [(from, FROM), (to, TO)] {
            let value = der::asn1::AnyRef::from_der(date).ok()?.value();
            let replacement =
                replacements.into_iter().find(|replacement| replacement.len() == value.len())?;
            place_of(certificate, value)
                .and_then(|place| timeless.get_mut(place))?
                .copy_from_slice(replacement);
        }
        let signed = timeless.get(place_of(certificate, real)?)?.to_vec();
        Some(Self { signed: Some(Signed { timeless: signed, real: real.to_vec() }), certificate: timeless })
    }
}

/// The content of one SEQUENCE.
fn content(sequence: &[u8]) -> Option<&[u8]> {
    let sequence = der::asn1::AnyRef::from_der(sequence).ok()?;
    (sequence.tag() == Tag::Sequence).then(|| sequence.value())
}

/// Where `part`, a slice of `whole`, is in it.
fn place_of(whole: &[u8], part: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    Some(start..start.checked_add(part.len())?)
}

/// Verifies signatures over what was really signed.
#[derive(Debug)]
struct Really<'a> {
    algorithm: &'a dyn SignatureVerificationAlgorithm,
    signed: &'a [Signed],
}

impl SignatureVerificationAlgorithm for Really<'_> {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        // Two certificates that differ in their dates alone look the same here: the signature says which one it is of.
        let mut real = self.signed.iter().filter(|signed| signed.timeless == message).peekable();
        if real.peek().is_none() {
            return self.algorithm.verify_signature(key, message, signature);
        }
        real.find_map(|signed| self.algorithm.verify_signature(key, &signed.real, signature).ok())
            .ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.algorithm.fips()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_but_the_dates_is_replaced() {
        let certificate = crate::scene::anchor();
        let real = certificate.der();
        let timeless = Timeless::of(real).unwrap();
        let Signed { timeless: signed, real: really } = timeless.signed.unwrap();
        assert_eq!((timeless.certificate.len(), signed.len()), (real.len(), really.len()));
        assert_ne!(timeless.certificate, real);
        let changed: Vec<_> = (0..real.len()).filter(|at| timeless.certificate[*at] != real[*at]).collect();
        let (first, last) = (changed[0], changed[changed.len() - 1]);
        // Two times of 15 bytes at most, with their headers.
        assert!(last - first < 34, "{first} to {last}");
        assert!(real.windows(really.len()).any(|window| window == really));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at: prop::sample::Index, byte: u8, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut damaged = crate::scene::anchor().der().to_vec();
            let at = at.index(damaged.len());
            damaged[at] = byte;
            for bytes in [&bytes, &damaged] {
                if let Some(timeless) = Timeless::of(bytes) {
                    prop_assert_eq!(timeless.certificate.len(), bytes.len());
                }
            }
        }
    }
}
