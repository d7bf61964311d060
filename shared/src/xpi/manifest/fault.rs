//! What can be wrong with a manifest or a signature file.

use crate::xpi::verdict::VerdictKind;

/// What is wrong with it; the sentence goes on from its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ManifestFault {
    #[error("is larger than the {0} bytes that are read")]
    TooLarge(usize),
    #[error("has a line of more than {0} bytes")]
    LongLine(usize),
    #[error("has a folded line of more than {0} bytes")]
    LongFoldedLine(usize),
    #[error("does not begin with \"Manifest-Version: 1.0\"")]
    NoManifestVersion,
    #[error("does not begin with \"Signature-Version: 1.0\"")]
    NoSignatureVersion,
    #[error("has a line that is no \"Key: value\"")]
    NotAnAttribute,
    #[error("gives {key} twice")]
    AttributeTwice { key: String },
    #[error("has a section with two names")]
    TwoNames,
    #[error("has a section with an empty name")]
    EmptyName,
    #[error("has a section without a name, or more than one empty line between sections")]
    NoName,
    #[error("has a \"Magic\" attribute, which nobody understands")]
    Magic,
    #[error("gives {file} no {wanted}, which its signer's digest asks for")]
    NoDigest { file: String, wanted: &'static str },
    #[error("has a {key} that is no base64 of {bytes} bytes")]
    NotBase64 { key: String, bytes: usize },
    #[error("lists {file} twice")]
    FileTwice { file: String },
    #[error("does not vouch for the whole manifest: it has no {wanted}-Manifest")]
    NotWhole { wanted: &'static str },
}

impl ManifestFault {
    /// The verdict that follows from it.
    pub(super) fn kind(&self) -> VerdictKind {
        match self {
            Self::TooLarge(_) => VerdictKind::LimitExceeded,
            _ => VerdictKind::MalformedManifest,
        }
    }
}
