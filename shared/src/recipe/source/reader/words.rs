//! Words, alone and in lists, of a closed list or free.

use super::{Kind, Need, Reader, Section, kind, value_kind};
use crate::limits::RecipeLimits;
use crate::nearest::{listed, nearest};
use crate::quoted::quoted;
use crate::text::whole_line;

impl Section<'_> {
    /// One of a closed list.
    pub(in crate::recipe) fn choice<T: Copy>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        let item = self.item(reader, key, need, &format!("write one of {}", listed(&names)))?;
        let text = item.as_str();
        let found = choices.iter().find(|(name, _)| Some(*name) == text).map(|(_, value)| *value);
        if found.is_none() {
            let what = text.map_or_else(
                || format!("is {}, not text", kind(item)),
                |t| format!("{} is not known", quoted(t)),
            );
            let wrong = if text.is_some() { Kind::UnknownValue } else { Kind::WrongType };
            self.problem(reader, key, wrong, &what, &suggestion(text.unwrap_or_default(), &names));
        }
        found
    }

    /// An optional list of words from a closed list; absent means none.
    pub(in crate::recipe) fn choices(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        choices: &[&str],
        limits: &RecipeLimits,
    ) -> Vec<String> {
        let words = self.words(reader, key, limits).unwrap_or_default();
        for word in &words {
            if !choices.contains(&word.as_str()) {
                self.problem(
                    reader,
                    key,
                    Kind::UnknownValue,
                    &format!("{word:?} is not known"),
                    &suggestion(word, choices),
                );
            }
        }
        words
    }

    /// An optional list of words; where it is there, it has at least one.
    pub(in crate::recipe) fn words(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        limits: &RecipeLimits,
    ) -> Option<Vec<String>> {
        let item = self.item(reader, key, Need::Optional, "")?;
        let Some(array) = item.as_array() else {
            let remedy = format!("write {key} = [\"…\"]");
            self.problem(reader, key, Kind::WrongType, &format!("is {}, not a list", kind(item)), &remedy);
            return None;
        };
        if array.is_empty() {
            let remedy = "leave the key out to mean any, or list at least one";
            self.problem(reader, key, Kind::EmptyList, "the list is empty", remedy);
        }
        if array.len() > limits.list {
            let what = format!("the list has {} entries, more than {}", array.len(), limits.list);
            self.problem(reader, key, Kind::TooLarge, &what, "target by something broader");
            return None;
        }
        let mut words: Vec<String> = Vec::new();
        for value in array {
            let at = value.span().or_else(|| self.key_span(key));
            let name = format!("{}{key}", self.prefix);
            match value.as_str() {
                Some(word) if words.iter().any(|w| w == word) => {
                    reader.problem(
                        at,
                        &name,
                        Kind::Twice,
                        format!("{word:?} appears twice"),
                        "leave one out",
                    );
                }
                Some(word) => match whole_line(word, limits.word) {
                    Ok(_) => words.push(word.to_owned()),
                    Err(why) => {
                        let what = format!("of an entry: {why}");
                        let remedy = format!("write 1 to {} bytes of text", limits.word);
                        reader.problem(at, &name, Kind::BadValue, what, remedy);
                    }
                },
                None => {
                    let what = format!("an entry is {}, not text", value_kind(value));
                    reader.problem(at, &name, Kind::WrongType, what, "put it in quotation marks");
                }
            }
        }
        Some(words)
    }
}

fn suggestion(word: &str, names: &[&str]) -> String {
    match nearest(word, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("write {}", listed(names)),
    }
}
