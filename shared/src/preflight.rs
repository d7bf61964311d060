//! What a recipe would do to a corpus of add-ons, said before anybody signs it.
//!
//! ```text
//! Preflight::new(question) ── folds the recipe as an agent that takes it does: trust before and after, at each time
//!     │
//!     ├─ look(inspection) ── one add-on: its verdicts, and the intermediates it came with    (side by side, in any order)
//!     ▼
//! report(everything seen) ── better, worse, findings in words, passed or not
//! ```
//!
//! Nothing is decided here: verdicts are [`Inspection::judge`]'s, what is in force is [`Effects`]'s, what may be installed or
//! distrusted is [`Admission`]'s, and worse is what [`never_worse`](crate::never_worse) says, all as in an agent. Where agents would refuse
//! the recipe, a finding says so, and the verdicts are those that it would have led to. An inspection is not needed any more
//! once it was looked at: what stays of an add-on are its verdicts.

mod certificates;
mod corpus;
mod finding;
mod report;
mod summary;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

pub use finding::{Finding, FindingKind, Severity};
pub use report::{AddonReport, Change, Judged, Moment, RecipeFacts, Report, Unread};

use crate::digest::Sha256Digest;
use crate::effects::{Admission, Effects};
use crate::enrolment::{self, Enrolment, EnrolmentState};
use crate::limits::Limits;
use crate::recipe::{Proof, Recipe};
use crate::x509::{Anchors, Certificate, Distrust, Pool, SignatureMemo};
use crate::xpi::{Inspection, JudgeContext, Policy};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What would be published.
    pub recipe: &'a Recipe,
    /// The anchors that clients pin.
    pub anchors: &'a Anchors,
    /// Intermediates that clients hold besides those embedded in add-ons. A re-verification is asked whether they help:
    /// then they count afterwards only.
    pub known: &'a [Certificate],
    /// The policy of the clients, and of the inspections.
    pub policy: &'a Policy,
    /// When: each is a question of its own.
    pub times: &'a [Timestamp],
    /// How many add-ons a distrust is meant to disable.
    pub expect_disabled: Option<u64>,
    /// Ceilings.
    pub limits: &'a Limits,
}

/// A question, ready for add-ons. Shared between threads by reference.
#[derive(Debug)]
pub struct Preflight<'a> {
    question: Question<'a>,
    moments: Vec<Trusts>,
    memo: SignatureMemo,
    /// Each certificate to be installed as if it were an anchor: to ask whether it signed an end entity.
    issuers: Vec<Anchors>,
    /// Every intermediate of the corpus once, however many add-ons came with it: the memory of one serves all.
    seen: Mutex<BTreeSet<Certificate>>,
}

/// What is trusted at one time.
#[derive(Debug)]
struct Trusts {
    at: Timestamp,
    before: Pool,
    after: Pool,
    /// What the recipe, taken at this time, puts in force.
    taken: Effects,
}

/// What was seen of one add-on; [`Preflight::report`] makes something of it.
#[derive(Clone, Debug)]
pub struct Looked {
    key: String,
    id: Option<String>,
    version: Option<String>,
    sha256: Option<Sha256Digest>,
    judged: Vec<Judged>,
    /// The embedded intermediates that an anchor vouches for, sorted.
    intermediates: Vec<Certificate>,
    /// Which of the certificates to be installed signed one of its end entities.
    signed_by: Vec<usize>,
}

impl<'a> Preflight<'a> {
    /// Folds the recipe at every time of the question.
    #[must_use]
    pub fn new(question: Question<'a>) -> Self {
        let known: Pool = question.known.iter().cloned().collect();
        let moments = question.times.iter().map(|at| {
            let taken = enrolment::effects(&[taken(question.recipe, *at)], *at);
            let before = match question.recipe.action.does().proof() {
                Proof::SomethingBetter { held_count_before: false, .. } => Pool::new(),
                Proof::SomethingBetter { .. } | Proof::Disables | Proof::NoVerdict { .. } => known.clone(),
            };
            let mut after = known.clone();
            after.extend(taken.pool.iter().cloned());
            Trusts { at: *at, before, after, taken }
        });
        let installed = question.recipe.action.does().installs();
        let issuers = installed.iter().map(|certificate| Anchors::from_iter([certificate.clone()]));
        Self {
            question,
            moments: moments.collect(),
            memo: SignatureMemo::default(),
            issuers: issuers.collect(),
            seen: Mutex::default(),
        }
    }

