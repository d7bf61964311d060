//! Stage two: whether what the signatures vouch for chains to an anchor, here and now.

use jiff::Timestamp;

use crate::limits::Limits;
use crate::x509::{
    Anchors, Certificate, Distrust, Path, PathBuilder, PathError, PathErrorKind, Pool, SignatureMemo, Usage,
};
use crate::xpi::inspection::Inspection;
use crate::xpi::{Policy, Verdict, VerdictKind};

/// What a judgement depends on besides the inspection and the time.
#[derive(Clone, Copy, Debug)]
pub struct JudgeContext<'a> {
    /// Where chains may end.
    pub anchors: &'a Anchors,
    /// Local intermediates.
    pub pool: &'a Pool,
    /// What is refused.
    pub distrust: &'a Distrust,
    /// Signature checks of earlier judgements.
    pub memo: &'a SignatureMemo,
    /// The policy, which must be the one of the inspection (only its `end_entity_time` counts here).
    pub policy: &'a Policy,
    /// Ceilings.
    pub limits: &'a Limits,
}

impl Inspection {
    /// The verdict at an instant.
    ///
    /// Precedence where several things are wrong: structure (archive, manifests, signature files), content, signatures, chains (PKCS#7
    /// before COSE), id.
    #[must_use]
    pub fn judge(&self, context: &JudgeContext<'_>, at: Timestamp) -> Verdict {
        if let Some(fault) = &self.fault {
            return fault.clone().into();
        }
        let builder = PathBuilder {
            anchors: context.anchors,
            pool: context.pool,
            distrust: context.distrust,
            memo: context.memo,
            usage: Usage::CodeSigning,
            end_entity_time: context.policy.end_entity_time,
            limits: &context.limits.x509,
        };
        let mut vouched = Vec::with_capacity(self.chains.len());
        for chain in &self.chains {
            match builder.build(&chain.end_entity, &chain.embedded, at) {
                Ok(path) => vouched.push(sentence(&path)),
                Err(error) => return refused(error),
            }
        }
        match (&self.identity_fault, vouched.is_empty()) {
            (Some(fault), _) => fault.clone().into(),
            (None, false) => Verdict::new(VerdictKind::Ok, vouched.join("; ")),
            // Inspection leaves no add-on without fault and without chain; if one came up, it is not signed.
            (None, true) => Verdict::new(VerdictKind::Unsigned, "no signature was checked"),
        }
    }
}

fn refused(error: PathError) -> Verdict {
    let kind = match error.kind {
        PathErrorKind::IssuerExpired => VerdictKind::IssuerExpired,
        PathErrorKind::IssuerNotYetValid => VerdictKind::IssuerNotYetValid,
        PathErrorKind::EndEntityExpired => VerdictKind::EndEntityExpired,
        PathErrorKind::EndEntityNotYetValid => VerdictKind::EndEntityNotYetValid,
        PathErrorKind::Distrusted => VerdictKind::Distrusted,
        PathErrorKind::UnsupportedAlgorithm => VerdictKind::UnsupportedAlgorithm,
        PathErrorKind::KeyTooSmall => VerdictKind::KeyTooSmall,
        PathErrorKind::LimitExceeded => VerdictKind::LimitExceeded,
        // A certificate that may not issue (or sign) leaves the end entity without an acceptable issuer; the sentence says why.
        _ => VerdictKind::UnknownIssuer,
    };
    Verdict::new(kind, error.sentence)
}

/// Names the signer and the certificate of the path that expires first among those whose dates always count.
fn sentence(path: &Path) -> String {
    let mut certificates = path.certificates().iter();
    let signer = certificates.next().map(Certificate::described).unwrap_or_default();
    match certificates.min_by_key(|issuer| issuer.not_after()) {
        Some(first) => {
            format!("signed by {signer}; holds until {} expires at {}", first.described(), first.not_after())
        }
        None => format!("signed by {signer}, itself an anchor"),
    }
}
