//! How far one person alone may open a gate: narrower, back to where it was, or the next step of the plan that people signed
//! with the recipe, once the step before it has baked. What only people may open, one person alone can only narrow.
//!
//! What has baked is told by the server's clock alone, as far as that is believed ([`Time`]). It says that time has passed, not
//! that all is well: nobody counts reports here.

use jiff::Timestamp;
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::operators::NextStep;
use mulberry_shared::recipe::{Opens, Recipe, Step};
use mulberry_shared::sampling::BasisPoints;

use crate::clock::watch::Time;
use crate::state::Pace;

/// Whether one person alone may open it so far.
///
/// # Errors
/// Why not, in words.
pub(super) fn alone(
    recipe: &Recipe,
    pace: Option<&Pace>,
    current: Option<&Gate>,
    wanted: BasisPoints,
    time: &Time,
) -> Result<(), String> {
    if recipe.opens == Opens::People {
        return match current.filter(|gate| gate.state == GateState::Open) {
            Some(gate) if wanted <= gate.percent => Ok(()),
            _ => {
                Err(format!("only the people of the {} lane open it, as many as sign a recipe", recipe.lane))
            }
        };
    }
    let most = recipe.rollout.max_percent;
    let wanted = wanted.min(most);
    let reached = reached(recipe, pace);
    if wanted <= reached {
        return Ok(());
    }
    let Some((next, before)) = recipe.rollout.next(reached) else {
        return Err(match recipe.rollout.plan.last() {
            None => "people signed no plan of steps with it".to_owned(),
            Some(last) => format!("the plan that people signed with it ends at {}", last.percent),
        });
    };
    if wanted > next.percent {
        return Err(format!("the next step of its plan is {}", next.percent));
    }
    let Some(before) = before.filter(|before| !before.bake.is_zero()) else { return Ok(()) };
    match ready(before, recipe, pace, current, time) {
        Some(Ready { from, .. }) if from <= time.now => Ok(()),
        Some(Ready { from, anew }) => {
            let why = if anew {
                "; the clock was not to be believed before, so its time started again"
            } else {
                ""
            };
            let (percent, bake) = (before.percent, before.bake);
            let now = time.now;
            Err(format!(
                "its plan leaves it at {percent} for at least {bake:#}, until {from:.0}{why}; this server's clock reads {now:.0}"
            ))
        }
        None => Err(format!(
            "its plan leaves it at {} for at least {:#}, and it is not open so far now; open that first",
            before.percent, before.bake
        )),
    }
}

/// The next step that one person may take alone, and from when on: that of the plan, or back to the one before it, which has to
/// bake first and is not open so far.
#[must_use]
pub fn next_step(
    recipe: &Recipe,
    pace: Option<&Pace>,
    current: Option<&Gate>,
    time: &Time,
) -> Option<NextStep> {
    if recipe.opens == Opens::People || current.is_some_and(|gate| gate.state == GateState::Ended) {
        return None;
    }
    let (next, before) = recipe.rollout.next(reached(recipe, pace))?;
    let (percent, from) = match before.filter(|before| !before.bake.is_zero()) {
        Some(before) => match ready(before, recipe, pace, current, time) {
            Some(ready) => (next.percent, Some(ready.from)),
            None => (before.percent, recipe.starts),
        },
        None => (next.percent, recipe.starts),
    };
    Some(NextStep { percent: percent.get(), from })
}

/// How far this revision was ever open.
fn reached(recipe: &Recipe, pace: Option<&Pace>) -> BasisPoints {
    pace.filter(|pace| pace.revision == recipe.revision).map_or(BasisPoints::NOBODY, |pace| pace.reached)
}

/// When a step has baked.
struct Ready {
    from: Timestamp,
    /// Whether its time started again, since nobody can tell how long it has been.
    anew: bool,
}

