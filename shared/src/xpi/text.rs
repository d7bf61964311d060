//! Control characters in the texts of archives.
//!
//! Nearly all texts are ASCII, and bytes are looked at several times faster than characters; all of them, many at once, faster
//! than one by one up to the first that is found.

/// Whether `text` holds a control character.
pub(super) fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        text.bytes().fold(false, |found, byte| found | byte.is_ascii_control())
    } else {
        text.chars().any(char::is_control)
    }
}

/// Where the first control character of `text` stands that is no tab and no end of a line (LF or CRLF, or CR at the very end).
pub(super) fn stray_control(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (last, after_first) = (bytes.last()?, bytes.get(1..)?);
    let stray = bytes
        .iter()
        .zip(after_first)
        .fold(is_stray(*last, b'\n'), |found, (byte, next)| found | is_stray(*byte, *next));
    if !stray && text.is_ascii() {
        return None;
    }
    text.char_indices()
        .find(|(position, character)| match u8::try_from(*character) {
            Ok(byte) if byte.is_ascii() => is_stray(byte, *bytes.get(position + 1).unwrap_or(&b'\n')),
            _ => character.is_control(),
        })
        .map(|(position, _)| position)
}

fn is_stray(byte: u8, next: u8) -> bool {
    byte.is_ascii_control() & (byte != b'\t') & (byte != b'\n') & ((byte != b'\r') | (next != b'\n'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As one would write it without a thought to speed.
    fn plainly(text: &str) -> Option<usize> {
        let mut position = 0;
        for line in text.split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            let content = content.strip_suffix('\r').unwrap_or(content);
            if let Some(at) = content.find(|c: char| c.is_control() && c != '\t') {
                return Some(position + at);
            }
            position += line.len();
        }
        None
    }

    #[test]
    fn ends_of_lines_and_tabs_are_no_control_characters() {
        assert_eq!(stray_control(""), None);
        assert_eq!(stray_control("a\tb\r\n\n\u{fc}\r"), None);
        for (text, position) in
            [("\r", None), ("a\rb\n", Some(1)), ("\u{fc}\u{85}", Some(2)), ("ab\0", Some(2))]
        {
            assert_eq!(stray_control(text), position, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn they_are_found_where_they_stand(text in "[a\\t\\r\\n\\x00\u{7f}\u{85}\u{fc}]{0,40}") {
            prop_assert_eq!(stray_control(&text), plainly(&text));
            prop_assert_eq!(has_control(&text), text.contains(char::is_control));
        }
    }
}
