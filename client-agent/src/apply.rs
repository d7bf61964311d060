//! Applying a plan, in memory: which of its steps hold together with what is there.
//!
//! ```text
//! for each decision, in the plan's order
//!
//!   candidate = enrolments with this one step
//!        │ anchors do not admit it ─────────────► apply-failed ──┐
//!        ▼                                                       │
//!   fold old and candidate, judge every add-on                   │ left out alone:
//!   against both at one instant                                  │ the enrolments stay as they were,
//!        │ one that worked would not ───────────► would-break /  │ the next decision is tried
//!        ▼                                        kept-would-… ──┘
//!   candidate becomes the enrolments: applied, reverted, …
//! ```
//!
//! Nothing here touches a disk; the driver commits the outcome as a whole.

use jiff::Timestamp;
use mulberry_shared::addon_trust::AddonTrust;
use mulberry_shared::clock::ClockStanding;
use mulberry_shared::decide::{Decision, Plan, Step};
use mulberry_shared::enrolment::{Enrolment, EnrolmentState};
use mulberry_shared::never_worse::{self, Breakage, Worsened};
use mulberry_shared::recipe::{Action, OnEnd, Recipe, RecipePath, WhichAddons};
use mulberry_shared::status::Status;
use mulberry_shared::x509::Certificate;
use mulberry_shared::xpi::{Verdict, VerdictKind};

use crate::examine::{Bench, Content, Seen, Verdicts};
use crate::passes::Records;
use crate::state::RecipeResult;

/// What applying a plan came to.
#[derive(Debug)]
pub struct Outcome {
    /// The enrolments to commit.
    pub enrolments: Vec<Enrolment>,
    /// Every recipe's status, in the plan's order.
    pub results: Vec<RecipeResult>,
    /// What the applied recipes ask to be verified again.
    pub asked: Asked,
}

/// Which add-ons recipes ask to be verified again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// None.
    Nothing,
    /// Those that are disabled.
    Disabled,
    /// All.
    All,
}

/// Applies a plan to enrolments; `records` are the add-ons as the last run left them, `clock` is what is believed of the bench's instant.
pub fn apply(
    plan: Plan,
    enrolments: Vec<Enrolment>,
    records: &Records,
    clock: &ClockStanding,
    bench: &mut Bench<'_>,
) -> Outcome {
    let mut run =
        Run { enrolments, records, clock, judged: None, asked: Asked::Nothing, failed_certificates: None };
    let results = plan.decisions.into_iter().map(|decision| run.decision(decision, bench)).collect();
    Outcome { enrolments: run.enrolments, results, asked: run.asked }
}

struct Run<'r> {
    enrolments: Vec<Enrolment>,
    records: &'r Records,
    clock: &'r ClockStanding,
    /// The verdicts under the present enrolments, once they were needed.
    judged: Option<Verdicts>,
    asked: Asked,
    /// The first certificate action that failed in this run.
    failed_certificates: Option<RecipePath>,
}

/// A step that was not made.
struct Refused {
    status: Status,
    detail: String,
}

