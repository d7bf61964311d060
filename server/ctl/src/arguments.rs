//! Words of the command line that several commands take.

use crate::failure::{Failure, FailureKind};
use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use jiff::Timestamp;
use mulberry_shared::{
    instant::{self, NotAnOption},
    proposal::Role,
    recipe::Lane,
    tuf::Person,
};

/// An instant on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `now`.
    Now,
    /// Another one.
    At(Timestamp),
}

impl When {
    /// Reads an instant; who writes a day or a word is shown the form.
    ///
    /// # Errors
    /// It is neither an instant nor `now`.
    pub fn parse(text: &str) -> Result<Self, NotAnOption> {
        if text == "now" { Ok(Self::Now) } else { instant::read_option(text).map(Self::At) }
    }

    /// The instant, where it is `now` now.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(at) => at,
        }
    }
}

/// The lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LaneName {
    /// The big red button
    Emergency,
    /// Everything that can wait
    Routine,
}

impl From<LaneName> for Lane {
    fn from(name: LaneName) -> Self {
        match name {
            LaneName::Emergency => Self::Emergency,
            LaneName::Routine => Self::Routine,
        }
    }
}

/// The roles that people sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Says which keys count
    Root,
    /// Says whose the lanes are
    Targets,
    /// The big red button
    Emergency,
    /// Everything that can wait
    Routine,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Root => Self::Root,
            RoleName::Targets => Self::Targets,
            RoleName::Emergency => Self::Emergency,
            RoleName::Routine => Self::Routine,
        }
    }
}

/// A person's name from the command line.
///
/// # Errors
/// It is none.
pub fn person(text: &str) -> Result<Person, Failure> {
    text.parse().map_err(|why| {
        Failure::usage(FailureKind::PersonName, format!("{text:?} is no name of a person: {why}."))
    })
}

/// A percentage as people write it (`25`, `12.5`, `0.05`), in basis points. Not by floating point: `0.29` must be 29.
///
/// # Errors
/// It is none, above 100, or has more than two decimals.
pub fn percent(text: &str) -> Result<u16, String> {
    let fault =
        || format!("`{text}` is no percentage: write 0 to 100 with at most two decimals, such as 25 or 12.5");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str, most| !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole, 3) || !digits(decimals, 2) {
        return Err(fault());
    }
    let whole: u16 = whole.parse().map_err(|_| fault())?;
    let hundredths: u16 = format!("{decimals:0<2}").parse().map_err(|_| fault())?;
    let points = whole.checked_mul(100).and_then(|points| points.checked_add(hundredths));
    points.filter(|points| *points <= 10_000).ok_or_else(fault)
}

/// A parser of one of these names, which help and error messages list.
pub fn one_of<const N: usize, T: Clone + Send + Sync + 'static>(
    names: [&'static str; N],
    parse: impl Fn(&str) -> Option<T> + Clone + Send + Sync + 'static,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(names).try_map(move |text| parse(&text).ok_or("not in the list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_in_another_form_is_answered_with_the_right_one() {
        assert_eq!(When::parse("now").map(|when| when.at(Timestamp::UNIX_EPOCH)), Ok(Timestamp::UNIX_EPOCH));
        for (text, why) in
            [("tomorrow", "is not a time"), ("10000-01-01T00:00:00Z", "after the last there is")]
        {
            let refused = When::parse(text).unwrap_err().to_string();
            assert!(refused.contains(why) && refused.contains("such as 2019-05-05T00:00:00Z"), "{refused}");
        }
    }

    #[test]
    fn percentages_become_basis_points_exactly() {
        for (text, points) in
            [("25", 2500), ("12.5", 1250), ("0.29", 29), ("100", 10_000), ("0", 0), ("100.00", 10_000)]
        {
            assert_eq!(percent(text), Ok(points), "{text}");
        }
        for text in ["", "100.01", "-1", "+5", "1.", ".5", "1.234", "1e2", "NaN", "999", "0x10", "5%", "١"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
