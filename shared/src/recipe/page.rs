//! The lines in which a recipe is shown to the people who sign it.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use crate::outside::behind;

/// Lines with a label each; further lines of a text are indented to match.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// A line of our own words.
    pub(super) fn line(&mut self, label: &str, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{label:<10} {text}");
    }

    /// One line with text from outside in it.
    pub(super) fn outside(&mut self, label: &str, text: &str) {
        self.0.push_str(&behind(&format!("{label:<10} "), text));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// A time and how far it is from `now`, to the largest unit that is not zero.
pub(crate) fn moment(time: Timestamp, now: Timestamp) -> String {
    let distance = time.duration_since(now);
    let size = span(distance);
    if distance.is_negative() { format!("{time} ({size} AGO)") } else { format!("{time} (in {size})") }
}

fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let (number, unit) = match seconds {
        s if s >= 2 * 86_400 => (s / 86_400, "day"),
        s if s >= 2 * 3_600 => (s / 3_600, "hour"),
        s if s >= 120 => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}
