//! An object's fields, taken one by one; what is left over is unknown. And what can be wrong with one.

use std::fmt;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::names::{NotALane, NotASlug};
use crate::digest::NotADigest;
use crate::quoted::quoted;
use crate::version::NotARange;
use crate::x509::CertificateError;

/// A field of a published recipe that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Its name with what it stands in, such as `rollout.plan.bake`.
    pub field: String,
    /// What is wrong with it.
    pub fault: FieldFault,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldFault {
    /// It is required.
    Missing,
    /// It is no object.
    NotAnObject,
    /// An entry of it is no object.
    EntryNotAnObject,
    /// It is no text.
    NotText,
    /// It is no list.
    NotAList,
    /// It is no integer of 0 or more.
    NotAnInteger,
    /// It is 0, and begins at 1.
    Zero,
    /// It is a list of conditions, and empty.
    NoConditions,
    /// It is a plan, and empty.
    NoSteps,
    /// It has more entries than are read.
    TooManyEntries {
        /// How many it has.
        entries: usize,
        /// How many are allowed.
        most: usize,
    },
    /// It is no word of 1 to `most` bytes that shows.
    NotAWord {
        /// How many bytes are allowed.
        most: usize,
    },
    /// An entry of it is no word of 1 to `most` bytes that shows.
    EntryNotAWord {
        /// How many bytes are allowed.
        most: usize,
    },
    /// It is no text of lines, of at most `most` bytes, that shows.
    NotAComment {
        /// How many bytes are allowed.
        most: usize,
    },
    /// It is no time as [`write`](super::published::write) gives it.
    NotATime(String),
    /// It is no share of everybody, in basis points.
    NotAShare(u64),
    /// It is too many seconds for any plan.
    TooLong(u64),
    /// It is no slug.
    NotASlug(NotASlug),
    /// It is no lane.
    NotALane(NotALane),
    /// It is no range of versions.
    NotARange(NotARange),
    /// It is no SHA-256.
    NotADigest(NotADigest),
    /// It is no Base64.
    NotBase64(DecodeError),
    /// It is no certificate.
    NotACertificate(CertificateError),
    /// It is no distinguished name in DER.
    NotADistinguishedName,
    /// It is no hexadecimal.
    NotHexadecimal,
    /// It is no serial number of 1 to `most` bytes in lower-case digits.
    NotASerial {
        /// How many bytes are allowed.
        most: usize,
    },
    /// It names a capability that is not known here.
    UnknownCapability(String),
    /// It has a value that is not known here.
    UnknownValue(String),
    /// The field itself is not known here.
    Unknown,
    /// It is no argument of this action.
    NotAnArgument {
        /// The action's name.
        action: String,
    },
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, fault: FieldFault) -> Self {
        Self { field: field.into(), fault }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, fault } = self;
        match fault {
            FieldFault::Missing => write!(f, "{field} is missing"),
            FieldFault::NotAnObject => write!(f, "{field} is not an object"),
            FieldFault::EntryNotAnObject => write!(f, "an entry of {field} is not an object"),
            FieldFault::NotText => write!(f, "{field} is not text"),
            FieldFault::NotAList => write!(f, "{field} is not a list"),
            FieldFault::NotAnInteger => write!(f, "{field} is not an integer of 0 or more"),
            FieldFault::Zero => write!(f, "{field} is 0; revisions begin at 1"),
            FieldFault::NoConditions => write!(f, "{field} is an empty list; leave it out to mean any"),
            FieldFault::NoSteps => write!(f, "{field} is an empty list; leave it out to plan nothing"),
            FieldFault::TooManyEntries { entries, most } => {
                write!(f, "{field} has {entries} entries, more than {most}")
            }
            FieldFault::NotAWord { most } => {
                write!(f, "{field} is empty, longer than {most} bytes, or has control characters")
            }
            FieldFault::EntryNotAWord { most } => {
                write!(f, "an entry of {field} is empty, longer than {most} bytes, or has control characters")
            }
            FieldFault::NotAComment { most } => {
                write!(f, "{field} is longer than {most} bytes or has control characters")
            }
            FieldFault::NotATime(text) => {
                write!(f, "{field}: {} is not a time such as \"2019-05-05T00:00:00Z\"", quoted(text))
            }
            FieldFault::NotAShare(points) => {
                write!(f, "{field} is {points}; it is in basis points, 0 to 10000")
            }
            FieldFault::TooLong(seconds) => write!(f, "{field} is {seconds} seconds"),
            FieldFault::NotASlug(why) => write!(f, "{field}: {why}"),
            FieldFault::NotALane(why) => write!(f, "{field}: {why}"),
            FieldFault::NotARange(why) => write!(f, "{field}: {why}"),
            FieldFault::NotADigest(why) => write!(f, "{field}: {why}"),
            FieldFault::NotBase64(why) => write!(f, "{field}: not Base64: {why}"),
            FieldFault::NotACertificate(why) => write!(f, "{field}: {why}"),
            FieldFault::NotADistinguishedName => write!(f, "{field} is not a name in DER"),
            FieldFault::NotHexadecimal => write!(f, "{field} is not hexadecimal"),
            FieldFault::NotASerial { most } => write!(f, "{field} is not 1 to {most} bytes, lower-case"),
            FieldFault::UnknownCapability(name) => write!(f, "the capability {name:?} is not known"),
            FieldFault::UnknownValue(value) => write!(f, "{field} = {} is not known", quoted(value)),
            FieldFault::Unknown => write!(f, "the field {field} is not known"),
            FieldFault::NotAnArgument { action } => write!(f, "{field} is not an argument of {action}"),
        }
    }
}

