//! Strict, bounded JSON and its canonical form.
//!
//! What is signed must be read in exactly one way. [`parse`] therefore refuses what parsers disagree about: a key that
//! appears twice, data after the document, numbers that are not integers of 64 bits, text that is not UTF-8. [`canonical`]
//! gives the bytes that signatures cover: OLPC canonical JSON as the reference implementation of TUF writes it
//! (<http://wiki.laptop.org/go/Canonical_JSON>, without Unicode normalisation). [`parse_canonical`] reads those bytes back.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::answer::plain;
use crate::limits::JsonLimits;

/// Why bytes are not acceptable JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The document is longer than the limit.
    #[error("the document has {found} bytes, more than the {limit} allowed; ask its maker for a smaller one")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes are not UTF-8.
    #[error("byte {at} is not UTF-8; the file is damaged or not JSON")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// Arrays and objects are nested too deeply.
    #[error("nested more than {limit} levels deep; no document of ours is")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// There are too many values.
    #[error("more than {limit} values; no document of ours has as many")]
    TooManyValues {
        /// Values allowed.
        limit: usize,
    },
    /// One key appears twice in one object.
    #[error("the key {key:?} appears twice in one object; readers would disagree about its value")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A number is not an integer between -2^63 and 2^64-1.
    #[error("a number is not an integer of 64 bits; signed documents hold only such integers")]
    NotAnInteger,
    /// A page for people.
    #[error(
        "this is HTML or XML, not JSON: the page of a login, a proxy or another server that answered in the place of the right one"
    )]
    Markup,
    /// Not JSON at all, or data after its end.
    #[error("not valid JSON: {detail}")]
    Syntax {
        /// The parser's words, with line and column.
        detail: String,
    },
    /// Valid JSON of another shape than expected.
    #[error("not the expected document: {detail}")]
    Shape {
        /// What was expected and found.
        detail: String,
    },
}

/// Parses one whole document, refusing everything that two readers could read differently.
///
/// # Errors
/// See [`JsonError`]; `Shape` is never returned.
pub fn parse(bytes: &[u8], limits: &JsonLimits) -> Result<Value, JsonError> {
    if bytes.len() > limits.bytes {
        return Err(JsonError::TooLarge { found: bytes.len(), limit: limits.bytes });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 { at: error.valid_up_to() })?;
    let (fault, values_left) = (RefCell::new(None), Cell::new(limits.values));
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { levels_left: limits.depth, limits, values_left: &values_left, fault: &fault }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
            return JsonError::Markup;
        }
        fault.into_inner().unwrap_or_else(|| JsonError::Syntax { detail: plain(&error.to_string()) })
    })
}

/// Parses strictly, then reads the value as a `T`.
///
/// # Errors
/// See [`JsonError`]; `Shape` when the document is valid JSON but not a `T`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: &JsonLimits) -> Result<T, JsonError> {
    from_value(parse(bytes, limits)?)
}

/// Reads a value as a `T`.
///
/// # Errors
/// [`JsonError::Shape`].
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, JsonError> {
    serde_json::from_value(value).map_err(|error| JsonError::Shape { detail: plain(&error.to_string()) })
}

/// The canonical bytes of a value: keys sorted by code point, no white space, in strings only `"` and `\` escaped.
///
/// Control characters therefore stand raw in strings, so that the result is not always JSON: read it back with
/// [`parse_canonical`]. Values come from [`parse`] or from our own builders and hold no floats.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

