//! What only a rollout plan has: a list of tables, and lengths of time.

use jiff::SignedDuration;
use toml_edit::{Item, TableLike, Value};

use super::{Kind, Need, Reader, Section, Span};
use crate::quoted::quoted;

impl<'a> Section<'a> {
    /// An optional list of tables; where it is there, it has at least one, and at most `most`.
    pub(in crate::recipe::source) fn tables(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        most: usize,
    ) -> Option<Vec<Section<'a>>> {
        let Some(item) = self.item(reader, key, Need::Optional, "") else { return Some(Vec::new()) };
        let entries: Vec<(Option<&'a dyn TableLike>, Span)> = match item {
            Item::ArrayOfTables(tables) => {
                tables.iter().map(|table| (Some(table as &dyn TableLike), table.span())).collect()
            }
            Item::Value(Value::Array(array)) => array
                .iter()
                .map(|value| (value.as_inline_table().map(|table| table as &dyn TableLike), value.span()))
                .collect(),
            _ => vec![(None, None)],
        };
        if entries.is_empty() {
            self.problem(
                reader,
                key,
                Kind::EmptyList,
                "the list is empty",
                "leave the key out, or list at least one",
            );
            return None;
        }
        if entries.len() > most {
            let what = format!("the list has {} entries, more than {most}", entries.len());
            self.problem(reader, key, Kind::TooLarge, &what, "list fewer");
            return None;
        }
        let mut sections = Vec::new();
        for (table, span) in entries {
            let Some(table) = table else {
                let remedy = format!("write {key} = [{{ … }}, {{ … }}]");
                self.problem(reader, key, Kind::WrongType, "is not a list of tables", &remedy);
                return None;
            };
            let prefix = format!("{}{key}.", self.prefix);
            let span = span.or_else(|| self.key_span(key));
            sections.push(Section { prefix, table, span, known: Vec::new() });
        }
        Some(sections)
    }

    /// An optional duration, such as `15m`; absent means none.
    pub(in crate::recipe::source) fn duration(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
    ) -> Option<SignedDuration> {
        let Some(text) = self.text(reader, key, Need::Optional) else {
            return (!self.has(key)).then_some(SignedDuration::ZERO);
        };
        let duration = text.parse::<SignedDuration>().ok();
        if duration.is_none() {
            let remedy = "write it such as \"15m\" or \"2h 30m\"";
            self.problem(
                reader,
                key,
                Kind::BadValue,
                &format!("{} is not a length of time", quoted(text)),
                remedy,
            );
        }
        duration
    }
}
