//! Reading a table key by key, collecting problems instead of stopping at the first.

use std::io;
use std::ops::Range;
use std::str::FromStr;

use jiff::Timestamp;
use toml_edit::{Item, Table, TableLike, Value};

use super::problem::{Problem, SourceErrors};
use crate::instant;
use crate::nearest::{listed, nearest};
use crate::quoted::quoted;
use crate::recipe::problem_kind::SourceProblemKind as Kind;
use crate::sampling::BasisPoints;
use crate::targeting::Doubt;
use crate::text::{several_lines, whole_line};
use crate::version::{VersionRange, Whose};

mod plan;
mod words;

/// Where a place in the file is: byte offsets.
type Span = Option<Range<usize>>;

/// Gives the content of a file beside a recipe by its bare name, or says why it cannot.
pub(in crate::recipe) type Files<'a> = dyn FnMut(&str) -> io::Result<Vec<u8>> + 'a;

/// Whether a key may be left out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::recipe) enum Need {
    Required,
    Optional,
}

/// The file being read, and what was wrong so far.
pub(in crate::recipe) struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// Where each line of the file ends: a file of mistakes has as many problems as lines.
    line_ends: Vec<usize>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(in crate::recipe) fn new(file: &'a str, text: &'a str) -> Self {
        let line_ends = text.match_indices('\n').map(|(end, _)| end).collect();
        Self { file, text, line_ends, problems: Vec::new() }
    }

    pub(in crate::recipe) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(in crate::recipe) fn problem(
        &mut self,
        at: Span,
        key: &str,
        kind: Kind,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let start = at.map_or(0, |span| span.start);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: 1 + self.line_ends.partition_point(|end| *end < start),
            key: key.to_owned(),
            kind,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    pub(in crate::recipe) fn into_errors(self) -> SourceErrors {
        SourceErrors { problems: self.into_problems() }
    }

    /// The problems, in the order of their lines.
    pub(in crate::recipe) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }
}

