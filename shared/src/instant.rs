//! Instants as people write them: RFC 3339, with an offset.

use jiff::Timestamp;
use jiff::civil::DateTime;

/// Why a text is no instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInstant {
    /// Of a year of five digits, or one of the last hours of 9999.
    #[error("the time is after the last there is here, 9999-12-30T22:00:00Z")]
    TooLate,
    /// Date and time without an offset.
    #[error("the time has no offset")]
    NoOffset,
    /// Anything else.
    #[error("is not a time")]
    Unreadable,
}

/// Reads an instant: `2019-05-05T00:00:00Z`.
///
/// # Errors
/// [`NotAnInstant`].
pub fn read(text: &str) -> Result<Timestamp, NotAnInstant> {
    text.parse().map_err(|_| {
        let digits = text.trim_start_matches('+').bytes().take_while(u8::is_ascii_digit).count();
        if digits > 4 && text.contains('-') || text.starts_with("9999-12-3") {
            NotAnInstant::TooLate
        } else if text.parse::<DateTime>().is_ok() {
            NotAnInstant::NoOffset
        } else {
            NotAnInstant::Unreadable
        }
    })
}

/// The value of an option is no instant; the sentence says how one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write date, time and zone, such as 2019-05-05T00:00:00Z; now is \"$(date -u +%FT%TZ)\"")]
pub struct NotAnOption(pub NotAnInstant);

/// Reads the value of an option.
///
/// # Errors
/// [`NotAnOption`].
pub fn read_option(text: &str) -> Result<Timestamp, NotAnOption> {
    read(text).map_err(NotAnOption)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_instant_is_said() {
        assert_eq!(read("1970-01-01T00:00:00Z"), Ok(Timestamp::UNIX_EPOCH));
        assert!(read("9999-12-30T21:59:59Z").is_ok());
        for (text, why) in [
            ("10000-01-01T00:00:00Z", NotAnInstant::TooLate),
            ("+010000-01-01T00:00:00Z", NotAnInstant::TooLate),
            ("9999-12-31T23:59:59Z", NotAnInstant::TooLate),
            ("2019-05-05T00:00:00", NotAnInstant::NoOffset),
            ("2019-05-05", NotAnInstant::NoOffset),
            ("now", NotAnInstant::Unreadable),
            ("1557014400", NotAnInstant::Unreadable),
            ("", NotAnInstant::Unreadable),
        ] {
            assert_eq!(read(text), Err(why), "{text}");
            assert!(read_option(text).unwrap_err().to_string().contains("such as 2019-05-05T00:00:00Z"));
        }
    }
}
