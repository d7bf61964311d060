//! Files of certificates as people and authorities send them: PEM with anything around it, DER, or PKCS#7 (`.p7b`).
//!
//! A PKCS#7 file holds a whole chain in no order. Which certificate of it is meant is never guessed: it is read where one alone
//! suits what it is given for, else the command is named that takes it apart. Anchors are the exception: of a file of any form
//! the self-issued ones are read, and what else is in it is given back, so that it can be named.

use const_oid::db::rfc5911::ID_SIGNED_DATA;
use der::asn1::AnyRef;
use der::{Decode, SliceReader, Tag, TagNumber, Tagged};

use super::structure::{elements, pair};
use super::{Certificate, CertificateError, CertificateErrorKind, pem};
use crate::limits::X509Limits;

/// The command that takes a PKCS#7 file apart; it reads BER too.
const EXTRACT_DER: &str = "openssl pkcs7 -inform DER -in FILE -print_certs -out certificates.pem";
const EXTRACT_PEM: &str = "openssl pkcs7 -in FILE -print_certs -out certificates.pem";

/// How many certificates a sentence describes.
const NAMED: usize = 4;

/// What the certificates of a file are given for, which says which one of a chain is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be installed: an intermediate, a CA's and not self-issued.
    Install,
    /// To be distrusted: any that is not self-issued.
    Distrust,
    /// To be what clients hold: all of them.
    Pool,
}

impl Purpose {
    fn suits(self, certificate: &Certificate) -> bool {
        match self {
            Self::Install => certificate.is_ca() && !certificate.is_self_issued(),
            Self::Distrust => !certificate.is_self_issued(),
            Self::Pool => true,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Install => "intermediates",
            Self::Distrust => "certificates that are not self-issued",
            Self::Pool => "certificates",
        }
    }
}

/// A file of trust anchors, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorFile {
    /// The self-issued certificates; at least one.
    pub anchors: Vec<Certificate>,
    /// The others. None of them is an anchor, and whoever gave the file may think so.
    pub left_out: Vec<Certificate>,
}

impl AnchorFile {
    /// What was left out, as a sentence; `None` where nothing was.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        if self.left_out.is_empty() {
            return None;
        }
        let is = if self.left_out.len() == 1 { "is not an anchor" } else { "are not anchors" };
        Some(format!(
            "left out {}, which {is}: an anchor is a root, issued by itself; intermediates come with add-ons and recipes",
            named(&self.left_out)
        ))
    }
}

impl Certificate {
    /// Reads a file of trust anchors: of all its certificates, in whatever form, those that are self-issued.
    ///
    /// # Errors
    /// As [`Certificate::read_file`], or none of them is self-issued ([`CertificateErrorKind::NoAnchor`]).
    pub fn read_anchors(bytes: &[u8], limits: &X509Limits) -> Result<AnchorFile, CertificateError> {
        let all = Self::read_file(bytes, Purpose::Pool, limits)?;
        let (anchors, left_out): (Vec<_>, Vec<_>) = all.into_iter().partition(Self::is_self_issued);
        if anchors.is_empty() {
            let sentence = format!(
                "it holds no anchor, only {}: an anchor is a root, a certificate that was issued by itself. Give the root that \
                 issued it",
                named(&left_out)
            );
            return Err(CertificateError::new(CertificateErrorKind::NoAnchor, sentence));
        }
        Ok(AnchorFile { anchors, left_out })
    }

    /// Reads a file of certificates: all those of a PEM document, one in DER, or of a PKCS#7 file the one that suits `purpose`.
    ///
    /// # Errors
    /// Nothing of the kind, a certificate that does not parse, a private key anywhere in it, or a PKCS#7 file of which it is not
    /// clear which certificate is meant.
    pub fn read_file(
        bytes: &[u8],
        purpose: Purpose,
        limits: &X509Limits,
    ) -> Result<Vec<Self>, CertificateError> {
        // DER begins with the tag of SEQUENCE, "0", and a long-form length, which no text has.
        let is_der = matches!(bytes, [0x30, length, ..] if *length >= 0x80);
        let blocks = if is_der { vec![bytes.to_vec()] } else { pem::certificates(bytes, limits)? };
        let (mut found, mut packed) = (Vec::new(), false);
        for block in &blocks {
            if is_pkcs7(block) {
                packed = true;
                found.extend(unpack(block, extraction(is_der), limits)?);
            } else {
                found.push(Self::parse_der(block, limits)?);
            }
        }
        if packed { the_one_meant(found, purpose, extraction(is_der)) } else { Ok(found) }
    }
}

fn extraction(is_der: bool) -> &'static str {
    if is_der { EXTRACT_DER } else { EXTRACT_PEM }
}

