//! Product versions and ranges.
//!
//! Products do not speak semver: `66.0` is 66.0.0, `60.6.2esr` is 60.6.2, `68.0b3` is 68.0.0-beta.3, `69.0a1` is
//! 69.0.0-alpha.1, and some have four parts. Ranges are written in the grammar of [`semver::VersionReq`], but judged
//! by plain version order: semver's own `matches` skips pre-releases, so `>=60` would miss every user of a beta.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use semver::{Comparator, Op, Prerelease, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a version's text. Real ones have at most a dozen; build systems that append more need a shorter name.
const MAX_VERSION: usize = 64;

/// Bytes of a range's text. semver itself stops at 32 comparators.
const MAX_RANGE: usize = 256;

/// The text is not a product version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a product version: {0:?}: expected such as 66.0, 60.6.2esr, 68.0b3, 69.0a1 or 1.2.3-rc.1")]
pub struct NotAVersion(String);

/// The text is not a range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of versions: {text:?}: {why}; expected such as \">=60, <67\", \"=60.6\" or \"60.*\"")]
pub struct NotARange {
    text: String,
    why: String,
}

/// A product's version, ordered as versions are: `68.0a1` < `68.0b3` < `68.0` = `68.0.0` = `68.0esr` < `68.0.0.1`.
#[derive(Clone, Debug)]
pub struct ProductVersion {
    text: String,
    key: Key,
}

/// Where a version stands in the order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    parts: [u64; 4],
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Below every pre-release: where the versions of these parts begin. No version stands here, only bounds do.
    Begin,
    /// A pre-release, ordered as semver orders them.
    Pre(Prerelease),
    Release,
}

impl ProductVersion {
    /// Its text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for ProductVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let key = parse_version(text).ok_or_else(|| NotAVersion(text.chars().take(MAX_VERSION).collect()))?;
        Ok(Self { text: text.to_owned(), key })
    }
}

fn parse_version(text: &str) -> Option<Key> {
    if text.len() > MAX_VERSION {
        return None;
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (numbers, suffix) = text.split_at(end);
    let mut parts = [0; 4];
    let mut count = 0;
    for number in numbers.split('.') {
        *parts.get_mut(count)? = parse_number(number)?;
        count += 1;
    }
    let stage = match suffix {
        "" | "esr" => Stage::Release,
        _ => Stage::Pre(parse_prerelease(suffix, count)?),
    };
    Some(Key { parts, stage })
}

/// `a1`, `b3`, `rc2`, or semver's own `-rc.1` after exactly three parts.
fn parse_prerelease(suffix: &str, parts: usize) -> Option<Prerelease> {
    if let Some(identifiers) = suffix.strip_prefix('-') {
        return (parts == 3 && !identifiers.is_empty()).then(|| Prerelease::new(identifiers).ok())?;
    }
    let (name, number) = [("alpha", "a"), ("beta", "b"), ("rc", "rc")]
        .iter()
        .find_map(|(name, letter)| suffix.strip_prefix(letter).map(|number| (name, number)))?;
    Prerelease::new(&format!("{name}.{}", parse_number(number)?)).ok()
}

/// A decimal number without leading zeros that fits 32 bits: every successor of it fits 64.
fn parse_number(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    canonical.then(|| text.parse::<u32>().ok())?.map(u64::from)
}

impl fmt::Display for ProductVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for ProductVersion {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ProductVersion {}

impl PartialOrd for ProductVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ProductVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

/// A range of versions: an interval of the plain version order.
///
/// For every operand `X`: `<X` is what `>=X` is not, `>X` is what `<=X` is not, `=X` is what both `>=X` and `<=X`
/// match. Parts left out of `X` mean any: `<=60` reaches up to the last 60.x and stops before 61.0a1, `>60` begins
/// there, `>=60` begins at 60.0 (so 60.0b3 is below it and 61.0b3 within). `^`, `~` and wildcards bound as semver's do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    /// Versions from this cut on; `None`: no bound.
    low: Option<Cut>,
    /// Versions before this cut; `None`: no bound.
    high: Option<Cut>,
}

/// A place between two versions: just before or just after a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cut(Key, Side);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Before,
    After,
}

