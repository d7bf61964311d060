//! What people sign in a file: commands that take one are told which by the file itself.

use crate::{
    failure::{Failure, FailureKind},
    files,
};
use mulberry_shared::{
    approval,
    ceremony::{Ceremony, document},
    limits::Limits,
    proposal::{Proposal, ProposalError},
};
use std::path::Path;

/// One of them.
pub(super) enum Signable {
    /// A lane's next version.
    Proposal(Box<Proposal>),
    /// A change of keys.
    Ceremony(Ceremony),
    /// The opening of a gate, which `gate sign` reads.
    Opening,
}

impl Signable {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is none of them.
    pub(super) fn read(path: &Path, limits: &Limits) -> Result<Self, Failure> {
        let max = u64::try_from(limits.proposal.file_bytes).unwrap_or(u64::MAX);
        let fault = |what: String| {
            Failure::usage(FailureKind::ProposalUnreadable, format!("{}: {what}.", path.display()))
        };
        let bytes = files::read_bounded(path, max).map_err(|error| fault(error.to_string()))?;
        if approval::file::is_one(&bytes, limits) {
            return Ok(Self::Opening);
        }
        if document::is_one(&bytes, limits) {
            return Ceremony::read(&bytes, limits)
                .map(Self::Ceremony)
                .map_err(|error| fault(error.to_string()));
        }
        let proposal = Proposal::read(&bytes, limits).map_err(|error| match error {
            ProposalError::Malformed(why) => fault(format!(
                "neither a proposal nor a ceremony that can be read: {why}. Ask for the file again"
            )),
            error => fault(error.to_string()),
        })?;
        Ok(Self::Proposal(Box::new(proposal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(content: &str) -> Failure {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        match Signable::read(file.path(), &Limits::default()) {
            Err(failure) => failure,
            Ok(_) => panic!("taken: {content}"),
        }
    }

    #[test]
    fn what_is_cut_short_is_not_called_one_or_the_other() {
        for content in ["", r#"{"format":1,"kind":"ceremony","parts":{"root":"eyJz"#, r#"{"format":1}"#] {
            let sentence = refused(content).sentence;
            assert!(sentence.contains("neither a proposal nor a ceremony that can be read"), "{sentence}");
        }
        let sentence = refused(r#"{"format":1,"kind":"ceremony","parts":{}}"#).sentence;
        assert!(sentence.contains("this is no ceremony: it has no part"), "{sentence}");
    }

    #[test]
    fn an_opening_is_told_from_a_proposal() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"format":1,"kind":"gate-opening"}"#).unwrap();
        assert!(matches!(Signable::read(file.path(), &Limits::default()), Ok(Signable::Opening)));
    }
}
