//! The PKCS#7 signature `META-INF/*.rsa`: a detached CMS SignedData (RFC 5652) over the signature file.
//!
//! Strict DER; indefinite lengths, which some old signing tools wrote, are refused. The certificates are not signed, so whoever
//! holds the file chose them: those that do not parse are skipped, and which of them is the end entity is settled by whose
//! key made the signature.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use sha1::Sha1;
use sha2::{Digest, Sha256};

mod signer;

use self::signer::{SignedAttributes, Signer, SignerId};
use super::policy::WeakestDigest;
use super::signed_by::{self, Algorithm, Checked};
use super::verdict::Fault;
use crate::limits::Limits;
use crate::x509::{Certificate, CertificateMemo, elements, pair};

/// A parsed PKCS#7 signature. Nothing is verified yet.
#[derive(Clone, Debug)]
pub struct Pkcs7 {
    /// All embedded certificates that parse.
    pub certificates: Vec<Certificate>,
    /// Those among them which the signer identifier names: one, or more where somebody added junk.
    candidates: Vec<Certificate>,
    digest: WeakestDigest,
    algorithm: Algorithm,
    attributes: Option<SignedAttributes>,
    signature: Vec<u8>,
}

impl Pkcs7 {
    /// Parses a `.rsa` file.
    ///
    /// # Errors
    /// Too large, not DER of this structure, content inside, other than exactly one signer, no certificate of it, malformed
    /// signed attributes; an algorithm that is not known.
    pub fn parse(bytes: &[u8], limits: &Limits, known: &CertificateMemo) -> Result<Self, Fault> {
        if bytes.len() > limits.xpi.signature_bytes {
            let max = limits.xpi.signature_bytes;
            return Err(Fault::limit(format!(
                "the PKCS#7 signature is larger than the {max} bytes that are read"
            )));
        }
        let parts =
            Parts::read(bytes).map_err(|error| malformed(format!("it is not strict DER: {error}")))??;
        let signer = parts.the_signer()?;
        let certificates = parts.certificates(limits, known);
        let candidates = candidates(&certificates, &signer.id, limits.xpi.signer_candidates)?;
        let (digest, algorithm) = signer.algorithms()?;
        let attributes = signer.attributes()?;
        let signature = signer.signature.to_vec();
        Ok(Self { certificates, candidates, digest, algorithm, attributes, signature })
    }

    /// Verifies the signature over `content`, the signature file's bytes, and answers the end entity: the certificate whose
    /// key made it.
    ///
    /// # Errors
    /// A digest weaker than `weakest`, other content than was signed, or no named certificate whose key made the signature.
    pub fn verify(&self, content: &[u8], weakest: WeakestDigest) -> Result<&Certificate, Fault> {
        if self.digest < weakest {
            return Err(Fault::algorithm(
                "the PKCS#7 signature is over a SHA-1 digest; the policy wants SHA-256",
            ));
        }
        let message = match &self.attributes {
            None => content,
            Some(attributes) => {
                if attributes.message_digest != self.digest_of(content) {
                    return Err(Fault::bad_signature(
                        "the signature file is not what the PKCS#7 signature was made over: other message digest",
                    ));
                }
                attributes.signed.as_slice()
            }
        };
        let mut other_key = true;
        for candidate in &self.candidates {
            match signed_by::check(candidate, self.algorithm, message, &self.signature) {
                Checked::Holds => return Ok(candidate),
                Checked::Fails => other_key = false,
                Checked::OtherKey => {}
            }
        }
        let names: Vec<String> = self.candidates.iter().map(Certificate::described).collect();
        let names = names.join(", ");
        Err(if other_key {
            Fault::algorithm(format!("the PKCS#7 signature's algorithm does not go with the key of {names}"))
        } else {
            Fault::bad_signature(format!("the PKCS#7 signature does not verify under the key of {names}"))
        })
    }

    fn digest_of(&self, content: &[u8]) -> Vec<u8> {
        match self.digest {
            WeakestDigest::Sha1 => Sha1::digest(content).to_vec(),
            WeakestDigest::Sha256 => Sha256::digest(content).to_vec(),
        }
    }
}

/// The parts of SignedData that matter, undecoded. (The types of the `cms` crate would sort sets of outside bytes in quadratic time,
/// encode certificates anew instead of keeping their bytes, and copy every part.)
struct Parts<'a> {
    certificates: Option<&'a [u8]>,
    signers: &'a [u8],
}

