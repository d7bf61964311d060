//! Where answers go: the rules of all binaries for standard output.
//!
//! Opens nothing: the caller hands in the stream.

use std::io::{self, ErrorKind, Write};

use crate::text::shows;

/// Standard output took no more of an answer.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer could not be written to standard output ({0}); make room there, and see with a command that only shows \
     things what was done"
)]
pub struct Unwritten(#[from] pub io::Error);

/// Text from outside (file names, reasons, sentences of an origin) without the characters that rewrite or reorder what a
/// terminal shows: U+FFFD stands for each.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if shows(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// [`plain`] for text of several lines: line ends and tabs stay. A part that must be one line goes through [`plain`] first.
#[must_use]
pub fn plain_lines(text: &str) -> String {
    let stays = |c: char| shows(c) || matches!(c, '\n' | '\t');
    text.chars().map(|c| if stays(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// What an error or a list says of itself, as a sentence: with a full stop, unless it ends with a mark of its own (`did you mean …?`).
#[must_use]
pub fn sentence(text: &(impl std::fmt::Display + ?Sized)) -> String {
    let text = text.to_string();
    if text.ends_with(['.', '?', '!', '…']) { text } else { format!("{text}.") }
}

/// Writes an answer whole. A reader that has gone away (`| head`) is no fault.
///
/// # Errors
/// [`Unwritten`] when `out` takes no more for another reason: it is full, say.
pub fn write(out: &mut dyn Write, text: &str) -> Result<(), Unwritten> {
    let mut out = Lenient(out);
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// A stream whose reader may go away: what is written after that goes nowhere.
#[derive(Debug)]
pub struct Lenient<W>(pub W);

impl<W: Write> Write for Lenient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_with_one_mark() {
        for (text, ends) in [("no", "no."), ("no.", "no."), ("did you mean x?", "did you mean x?"), ("", ".")]
        {
            assert_eq!(sentence(text), ends);
        }
    }

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    /// Takes everything and fails when it is flushed, as a buffer before a full disk does.
    struct Buffered(ErrorKind);

    impl Write for Buffered {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn what_acts_on_a_terminal_is_not_shown() {
        assert_eq!(plain("Größe\u{1b}[2J\n\u{202e}x"), "Größe\u{fffd}[2J\u{fffd}\u{fffd}x");
        assert_eq!(plain_lines("a\tb\r\n\u{1b}[2J"), "a\tb\u{fffd}\n\u{fffd}[2J");
    }

    #[test]
    fn a_reader_that_went_away_is_no_fault_and_a_full_disk_is_one() {
        let mut whole = Vec::new();
        write(&mut whole, "yes\n").unwrap();
        assert_eq!(whole, b"yes\n");
        write(&mut Failing(ErrorKind::BrokenPipe), "yes\n").unwrap();
        write(&mut Buffered(ErrorKind::BrokenPipe), "yes\n").unwrap();
        for refused in [
            write(&mut Failing(ErrorKind::StorageFull), "yes\n"),
            write(&mut Buffered(ErrorKind::StorageFull), "yes\n"),
        ] {
            assert!(refused.unwrap_err().to_string().contains("standard output"));
        }
    }
}
