//! Which names entries may have: any bytes that do not lead out of the archive.

/// What is wrong with a name that leads out of the archive, on any system: a backslash separates parts on some.
pub(super) fn leads_out(name: &[u8]) -> Option<&'static str> {
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
    match name {
        [first, ..] if is_separator(first) => return Some("is an absolute path"),
        [drive, b':', next, ..] if drive.is_ascii_alphabetic() && is_separator(next) => {
            return Some("begins with a drive letter");
        }
        _ => {}
    }
    // Nearly no name has two dots in a row.
    let suspect = name.windows(2).any(|pair| pair == b"..");
    (suspect && name.split(is_separator).any(|part| part == b"..")).then_some("has a \"..\" part")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_are_refused() {
        for name in ["/", "/etc/passwd", "\\a", "..", "../a", "a/../b", "a/..", "a\\..\\b", "C:/a", "c:\\a"] {
            assert!(leads_out(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn other_names_pass() {
        for name in ["a", "dir/", "a..b/.c", "...", "./a", "a//b", "a\\b", "a:b", "C:a", "a\0b", "a\nb"] {
            assert_eq!(leads_out(name.as_bytes()), None, "{name}");
        }
        assert_eq!(leads_out(b"\xff\xfe"), None);
    }
}