/// Reads canonical bytes, as strictly as [`parse`] reads JSON.
///
/// # Errors
/// See [`JsonError`].
pub fn parse_canonical(bytes: &[u8], limits: &JsonLimits) -> Result<Value, JsonError> {
    // Canonical form has no white space between tokens, so a control character can only stand inside a string.
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte < 0x20 {
            text.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            text.push(byte);
        }
    }
    // The escapes above must not make an acceptable document too large.
    let roomy = JsonLimits { bytes: limits.bytes.saturating_mul(6), ..limits.clone() };
    parse(&text, &roomy)
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            // Order of UTF-8 bytes is order of code points.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_bytes());
            out.push(b'{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write_canonical(item, out);
            }
            out.push(b'}');
        }
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Builds a [`Value`] while checking what `serde_json` alone lets pass. The typed fault goes out through `fault`,
/// because the parser's own error carries only text.
struct Strict<'a> {
    levels_left: usize,
    limits: &'a JsonLimits,
    values_left: &'a Cell<usize>,
    fault: &'a RefCell<Option<JsonError>>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(&self, error: JsonError) -> E {
        let text = error.to_string();
        self.fault.replace(Some(error));
        E::custom(text)
    }

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left, ..*self }),
            None => Err(self.refuse(JsonError::TooDeep { limit: self.limits.depth })),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(left) = self.values_left.get().checked_sub(1) else {
            return Err(self.refuse(JsonError::TooManyValues { limit: self.limits.values }));
        };
        self.values_left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(self.refuse(JsonError::NotAnInteger))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self.inner()?)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(self.refuse(JsonError::DuplicateKey { key }));
            }
            let value = access.next_value_seed(self.inner()?)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn limits() -> JsonLimits {
        JsonLimits::default()
    }

    #[test]
    fn what_readers_could_read_differently_is_refused() {
        for (text, expected) in [
            (r#"{"a":1,"b":{"c":1,"c":2}}"#, JsonError::DuplicateKey { key: "c".into() }),
            (r#"{"a":1,"\u0061":2}"#, JsonError::DuplicateKey { key: "a".into() }),
            ("[1.0]", JsonError::NotAnInteger),
            ("[1e2]", JsonError::NotAnInteger),
            ("[18446744073709551616]", JsonError::NotAnInteger),
        ] {
            assert_eq!(parse(text.as_bytes(), &limits()), Err(expected), "{text}");
        }
        for text in [r#"{"a":1} {"#, "[1],", "", "{", "[1,]", "nul", "\"\\ud800\"", "\"\n\"", "{'a':1}"] {
            assert!(matches!(parse(text.as_bytes(), &limits()), Err(JsonError::Syntax { .. })), "{text:?}");
        }
        for page in
            ["<!doctype html><html>", "\u{feff}\r\n <html>Log in</html>", "<?xml version=\"1.0\"?><Error/>"]
        {
            let error = parse(page.as_bytes(), &limits()).unwrap_err();
            assert_eq!(error, JsonError::Markup, "{page}");
            assert!(error.to_string().contains("HTML or XML, not JSON"), "{error}");
        }
        assert_eq!(parse(b"\"a\xff\"", &limits()), Err(JsonError::NotUtf8 { at: 2 }));
        assert_eq!(parse(b"18446744073709551615", &limits()), Ok(json!(u64::MAX)));
        assert_eq!(parse(b"-9223372036854775808", &limits()), Ok(json!(i64::MIN)));
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let small = JsonLimits { depth: 4, bytes: 64, values: 8 };
        assert!(parse(nested(4).as_bytes(), &small).is_ok());
        let deep = parse(b"[[[[[1]]]]]", &small);
        assert_eq!(deep, Err(JsonError::TooDeep { limit: 4 }));
        assert_eq!(parse(&[b' '; 65], &small), Err(JsonError::TooLarge { found: 65, limit: 64 }));
        assert!(parse(b"[1,2,3,4,5,6,7]", &small).is_ok());
        assert!(parse(b"[1,2,3,4,5,{\"a\":6}]", &small).is_ok());
        assert_eq!(parse(b"[1,2,3,4,5,6,7,8]", &small), Err(JsonError::TooManyValues { limit: 8 }));
        assert!(parse(nested(100_000).as_bytes(), &limits()).is_err());
    }

    #[test]
    fn canonical_form_escapes_only_quote_and_backslash_and_normalises_nothing() {
        let value = json!({"b": [true, false, null, -1, u64::MAX], "a": "q\"b\\s/\n\u{7f}", "é": 1, "e\u{301}": 2, "𝄞": 3, "\u{ffff}": 4});
        let expected = "{\"a\":\"q\\\"b\\\\s/\n\u{7f}\",\"b\":[true,false,null,-1,18446744073709551615],\"e\u{301}\":2,\"é\":1,\"\u{ffff}\":4,\"𝄞\":3}";
        assert_eq!(String::from_utf8(canonical(&value)).unwrap(), expected);
        assert_eq!(parse_canonical(expected.as_bytes(), &limits()), Ok(value));
    }

    #[test]
    fn decode_names_what_was_expected() {
        let error = decode::<Vec<u64>>(br#"["a"]"#, &limits()).unwrap_err();
        assert!(matches!(error, JsonError::Shape { .. }), "{error}");
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_bytes_read_back_as_the_same_value(value in any_value()) {
            let bytes = canonical(&value);
            let back = parse_canonical(&bytes, &limits()).unwrap();
            prop_assert_eq!(&canonical(&back), &bytes);
            prop_assert_eq!(back, value);
        }

        #[test]
        fn ordinary_json_reads_as_the_same_value(value in any_value()) {
            let text = serde_json::to_vec_pretty(&value).unwrap();
            prop_assert_eq!(parse(&text, &limits()).unwrap(), value);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &limits());
            let _ = parse_canonical(&bytes, &limits());
        }
    }
}
