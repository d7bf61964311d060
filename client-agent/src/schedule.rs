//! When the daemon makes a run: a pure state machine, `(state, event, now) → (state, effects)`.
//!
//! ```text
//!                    Announced, Reconfigured, a clock jump: the run is moved up, within SPREAD
//!                    ┌──────┐
//!                    ▼      │            its time has come
//!   start ───────► Waiting ─┴─────────────────────────────────► Running ◄─┐ the same events: noted,
//!                    ▲  │                 effect: Run             │  │  └───┘ the next run is moved up
//!                    │  │                                         │  │
//!                    │  │ StopAsked       Ended: next poll,       │  │ StopAsked
//!                    │  │                 retry or pass is drawn  │  ▼
//!                    └──┼─────────────────────────────────────────┘ Finishing
//!                       ▼                                            │ Ended
//!                    Stopped ◄───────────────────────────────────────┘
//!                             effect: Stop
//! ```
//!
//! | a run is made | after |
//! |---|---|
//! | first | up to [`SPREAD`] |
//! | poll | up to the poll interval after a run that reached a current origin (full jitter) |
//! | retry | up to [`FIRST_RETRY`], doubled with each failure up to the poll interval (full jitter) |
//! | pass | when the periodic pass is due and no recipe holds it; also while no poll succeeds (the run then decides whether its clock is vouched for) |
//! | announced | up to [`SPREAD`], no sooner than [`REST`] after the run before; a burst is one run |
//!
//! Waits run on a steady clock, so a wall clock that is set does not stop them. A wall clock that moved otherwise than the steady
//! one (it was set, or the machine slept) means that what was decided by the wall clock is decided again soon.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::backoff::Dice;

/// What everybody does at once is spread over this: 10,000 agents that hear of an edition make 1,000 refreshes a second.
pub const SPREAD: Duration = Duration::from_secs(10);
/// Rest between a run and one that was only hinted at, so that nobody can drive an agent by shouting.
pub const REST: Duration = Duration::from_secs(5);
/// The longest wait after the first failure.
pub const FIRST_RETRY: Duration = Duration::from_secs(30);
/// The shortest wait before a poll or a retry, where the interval allows it.
pub const SHORTEST: Duration = Duration::from_secs(5);
/// The longest sleep: how soon a clock that jumped is noticed.
pub const GLANCE: Duration = Duration::from_secs(60);
/// How far the two clocks may drift apart between two looks before that counts as a jump.
pub const JUMP: SignedDuration = SignedDuration::from_secs(30);
/// An announced edition that the origin does not have yet (a cache before it is behind) is asked for so many times more.
const ASK_AGAIN: u32 = 3;
/// The periodic pass is made in the last eighth of its interval, never later: drawn again for each pass.
const PASS_JITTER: i32 = 8;

/// What time it is, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since the daemon started, by a clock that nobody sets.
    pub steady: Duration,
    /// The time of day.
    pub wall: Timestamp,
}

/// What can be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest time between two polls.
    pub poll: Duration,
    /// The longest time between two periodic passes.
    pub pass_every: SignedDuration,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The wake-up that was asked for, or any other: it is only looked at the clocks.
    Woke,
    /// The live stream named an edition. A hint: it moves a run up and does nothing else.
    Announced(u64),
    /// The run has ended.
    Ended(Ended),
    /// There are new settings.
    Reconfigured(Settings),
    /// The daemon shall stop.
    StopAsked,
}

/// How a run went, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Whether the origin gave a current edition.
    pub current: bool,
    /// The edition held now.
    pub edition: Option<u64>,
    /// When the last periodic pass was made.
    pub last_pass: Option<Timestamp>,
    /// Until when recipes hold the next.
    pub held_until: Option<Timestamp>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make a run; the periodic pass is due in it when the last is this old.
    Run {
        /// The jittered interval.
        pass_every: SignedDuration,
    },
    /// Send [`Event::Woke`] at this time of the steady clock, unless another event comes first.
    WakeAt(Duration),
    /// End.
    Stop,
}

/// Why the next run will be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The daemon started.
    Start,
    /// It is time to ask the origin.
    Poll,
    /// The last run did not reach a current origin.
    Retry,
    /// The periodic pass is due.
    Pass,
    /// The live stream named an edition.
    Announced,
    /// The settings changed.
    Settings,
    /// The clock jumped.
    Clock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { next: Duration, why: Why },
    Running { again: Option<Why> },
    Finishing,
    Stopped,
}

/// The state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    settings: Settings,
    phase: Phase,
    failures: u32,
    edition: Option<u64>,
    /// The edition announced and not held, and how often it was asked for in vain.
    hint: Option<(u64, u32)>,
    last_pass: Option<Timestamp>,
    pass_every: SignedDuration,
    /// No hinted run before this.
    rested: Duration,
    seen: Now,
    dice: Dice,
}

impl Schedule {
    /// A daemon that has just started. Send [`Event::Woke`] to set it going.
    #[must_use]
    pub fn new(settings: Settings, now: Now, mut dice: Dice) -> Self {
        let next = now.steady.saturating_add(dice.up_to(SPREAD));
        let pass_every = draw_pass(settings.pass_every, &mut dice);
        Self {
            settings,
            phase: Phase::Waiting { next, why: Why::Start },
            failures: 0,
            edition: None,
            hint: None,
            last_pass: None,
            pass_every,
            rested: now.steady,
            seen: now,
            dice,
        }
    }

    /// When the next run will be made, by the steady clock, and why; `None` during a run and at the end.
    #[must_use]
    pub fn next_run(&self) -> Option<(Duration, Why)> {
        match self.phase {
            Phase::Waiting { next, why } => Some((next, why)),
            _ => None,
        }
    }

