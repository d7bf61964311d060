//! What a preflight has to say besides verdicts: a stable kind and a sentence.

use crate::explain::explained;
use jiff::Timestamp;
use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Think about it before signing.
    Warning,
    /// The recipe does not do what it says.
    Failure,
}

/// What a finding is about. The closed list; the kebab-case names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The certificate is self-issued.
    TheRootItself,
    /// The certificate is an intermediate, and was given as anchor.
    AnchorNotARoot,
    /// The certificate is an end entity's.
    LeafCertificate,
    /// The certificate's extended key usages lack codeSigning.
    NoCodeSigning,
    /// The certificate, or one above it, has expired.
    Expired,
    /// The certificate, or one above it, is not valid yet.
    NotYetValid,
    /// No anchor vouches for the certificate.
    NotChaining,
    /// Another reason why agents would not install the certificate.
    NotAcceptable,
    /// The name of the certificate it should replace, with another key.
    WrongKey,
    /// The key of the certificate it should replace, with another name.
    WrongSubject,
    /// Nothing in the corpus has its name or its key.
    SignsNothing,
    /// Subject and key are those of the certificate it replaces.
    Replaces,
    /// An anchor vouches for it.
    ChainsToAnchor,
    /// It is valid longer than its anchor.
    OutlivesAnchor,
    /// A pinned anchor would be distrusted.
    DistrustsAnchor,
    /// A certificate of the corpus that is distrusted.
    Distrusts,
    /// A certificate with a distrusted certificate's key that stays trusted.
    SiblingStaysTrusted,
    /// No certificate of the corpus is distrusted.
    DistrustsNothing,
    /// Add-ons break that the action does not declare.
    GetsWorse,
    /// Add-ons work that did not.
    GetsBetter,
    /// No add-on gets better.
    NothingBetter,
    /// How many add-ons the distrust disables, as expected.
    Disables,
    /// It disables another number of add-ons than expected, or nobody said how many are.
    DisablesUnexpected,
    /// What a hold does.
    Holds,
    /// A time at which agents would not take the recipe at all.
    OutsideItsLife,
    /// The certificate that runs out next.
    RunsOutNext,
    /// Add-ons that could not be read.
    Unreadable,
    /// There is no add-on to look at.
    EmptyCorpus,
}

explained!(FindingKind {
    TheRootItself: "the certificate is the root, or signed by itself",
        "give the intermediate";
    AnchorNotARoot: "the certificate is an intermediate that was given as anchor",
        "give the root that clients pin with `--anchor`";
    LeafCertificate: "the certificate is an end entity's",
        "give the intermediate";
    NoCodeSigning: "it may not sign code",
        "have it issued with the extended key usage codeSigning";
    Expired: "it, or one above it, has expired at that time",
        "have it issued with a later date";
    NotYetValid: "it, or one above it, is not valid yet at that time",
        "have it issued with an earlier date; mind clients whose clocks are behind";
    NotChaining: "no anchor vouches for it",
        "have it issued by the root that clients pin; check `--anchor`";
    NotAcceptable: "agents would not install it for another reason; the sentence says which",
        "have it issued again";
    WrongKey: "it has the name of the one it should replace, with another key",
        "have it issued for the old key, whose digest is given";
    WrongSubject: "it has the key of the one it should replace, with another name",
        "have it issued with the old name, to the letter";
    SignsNothing: "nothing in the corpus has its name or its key",
        "check that it is the right file and the corpus the right one";
    Replaces: "its subject and key are those of the one it replaces",
        "nothing";
    ChainsToAnchor: "an anchor vouches for it",
        "nothing";
    OutlivesAnchor: "it is valid longer than its anchor",
        "plan the anchor's successor before then";
    DistrustsAnchor: "a pinned anchor would be distrusted",
        "take it out: it would disable everything";
    Distrusts: "a certificate of the corpus that is distrusted",
        "nothing";
    SiblingStaysTrusted: "a certificate with a distrusted certificate's key stays trusted",
        "after a key theft, distrust the key and not one certificate";
    DistrustsNothing: "no certificate of the corpus is distrusted",
        "check issuer and serial number, or the corpus";
    GetsWorse: "add-ons would break that the action does not declare",
        "do not publish; find out why those add-ons break";
    GetsBetter: "add-ons work that did not",
        "nothing";
    NothingBetter: "no add-on gets better",
        "check the certificate and the times of `--at`";
    Disables: "it disables as many add-ons as expected",
        "nothing";
    DisablesUnexpected: "it disables another number of add-ons than expected",
        "look at the table; give the right number with `--expect-disabled` once it is understood";
    Holds: "what a hold does",
        "nothing";
    OutsideItsLife: "at that time agents would not take the recipe",
        "choose another `--at`, or other dates in the recipe";
    RunsOutNext: "the certificate that runs out next",
        "plan its replacement";
    Unreadable: "add-ons that could not be read, which prove nothing",
        "get them again if they matter";
    EmptyCorpus: "there is no add-on to look at",
        "give a folder with add-ons";
});

/// One thing that a preflight found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// For machines.
    pub kind: FindingKind,
    /// The time it is about; `None`: all.
    pub at: Option<Timestamp>,
    /// For people: what is wrong, where, and what to do next.
    pub sentence: String,
}

impl Finding {
    pub(super) fn note(kind: FindingKind, sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Note, kind, at: None, sentence: sentence.into() }
    }

    pub(super) fn warning(kind: FindingKind, sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::note(kind, sentence) }
    }

    pub(super) fn failure(kind: FindingKind, sentence: impl Into<String>) -> Self {
        Self { severity: Severity::Failure, ..Self::note(kind, sentence) }
    }

    pub(super) fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }
}

/// `1 add-on`, `2 add-ons`.
pub(super) fn add_ons(count: usize) -> String {
    if count == 1 { "1 add-on".to_owned() } else { format!("{count} add-ons") }
}