/// When the step has baked; `None` while the gate is not open so far. A pause starts the time again, and before the recipe is in
/// force nobody takes it, so nothing bakes.
fn ready(
    step: &Step,
    recipe: &Recipe,
    pace: Option<&Pace>,
    current: Option<&Gate>,
    time: &Time,
) -> Option<Ready> {
    let most = recipe.rollout.max_percent;
    current.filter(|gate| gate.state == GateState::Open && gate.percent.min(most) >= step.percent)?;
    // When it was recorded, whatever instant people signed for.
    let last = &pace?.last;
    let counts = time.counts_from(last.event, last.at);
    let since = recipe.starts.map_or(counts, |starts| counts.max(starts));
    Some(Ready { from: since.saturating_add(step.bake).unwrap_or(Timestamp::MAX), anew: counts != last.at })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use mulberry_shared::recipe::Lane;
    use proptest::prelude::*;

    use super::*;
    use crate::clock::watch::{Doubt, Reading, Watch};
    use crate::event::{Event, SetGate};
    use crate::ledger;
    use crate::services::publish;
    use crate::state::{self, Stamp, State};
    use crate::test_support::{Proposal, initial_state, path, start};
    use mulberry_shared::limits::Limits;
    use mulberry_shared::operators::LedgerHead;

    const AT: &str = "emergency/paced.json";
    const DAY: i64 = 24 * 3_600;
    /// How long its first step bakes.
    const BAKE: u64 = 600;

    /// A server with one recipe that one person opens in two steps, seen by somebody who knows how much time really passes.
    struct World {
        state: State,
        /// Seconds that really passed.
        passed: u64,
        /// How far the wall clock is off.
        off: i64,
        /// When the server started.
        booted: u64,
        watch: Watch,
        signed: Timestamp,
        doubt: Option<Doubt>,
        /// When the first step was opened.
        opened: Option<u64>,
    }

    impl World {
        fn new() -> Self {
            let before = initial_state();
            let proposal = Proposal::new(&before, Lane::Emergency, &[(AT, 1)], &[]);
            let limits = Limits::default();
            let event = publish::decide(&before, Lane::Emergency, &proposal.request(), start(), &limits);
            let state =
                state::apply(Some(&before), &event.unwrap().unwrap(), ledger::EMPTY, &limits).unwrap();
            let reading = Reading { wall: start(), steady: Duration::ZERO };
            let watch = Watch::start(reading, 2, Some(start()), None);
            let (signed, doubt) = (start(), None);
            Self { state, passed: 0, off: 0, booted: 0, watch, signed, doubt, opened: None }
        }

        fn reading(&self) -> Reading {
            let wall = i64::try_from(self.passed).unwrap() + self.off;
            let wall = start() + SignedDuration::from_secs(wall);
            Reading { wall, steady: Duration::from_secs(self.passed - self.booted) }
        }

        /// Looks at the clocks, and signs what is served.
        fn look(&mut self) -> Time {
            let (time, _) = self.watch.look(self.reading(), self.state.head.sequence);
            (self.signed, self.doubt) = (time.now, time.doubt());
            time
        }

        fn restart(&mut self) {
            self.booted = self.passed;
            self.watch =
                Watch::start(self.reading(), self.state.head.sequence, Some(self.signed), self.doubt);
        }

        fn set(&mut self, state: GateState, time: &Time) {
            let (number, current) = (self.state.head.sequence + 1, self.state.gates.of(&path(AT), 1));
            let percent = BasisPoints::new(100).unwrap();
            let floor = self.state.pace(&path(AT)).and_then(|pace| pace.floor(time.now));
            let since = floor.map_or(time.now, |floor| floor.max(time.now));
            if current.is_some_and(|gate| gate.state == state) {
                return;
            }
            let (reason, note) = ("r".into(), String::new());
            let gate = SetGate { revision: 1, state, percent, reason, note, since };
            let event = Event::GateSet { path: path(AT), gate };
            let stamp = Stamp { event: number, at: time.now, by: crate::test_support::actor("mei") };
            let head = LedgerHead { sequence: number, ..ledger::EMPTY };
            let next = state::advance(Some(self.state.clone()), &event, &stamp, head, &Limits::default());
            self.state = next.unwrap();
            self.opened = (state == GateState::Open).then_some(self.passed);
        }

        /// Whether one person may take the second step now.
        fn may(&self, time: &Time) -> Result<(), String> {
            let (path, half) = (path(AT), BasisPoints::new(5_000).unwrap());
            let recipe = &self.state.recipe(&path).unwrap().recipe;
            alone(recipe, self.state.pace(&path), self.state.gates.of(&path, 1), half, time)
        }
    }

    #[derive(Clone, Debug)]
    enum Happens {
        Pass(u64),
        ClockIsOff(i64),
        Restart { after: u64, off: i64 },
        Open,
        Pause,
    }

    /// A right clock, and wrong ones: by minutes, hours and years while the server runs, and by more than a day while it does not.
    /// What is less than that nobody can tell from a server that was stopped for a while.
    fn happens() -> impl Strategy<Value = Happens> {
        let year = 365 * DAY;
        let running =
            prop::sample::select(vec![0, 60, -60, 3_600, -3_600, 2 * DAY, -2 * DAY, 3 * year, -3 * year]);
        let stopped = prop::sample::select(vec![0, 3 * DAY, -3 * DAY, 3 * year, -3 * year]);
        prop_oneof![
            (1..900_u64).prop_map(Happens::Pass),
            running.prop_map(Happens::ClockIsOff),
            (prop::sample::select(vec![0, 30, 3 * 86_400]), stopped)
                .prop_map(|(after, off)| Happens::Restart { after, off }),
            Just(Happens::Open),
            Just(Happens::Pause),
        ]
    }

    proptest! {
        /// A wrong clock bakes nothing and, once it is left alone, blocks nothing.
        #[test]
        fn a_step_is_taken_neither_sooner_than_it_has_baked_nor_much_later(
            story in prop::collection::vec(happens(), 1..30),
        ) {
            let mut world = World::new();
            for one in story {
                let before = world.off;
                match one {
                    Happens::Pass(seconds) => world.passed += seconds,
                    Happens::ClockIsOff(off) => world.off = off,
                    // From one of these errors to another is more than a day, or nothing: also where the time that passed hides it.
                    Happens::Restart { after, off } => {
                        world.passed += after;
                        let shows = i64::try_from(after).unwrap() + off - before;
                        let alike = (off - before).abs().min(shows.abs()) < 2 * DAY;
                        world.off = if alike { before } else { off };
                        world.restart();
                    }
                    Happens::Open | Happens::Pause => {}
                }
                let time = world.look();
                match one {
                    Happens::Open => world.set(GateState::Open, &time),
                    Happens::Pause => world.set(GateState::Paused, &time),
                    _ => {}
                }
                let baked = world.opened.is_some_and(|opened| world.passed - opened >= BAKE);
                prop_assert!(baked || world.may(&time).is_err(), "{world:?}", world = (world.passed, world.opened));
            }
            // The way out, and then nothing but time.
            let time = world.look();
            world.set(GateState::Open, &time);
            world.passed += BAKE;
            let time = world.look();
            prop_assert_eq!(world.may(&time), Ok(()));
        }
    }

    #[test]
    fn a_clock_that_was_years_ahead_for_a_moment_costs_one_bake() {
        let mut world = World::new();
        let time = world.look();
        world.set(GateState::Open, &time);
        world.passed += BAKE - 60;
        world.off = 3 * 365 * DAY;
        let time = world.look();
        let refused = world.may(&time).unwrap_err();
        assert!(refused.contains("2029-05-03T00:19:00Z; the clock was not to be believed"), "{refused}");
        world.off = 0;
        let time = world.look();
        let refused = world.may(&time).unwrap_err();
        assert!(refused.contains("until 2026-05-04T00:19:00Z; the clock"), "{refused}");
        world.passed += BAKE;
        let time = world.look();
        assert_eq!(world.may(&time), Ok(()));
    }
}
