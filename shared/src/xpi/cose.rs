//! The COSE signature `META-INF/cose.sig`: a COSE_Sign (RFC 9052 section 4.1, tag 98) over `cose.manifest`.
//!
//! As add-ons have it: the body's protected `kid` is an array of intermediate certificates and a signer's protected `kid` is
//! its end entity, where RFC 9052 has opaque byte strings; and the `external_aad` of the signed structure is CBOR null, where
//! it has a byte string. So general COSE libraries cannot read it.

mod cbor;

use aws_lc_rs::digest;

use self::cbor::Item;

use super::signed_by::{self, Algorithm, Checked};
use super::verdict::Fault;
use crate::limits::Limits;
use crate::x509::{Certificate, CertificateMemo};

/// A parsed COSE signature. Nothing is verified yet.
#[derive(Clone, Debug)]
pub struct Cose {
    /// The intermediates in the body's header.
    pub intermediates: Vec<Certificate>,
    body_protected: Vec<u8>,
    signers: Vec<Signer>,
}

#[derive(Clone, Debug)]
struct Signer {
    end_entity: Certificate,
    algorithm: i128,
    protected: Vec<u8>,
    signature: Vec<u8>,
}

/// Header labels and the tag (RFC 9052 sections 2 and 3.1).
const TAG_COSE_SIGN: u64 = 98;
const LABEL_ALGORITHM: i128 = 1;
const LABEL_KID: i128 = 4;

impl Cose {
    /// Parses a `cose.sig` file.
    ///
    /// # Errors
    /// Too large, too deep, not CBOR of this structure, content inside, no signer or too many, a certificate that does
    /// not parse. (They are signed, unlike those in PKCS#7, so none is junk.)
    pub fn parse(bytes: &[u8], limits: &Limits, certificates: &CertificateMemo) -> Result<Self, Fault> {
        if bytes.len() > limits.xpi.signature_bytes {
            let max = limits.xpi.signature_bytes;
            return Err(Fault::limit(format!("cose.sig is larger than the {max} bytes that are read")));
        }
        let Item::Tag(TAG_COSE_SIGN, body) = decode(bytes, limits)? else {
            return Err(malformed("it is no tagged COSE_Sign"));
        };
        let Item::Array(parts) = *body else {
            return Err(malformed("it is no array"));
        };
        let Ok([Item::Bytes(body_protected), Item::Map(unprotected), Item::Null, Item::Array(signers)]) =
            <[Item<'_>; 4]>::try_from(parts)
        else {
            return Err(malformed("it does not consist of two headers, no content, and signatures"));
        };
        nothing_unprotected(&unprotected)?;
        let header = Header::read(body_protected, limits)?;
        let Some(Item::Array(intermediates)) = header.kid else {
            return Err(malformed("its header has no array of certificates"));
        };
        if header.algorithm.is_some() {
            return Err(malformed("its header names an algorithm, which is its signers' to name"));
        }
        if signers.is_empty() {
            return Err(malformed("it has no signer"));
        }
        if signers.len() > limits.xpi.cose_signers {
            let (count, max) = (signers.len(), limits.xpi.cose_signers);
            return Err(Fault::limit(format!("the COSE signature has {count} signers, more than {max}")));
        }
        Ok(Self {
            intermediates: intermediates
                .into_iter()
                .map(|value| certificate(value, limits, certificates))
                .collect::<Result<_, _>>()?,
            body_protected: body_protected.to_vec(),
            signers: signers
                .into_iter()
                .map(|value| Signer::read(value, limits, certificates))
                .collect::<Result<_, _>>()?,
        })
    }

    /// A reader of `cose.manifest`, of `len` bytes, for the check of all signatures over it.
    ///
    /// # Errors
    /// A signature that is none of ES256, ES384 and ES512 (PS256 included: Firefox refuses it).
    pub fn content(&self, len: u64) -> Result<CoseContent<'_>, Fault> {
        let hashers = self.signers.iter().map(|signer| signer.hasher(&self.body_protected, len));
        Ok(CoseContent { hashers: hashers.collect::<Result<_, _>>()? })
    }
}

/// `cose.manifest` as it is read, hashed for each signer.
pub struct CoseContent<'a> {
    hashers: Vec<(&'a Signer, Algorithm, digest::Context)>,
}

impl<'a> CoseContent<'a> {
    /// Takes up the next piece.
    pub fn read(&mut self, piece: &[u8]) {
        self.hashers.iter_mut().for_each(|(_, _, hasher)| hasher.update(piece));
    }