    /// Judges one add-on before and after, at every time. `key` is what the report calls it.
    #[must_use]
    pub fn look(&self, key: String, inspection: &Inspection) -> Looked {
        let nothing = Distrust::default();
        let judge = |pool, distrust, at| {
            let Question { anchors, policy, limits, .. } = self.question;
            inspection.judge(&JudgeContext { anchors, pool, distrust, memo: &self.memo, policy, limits }, at)
        };
        let judged = self.moments.iter().map(|moment| {
            let before = judge(&moment.before, &nothing, moment.at);
            let after = judge(&moment.after, &moment.taken.distrust, moment.at);
            Judged { at: moment.at, change: Change::between(&before, &after), before, after }
        });
        Looked {
            key,
            id: inspection.id.clone(),
            version: inspection.version.clone(),
            sha256: inspection.sha256,
            judged: judged.collect(),
            intermediates: self.once(corpus::intermediates(inspection, &self.question, &self.memo)),
            signed_by: corpus::signed_by(inspection, &self.issuers, &self.question, &self.memo),
        }
    }

    /// The answer, from everything that was seen, in any order, and what could not be read.
    #[must_use]
    pub fn report(&self, mut looked: Vec<Looked>, mut unread: Vec<Unread>) -> Report {
        looked.sort_by(|a, b| a.key.cmp(&b.key));
        unread.sort_by(|a, b| a.key.cmp(&b.key));
        let corpus = corpus::Corpus::of(&looked);
        let mut findings = certificates::findings(self, &corpus);
        let (times, outcome) = summary::of(self, &looked);
        findings.extend(outcome);
        findings.extend(corpus.next_to_run_out(&self.question));
        findings.extend(unread.first().map(|_| summary::unread(unread.len())));
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let addons = looked.into_iter().map(|one| AddonReport {
            key: one.key,
            id: one.id,
            version: one.version,
            sha256: one.sha256,
            verdicts: one.judged,
        });
        Report {
            format: Report::FORMAT,
            recipe: RecipeFacts::of(self.question.recipe),
            policy: self.question.policy.name,
            passed: findings.iter().all(|finding| finding.severity != Severity::Failure),
            times,
            findings,
            addons: addons.collect(),
            unread,
        }
    }

    fn once(&self, certificates: Vec<Certificate>) -> Vec<Certificate> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let once = certificates.into_iter().map(|certificate| match seen.get(&certificate) {
            Some(first) => first.clone(),
            None => {
                seen.insert(certificate.clone());
                certificate
            }
        });
        once.collect()
    }

    fn admission(&self) -> Admission<'_> {
        let Question { anchors, limits, .. } = self.question;
        Admission { anchors, memo: &self.memo, limits: &limits.x509 }
    }
}

