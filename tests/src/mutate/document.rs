//! JSON as text in a tree: what a parser of values could not hold (a member twice, an escape that need not be, a number of
//! any length) stands here as it will stand in the file.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde_json::Value;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Its text.
    Scalar(String),
    Array(Vec<Node>),
    /// The text of each key, quotes included, and the value.
    Object(Vec<(String, Node)>),
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    Compact,
    /// White space wherever it may stand.
    Loose,
}

impl Node {
    /// The document in these bytes, if they are JSON.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(|value: Value| Self::of(&value))
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::Array(items.iter().map(Self::of).collect()),
            Value::Object(members) => Self::Object(
                members
                    .iter()
                    .map(|(key, value)| (Value::from(key.as_str()).to_string(), Self::of(value)))
                    .collect(),
            ),
            scalar => Self::Scalar(scalar.to_string()),
        }
    }

    /// The bytes.
    pub(super) fn write(&self, layout: Layout, random: &mut StdRng) -> Vec<u8> {
        let mut out = String::new();
        self.append(layout, random, &mut out);
        out.into_bytes()
    }

    fn append(&self, layout: Layout, random: &mut StdRng, out: &mut String) {
        let mut gap = |out: &mut String| {
            if layout == Layout::Loose {
                let width = random.random_range(0..3);
                (0..width).for_each(|_| out.push([' ', '\t', '\n', '\r'][random.random_range(0..4)]));
            }
        };
        gap(out);
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.append(layout, random, out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    out.push_str(key);
                    out.push(':');
                    value.append(layout, random, out);
                }
                out.push('}');
            }
        }
    }

    /// How many values there are, this one included.
    pub(super) fn size(&self) -> usize {
        1 + match self {
            Self::Scalar(_) => 0,
            Self::Array(items) => items.iter().map(Self::size).sum(),
            Self::Object(members) => members.iter().map(|(_, value)| value.size()).sum(),
        }
    }

    /// One of the values, each as likely as the others.
    pub(super) fn any(&mut self, random: &mut impl Rng) -> &mut Self {
        let mut left = random.random_range(0..self.size());
        self.nth(&mut left)
    }

    fn nth(&mut self, left: &mut usize) -> &mut Self {
        if *left == 0 || matches!(self, Self::Scalar(_)) {
            return self;
        }
        *left -= 1;
        let children: Vec<&mut Self> = match self {
            Self::Scalar(_) => Vec::new(),
            Self::Array(items) => items.iter_mut().collect(),
            Self::Object(members) => members.iter_mut().map(|(_, value)| value).collect(),
        };
        let mut found = None;
        for child in children {
            let size = child.size();
            if *left < size {
                found = Some(child);
                break;
            }
            *left -= size;
        }
        // `left` was below the size of all of them together.
        match found {
            Some(child) => child.nth(left),
            None => unreachable!("a value beyond the last"),
        }
    }

    /// The value of the member of this name.
    pub(super) fn member(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(members) => {
                members.iter_mut().find(|(key, _)| key.trim_matches('"') == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}
