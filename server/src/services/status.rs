//! What is published, how far it is open, and what is due.

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::operators::{ExpiryStatus, GateStatus, RecipeStatus, SetBy, SignedBy, StatusResponse};
use mulberry_shared::recipe::{Lane, RecipePath};
use mulberry_shared::trust::profile;
use mulberry_shared::trust::write::Life;

use super::gate;
use crate::clock::watch::Time;
use crate::served::Served;
use crate::state::{Pace, Published, Stamp, State, share};

/// How long before its expiry people's metadata is due: time to find the people and their keys.
const PEOPLE_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The status at `now`, as far as what is served tells it.
#[must_use]
pub fn status(served: &Served, time: &Time, clock_shifted: bool) -> StatusResponse {
    let now = time.now;
    StatusResponse {
        now,
        clock_shifted,
        edition: served.edition.number(),
        recipes: recipes(&served.state, None, time),
        expiries: expiries(served, now),
        proposals_waiting: waiting(&served.state),
        ledger: served.state.head,
        troubles: Vec::new(),
    }
}

/// How many proposals can still be signed, and how many ceremonies are kept.
#[must_use]
pub fn waiting(state: &State) -> usize {
    let lanes = state.lane_versions();
    let proposals = state.proposals.iter().filter(|kept| !kept.is_overtaken(&lanes)).count();
    proposals.saturating_add(state.ceremonies.iter().count())
}

/// The recipes of one lane, or of all, by path.
#[must_use]
pub fn recipes(state: &State, lane: Option<Lane>, time: &Time) -> Vec<RecipeStatus> {
    state
        .recipes()
        .filter(|(path, _)| lane.is_none_or(|lane| path.lane == lane))
        .map(|(path, published)| recipe(state, path, published, time))
        .collect()
}

/// One recipe and its gate.
#[must_use]
pub fn recipe(state: &State, path: &RecipePath, published: &Published, time: &Time) -> RecipeStatus {
    let (recipe, now) = (&published.recipe, time.now);
    let in_window = recipe.starts.is_none_or(|starts| starts <= now) && now < recipe.expires;
    let open = state
        .gates
        .of(path, recipe.revision)
        .filter(|_| in_window)
        .map_or(0, |gate| share(gate, recipe.rollout.max_percent).get());
    RecipeStatus {
        path: path.to_string(),
        lane: path.lane.to_string(),
        slug: path.slug.to_string(),
        revision: recipe.revision,
        name: recipe.name.clone(),
        action: recipe.action.name().to_owned(),
        sha256: published.sha256,
        max_percent: recipe.rollout.max_percent.get(),
        starts: recipe.starts,
        expires: recipe.expires,
        gate: state.gates.0.get(path).map(|gate| gate_status(gate, state.pace(path))),
        on_gate_end: Some(recipe.gate_end().into()),
        effective_percent: open,
        next_step: gate::next_step(recipe, state.pace(path), state.gates.of(path, recipe.revision), time),
    }
}

fn gate_status(gate: &Gate, pace: Option<&Pace>) -> GateStatus {
    let set = |Stamp { event, at, by }: &Stamp| SetBy { event: *event, by: by.clone(), at: *at };
    GateStatus {
        revision: gate.revision,
        state: gate.state,
        percent: gate.percent.get(),
        reason: gate.reason.clone(),
        since: gate.since,
        set: pace.map(|pace| set(&pace.last)),
        stopped: pace.is_some_and(|pace| pace.stopped),
    }
}

/// The times of the ledger that lie ahead, each with the way out: the clock was wrong when they were recorded, or is now. They
/// are in nobody's way, since order comes from the ledger.
#[must_use]
pub fn ahead(state: &State, time: &Time) -> Vec<String> {
    let right = "if this clock is wrong, put it right; if it is right";
    let lies = |path: &RecipePath, gate: &Gate| gate::is_ahead(state.pace(path), Some(gate), time);
    let mut all: Vec<String> = Vec::new();
    for (path, gate) in state.gates.0.iter().filter(|(path, gate)| lies(path, gate)) {
        let at = state.pace(path).map_or(gate.since, |pace| pace.last.at.max(gate.since));
        let (percent, reason) = (gate.percent, "--reason \"right time\"");
        let again = match gate.state {
            GateState::Open => {
                format!("gate open {path} --percent {} {reason}", percent.to_string().trim_end_matches('%'))
            }
            GateState::Paused => format!("gate pause {path} {reason}"),
            GateState::Ended => format!("gate end {path} {reason}"),
        };
        all.push(format!(
            "the gate of {path} was set at {at:.0}, which lies ahead of this server's clock; {right}, set the gate again as it \
             stands: mulberryctl {again}"
        ));
    }
    if all.is_empty() && time.is_ahead(state.last.at) {
        let Stamp { event, at, .. } = &state.last;
        all.push(format!(
            "event {event}, the last, was recorded at {at:.0}, which lies ahead of this server's clock; {right}, the next event \
             settles it"
        ));
    }
    all
}

/// Every served metadata document and whether it is due, root first.
#[must_use]
pub fn expiries(served: &Served, now: Timestamp) -> Vec<ExpiryStatus> {
    let (state, edition) = (&served.state, &served.edition);
    let people = |role: &str, version, expires: Timestamp| {
        let due_from = expires.saturating_sub(PEOPLE_NOTICE).unwrap_or(Timestamp::MIN);
        entry(role, version, expires, due_from, SignedBy::People, now)
    };
    let server = |role: &str, version, expires: Timestamp, life: Life| {
        let due_from = expires.saturating_sub(life.duration() / 2).unwrap_or(Timestamp::MIN);
        entry(role, version, expires, due_from, SignedBy::Server, now)
    };
    let mut all = vec![
        people("root", state.root.version, state.root.expires),
        people("targets", state.targets.version, state.targets.expires),
    ];
    for (lane, content) in &state.lanes {
        all.push(people(lane.as_str(), content.metadata.version, content.metadata.expires));
    }
    all.push(server(profile::GATES, edition.gates.version, edition.gates.expires, Life::Online));
    all.push(server("snapshot", edition.snapshot.version, edition.snapshot.expires, Life::Online));
    all.push(server("timestamp", edition.timestamp.version, edition.timestamp.expires, Life::Timestamp));
    all
}

fn entry(
    role: &str,
    version: u64,
    expires: Timestamp,
    due_from: Timestamp,
    signed_by: SignedBy,
    now: Timestamp,
) -> ExpiryStatus {
    ExpiryStatus { role: role.to_owned(), version, expires, due_from, due: now >= due_from, signed_by }
}
