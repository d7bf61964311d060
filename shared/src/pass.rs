//! Which add-ons a verification pass enables or disables.

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::explain::explained;
use crate::xpi::{Verdict, VerdictKind};

/// Why a pass runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PassCause {
    /// Its time has come.
    Periodic,
    /// A recipe asked for it or changed what verification trusts.
    Recipe,
}

/// What a pass leaves behind for one add-on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddonState {
    /// The SHA-256 of the archive that the pass judged.
    pub sha256: Sha256Digest,
    /// Whether the host may run it. Disabling suspends; nothing is ever deleted or moved.
    pub enabled: bool,
    /// The last verdict's kind. An enabled add-on may have one other than `ok`: see `why`.
    pub verdict: VerdictKind,
    /// Why it is enabled or not.
    pub why: Why,
    /// The last verdict's sentence.
    pub detail: String,
}

/// Why an add-on is enabled or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Enabled: it verifies.
    Verified,
    /// Enabled although it does not verify now: it was enabled with this very content, and a pass caused by a recipe
    /// disables only what is distrusted or blocked. The next periodic pass decides.
    KeptUntilPeriodicPass,
    /// Disabled: it does not verify.
    NotVerified,
    /// Disabled: distrusted or blocked.
    Refused,
}

impl Why {
    /// The name in every output and document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::KeptUntilPeriodicPass => "kept-until-periodic-pass",
            Self::NotVerified => "not-verified",
            Self::Refused => "refused",
        }
    }
}

/// The state of an add-on after a pass found `verdict` for the archive with `sha256`.
///
/// A pass caused by a recipe may enable, and disables only what is distrusted or blocked, and what is not the content
/// that was enabled before; the periodic pass follows the verdict.
#[must_use]
pub fn next_state(
    previous: Option<&AddonState>,
    sha256: Sha256Digest,
    verdict: &Verdict,
    cause: PassCause,
) -> AddonState {
    let was_enabled = previous.is_some_and(|p| p.enabled && p.sha256 == sha256);
    let why = match (verdict.kind, cause) {
        (VerdictKind::Ok, _) => Why::Verified,
        (VerdictKind::Distrusted | VerdictKind::Blocked, _) => Why::Refused,
        (_, PassCause::Recipe) if was_enabled => Why::KeptUntilPeriodicPass,
        _ => Why::NotVerified,
    };
    AddonState {
        sha256,
        enabled: matches!(why, Why::Verified | Why::KeptUntilPeriodicPass),
        verdict: verdict.kind,
        why,
        detail: verdict.detail.clone(),
    }
}

explained!(Why {
    Verified: "enabled: it verifies",
        "nothing";
    KeptUntilPeriodicPass: "enabled though it does not verify now: it was enabled with this very content, and only a recipe had it looked at",
        "cure what its verdict names before the next periodic pass";
    NotVerified: "disabled: it does not verify",
        "see its verdict";
    Refused: "disabled: distrusted or blocked by a recipe",
        "see its verdict";
});

#[cfg(test)]
mod tests {
    use super::*;

    fn after(
        previous: Option<(&[u8], bool)>,
        now: &[u8],
        kind: VerdictKind,
        cause: PassCause,
    ) -> (bool, Why) {
        let previous = previous.map(|(content, enabled)| AddonState {
            sha256: Sha256Digest::of(content),
            enabled,
            verdict: VerdictKind::Ok,
            why: Why::Verified,
            detail: String::new(),
        });
        let verdict = Verdict { kind, detail: "because".into() };
        let state = next_state(previous.as_ref(), Sha256Digest::of(now), &verdict, cause);
        assert_eq!((state.verdict, state.detail.as_str()), (kind, "because"));
        (state.enabled, state.why)
    }

    #[test]
    fn every_kind_of_verdict_cause_and_history() {
        let histories =
            [None, Some((&b"same"[..], true)), Some((&b"same"[..], false)), Some((&b"other"[..], true))];
        for kind in VerdictKind::ALL {
            for cause in [PassCause::Periodic, PassCause::Recipe] {
                for history in histories {
                    let expected = match kind {
                        VerdictKind::Ok => (true, Why::Verified),
                        VerdictKind::Distrusted | VerdictKind::Blocked => (false, Why::Refused),
                        _ if cause == PassCause::Recipe && history == Some((b"same", true)) => {
                            (true, Why::KeptUntilPeriodicPass)
                        }
                        _ => (false, Why::NotVerified),
                    };
                    assert_eq!(
                        after(history, b"same", kind, cause),
                        expected,
                        "{kind:?} {cause:?} {history:?}"
                    );
                }
            }
        }
    }
}
