//! Foreign text in a sentence.

/// Characters that are shown: enough to recognise it by, and a sentence stays one.
const MOST: usize = 64;

/// The beginning of `text` in quotation marks, with what could act on a terminal escaped; `…` stands for the rest.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST).and_then(|(end, _)| text.get(..end)) {
        Some(beginning) => format!("{beginning:?}…"),
        None => format!("{text:?}"),
    }
}

/// Characters of a file's name that are shown.
const MOST_OF_NAME: usize = 200;

/// A file's name, which may be any bytes, in quotation marks: escaped as [`quoted`], and what is not UTF-8 as `\xff`.
pub(crate) fn quoted_name(name: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in name.utf8_chunks() {
        out.extend(chunk.valid().escape_debug());
        out.extend(chunk.invalid().iter().flat_map(|byte| byte.escape_ascii()).map(char::from));
        if let Some((end, _)) = out.char_indices().nth(MOST_OF_NAME) {
            out.truncate(end);
            out.push('…');
            break;
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_whatever_bytes_they_have() {
        assert_eq!(quoted_name(b"lib/a.js"), r#""lib/a.js""#);
        assert_eq!(quoted_name(b"\xfcn\xc3\xbc\n\"\0"), r#""\xfcn\u{fc}\n\"\0""#.replace("\\u{fc}", "ü"));
        assert_eq!(quoted_name(&[b'a'; 5000]).chars().count(), MOST_OF_NAME + 2);
        assert_eq!(quoted_name(&[0xff; 5000]).chars().count(), MOST_OF_NAME + 2);
    }

    #[test]
    fn it_is_escaped_and_ends() {
        assert_eq!(quoted("a\"b\u{1b}[2J\n"), r#""a\"b\u{1b}[2J\n""#);
        assert_eq!(quoted(&"ü".repeat(MOST)), format!("\"{}\"", "ü".repeat(MOST)));
        assert_eq!(quoted(&"ü".repeat(1_000_000)), format!("\"{}\"…", "ü".repeat(MOST)));
    }
}
