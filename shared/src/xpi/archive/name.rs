//! Which names entries may have.

use crate::xpi::text;

/// The name as text, or what is wrong with it.
pub(super) fn plain(name: &[u8], max_len: usize) -> Result<&str, &'static str> {
    let text = std::str::from_utf8(name).map_err(|_| "is not UTF-8")?;
    fault(text, max_len).map_or(Ok(text), Err)
}

fn fault(text: &str, max_len: usize) -> Option<&'static str> {
    if text.is_empty() {
        return Some("is empty");
    }
    if text.len() > max_len {
        return Some("is too long");
    }
    if text::has_control(text) {
        return Some("contains a control character");
    }
    // Bytes are searched for, which stand for nothing else in UTF-8 and are found faster than characters.
    let bytes = text.as_bytes();
    if bytes.contains(&b'\\') {
        return Some("contains a backslash");
    }
    if bytes.starts_with(b"/") {
        return Some("is an absolute path");
    }
    if matches!(bytes, [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Some("begins with a drive letter");
    }
    let path = bytes.strip_suffix(b"/").unwrap_or(bytes);
    if path.split(|byte| *byte == b'/').any(|part| matches!(part, b"" | b"." | b"..")) {
        return Some("has an empty, \".\" or \"..\" part");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_tricks_are_refused() {
        let tricks: [&[u8]; 14] = [
            b"",
            b"/",
            b"/etc/passwd",
            b"..",
            b"../a",
            b"a/../b",
            b"a/..",
            b"./a",
            b"a//b",
            b"a\\b",
            b"C:/a",
            b"a\0b",
            b"a\nb",
            b"\xff",
        ];
        for name in tricks {
            assert!(plain(name, 100).is_err(), "{:?}", String::from_utf8_lossy(name));
        }
        assert!(plain(&[b'a'; 101], 100).is_err());
    }

    #[test]
    fn ordinary_names_pass() {
        for name in
            ["a", "META-INF/manifest.mf", "dir/", "a..b/.c", "lib/ünï.js", "x y.txt", "#manifest.json#"]
        {
            assert_eq!(plain(name.as_bytes(), 100), Ok(name));
        }
    }
}