/// The enrolment of an agent that takes the recipe at this time.
fn taken(recipe: &Recipe, at: Timestamp) -> Enrolment {
    Enrolment {
        path: recipe.path(),
        revision: recipe.revision,
        enrolled_at: at,
        state: EnrolmentState::Active,
        recipe: recipe.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::arbitrary::{certificates, day, recipe};
    use crate::recipe::{
        Action, DistrustCertificates, DistrustEntry, HoldVerification, InstallCertificates, ReverifyAddons,
        WhichAddons,
    };
    use crate::xpi::{Verdict, VerdictKind};
    use proptest::prelude::Strategy;
    use proptest::strategy::ValueTree;

    /// The kinds of the failures when the add-ons' verdicts are these, before and after.
    fn failures(
        action: Action,
        expected: Option<u64>,
        verdicts: &[(VerdictKind, VerdictKind)],
    ) -> Vec<FindingKind> {
        failures_under(&Anchors::from_iter(certificates().pop()), action, expected, verdicts)
    }

    fn failures_under(
        anchors: &Anchors,
        action: Action,
        expected: Option<u64>,
        verdicts: &[(VerdictKind, VerdictKind)],
    ) -> Vec<FindingKind> {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut recipe = recipe().new_tree(&mut runner).unwrap().current();
        recipe.action = action;
        let (limits, policy, times) = (Limits::default(), Policy::firefox(), [day(400)]);
        let question = Question {
            recipe: &recipe,
            anchors,
            known: &[],
            policy: &policy,
            times: &times,
            expect_disabled: expected,
            limits: &limits,
        };
        let looked = verdicts.iter().enumerate().map(|(number, (before, after))| {
            let (before, after) = (Verdict::new(*before, ""), Verdict::new(*after, ""));
            let judged = Judged { at: times[0], change: Change::between(&before, &after), before, after };
            Looked {
                key: number.to_string(),
                id: None,
                version: None,
                sha256: None,
                judged: vec![judged],
                intermediates: Vec::new(),
                signed_by: Vec::new(),
            }
        });
        let report = Preflight::new(question).report(looked.collect(), Vec::new());
        assert_eq!(report.passed, report.failures() == 0);
        let failures = report.findings.into_iter().filter(|finding| finding.severity == Severity::Failure);
        failures.map(|finding| finding.kind).collect()
    }

    use VerdictKind::{Distrusted, IssuerExpired, Ok as Good};

    #[test]
    fn one_add_on_that_gets_worse_fails_whatever_else_gets_better() {
        let again = || Action::ReverifyAddons(ReverifyAddons { which: WhichAddons::All });
        assert_eq!(failures(again(), None, &[(IssuerExpired, Good)]), []);
        assert_eq!(failures(again(), None, &[(IssuerExpired, Good), (Good, Good)]), []);
        assert_eq!(
            failures(again(), None, &[(IssuerExpired, Good), (Good, IssuerExpired)]),
            [FindingKind::GetsWorse]
        );
        assert_eq!(
            failures(again(), None, &[(IssuerExpired, Good), (Good, Distrusted)]),
            [FindingKind::GetsWorse]
        );
        assert_eq!(failures(again(), None, &[(Good, Good)]), [FindingKind::NothingBetter]);
        assert_eq!(failures(again(), None, &[]), [FindingKind::EmptyCorpus, FindingKind::NothingBetter]);
    }

    #[test]
    fn a_distrust_disables_only_what_it_distrusts_and_only_as_many_as_expected() {
        let distrust = || {
            Action::DistrustCertificates(DistrustCertificates {
                by: vec![DistrustEntry::Spki(certificates()[1].spki_sha256())],
            })
        };
        let three = [(Good, Distrusted), (Good, Distrusted), (IssuerExpired, Distrusted), (Good, Good)];
        assert_eq!(failures(distrust(), Some(2), &three), []);
        assert_eq!(failures(distrust(), Some(3), &three), [FindingKind::DisablesUnexpected]);
        assert_eq!(failures(distrust(), None, &three), [FindingKind::DisablesUnexpected]);
        assert_eq!(failures(distrust(), Some(0), &[(Good, IssuerExpired)]), [FindingKind::GetsWorse]);
        let hold = Action::HoldVerification(HoldVerification { until: day(401) });
        assert_eq!(failures(hold, None, &[(Good, Good), (IssuerExpired, IssuerExpired)]), []);
    }

    /// In a recipe these break its rules already; whoever builds one otherwise is told here.
    #[test]
    fn the_root_itself_is_named_as_such() {
        let root = certificates().pop().unwrap();
        let action = Action::from(InstallCertificates { certificates: vec![root] });
        assert_eq!(failures(action, None, &[(IssuerExpired, Good)]), [FindingKind::TheRootItself]);
    }

    #[test]
    fn an_intermediate_that_was_given_as_anchor_is_not_called_a_root() {
        let intermediate = certificates().remove(0);
        let anchors = Anchors::from_iter([intermediate.clone()]);
        let action = Action::from(InstallCertificates { certificates: vec![intermediate] });
        assert_eq!(
            failures_under(&anchors, action, None, &[(IssuerExpired, Good)]),
            [FindingKind::AnchorNotARoot]
        );
    }
}
