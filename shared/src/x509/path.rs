//! Finding a path from an end entity to an anchor.

mod fault;
mod graph;
mod judgement;
mod search;

use jiff::Timestamp;

use self::fault::Role;
use self::judgement::Judgement;
use super::{Anchors, Certificate, Distrust, PathError, Pool, SignatureMemo, Usage};
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

/// A ceiling was reached: which.
#[derive(Clone, Copy, Debug)]
struct Exceeded(&'static str);

impl PathBuilder<'_> {
    /// Finds a path from `end_entity` to an anchor that holds at `at`.
    ///
    /// `embedded` are the other certificates of the signature file, in any order; they are candidates like the pool's, and nothing
    /// is believed of them without a genuine signature.
    ///
    /// # Errors
    /// The most useful reason when no path holds. Distrust is named when any path would hold at `at` without it, and also when
    /// every path leads through a distrusted certificate whatever the dates: no replacement or clock heals that.
    pub fn build(
        &self,
        end_entity: &Certificate,
        embedded: &[Certificate],
        at: Timestamp,
    ) -> Result<Path, PathError> {
        Judgement::new(self, end_entity, Role::EndEntity, embedded, at)?.judge()
    }

    /// Finds a path from a CA certificate that is to be installed to an anchor, all dates counting.
    ///
    /// # Errors
    /// As [`Self::build`], and [`PathErrorKind::BadCertificate`](super::PathErrorKind::BadCertificate) if it is self-issued, not a CA, or may not sign
    /// certificates.
    pub fn chains_to_anchor(&self, ca: &Certificate, at: Timestamp) -> Result<Path, PathError> {
        if ca.is_self_issued() {
            return Err(PathError {
                kind: super::PathErrorKind::BadCertificate,
                certificate: Some(ca.clone()),
                sentence: format!(
                    "the certificate {} is self-issued; only intermediates that an anchor vouches for can be installed",
                    ca.described()
                ),
            });
        }
        Judgement::new(self, ca, Role::NewIntermediate, &[], at)?.judge()
    }
}