impl Run<'_> {
    fn decision(&mut self, decision: Decision, bench: &mut Bench<'_>) -> RecipeResult {
        let Decision { path, revision, status, detail, step } = decision;
        let (did, made) = match step {
            Step::None => (String::new(), Ok(())),
            Step::Enrol(recipe) => (did(&recipe.action), self.enrol(*recipe, bench)),
            Step::Move { to, .. } => (did(&to.action), self.enrol(*to, bench)),
            Step::End { enrolment, how } => (String::new(), self.end(&enrolment, how, bench)),
        };
        match made {
            Ok(()) => {
                tracing::info!(recipe = %path, %status, detail, "decided");
                RecipeResult { path, revision, status, detail: if detail.is_empty() { did } else { detail } }
            }
            Err(refused) => {
                tracing::warn!(recipe = %path, status = %refused.status, detail = refused.detail, "not applied");
                RecipeResult { path, revision, status: refused.status, detail: refused.detail }
            }
        }
    }

    fn enrol(&mut self, recipe: Recipe, bench: &mut Bench<'_>) -> Result<(), Refused> {
        let path = recipe.path();
        let action = recipe.action.clone();
        let made = self.try_enrol(recipe, bench);
        match (&made, &action) {
            (Ok(()), Action::InstallCertificates { .. } | Action::DistrustCertificates { .. }) => {
                self.asked = Asked::All;
            }
            (Ok(()), Action::ReverifyAddons { which: WhichAddons::All }) => self.asked = Asked::All,
            (Ok(()), Action::ReverifyAddons { which: WhichAddons::Disabled }) => {
                self.asked = self.asked.max(Asked::Disabled);
            }
            (Ok(()), Action::HoldVerification { .. }) => {}
            (Err(_), Action::InstallCertificates { .. } | Action::DistrustCertificates { .. }) => {
                self.failed_certificates.get_or_insert(path);
            }
            (Err(_), Action::ReverifyAddons { .. } | Action::HoldVerification { .. }) => {}
        }
        made
    }

    fn try_enrol(&mut self, recipe: Recipe, bench: &mut Bench<'_>) -> Result<(), Refused> {
        let failed = |detail: String| Refused { status: Status::ApplyFailed, detail };
        // Verifying again without the certificates it was meant for would only disable more (2019).
        if let (Action::ReverifyAddons { .. }, Some(certificates)) =
            (&recipe.action, &self.failed_certificates)
        {
            return Err(failed(format!(
                "left out because {certificates} was not applied in this run; tried again in the next"
            )));
        }
        // One that could not look at a single add-on has not verified anything again.
        if let Action::ReverifyAddons { .. } = recipe.action {
            bench.list().map_err(failed)?;
        }
        // It counts from its start, so it would end too soon; and until the clock is right no periodic pass runs anyway.
        if let (Action::HoldVerification { .. }, ClockStanding::Behind { .. }) = (&recipe.action, self.clock)
        {
            let clock = self.clock;
            return Err(failed(format!("it waits for the clock, as periodic verification does: {clock}")));
        }
        let declared = match recipe.action {
            Action::DistrustCertificates { .. } => Breakage::Distrusted,
            Action::InstallCertificates { .. }
            | Action::ReverifyAddons { .. }
            | Action::HoldVerification { .. } => Breakage::Nothing,
        };
        let path = recipe.path();
        let mut candidate: Vec<Enrolment> =
            self.enrolments.iter().filter(|e| e.path != path).cloned().collect();
        candidate.push(Enrolment {
            path,
            revision: recipe.revision,
            enrolled_at: bench.at(),
            state: EnrolmentState::Active,
            recipe: recipe.clone(),
        });
        let trust = AddonTrust::from_enrolments(&candidate, bench.at());
        bench.admits(&recipe.action, &trust).map_err(failed)?;
        self.accept(candidate, declared, bench).map_err(|error| match error {
            NotAccepted::Unknown(problem) | NotAccepted::Clock(problem) => {
                failed(format!("what it would do to add-ons is not known: {problem}"))
            }
            NotAccepted::Worse(worsened) => Refused {
                status: Status::WouldBreakAddons,
                detail: format!("not applied: it would break {}", sentence(&worsened)),
            },
        })
    }

    fn end(&mut self, enrolment: &Enrolment, how: OnEnd, bench: &mut Bench<'_>) -> Result<(), Refused> {
        let mut candidate = self.enrolments.clone();
        match how {
            OnEnd::Keep => {
                for present in candidate.iter_mut().filter(|e| e.path == enrolment.path) {
                    present.state = EnrolmentState::KeptAfterEnd;
                }
            }
            OnEnd::Revert => candidate.retain(|e| e.path != enrolment.path),
        }
        let (old, new) = (self.trust(bench.at()), AddonTrust::from_enrolments(&candidate, bench.at()));
        let holds = matches!(enrolment.recipe.action, Action::HoldVerification { .. });
        self.accept(candidate, Breakage::Nothing, bench).map_err(|error| match error {
            // Nothing says that the end would break anything, nor that it has come.
            NotAccepted::Clock(problem) => Refused {
                status: Status::Unchanged,
                detail: format!("its effects stay, and its end {problem}"),
            },
            NotAccepted::Unknown(problem) => Refused {
                status: Status::KeptWouldBreak,
                detail: format!(
                    "its effects stay, because what its end would do to add-ons is not known: {problem}"
                ),
            },
            NotAccepted::Worse(worsened) => Refused {
                status: Status::KeptWouldBreak,
                detail: format!("its effects stay, because its end would break {}", sentence(&worsened)),
            },
        })?;
        if old != new && !holds {
            self.asked = Asked::All;
        }
        Ok(())
    }

    /// Whether the comparison before something is taken away would be complete: at a time that is vouched for, and of all add-ons
    /// that are enabled.
    fn can_check_a_loss(&self, bench: &mut Bench<'_>) -> Result<(), NotAccepted> {
        // At a wrong instant nothing may seem to break because nothing works: ten years ahead everything has expired anyway.
        if !self.clock.is_vouched() {
            return Err(NotAccepted::Clock(format!("waits for the clock: {}", self.clock)));
        }
        let gaps = bench.gaps().map_err(NotAccepted::Unknown)?;
        let seen = bench.everything().map_err(NotAccepted::Unknown)?.seen();
        let problem = |path: &str| -> Option<String> {
            match seen.binary_search_by(|seen| seen.path.as_str().cmp(path)) {
                Ok(found) => match &seen.get(found)?.content {
                    Content::Unreadable(problem) => Some(problem.clone()),
                    Content::Read { .. } | Content::TooLarge(_) => None,
                },
                Err(_) => gaps.over(path).map(|gap| gap.problem.clone()),
            }
        };
        let mut unread = self
            .records
            .iter()
            .filter(|(_, record)| record.decided().is_some_and(|state| state.enabled))
            .filter_map(|(path, _)| Some((path, problem(path)?)));
        let Some((first, problem)) = unread.next() else { return Ok(()) };
        Err(NotAccepted::Unknown(match unread.count() {
            0 => format!("{first} is enabled and cannot be read ({problem})"),
            more => format!("{first} and {more} more are enabled and cannot be read ({problem})"),
        }))
    }

    /// Makes `candidate` the enrolments, if no add-on that works stops working.
    fn accept(
        &mut self,
        candidate: Vec<Enrolment>,
        declared: Breakage,
        bench: &mut Bench<'_>,
    ) -> Result<(), NotAccepted> {
        let at = bench.at();
        let (old, new) = (self.trust(at), AddonTrust::from_enrolments(&candidate, at));
        if old.loses(&new) {
            self.can_check_a_loss(bench)?;
        }
        let mut after = None;
        // Verdicts depend on these two alone: a hold must work even where add-ons cannot be read.
        if (&old.pool, &old.distrust) != (&new.pool, &new.distrust) {
            let corpus = bench.everything().map_err(NotAccepted::Unknown)?;
            let before = self.judged.get_or_insert_with(|| corpus.judge(&old, at));
            let judged = corpus.judge(&new, at);
            never_worse::check(&pairs(before), &pairs(&judged), declared).map_err(NotAccepted::Worse)?;
            after = Some(judged);
        }
        // Nor may the periodic pass come back while a hold is all that keeps an add-on enabled. A hold's own date ends it.
        if old.hold_until.is_some() && new.hold_until.is_none() {
            let corpus = bench.everything().map_err(NotAccepted::Unknown)?;
            let verdicts = match &after {
                Some(after) => after,
                None => self.judged.get_or_insert_with(|| corpus.judge(&new, at)),
            };
            let held = kept_by_a_hold(self.records, corpus.seen(), verdicts);
            if !held.is_empty() {
                return Err(NotAccepted::Worse(held));
            }
        }
        if after.is_some() {
            self.judged = after;
        }
        self.enrolments = candidate;
        Ok(())
    }

    fn trust(&self, at: Timestamp) -> AddonTrust {
        AddonTrust::from_enrolments(&self.enrolments, at)
    }
}

