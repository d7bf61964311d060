use proptest::prelude::*;

use super::*;

const POLL: Duration = Duration::from_secs(15 * 60);
const DAY: SignedDuration = SignedDuration::from_hours(24);
const SETTINGS: Settings = Settings { poll: POLL, pass_every: DAY };

fn noon() -> Timestamp {
    "2019-05-04T12:00:00Z".parse().unwrap()
}

/// A schedule with two clocks that run alike, unless a test sets one.
struct Play {
    schedule: Option<Schedule>,
    now: Now,
}

impl Play {
    fn new(seed: u64) -> Self {
        let now = Now { steady: Duration::ZERO, wall: noon() };
        Self { schedule: Some(Schedule::new(SETTINGS, now, Dice::new(seed))), now }
    }

    fn send(&mut self, event: Event) -> Vec<Effect> {
        let (next, effects) = self.schedule.take().unwrap().step(event, self.now);
        self.schedule = Some(next);
        effects
    }

    fn pass(&mut self, time: Duration) {
        self.now.steady += time;
        self.now.wall += SignedDuration::try_from(time).unwrap();
    }

    fn next(&self) -> (Duration, Why) {
        let (at, why) = self.schedule.as_ref().unwrap().next_run().unwrap();
        (at.saturating_sub(self.now.steady), why)
    }

    /// Follows wake-ups until a run is made; says how long that took and why it was made.
    fn until_run(&mut self) -> (Duration, Why, SignedDuration) {
        let start = self.now.steady;
        let mut why = self.next().1;
        loop {
            match self.send(Event::Woke)[..] {
                [Effect::WakeAt(at)] => {
                    why = self.next().1;
                    self.pass(at - self.now.steady);
                }
                [Effect::Run { pass_every }] => return (self.now.steady - start, why, pass_every),
                ref other => panic!("{other:?}"),
            }
        }
    }

    fn end(&mut self, ended: Ended) {
        self.send(Event::Ended(ended));
    }

    /// After a first run at noon that found edition 7 and made the periodic pass.
    fn settled(seed: u64) -> Self {
        let mut play = Self::new(seed);
        play.until_run();
        play.end(play.fine());
        play
    }

    fn fine(&self) -> Ended {
        Ended { current: true, edition: Some(7), last_pass: Some(noon()), held_until: None }
    }
}

#[test]
fn polls_come_within_their_interval_and_are_spread_over_it() {
    let waits: Vec<_> = (0..1000).map(|seed| Play::settled(seed).next().0).collect();
    assert!(waits.iter().all(|wait| *wait <= POLL && *wait >= SHORTEST));
    let early = waits.iter().filter(|wait| **wait < POLL / 2).count();
    assert!((400..600).contains(&early), "{early}");
}

#[test]
fn failures_are_retried_soon_then_less_often_but_as_often_as_polls() {
    let mut play = Play::settled(3);
    play.until_run();
    for failures in 1..40_u32 {
        play.end(Ended { current: false, ..play.fine() });
        let (wait, why) = play.next();
        assert_eq!(why, Why::Retry);
        assert!(wait <= (FIRST_RETRY * 2_u32.pow((failures - 1).min(10))).min(POLL), "{failures}: {wait:?}");
        play.until_run();
    }
}

#[test]
fn the_periodic_pass_is_made_within_its_interval_while_no_poll_succeeds() {
    for seed in 0..50 {
        let mut play = Play::settled(seed);
        let (start, mut every) = (play.now.wall, DAY);
        let limit = noon() + DAY + SignedDuration::from_secs(60);
        while play.now.wall.duration_since(noon()) < every {
            assert!(play.now.wall <= limit, "{start}");
            every = play.until_run().2;
            assert!(every <= DAY && every >= DAY - DAY / 8);
            play.end(Ended { current: false, ..play.fine() });
        }
        assert!(play.now.wall <= limit);
    }
}

#[test]
fn a_hold_suspends_the_pass_and_its_end_brings_it() {
    let mut play = Play::settled(5);
    play.send(Event::Reconfigured(Settings { poll: Duration::from_secs(30 * 86_400), pass_every: DAY }));
    play.until_run();
    let held = noon() + SignedDuration::from_hours(72);
    play.end(Ended { held_until: Some(held), ..play.fine() });
    let (_, why, _) = play.until_run();
    let late = play.now.wall.duration_since(held);
    // Unless the poll came first, which makes no pass either.
    assert!(
        why == Why::Poll
            || (why == Why::Pass && !late.is_negative() && late <= SignedDuration::from_secs(10))
    );
}

#[test]
fn a_burst_of_announcements_is_one_run_spread_over_the_agents() {
    let mut waits = Vec::new();
    for seed in 0..1000 {
        let mut play = Play::settled(seed);
        play.pass(REST);
        if play.next().0 <= SPREAD {
            continue;
        }
        (8..60).for_each(|edition| drop(play.send(Event::Announced(edition))));
        let (wait, why) = play.next();
        assert_eq!(why, Why::Announced);
        waits.push(wait);
        play.until_run();
        play.end(Ended { edition: Some(59), ..play.fine() });
        assert_eq!(play.next().1, Why::Poll, "nothing is left over");
    }
    assert!(waits.iter().all(|wait| *wait <= SPREAD));
    let early = waits.iter().filter(|wait| **wait < SPREAD / 10).count();
    assert!(early < waits.len() / 5, "a burst must not pull everybody to its start: {early}");
}

