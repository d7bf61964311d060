//! What the suites share: expectation against outcome, and the bookkeeping of cases that do not agree.

use std::collections::BTreeMap;
use std::fmt;

use mulberry_lab::real;

/// Whether a suite says, or we found, that a chain is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    /// With our reason, which is not compared.
    Refused(String),
}

impl Outcome {
    pub(crate) fn agrees(&self, accepted: bool) -> bool {
        matches!(self, Self::Accepted) == accepted
    }
}

/// Why a case is known not to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<F> {
    /// It needs a feature that Mulberry does not have and does not need.
    Excluded(F),
    /// Mulberry decides otherwise, for this reason.
    Diverged(&'static str),
}

/// How many cases there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) run: usize,
    pub(crate) excluded: usize,
    pub(crate) diverged: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}, excluded {}, diverged {}", self.run, self.excluded, self.diverged)
    }
}

/// One case as a suite has it.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) accepted: bool,
    pub(crate) outcome: Outcome,
}

/// Compares all cases with the suite's word and the table.
pub(crate) fn settle<F: Copy + fmt::Debug>(
    suite: &str,
    cases: &[Case],
    known: &BTreeMap<&str, Known<F>>,
) -> Counts {
    let mut counts = Counts::default();
    let mut wrong = Vec::new();
    for case in cases {
        let agrees = case.outcome.agrees(case.accepted);
        let expected = if case.accepted { "accepted" } else { "refused" };
        let Case { id, outcome, .. } = case;
        match known.get(id.as_str()) {
            None if agrees => counts.run += 1,
            None => wrong.push(format!("{id}: expected {expected}, got {outcome:?}")),
            Some(reason) if agrees => {
                wrong.push(format!("{id}: agrees now, strike it from the table: {reason:?}"));
            }
            Some(Known::Excluded(_)) => counts.excluded += 1,
            Some(Known::Diverged(_)) => counts.diverged += 1,
        }
    }
    for id in known.keys().filter(|id| !cases.iter().any(|case| case.id == **id)) {
        wrong.push(format!("{id}: is in the table and not in the suite"));
    }
    real::announce(&format!("{suite}: {counts}"));
    assert!(wrong.is_empty(), "{suite}: {} cases:\n{}", wrong.len(), wrong.join("\n"));
    counts
}
