//! Ways to make an input of so many bytes.

/// `start`, as many of `pieces` by their numbers as fit, and `end`.
pub(crate) fn filled(bytes: usize, start: &str, piece: impl Fn(usize) -> String, end: &str) -> Vec<u8> {
    let mut text = start.to_owned();
    for number in 0.. {
        let next = piece(number);
        if text.len() + next.len() + end.len() > bytes {
            break;
        }
        text.push_str(&next);
    }
    text.push_str(end);
    text.into_bytes()
}

/// The same for JSON: `pieces` with commas between them.
pub(crate) fn listed(bytes: usize, start: &str, piece: impl Fn(usize) -> String, end: &str) -> Vec<u8> {
    let piece = |number| if number == 0 { piece(0) } else { format!(",{}", piece(number)) };
    filled(bytes, start, piece, end)
}

/// DER of this tag around these parts.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut der = vec![tag];
    match content.len() {
        len @ 0..=0x7f => der.push(len as u8),
        len @ 0x80..=0xff => der.extend([0x81, len as u8]),
        len @ 0x100..=0xffff => der.extend([0x82, (len >> 8) as u8, len as u8]),
        len => der.extend([0x83, (len >> 16) as u8, (len >> 8) as u8, len as u8]),
    }
    der.extend(content);
    der
}

/// As many pieces of DER, by their numbers, as fit.
pub(crate) fn elements(bytes: usize, piece: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut der = Vec::new();
    for number in 0.. {
        let next = piece(number);
        if der.len() + next.len() > bytes {
            return der;
        }
        der.extend(next);
    }
    der
}
