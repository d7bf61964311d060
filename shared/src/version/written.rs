//! Ranges as people write them, read strictly: one pass over a bounded text.

use super::bounds::{Bounds, Cut, Whose, caret_place, next};
use super::fault::{MAX_RANGE, NotARange, RangeFault};
use super::{
    Key, MAX_VERSION, STAGES, Stage, parse_numbers, parse_stage, parse_version, semver_stage, split_numbers,
    without_revision,
};

/// Operators, the longer first. No operator is `=`.
const OPERATORS: [&str; 7] = [">=", "<=", ">", "<", "=", "^", "~"];

/// What stands after an operator.
enum Operand {
    /// `*`
    Any,
    /// `67.*`: every version that begins with so many of these numbers.
    Every([u64; 4], usize),
    /// One version, and how many numbers were given of it.
    One(Key, usize),
}

/// The interval that a written range means.
pub(super) fn bounds(text: &str, whose: Whose) -> Result<Bounds, NotARange> {
    let error = |fault| NotARange::new(text, fault);
    if text.len() > MAX_RANGE {
        return Err(error(RangeFault::TooLong));
    }
    let mut bounds = Bounds::default();
    for comparator in text.split(',') {
        let comparator = comparator.trim();
        let operator = OPERATORS.into_iter().find(|operator| comparator.starts_with(operator));
        let operand = comparator.get(operator.map_or(0, str::len)..).unwrap_or_default().trim_start();
        let operand = read(operand, whose).map_err(error)?;
        bounds = bounds.and(interval(operator.unwrap_or("="), operand).map_err(error)?);
    }
    bounds.check(text)?;
    Ok(bounds)
}

fn interval(operator: &'static str, operand: Operand) -> Result<Bounds, RangeFault> {
    let (from, beyond) = match &operand {
        Operand::Any if operator == "=" => return Ok(Bounds::default()),
        Operand::Any => return Err(RangeFault::BoundsAny(operator)),
        Operand::Every(parts, given) => {
            (Some(Cut::before(Key { parts: *parts, stage: Stage::Begin })), next(*parts, given - 1))
        }
        Operand::One(key, _) => (Some(Cut::before(key.clone())), Some(Cut::after(key.clone()))),
    };
    let (low, high) = match (operator, operand) {
        ("=", _) => (from, beyond),
        (">", _) => (beyond, None),
        (">=", _) => (from, None),
        ("<", _) => (None, from),
        ("<=", _) => (None, beyond),
        ("^", Operand::One(Key { parts, .. }, given)) => (from, next(parts, caret_place(parts, given))),
        ("~", Operand::One(Key { parts, .. }, given)) => (from, next(parts, usize::from(given > 1))),
        _ => return Err(RangeFault::NeedsVersion(operator)),
    };
    Ok(Bounds::between(low, high))
}

fn read(text: &str, whose: Whose) -> Result<Operand, RangeFault> {
    if text.is_empty() {
        return Err(RangeFault::NoVersion);
    }
    if text.len() > MAX_VERSION {
        return Err(RangeFault::LongVersion);
    }
    let (numbers, stars) = text.split_at(text.trim_end_matches(['*', 'x', 'X', '.']).len());
    if !stars.is_empty() {
        return read_wildcard(numbers, stars).ok_or_else(|| unreadable(text));
    }
    let (numbers, suffix) = split_numbers(text);
    let (parts, given) = parse_numbers(numbers).ok_or_else(|| unreadable(text))?;
    if given > 3 {
        return Err(RangeFault::FourNumbers(text.to_owned()));
    }
    let stage = match whose {
        Whose::Product => written_stage(suffix, given),
        Whose::Agent => semver_stage(suffix, given).or_else(|| written_stage(suffix, given)),
    };
    stage.map(|stage| Operand::One(Key { parts, stage }, given)).ok_or_else(|| misspelt(text, suffix))
}

/// `67.*` and, as semver has them too, `67.x` and `67.*.*`.
fn read_wildcard(numbers: &str, stars: &str) -> Option<Operand> {
    let stars = if numbers.is_empty() { stars } else { stars.strip_prefix('.')? };
    if !stars.split('.').all(|star| matches!(star, "*" | "x" | "X")) {
        return None;
    }
    if numbers.is_empty() {
        return Some(Operand::Any);
    }
    let (parts, given) = parse_numbers(numbers)?;
    (given <= 3).then_some(Operand::Every(parts, given))
}

/// The suffixes that products write, and semver's words for the same after three numbers.
fn written_stage(suffix: &str, given: usize) -> Option<Stage> {
    let stage = parse_stage(suffix)?;
    let as_products_write = suffix.is_empty()
        || suffix == "esr"
        || STAGES.iter().any(|(short, _)| {
            suffix.strip_prefix(short).is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        });
    let as_semver = given == 3 && semver_stage(suffix, given).as_ref() == Some(&stage);
    (as_products_write || as_semver).then_some(stage)
}

/// A version that a client may have, but that is no bound as it stands: with the spelling that is meant.
fn misspelt(text: &str, suffix: &str) -> RangeFault {
    let (lower, suffix) = (text.to_ascii_lowercase(), suffix.to_ascii_lowercase());
    let words = semver_stage(&suffix, 3);
    match parse_version(&lower) {
        Some(key) if words.as_ref() != Some(&key.stage) && spread(text).is_none() => {
            let esr = if lower.contains("esr") { "esr" } else { "" };
            let (text, spelling) = (text.to_owned(), format!("{key}{esr}"));
            if is_packaged(&suffix) {
                RangeFault::Packaged { text, spelling }
            } else {
                RangeFault::Misspelt { text, spelling }
            }
        }
        _ => unreadable(text),
    }
}

/// Whether a version's suffix has what packagers append: `-1`, `~b3-1`, `+build1`.
fn is_packaged(suffix: &str) -> bool {
    suffix.contains('+') || (parse_stage(suffix).is_none() && without_revision(suffix).is_some())
}

/// The range that two versions with a word or sign between them mean: `67-68` is everything from 67 to the last 68.
fn spread(text: &str) -> Option<String> {
    let (low, high) = SPREADS.iter().find_map(|between| text.split_once(between))?;
    let (low, high) = (low.trim(), high.trim());
    let plain = |text: &str| parse_stage(split_numbers(text).1).and_then(|_| parse_version(text));
    // A higher one after a hyphen is no revision: those begin at 1 with each version.
    if plain(high)? <= plain(low)? {
        return None;
    }
    let is_short = split_numbers(high).1.is_empty() && high.split('.').count() < 3;
    Some(format!(">={low}, <={high}{}", if is_short { ".*" } else { "" }))
}

const SPREADS: [&str; 4] = [" to ", "..", "\u{2013}", "-"];

fn unreadable(text: &str) -> RangeFault {
    match spread(text) {
        Some(range) => RangeFault::Spread { text: text.to_owned(), range },
        None => RangeFault::NoSuchVersion(text.to_owned()),
    }
}