/// Whether this is a PKCS#7 SignedData, in DER or in BER of indefinite length. Some authorities write one under the label of a
/// certificate.
fn is_pkcs7(bytes: &[u8]) -> bool {
    let content = match bytes {
        [0x30, length, rest @ ..] if *length < 0x80 => Some(rest),
        [0x30, length, rest @ ..] => rest.get(usize::from(*length & 0x7f)..),
        _ => None,
    };
    let signed_data = ID_SIGNED_DATA.as_bytes();
    content.and_then(|content| content.strip_prefix(&[0x06])).is_some_and(|content| {
        content.strip_prefix(&[9]).is_some_and(|content| content.starts_with(signed_data))
    })
}

/// All certificates of a PKCS#7 SignedData (RFC 5652 section 5.1); whatever else is in it is not looked at.
fn unpack(bytes: &[u8], extract: &str, limits: &X509Limits) -> Result<Vec<Certificate>, CertificateError> {
    let Ok(certificates) = certificates(bytes) else {
        let sentence = format!("the PKCS#7 file is not in DER; make a PEM file of it with: {extract}");
        return Err(CertificateError::new(CertificateErrorKind::Malformed, sentence));
    };
    let mut found = Vec::new();
    for element in elements(certificates.unwrap_or_default()) {
        if found.len() >= limits.pem_certificates {
            let sentence = format!("the PKCS#7 file has more than {} certificates", limits.pem_certificates);
            return Err(CertificateError::new(CertificateErrorKind::TooLarge, sentence));
        }
        found.push(Certificate::parse_der(element.map_err(CertificateError::malformed)?, limits)?);
    }
    Ok(found)
}

/// The content of the field `certificates`.
fn certificates(bytes: &[u8]) -> der::Result<Option<&[u8]>> {
    let context = |number| Tag::ContextSpecific { constructed: true, number };
    let (_, wrapped) = pair(bytes)?;
    wrapped.tag().assert_eq(context(TagNumber::N0))?;
    let signed = AnyRef::from_der(wrapped.value())?;
    signed.tag().assert_eq(Tag::Sequence)?;
    let mut reader = SliceReader::new(signed.value())?;
    for _version_digests_content in 0..3 {
        AnyRef::decode(&mut reader)?;
    }
    let part = AnyRef::decode(&mut reader)?;
    Ok((part.tag() == context(TagNumber::N0)).then(|| part.value()))
}

fn the_one_meant(
    mut found: Vec<Certificate>,
    purpose: Purpose,
    extract: &str,
) -> Result<Vec<Certificate>, CertificateError> {
    found.sort();
    found.dedup();
    let all = found.len();
    if all == 0 {
        return Err(CertificateError::new(
            CertificateErrorKind::NotPem,
            "the PKCS#7 file holds no certificate",
        ));
    }
    if all == 1 || purpose == Purpose::Pool {
        return Ok(found);
    }
    let fitting: Vec<_> = found.iter().filter(|certificate| purpose.suits(certificate)).cloned().collect();
    if fitting.len() == 1 {
        return Ok(fitting);
    }
    let shown = named(&found);
    let sentence = format!(
        "the PKCS#7 file holds {all} certificates, {} of them {}, so that it is not clear which is meant: {shown}; take them \
         apart with: {extract}, and give a file with the one that is meant",
        fitting.len(),
        purpose.wanted(),
    );
    Err(CertificateError::new(CertificateErrorKind::Several, sentence))
}

