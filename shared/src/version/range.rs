//! Ranges of versions: an interval of the plain version order, in two spellings.
//!
//! What people write has the product's spelling and order (`written`). What is published has the grammar of
//! [`semver::VersionReq`], which agents in the field have always read: there, parts left out mean any (`=66.0` is every
//! 66.0.x). So the two are read by two functions, and what is published is either what was written, where both
//! readings agree, or the bounds that it means, each with three numbers, which every agent reads alike.

use std::fmt;
use std::str::FromStr;

use semver::{Comparator, Op, Prerelease, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bounds::{Bounds, Cut, Side, Whose, caret_place, next};
use super::fault::{MAX_RANGE, NotARange, RangeFault};
use super::{Key, ProductVersion, Stage, written};

/// A range of versions: an interval of the plain version order.
///
/// Its [`Display`](fmt::Display) is the product's spelling, computed from the interval; it serialises as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    published: String,
    bounds: Bounds,
}

impl VersionRange {
    /// Reads a range as people write it: `>=60, <67`, `=66.0.3`, `67.*`, `>=68.0b3`.
    ///
    /// Bounds with commas between, at most 256 bytes. A version means itself alone, and `67.*` every version of
    /// 67, pre-releases included: after an operator, its first or its last. `^` and `~` bound as semver's do.
    ///
    /// # Errors
    /// It does not read, names a suffix that nobody writes (the sentence has the right spelling), or no version can match.
    pub fn written(text: &str, whose: Whose) -> Result<Self, NotARange> {
        let bounds = written::bounds(text, whose)?;
        // Where it always was so published, it stays: the same source gives the same bytes as before.
        let published = match Self::published(text) {
            Ok(same) if same.bounds == bounds => text.to_owned(),
            _ => bounds.to_published(),
        };
        Ok(Self { published, bounds })
    }

    /// Reads a range as it is published: in the grammar of [`semver::VersionReq`], bound by bound in plain version order.
    ///
    /// Parts left out mean any: `=66.0` is every release 66.0.x, `>66.0` begins at the first 66.1. `67.0.0-0` is below
    /// every pre-release of 67.
    ///
    /// # Errors
    /// It does not read, or no version can match, as in `>=67, <60`.
    pub fn published(text: &str) -> Result<Self, NotARange> {
        let wrong = |fault| NotARange::new(text, fault);
        if text.len() > MAX_RANGE {
            return Err(wrong(RangeFault::TooLong));
        }
        let request = VersionReq::parse(text).map_err(|why| wrong(RangeFault::Grammar(why.to_string())))?;
        let mut bounds = Bounds::default();
        for comparator in &request.comparators {
            bounds = bounds.and(interval(comparator).ok_or_else(|| wrong(RangeFault::UnknownOperator))?);
        }
        bounds.check(text)?;
        Ok(Self { published: text.to_owned(), bounds })
    }

    /// Whether `version` lies within.
    #[must_use]
    pub fn contains(&self, version: &ProductVersion) -> bool {
        self.bounds.hold(&version.key)
    }

    /// Whether the semver version `version` (such as the agent's own) lies within.
    #[must_use]
    pub fn contains_semver(&self, version: &semver::Version) -> bool {
        self.bounds.hold(&Key {
            parts: [version.major, version.minor, version.patch, 0],
            stage: stage_of(&version.pre),
        })
    }

    /// Its text in the published form.
    #[must_use]
    pub fn as_published(&self) -> &str {
        &self.published
    }

    /// What it does with pre-releases, in words: which it leaves out or takes in, and how to write it the other way.
    #[must_use]
    pub fn pre_releases(&self) -> String {
        let Bounds { low, high } = &self.bounds;
        if let (Some(Cut(from, Side::Before)), Some(Cut(to, Side::After))) = (low, high)
            && from == to
        {
            return match from.stage {
                Stage::Pre(_) => "this pre-release alone".to_owned(),
                Stage::Begin | Stage::Release => "pre-releases are left out".to_owned(),
            };
        }
        let mut text = "pre-releases are included".to_owned();
        if let Some(Cut(key, Side::Before)) = low
            && key.stage == Stage::Release
        {
            text.push_str(&format!(", but not those of {key} (for them: >={})", every(key)));
        }
        if let Some(Cut(key, Side::Before)) = high
            && key.stage == Stage::Release
        {
            text.push_str(&format!(", also those of {key} (without them: <{})", every(key)));
        }
        text
    }

    /// Whether a written range names a version as `68.0esr`: how a version is distributed is not compared.
    #[must_use]
    pub fn names_esr(written: &str) -> bool {
        written.split(',').any(|bound| bound.trim_end().ends_with("esr"))
    }

    /// The range that a written one may have been meant for: `66.0.*` where it says `66.0` or `=66.0`, which is 66.0 alone.
    #[must_use]
    pub fn wider_meaning(written: &str) -> Option<String> {
        let version = written.trim().trim_start_matches('=').trim_start();
        let numbers = version.split('.').count();
        let only_numbers = version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        (only_numbers && !version.is_empty() && numbers < 3).then(|| format!("{version}.*"))
    }
}

/// As people write it, for any suffix that a product has.
impl FromStr for VersionRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        Self::written(text, Whose::Product)
    }
}

fn stage_of(pre: &Prerelease) -> Stage {
    if pre.is_empty() { Stage::Release } else { Stage::Pre(pre.clone()) }
}

/// The interval of one comparator of a published range; `None` is an operator of a later semver.
fn interval(c: &Comparator) -> Option<Bounds> {
    let given = 1 + usize::from(c.minor.is_some()) + usize::from(c.patch.is_some());
    let parts = [c.major, c.minor.unwrap_or(0), c.patch.unwrap_or(0), 0];
    let first = Key { parts, stage: stage_of(&c.pre) };
    let from = Some(Cut::before(first.clone()));
    // Just after everything that the operand means: the operand itself where it is complete, else all that begin so.
    let beyond = if given == 3 { Some(Cut::after(first)) } else { next(parts, given - 1) };
    let (low, high) = match c.op {
        Op::Exact | Op::Wildcard => (from, beyond),
        Op::Greater => (beyond.or_else(unreachable_cut), None),
        Op::GreaterEq => (from, None),
        Op::Less => (None, from),
        Op::LessEq => (None, beyond),
        Op::Tilde => (from, next(parts, usize::from(given > 1))),
        Op::Caret => (from, next(parts, caret_place(parts, given))),
        _ => return None,
    };
    Some(Bounds { low, high })
}

/// Above every version: what `>` means where no number is higher.
fn unreachable_cut() -> Option<Cut> {
    Some(Cut(Key { parts: [u64::MAX; 4], stage: Stage::Release }, Side::After))
}

/// `67.*` for 67.0, `66.0.3.*` for 66.0.3.
fn every(key: &Key) -> String {
    let given = key.parts.iter().rposition(|part| *part != 0).unwrap_or(0);
    wildcard(key.parts.get(..=given).unwrap_or(&key.parts))
}

fn wildcard(parts: &[u64]) -> String {
    parts.iter().map(|part| format!("{part}.")).collect::<String>() + "*"
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(prefix) = self.bounds.prefix() {
            return f.write_str(&wildcard(prefix));
        }
        f.write_str(&self.bounds.spelled(&|key| match key.stage {
            Stage::Begin => every(key),
            Stage::Pre(_) | Stage::Release => key.to_string(),
        }))
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.published)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::published(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