    /// One event.
    #[must_use]
    pub fn step(mut self, event: Event, now: Now) -> (Self, Vec<Effect>) {
        if self.notice_jump(now) {
            self.soon(Why::Clock, now);
        }
        match event {
            Event::Woke => {}
            Event::Announced(edition) => self.announced(edition, now),
            Event::Ended(ended) => self.ended(ended, now),
            Event::Reconfigured(settings) => {
                self.settings = settings;
                self.pass_every = draw_pass(settings.pass_every, &mut self.dice);
                self.soon(Why::Settings, now);
            }
            Event::StopAsked => match self.phase {
                Phase::Running { .. } => self.phase = Phase::Finishing,
                Phase::Waiting { .. } => return self.stop(),
                Phase::Finishing | Phase::Stopped => {}
            },
        }
        match self.phase {
            Phase::Waiting { next, .. } if next <= now.steady => {
                self.phase = Phase::Running { again: None };
                let pass_every = self.pass_every;
                (self, vec![Effect::Run { pass_every }])
            }
            Phase::Waiting { next, .. } => {
                let wake = next.min(now.steady.saturating_add(GLANCE));
                (self, vec![Effect::WakeAt(wake)])
            }
            Phase::Finishing if matches!(event, Event::Ended(_)) => self.stop(),
            Phase::Running { .. } | Phase::Finishing | Phase::Stopped => (self, vec![]),
        }
    }

    fn stop(mut self) -> (Self, Vec<Effect>) {
        self.phase = Phase::Stopped;
        (self, vec![Effect::Stop])
    }

    fn notice_jump(&mut self, now: Now) -> bool {
        let steady = now.steady.saturating_sub(self.seen.steady);
        let wall = now.wall.duration_since(self.seen.wall);
        self.seen = now;
        let steady = SignedDuration::try_from(steady).unwrap_or(SignedDuration::MAX);
        wall.checked_sub(steady).is_none_or(|drift| drift.abs() > JUMP)
    }

    fn announced(&mut self, edition: u64, now: Now) {
        if self.edition == Some(edition) || self.hint.is_some_and(|(named, _)| named == edition) {
            return;
        }
        self.hint = Some((edition, 0));
        self.soon(Why::Announced, now);
    }

    fn ended(&mut self, ended: Ended, now: Now) {
        let again = match self.phase {
            Phase::Running { again } => again,
            Phase::Finishing | Phase::Waiting { .. } | Phase::Stopped => return,
        };
        self.edition = ended.edition;
        self.failures = if ended.current { 0 } else { self.failures.saturating_add(1) };
        self.rested = now.steady.saturating_add(REST);
        let poll = self.settings.poll;
        let (wait, why) = match ended.current {
            true => (self.dice.up_to(poll), Why::Poll),
            false => (self.dice.after_failures(self.failures, FIRST_RETRY.min(poll), poll), Why::Retry),
        };
        let next = now.steady.saturating_add(wait.max(SHORTEST.min(poll)));
        self.phase = Phase::Waiting { next, why };
        self.plan_pass(ended, now);
        if let Some(why) = again {
            self.soon(why, now);
        }
        self.ask_again(ended, now);
    }

    /// A pass that is overdue in spite of the run was held or failed; the next poll or retry makes it.
    fn plan_pass(&mut self, ended: Ended, now: Now) {
        if self.last_pass != ended.last_pass {
            self.last_pass = ended.last_pass;
            self.pass_every = draw_pass(self.settings.pass_every, &mut self.dice);
        }
        let due = self.last_pass.and_then(|last| last.checked_add(self.pass_every).ok());
        let due = match (due, ended.held_until) {
            (Some(due), Some(held)) => Some(due.max(held)),
            (due, held) => due.or(held),
        };
        if let Some(due) = due
            && let Ok(wait) = Duration::try_from(due.duration_since(now.wall))
            && !wait.is_zero()
        {
            // A hold ends at one instant for everybody.
            let wait = wait.saturating_add(self.dice.up_to(SPREAD));
            self.no_later_than(now.steady.saturating_add(wait), Why::Pass);
        }
    }

    fn ask_again(&mut self, ended: Ended, now: Now) {
        let Some((named, asked)) = self.hint else { return };
        if ended.edition.is_some_and(|held| held >= named) || asked >= ASK_AGAIN {
            self.hint = None;
            return;
        }
        self.hint = Some((named, asked.saturating_add(1)));
        let wait = REST.saturating_add(self.dice.up_to(SPREAD.saturating_mul(asked.saturating_add(1))));
        self.no_later_than(now.steady.saturating_add(wait), Why::Announced);
    }

    /// Moves the next run up. One that is near already stays where it is: drawing again for each hint of a burst would
    /// undo the spread.
    fn soon(&mut self, why: Why, now: Now) {
        match &mut self.phase {
            Phase::Running { again } => *again = Some(why),
            Phase::Waiting { next, .. } if *next > self.rested.max(now.steady).saturating_add(SPREAD) => {
                let at = now.steady.saturating_add(self.dice.up_to(SPREAD)).max(self.rested);
                self.no_later_than(at, why);
            }
            Phase::Waiting { .. } | Phase::Finishing | Phase::Stopped => {}
        }
    }

    fn no_later_than(&mut self, at: Duration, why: Why) {
        if let Phase::Waiting { next, why: reason } = &mut self.phase
            && at < *next
        {
            (*next, *reason) = (at, why);
        }
    }
}

fn draw_pass(every: SignedDuration, dice: &mut Dice) -> SignedDuration {
    let part = Duration::try_from(every).unwrap_or_default() / PASS_JITTER.unsigned_abs();
    let earlier = SignedDuration::try_from(dice.up_to(part)).unwrap_or_default();
    every.saturating_sub(earlier)
}

#[cfg(test)]
mod tests;
