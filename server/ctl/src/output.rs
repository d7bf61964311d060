//! What people and scripts see: words and tables, or JSON, on standard output; progress and warnings on standard error.

use crate::failure::{Failure, FailureKind};
use jiff::{Timestamp, Unit};
use mulberry_host::table::{self, Width};
use mulberry_shared::answer::{plain_lines, write};
use std::io::{IsTerminal, Write};

/// How a command speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Words and tables.
    Human,
    /// One JSON document on standard output.
    Json,
}

impl Format {
    /// Prints the answer in the chosen form, words without what a terminal would obey: much of them is a server's. A reader that
    /// has gone away (`| head`) is no fault.
    ///
    /// # Errors
    /// Standard output takes no more (exit code 2).
    pub fn print(
        self,
        human: impl FnOnce() -> String,
        json: impl FnOnce() -> serde_json::Value,
    ) -> Result<(), Failure> {
        let text = match self {
            Self::Human => plain_lines(&human()),
            Self::Json => json().to_string(),
        };
        answer(&format!("{}\n", text.trim_end()))
    }

    /// Words before the answer: on standard output for people, aside when a script waits for JSON.
    ///
    /// # Errors
    /// As [`Format::print`].
    pub fn say(self, text: &str) -> Result<(), Failure> {
        match self {
            _ if text.is_empty() => Ok(()),
            Self::Human => self.print(|| format!("{text}\n"), || serde_json::Value::Null),
            Self::Json => {
                tell(text);
                Ok(())
            }
        }
    }
}

/// Writes `text` to standard output as it is.
///
/// # Errors
/// As [`Format::print`].
pub fn answer(text: &str) -> Result<(), Failure> {
    write(&mut std::io::stdout().lock(), text)
        .map_err(|error| Failure::usage(FailureKind::FileUnwritable, format!("{error}.")))
}

/// Tells people something on standard error, without what a terminal would obey.
pub fn tell(text: &str) {
    eprintln!("{}", plain_lines(text));
}

/// Says what is going on, on standard error: for steps that may take more than a moment.
pub fn progress(text: &str) {
    tell(&format!("{text} …"));
}

/// Warns on standard error.
pub fn warn(text: &str) {
    tell(&format!("Warning: {text}"));
}

/// Whether someone can answer a question here.
#[must_use]
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks for a line on standard error; `None` where nobody can answer.
#[must_use]
pub fn ask_line(question: &str) -> Option<String> {
    if !can_ask() {
        return None;
    }
    eprint!("{}", plain_lines(question));
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok().map(|_| answer)
}

/// Asks whether to go on; only the word `yes` means yes.
#[must_use]
pub fn confirm(question: &str) -> bool {
    ask_line(&format!("{question} Type yes to go on: ")).is_some_and(|answer| answer.trim() == "yes")
}

/// Asks whether to go on, unless it was said already with `--yes`; `done` is what is not done otherwise.
///
/// # Errors
/// No, or nobody to ask.
pub fn agree(yes: bool, question: &str, done: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !can_ask() {
        return Err(Failure::usage(
            FailureKind::NobodyToAsk,
            format!(
                "Nothing was {done}: there is no terminal here to ask at. Read what would be {done} above, then run \
                 the command again with --yes."
            ),
        ));
    }
    if confirm(question) {
        return Ok(());
    }
    Err(Failure::no(FailureKind::NotConfirmed, format!("Not confirmed: nothing was {done}.")))
}

/// A plain table, each row one line.
#[must_use]
pub fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    table::plain(header, rows, Width::Content)
}

/// An instant in UTC, to the second.
#[must_use]
pub fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// How far an instant is away, in one rounded-down unit: `in 6 days`, `3 hours ago`, `just now`.
#[must_use]
pub fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    let size = seconds.unsigned_abs();
    let (count, unit) = match size {
        0 => return "just now".to_owned(),
        1..60 => (size, Unit::Second),
        60..3600 => (size / 60, Unit::Minute),
        3600..172_800 => (size / 3600, Unit::Hour),
        _ => (size / 86_400, Unit::Day),
    };
    let name = match unit {
        Unit::Second => "second",
        Unit::Minute => "minute",
        Unit::Hour => "hour",
        _ => "day",
    };
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 { format!("{count} {name}{plural} ago") } else { format!("in {count} {name}{plural}") }
}

/// Basis points as a percentage: `25 %`, `12.5 %`.
#[must_use]
pub fn percent(basis_points: u16) -> String {
    let (whole, rest) = (basis_points / 100, basis_points % 100);
    match rest {
        0 => format!("{whole} %"),
        rest if rest % 10 == 0 => format!("{whole}.{} %", rest / 10),
        rest => format!("{whole}.{rest:02} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_percentages_read_well() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let cases = [
            ("2026-11-22T12:00:00Z", "just now"),
            ("2026-11-22T11:59:59.5Z", "just now"),
            ("2026-11-22T11:59:59Z", "1 second ago"),
            ("2026-11-22T12:00:59Z", "in 59 seconds"),
            ("2026-11-22T12:01:00Z", "in 1 minute"),
            ("2026-11-22T09:00:00Z", "3 hours ago"),
            ("2026-11-29T11:59:59Z", "in 6 days"),
        ];
        for (at, expected) in cases {
            assert_eq!(distance(at.parse().unwrap(), now), expected, "{at}");
        }
        for (points, expected) in
            [(2500, "25 %"), (1250, "12.5 %"), (1, "0.01 %"), (10_000, "100 %"), (0, "0 %")]
        {
            assert_eq!(percent(points), expected);
        }
        assert_eq!(instant(now), "2026-11-22 12:00:00Z");
    }
}
