//! An object's fields, taken one by one; what is left over is unknown.

use crate::quoted::quoted;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// What is wrong with a field, in words.
pub(super) type Wrong = String;

/// The fields of one object.
pub(super) struct Fields {
    map: Map<String, Value>,
    /// What comes before a field's name in sentences: nothing, or `targeting.`.
    prefix: &'static str,
}

impl Fields {
    /// Those of `value`, which stands at `name`.
    pub(super) fn of(value: Value, name: &str, prefix: &'static str) -> Result<Self, Wrong> {
        match value {
            Value::Object(map) => Ok(Self { map, prefix }),
            _ => Err(format!("{name} is not an object")),
        }
    }

    pub(super) fn optional(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key)
    }

    pub(super) fn required(&mut self, key: &str) -> Result<Value, Wrong> {
        self.optional(key).ok_or_else(|| format!("{} is missing", self.name(key)))
    }

    pub(super) fn object(&mut self, key: &str, prefix: &'static str) -> Result<Self, Wrong> {
        let value = self.required(key)?;
        Self::of(value, &self.name(key), prefix)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<String, Wrong> {
        let value = self.required(key)?;
        self.to_text(key, value)
    }

    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<String>, Wrong> {
        self.optional(key).map(|value| self.to_text(key, value)).transpose()
    }

    pub(super) fn integer(&mut self, key: &str) -> Result<u64, Wrong> {
        let value = self.required(key)?;
        value.as_u64().ok_or_else(|| format!("{} is not an integer of 0 or more", self.name(key)))
    }

    /// A text that `T` reads.
    pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &str,
    ) -> Result<T, Wrong> {
        let text = self.text(key)?;
        text.parse().map_err(|e| format!("{}: {e}", self.name(key)))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, Wrong> {
        let value = self.required(key)?;
        let Value::Array(values) = value else { return Err(format!("{} is not a list", self.name(key))) };
        values.into_iter().map(|value| self.to_text(key, value)).collect()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The field's name with what it stands in.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The name of a field that nobody took.
    pub(super) fn left_over(&self) -> Option<String> {
        self.map.keys().next().map(|key| self.name(&key.chars().take(64).collect::<String>()))
    }

    fn to_text(&self, key: &str, value: Value) -> Result<String, Wrong> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(format!("{} is not text", self.name(key))),
        }
    }
}

/// A time as [`write`](super::write) gives it: UTC, with `T` and `Z`, and no other form of the same instant.
pub(super) fn time(text: &str) -> Result<Timestamp, Wrong> {
    let wrong = || format!("{} is not a time such as \"2019-05-05T00:00:00Z\"", quoted(text));
    let time: Timestamp = text.parse().map_err(|_| wrong())?;
    if time.to_string() == text { Ok(time) } else { Err(wrong()) }
}

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of [`base64`].
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, Wrong> {
    STANDARD.decode(text).map_err(|e| format!("not Base64: {e}"))
}
