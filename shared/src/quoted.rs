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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_escaped_and_ends() {
        assert_eq!(quoted("a\"b\u{1b}[2J\n"), r#""a\"b\u{1b}[2J\n""#);
        assert_eq!(quoted(&"ü".repeat(MOST)), format!("\"{}\"", "ü".repeat(MOST)));
        assert_eq!(quoted(&"ü".repeat(1_000_000)), format!("\"{}\"…", "ü".repeat(MOST)));
    }
}
