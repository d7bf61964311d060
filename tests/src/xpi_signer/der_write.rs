//! DER written by hand, so that what is written can also be wrong on purpose.

use const_oid::ObjectIdentifier;

/// One element: tag, length, value.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let bytes = value.len().to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            // At most eight length bytes on any machine, so the count fits.
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(value);
    out
}

/// SEQUENCE.
pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// The content of a SET OF: sorted, as DER demands.
pub(crate) fn sorted(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    parts.concat()
}

/// SET OF, sorted.
pub(crate) fn set(parts: Vec<Vec<u8>>) -> Vec<u8> {
    tlv(0x31, &sorted(parts))
}

/// OBJECT IDENTIFIER.
pub(crate) fn oid(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(0x06, oid.as_bytes())
}

/// OCTET STRING.
pub(crate) fn octets(value: &[u8]) -> Vec<u8> {
    tlv(0x04, value)
}

/// INTEGER, not negative.
pub(crate) fn integer(value: u64) -> Vec<u8> {
    let mut bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    if bytes.first().is_none_or(|first| *first >= 0x80) {
        bytes.insert(0, 0);
    }
    tlv(0x02, &bytes)
}

/// NULL.
pub(crate) fn null() -> Vec<u8> {
    tlv(0x05, &[])
}
