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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> ProductVersion {
        text.parse().unwrap()
    }

    fn matches(range: &str, text: &str) -> bool {
        range.parse::<VersionRange>().unwrap().contains(&version(text))
    }

    #[test]
    fn versions_stand_in_the_order_of_their_release() {
        let order = [
            "60.0a1",
            "60.0b3",
            "60.0b12",
            "60.0",
            "60.0.0.1",
            "60.0.1",
            "60.6.2esr",
            "60.7.0esr",
            "61.0a1",
            "61.0b3",
            "61.0rc1",
            "61.0",
            "66.0.4",
            "100.0",
        ];
        for (i, a) in order.iter().enumerate() {
            for (j, b) in order.iter().enumerate() {
                assert_eq!(version(a).cmp(&version(b)), i.cmp(&j), "{a} {b}");
            }
        }
        for same in ["66", "66.0", "66.0.0", "66.0.0.0", "66.0esr"] {
            assert_eq!(version(same), version("66.0"));
            assert_eq!(version(same).to_string(), same);
        }
        assert_eq!(version("68.0b3"), version("68.0.0-beta.3"));
        assert_eq!(version("69.0a1"), version("69.0.0-alpha.1"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        let long = format!("1.0.0-{}", "a".repeat(80));
        for bad in [
            "",
            ".",
            "1.",
            ".1",
            "1..2",
            "1.2.3.4.5",
            "v1",
            "01.0",
            "1.00",
            "1.0b",
            "1.0b03",
            "1.0b3x",
            "1.0c1",
            "1.0 ",
            "4294967296",
            "1.0-rc.1",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3+build",
            "66.0ESR",
            "66.0b3esr",
            "٦",
            &long,
        ] {
            assert!(bad.parse::<ProductVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn pre_releases_are_in_plain_order() {
        // What semver's own matching gets wrong for an emergency.
        assert!(
            !VersionReq::parse(">=60").unwrap().matches(&semver::Version::parse("61.0.0-beta.3").unwrap())
        );
        assert!(matches(">=60", "61.0b3"));
        assert!(matches(">=60, <67", "66.0b14") && matches(">=60, <67", "67.0b1"));
        assert!(!matches(">=60", "60.0b3") && matches(">=60.0.0-beta.3", "60.0b3"));
        assert!(matches("*", "60.0a1"));
    }

    #[test]
    fn operators_mean_what_the_documentation_says() {
        for (range, inside, outside) in [
            ("<60.1.2", "60.1.1", "60.1.2"),
            ("<60.1.2", "60.1.2b1", "60.1.2.1"),
            ("<=60.1.2", "60.1.2", "60.1.2.1"),
            (">60.1.2", "60.1.2.1", "60.1.2"),
            ("<=60", "60.9esr", "61.0a1"),
            (">60", "61.0a1", "60.9.9.9"),
            ("=60", "60.9", "60.0b3"),
            ("60.*", "60.0", "61.0a1"),
            ("=60.6", "60.6.2esr", "60.7b1"),
            ("=60.6.2", "60.6.2esr", "60.6.3"),
            ("60", "60.6", "61.0b1"),
            ("^0.2.3", "0.2.9", "0.3.0b1"),
            ("^0.0.3", "0.0.3", "0.0.4b1"),
            ("^0.0", "0.0.9", "0.1"),
            ("^0", "0.9", "1.0a1"),
            ("~60.6.1", "60.6.9", "60.7a1"),
            ("~60", "60.9", "61.0a1"),
        ] {
            assert!(matches(range, inside), "{range} has {inside}");
            assert!(!matches(range, outside), "{range} has not {outside}");
        }
        let agent: VersionRange = ">=0.2".parse().unwrap();
        assert!(agent.contains_semver(&semver::Version::parse("0.3.0-dev").unwrap()));
        assert!(!agent.contains_semver(&semver::Version::parse("0.2.0-dev").unwrap()));
    }

    #[test]
    fn ranges_without_a_version_and_nonsense_are_refused() {
        for bad in [
            "",
            ">=67, <60",
            "=60, =61",
            ">60, <=60",
            "<60, >=60",
            ">=60 <67",
            "60.6.2esr",
            "sixty",
            &format!(">={}", "1".repeat(400)),
        ] {
            assert!(bad.parse::<VersionRange>().is_err(), "{bad}");
        }
        let error = ">=67, <60".parse::<VersionRange>().unwrap_err().to_string();
        assert!(error.contains("no version can match"), "{error}");
        // At the end of the number space nothing overflows.
        let huge = format!(">{}", u64::MAX);
        assert!(!matches(&huge, "4294967295.0"));
        assert!(matches(&format!("<={}", u64::MAX), "4294967295.0"));
    }

    fn any_version() -> impl Strategy<Value = ProductVersion> {
        let part = 0..3_u32;
        let suffix = proptest::sample::select(vec!["", "esr", "a1", "b1", "b2", "b10", "rc1"]);
        (proptest::collection::vec(part, 1..=4), suffix).prop_map(|(parts, suffix)| {
            let parts: Vec<_> = parts.iter().map(ToString::to_string).collect();
            version(&format!("{}{suffix}", parts.join(".")))
        })
    }

    proptest! {
        #[test]
        fn the_order_is_total(a in any_version(), b in any_version(), c in any_version()) {
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }

        /// The operators are what each other's documentation says, for operands of one to three parts.
        #[test]
        fn operators_agree_with_each_other(v in any_version(), parts in proptest::collection::vec(0..3_u32, 1..=3)) {
            let x: Vec<_> = parts.iter().map(ToString::to_string).collect();
            let x = x.join(".");
            // `<0` and the like match only pre-releases, which is a range all the same.
            let holds = |op: &str| format!("{op}{x}").parse::<VersionRange>().unwrap().contains(&v);
            prop_assert_eq!(holds("<"), !holds(">="));
            prop_assert_eq!(holds(">"), !holds("<="));
            prop_assert_eq!(holds("="), holds(">=") && holds("<="));
            prop_assert_eq!(holds(">="), v >= version(&x));
        }

        /// Where semver's own matching has no quirk (releases of three parts), both agree.
        #[test]
        fn releases_match_as_semver_matches(parts in any::<[u8; 3]>(), x in any::<[u8; 3]>(), n in 1..=3_usize,
                                            op in proptest::sample::select(vec!["<", "<=", ">", ">=", "=", "^", "~"])) {
            let [a, b, c] = parts.map(|p| p % 4);
            let text = format!("{a}.{b}.{c}");
            let operand: Vec<_> = x[..n].iter().map(|p| (p % 4).to_string()).collect();
            let range = format!("{op}{}", operand.join("."));
            let expected = VersionReq::parse(&range).unwrap().matches(&semver::Version::parse(&text).unwrap());
            prop_assert_eq!(matches(&range, &text), expected, "{} {}", range, text);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = text.parse::<ProductVersion>();
            let _ = text.parse::<VersionRange>();
        }
    }
}
