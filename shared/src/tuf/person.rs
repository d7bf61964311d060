//! Names of the people who hold keys: one closed alphabet, checked wherever a name comes in.
//!
//! People read these names before they sign, and a role counts people by them. So a name has only characters that every
//! terminal shows, each in one way: it cannot break a line, hide a letter or turn the order of words round, and there is
//! nothing in it that Unicode would have to fold. What is left of look-alikes in ASCII is folded by [`Person::folded`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of the longest name.
const MAX_BYTES: usize = 64;

/// The name of a person who holds keys: 1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit. It is a
/// folder's name, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(String);

/// The text is no name of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to {MAX_BYTES} of A-Z a-z 0-9 . _ -, and begins with a letter or digit")]
pub struct NotAPerson;

impl Person {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both names are one person's: see [`Self::folded`].
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// What people are told apart by: the name without case, and with one character for those that look alike in many fonts.
    /// `person-1`, `Person-l` and `person_I` are one.
    #[must_use]
    pub fn folded(&self) -> String {
        let fold = |c: char| match c.to_ascii_lowercase() {
            '1' | 'i' => 'l',
            '0' => 'o',
            '.' | '_' => '-',
            other => other,
        };
        self.0.chars().map(fold).collect()
    }
}

impl FromStr for Person {
    type Err = NotAPerson;

    fn from_str(text: &str) -> Result<Self, NotAPerson> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        (begins && text.len() <= MAX_BYTES && text.bytes().all(legal))
            .then(|| Self(text.to_owned()))
            .ok_or(NotAPerson)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Person {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Person {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_closed_alphabet() {
        let longest = "a".repeat(64);
        for good in ["person-1", "alice", "Mei.Lin_2", "0", "J", &longest] {
            assert_eq!(good.parse::<Person>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(65);
        for bad in [
            "",
            "-a",
            ".a",
            "_a",
            "person-2 ",
            " person-2",
            "Mei Lin",
            "a\nNo key and no threshold changes",
            "a\r",
            "a\u{2028}b",
            "a\u{202e}b",
            "a\u{200b}",
            "\u{430}lice",
            "Jörg",
            "a/b",
            "..",
            "a\0",
            &too_long,
        ] {
            assert_eq!(bad.parse::<Person>(), Err(NotAPerson), "{bad:?}");
        }
    }

    #[test]
    fn names_that_look_alike_are_one_person() {
        let folded = |name: &str| name.parse::<Person>().unwrap().folded();
        for (one, other) in [
            ("alice", "Alice"),
            ("person-1", "person-l"),
            ("person-1", "person-I"),
            ("Bob", "b0b"),
            ("mei.lin", "mei_lin"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [("person-1", "person-2"), ("alice", "alicia"), ("ann", "anne")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }
}
