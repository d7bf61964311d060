//! Certificates as authorities send them: `.p7b`, a PKCS#7 SignedData (RFC 5652) that signs nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use const_oid::db::rfc5911;

use crate::xpi_signer::der_write::{integer, oid, sequence, set, sorted, tlv};

/// All of these certificates, each in DER, in no order: what `openssl crl2pkcs7 -nocrl` makes.
#[must_use]
pub fn certificates_only(certificates: &[&[u8]]) -> Vec<u8> {
    let packed = sorted(certificates.iter().map(|certificate| certificate.to_vec()).collect());
    let nothing = set(Vec::new());
    let data = sequence(&[&oid(rfc5911::ID_DATA)]);
    let signed = sequence(&[&integer(1), &nothing, &data, &tlv(0xa0, &packed), &nothing]);
    sequence(&[&oid(rfc5911::ID_SIGNED_DATA), &tlv(0xa0, &signed)])
}

/// Bytes as a block of PEM.
#[must_use]
pub fn armoured(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines =
        base64.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect::<String>();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}
