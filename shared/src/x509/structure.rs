//! The structure of a certificate (RFC 5280 section 4.1), read in place.
//!
//! `x509-cert` has no types that borrow, and thousands of end entities are read only once each: what is copied for nothing shows.
//! It still reads what is small or rare, and the tests hold this against it: nothing is accepted that it refuses, and
//! nothing is read differently.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519;
use der::asn1::{
    AnyRef, BitStringRef, ContextSpecific, Ia5StringRef, OctetStringRef, PrintableStringRef,
    TeletexStringRef, Utf8StringRef,
};
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierRef;
use x509_cert::Version;
use x509_cert::name::RelativeDistinguishedName;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Validity;

/// The three parts of a certificate, as the bytes that stand there.
pub(super) struct Outer<'a> {
    pub(super) tbs: &'a [u8],
    /// Its AlgorithmIdentifier.
    pub(super) signature_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Outer<'a> {
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(sequence(der)?)?;
        let tbs = reader.tlv_bytes()?;
        let signature_algorithm = reader.tlv_bytes()?;
        let signature = whole_bytes(BitStringRef::decode(&mut reader)?)?;
        reader.finish(Self { tbs, signature_algorithm, signature })
    }
}

/// The TBSCertificate.
pub(super) struct Tbs<'a> {
    pub(super) version: Version,
    pub(super) serial: SerialNumber,
    /// Its AlgorithmIdentifier.
    pub(super) signature_algorithm: &'a [u8],
    pub(super) issuer: Name<'a>,
    pub(super) validity: Validity,
    pub(super) subject: Name<'a>,
    pub(super) key: Key<'a>,
    /// The content of the SEQUENCE OF extensions.
    pub(super) extensions: Option<&'a [u8]>,
}

impl<'a> Tbs<'a> {
    /// `name_part` is the most attributes that one part of a name may have.
    pub(super) fn read(der: &'a [u8], name_part: usize) -> der::Result<Self> {
        let mut reader = SliceReader::new(sequence(der)?)?;
        let version = ContextSpecific::<Version>::decode_explicit(&mut reader, TagNumber::N0)?;
        let serial = SerialNumber::decode(&mut reader)?;
        let signature_algorithm = reader.tlv_bytes()?;
        AlgorithmIdentifierRef::from_der(signature_algorithm)?;
        let issuer = Name::read(reader.tlv_bytes()?, name_part)?;
        let validity = Validity::decode(&mut reader)?;
        let subject = Name::read(reader.tlv_bytes()?, name_part)?;
        let key = Key::read(reader.tlv_bytes()?)?;
        for unique_id in [TagNumber::N1, TagNumber::N2] {
            ContextSpecific::<BitStringRef<'_>>::decode_implicit(&mut reader, unique_id)?;
        }
        let extensions = ContextSpecific::<AnyRef<'_>>::decode_explicit(&mut reader, TagNumber::N3)?;
        let extensions = extensions.map(|extensions| content(extensions.value)).transpose()?;
        let version = version.map_or_else(Version::default, |version| version.value);
        reader.finish(Self {
            version,
            serial,
            signature_algorithm,
            issuer,
            validity,
            subject,
            key,
            extensions,
        })
    }
}

/// A Name.
pub(super) struct Name<'a> {
    pub(super) der: &'a [u8],
    pub(super) is_empty: bool,
    /// The last (most specific) common name.
    pub(super) common_name: Option<String>,
}

impl<'a> Name<'a> {
    fn read(der: &'a [u8], name_part: usize) -> der::Result<Self> {
        let parts = sequence(der)?;
        let mut common_name = None;
        let mut see = |(kind, value): (ObjectIdentifier, AnyRef<'_>)| {
            if kind == rfc4519::CN {
                common_name = directory_string(value);
            }
        };
        for part in elements(parts) {
            let part = part?;
            let set = AnyRef::from_der(part)?;
            set.tag().assert_eq(Tag::Set)?;
            let mut attributes = elements(set.value());
            match (attributes.next(), attributes.next()) {
                (Some(attribute), None) => see(pair(attribute?)?),
                _ if elements(set.value()).nth(name_part).is_some() => return Err(Tag::Set.value_error()),
                // Sets have an order in DER.
                _ => RelativeDistinguishedName::from_der(part)?
                    .0
                    .iter()
                    .for_each(|attribute| see((attribute.oid, AnyRef::from(&attribute.value)))),
            }
        }
        Ok(Self { der, is_empty: parts.is_empty(), common_name })
    }
}

/// A SubjectPublicKeyInfo.
pub(super) struct Key<'a> {
    pub(super) spki: &'a [u8],
    /// Its AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) bytes: &'a [u8],
}

impl<'a> Key<'a> {
    fn read(spki: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(sequence(spki)?)?;
        let algorithm = reader.tlv_bytes()?;
        AlgorithmIdentifierRef::from_der(algorithm)?;
        let bytes = whole_bytes(BitStringRef::decode(&mut reader)?)?;
        reader.finish(Self { spki, algorithm, bytes })
    }
}

