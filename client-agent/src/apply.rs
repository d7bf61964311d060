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
use mulberry_shared::clock::ClockStanding;
use mulberry_shared::decide::{Decision, Plan, Step};
use mulberry_shared::effects::Effects;
use mulberry_shared::enrolment::{self, Enrolment, EnrolmentState};
use mulberry_shared::never_worse::{self, Breakage, Worsened};
use mulberry_shared::recipe::{OnEnd, Phase, Precondition, Recipe, RecipePath, Verifies};
use mulberry_shared::status::Status;
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
    pub asked: Verifies,
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
        Run { enrolments, records, clock, judged: None, asked: Verifies::Nothing, failed_certificates: None };
    let results = plan.decisions.into_iter().map(|decision| run.decision(decision, bench)).collect();
    Outcome { enrolments: run.enrolments, results, asked: run.asked }
}

struct Run<'r> {
    enrolments: Vec<Enrolment>,
    records: &'r Records,
    clock: &'r ClockStanding,
    /// The verdicts under the present enrolments, once they were needed.
    judged: Option<Verdicts>,
    asked: Verifies,
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
        let detail = decision.detail();
        let Decision { path, revision, status, step, .. } = decision;
        let (did, made) = match step {
            Step::None => (String::new(), Ok(())),
            Step::Enrol(recipe) => (recipe.action.does().done(), self.enrol(*recipe, bench)),
            Step::Move { to, .. } => (to.action.does().done(), self.enrol(*to, bench)),
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
        match made {
            Ok(()) => self.asked = self.asked.max(action.does().verifies()),
            Err(_) if action.does().phase() == Phase::Certificates => {
                self.failed_certificates.get_or_insert(path);
            }
            Err(_) => {}
        }
        made
    }

    fn try_enrol(&mut self, recipe: Recipe, bench: &mut Bench<'_>) -> Result<(), Refused> {
        let failed = |detail: String| Refused { status: Status::ApplyFailed, detail };
        let action = recipe.action.does();
        for precondition in action.waits_for() {
            self.check(*precondition, bench).map_err(failed)?;
        }
        let declared = action.breaks();
        let path = recipe.path();
        let mut candidate: Vec<Enrolment> =
            self.enrolments.iter().filter(|e| e.path != path).cloned().collect();
        candidate.push(Enrolment {
            path,
            revision: recipe.revision,
            enrolled_at: bench.now(),
            state: EnrolmentState::Active,
            recipe: recipe.clone(),
        });
        let effects = enrolment::effects(&candidate, bench.now());
        bench.admits(action, &effects).map_err(|error| failed(error.to_string()))?;
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

    fn check(&self, precondition: Precondition, bench: &mut Bench<'_>) -> Result<(), String> {
        match (precondition, &self.failed_certificates, self.clock) {
            (Precondition::CertificatesApplied, Some(certificates), _) => Err(format!(
                "left out because {certificates} was not applied in this run; tried again in the next"
            )),
            (Precondition::AddonsListed, ..) => bench.list().map(|_| ()),
            // Until the clock is right no periodic pass runs anyway.
            (Precondition::ClockNotBehind, _, clock @ ClockStanding::Behind { .. }) => {
                Err(format!("it waits for the clock, as periodic verification does: {clock}"))
            }
            (Precondition::CertificatesApplied | Precondition::ClockNotBehind, ..) => Ok(()),
        }
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
        let (old, new) = (self.effects(bench.now()), enrolment::effects(&candidate, bench.now()));
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
        if old.judges_differently(&new) {
            self.asked = Verifies::All;
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
        let now = bench.now();
        let (old, new) = (self.effects(now), enrolment::effects(&candidate, now));
        if old.loses(&new) {
            self.can_check_a_loss(bench)?;
        }
        let mut after = None;
        // A hold must work even where add-ons cannot be read.
        if old.judges_differently(&new) {
            let corpus = bench.everything().map_err(NotAccepted::Unknown)?;
            let before = self.judged.get_or_insert_with(|| corpus.judge(&old, old.judged_as_of(now)));
            let judged = corpus.judge(&new, new.judged_as_of(now));
            never_worse::check(&pairs(before), &pairs(&judged), declared).map_err(NotAccepted::Worse)?;
            after = Some(judged);
        }
        // Nor may the periodic pass come back while a hold is all that keeps an add-on enabled. A hold's own date ends it.
        if old.hold_until.is_some() && new.hold_until.is_none() {
            let corpus = bench.everything().map_err(NotAccepted::Unknown)?;
            let verdicts = match &after {
                Some(after) => after,
                None => self.judged.get_or_insert_with(|| corpus.judge(&new, new.judged_as_of(now))),
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

    fn effects(&self, now: Timestamp) -> Effects {
        enrolment::effects(&self.enrolments, now)
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
