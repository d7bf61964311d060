//! A ceremony on the wire and in files: JSON of format 1, described in `shared/docs/formats.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ceremony;
use crate::json::{self, JsonError};
use crate::limits::{JsonLimits, Limits};
use crate::operators::Base64;
use crate::proposal::Role;
use crate::quoted::quoted;
use crate::tuf::error::TrustError;

/// The newest format this code reads, and the one it writes.
pub const FORMAT: u64 = 1;

/// What `kind` says.
pub const KIND: &str = "ceremony";

/// The document as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = CeremonyDocument))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Format number: 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1))]
    pub format: u64,
    /// `ceremony`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^ceremony$"))]
    pub kind: String,
    /// The metadata of each role that changes: what is to be signed, and the signatures so far.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::operators::schema::Parts))]
    pub parts: BTreeMap<Role, Base64>,
    /// A bundle of the edition that it was made on. In files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub base: Option<Base64>,
}

/// Bytes are no ceremony, or two of them do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// Something else.
    #[error("this is no ceremony: {0}")]
    Malformed(String),
    /// Written by a later version.
    #[error("the ceremony has format {found}, and this program knows up to {FORMAT}; use a newer one")]
    Newer {
        /// The number found.
        found: u64,
    },
    /// More bytes than allowed.
    #[error("the ceremony has {found} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Its bytes.
        found: usize,
        /// The ceiling.
        limit: usize,
    },
    /// A part is not what a role's metadata is.
    #[error("its metadata is refused: {0}")]
    Metadata(#[from] TrustError),
    /// Two ceremonies, not two copies of one.
    #[error("these are two ceremonies, {one} and {other}: a signature speaks for one of them only")]
    Different {
        /// The id of one, as people see it.
        one: String,
        /// The id of the other.
        other: String,
    },
}

/// Whether the file says that it is a ceremony. Nothing else of it is looked at.
#[must_use]
pub fn is_one(bytes: &[u8], limits: &Limits) -> bool {
    let limits = JsonLimits { bytes: limits.proposal.file_bytes, ..limits.json.clone() };
    json::parse(bytes, &limits).is_ok_and(|value| value.get("kind").and_then(Value::as_str) == Some(KIND))
}

impl Ceremony {
    /// Reads a file.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, CeremonyError> {
        let most = limits.proposal.file_bytes;
        let value =
            json::parse(bytes, &JsonLimits { bytes: most, ..limits.json.clone() }).map_err(|error| {
                match error {
                    JsonError::TooLarge { found, .. } => CeremonyError::TooLarge { found, limit: most },
                    error => CeremonyError::Malformed(error.to_string()),
                }
            })?;
        match value.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => return Err(CeremonyError::Newer { found }),
            _ => return Err(CeremonyError::Malformed("it names no format".to_owned())),
        }
        let document =
            json::from_value(value).map_err(|error| CeremonyError::Malformed(error.to_string()))?;
        Self::from_document(document, limits)
    }

    /// Takes a document apart.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn from_document(document: Document, limits: &Limits) -> Result<Self, CeremonyError> {
        let Document { format, kind, parts, base } = document;
        if format != FORMAT {
            return Err(CeremonyError::Newer { found: format });
        }
        if kind != KIND {
            return Err(CeremonyError::Malformed(format!("its kind is {}", quoted(&kind))));
        }
        if let Some(base) = base.as_ref().filter(|base| base.0.len() > limits.bundle.bytes) {
            return Err(CeremonyError::TooLarge { found: base.0.len(), limit: limits.bundle.bytes });
        }
        let parts = parts.into_iter().map(|(role, bytes)| (role, bytes.0)).collect();
        let ceremony = Self::of_parts(&parts, limits)?;
        Ok(match base {
            Some(base) => ceremony.on(base.0),
            None => ceremony,
        })
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> Document {
        let parts = self.parts.iter().map(|(role, part)| (*role, Base64(part.metadata())));
        Document {
            format: FORMAT,
            kind: KIND.to_owned(),
            parts: parts.collect(),
            base: self.base.clone().map(Base64),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// None is known: all parts can be written as JSON.
    pub fn write(&self) -> Result<Vec<u8>, CeremonyError> {
        let mut bytes = serde_json::to_vec(&self.document())
            .map_err(|error| CeremonyError::Malformed(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
