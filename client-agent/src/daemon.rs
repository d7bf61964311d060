//! The daemon: carries out what the [`schedule`](crate::schedule) says, for years.
//!
//! ```text
//!  signals ──┐                     ┌─► Run: Agent::once on a thread of its own
//!  live ─────┼─► Schedule::step ───┼─► WakeAt: the timer
//!  timer ────┤                     └─► Stop: once the run in progress has ended
//!  run ended ┘
//! ```
//!
//! A run is the same as that of `once`. It works on a thread of its own, so that a long one keeps neither signals nor `status`
//! waiting, and it is never abandoned: a stop asks it to end early, and waits until it has.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::limits::Limits;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::backoff::Dice;
use crate::commands::Failure;
use crate::config::Layer;
use crate::driver::{RunError, load_trust};
use crate::io::clock::SystemClock;
use crate::io::disk::StateFolder;
use crate::io::live::{self, Live};
use crate::io::presence::{self, FORMAT, Presence};
use crate::ports::Clock;
use crate::report::RunReport;
use crate::schedule::{Effect, Ended, Event, Now, Schedule, Settings};
use crate::state::{RefreshOutcome, State};
use crate::stop::Stop;
use crate::wiring::Parts;

/// What a daemon is started with. Its caller holds the lock of the state folder.
pub struct Daemon {
    /// The state folder.
    pub folder: Arc<StateFolder>,
    /// Flags and environment, which win over the file at each reload too.
    pub upper: Layer,
    /// The clock.
    pub clock: SystemClock,
    /// Ceilings.
    pub limits: Limits,
}

/// A run in progress; it gives its report, and when the last periodic pass was made.
type Run = JoinHandle<Result<RunReport, RunError>>;

impl Daemon {
    /// Works until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// It cannot start: the state or a setting cannot be used. Nothing that happens later ends it.
    pub async fn run(self) -> Result<(), Failure> {
        // Before anybody can know that it runs, so that no signal is lost.
        let mut signals = Signals::new()?;
        let mut parts = Arc::new(self.load()?);
        State::load(&*self.folder).map_err(Failure::usage)?;
        load_trust(&*self.folder, &self.limits)?;

        let begun = Instant::now();
        let now = || Now { steady: begun.elapsed(), wall: self.clock.now() };
        let (say, said) = watch::channel(self.presence(&parts));
        // Without it `status` knows less, and nothing else is lost.
        let _answering = presence::answer(self.folder.root(), said)
            .inspect_err(|error| tracing::warn!(%error, "status will not know of this daemon"));
        let mut ear = self.listen(&parts);
        let stop = Stop::new();
        let mut schedule = Schedule::new(settings(&parts), now(), Dice::new(rand::random()));
        let mut run: Option<Run> = None;
        let mut wake = begun;
        tracing::info!(origins = ?parts.addresses(), "started");
        loop {
            let event = tokio::select! {
                biased;
                _ = signals.terminate.recv() => Event::StopAsked,
                _ = signals.interrupt.recv() => Event::StopAsked,
                _ = signals.hangup.recv() => match self.reload(&say) {
                    None => continue,
                    Some(fresh) => {
                        // Also where only TLS may have changed: a stream is soon made again.
                        ear = self.listen(&fresh);
                        parts = Arc::new(fresh);
                        Event::Reconfigured(settings(&parts))
                    }
                },
                ended = finished(&mut run) => {
                    run = None;
                    Event::Ended(Self::judge(ended, &say, &stop))
                }
                announced = ear.news(&say) => Event::Announced(announced),
                () = sleep_until(wake), if run.is_none() => Event::Woke,
            };
            if event == Event::StopAsked {
                tracing::info!("stopping; a run in progress ends before its next add-on");
                stop.cancel();
            }
            let (next, effects) = schedule.step(event, now());
            schedule = next;
            for effect in effects {
                match effect {
                    Effect::Run { pass_every } => {
                        run = Some(self.begin(parts.clone(), pass_every, ear.connected(), stop.clone()));
                    }
                    Effect::WakeAt(steady) => wake = begun.checked_add(steady).unwrap_or(begun),
                    Effect::Stop => {
                        tracing::info!("stopped");
                        return Ok(());
                    }
                }
            }
            self.tell(&say, &schedule, now(), run.is_some());
        }
    }

    fn load(&self) -> Result<Parts, Failure> {
        Parts::load(&self.folder, self.upper.clone(), &self.limits)
    }

    /// New parts from the settings as they are now; `None`, said loudly, where they cannot be used.
    fn reload(&self, say: &watch::Sender<Presence>) -> Option<Parts> {
        let loaded = self.load();
        match &loaded {
            Ok(_) => tracing::info!("the settings were loaded again"),
            Err(failure) => tracing::error!("{failure}; the former settings stay in force"),
        }
        say.send_modify(|presence| {
            presence.settings_problem = loaded.as_ref().err().map(ToString::to_string);
            if let Ok(parts) = &loaded {
                presence.origins = parts.addresses();
                presence.origin = first_stream(parts);
            }
        });
        loaded.ok()
    }

