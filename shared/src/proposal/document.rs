//! A proposal on the wire and in files: JSON, described in `shared/docs/formats.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FailedPreflight, Proposal, ProposalError};
use crate::json::{self, JsonError};
use crate::limits::{JsonLimits, Limits};
use crate::operators::Base64;
use crate::recipe::{Lane, RecipePath, Slug};
use crate::text::one_line;

/// The format without failed preflights, written where there is none: earlier programs read it.
const PLAIN: u64 = 1;

/// The newest format this code reads.
pub const FORMAT: u64 = 2;

/// Whose next metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The root; it changes in a [ceremony](crate::ceremony).
    Root,
    /// The targets role; it changes in a [ceremony](crate::ceremony).
    Targets,
    /// The emergency lane.
    Emergency,
    /// The routine lane.
    Routine,
}

impl Role {
    /// All roles that people sign: who vouches before whom it vouches for.
    pub const PEOPLE: [Self; 4] = [Self::Root, Self::Targets, Self::Emergency, Self::Routine];

    /// The name in metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Emergency => "emergency",
            Self::Routine => "routine",
        }
    }

    /// The lane, if it is one.
    #[must_use]
    pub fn lane(self) -> Option<Lane> {
        match self {
            Self::Emergency => Some(Lane::Emergency),
            Self::Routine => Some(Lane::Routine),
            Self::Targets | Self::Root => None,
        }
    }
}

impl From<Lane> for Role {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Emergency => Self::Emergency,
            Lane::Routine => Self::Routine,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The document as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Format number: 1; 2 with `failed_preflights`.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 2))]
    pub format: u64,
    /// Whose next metadata it is.
    pub role: Role,
    /// The metadata: what is to be signed, and the signatures so far.
    pub metadata: Base64,
    /// Bytes of new and changed recipes by path (`emergency/<slug>.json`).
    #[cfg_attr(feature = "openapi", schema(value_type = crate::operators::schema::Recipes))]
    pub recipes: BTreeMap<String, Base64>,
    /// Slugs that are meant to disappear from the lane.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::operators::schema::Slugs))]
    pub withdraw: Vec<String>,
    /// Recipes that are proposed although their preflight failed, each once. Not signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_preflights: Vec<FailedPreflight>,
    /// A bundle of the edition that it was made on. In files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub base: Option<Base64>,
}

impl Proposal {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, ProposalError> {
        let most = limits.proposal.file_bytes;
        let too_large = |found| ProposalError::TooLarge { found, limit: most };
        let value =
            json::parse(bytes, &JsonLimits { bytes: most, ..limits.json.clone() }).map_err(|error| {
                match error {
                    JsonError::TooLarge { found, .. } => too_large(found),
                    error => ProposalError::Malformed(error.to_string()),
                }
            })?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(PLAIN..=FORMAT) => {}
            Some(found) if found > FORMAT => return Err(ProposalError::Newer { found }),
            _ => return Err(ProposalError::Malformed("it names no format".to_owned())),
        }
        let document =
            json::from_value(value).map_err(|error| ProposalError::Malformed(error.to_string()))?;
        Self::from_document(document, limits)
    }

    /// Takes a document apart.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn from_document(document: Document, limits: &Limits) -> Result<Self, ProposalError> {
        let Document { format, role, metadata, recipes, withdraw, failed_preflights, base } = document;
        if !(PLAIN..=FORMAT).contains(&format) {
            return Err(ProposalError::Newer { found: format });
        }
        check_failed(format, &failed_preflights, recipes.len(), limits)?;
        let lane = role.lane().ok_or(ProposalError::OtherRole { role })?;
        let named = |text: &str, error: &dyn fmt::Display| {
            let text: String = text.chars().take(80).collect();
            ProposalError::Malformed(format!("{text:?}: {error}"))
        };
        let mut by_path = BTreeMap::new();
        let mut size = metadata.0.len();
        for (path, bytes) in recipes {
            let parsed: RecipePath = path.parse().map_err(|error| named(&path, &error))?;
            size = size.saturating_add(bytes.0.len());
            by_path.insert(parsed, bytes.0);
        }
        if size > limits.proposal.bytes {
            return Err(ProposalError::TooLarge { found: size, limit: limits.proposal.bytes });
        }
        let mut slugs = BTreeSet::new();
        for text in withdraw {
            let slug: Slug = text.parse().map_err(|error| named(&text, &error))?;
            if !slugs.insert(slug) {
                return Err(named(&text, &"it is withdrawn twice"));
            }
        }
        if let Some(base) = base.as_ref().filter(|base| base.0.len() > limits.bundle.bytes) {
            return Err(ProposalError::TooLarge { found: base.0.len(), limit: limits.bundle.bytes });
        }
        let proposal = Self::of_parts(lane, &metadata.0, by_path, slugs, limits)?.despite(failed_preflights);
        Ok(match base {
            Some(base) => proposal.on(base.0),
            None => proposal,
        })
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> Document {
        let recipes = self.recipes.iter().map(|(path, bytes)| (path.to_string(), Base64(bytes.clone())));
        Document {
            format: if self.failed_preflights.is_empty() { PLAIN } else { FORMAT },
            role: self.lane.into(),
            metadata: Base64(self.metadata()),
            recipes: recipes.collect(),
            withdraw: self.withdraw.iter().map(ToString::to_string).collect(),
            failed_preflights: self.failed_preflights.clone(),
            base: self.base.clone().map(Base64),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// None is known: all parts can be written as JSON.
    pub fn write(&self) -> Result<Vec<u8>, ProposalError> {
        let written = serde_json::to_vec(&self.document());
        written
            .map(|mut bytes| {
                bytes.push(b'\n');
                bytes
            })
            .map_err(|error| ProposalError::Malformed(error.to_string()))
    }

    /// Bytes that keeping it takes: metadata, recipes and the edition it was made on.
    #[must_use]
    pub fn size(&self) -> usize {
        let recipes = self.recipes.values().map(Vec::len).fold(0, usize::saturating_add);
        let base = self.base.as_ref().map_or(0, Vec::len);
        self.canonical.len().saturating_mul(2).saturating_add(recipes).saturating_add(base)
    }
}

/// As many as there are recipes at most, each with a reason that fits one line.
fn check_failed(
    format: u64,
    failed: &[FailedPreflight],
    recipes: usize,
    limits: &Limits,
) -> Result<(), ProposalError> {
    let refused = |why: String| Err(ProposalError::FailedPreflights(why));
    if format < FORMAT && !failed.is_empty() {
        return refused(format!("format {format} has no failed preflights"));
    }
    if failed.len() > recipes {
        return refused("it has more failed preflights than recipes".to_owned());
    }
    for one in failed {
        if let Err(why) = one_line(&one.reason, limits.proposal.reason) {
            return refused(format!("the reason beside a failed preflight: {why}"));
        }
    }
    Ok(())
}