#[test]
fn an_announcement_during_a_run_is_followed_by_another_after_a_rest() {
    let mut play = Play::settled(1);
    play.until_run();
    assert_eq!(play.send(Event::Announced(8)), []);
    play.end(play.fine());
    let (wait, why) = play.next();
    assert!(why == Why::Announced && wait >= REST && wait <= REST + SPREAD, "{wait:?}");
}

#[test]
fn what_is_held_is_not_asked_for_and_what_never_comes_is_given_up() {
    let mut play = Play::settled(2);
    play.send(Event::Announced(7));
    assert_eq!(play.next().1, Why::Poll);
    play.send(Event::Announced(9));
    for _ in 0..=ASK_AGAIN {
        play.until_run();
        play.end(play.fine());
    }
    assert_eq!(play.next().1, Why::Poll);
}

#[test]
fn a_jump_of_the_clock_brings_a_run_and_a_sleep_does_too() {
    for jump in [SignedDuration::from_hours(24 * 3650), SignedDuration::from_hours(-24 * 3650), JUMP * 2] {
        let mut play = Play::settled(4);
        play.now.wall += jump;
        play.send(Event::Woke);
        assert!(play.next().0 <= SPREAD + REST, "{jump}");
    }
    let mut play = Play::settled(4);
    play.pass(Duration::from_secs(6));
    play.now.wall += SignedDuration::from_secs(1);
    let before = play.next();
    play.send(Event::Woke);
    assert_eq!(play.next(), before, "an adjusted clock is no jump");
}

#[test]
fn a_run_in_progress_is_finished_before_the_end() {
    let mut play = Play::settled(1);
    play.until_run();
    assert_eq!(play.send(Event::StopAsked), []);
    assert_eq!(play.send(Event::StopAsked), []);
    assert_eq!(play.send(Event::Ended(play.fine())), [Effect::Stop]);
    assert_eq!(play.send(Event::Woke), []);
    assert_eq!(Play::settled(1).send(Event::StopAsked), [Effect::Stop]);
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    let range = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![range, 1_556_000_000..1_558_000_000_i64].prop_map(|s| Timestamp::from_second(s).unwrap())
}

fn any_event() -> impl Strategy<Value = Event> {
    let ended =
        (any::<bool>(), any::<Option<u64>>(), prop::option::of(any_time()), prop::option::of(any_time()))
            .prop_map(|(current, edition, last_pass, held_until)| Ended {
                current,
                edition,
                last_pass,
                held_until,
            });
    prop_oneof![
        4 => Just(Event::Woke),
        2 => (0..5_u64).prop_map(Event::Announced),
        1 => any::<u64>().prop_map(Event::Announced),
        4 => ended.prop_map(Event::Ended),
        1 => Just(Event::StopAsked),
        1 => (1..1440_u64, 1..168_i64).prop_map(|(minutes, hours)| Event::Reconfigured(Settings {
            poll: Duration::from_secs(minutes * 60),
            pass_every: SignedDuration::from_hours(hours),
        })),
    ]
}

proptest! {
    #[test]
    fn one_run_at_a_time_always_another_and_a_stop_always_ends(
        seed: u64,
        steps in prop::collection::vec((any_event(), 0..2_000_000_u64, any_time()), 1..60),
    ) {
        let start = Now { steady: Duration::ZERO, wall: noon() };
        let mut schedule = Schedule::new(SETTINGS, start, Dice::new(seed));
        let (mut steady, mut running, mut asked, mut stopped) = (Duration::ZERO, false, false, false);
        let longest = Duration::from_secs(1440 * 60);
        for (event, millis, wall) in steps {
            steady += Duration::from_millis(millis);
            let ends = running && matches!(event, Event::Ended(_));
            asked |= event == Event::StopAsked;
            let (next, effects) = schedule.step(event, Now { steady, wall });
            schedule = next;
            prop_assert!(effects.len() <= 1);
            running &= !ends;
            match effects.first() {
                Some(Effect::Run { pass_every }) => {
                    prop_assert!(!running && !asked);
                    prop_assert!(*pass_every > SignedDuration::ZERO);
                    running = true;
                }
                Some(Effect::WakeAt(at)) => {
                    prop_assert!(*at > steady && *at <= steady + GLANCE && !running && !asked);
                    let (next, _) = schedule.next_run().unwrap();
                    prop_assert!(next <= steady + longest);
                }
                Some(Effect::Stop) => {
                    prop_assert!(asked && !running && !stopped);
                    stopped = true;
                }
                None => prop_assert!(running || stopped),
            }
            prop_assert_eq!(stopped, asked && !running);
        }
    }
}
