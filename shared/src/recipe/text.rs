//! Which texts a recipe may carry: they are shown on terminals to the people who sign.

/// A word or a line: not empty, at most `most` bytes, and nothing in it but what it shows.
pub(crate) fn is_word(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.chars().all(shows)
}

/// A text of several lines: as [`is_word`], but it may be empty, and line feeds and tabs are allowed.
pub(crate) fn is_comment(text: &str, most: usize) -> bool {
    text.len() <= most && text.chars().all(|c| shows(c) || c == '\n' || c == '\t')
}

/// Neither a control character (terminals obey them) nor one that reorders text (UAX 9): what is signed must be what
/// is seen.
pub(crate) fn shows(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_terminals_obey_or_reorder_is_refused() {
        assert!(is_word("Größe 5 – ok", 64) && is_comment("two\n\tlines", 64) && is_comment("", 64));
        for bad in ["", "a\nb", "\u{1b}[2J", "\u{202e}abc", "\u{85}", "toolong"] {
            assert!(!is_word(bad, 6), "{bad:?}");
        }
        assert!(!is_comment("\u{1b}[2J", 64) && !is_comment("1234567", 6) && !is_comment("a\rb", 64));
    }
}
