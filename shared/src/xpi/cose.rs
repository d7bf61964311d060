//! The COSE signature `META-INF/cose.sig`: a COSE_Sign (RFC 9052 section 4.1, tag 98) over `cose.manifest`.
//!
//! As add-ons have it: the body's protected `kid` is an array of intermediate certificates and a signer's protected `kid` is
//! its end entity, where RFC 9052 has opaque byte strings; and the `external_aad` of the signed structure is CBOR null, where
//! it has a byte string. So general COSE libraries cannot read it.

use ciborium::Value;
use serde::{Serialize, Serializer};

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
        let Value::Tag(TAG_COSE_SIGN, body) = decode(bytes, limits)? else {
            return Err(malformed("it is no tagged COSE_Sign"));
        };
        let Value::Array(parts) = *body else {
            return Err(malformed("it is no array"));
        };
        let Ok([Value::Bytes(body_protected), Value::Map(_), Value::Null, Value::Array(signers)]) =
            <[Value; 4]>::try_from(parts)
        else {
            return Err(malformed("it does not consist of two headers, no content, and signatures"));
        };
        let header = Header::read(&body_protected, limits)?;
        let Some(Value::Array(intermediates)) = header.kid else {
            return Err(malformed("its header has no array of certificates"));
        };
        if header.algorithm.is_some() {
            return Err(malformed("its header names an algorithm, which is its signers' to name"));
        }
        if signers.is_empty() || signers.len() > limits.xpi.cose_signers {
            let (count, max) = (signers.len(), limits.xpi.cose_signers);
            return Err(malformed(format!("it has {count} signers instead of 1 to {max}")));
        }
        Ok(Self {
            intermediates: intermediates
                .into_iter()
                .map(|value| certificate(value, limits, certificates))
                .collect::<Result<_, _>>()?,
            body_protected,
            signers: signers
                .into_iter()
                .map(|value| Signer::read(value, limits, certificates))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Verifies every signature over `content`, the bytes of `cose.manifest`, and answers the end entities.
    ///
    /// # Errors
    /// One that is neither ES256 nor ES384 (PS256 included: Firefox refuses it), or does not verify.
    pub fn verify(&self, content: &[u8]) -> Result<Vec<&Certificate>, Fault> {
        self.signers.iter().map(|signer| signer.verify(&self.body_protected, content)).collect()
    }
}

impl Signer {
    /// RFC 9052 section 4.1, COSE_Signature.
    fn read(value: Value, limits: &Limits, certificates: &CertificateMemo) -> Result<Self, Fault> {
        let parts = match value {
            Value::Array(parts) => <[Value; 3]>::try_from(parts).ok(),
            _ => None,
        };
        let Some([Value::Bytes(protected), Value::Map(_), Value::Bytes(signature)]) = parts else {
            return Err(malformed("a signer does not consist of two headers and a signature"));
        };
        let header = Header::read(&protected, limits)?;
        let Some(algorithm) = header.algorithm else {
            return Err(malformed("a signer names no algorithm"));
        };
        let Some(kid) = header.kid else {
            return Err(malformed("a signer names no certificate"));
        };
        Ok(Self { end_entity: certificate(kid, limits, certificates)?, algorithm, protected, signature })
    }

    fn verify(&self, body_protected: &[u8], content: &[u8]) -> Result<&Certificate, Fault> {
        let name = || self.end_entity.described();
        // RFC 9053 section 2.1; PS256 is RFC 8230's.
        let algorithm = match self.algorithm {
            -7 => Algorithm::Es256,
            -35 => Algorithm::Es384,
            -37 => {
                return Err(Fault::algorithm(format!(
                    "the COSE signature of {} is PS256, which is refused",
                    name()
                )));
            }
            other => {
                return Err(Fault::algorithm(format!(
                    "the COSE signature of {} uses algorithm {other}; ES256 (-7) and ES384 (-35) are accepted",
                    name()
                )));
            }
        };
        let signed = to_be_signed(body_protected, &self.protected, content)?;
        match signed_by::check(&self.end_entity, algorithm, &signed, &self.signature) {
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

/// The Sig_structure of RFC 9052 section 4.4, with null for `external_aad`.
fn to_be_signed(body_protected: &[u8], protected: &[u8], content: &[u8]) -> Result<Vec<u8>, Fault> {
    let structure = ("Signature", Bytes(body_protected), Bytes(protected), (), Bytes(content));
    let mut bytes = Vec::with_capacity(content.len() + protected.len() + body_protected.len() + 64);
    ciborium::into_writer(&structure, &mut bytes)
        .map_err(|_| malformed("what it signs cannot be encoded"))?;
    Ok(bytes)
}

/// Bytes that serialise as a byte string without being copied: a manifest may be large.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// What matters of a protected header: a map in a byte string.
struct Header {
    algorithm: Option<i128>,
    kid: Option<Value>,
}

impl Header {
    fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Fault> {
        let Value::Map(entries) = decode(bytes, limits)? else {
            return Err(malformed("a protected header is no map"));
        };
        let mut header = Self { algorithm: None, kid: None };
        for (label, value) in entries {
            let again = match label.as_integer().map(i128::from) {
                Some(LABEL_ALGORITHM) => {
                    let algorithm = value.as_integer().map(i128::from);
                    let algorithm = algorithm.ok_or_else(|| malformed("an algorithm is no number"))?;
                    header.algorithm.replace(algorithm).is_some()
                }
                Some(LABEL_KID) => header.kid.replace(value).is_some(),
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

fn certificate(value: Value, limits: &Limits, certificates: &CertificateMemo) -> Result<Certificate, Fault> {
    let Value::Bytes(der) = value else {
        return Err(malformed("a certificate is no byte string"));
    };
    certificates.parse_der(&der, &limits.x509).map_err(malformed)
}

/// Decodes exactly one CBOR item.
fn decode(mut bytes: &[u8], limits: &Limits) -> Result<Value, Fault> {
    let value: Value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, limits.xpi.cbor_depth)
        .map_err(|error| match error {
            ciborium::de::Error::RecursionLimitExceeded => Fault::limit("cose.sig is nested too deeply"),
            _ => malformed("it is not CBOR"),
        })?;
    if bytes.is_empty() { Ok(value) } else { Err(malformed("bytes follow its end")) }
}

fn malformed(what: impl std::fmt::Display) -> Fault {
    Fault::signature(format!("the COSE signature is malformed: {what}"))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(kind(&[0x81; 50_000]), VerdictKind::LimitExceeded);
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
        assert!(sentence(&sign(header(vec![kid()]), Value::Null)).contains("0 signers"));
        assert!(sentence(&sign(header(vec![kid(), kid()]), Value::Null)).contains("twice"));
        assert!(
            sentence(&sign(header(vec![(Value::from(2), Value::Null)]), Value::Null)).contains("not known")
        );
        assert!(sentence(&sign(header(vec![kid()]), Value::Bytes(vec![1]))).contains("no content"));
        let trailing = [sign(header(vec![kid()]), Value::Null), vec![0]].concat();
        assert!(sentence(&trailing).contains("bytes follow"));
    }

    #[test]
    fn the_signed_structure_has_null_for_external_aad() {
        let bytes = to_be_signed(b"\xa0", b"\xa1", b"c").unwrap();
        assert_eq!(bytes, b"\x85\x69Signature\x41\xa0\x41\xa1\xf6\x41c");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Cose::parse(&bytes, &Limits::default(), &CertificateMemo::none());
        }
    }
}
