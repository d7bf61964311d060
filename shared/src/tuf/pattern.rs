//! Path patterns of delegations (specification 4.5): shell wildcards that never cross a `/`.

/// Whether `pattern` matches the whole of `path`. `*`, `?` and `[…]` match within one segment.
///
/// A pattern is read once, from its beginning to its end. Matching it takes at most the square of a segment of the *path*, however
/// long the pattern is: a path is what somebody asks for, a pattern is what a repository says.
#[must_use]
pub fn matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) if segment_matches(pattern, segment) => {}
            _ => return false,
        }
    }
}

/// Remembers only the last star: what comes before it is found as early as it can be.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let text: Vec<char> = segment.chars().collect();
    let Some(parts) = parts(pattern, text.len()) else { return false };
    let (mut p, mut t) = (0_usize, 0_usize);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        match parts.get(p) {
            Some(Part::Star) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Part::One(one)) if one.matches(c) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
        }
    }
    parts.get(p..).unwrap_or_default().iter().all(|part| matches!(part, Part::Star))
}

enum Part {
    /// Any number of characters; never two in a row.
    Star,
    /// Exactly one character.
    One(One),
}

/// What matches one character.
enum One {
    Any,
    Literal(char),
    /// Sorted and apart from each other.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl One {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => *literal == c,
            Self::Class { negated, ranges } => {
                let before = ranges.partition_point(|(first, _)| *first <= c);
                let within = before.checked_sub(1).and_then(|last| ranges.get(last));
                within.is_some_and(|(_, last)| c <= *last) != *negated
            }
        }
    }
}

/// The parts of one segment of a pattern; `None` if it needs more than `most` characters.
fn parts(pattern: &str, most: usize) -> Option<Vec<Part>> {
    let pattern: Vec<char> = pattern.chars().collect();
    // A bracket behind it has no end, and stands for itself.
    let last_end = pattern.iter().rposition(|c| *c == ']').unwrap_or(0);
    let (mut parts, mut needed, mut at) = (Vec::new(), 0, 0);
    while let Some(&c) = pattern.get(at) {
        at += 1;
        if c == '*' {
            if !matches!(parts.last(), Some(Part::Star)) {
                parts.push(Part::Star);
            }
            continue;
        }
        needed += 1;
        if needed > most {
            return None;
        }
        let class =
            if c == '[' && at <= last_end { class(pattern.get(at..).unwrap_or_default()) } else { None };
        parts.push(Part::One(match (c, class) {
            (_, Some((class, width))) => {
                at += width;
                class
            }
            ('?', None) => One::Any,
            (literal, None) => One::Literal(literal),
        }));
    }
    Some(parts)
}

/// The class after an opening bracket, and its characters with the closing one. `None`: no closing bracket.
fn class(rest: &[char]) -> Option<(One, usize)> {
    let negated = rest.first() == Some(&'!');
    let members = if negated { rest.get(1..)? } else { rest };
    // A bracket that comes first is a member.
    let end = members.iter().skip(1).position(|&member| member == ']')?.checked_add(1)?;
    let mut ranges = Vec::new();
    let mut left = members.get(..end)?;
    while let Some((&first, more)) = left.split_first() {
        match more {
            ['-', last, after @ ..] => {
                ranges.push((first, *last));
                left = after;
            }
            _ => {
                ranges.push((first, first));
                left = more;
            }
        }
    }
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let overlap = next.0 <= before.1;
        if overlap {
            before.1 = before.1.max(next.1);
        }
        overlap
    });
    Some((One::Class { negated, ranges }, usize::from(negated) + end + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_stay_within_a_segment() {
        for (pattern, path, expected) in [
            ("emergency/*.json", "emergency/fix.json", true),
            ("emergency/*.json", "routine/fix.json", false),
            ("emergency/*.json", "emergency/a/fix.json", false),
            ("*", "emergency/fix.json", false),
            ("*/*", "emergency/fix.json", true),
            ("gates.json", "gates.json", true),
            ("gates.json", "Gates.json", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a[bx-z]c", "ayc", true),
            ("a[!bx-z]c", "ayc", false),
            ("a[!bx-z]c", "aac", true),
            ("a[]]c", "a]c", true),
            ("a[c", "a[c", true),
            ("a[!", "a[!", true),
            ("a[]", "a[]", true),
            ("[a-cb-e]", "d", true),
            ("[c-a]", "b", false),
            ("[!c-a]", "b", true),
            ("[a-]", "-", true),
            ("[]-a]", "^", true),
            ("[[]x", "[x", true),
            ("*a*b", "xaxbxb", true),
            ("*a*b", "xaxbxc", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} against {path}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
        let long = 1 << 20;
        for pattern in ["[", "*[", "[!", "*", "?", "[a-", "[ab]", "*a*b"] {
            let _ = matches(&format!("*{}", pattern.repeat(long)), &"[a".repeat(100));
            let _ = matches(&format!("*[{}]x", pattern.repeat(long)), &"[a".repeat(100));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_patterns_never_panic(pattern in "[\\[\\]!a-c*?/-]{0,12}", path in "[a-c\\]/]{0,12}") {
            let _ = matches(&pattern, &path);
        }

        #[test]
        fn a_plain_path_matches_itself(path in "[a-z0-9/.]{0,20}") {
            prop_assert!(matches(&path, &path));
        }
    }
}
