//! Which names entries may have.

/// What is wrong with a name, if anything.
pub(super) fn fault(name: &[u8], max_len: usize) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(name) else {
        return Some("is not UTF-8");
    };
    if text.is_empty() {
        return Some("is empty");
    }
    if text.len() > max_len {
        return Some("is too long");
    }
    if text.chars().any(char::is_control) {
        return Some("contains a control character");
    }
    if text.contains('\\') {
        return Some("contains a backslash");
    }
    if text.starts_with('/') {
        return Some("is an absolute path");
    }
    if matches!(text.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Some("begins with a drive letter");
    }
    let path = text.strip_suffix('/').unwrap_or(text);
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
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
            assert!(fault(name, 100).is_some(), "{:?}", String::from_utf8_lossy(name));
        }
        assert!(fault(&[b'a'; 101], 100).is_some());
    }

    #[test]
    fn ordinary_names_pass() {
        for name in
            ["a", "META-INF/manifest.mf", "dir/", "a..b/.c", "lib/ünï.js", "x y.txt", "#manifest.json#"]
        {
            assert_eq!(fault(name.as_bytes(), 100), None, "{name}");
        }
    }
}
