//! How long a server with a long ledger takes from its start to its heartbeat. All of the chain and every signature in it
//! are checked on the way.

use std::sync::Arc;
use std::time::Instant;

use mulberry_server::event::Event;
use mulberry_server::ledger;
use mulberry_server::services::core::fold;
use mulberry_server::state;
use mulberry_server::store::sled::SledStore;
use mulberry_shared::gates::GateState;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::ledger::event::SetGate;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{Action, Lane, ReverifyAddons, WhichAddons};
use mulberry_shared::sampling::BasisPoints;
use serde::Serialize;

use super::aim::median;
use super::milliseconds;
use super::publisher::{Publisher, failed, recipe};
use crate::stage::{Stage, StageError};

/// Restarts that are measured.
const RESTARTS: usize = 7;

/// One event in so many is a publish, the others open a gate further.
const PUBLISH_EVERY: u64 = 5;

/// So many recipes take turns.
const RECIPES: u64 = 20;

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Events in the ledger.
    pub events: u64,
    /// Publishes among them.
    pub publishes: u64,
    /// Restarts after a `kill -9`.
    pub restarts: usize,
    /// Median time from the start of the process to its heartbeat.
    pub median_ms: f64,
    /// The longest.
    pub longest_ms: f64,
}

/// Makes a ledger of `events` events, and starts a server on it. `progress` is told how many events are there.
///
/// # Errors
/// When the stage fails.
pub fn run(events: u64, progress: &dyn Fn(u64)) -> Result<Figures, StageError> {
    let mut stage = Stage::new(None)?;
    let publisher = Publisher::new(&stage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
    let mut figures = Figures { restarts: RESTARTS, ..Figures::default() };
    (figures.events, figures.publishes) = runtime.block_on(fill(&stage, &publisher, events, progress))?;

    let mut times = Vec::new();
    // The first start signs an edition; the others are what is asked for.
    for n in 0..=RESTARTS {
        let started = Instant::now();
        stage.start_server()?;
        publisher.wait_for_heartbeat(&stage)?;
        if n > 0 {
            times.push(started.elapsed());
        }
        stage.kill_server()?;
    }
    figures.median_ms = milliseconds(median(&times));
    figures.longest_ms = milliseconds(times.iter().max().copied().unwrap_or_default());
    Ok(figures)
}

/// Appends events as the services would, without HTTP.
async fn fill(
    stage: &Stage,
    publisher: &Publisher,
    events: u64,
    progress: &dyn Fn(u64),
) -> Result<(u64, u64), StageError> {
    let limits = Limits::default();
    let now = stage.now();
    let store = Arc::new(SledStore::open(&stage.path("server/ledger")).map_err(failed)?);
    let (mut ledger, state, _) = fold(store.clone(), &limits).await.map_err(failed)?;
    let mut state = state.ok_or_else(|| StageError("the server was not initialised".into()))?;
    let mut publishes = 0;
    while ledger.head().sequence < events {
        let round = publishes / RECIPES + 1;
        let slug = format!("event-{:02}", publishes % RECIPES);
        let recipe = recipe(
            &slug,
            round,
            Action::ReverifyAddons(ReverifyAddons { which: WhichAddons::Disabled }),
            now,
        )?;
        let current = state.lanes.get(&Lane::Emergency).map(|lane| &*lane.metadata);
        let request = publisher.sign_on(current, std::slice::from_ref(&recipe), &[], now)?;
        let mut recipes = std::collections::BTreeMap::new();
        for (path, bytes) in request.recipes {
            recipes.insert(path.parse().map_err(failed)?, bytes);
        }
        let withdrawn = Vec::new();
        let metadata = request.metadata;
        let mut next = vec![Event::LanePublished { lane: Lane::Emergency, metadata, recipes, withdrawn }];
        for step in 1..PUBLISH_EVERY {
            let percent = u16::try_from(step * 100).ok().and_then(BasisPoints::new);
            let gate = SetGate {
                revision: round,
                state: GateState::Open,
                percent: percent.unwrap_or(BasisPoints::EVERYONE),
                reason: "rehearsal".to_owned(),
                note: String::new(),
                since: now,
            };
            next.push(Event::GateSet { path: recipe.path(), gate });
        }
        let room = usize::try_from(events - ledger.head().sequence).unwrap_or(usize::MAX);
        for event in next.into_iter().take(room) {
            state = state::apply(Some(&state), &event, ledger::EMPTY, &limits).map_err(failed)?;
            ledger.append(now, &Actor::command("rehearsal"), event).await.map_err(failed)?;
            progress(ledger.head().sequence);
        }
        publishes += 1;
    }
    store.close();
    Ok((ledger.head().sequence, publishes))
}
