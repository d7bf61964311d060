//! Whether the anchors allow what a recipe would put in force.

use jiff::Timestamp;

use super::Effects;
use crate::limits::X509Limits;
use crate::x509::{
    Anchors, Certificate, EndEntityTime, Path, PathBuilder, PathError, Pool, SignatureMemo, Usage,
};

/// Why an action must not be put in force.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// A certificate that is to be installed, and that no anchor vouches for.
    #[error("{} does not chain to an anchor: {}", certificate.described(), error.sentence)]
    NoPath {
        /// The certificate.
        certificate: Certificate,
        /// Why there is no path.
        error: PathError,
    },
    /// A pinned anchor that would be distrusted.
    #[error("it would distrust the pinned anchor {}; anchors are changed in the settings", .0.described())]
    Anchor(Certificate),
}

/// What installed certificates must chain to, and what cannot be distrusted.
#[derive(Clone, Copy, Debug)]
pub struct Admission<'a> {
    /// The pinned anchors.
    pub anchors: &'a Anchors,
    /// Signature checks of earlier questions.
    pub memo: &'a SignatureMemo,
    /// Ceilings.
    pub limits: &'a X509Limits,
}

impl<'a> Admission<'a> {
    /// The path from a certificate that is to be installed to an anchor, all dates counting. `candidate` is what would be in
    /// force with it.
    ///
    /// # Errors
    /// Why there is none: it must not be installed at `at`.
    pub fn certificate(
        &self,
        certificate: &Certificate,
        candidate: &Effects,
        at: Timestamp,
    ) -> Result<Path, PathError> {
        let pool: Pool = candidate.pool.iter().cloned().collect();
        PathBuilder {
            anchors: self.anchors,
            pool: &pool,
            distrust: &candidate.distrust,
            memo: self.memo,
            usage: Usage::CodeSigning,
            end_entity_time: EndEntityTime::Enforce,
            limits: self.limits,
        }
        .chains_to_anchor(certificate, at)
    }

    /// The pinned anchor that `candidate` would distrust, which no recipe may.
    #[must_use]
    pub fn refused_anchor(&self, candidate: &Effects) -> Option<&'a Certificate> {
        self.anchors.iter().find(|anchor| candidate.distrust.refuses(anchor).is_some())
    }
}