/// An Extension.
pub(super) struct Extension<'a> {
    pub(super) id: ObjectIdentifier,
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub(super) fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(sequence(der)?)?;
        let id = ObjectIdentifier::decode(&mut reader)?;
        let critical = Option::<bool>::decode(&mut reader)?.unwrap_or_default();
        let value = OctetStringRef::decode(&mut reader)?.as_bytes();
        reader.finish(Self { id, critical, value })
    }
}

/// The DER elements one after another in `bytes`, each with its header; ends after the first error.
pub(crate) fn elements(bytes: &[u8]) -> impl Iterator<Item = der::Result<&[u8]>> {
    let mut reader = SliceReader::new(bytes).ok();
    std::iter::from_fn(move || {
        let element = match &mut reader {
            Some(open) if !open.is_finished() => open.tlv_bytes(),
            _ => return None,
        };
        if element.is_err() {
            reader = None;
        }
        Some(element)
    })
}

/// Whether a SET of more than `most` elements stands anywhere in `der`, as deep as names stand in extensions. To be asked before
/// `x509-cert` decodes a name: it sorts sets in time that grows with the square of their elements.
pub(crate) fn has_larger_set(der: &[u8], most: usize) -> bool {
    const DEEPEST: usize = 8;
    let mut open = vec![(der, 0)];
    while let Some((bytes, depth)) = open.pop() {
        // What is no DER is refused by whoever decodes it, before it comes to what follows.
        for element in elements(bytes).map_while(|element| AnyRef::from_der(element.ok()?).ok()) {
            if element.tag() == Tag::Set && elements(element.value()).nth(most).is_some() {
                return true;
            }
            if element.tag().is_constructed() && depth < DEEPEST {
                open.push((element.value(), depth + 1));
            }
        }
    }
    false
}

/// A SEQUENCE of what something is and what it says.
pub(crate) fn pair(der: &[u8]) -> der::Result<(ObjectIdentifier, AnyRef<'_>)> {
    let mut reader = SliceReader::new(sequence(der)?)?;
    let pair = (ObjectIdentifier::decode(&mut reader)?, AnyRef::decode(&mut reader)?);
    reader.finish(pair)
}

/// The content of one SEQUENCE with its header.
pub(crate) fn sequence(der: &[u8]) -> der::Result<&[u8]> {
    content(AnyRef::from_der(der)?)
}

fn content(sequence: AnyRef<'_>) -> der::Result<&[u8]> {
    sequence.tag().assert_eq(Tag::Sequence)?;
    Ok(sequence.value())
}

fn whole_bytes(bits: BitStringRef<'_>) -> der::Result<&[u8]> {
    bits.as_bytes().ok_or_else(|| Tag::BitString.value_error())
}