impl std::error::Error for FieldError {}

/// A text that reads as something, or what it is not.
pub(super) trait Read: std::str::FromStr {
    fn fault(error: Self::Err) -> FieldFault;
}

impl Read for super::Slug {
    fn fault(error: NotASlug) -> FieldFault {
        FieldFault::NotASlug(error)
    }
}

impl Read for super::Lane {
    fn fault(error: NotALane) -> FieldFault {
        FieldFault::NotALane(error)
    }
}

impl Read for crate::digest::Sha256Digest {
    fn fault(error: NotADigest) -> FieldFault {
        FieldFault::NotADigest(error)
    }
}

/// The fields of one object.
pub(super) struct Fields {
    map: Map<String, Value>,
    /// What comes before a field's name in sentences: nothing, or `targeting.`.
    prefix: &'static str,
}

impl Fields {
    /// Those of `value`, which stands at `name`.
    pub(super) fn of(value: Value, name: &str, prefix: &'static str) -> Result<Self, FieldError> {
        match value {
            Value::Object(map) => Ok(Self { map, prefix }),
            _ => Err(FieldError::new(name, FieldFault::NotAnObject)),
        }
    }

    /// Those of `value`, an entry of the list at `list`.
    pub(super) fn of_entry(value: Value, list: &str, prefix: &'static str) -> Result<Self, FieldError> {
        match value {
            Value::Object(map) => Ok(Self { map, prefix }),
            _ => Err(FieldError::new(list, FieldFault::EntryNotAnObject)),
        }
    }

    pub(super) fn required(&mut self, key: &str) -> Result<Value, FieldError> {
        self.map.remove(key).ok_or_else(|| self.wrong(key, FieldFault::Missing))
    }

    pub(super) fn object(&mut self, key: &str, prefix: &'static str) -> Result<Self, FieldError> {
        let value = self.required(key)?;
        Self::of(value, &self.name(key), prefix)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<String, FieldError> {
        let value = self.required(key)?;
        self.to_text(key, value)
    }

    pub(super) fn optional_text(&mut self, key: &str) -> Result<Option<String>, FieldError> {
        if self.has(key) { self.text(key).map(Some) } else { Ok(None) }
    }

    pub(super) fn integer(&mut self, key: &str) -> Result<u64, FieldError> {
        self.required(key)?.as_u64().ok_or_else(|| self.wrong(key, FieldFault::NotAnInteger))
    }

    /// A text that `T` reads.
    pub(super) fn parsed<T: Read>(&mut self, key: &str) -> Result<T, FieldError> {
        self.text(key)?.parse().map_err(|error| self.wrong(key, T::fault(error)))
    }

    /// A time as [`write`](super::published::write) gives it: UTC, with `T` and `Z`, and no other form of the same instant.
    pub(super) fn time(&mut self, key: &str) -> Result<Timestamp, FieldError> {
        let text = self.text(key)?;
        let time = text.parse().ok().filter(|time: &Timestamp| time.to_string() == text);
        time.ok_or_else(|| self.wrong(key, FieldFault::NotATime(text)))
    }

    /// A list, of any length.
    pub(super) fn list(&mut self, key: &str) -> Result<Vec<Value>, FieldError> {
        match self.required(key)? {
            Value::Array(values) => Ok(values),
            _ => Err(self.wrong(key, FieldFault::NotAList)),
        }
    }

    /// A list of texts, of any length.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, FieldError> {
        self.list(key)?.into_iter().map(|value| self.to_text(key, value)).collect()
    }

    /// Refuses a list of more than `most` entries: their number bounds the work.
    pub(super) fn bounded(&self, key: &str, entries: usize, most: usize) -> Result<(), FieldError> {
        if entries <= most {
            Ok(())
        } else {
            Err(self.wrong(key, FieldFault::TooManyEntries { entries, most }))
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// That something is wrong with a field of this object.
    pub(super) fn wrong(&self, key: &str, fault: FieldFault) -> FieldError {
        FieldError::new(self.name(key), fault)
    }

    /// The name of a field that nobody took.
    pub(super) fn left_over(&self) -> Option<String> {
        self.map.keys().next().map(|key| self.name(&key.chars().take(64).collect::<String>()))
    }

    /// The field's name with what it stands in.
    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn to_text(&self, key: &str, value: Value) -> Result<String, FieldError> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong(key, FieldFault::NotText)),
        }
    }
}

/// Base64 with padding (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of [`base64`].
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, FieldFault> {
    STANDARD.decode(text).map_err(FieldFault::NotBase64)
}