    fn listen(&self, parts: &Parts) -> Ear {
        let (state, live) = watch::channel(Live::default());
        let (origins, dice) = (parts.streams().to_vec(), Dice::new(rand::random()));
        let names = origins.iter().map(ToString::to_string).collect();
        let task = tokio::spawn(live::follow(origins, parts.tls().clone(), state, self.limits.clone(), dice));
        Ear { task, live, names, heard: 0 }
    }

    fn begin(&self, parts: Arc<Parts>, pass_every: SignedDuration, first: Option<String>, stop: Stop) -> Run {
        let (folder, clock, runtime) = (self.folder.clone(), self.clock, Handle::current());
        tokio::task::spawn_blocking(move || {
            let mut agent = parts.agent(&folder, &clock, first, stop);
            agent.pass_every = pass_every;
            runtime.block_on(agent.once())
        })
    }

    fn judge(made: Result<RunReport, String>, say: &watch::Sender<Presence>, stop: &Stop) -> Ended {
        let problem = made.as_ref().err().cloned();
        say.send_modify(|presence| {
            presence.run_problem = problem;
            presence.runs = presence.runs.saturating_add(1);
        });
        let report = match made {
            Ok(report) => report,
            Err(problem) => {
                if stop.is_cancelled() {
                    tracing::info!("{problem}");
                } else {
                    tracing::error!("a run could not be made: {problem}");
                }
                return Ended::default();
            }
        };
        let outcome = report.refresh.as_ref().map(|refresh| refresh.outcome);
        let edition = report.edition.as_ref().map(|edition| edition.number);
        let (enabled, disabled) = (report.pass.enabled.len(), report.pass.disabled.len());
        if enabled + disabled > 0 {
            tracing::info!(edition, enabled, disabled, "add-ons changed");
        }
        tracing::debug!(outcome = outcome.map(RefreshOutcome::as_str), edition, pass = ?report.pass.kind, "a run was made");
        Ended {
            current: outcome == Some(RefreshOutcome::Current),
            edition,
            last_pass: report.last_full_pass,
            held_until: report.pass.held_until,
        }
    }

    fn presence(&self, parts: &Parts) -> Presence {
        Presence {
            format: FORMAT,
            pid: std::process::id(),
            started: self.clock.now(),
            runs: 0,
            running: false,
            next_run: None,
            next_why: None,
            origins: parts.addresses(),
            origin: first_stream(parts),
            live_connected: false,
            settings_problem: None,
            run_problem: None,
        }
    }

    fn tell(&self, say: &watch::Sender<Presence>, schedule: &Schedule, now: Now, running: bool) {
        let next = schedule.next_run();
        let at = |steady: std::time::Duration| -> Option<Timestamp> {
            let wait = SignedDuration::try_from(steady.saturating_sub(now.steady)).ok()?;
            now.wall.checked_add(wait).ok()
        };
        say.send_modify(|presence| {
            presence.running = running;
            presence.next_run = next.and_then(|(steady, _)| at(steady));
            presence.next_why = next.map(|(_, why)| why);
        });
    }
}

/// What listens to the live stream, until dropped.
struct Ear {
    task: JoinHandle<()>,
    live: watch::Receiver<Live>,
    /// The origins listened to, in the order of the places that `live` tells.
    names: Vec<String>,
    heard: u64,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ear {
    /// The origin whose stream is connected.
    fn connected(&self) -> Option<String> {
        let live = *self.live.borrow();
        self.names.get(live.origin).filter(|_| live.connected).cloned()
    }

    /// The next announcement; several that came together are one. Notes whether the stream is connected.
    async fn news(&mut self, say: &watch::Sender<Presence>) -> u64 {
        loop {
            let now = *self.live.borrow_and_update();
            let name = self.names.get(now.origin);
            say.send_if_modified(|presence| {
                let before = (presence.origin.clone(), presence.live_connected);
                presence.origin = name.cloned();
                presence.live_connected = now.connected;
                before != (presence.origin.clone(), presence.live_connected)
            });
            if let Some(edition) = now.edition.filter(|_| now.told != self.heard) {
                self.heard = now.told;
                return edition;
            }
            if self.live.changed().await.is_err() {
                // The listener is gone; the timer looks after the rest.
                return std::future::pending().await;
            }
        }
    }
}

fn first_stream(parts: &Parts) -> Option<String> {
    parts.streams().first().map(ToString::to_string)
}

fn settings(parts: &Parts) -> Settings {
    Settings { poll: parts.poll_every(), pass_every: parts.pass_every() }
}

/// The end of the run in progress; never, if there is none.
async fn finished(run: &mut Option<Run>) -> Result<RunReport, String> {
    match run {
        None => std::future::pending().await,
        Some(run) => match run.await {
            Ok(made) => made.map_err(|error| error.to_string()),
            Err(error) => Err(format!("it ended by a mistake of this program: {error}")),
        },
    }
}

/// The signals a daemon obeys.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let on =
            |kind| signal(kind).map_err(|error| Failure::usage(format!("cannot wait for signals: {error}")));
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
        })
    }
}