    /// Verifies every signature, and answers the end entities.
    ///
    /// # Errors
    /// One that does not verify.
    pub fn verify(self) -> Result<Vec<&'a Certificate>, Fault> {
        self.hashers
            .into_iter()
            .map(|(signer, algorithm, hasher)| signer.verify(algorithm, hasher.finish().as_ref()))
            .collect()
    }
}

impl Signer {
    /// RFC 9052 section 4.1, COSE_Signature.
    fn read(value: Item<'_>, limits: &Limits, certificates: &CertificateMemo) -> Result<Self, Fault> {
        let parts = match value {
            Item::Array(parts) => <[Item<'_>; 3]>::try_from(parts).ok(),
            _ => None,
        };
        let Some([Item::Bytes(protected), Item::Map(unprotected), Item::Bytes(signature)]) = parts else {
            return Err(malformed("a signer does not consist of two headers and a signature"));
        };
        nothing_unprotected(&unprotected)?;
        let header = Header::read(protected, limits)?;
        let Some(algorithm) = header.algorithm else {
            return Err(malformed("a signer names no algorithm"));
        };
        let Some(kid) = header.kid else {
            return Err(malformed("a signer names no certificate"));
        };
        let (protected, signature) = (protected.to_vec(), signature.to_vec());
        Ok(Self { end_entity: certificate(kid, limits, certificates)?, algorithm, protected, signature })
    }

    /// What hashes this signer's Sig_structure, everything before the content's own bytes taken up.
    fn hasher(&self, body_protected: &[u8], len: u64) -> Result<(&Self, Algorithm, digest::Context), Fault> {
        // RFC 9053 section 2.1; PS256 is RFC 8230's.
        let algorithm = match self.algorithm {
            -7 => Algorithm::Es256,
            -35 => Algorithm::Es384,
            -36 => Algorithm::Es512,
            other => {
                let other = if other == -37 { "PS256".to_owned() } else { format!("algorithm {other}") };
                return Err(Fault::algorithm(format!(
                    "the COSE signature of {} uses {other}; ES256, ES384 and ES512 are accepted",
                    self.end_entity.described()
                )));
            }
        };
        let mut hasher = algorithm.hasher();
        hasher.update(&before_content(body_protected, &self.protected, len));
        Ok((self, algorithm, hasher))
    }

    fn verify(&self, algorithm: Algorithm, digest: &[u8]) -> Result<&Certificate, Fault> {
        let name = || self.end_entity.described();
        match signed_by::check(&self.end_entity, algorithm, digest, &self.signature)? {
            Checked::Holds => Ok(&self.end_entity),
            Checked::Fails => {
                Err(Fault::bad_signature(format!("the COSE signature of {} does not verify", name())))
            }
            Checked::OtherKey => Err(Fault::algorithm(format!(
                "the COSE signature's algorithm does not go with the key of {}",
                name()
            ))),
        }
    }
}

/// The Sig_structure of RFC 9052 section 4.4, with null for `external_aad`, up to the bytes of a content of `len` bytes.
fn before_content(body_protected: &[u8], protected: &[u8], len: u64) -> Vec<u8> {
    const ARRAY_OF_FIVE: u8 = 0x85;
    const NULL: u8 = 0xf6;
    const CONTEXT: &[u8] = b"Signature";
    let mut bytes = Vec::with_capacity(protected.len() + body_protected.len() + 64);
    bytes.push(ARRAY_OF_FIVE);
    cbor_head(&mut bytes, 3, CONTEXT.len() as u64);
    bytes.extend_from_slice(CONTEXT);
    for header in [body_protected, protected] {
        cbor_head(&mut bytes, 2, header.len() as u64);
        bytes.extend_from_slice(header);
    }
    bytes.push(NULL);
    cbor_head(&mut bytes, 2, len);
    bytes
}

/// The head of a string: its major type and its length (RFC 8949 section 3), in the shortest form.
fn cbor_head(out: &mut Vec<u8>, major: u8, len: u64) {
    let major = major << 5;
    let be = len.to_be_bytes();
    let (info, size) = match len {
        0..24 => (be[7], 0),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push(major | info);
    out.extend_from_slice(be.get(be.len() - size..).unwrap_or_default());
}

/// What matters of a protected header: a map in a byte string.
struct Header<'a> {
    algorithm: Option<i128>,
    kid: Option<Item<'a>>,
}

impl<'a> Header<'a> {
    fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, Fault> {
        let Item::Map(entries) = decode(bytes, limits)? else {
            return Err(malformed("a protected header is no map"));
        };
        let mut header = Self { algorithm: None, kid: None };
        for (label, value) in entries {
            let again = match (label, value) {
                (Item::Number(LABEL_ALGORITHM), Item::Number(algorithm)) => {
                    header.algorithm.replace(algorithm).is_some()
                }
                (Item::Number(LABEL_ALGORITHM), _) => return Err(malformed("an algorithm is no number")),
                (Item::Number(LABEL_KID), value) => header.kid.replace(value).is_some(),
                // "crit" and anything else would have to be understood before it may be ignored.
                _ => return Err(malformed("a protected header has a label that is not known")),
            };
            if again {
                return Err(malformed("a protected header has a label twice"));
            }
        }
        Ok(header)
    }
}

fn nothing_unprotected(header: &[(Item<'_>, Item<'_>)]) -> Result<(), Fault> {
    if header.is_empty() { Ok(()) } else { Err(malformed("an unprotected header is not empty")) }
}

fn certificate(
    value: Item<'_>,
    limits: &Limits,
    certificates: &CertificateMemo,
) -> Result<Certificate, Fault> {
    let Item::Bytes(der) = value else {
        return Err(malformed("a certificate is no byte string"));
    };
    certificates.parse_der(der, &limits.x509).map_err(malformed)
}

fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Item<'a>, Fault> {
    Item::first(bytes, limits.xpi.cbor_depth, limits.xpi.cbor_items)
        .ok_or_else(|| malformed("it is not CBOR, or deeper or of more items than any signature is"))
}

