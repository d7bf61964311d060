//! What people sign: named by a file or by an id, and told apart by the file itself.

use crate::{
    failure::{Failure, FailureKind},
    files,
};
use mulberry_shared::{
    approval,
    ceremony::{Ceremony, document},
    limits::Limits,
    operators::ProblemKind,
    proposal::{self, FEWEST_DIGITS, KeyHolder, Proposal, ProposalError, signing},
    tuf::TrustError,
};
use std::path::{Path, PathBuf};

/// How somebody names a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A file.
    File(PathBuf),
    /// The first digits of an id, on the server.
    Id(String),
}

impl Named {
    /// A file that is there, or digits.
    ///
    /// # Errors
    /// Neither.
    pub fn of(text: &str) -> Result<Self, Failure> {
        let path = PathBuf::from(text);
        if path.exists() {
            return Ok(Self::File(path));
        }
        if proposal::is_prefix(text) {
            return Ok(Self::Id(text.to_owned()));
        }
        Err(Failure::usage(
            FailureKind::NoSuchProposal,
            format!(
                "{text:?} is neither a file nor the first {FEWEST_DIGITS} or more digits of a proposal's id. Look at \
                 mulberryctl proposals."
            ),
        ))
    }
}

/// One of them.
pub enum Signable {
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
    pub fn read(path: &Path, limits: &Limits) -> Result<Self, Failure> {
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

/// Makes sure that whoever signed what is to be signed has signed just this.
///
/// # Errors
/// A signature of theirs does not hold, or the signatures cannot be counted.
pub fn check_unaltered(broken: Result<Vec<KeyHolder>, TrustError>) -> Result<(), Failure> {
    let broken = broken.map_err(|error| Failure::refused(error.kind, format!("{error}.")))?;
    if broken.is_empty() {
        return Ok(());
    }
    let who = signing::names(&broken);
    Err(Failure::refused(
        ProblemKind::SignatureRefused,
        format!(
            "A signature of {who} in it does not hold: it was changed after {who} signed it, or damaged. Nothing was signed. Ask \
             for the original."
        ),
    ))
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
