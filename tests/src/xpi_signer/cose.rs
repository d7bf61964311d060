//! `cose.sig`: COSE_Sign (RFC 9052, tag 98) over `cose.manifest`, with the field's own ideas: certificates in `kid`, and
//! CBOR null as external_aad.

use ciborium::Value;

use super::Fault;
use super::pkcs7::flip;
use crate::LabError;
use crate::pki::{KeyKind, LabCertificate};

/// How a COSE signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoseAlgorithm {
    /// ECDSA on P-256 with SHA-256: what real files have.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// RSA-PSS with SHA-256: stands in one real file; Firefox refuses it.
    Ps256,
}

impl CoseAlgorithm {
    /// The kind of key it needs.
    pub fn key_kind(self) -> KeyKind {
        match self {
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::Es512 => KeyKind::P521,
            Self::Ps256 => KeyKind::Rsa2048,
        }
    }

    /// IANA COSE algorithm number.
    fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::Es512 => -36,
            Self::Ps256 => -37,
        }
    }
}

/// Signs a manifest once for each signer. `intermediates` stand in the body's protected `kid`.
pub(crate) fn cose_sign(
    payload: &[u8],
    signers: &[(CoseAlgorithm, LabCertificate)],
    intermediates: &[Vec<u8>],
    faults: &[Fault],
) -> Result<Vec<u8>, LabError> {
    let has = |fault: Fault| faults.contains(&fault);
    let list = intermediates.iter().map(|der| Value::Bytes(der.clone())).collect();
    let body = encode(&Value::Map(vec![(KID.into(), Value::Array(list))]))?;
    let mut signatures = Vec::new();
    for (algorithm, end_entity) in signers {
        let protected = encode(&Value::Map(vec![
            (ALG.into(), algorithm.number().into()),
            (KID.into(), Value::Bytes(end_entity.der().to_vec())),
        ]))?;
        let aad = if has(Fault::CoseEmptyAad) { Value::Bytes(Vec::new()) } else { Value::Null };
        let message = encode(&Value::Array(vec![
            Value::Text("Signature".to_owned()),
            Value::Bytes(body.clone()),
            Value::Bytes(protected.clone()),
            aad,
            Value::Bytes(payload.to_vec()),
        ]))?;
        let mut signature = end_entity.key().sign_cose(&message)?;
        if has(Fault::CoseBitFlipped) {
            flip(&mut signature);
        }
        signatures.push(Value::Array(vec![
            Value::Bytes(protected),
            Value::Map(Vec::new()),
            Value::Bytes(signature),
        ]));
    }
    let sign =
        Value::Array(vec![Value::Bytes(body), Value::Map(Vec::new()), Value::Null, Value::Array(signatures)]);
    let mut out =
        if has(Fault::CoseUntagged) { encode(&sign)? } else { encode(&Value::Tag(TAG, Box::new(sign)))? };
    if has(Fault::CoseTruncated) {
        out.truncate(out.len() / 2);
    }
    if has(Fault::CoseTrailingData) {
        out.push(0);
    }
    if has(Fault::CoseDeepNesting) {
        // 50,000 arrays of one element each: a reader that recurses without a limit overflows its stack.
        out = vec![0x81; 50_000];
        out.push(0);
    }
    Ok(out)
}

const TAG: u64 = 98;
const ALG: i64 = 1;
const KID: i64 = 4;

fn encode(value: &Value) -> Result<Vec<u8>, LabError> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out)
        .map_err(|error| LabError::Crypto(format!("write CBOR: {error}")))?;
    Ok(out)
}