/// The text of an attribute value, in the string types that names have.
pub(super) fn directory_string(value: AnyRef<'_>) -> Option<String> {
    match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok().map(|s| s.as_str().to_owned()),
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok().map(|s| s.as_str().to_owned())
        }
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok().map(|s| s.as_str().to_owned()),
        Tag::TeletexString => value.decode_as::<TeletexStringRef<'_>>().ok().map(|s| s.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use der::{Encode, asn1::Ia5String};
    use proptest::prelude::*;
    use x509_cert::Certificate;
    use x509_cert::name::RdnSequence;

    use super::*;

    const PEM: [&[u8]; 3] = [
        include_bytes!("../../../recipes/replace-signing-intermediate/replacement.pem"),
        include_bytes!("../../../recipes/distrust-stolen-intermediate/stolen.pem"),
        include_bytes!("../../../recipes/fire-drill/drill.pem"),
    ];

    fn certificates() -> Vec<Vec<u8>> {
        PEM.iter()
            .flat_map(|pem| super::super::pem::certificates(pem, &Default::default()).unwrap())
            .collect()
    }

    /// What `x509-cert` reads, in the form that is compared.
    #[derive(Debug, PartialEq)]
    struct Read {
        version: Version,
        serial: Vec<u8>,
        names: [Vec<u8>; 2],
        common_name: Option<String>,
        validity: Validity,
        spki: Vec<u8>,
        signature: Vec<u8>,
        extensions: Vec<(ObjectIdentifier, bool, Vec<u8>)>,
    }

    const NAME_PART: usize = 16;

    /// Certificates whose two signature algorithms differ are refused before they are used.
    fn same<T: PartialEq>(outer: &T, inner: &T) -> der::Result<()> {
        if outer == inner { Ok(()) } else { Err(Tag::Sequence.value_error()) }
    }

    fn ours(der: &[u8]) -> der::Result<Read> {
        let outer = Outer::read(der)?;
        let tbs = Tbs::read(outer.tbs, NAME_PART)?;
        same(&outer.signature_algorithm, &tbs.signature_algorithm)?;
        let extensions = elements(tbs.extensions.unwrap_or_default())
            .map(|extension| Extension::read(extension?).map(|e| (e.id, e.critical, e.value.to_vec())))
            .collect::<der::Result<_>>()?;
        Ok(Read {
            version: tbs.version,
            serial: tbs.serial.as_bytes().to_vec(),
            names: [tbs.issuer.der.to_vec(), tbs.subject.der.to_vec()],
            common_name: tbs.subject.common_name,
            validity: tbs.validity,
            spki: tbs.key.spki.to_vec(),
            signature: outer.signature.to_vec(),
            extensions,
        })
    }

    fn theirs(der: &[u8]) -> der::Result<Read> {
        let certificate = Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate;
        same(&certificate.signature_algorithm, &tbs.signature)?;
        let common_name = |name: &RdnSequence| {
            let mut all = name.0.iter().flat_map(|part| part.0.iter());
            directory_string((&all.rfind(|attribute| attribute.oid == rfc4519::CN)?.value).into())
        };
        let whole = |bits: &der::asn1::BitString| {
            bits.as_bytes().map(<[u8]>::to_vec).ok_or_else(|| Tag::BitString.value_error())
        };
        whole(&tbs.subject_public_key_info.subject_public_key)?;
        Ok(Read {
            version: tbs.version,
            serial: tbs.serial_number.as_bytes().to_vec(),
            names: [tbs.issuer.to_der()?, tbs.subject.to_der()?],
            common_name: common_name(&tbs.subject),
            validity: tbs.validity,
            spki: tbs.subject_public_key_info.to_der()?,
            signature: whole(&certificate.signature)?,
            extensions: tbs
                .extensions
                .iter()
                .flatten()
                .map(|e| (e.extn_id, e.critical, e.extn_value.as_bytes().to_vec()))
                .collect(),
        })
    }

    #[test]
    fn real_certificates_are_read_as_x509_cert_reads_them() {
        for der in certificates() {
            assert_eq!(ours(&der).unwrap(), theirs(&der).unwrap());
            assert!(ours(&der).unwrap().common_name.is_some());
        }
    }

    #[test]
    fn the_last_common_name_counts_in_the_order_of_der() {
        let attribute = |oid: ObjectIdentifier, text: &str| {
            let value = Ia5String::new(text).unwrap().to_der().unwrap();
            let content = [oid.to_der().unwrap(), value].concat();
            AnyRef::new(Tag::Sequence, &content).unwrap().to_der().unwrap()
        };
        let set = |content: &[&[u8]]| AnyRef::new(Tag::Set, &content.concat()).unwrap().to_der().unwrap();
        let name = |parts: &[Vec<u8>]| {
            let der = AnyRef::new(Tag::Sequence, &parts.concat()).unwrap().to_der().unwrap();
            let theirs = RdnSequence::from_der(&der);
            let ours = Name::read(&der, NAME_PART).map(|name| name.common_name);
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{der:x?}");
            ours.ok().flatten()
        };
        let (a, b, unit) =
            (attribute(rfc4519::CN, "a"), attribute(rfc4519::CN, "b"), attribute(rfc4519::OU, "u"));
        assert_eq!(name(&[]), None);
        assert_eq!(name(&[set(&[&unit])]), None);
        assert_eq!(name(&[set(&[&a]), set(&[&b]), set(&[&unit])]).as_deref(), Some("b"));
        assert_eq!(name(&[set(&[&b]), set(&[&a])]).as_deref(), Some("a"));
        for written in [[&a[..], &b], [&b[..], &a]] {
            assert_eq!(name(&[set(&written)]).as_deref(), Some("b"));
        }
        assert_eq!(name(&[set(&[&a, &a])]), None);
        assert_eq!(name(&[set(&[&unit, &b])]).as_deref(), Some("b"));
    }

    #[test]
    fn a_part_of_a_name_has_few_attributes() {
        let attribute = |n: u8| [0x30, 8, 6, 3, 0x55, 4, 3, 12, 1, b'a' + n].to_vec();
        let name = |count: u8| {
            let set = AnyRef::new(Tag::Set, &(0..count).flat_map(attribute).collect::<Vec<_>>())
                .unwrap()
                .to_der()
                .unwrap();
            AnyRef::new(Tag::Sequence, &set).unwrap().to_der().unwrap()
        };
        assert!(Name::read(&name(16), NAME_PART).is_ok() && !has_larger_set(&name(16), NAME_PART));
        assert!(Name::read(&name(17), NAME_PART).is_err() && has_larger_set(&name(17), NAME_PART));
        assert!(RdnSequence::from_der(&name(17)).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn damaged_certificates_are_read_as_x509_cert_reads_them(
            which in 0..PEM.len(),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut der = certificates().swap_remove(which);
            for (at, byte) in changes {
                let at = at.index(der.len());
                der[at] = byte;
            }
            prop_assert_eq!(ours(&der).ok(), theirs(&der).ok());
        }
    }
}
