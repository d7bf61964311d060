//! Lanes, slugs, and the paths made of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which group of people must sign. The emergency lane comes first in every order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// The big red button.
    Emergency,
    /// Everything else.
    Routine,
}

impl Lane {
    /// All lanes, in order.
    pub const ALL: [Self; 2] = [Self::Emergency, Self::Routine];

    /// Its name, which is also the name of the TUF role.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Routine => "routine",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a lane.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a lane: expected \"emergency\" or \"routine\"")]
pub struct NotALane;

impl FromStr for Lane {
    type Err = NotALane;

    fn from_str(text: &str) -> Result<Self, NotALane> {
        Self::ALL.into_iter().find(|lane| lane.as_str() == text).ok_or(NotALane)
    }
}

/// A recipe's name: `[a-z0-9][a-z0-9-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a slug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a slug: expected 1 to 64 of a-z, 0-9 and \"-\", not beginning with \"-\"")]
pub struct NotASlug;

impl FromStr for Slug {
    type Err = NotASlug;

    fn from_str(text: &str) -> Result<Self, NotASlug> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASlug)
        }
    }
}

/// Where a recipe is published: `emergency/<slug>.json`. Ordered by lane, then slug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipePath {
    /// The lane.
    pub lane: Lane,
    /// The slug.
    pub slug: Slug,
}

impl fmt::Display for RecipePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.json", self.lane, self.slug)
    }
}

/// The text is not a recipe's path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a recipe's path: expected \"emergency/<slug>.json\" or \"routine/<slug>.json\"")]
pub struct NotAPath;

impl FromStr for RecipePath {
    type Err = NotAPath;

    fn from_str(text: &str) -> Result<Self, NotAPath> {
        let (lane, file) = text.split_once('/').ok_or(NotAPath)?;
        let slug = file.strip_suffix(".json").ok_or(NotAPath)?;
        Ok(Self { lane: lane.parse().map_err(|_| NotAPath)?, slug: slug.parse().map_err(|_| NotAPath)? })
    }
}

/// Serialised as its text.
macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

serde_as_text!(Lane, Slug, RecipePath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_what_the_pattern_says() {
        let longest = "a".repeat(64);
        for good in ["a", "0", "a-", "replace-signing-intermediate", "9-", longest.as_str()] {
            assert_eq!(good.parse::<Slug>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(65);
        for bad in ["", "-a", "A", "a_b", "a.b", "a/b", "é", "..", "a b", too_long.as_str()] {
            assert_eq!(bad.parse::<Slug>(), Err(NotASlug), "{bad}");
        }
    }

    #[test]
    fn paths_are_one_lane_and_one_slug_and_order_with_emergency_first() {
        let path: RecipePath = "emergency/hold.json".parse().unwrap();
        assert_eq!(path.to_string(), "emergency/hold.json");
        assert!(path < "routine/a.json".parse().unwrap() && path > "emergency/a.json".parse().unwrap());
        for bad in
            ["hold.json", "emergency/hold", "emergency/", "gates.json", "other/a.json", "emergency/a/b.json"]
        {
            assert_eq!(bad.parse::<RecipePath>(), Err(NotAPath), "{bad}");
        }
    }
}