fn malformed(what: impl std::fmt::Display) -> Fault {
    Fault::signature(format!("the COSE signature is malformed: {what}"))
}

#[cfg(test)]
mod tests {
    use ciborium::Value;
    use proptest::prelude::*;

    use super::*;
    use crate::xpi::VerdictKind;

    fn kind(bytes: &[u8]) -> VerdictKind {
        Cose::parse(bytes, &Limits::default(), &CertificateMemo::none()).unwrap_err().kind
    }

    fn encoded(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn deep_and_large_input_is_refused() {
        assert_eq!(kind(&[0x81; 50_000]), VerdictKind::MalformedSignature);
        let too_large = Limits::default().xpi.signature_bytes + 1;
        assert_eq!(kind(&vec![0; too_large]), VerdictKind::LimitExceeded);
        // An array and a byte string that claim to be far longer than the input.
        assert_eq!(kind(&[0x9b, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), VerdictKind::MalformedSignature);
        assert_eq!(kind(&[0x5b, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), VerdictKind::MalformedSignature);
    }

    #[test]
    fn other_structures_are_refused() {
        let header = |entries: Vec<(Value, Value)>| Value::Bytes(encoded(&Value::Map(entries)));
        let kid = || (Value::from(4), Value::Array(vec![]));
        let sign = |protected: Value, content: Value| {
            let parts = vec![protected, Value::Map(vec![]), content, Value::Array(vec![])];
            encoded(&Value::Tag(98, Box::new(Value::Array(parts))))
        };
        let sentence = |bytes: &[u8]| {
            Cose::parse(bytes, &Limits::default(), &CertificateMemo::none()).unwrap_err().sentence
        };
        assert!(sentence(&sign(header(vec![kid()]), Value::Null)).contains("no signer"));
        assert!(sentence(&sign(header(vec![kid(), kid()]), Value::Null)).contains("twice"));
        assert!(
            sentence(&sign(header(vec![(Value::from(2), Value::Null)]), Value::Null)).contains("not known")
        );
        assert!(sentence(&sign(header(vec![kid()]), Value::Bytes(vec![1]))).contains("no content"));
        let unprotected = Value::Map(vec![(Value::from(2), Value::Null)]);
        let parts = vec![header(vec![kid()]), unprotected, Value::Null, Value::Array(vec![])];
        assert!(sentence(&encoded(&Value::Tag(98, Box::new(Value::Array(parts))))).contains("unprotected"));
    }

    #[test]
    fn the_signed_structure_has_null_for_external_aad() {
        let bytes = [before_content(b"\xa0", b"\xa1", 1), b"c".to_vec()].concat();
        assert_eq!(bytes, b"\x85\x69Signature\x41\xa0\x41\xa1\xf6\x41c");
    }

    #[test]
    fn lengths_are_written_as_cbor_has_them() {
        for len in [0usize, 1, 23, 24, 255, 256, 65_535, 65_536, 100_000] {
            let mut head = Vec::new();
            cbor_head(&mut head, 2, len as u64);
            let whole = encoded(&Value::Bytes(vec![7; len]));
            assert_eq!([head, vec![7; len]].concat(), whole, "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Cose::parse(&bytes, &Limits::default(), &CertificateMemo::none());
        }
    }
}