enum NotAccepted {
    /// Only under a clock that is vouched for.
    Clock(String),
    /// It cannot be checked.
    Unknown(String),
    /// It was checked.
    Worse(Vec<Worsened<String>>),
}

/// The add-ons that are enabled with the content that was seen, and that a periodic pass would disable for another reason
/// than distrust.
fn kept_by_a_hold(records: &Records, seen: &[Seen], verdicts: &Verdicts) -> Vec<Worsened<String>> {
    let lost = |seen: &Seen| {
        let Content::Read { sha256, .. } = &seen.content else { return None };
        let state = records.get(&seen.path)?.state.as_ref()?;
        let verdict = verdicts.get(&seen.path)?;
        let works = state.enabled && state.sha256 == *sha256;
        let meant = matches!(verdict.kind, VerdictKind::Ok | VerdictKind::Distrusted | VerdictKind::Blocked);
        (works && !meant).then(|| Worsened { addon: seen.path.clone(), after: Some(verdict.clone()) })
    };
    seen.iter().filter_map(lost).collect()
}

fn pairs(verdicts: &Verdicts) -> Vec<(String, Verdict)> {
    verdicts.iter().map(|(addon, verdict)| (addon.clone(), verdict.clone())).collect()
}

/// What an action that was applied has done.
fn did(action: &Action) -> String {
    match action {
        Action::InstallCertificates { certificates } => {
            let names: Vec<String> = certificates.iter().map(Certificate::described).collect();
            format!("installed {}", names.join(", "))
        }
        Action::DistrustCertificates { by } => format!("distrusts what its entries name: {}", by.len()),
        Action::HoldVerification { until } => format!("holds periodic verification until {until:.0}"),
        Action::ReverifyAddons { which } => format!("verified again: {} add-ons", which.as_str()),
    }
}

/// How many and, as an example, the first.
fn sentence(worsened: &[Worsened<String>]) -> String {
    let example = worsened.first().map_or_else(String::new, |first| match &first.after {
        Some(after) => format!(": {} would be {} ({})", first.addon, after.kind, after.detail),
        None => format!(": {} could not be judged", first.addon),
    });
    match worsened.len() {
        1 => format!("1 add-on that works{example}"),
        many => format!("{many} add-ons that work, among them{example}"),
    }
}
