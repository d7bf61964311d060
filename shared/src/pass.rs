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

/// Whether dates may disable what works: only under a clock that is vouched for ([`clock`](crate::clock)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dates<'a> {
    /// They count.
    Count,
    /// They do not: the clock is not vouched for.
    Doubted {
        /// The verdict under the same trust at the last instant that was vouched for, where it was asked for.
        earlier: Option<&'a Verdict>,
    },
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
    /// disables only what is distrusted or blocked, one under a doubted clock nothing that a date could be behind. The
    /// next periodic pass decides.
    KeptUntilPeriodicPass,
    /// Disabled: it does not verify.
    NotVerified,
    /// Disabled: it was not enabled with this content before and does not verify now, but a date may be behind that and the clock is
    /// doubted. The first pass under a clock that is vouched for looks again.
    NotVerifiedYet,
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
            Self::NotVerifiedYet => "not-verified-yet",
            Self::Refused => "refused",
        }
    }
}

/// The state of an add-on after a pass found `verdict` for the archive with `sha256`.
///
/// A pass caused by a recipe may enable, and disables only what is distrusted or blocked, and what is not the content
/// that was enabled before; the periodic pass follows the verdict. While dates are doubted, neither disables content that was enabled
/// for a reason that another instant might not give.
#[must_use]
pub fn next_state(
    previous: Option<&AddonState>,
    sha256: Sha256Digest,
    verdict: &Verdict,
    cause: PassCause,
    dates: Dates<'_>,
) -> AddonState {
    let was_enabled = previous.is_some_and(|p| p.enabled && p.sha256 == sha256);
    let kind = verdict.kind;
    let doubted = match dates {
        Dates::Count => false,
        Dates::Doubted { .. } => kind.may_depend_on_time(),
    };
    let worked = matches!(dates, Dates::Doubted { earlier: Some(earlier) } if earlier.is_ok());
    let why = match (kind, cause) {
        (VerdictKind::Ok, _) => Why::Verified,
        // Distrust does not wait for the clock, unless it is the date alone that leaves only a distrusted path.
        (VerdictKind::Distrusted, _) if was_enabled && doubted && worked => Why::KeptUntilPeriodicPass,
        (VerdictKind::Distrusted | VerdictKind::Blocked, _) => Why::Refused,
        (_, PassCause::Recipe) if was_enabled => Why::KeptUntilPeriodicPass,
        (_, PassCause::Periodic) if was_enabled && doubted => Why::KeptUntilPeriodicPass,
        _ if doubted => Why::NotVerifiedYet,
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
    KeptUntilPeriodicPass: "enabled though it does not verify now: it was enabled with this very content, and only a recipe had it looked at, or the clock was not vouched for",
        "cure what its verdict names before the next periodic pass";
    NotVerified: "disabled: it does not verify",
        "see its verdict";
    NotVerifiedYet: "disabled: it is new or changed and does not verify, but the clock is not vouched for and a date may be behind that",
        "nothing: the first run under a clock that is vouched for looks again; see `clock` in `status --json`";
    Refused: "disabled: distrusted or blocked by a recipe",
        "see its verdict";
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HISTORIES: [Option<(&[u8], bool)>; 4] =
        [None, Some((b"same", true)), Some((b"same", false)), Some((b"other", true))];

    fn after(
        previous: Option<(&[u8], bool)>,
        now: &[u8],
        kind: VerdictKind,
        cause: PassCause,
        dates: Dates<'_>,
    ) -> (bool, Why) {
        let previous = previous.map(|(content, enabled)| AddonState {
            sha256: Sha256Digest::of(content),
            enabled,
            verdict: VerdictKind::Ok,
            why: Why::Verified,
            detail: String::new(),
        });
        let verdict = Verdict { kind, detail: "because".into() };
        let state = next_state(previous.as_ref(), Sha256Digest::of(now), &verdict, cause, dates);
        assert_eq!((state.verdict, state.detail.as_str()), (kind, "because"));
        (state.enabled, state.why)
    }

    #[test]
    fn every_kind_of_verdict_cause_and_history() {
        for kind in VerdictKind::ALL {
            for cause in [PassCause::Periodic, PassCause::Recipe] {
                for history in HISTORIES {
                    let expected = match kind {
                        VerdictKind::Ok => (true, Why::Verified),
                        VerdictKind::Distrusted | VerdictKind::Blocked => (false, Why::Refused),
                        _ if cause == PassCause::Recipe && history == Some((b"same", true)) => {
                            (true, Why::KeptUntilPeriodicPass)
                        }
                        _ => (false, Why::NotVerified),
                    };
                    assert_eq!(
                        after(history, b"same", kind, cause, Dates::Count),
                        expected,
                        "{kind:?} {cause:?} {history:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_distrust_that_only_a_date_lays_bare_waits_for_the_clock() {
        let ok = Verdict { kind: VerdictKind::Ok, detail: String::new() };
        let refused = Verdict { kind: VerdictKind::Distrusted, detail: String::new() };
        let enabled = Some((&b"same"[..], true));
        let after = |history, kind, earlier| {
            after(history, b"same", kind, PassCause::Recipe, Dates::Doubted { earlier })
        };
        assert_eq!(after(enabled, VerdictKind::Distrusted, Some(&ok)), (true, Why::KeptUntilPeriodicPass));
        assert_eq!(after(enabled, VerdictKind::Distrusted, Some(&refused)), (false, Why::Refused));
        assert_eq!(after(enabled, VerdictKind::Distrusted, None), (false, Why::Refused));
        assert_eq!(after(None, VerdictKind::Distrusted, Some(&ok)), (false, Why::Refused));
        assert_eq!(after(enabled, VerdictKind::Blocked, Some(&ok)), (false, Why::Refused));
    }

    proptest! {
        /// A doubted clock enables nothing but what verifies, disables nothing that another instant might not, and is looked
        /// at again.
        #[test]
        fn under_a_doubted_clock_no_date_disables(
            kind in proptest::sample::select(&VerdictKind::ALL[..]),
            cause in proptest::sample::select(vec![PassCause::Periodic, PassCause::Recipe]),
            history in proptest::sample::select(&HISTORIES[..]),
        ) {
            let doubted = after(history, b"same", kind, cause, Dates::Doubted { earlier: None });
            let certain = after(history, b"same", kind, cause, Dates::Count);
            let was_enabled = history == Some((&b"same"[..], true));
            prop_assert_eq!(doubted.0, kind == VerdictKind::Ok || (was_enabled && (
                certain.0 || (kind.may_depend_on_time() && kind != VerdictKind::Distrusted))));
            let again = !doubted.0 && kind.may_depend_on_time() && kind != VerdictKind::Distrusted;
            prop_assert_eq!(doubted.1 == Why::NotVerifiedYet, again);
        }
    }
}
