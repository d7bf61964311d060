//! Which texts a recipe may carry: they are shown on terminals to the people who sign.

/// A word or a line: not empty, at most `most` bytes, and nothing in it but what it shows.
pub(crate) fn is_word(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.chars().all(shows)
}

/// One line for people, such as why a gate was paused, without the space round it: 1 to `most` bytes, and nothing in it but
/// what it shows.
///
/// # Errors
/// What is wrong with it, in words.
pub fn one_line(text: &str, most: usize) -> Result<&str, String> {
    let text = text.trim();
    if is_word(text, most) {
        return Ok(text);
    }
    Err(match text.chars().find(|c| !shows(*c)) {
        None if text.is_empty() => "it is empty".to_owned(),
        None => format!("it has {} bytes, and {most} are the most", text.len()),
        Some('\n') => "it has more than one line".to_owned(),
        Some(c) => format!(
            "it has the character U+{:04X}, which does not show but may change how the rest is read; type it anew",
            u32::from(c)
        ),
    })
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
        assert_eq!(one_line(" Größe 5 ", 9), Ok("Größe 5"));
        for (bad, why) in [
            (" ", "empty"),
            ("1234567890", "10 bytes"),
            ("a\nb", "one line"),
            ("caf\u{200e}e", "U+200E"),
            ("\u{1b}[2J", "U+001B"),
        ] {
            assert!(one_line(bad, 9).unwrap_err().contains(why), "{bad:?}");
        }
        assert!(!is_comment("\u{1b}[2J", 64) && !is_comment("1234567", 6) && !is_comment("a\rb", 64));
    }
}