impl<'a> Parts<'a> {
    /// RFC 5652 sections 3 and 5.1. The outer error is DER's, the inner one says what else is wrong.
    fn read(bytes: &'a [u8]) -> der::Result<Result<Self, Fault>> {
        let (content_type, wrapped) = pair(bytes)?;
        if wrapped.tag() != context(TagNumber::N0) {
            return Err(wrapped.tag().value_error());
        }
        let content = AnyRef::from_der(wrapped.value())?;
        if content_type != ID_SIGNED_DATA || content.tag() != Tag::Sequence {
            return Ok(Err(malformed("it is no SignedData")));
        }
        let mut reader = SliceReader::new(content.value())?;
        let (_version, _digests) = (u8::decode(&mut reader)?, AnyRef::decode(&mut reader)?);
        let (content_type, has_content) = reader.sequence(|reader| {
            let content_type = ObjectIdentifier::decode(reader)?;
            let content = (!reader.is_finished()).then(|| AnyRef::decode(reader)).transpose()?;
            Ok((content_type, content.is_some()))
        })?;
        if content_type != ID_DATA || has_content {
            return Ok(Err(malformed("it is not detached: it carries content of its own")));
        }
        let mut certificates = None;
        let mut part = AnyRef::decode(&mut reader)?;
        if part.tag() == context(TagNumber::N0) {
            certificates = Some(part.value());
            part = AnyRef::decode(&mut reader)?;
        }
        if part.tag() == context(TagNumber::N1) {
            part = AnyRef::decode(&mut reader)?;
        }
        if part.tag() != Tag::Set || !reader.is_finished() {
            return Ok(Err(malformed("its signer is not where it must be")));
        }
        Ok(Ok(Self { certificates, signers: part.value() }))
    }

    fn the_signer(&self) -> Result<Signer<'a>, Fault> {
        /// SignerInfo with its attributes takes below 1 KB, or a few with a time stamp.
        const MAX: usize = 16 << 10;
        let mut signers = elements(self.signers);
        match (signers.next(), signers.next()) {
            (Some(Ok(signer)), None) if signer.len() > MAX => {
                Err(Fault::limit(format!("the PKCS#7 signer information is larger than {MAX} bytes")))
            }
            (Some(Ok(signer)), None) => Signer::read(signer)
                .map_err(|error| malformed(format!("its signer is not strict DER: {error}"))),
            (None, _) => Err(malformed("it has no signer")),
            _ => Err(malformed("it has more than one signer")),
        }
    }

    fn certificates(&self, limits: &Limits, known: &CertificateMemo) -> Vec<Certificate> {
        elements(self.certificates.unwrap_or_default())
            .map_while(Result::ok)
            .filter_map(|der| known.parse_der(der, &limits.x509).ok())
            .collect()
    }
}

fn candidates(
    certificates: &[Certificate],
    signer: &SignerId<'_>,
    max: usize,
) -> Result<Vec<Certificate>, Fault> {
    let mut named: Vec<Certificate> = match signer {
        SignerId::IssuerAndSerial { issuer, serial } => {
            let is_named =
                |c: &&Certificate| c.issuer_der() == *issuer && trimmed(c.serial()) == trimmed(serial);
            certificates.iter().filter(is_named).cloned().collect()
        }
        SignerId::KeyId(id) => certificates.iter().filter(|c| c.ski() == Some(*id)).cloned().collect(),
    };
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Err(malformed("it does not contain the certificate of its signer"));
    }
    if named.len() > max {
        return Err(Fault::limit(format!(
            "more than {max} certificates of the PKCS#7 signature claim to be its signer's"
        )));
    }
    Ok(named)
}

fn trimmed(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}

fn context(number: TagNumber) -> Tag {
    Tag::ContextSpecific { constructed: true, number }
}

fn malformed(what: impl std::fmt::Display) -> Fault {
    Fault::signature(format!("the PKCS#7 signature is malformed: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::xpi::VerdictKind;

    fn kind(bytes: &[u8]) -> VerdictKind {
        Pkcs7::parse(bytes, &Limits::default(), &CertificateMemo::none()).unwrap_err().kind
    }

    #[test]
    fn what_is_no_strict_der_is_malformed() {
        assert_eq!(kind(b""), VerdictKind::MalformedSignature);
        assert_eq!(kind(b"-----BEGIN PKCS7-----"), VerdictKind::MalformedSignature);
        // An indefinite length, which is BER.
        assert_eq!(
            kind(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"),
            VerdictKind::MalformedSignature
        );
        let most = Limits::default().xpi.signature_bytes;
        assert_eq!(kind(&vec![0x30; most]), VerdictKind::MalformedSignature);
        assert_eq!(kind(&vec![0x30; most + 1]), VerdictKind::LimitExceeded);
    }

    #[test]
    fn leading_zeros_of_a_serial_do_not_matter() {
        assert_eq!(trimmed(&[0, 0x80]), trimmed(&[0x80]));
        assert_ne!(trimmed(&[1, 0]), trimmed(&[1]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Pkcs7::parse(&bytes, &Limits::default(), &CertificateMemo::none());
            let _ = elements(&bytes).count();
        }
    }
}
