//! Finding a path from an end entity to an anchor.

use super::{Anchors, Certificate, Distrust, Pool, SignatureMemo, Usage};
use crate::limits::X509Limits;

/// Whether the end entity's own dates count. Issuers' and anchors' dates always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndEntityTime {
    /// The end entity must be valid at the time of verification.
    Enforce,
    /// The end entity's dates are ignored: an add-on does not stop working because its certificate ran out.
    Ignore,
}

/// Everything a path depends on but the end entity, the certificates embedded beside it, and the time.
#[derive(Clone, Copy, Debug)]
pub struct PathBuilder<'a> {
    /// Where paths may end.
    pub anchors: &'a Anchors,
    /// Local candidates for issuers.
    pub pool: &'a Pool,
    /// What is refused whatever it chains to.
    pub distrust: &'a Distrust,
    /// Successful signature checks of earlier runs.
    pub memo: &'a SignatureMemo,
    /// What the path must vouch for.
    pub usage: Usage,
    /// Whether the end entity's dates count.
    pub end_entity_time: EndEntityTime,
    /// Ceilings.
    pub limits: &'a X509Limits,
}

/// A path that holds: the end entity first, the anchor last. Only [`PathBuilder`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    certificates: Vec<Certificate>,
}

impl Path {
    /// The certificates, the end entity first, the anchor last.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }
}
