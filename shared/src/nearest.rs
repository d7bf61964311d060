//! The known word nearest to one that is not known.

/// The one of `known` that `word` was probably meant to be; `None` if none is near.
///
/// For words of which only the known ones are right, such as keys: a third of the letters may be wrong.
#[must_use]
pub fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A third of the letters may be wrong, at least two: beyond that a suggestion is a guess.
    let (distance, found) = known.iter().map(|k| (distance(word, k), *k)).min()?;
    (distance <= (word.chars().count() / 3).max(2)).then_some(found)
}

/// The one of `known` that `word` is but for case, blanks, hyphens, or one letter that is missing, added, wrong or swapped with
/// the next; `None` where it is one of them, or none is so near.
///
/// For words that need not be known to be right: a guess further off would warn of good ones.
#[must_use]
pub fn slip<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    if known.contains(&word) {
        return None;
    }
    let folded = fold(word);
    let found = |near: fn(&[char], &[char]) -> bool| known.iter().find(|k| near(&folded, &fold(k)));
    found(|a, b| a == b).or_else(|| found(one_letter_apart)).copied()
}

/// The letters and digits of a word, small, cut to a bounded length.
fn fold(word: &str) -> Vec<char> {
    word.chars().take(80).filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn one_letter_apart(a: &[char], b: &[char]) -> bool {
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(start..).unwrap_or_default(), b.get(start..).unwrap_or_default());
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let middle = |word: &[char]| word.get(..word.len() - end).unwrap_or_default().to_vec();
    match (middle(a).as_slice(), middle(b).as_slice()) {
        ([_], []) | ([], [_]) | ([_], [_]) => true,
        ([x, y], [z, w]) => x == w && y == z,
        _ => false,
    }
}

/// `known` as text: `"a", "b" or "c"`.
#[must_use]
pub fn listed(known: &[&str]) -> String {
    let quoted: Vec<_> = known.iter().map(|k| format!("{k:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The least number of letters to insert, delete or replace (Levenshtein), of words cut to a bounded length.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(80).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(80).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (*cell + 1).min(left + 1).min(diagonal + usize::from(x != *y));
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, d) in
            [("", "", 0), ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_a_case_a_blank_or_a_letter() {
        let known = ["release", "beta", "esr", "x86_64", "windows"];
        for (word, meant) in [
            ("relase", "release"),
            ("releaase", "release"),
            ("reelase", "release"),
            ("RELEASE", "release"),
            ("esr ", "esr"),
            ("x86-64", "x86_64"),
            ("windwos", "windows"),
            ("bete", "beta"),
        ] {
            assert_eq!(slip(word, &known), Some(meant), "{word}");
        }
        for word in ["release", "stable", "nightly", "windowsce", "", "reales"] {
            assert_eq!(slip(word, &known), None, "{word}");
        }
    }

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["channels", "versions", "os"];
        assert_eq!(nearest("chanels", &known), Some("channels"));
        assert_eq!(nearest("version", &known), Some("versions"));
        assert_eq!(nearest("colour-of-the-sky", &known), None);
        assert_eq!(listed(&known), r#""channels", "versions" or "os""#);
    }
}