/// The first few in words.
fn named(certificates: &[Certificate]) -> String {
    let shown = certificates.iter().take(NAMED).map(Certificate::described).collect::<Vec<_>>().join(", ");
    match certificates.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::arbitrary::certificates as laboratory;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = match length {
            [0, short] if short < 0x80 => vec![tag, short],
            [0, one] => vec![tag, 0x81, one],
            [high, low] => vec![tag, 0x82, high, low],
        };
        [head, content.to_vec()].concat()
    }

    /// What `openssl crl2pkcs7 -nocrl` makes of them.
    fn pkcs7(certificates: &[Certificate]) -> Vec<u8> {
        let oid =
            |last: u8| [&[0x06, 9][..], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last]].concat();
        let packed: Vec<u8> =
            certificates.iter().flat_map(|certificate| certificate.der().to_vec()).collect();
        let data = [&[0x30, 11][..], &oid(1)].concat();
        let fields = [&[2, 1, 1, 0x31, 0], &data[..], &element(0xa0, &packed), &[0x31, 0]].concat();
        element(0x30, &[oid(2), element(0xa0, &element(0x30, &fields))].concat())
    }

    fn armoured(label: &str, der: &[u8]) -> Vec<u8> {
        use base64::Engine;
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n").into_bytes()
    }

    fn read(bytes: &[u8], purpose: Purpose) -> Result<Vec<Certificate>, CertificateError> {
        Certificate::read_file(bytes, purpose, &X509Limits::default())
    }

    #[test]
    fn of_a_pkcs7_file_the_one_that_suits_is_read_in_every_form() {
        let all = laboratory();
        let (intermediate, anchor) = (&all[0], &all[3]);
        let chain = pkcs7(&[anchor.clone(), intermediate.clone()]);
        for file in [
            chain.clone(),
            armoured("PKCS7", &chain),
            armoured("CMS", &chain),
            armoured("CERTIFICATE", &chain),
        ] {
            assert_eq!(read(&file, Purpose::Install), Ok(vec![intermediate.clone()]));
            assert_eq!(read(&file, Purpose::Distrust), Ok(vec![intermediate.clone()]));
            assert_eq!(read(&file, Purpose::Pool).map(|all| all.len()), Ok(2));
        }
        for purpose in [Purpose::Install, Purpose::Distrust, Purpose::Pool] {
            let alone = pkcs7(&[intermediate.clone(), intermediate.clone()]);
            assert_eq!(
                read(&alone, purpose),
                Ok(vec![intermediate.clone()]),
                "one is what is meant: {purpose:?}"
            );
        }
    }

    #[test]
    fn of_a_file_of_anchors_in_any_form_the_self_issued_are_read_and_the_others_named() {
        let all = laboratory();
        let (intermediate, anchor) = (all[0].clone(), all[3].clone());
        let anchors = |bytes: &[u8]| Certificate::read_anchors(bytes, &X509Limits::default());
        let forms = |certificates: &[Certificate]| {
            let packed = pkcs7(certificates);
            let pem: String = certificates.iter().map(Certificate::to_pem).collect();
            [pem.into_bytes(), armoured("PKCS7", &packed), armoured("CERTIFICATE", &packed), packed]
        };
        for file in forms(&[intermediate.clone(), anchor.clone()]) {
            let read = anchors(&file).unwrap();
            assert_eq!((&read.anchors, &read.left_out), (&vec![anchor.clone()], &vec![intermediate.clone()]));
            assert!(read.warning().unwrap().contains(&intermediate.described()));
        }
        let lone = [anchor.to_pem().into_bytes(), anchor.der().to_vec()];
        for file in forms(std::slice::from_ref(&anchor)).into_iter().chain(lone) {
            let read = anchors(&file).unwrap();
            assert_eq!((&read.anchors, read.warning()), (&vec![anchor.clone()], None));
        }
        for file in forms(&all[..1]).into_iter().chain([intermediate.der().to_vec()]) {
            let error = anchors(&file).unwrap_err();
            assert_eq!(error.kind, CertificateErrorKind::NoAnchor);
            assert!(error.sentence.contains(&intermediate.described()), "{error}");
        }
        assert_eq!(anchors(b"").unwrap_err().kind, CertificateErrorKind::NotPem);
    }

    #[test]
    fn where_it_is_not_clear_which_is_meant_the_command_is_named() {
        let all = laboratory();
        let two = pkcs7(&all[..2]);
        for (file, command) in [
            (two.clone(), "openssl pkcs7 -inform DER -in FILE -print_certs"),
            (armoured("PKCS7", &two), "openssl pkcs7 -in FILE -print_certs"),
        ] {
            for (purpose, fitting) in [(Purpose::Install, "2 of them"), (Purpose::Distrust, "2 of them")] {
                let error = read(&file, purpose).unwrap_err();
                assert_eq!(error.kind, CertificateErrorKind::Several);
                for part in [command, fitting, &all[0].described(), &all[1].described()] {
                    assert!(error.sentence.contains(part), "{part}: {error}");
                }
            }
        }
        // BER of indefinite length, which openssl reads.
        let ber = [&[0x30, 0x80][..], &two[4..], &[0, 0]].concat();
        assert!(read(&ber, Purpose::Pool).unwrap_err().sentence.contains(EXTRACT_DER));
    }

    #[test]
    fn what_is_broken_or_too_much_is_refused() {
        let one = laboratory().remove(0);
        let whole = pkcs7(std::slice::from_ref(&one));
        for end in 0..whole.len() {
            assert!(read(&whole[..end], Purpose::Pool).is_err(), "{end}");
        }
        assert_eq!(read(&pkcs7(&[]), Purpose::Pool).unwrap_err().kind, CertificateErrorKind::NotPem);
        let few = X509Limits { pem_certificates: 1, ..X509Limits::default() };
        let two = pkcs7(&[one.clone(), one]);
        assert_eq!(
            Certificate::read_file(&two, Purpose::Pool, &few).unwrap_err().kind,
            CertificateErrorKind::TooLarge
        );
    }
}
