//! Path patterns of delegations (specification 4.5): shell wildcards that never cross a `/`.

/// Whether `pattern` matches the whole of `path`. `*`, `?` and `[…]` match within one segment.
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

/// Remembers only the last star, so that the cost is at most the product of both lengths.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = segment.chars().collect();
    let (mut p, mut t) = (0_usize, 0_usize);
    let mut star: Option<(usize, usize)> = None;
    while let Some(&c) = text.get(t) {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        if let Some(width) = one_matches(pattern.get(p..).unwrap_or_default(), c) {
            p += width;
            t += 1;
            continue;
        }
        let Some((star_p, star_t)) = star else { return false };
        star = Some((star_p, star_t + 1));
        p = star_p + 1;
        t = star_t + 1;
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&c| c == '*')
}

/// Matches one character; gives how many characters of the pattern that took.
fn one_matches(pattern: &[char], c: char) -> Option<usize> {
    match pattern.split_first()? {
        ('?', _) => Some(1),
        ('[', rest) => class_matches(rest, c).unwrap_or((c == '[').then_some(1)),
        (&literal, _) => (literal == c).then_some(1),
    }
}

/// `None`: no closing bracket, so the bracket stands for itself.
#[expect(clippy::option_option, reason = "the outer one says whether this is a class at all")]
fn class_matches(rest: &[char], c: char) -> Option<Option<usize>> {
    let negated = rest.first() == Some(&'!');
    let members = if negated { rest.get(1..)? } else { rest };
    // A bracket that comes first is a member.
    let end = members.iter().skip(1).position(|&member| member == ']')?.checked_add(1)?;
    let members = members.get(..end)?;
    let mut found = false;
    let mut left = members;
    while let Some((&first, more)) = left.split_first() {
        if let ['-', last, after @ ..] = more {
            found |= (first..=*last).contains(&c);
            left = after;
        } else {
            found |= first == c;
            left = more;
        }
    }
    let width = 1 + usize::from(negated) + end + 1;
    Some((found != negated).then_some(width))
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
