//! Text from outside in what people read before they sign: it stays in its place, whatever is in it.
//!
//! Such a text may want to begin a line of its own, by a line end or by being so long that a terminal begins one; to pass for
//! two entries of a list; or to be read as another than it is. So it is one line without what does not show ([`plain`]), it is
//! broken here and each further line is marked ([`behind`]), or it stands in quotation marks ([`listed`]).

use crate::answer::plain;
use crate::quoted::quoted;

/// Columns of a line: with the mark of a comparison it fits a terminal of 80.
const COLUMNS: usize = 78;

/// What a further line of one text begins with. No line of ours does.
pub(crate) const FURTHER: &str = "… ";

/// A label of ours and one line of text from outside behind it: as many lines as it takes, each ended, the further ones
/// indented to match and marked with `…`.
#[must_use]
pub fn behind(label: &str, text: &str) -> String {
    let indent = label.chars().count();
    let mut page = String::new();
    for (index, line) in wrapped(&plain(text), COLUMNS.saturating_sub(indent)).iter().enumerate() {
        if index == 0 {
            page.push_str(label);
        } else {
            page.push_str(&" ".repeat(indent));
            page.push_str(FURTHER);
        }
        page.push_str(line);
        page.push('\n');
    }
    page
}

/// Words in one line: as they are where nothing in them could pass for the end of one, else in quotation marks.
#[must_use]
pub fn listed(words: &[String]) -> String {
    let is_simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/' | '@');
    let shown = |word: &String| {
        if !word.is_empty() && word.chars().all(is_simple) { word.clone() } else { quoted(word) }
    };
    words.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A file that a person wrote is in another encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} is not UTF-8 (byte 0x{byte:02X}); save the file as UTF-8, from Latin-1 with: iconv -f latin1 -t utf-8 FILE"
)]
pub struct NotUtf8 {
    /// The first line that is not UTF-8, from 1.
    pub line: usize,
    /// The first byte of it that is not.
    pub byte: u8,
}

/// The text of a file that a person wrote.
///
/// # Errors
/// [`NotUtf8`].
pub fn text(bytes: &[u8]) -> Result<&str, NotUtf8> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
        NotUtf8 { line, byte: bytes.get(error.valid_up_to()).copied().unwrap_or_default() }
    })
}

/// The text in lines of at most `columns`, the mark of further lines included, broken after blanks where there are any.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    // Characters beyond ASCII may take two columns.
    let of = |c: char| if c.is_ascii() { 1_usize } else { 2 };
    let further = FURTHER.chars().count();
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0_usize);
    for word in text.split_inclusive(' ') {
        let width = word.trim_end().chars().map(of).fold(0, usize::saturating_add);
        if used > further && used.saturating_add(width) > columns {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = further;
        }
        for c in word.chars() {
            if used > further && used.saturating_add(of(c)) > columns {
                lines.push(std::mem::take(&mut line));
                used = further;
            }
            line.push(c);
            used = used.saturating_add(of(c));
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_behind_its_label() {
        assert_eq!(behind("name ", "An example"), "name An example\n");
        assert_eq!(behind("name ", ""), "name \n");
        assert_eq!(
            behind("name ", "a\r\nuntil never\u{2028}\u{202e}"),
            "name a\u{fffd}\u{fffd}until never\u{fffd}\u{fffd}\n"
        );
        let long = format!("{} until never", "x".repeat(70));
        assert_eq!(behind("name ", &long), format!("name {}\n     … until never\n", "x".repeat(70)));
        let endless = behind("name ", &"ü".repeat(100));
        let lines: Vec<&str> = endless.lines().collect();
        assert_eq!(lines.len(), 3, "{endless}");
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS), "{endless}");
    }

    #[test]
    fn a_file_in_another_encoding_is_told_with_its_line() {
        assert_eq!(text("name = \"Größe\"".as_bytes()), Ok("name = \"Größe\""));
        let latin = b"slug = \"a\"\n\nname = \"Gr\xf6\xdfe\"\n";
        let why = text(latin).unwrap_err().to_string();
        assert!(why.starts_with("line 3 is not UTF-8 (byte 0xF6); save the file as UTF-8"), "{why}");
    }

    #[test]
    fn a_word_is_one_word() {
        let words = |all: &[&str]| listed(&all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&["release", "x86_64", "de-AT"]), "release, x86_64, de-AT");
        assert_eq!(
            words(&["release, beta", "esr ", "re\u{200b}lease"]),
            r#""release, beta", "esr ", "re\u{200b}lease""#
        );
    }
}
