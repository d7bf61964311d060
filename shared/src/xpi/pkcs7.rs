//! The PKCS#7 signature `META-INF/*.rsa`: a detached CMS SignedData (RFC 5652) over the signature file.
//!
//! DER, or as much of BER as signers that stream write; what follows it means nothing. The certificates are not signed, so whoever
//! holds the file chose them: those that do not parse are skipped, and the end entity is the first that the signer names.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

mod ber;
mod signer;

use self::signer::{SignedAttributes, Signer};
use super::manifest::AnyDigest;
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
    /// The first among them that the signer names.
    end_entity: Certificate,
    digest: WeakestDigest,
    algorithm: Algorithm,
    attributes: Option<SignedAttributes>,
    signature: Vec<u8>,
}

impl Pkcs7 {
    /// Parses a `.rsa` file.
    ///
    /// # Errors
    /// Too large, not DER of this structure, content inside, no signer by SHA-256 or SHA-1, no certificate of it, malformed
    /// signed attributes; an algorithm that is not known.
    pub fn parse(bytes: &[u8], limits: &Limits, known: &CertificateMemo) -> Result<Self, Fault> {
        if bytes.len() > limits.xpi.signature_bytes {
            let max = limits.xpi.signature_bytes;
            return Err(Fault::limit(format!(
                "the PKCS#7 signature is larger than the {max} bytes that are read"
            )));
        }
        let der;
        let parts = match Parts::read(bytes) {
            Ok(parts) => parts?,
            Err(error) => {
                der = ber::to_der(bytes).ok_or_else(|| malformed(format!("it is not DER: {error}")))?;
                Parts::read(&der).map_err(|error| malformed(format!("it is not DER: {error}")))??
            }
        };
        let (digest, signer) = parts.the_signer()?;
        let certificates = parts.certificates(limits, known);
        let end_entity = certificates
            .iter()
            .find(|certificate| signer.is_by(certificate))
            .cloned()
            .ok_or_else(|| malformed("it does not contain the certificate of its signer"))?;
        let algorithm = signer.algorithm(digest)?;
        let attributes = signer.attributes()?;
        let signature = signer.signature.to_vec();
        Ok(Self { certificates, end_entity, digest, algorithm, attributes, signature })
    }

    /// The signer's digest, which rules everything below: signature file and manifest.
    #[must_use]
    pub fn digest(&self) -> WeakestDigest {
        self.digest
    }

    /// Verifies the signature over a signature file that has this [digest](Self::digest), and answers the end entity.
    ///
    /// # Errors
    /// Other content than was signed, or another key than the end entity's.
    pub fn verify(&self, content: &AnyDigest) -> Result<&Certificate, Fault> {
        let content = content.get(..self.digest.digest_len()).unwrap_or_default();
        let checked = match &self.attributes {
            None => signed_by::check(&self.end_entity, self.algorithm, content, &self.signature)?,
            Some(attributes) if attributes.message_digest != content => {
                return Err(Fault::bad_signature(
                    "the signature file is not what the PKCS#7 signature was made over: other message digest",
                ));
            }
            Some(attributes) => {
                let mut hasher = self.algorithm.hasher();
                hasher.update(&attributes.signed);
                signed_by::check(&self.end_entity, self.algorithm, hasher.finish().as_ref(), &self.signature)?
            }
        };
        let name = || self.end_entity.described();
        match checked {
            Checked::Holds => Ok(&self.end_entity),
            Checked::OtherKey => Err(Fault::algorithm(format!(
                "the PKCS#7 signature's algorithm does not go with the key of {}",
                name()
            ))),
            Checked::Fails => Err(Fault::bad_signature(format!(
                "the PKCS#7 signature does not verify under the key of {}",
                name()
            ))),
        }
    }
}

/// The parts of SignedData that matter, undecoded. (The types of the `cms` crate would sort sets of outside bytes in quadratic time,
/// encode certificates again instead of keeping their bytes, and copy every part.)
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
        // Content of its own, which is not looked at: the signature file is what must have been signed.
        let content_type = reader.sequence(|reader| {
            let content_type = ObjectIdentifier::decode(reader)?;
            let _content = (!reader.is_finished()).then(|| AnyRef::decode(reader)).transpose()?;
            Ok(content_type)
        })?;
        if content_type != ID_DATA {
            return Ok(Err(malformed("what it signs is not \"data\"")));
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

    /// The first signer by SHA-256, else the first by SHA-1: what a newer verifier uses and what an older one needs stand
    /// side by side.
    fn the_signer(&self) -> Result<(WeakestDigest, Signer<'a>), Fault> {
        let mut by_sha1 = None;
        for signer in elements(self.signers) {
            let signer = signer
                .and_then(Signer::read)
                .map_err(|error| malformed(format!("its signer is not DER: {error}")))?;
            match signer.digest() {
                Some(WeakestDigest::Sha256) => return Ok((WeakestDigest::Sha256, signer)),
                Some(WeakestDigest::Sha1) if by_sha1.is_none() => by_sha1 = Some(signer),
                _ => {}
            }
        }
        by_sha1
            .map(|signer| (WeakestDigest::Sha1, signer))
            .ok_or_else(|| malformed("it has no signer whose digest is SHA-256 or SHA-1"))
    }

    fn certificates(&self, limits: &Limits, known: &CertificateMemo) -> Vec<Certificate> {
        elements(self.certificates.unwrap_or_default())
            .map_while(Result::ok)
            .filter_map(|der| known.parse_der(der, &limits.x509).ok())
            .collect()
    }
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
    fn what_is_no_der_is_malformed() {
        assert_eq!(kind(b""), VerdictKind::MalformedSignature);
        assert_eq!(kind(b"-----BEGIN PKCS7-----"), VerdictKind::MalformedSignature);
        // An indefinite length without an end.
        assert_eq!(
            kind(b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"),
            VerdictKind::MalformedSignature
        );
        let most = Limits::default().xpi.signature_bytes;
        assert_eq!(kind(&vec![0x30; most]), VerdictKind::MalformedSignature);
        assert_eq!(kind(&vec![0x30; most + 1]), VerdictKind::LimitExceeded);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Pkcs7::parse(&bytes, &Limits::default(), &CertificateMemo::none());
            let _ = elements(&bytes).count();
        }
    }
}
