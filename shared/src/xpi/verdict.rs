//! What verification says about one add-on: a stable kind and a sentence.

use crate::explain::explained;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// Characters of a sentence about an add-on.
const SENTENCE_CHARS: usize = 1000;

/// Why an add-on is accepted or refused. The closed list; the kebab-case names are stable and serve the command line,
/// state files and reports alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// Everything holds.
    Ok,
    /// The archive carries no signature of the kind that the policy requires.
    Unsigned,
    /// A file's digest differs from the signed one.
    FileModified,
    /// The archive holds a file that the signed manifest does not list.
    FileNotCovered,
    /// The signed manifest lists a file that the archive does not hold.
    FileMissing,
    /// The zip structure is damaged, ambiguous or uses what add-ons may not use.
    MalformedArchive,
    /// A manifest (`manifest.mf`, the signature file, `cose.manifest`, `manifest.json`, `install.rdf`) cannot be read.
    MalformedManifest,
    /// The PKCS#7 or COSE structure, or the set of signature files, is not what it must be.
    MalformedSignature,
    /// A signature does not verify under the end entity's key.
    BadSignature,
    /// An algorithm that the policy does not accept.
    UnsupportedAlgorithm,
    /// The end entity, or an issuer that every path needs, has an RSA key of less than 2048 bits.
    KeyTooSmall,
    /// No path from the end entity to a trust anchor.
    UnknownIssuer,
    /// The best path needs an intermediate or anchor that has expired.
    IssuerExpired,
    /// The best path needs an intermediate or anchor that is not valid yet.
    IssuerNotYetValid,
    /// The end entity has expired (only where the policy enforces its dates).
    EndEntityExpired,
    /// The end entity is not valid yet (only where the policy enforces its dates).
    EndEntityNotYetValid,
    /// Every path needs a certificate that is distrusted.
    Distrusted,
    /// The add-on is blocked by a recipe; verification itself never says so.
    Blocked,
    /// The add-on's id is not the one that its certificate was issued for.
    IdMismatch,
    /// A ceiling was reached before a verdict could be.
    LimitExceeded,
}

impl VerdictKind {
    /// All kinds, in the order of the closed list.
    pub const ALL: [Self; 20] = [
        Self::Ok,
        Self::Unsigned,
        Self::FileModified,
        Self::FileNotCovered,
        Self::FileMissing,
        Self::MalformedArchive,
        Self::MalformedManifest,
        Self::MalformedSignature,
        Self::BadSignature,
        Self::UnsupportedAlgorithm,
        Self::KeyTooSmall,
        Self::UnknownIssuer,
        Self::IssuerExpired,
        Self::IssuerNotYetValid,
        Self::EndEntityExpired,
        Self::EndEntityNotYetValid,
        Self::Distrusted,
        Self::Blocked,
        Self::IdMismatch,
        Self::LimitExceeded,
    ];

    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unsigned => "unsigned",
            Self::FileModified => "file-modified",
            Self::FileNotCovered => "file-not-covered",
            Self::FileMissing => "file-missing",
            Self::MalformedArchive => "malformed-archive",
            Self::MalformedManifest => "malformed-manifest",
            Self::MalformedSignature => "malformed-signature",
            Self::BadSignature => "bad-signature",
            Self::UnsupportedAlgorithm => "unsupported-algorithm",
            Self::KeyTooSmall => "key-too-small",
            Self::UnknownIssuer => "unknown-issuer",
            Self::IssuerExpired => "issuer-expired",
            Self::IssuerNotYetValid => "issuer-not-yet-valid",
            Self::EndEntityExpired => "end-entity-expired",
            Self::EndEntityNotYetValid => "end-entity-not-yet-valid",
            Self::Distrusted => "distrusted",
            Self::Blocked => "blocked",
            Self::IdMismatch => "id-mismatch",
            Self::LimitExceeded => "limit-exceeded",
        }
    }

    /// Whether another instant could give another verdict: the kinds that judging a chain gives. Not only those that name a date, since
    /// the reason named may hide one (at a later time only the distrusted of two paths is left).
    #[must_use]
    pub fn may_depend_on_time(self) -> bool {
        match self {
            Self::UnsupportedAlgorithm
            | Self::KeyTooSmall
            | Self::UnknownIssuer
            | Self::IssuerExpired
            | Self::IssuerNotYetValid
            | Self::EndEntityExpired
            | Self::EndEntityNotYetValid
            | Self::Distrusted
            | Self::LimitExceeded => true,
            // What inspection finds, which knows no time; and what stands behind a chain that holds.
            Self::Ok
            | Self::Unsigned
            | Self::FileModified
            | Self::FileNotCovered
            | Self::FileMissing
            | Self::MalformedArchive
            | Self::MalformedManifest
            | Self::MalformedSignature
            | Self::BadSignature
            | Self::Blocked
            | Self::IdMismatch => false,
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no verdict kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a verdict kind")]
pub struct NotAVerdictKind(String);

impl FromStr for VerdictKind {
    type Err = NotAVerdictKind;

    fn from_str(text: &str) -> Result<Self, NotAVerdictKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| NotAVerdictKind(text.chars().take(40).collect()))
    }
}

