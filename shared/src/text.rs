//! Which texts recipes, gates and their like may carry: they are shown on terminals to the people who sign.
//!
//! Two rules. Whatever is written now has only characters that show ([`shows`]). What is read from published documents may
//! have those that earlier versions let pass ([`is_word`], [`is_comment`]): a published recipe goes on, and whoever shows it
//! puts U+FFFD in the place of what does not show.

/// A published word or line: not empty, at most `most` bytes, and nothing in it that terminals obey or that reorders text.
#[must_use]
pub fn is_word(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.chars().all(is_harmless)
}

/// Why a text is not one that people are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitText {
    /// It has nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is too long.
    #[error("it has {bytes} bytes, and {most} are the most")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The most it may have.
        most: usize,
    },
    /// It has more than one line.
    #[error("it has more than one line")]
    SeveralLines,
    /// It has a character that people do not see.
    #[error(
        "it has the character U+{:04X}, which does not show but may change how the rest is read; type it again",
        u32::from(*.0)
    )]
    Hidden(char),
}

/// One line for people, such as why a gate was paused, without the space round it: 1 to `most` bytes, and nothing in it but
/// what it shows.
///
/// # Errors
/// [`UnfitText`].
pub fn one_line(text: &str, most: usize) -> Result<&str, UnfitText> {
    whole_line(text.trim(), most)
}

/// As [`one_line`], with the space round it: for what is kept as it is. Space alone is as good as nothing.
///
/// # Errors
/// [`UnfitText`].
pub fn whole_line(text: &str, most: usize) -> Result<&str, UnfitText> {
    match text.chars().find(|c| !shows(*c)) {
        None if text.trim().is_empty() => Err(UnfitText::Empty),
        None if text.len() > most => Err(UnfitText::TooLong { bytes: text.len(), most }),
        None => Ok(text),
        Some('\n') => Err(UnfitText::SeveralLines),
        Some(c) => Err(UnfitText::Hidden(c)),
    }
}

/// Several lines for people: at most `most` bytes, and nothing in them but what they show, tabs and line ends.
///
/// # Errors
/// [`UnfitText`].
pub fn several_lines(text: &str, most: usize) -> Result<&str, UnfitText> {
    match text.chars().find(|c| !shows(*c) && !matches!(c, '\n' | '\t')) {
        None if text.len() > most => Err(UnfitText::TooLong { bytes: text.len(), most }),
        None => Ok(text),
        Some(c) => Err(UnfitText::Hidden(c)),
    }
}

/// A published text of several lines: as [`is_word`], but it may be empty, and line feeds and tabs are allowed.
#[must_use]
pub fn is_comment(text: &str, most: usize) -> bool {
    text.len() <= most && text.chars().all(|c| is_harmless(c) || c == '\n' || c == '\t')
}

/// Neither a control character (terminals obey them) nor one that reorders text (UAX 9).
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether people see the character, or at least the gap that it makes: what is signed must be what is seen. Not so control
/// characters, what reorders text, line and paragraph separators, and whatever Unicode lists as `Default_Ignorable_Code_Point`,
/// but for variation selectors, which only choose how the character before them looks.
#[must_use]
pub fn shows(c: char) -> bool {
    let ignorable = matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    is_harmless(c) && !ignorable
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
            ("a\u{2028}b", "U+2028"),
            ("re\u{200b}l", "U+200B"),
        ] {
            assert!(one_line(bad, 9).unwrap_err().to_string().contains(why), "{bad:?}");
        }
        assert_eq!(whole_line(" Größe", 9), Ok(" Größe"));
        assert_eq!(whole_line("  ", 9), Err(UnfitText::Empty));
        assert_eq!(whole_line("\ta", 9), Err(UnfitText::Hidden('\t')));
        assert_eq!(whole_line("a\n", 9), Err(UnfitText::SeveralLines));
        assert_eq!(whole_line("a  ", 2), Err(UnfitText::TooLong { bytes: 3, most: 2 }));
        assert!(is_word("a\u{200d}b", 64) && !shows('\u{200d}') && shows('\u{fe0f}'));
        assert_eq!(several_lines("a\n\tb", 4), Ok("a\n\tb"));
        assert!(several_lines("a\n\tb\u{2028}", 9).unwrap_err().to_string().contains("U+2028"));
        assert!(several_lines("12345", 4).unwrap_err().to_string().contains("5 bytes"));
        assert!(!is_comment("\u{1b}[2J", 64) && !is_comment("1234567", 6) && !is_comment("a\rb", 64));
    }
}