/// One table: every key that is asked for is known, the others are problems.
pub(in crate::recipe) struct Section<'a> {
    /// Its name and a dot, or nothing for the whole file.
    prefix: String,
    table: &'a dyn TableLike,
    /// Where problems are shown that no key stands for.
    span: Span,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(in crate::recipe) fn root(table: &'a Table) -> Self {
        Self { prefix: String::new(), table, span: None, known: Vec::new() }
    }

    /// The table at `key`; `None` where it is missing or no table.
    pub(in crate::recipe) fn section(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
    ) -> Option<Section<'a>> {
        let item = self.item(reader, key, need, &format!("add a table [{key}]"))?;
        let Some(table) = item.as_table_like() else {
            self.problem(
                reader,
                key,
                Kind::WrongType,
                &format!("is {}, not a table", kind(item)),
                &format!("write [{key}] and its keys below"),
            );
            return None;
        };
        Some(Section {
            prefix: format!("{}{key}.", self.prefix),
            table,
            span: self.key_span(key),
            known: Vec::new(),
        })
    }

    /// Reports every key that nobody asked for.
    pub(in crate::recipe) fn finish(&self, reader: &mut Reader<'_>) {
        for (key, _) in self.table.iter() {
            if self.known.contains(&key) {
                continue;
            }
            let unused: Vec<_> = self.known.iter().copied().filter(|k| !self.table.contains_key(k)).collect();
            let remedy = match nearest(key, &unused) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known here: {}", listed(&self.known)),
            };
            let shown: String = key.chars().filter(|c| !c.is_control()).take(64).collect();
            reader.problem(
                self.key_span(key),
                &format!("{}{shown}", self.prefix),
                Kind::UnknownKey,
                "the key is not known",
                remedy,
            );
        }
    }

    /// A problem with the value at `key`.
    pub(in crate::recipe) fn problem(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        kind: Kind,
        what: &str,
        remedy: &str,
    ) {
        let span = self.key_span(key).or_else(|| self.span.clone());
        reader.problem(span, &format!("{}{key}", self.prefix), kind, what, remedy);
    }

    /// A word in a list that is probably not meant, at its own line.
    pub(in crate::recipe) fn doubt(&self, reader: &mut Reader<'_>, doubt: &Doubt) {
        let words = self.table.get(doubt.field).and_then(Item::as_array);
        let span = words.into_iter().flatten().find(|word| word.as_str() == Some(&doubt.word));
        let span = span.and_then(Value::span).or_else(|| self.key_span(doubt.field));
        let key = format!("{}{}", self.prefix, doubt.field);
        reader.problem(span, &key, Kind::DoubtfulWord, doubt.what.as_str(), doubt.remedy.as_str());
    }

    pub(in crate::recipe) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(in crate::recipe) fn integer(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
    ) -> Option<u64> {
        let remedy = "write a whole number of 1 or more";
        let item = self.item(reader, key, need, remedy)?;
        let number = item.as_integer().and_then(|n| u64::try_from(n).ok());
        if number.is_none() {
            let wrong = if item.as_integer().is_some() { Kind::BadValue } else { Kind::WrongType };
            self.problem(
                reader,
                key,
                wrong,
                &format!("is {}, not a whole number of 0 or more", kind(item)),
                remedy,
            );
        }
        number
    }

    pub(in crate::recipe) fn text(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
    ) -> Option<&'a str> {
        let remedy = format!("write {key} = \"…\"");
        let item = self.item(reader, key, need, &remedy)?;
        let text = item.as_str();
        if text.is_none() {
            self.problem(reader, key, Kind::WrongType, &format!("is {}, not text", kind(item)), &remedy);
        }
        text
    }

    /// A text that `T` reads.
    pub(in crate::recipe) fn parsed<T: FromStr<Err: ToString>>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        remedy: &str,
    ) -> Option<T> {
        let text = self.text(reader, key, Need::Required)?;
        text.parse()
            .map_err(|e: T::Err| self.problem(reader, key, Kind::BadValue, &e.to_string(), remedy))
            .ok()
    }

    /// A line of text.
    pub(in crate::recipe) fn word(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
        most: usize,
    ) -> Option<String> {
        let text = self.text(reader, key, need)?;
        let why = match whole_line(text, most) {
            Ok(_) => return Some(text.to_owned()),
            Err(why) => why,
        };
        let remedy = format!("write one line of 1 to {most} bytes");
        self.problem(reader, key, Kind::BadValue, &why.to_string(), &remedy);
        None
    }

    /// An optional text of several lines.
    pub(in crate::recipe) fn comment(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        most: usize,
    ) -> Option<String> {
        let text = self.text(reader, key, Need::Optional)?;
        if let Some(why) = several_lines(text, most).err() {
            let remedy = format!("write text of at most {most} bytes");
            self.problem(reader, key, Kind::BadValue, &why.to_string(), &remedy);
        }
        Some(text.to_owned())
    }

    /// An optional range of versions.
    pub(in crate::recipe) fn range(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        whose: Whose,
    ) -> Option<VersionRange> {
        let text = self.text(reader, key, Need::Optional)?;
        let remedy = "write bounds with commas between, such as \">=60, <67\"; \"67.*\" means every 67";
        VersionRange::written(text, whose)
            .map_err(|e| self.problem(reader, key, Kind::BadValue, &e.to_string(), remedy))
            .ok()
    }

    /// A time with an offset, as TOML has it or as text.
    pub(in crate::recipe) fn time(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
    ) -> Option<Timestamp> {
        let remedy = "write a date and time with an offset, such as 2019-05-05T00:00:00Z";
        let item = self.item(reader, key, need, remedy)?;
        let text = match item.as_value() {
            Some(Value::Datetime(time)) => time.value().to_string(),
            Some(Value::String(text)) => text.value().clone(),
            _ => {
                self.problem(reader, key, Kind::WrongType, &format!("is {}, not a time", kind(item)), remedy);
                return None;
            }
        };
        instant::read(&text)
            .map_err(|why| {
                self.problem(reader, key, Kind::BadValue, &format!("{why}: {}", quoted(&text)), remedy);
            })
            .ok()
    }

    /// A percentage.
    pub(in crate::recipe) fn percent(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
    ) -> Option<BasisPoints> {
        let remedy = "write a number from 0 to 100 with at most two decimals, such as 25 or 12.5";
        let item = self.item(reader, key, need, remedy)?;
        let number = item.as_integer().is_some() || item.as_float().is_some();
        // As it stands in the file: 0.07 has no exact binary form.
        let text = item.span().and_then(|span| reader.text.get(span)).unwrap_or_default();
        let percent = text.trim().parse().ok().filter(|_| number && !text.contains('%'));
        if percent.is_none() {
            let found = if number { format!("{text:.40} is") } else { format!("is {},", kind(item)) };
            let wrong = if number { Kind::BadValue } else { Kind::WrongType };
            self.problem(reader, key, wrong, &format!("{found} not a percentage"), remedy);
        }
        percent
    }

    fn item(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        need: Need,
        remedy: &str,
    ) -> Option<&'a Item> {
        self.known.push(key);
        let item = self.table.get(key);
        if item.is_none() && need == Need::Required {
            let name = format!("{}{key}", self.prefix);
            reader.problem(self.span.clone(), &name, Kind::MissingKey, "is missing", remedy);
        }
        item
    }

    fn key_span(&self, key: &str) -> Span {
        self.table
            .key(key)
            .and_then(toml_edit::Key::span)
            .or_else(|| self.table.get(key).and_then(Item::span))
    }
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::None => "nothing",
        Item::Value(value) => value_kind(value),
        Item::Table(_) => "a table",
        Item::ArrayOfTables(_) => "a list of tables",
    }
}

fn value_kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a time",
        Value::Array(_) => "a list",
        Value::InlineTable(_) => "a table",
    }
}
