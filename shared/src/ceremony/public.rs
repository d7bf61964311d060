//! The file in which new public keys travel to whoever proposes the ceremony that lets them in. It proves nothing: whoever
//! signs compares the fingerprints with those that the holder reads out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rules;
use crate::json;
use crate::limits::Limits;
use crate::proposal::Role;
use crate::quoted::quoted;
use crate::tuf::{Holder, Key, Person};

/// The newest format this code reads, and the one it writes.
pub const FORMAT: u64 = 1;

/// What `kind` says.
pub const KIND: &str = "public-keys";

/// Bytes of a file: seven keys of the longest kind take five thousand.
const MAX_BYTES: usize = 64 << 10;

/// Public keys, one for each role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    /// Who holds them; `None` for a server.
    pub person: Option<Person>,
    /// The keys by role, with their person's name in them.
    pub keys: BTreeMap<String, Key>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u64,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    keys: BTreeMap<String, Key>,
}

/// A file is none of public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeysError {
    /// Written by a later version.
    #[error("it has format {0}, and this program knows up to {FORMAT}; use a newer one")]
    Newer(u64),
    /// Something else.
    #[error("this is no file of public keys: {0}")]
    Malformed(String),
}

impl PublicKeys {
    /// Reads a file.
    ///
    /// # Errors
    /// [`PublicKeysError`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, PublicKeysError> {
        let malformed = |why: &dyn std::fmt::Display| PublicKeysError::Malformed(why.to_string());
        if bytes.len() > MAX_BYTES {
            return Err(malformed(&format!("it has more than {MAX_BYTES} bytes")));
        }
        let value = json::parse(bytes, &limits.json).map_err(|error| malformed(&error))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(PublicKeysError::Newer(found)),
            _ => return Err(malformed(&"it names no format")),
        }
        let File { kind, person, keys, .. } = json::from_value(value).map_err(|error| malformed(&error))?;
        if kind != KIND {
            return Err(malformed(&format!("its kind is {}", quoted(&kind))));
        }
        let person = person
            .map(|name| {
                let unfit = |why| malformed(&format!("{} is no name of a person: {why}", quoted(&name)));
                name.parse::<Person>().map_err(unfit)
            })
            .transpose()?;
        let holder = person.clone().map_or(Holder::Nobody, Holder::Person);
        if keys.is_empty() {
            return Err(malformed(&"it has no key"));
        }
        let mut all = BTreeMap::new();
        for (role, key) in keys {
            let of_people = Role::PEOPLE.iter().any(|known| known.as_str() == role);
            if !(if person.is_some() { of_people } else { rules::ONLINE.contains(&role.as_str()) }) {
                return Err(malformed(&format!(
                    "{} is no role that {} signs",
                    quoted(&role),
                    whose(person.as_ref())
                )));
            }
            if key.public().is_none() {
                return Err(malformed(&format!("its key for {role} cannot be read")));
            }
            if *key.holder() != holder {
                return Err(malformed(&format!("its key for {role} names another person")));
            }
            if key.says_more() {
                return Err(malformed(&format!("its key for {role} has attributes that nobody is shown")));
            }
            all.insert(role, key);
        }
        Ok(Self { person, keys: all })
    }

    /// The file.
    ///
    /// # Errors
    /// None is known: all parts can be written as JSON.
    pub fn write(&self) -> Result<Vec<u8>, PublicKeysError> {
        let file = File {
            format: FORMAT,
            kind: KIND.to_owned(),
            person: self.person.as_ref().map(ToString::to_string),
            keys: self.keys.clone(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file)
            .map_err(|error| PublicKeysError::Malformed(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

fn whose(person: Option<&Person>) -> &'static str {
    if person.is_some() { "a person" } else { "a server" }
}
