//! Certificates in PEM (RFC 7468), read leniently as to line lengths and text between blocks, which may be in any encoding,
//! strictly as to content.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{CertificateError, CertificateErrorKind};
use crate::limits::X509Limits;
use crate::quoted::quoted;

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";
/// Blocks of certificates: one each, or PKCS#7.
const LABELS: [&[u8]; 4] = [b"CERTIFICATE", b"X509 CERTIFICATE", b"PKCS7", b"CMS"];

/// The DER in every block of certificates of a PEM document, in order.
pub(super) fn certificates(pem: &[u8], limits: &X509Limits) -> Result<Vec<Vec<u8>>, CertificateError> {
    if pem.len() > limits.pem_bytes {
        return Err(CertificateError::new(
            CertificateErrorKind::TooLarge,
            format!("the PEM document has {} bytes, more than {}", pem.len(), limits.pem_bytes),
        ));
    }
    // Looked for before anything else, so that a broken block does not hide it.
    if pem.windows(PRIVATE_KEY.len()).any(|window| window == PRIVATE_KEY) {
        return Err(CertificateError::new(
            CertificateErrorKind::PrivateKey,
            "the PEM document holds a private key; give a file with certificates only",
        ));
    }
    let (mut found, mut other) = (Vec::new(), None);
    let mut rest = pem;
    while let Some((_, after)) = split_at(rest, BEGIN) {
        let (label, after) =
            split_at(after, DASHES).ok_or_else(|| not_pem("a BEGIN line does not end in dashes"))?;
        let end = [b"-----END ", label, DASHES].concat();
        let (body, after) = split_at(after, &end).ok_or_else(|| not_pem("a block has no END line"))?;
        rest = after;
        if !LABELS.contains(&label) {
            other = other.or(Some(label));
            continue;
        }
        if found.len() >= limits.pem_certificates {
            return Err(CertificateError::new(
                CertificateErrorKind::TooLarge,
                format!("the PEM document has more than {} certificates", limits.pem_certificates),
            ));
        }
        let base64: Vec<u8> = body.iter().filter(|byte| !byte.is_ascii_whitespace()).copied().collect();
        found.push(STANDARD.decode(base64).map_err(|_| not_pem("a block is not base64"))?);
    }
    if found.is_empty() {
        return Err(no_certificate(pem, other));
    }
    Ok(found)
}

/// What comes before and after the first `separator`.
fn split_at<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memchr::memmem::find(bytes, separator)?;
    Some((bytes.get(..at)?, bytes.get(at + separator.len()..)?))
}

fn no_certificate(pem: &[u8], other: Option<&[u8]>) -> CertificateError {
    let Some(label) = other else {
        return not_pem(match pem {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is text in UTF-16; save it as ASCII or UTF-8",
            _ => "it has no CERTIFICATE block",
        });
    };
    let hint = if matches!(label, b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST") {
        "; that is a request, of which an authority has yet to make the certificate"
    } else {
        ""
    };
    CertificateError::new(
        CertificateErrorKind::NotPem,
        format!(
            "the PEM document holds no certificate, only {}{hint}",
            quoted(&String::from_utf8_lossy(label))
        ),
    )
}

/// Part of every label of a private key: `PRIVATE KEY`, `ENCRYPTED PRIVATE KEY`, `RSA PRIVATE KEY`, `EC PRIVATE KEY`.
const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";

fn not_pem(what: &str) -> CertificateError {
    CertificateError::new(CertificateErrorKind::NotPem, format!("this is not a PEM document: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pem: &str) -> Result<Vec<Vec<u8>>, CertificateErrorKind> {
        certificates(pem.as_bytes(), &X509Limits::default()).map_err(|e| e.kind)
    }

    #[test]
    fn finds_blocks_between_text_and_with_any_line_length() {
        let pem = "subject=x\n-----BEGIN CERTIFICATE-----\r\nAQ\r\nID\r\n-----END CERTIFICATE-----\nmore\n\
                   -----BEGIN CRL-----\n?\n-----END CRL-----\n-----BEGIN CERTIFICATE-----\nBA==\n-----END CERTIFICATE-----";
        assert_eq!(read(pem), Ok(vec![vec![1, 2, 3], vec![4]]));
    }

    #[test]
    fn text_before_a_block_may_be_in_any_encoding() {
        let block = b"-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        let read = |text: &[u8]| certificates(&[text, block].concat(), &X509Limits::default());
        for text in [&b"# f\xfcr M\xfcller\n"[..], b"\xef\xbb\xbf", b"\x83\x65\x83\x58\n", b"\0\xff\n"] {
            assert_eq!(read(text), Ok(vec![vec![1, 2, 3]]), "{text:?}");
        }
        let wide: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(block.iter().flat_map(|byte| [*byte, 0])).collect();
        let error = certificates(&wide, &X509Limits::default()).unwrap_err();
        assert!(error.sentence.contains("UTF-16"), "{error}");
    }

    #[test]
    fn what_is_there_instead_of_a_certificate_is_named() {
        let said = |pem: &str| certificates(pem.as_bytes(), &X509Limits::default()).unwrap_err().sentence;
        let block = |label: &str| format!("-----BEGIN {label}-----\nAQID\n-----END {label}-----\n");
        assert!(said(&block("CERTIFICATE REQUEST")).contains("that is a request"));
        assert!(said(&block("X509 CRL")).ends_with("only \"X509 CRL\""));
        assert!(said(&block(&"x".repeat(1000))).len() < 120);
        assert!(said("hello").contains("no CERTIFICATE block"));
    }

    #[test]
    fn refuses_private_keys_even_beside_broken_blocks() {
        for label in ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"] {
            let pem = format!("-----BEGIN CERTIFICATE-----\nno end\n-----BEGIN {label}-----\nAQID\n");
            assert_eq!(read(&pem), Err(CertificateErrorKind::PrivateKey));
        }
    }

    #[test]
    fn refuses_what_is_not_pem() {
        for pem in [
            "",
            "text",
            "-----BEGIN CERTIFICATE",
            "-----BEGIN CERTIFICATE-----\nAQID",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
        ] {
            assert_eq!(read(pem), Err(CertificateErrorKind::NotPem), "{pem:?}");
        }
        let small = X509Limits { pem_bytes: 10, ..X509Limits::default() };
        assert_eq!(certificates(&[0; 11], &small).unwrap_err().kind, CertificateErrorKind::TooLarge);
    }
}
