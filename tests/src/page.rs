//! Pages of documentation that tests play: their labelled blocks, what they promise, and the processes they start.

use std::process::Child;

/// A process that a page starts in the background. Ends it when dropped, however the test ends.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The page's block with this label, such as `sh publish`, if there is one.
#[must_use]
pub fn block(page: &str, label: &str) -> Option<String> {
    let opening = format!("```{label}");
    let mut lines = page.lines().skip_while(|line| *line != opening);
    lines.next()?;
    Some(lines.take_while(|line| *line != "```").collect::<Vec<_>>().join("\n"))
}

/// Whether a line is as shown: `…` stands for anything, and so does the space around it.
#[must_use]
pub fn is_shown(shown: &str, said: &str) -> bool {
    let mut pieces = shown.split('…').map(str::trim);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = said.trim_start().strip_prefix(first) else { return false };
    for piece in pieces {
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_their_label_and_lines_by_what_is_fixed_in_them() {
        let page = "text\n```sh a\none\ntwo\n```\n```sh b\n```\n";
        assert_eq!(block(page, "sh a").as_deref(), Some("one\ntwo"));
        assert_eq!(block(page, "sh b").as_deref(), Some(""));
        assert_eq!(block(page, "sh c"), None);
        assert!(is_shown("Edition … of …", "  Edition 7 of today"));
        assert!(!is_shown("Edition … of …", "Edition 7"));
        assert!(!is_shown("Edition", "No Edition"));
    }
}
