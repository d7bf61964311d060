//! SignerInfo (RFC 5652 section 5.3): who signed, how, and what beside the content.
//!
//! Read in place: thousands of add-ons have one each, and of its parts only a few bytes matter.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST};
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ID_SHA_1, ID_SHA_256, RSA_ENCRYPTION, SHA_1_WITH_RSA_ENCRYPTION,
    SHA_256_WITH_RSA_ENCRYPTION,
};
use der::asn1::{AnyRef, IntRef, OctetStringRef};
use der::{Decode, Encode, Header, Length, Reader, SliceReader, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierRef;

use super::{context, malformed};
use crate::x509::{Certificate, elements, pair};
use crate::xpi::policy::WeakestDigest;
use crate::xpi::signed_by::Algorithm;
use crate::xpi::verdict::Fault;

/// What one signer states.
pub(super) struct Signer<'a> {
    id: SignerId<'a>,
    digest: ObjectIdentifier,
    algorithm: ObjectIdentifier,
    /// The content of the SET OF signed attributes.
    attributes: Option<&'a [u8]>,
    pub(super) signature: &'a [u8],
}

/// How a signer names its certificate.
enum SignerId<'a> {
    /// By its issuer, a Name in DER, and the content of its serial number.
    IssuerAndSerial { issuer: &'a [u8], serial: &'a [u8] },
    /// By its subject key identifier, which Firefox does not look up.
    KeyId,
}

/// The signed attributes as far as they matter.
#[derive(Clone, Debug)]
pub(super) struct SignedAttributes {
    /// What is signed: their SET OF in DER (RFC 5652 section 5.4).
    pub(super) signed: Vec<u8>,
    /// The digest of the content.
    pub(super) message_digest: Vec<u8>,
}

impl<'a> Signer<'a> {
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let signer = reader.sequence(|reader| {
            let _version = u8::decode(reader)?;
            let id = SignerId::read(AnyRef::decode(reader)?)?;
            let digest = AlgorithmIdentifierRef::decode(reader)?.oid;
            let attributes = optional(reader, TagNumber::N0)?;
            let algorithm = AlgorithmIdentifierRef::decode(reader)?.oid;
            let signature = OctetStringRef::decode(reader)?.as_bytes();
            let _unsigned = optional(reader, TagNumber::N1)?;
            Ok(Self { id, digest, algorithm, attributes, signature })
        })?;
        reader.finish(signer)
    }

    /// The digest of the content, where it is one that is used.
    pub(super) fn digest(&self) -> Option<WeakestDigest> {
        match self.digest {
            ID_SHA_1 => Some(WeakestDigest::Sha1),
            ID_SHA_256 => Some(WeakestDigest::Sha256),
            _ => None,
        }
    }

    /// Whether it names this certificate.
    pub(super) fn is_by(&self, certificate: &Certificate) -> bool {
        match self.id {
            SignerId::IssuerAndSerial { issuer, serial } => {
                certificate.issuer_der() == issuer && certificate.serial() == serial
            }
            SignerId::KeyId => false,
        }
    }

    /// The algorithm of the signature. Of RSA's names only that they are RSA's counts: the digest is stated beside them.
    pub(super) fn algorithm(&self, digest: WeakestDigest) -> Result<Algorithm, Fault> {
        match (digest, self.algorithm) {
            (_, RSA_ENCRYPTION | SHA_1_WITH_RSA_ENCRYPTION | SHA_256_WITH_RSA_ENCRYPTION) => {
                Ok(Algorithm::Rsa(digest))
            }
            (WeakestDigest::Sha256, ECDSA_WITH_SHA_256) => Ok(Algorithm::EcdsaSha256),
            (_, signature) => Err(Fault::algorithm(format!(
                "the PKCS#7 signature uses digest {digest} and signature {}, which are not accepted",
                name_of(signature)
            ))),
        }
    }

    /// The signed attributes, if there are any (RFC 5652 sections 5.3, 5.4 and 11).
    pub(super) fn attributes(&self) -> Result<Option<SignedAttributes>, Fault> {
        let Some(content) = self.attributes else { return Ok(None) };
        let mut attributes = elements(content)
            .map(|der| Attribute::read(der?))
            .collect::<der::Result<Vec<_>>>()
            .map_err(|error| malformed(format!("its signed attributes are not strict DER: {error}")))?;
        // The order of a SET OF in DER (X.690 section 11.6), in which they are signed whatever order they are written in.
        attributes.sort_unstable_by_key(|attribute| attribute.der);
        if attributes.array_windows().any(|[a, b]| a.der == b.der) {
            return Err(malformed("a signed attribute occurs twice"));
        }
        let content_type = the_value(&attributes, ID_CONTENT_TYPE, "content type")?;
        if ObjectIdentifier::from_der(content_type).ok() != Some(ID_DATA) {
            return Err(malformed("its signed content type is not \"data\""));
        }
        let digest = the_value(&attributes, ID_MESSAGE_DIGEST, "message digest")?;
        let digest = OctetStringRef::from_der(digest)
            .map_err(|_| malformed("its signed message digest is no octet string"))?;
        let mut signed = Vec::with_capacity(content.len() + 8);
        Length::try_from(content.len())
            .and_then(|len| Header::new(Tag::Set, len))
            .and_then(|header| header.encode(&mut signed))
            .map_err(|_| malformed("its signed attributes cannot be encoded"))?;
        attributes.iter().for_each(|attribute| signed.extend_from_slice(attribute.der));
        Ok(Some(SignedAttributes { signed, message_digest: digest.as_bytes().to_vec() }))
    }
}

