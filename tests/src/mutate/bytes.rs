//! Edits that know nothing of JSON.

use rand::RngExt;
use rand::rngs::StdRng;

/// What parsers of text stumble over.
const TOKENS: [&[u8]; 12] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"9999999999",
    b"null",
];

/// `file` with one edit; `other` is another valid file.
pub(super) fn edit(file: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut out = file.to_vec();
    let at = random.random_range(0..=out.len());
    let end = random.random_range(at..=out.len().min(at + 200));
    let kind = random.random_range(0..10);
    match (kind, out.get_mut(at)) {
        (0, Some(byte)) => *byte ^= 1 << random.random_range(0..8),
        (1, Some(byte)) => *byte = random.random(),
        (2, _) => out.insert(at, random.random()),
        (3, _) => drop(out.splice(at..at, TOKENS[random.random_range(0..TOKENS.len())].iter().copied())),
        (4, _) => drop(out.drain(at..end)),
        (5, _) => {
            let again = out[at..end].to_vec();
            out.splice(at..at, again);
        }
        (6, _) => out.truncate(at),
        (7, _) => {
            let to = random.random_range(0..=out.len());
            let moved: Vec<u8> = out.drain(at..end).collect();
            let to = to.min(out.len());
            out.splice(to..to, moved);
        }
        (8, _) => {
            let from = random.random_range(0..=other.len());
            let part = &other[from..other.len().min(from + end - at)];
            out.splice(at..end, part.iter().copied());
        }
        _ => out.extend_from_slice(if random.random_bool(0.5) { b" \n" } else { other }),
    }
    out
}