impl VersionRange {
    /// Whether `version` lies within.
    #[must_use]
    pub fn contains(&self, version: &ProductVersion) -> bool {
        self.holds(&version.key)
    }

    /// Whether the semver version `version` (such as the agent's own) lies within.
    #[must_use]
    pub fn contains_semver(&self, version: &semver::Version) -> bool {
        self.holds(&Key {
            parts: [version.major, version.minor, version.patch, 0],
            stage: stage_of(&version.pre),
        })
    }

    /// Its text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn holds(&self, key: &Key) -> bool {
        let at = Cut(key.clone(), Side::Before);
        self.low.as_ref().is_none_or(|low| *low <= at) && self.high.as_ref().is_none_or(|high| at < *high)
    }
}

impl FromStr for VersionRange {
    type Err = NotARange;

    /// Reads a range; one that no version can match, such as `>=67, <60`, is an error too.
    fn from_str(text: &str) -> Result<Self, NotARange> {
        let error = |why: String| NotARange { text: text.chars().take(MAX_RANGE).collect(), why };
        if text.len() > MAX_RANGE {
            return Err(error(format!("longer than {MAX_RANGE} bytes")));
        }
        let request = VersionReq::parse(text).map_err(|e| error(e.to_string()))?;
        let (mut low, mut high) = (None::<Cut>, None::<Cut>);
        for comparator in &request.comparators {
            let (from, to) =
                interval(comparator).ok_or_else(|| error("an operator that is not known".to_owned()))?;
            low = low.max(from);
            high = match (high, to) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        if let (Some(low), Some(high)) = (&low, &high)
            && low >= high
        {
            return Err(error("no version can match it".to_owned()));
        }
        Ok(Self { text: text.to_owned(), low, high })
    }
}

fn stage_of(pre: &Prerelease) -> Stage {
    if pre.is_empty() { Stage::Release } else { Stage::Pre(pre.clone()) }
}

/// The interval of one comparator; the outer `None` is an operator of a later semver.
fn interval(c: &Comparator) -> Option<(Option<Cut>, Option<Cut>)> {
    let first =
        Key { parts: [c.major, c.minor.unwrap_or(0), c.patch.unwrap_or(0), 0], stage: stage_of(&c.pre) };
    let from = Some(Cut(first.clone(), Side::Before));
    // Just after everything that the operand means: the operand itself where it is complete, else all that begin so.
    let beyond = match (c.minor, c.patch) {
        (Some(_), Some(_)) => Some(Cut(first, Side::After)),
        (Some(_), None) => next(c, 1),
        (None, _) => next(c, 0),
    };
    Some(match c.op {
        Op::Exact | Op::Wildcard => (from, beyond),
        Op::Greater => (beyond.or_else(unreachable_cut), None),
        Op::GreaterEq => (from, None),
        Op::Less => (None, from),
        Op::LessEq => (None, beyond),
        Op::Tilde => (from, next(c, usize::from(c.minor.is_some()))),
        Op::Caret => (from, next(c, caret_place(c))),
        _ => return None,
    })
}

/// Which part `^` holds fixed: the leftmost that is not zero, else the last that was given.
fn caret_place(c: &Comparator) -> usize {
    match (c.major, c.minor, c.patch) {
        (0, Some(0), Some(_)) => 2,
        (0, Some(_), _) => 1,
        _ => 0,
    }
}

/// Where the versions begin whose part `place` is one higher; `None` where no number is higher.
fn next(c: &Comparator, place: usize) -> Option<Cut> {
    let given = [c.major, c.minor.unwrap_or(0), c.patch.unwrap_or(0), 0];
    let mut parts = [0; 4];
    for (index, (part, value)) in parts.iter_mut().zip(given).enumerate() {
        if index < place {
            *part = value;
        } else if index == place {
            *part = value.checked_add(1)?;
        }
    }
    Some(Cut(Key { parts, stage: Stage::Begin }, Side::Before))
}

/// Above every version: what `>` means where no number is higher.
fn unreachable_cut() -> Option<Cut> {
    Some(Cut(Key { parts: [u64::MAX; 4], stage: Stage::Release }, Side::After))
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for ProductVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ProductVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