impl<'a> SignerId<'a> {
    fn read(choice: AnyRef<'a>) -> der::Result<Self> {
        const KEY_ID: Tag = Tag::ContextSpecific { constructed: false, number: TagNumber::N0 };
        match choice.tag() {
            Tag::Sequence => {
                let mut reader = SliceReader::new(choice.value())?;
                let issuer = reader.tlv_bytes()?;
                let serial = IntRef::decode(&mut reader)?.as_bytes();
                reader.finish(Self::IssuerAndSerial { issuer, serial })
            }
            KEY_ID => Ok(Self::KeyId),
            other => Err(other.value_error()),
        }
    }
}

/// One attribute; its values are the content of a SET OF anything.
struct Attribute<'a> {
    der: &'a [u8],
    oid: ObjectIdentifier,
    values: &'a [u8],
}

impl<'a> Attribute<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let (oid, values) = pair(der)?;
        values.tag().assert_eq(Tag::Set)?;
        elements(values.value()).try_for_each(|value| value.map(drop))?;
        Ok(Self { der, oid, values: values.value() })
    }
}

/// The one value of the one attribute of this kind.
fn the_value<'a>(attributes: &[Attribute<'a>], oid: ObjectIdentifier, what: &str) -> Result<&'a [u8], Fault> {
    let mut values = attributes
        .iter()
        .filter(|attribute| attribute.oid == oid)
        .flat_map(|attribute| elements(attribute.values));
    match (values.next(), values.next()) {
        (Some(Ok(value)), None) => Ok(value),
        _ => Err(malformed(format!("its signed attributes do not hold exactly one {what}"))),
    }
}

/// The content of an optional, constructed part with this context-specific tag.
fn optional<'a>(reader: &mut impl Reader<'a>, number: TagNumber) -> der::Result<Option<&'a [u8]>> {
    if reader.is_finished() || reader.peek_tag()? != context(number) {
        return Ok(None);
    }
    AnyRef::decode(reader).map(|part| Some(part.value()))
}

