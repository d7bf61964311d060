//! The known word nearest to one that is not known.

/// The one of `known` that `word` was probably meant to be; `None` if none is near.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    // A third of the letters may be wrong, at least two: beyond that a suggestion is a guess.
    let (distance, found) = known.iter().map(|k| (distance(word, k), *k)).min()?;
    (distance <= (word.chars().count() / 3).max(2)).then_some(found)
}

/// `known` as text: `"a", "b" or "c"`.
pub(super) fn listed(known: &[&str]) -> String {
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
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["channels", "versions", "os"];
        assert_eq!(nearest("chanels", &known), Some("channels"));
        assert_eq!(nearest("version", &known), Some("versions"));
        assert_eq!(nearest("colour-of-the-sky", &known), None);
        assert_eq!(listed(&known), r#""channels", "versions" or "os""#);
    }
}
