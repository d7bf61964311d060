//! From BER to DER: lengths that are indefinite or longer than need be (X.690 section 8.1.3), as signers that stream write them and
//! Firefox reads them.

/// Containers one in the other. A SignerInfo with its attributes has 8.
const DEPTH: usize = 16;
/// Where certificates lie: ContentInfo, its `[0]`, SignedData, and of that the `[0]`.
const CERTIFICATES: (usize, u8) = (3, 0xa0);

/// The first element of `ber` with definite lengths of the shortest form; certificates in it stay as they are, since Firefox takes them in DER
/// alone. `None` where it is no BER, or too deep.
pub(super) fn to_der(ber: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(ber.len());
    element(ber, 0, &mut out)?;
    Some(out)
}

/// Rewrites one element; answers what follows it.
fn element<'b>(ber: &'b [u8], depth: usize, out: &mut Vec<u8>) -> Option<&'b [u8]> {
    let (&[tag, first], after) = ber.split_first_chunk()?;
    // Tags of more than one byte occur nowhere in PKCS#7.
    if depth == DEPTH || tag & 0x1f == 0x1f {
        return None;
    }
    let constructed = tag & 0x20 != 0;
    let (content, mut rest) = match first {
        0x80 if constructed => (None, after),
        0..0x80 => after.split_at_checked(first.into()).map(|(content, rest)| (Some(content), rest))?,
        _ => {
            let (len, after) = after.split_at_checked((first & 0x7f).into())?;
            let len =
                len.iter().try_fold(0usize, |len, byte| len.checked_mul(256)?.checked_add((*byte).into()))?;
            after.split_at_checked(len).map(|(content, rest)| (Some(content), rest))?
        }
    };
    let start = out.len();
    match content {
        Some(content) if !constructed || (depth, tag) == CERTIFICATES => out.extend_from_slice(content),
        Some(mut content) => {
            while !content.is_empty() {
                content = element(content, depth + 1, out)?;
            }
        }
        None => loop {
            if let Some(after) = rest.strip_prefix(&[0, 0]) {
                rest = after;
                break;
            }
            rest = if (depth, tag) == CERTIFICATES {
                let after = element(rest, depth + 1, &mut Vec::new())?;
                out.extend_from_slice(rest.get(..rest.len() - after.len())?);
                after
            } else {
                element(rest, depth + 1, out)?
            };
        },
    }
    let header = header(tag, out.len() - start);
    out.splice(start..start, header);
    Some(rest)
}

fn header(tag: u8, len: usize) -> Vec<u8> {
    let bytes = len.to_be_bytes();
    let significant = bytes.iter().skip_while(|byte| **byte == 0).copied();
    match len {
        0..0x80 => vec![tag, len as u8],
        _ => [tag, 0x80 | significant.clone().count() as u8].into_iter().chain(significant).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_become_definite_and_short() {
        let ber = b"\x30\x80\xa0\x83\0\0\x04\x02\x81\x01\x07\x05\0\0\0behind it";
        assert_eq!(to_der(ber).unwrap(), b"\x30\x07\xa0\x03\x02\x01\x07\x05\0");
        let ber = b"\x30\x80\xa0\x04\x02\x82\0\0\x05\0\0\0";
        assert_eq!(to_der(ber).unwrap(), b"\x30\x06\xa0\x02\x02\0\x05\0");
        for cut in 0..ber.len() {
            assert_eq!(to_der(&ber[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn certificates_stay_as_they_are() {
        let certificates = b"\x30\x81\x02\x05\0\x30\x80\0\0";
        let set = [b"\xa0\x80".as_slice(), certificates, b"\0\0"].concat();
        let ber = [b"\x30\x80\xa0\x80\x30\x80".as_slice(), &set, &[0; 6]].concat();
        let der = [b"\x30\x0f\xa0\x0d\x30\x0b\xa0\x09".as_slice(), certificates].concat();
        assert_eq!(to_der(&ber).unwrap(), der);
    }

    #[test]
    fn nesting_is_bounded() {
        assert_eq!(to_der(&[0x30, 0x80].repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn der_stays_as_it_is(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let der = [header(0x30, bytes.len() + 4), header(0x24, 0), header(4, bytes.len()), bytes].concat();
            // One header more than was counted where the inner length takes three bytes.
            if let Some(first) = to_der(&der) {
                prop_assert_eq!(to_der(&first), Some(first));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = to_der(&bytes);
        }
    }
}