fn name_of(oid: ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(&oid).map_or_else(|| oid.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xpi::VerdictKind;

    const CONTENT_TYPE: &str = "06092a864886f70d010903";
    const DATA: &str = "06092a864886f70d010701";
    const MESSAGE_DIGEST: &str = "06092a864886f70d010904";
    const SIGNING_TIME: &str = "06092a864886f70d010905";
    const SHA256_WITH_RSA: &str = "06092a864886f70d01010b";
    const SHA256: &str = "0609608648016503040201";

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = u8::try_from(content.len()).unwrap();
        let header = if len < 0x80 { vec![tag, len] } else { vec![tag, 0x81, len] };
        [header, content.to_vec()].concat()
    }

    fn attribute(oid: &str, values: &[Vec<u8>]) -> Vec<u8> {
        tlv(0x30, &[hex(oid), tlv(0x31, &values.concat())].concat())
    }

    fn signer_info(attributes: &[Vec<u8>]) -> Vec<u8> {
        let id = tlv(0x30, &[tlv(0x30, &[]), tlv(0x02, &[7])].concat());
        let (digest, algorithm) = (tlv(0x30, &hex(SHA256)), tlv(0x30, &hex(SHA256_WITH_RSA)));
        let signed = tlv(0xa0, &attributes.concat());
        tlv(0x30, &[tlv(0x02, &[1]), id, digest, signed, algorithm, tlv(0x04, &[9])].concat())
    }

    fn usual() -> [Vec<u8>; 3] {
        [
            attribute(CONTENT_TYPE, &[hex(DATA)]),
            attribute(SIGNING_TIME, &[tlv(0x17, b"190504000946Z")]),
            attribute(MESSAGE_DIGEST, &[tlv(0x04, &[5; 32])]),
        ]
    }

    fn refused(attributes: &[Vec<u8>]) -> Fault {
        let der = signer_info(attributes);
        Signer::read(&der).unwrap().attributes().unwrap_err()
    }

    #[test]
    fn attributes_are_signed_in_the_order_of_der_however_they_are_written() {
        let [first, second, third] = usual();
        let signed = tlv(0x31, &[&first[..], &second, &third].concat());
        for written in [[&first, &second, &third], [&third, &first, &second], [&second, &third, &first]] {
            let der = signer_info(&written.map(Clone::clone));
            let signer = Signer::read(&der).unwrap();
            let attributes = signer.attributes().unwrap().unwrap();
            assert_eq!(attributes.signed, signed);
            assert_eq!(attributes.message_digest, [5; 32]);
            assert_eq!(signer.signature, [9]);
            assert_eq!(signer.digest(), Some(WeakestDigest::Sha256));
            let algorithm = signer.algorithm(WeakestDigest::Sha256).unwrap();
            assert_eq!(algorithm, Algorithm::Rsa(WeakestDigest::Sha256));
            assert!(matches!(signer.id, SignerId::IssuerAndSerial { issuer: [0x30, 0], serial: [7] }));
        }
    }

    #[test]
    fn attributes_that_could_be_read_in_two_ways_are_refused() {
        let [content_type, time, digest] = usual();
        let other_digest = attribute(MESSAGE_DIGEST, &[tlv(0x04, &[6; 32])]);
        let two_values = attribute(MESSAGE_DIGEST, &[tlv(0x04, &[5; 32]), tlv(0x04, &[6; 32])]);
        let no_value = attribute(MESSAGE_DIGEST, &[]);
        let cut_value = attribute(SIGNING_TIME, &[vec![0x17, 9, b'1']]);
        let other_type = attribute(CONTENT_TYPE, &[hex(SHA256)]);
        let no_octets = attribute(MESSAGE_DIGEST, &[tlv(0x02, &[5])]);
        let cases: [&[&Vec<u8>]; 10] = [
            &[],
            &[&content_type],
            &[&digest],
            &[&content_type, &digest, &digest],
            &[&content_type, &digest, &other_digest],
            &[&content_type, &two_values],
            &[&content_type, &no_value],
            &[&content_type, &digest, &cut_value],
            &[&other_type, &digest],
            &[&content_type, &no_octets, &time],
        ];
        for case in cases {
            let attributes: Vec<_> = case.iter().map(|attribute| (*attribute).clone()).collect();
            assert_eq!(refused(&attributes).kind, VerdictKind::MalformedSignature, "{attributes:x?}");
        }
    }

    #[test]
    fn a_signer_is_read_to_its_last_byte() {
        let whole = signer_info(&usual());
        assert!(Signer::read(&whole).is_ok());
        assert!(Signer::read(&[&whole[..], &[0]].concat()).is_err());
        for len in 0..whole.len() {
            assert!(Signer::read(&whole[..len]).is_err(), "{len}");
        }
        let mut longer = whole;
        longer.extend(tlv(0x05, &[]));
        longer[2] += 2;
        assert!(Signer::read(&longer).is_err(), "an unknown part after the last");
    }
}