/// The verdict on one add-on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// For machines.
    pub kind: VerdictKind,
    /// For people: the certificate and date, or the file, that decided.
    pub detail: String,
}

impl Verdict {
    /// A verdict of this kind, explained by this sentence.
    pub fn new(kind: VerdictKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: bounded(detail.into()) }
    }

    /// Whether the add-on is accepted.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.kind == VerdictKind::Ok
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

/// The first thing that is wrong with some bytes: what every parser of this module answers instead of its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// The verdict that follows from it; never [`VerdictKind::Ok`].
    pub kind: VerdictKind,
    /// What is wrong, and where.
    pub sentence: String,
    /// Which entry of the closed list it is, where Firefox would accept it.
    pub refusal: Option<Refusal>,
}

impl Fault {
    pub(crate) fn new(kind: VerdictKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: bounded(sentence.into()), refusal: None }
    }

    /// A fault of the closed list.
    pub(crate) fn refused(refusal: Refusal, sentence: impl Into<String>) -> Self {
        let kind = match refusal {
            Refusal::Ceiling => VerdictKind::LimitExceeded,
            Refusal::IdentityTwice => VerdictKind::MalformedManifest,
            _ => VerdictKind::MalformedArchive,
        };
        Self { refusal: Some(refusal), ..Self::new(kind, sentence) }
    }

    pub(crate) fn archive(sentence: impl Into<String>) -> Self {
        Self::new(VerdictKind::MalformedArchive, sentence)
    }

    pub(crate) fn manifest(sentence: impl Into<String>) -> Self {
        Self::new(VerdictKind::MalformedManifest, sentence)
    }

    pub(crate) fn signature(sentence: impl Into<String>) -> Self {
        Self::new(VerdictKind::MalformedSignature, sentence)
    }

    pub(crate) fn bad_signature(sentence: impl Into<String>) -> Self {
        Self::new(VerdictKind::BadSignature, sentence)
    }

    pub(crate) fn algorithm(sentence: impl Into<String>) -> Self {
        Self::new(VerdictKind::UnsupportedAlgorithm, sentence)
    }

    pub(crate) fn limit(sentence: impl Into<String>) -> Self {
        Self::refused(Refusal::Ceiling, sentence)
    }
}

/// A sentence may quote what an add-on says; it is stored for every add-on, so it must not be as long as that likes.
fn bounded(mut sentence: String) -> String {
    if sentence.len() > SENTENCE_CHARS
        && let Some((end, _)) = sentence.char_indices().nth(SENTENCE_CHARS)
    {
        sentence.truncate(end);
        sentence.push('…');
    }
    sentence
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self { kind: fault.kind, detail: fault.sentence }
    }
}

explained!(VerdictKind {
    Ok: "everything holds",
        "nothing";
    Unsigned: "the archive has no signature of the kind that the policy needs",
        "get a signed copy; check `--signature` if all add-ons say so";
    FileModified: "a file is not what was signed",
        "get the add-on again from its source";
    FileNotCovered: "the archive holds a file that was not signed",
        "get the add-on again from its source";
    FileMissing: "a signed file is not in the archive",
        "get the add-on again from its source";
    MalformedArchive: "the zip structure is damaged, ambiguous, or uses what add-ons may not use",
        "get the add-on again, or pack it with an ordinary tool";
    MalformedManifest: "a manifest cannot be read",
        "get the add-on again, or have it signed again";
    MalformedSignature: "the signature files are not what they must be",
        "have it signed again";
    BadSignature: "a signature does not verify under its own certificate",
        "get the add-on again; treat it as forged until then";
    UnsupportedAlgorithm: "an algorithm that the policy does not accept",
        "have it signed again with one that it accepts";
    KeyTooSmall: "a certificate on its path has an RSA key of less than 2048 bits",
        "have it signed under a certificate with a larger key";
    UnknownIssuer: "no path leads from its certificate to an anchor",
        "check the anchors; deliver the missing intermediate with `install-certificates`";
    IssuerExpired: "an intermediate or anchor on its path has expired",
        "deliver a replacement with `install-certificates`; hold verification until it is ready";
    IssuerNotYetValid: "an intermediate or anchor on its path is not valid yet",
        "check the clock; else have the certificate issued with an earlier date";
    EndEntityExpired: "its own certificate has expired, and the policy enforces that",
        "have it signed again";
    EndEntityNotYetValid: "its own certificate is not valid yet, and the policy enforces that",
        "check the clock; else wait";
    Distrusted: "every path needs a certificate that a recipe distrusts",
        "have it signed under another certificate";
    Blocked: "a recipe blocks it",
        "nothing, unless the block was wrong: end that recipe";
    IdMismatch: "its id is not the one that its certificate was issued for",
        "have it signed for this id";
    LimitExceeded: "a ceiling was reached before a verdict could be",
        "look at the detail: such an add-on is built to exhaust a verifier, or far larger than any real one";
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_in_json() {
        for kind in VerdictKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert!("OK".parse::<VerdictKind>().is_err());
    }
}
