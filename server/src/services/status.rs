//! What is published, how far it is open, and what is due.

use jiff::Timestamp;
use mulberry_shared::edition::{profile, write};
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::operators::{
    ExpiryStatus, GateStatus, RecipeStatus, SetBy, SignedBy, StatusResponse, Stop,
};
use mulberry_shared::recipe::{Lane, Recipe, RecipePath};
use mulberry_shared::sampling::BasisPoints;

use super::gate;
use crate::clock::watch::Time;
use crate::served::Served;
use crate::state::{self, Pace, Published, Stamp, State};

/// The status at `now`, as far as what is served tells it.
#[must_use]
pub fn status(served: &Served, time: &Time, clock_shifted: bool) -> StatusResponse {
    let now = time.now;
    StatusResponse {
        now,
        clock_shifted,
        edition: served.edition.number(),
        recipes: recipes(served, None, time),
        expiries: expiries(served, now),
        proposals_waiting: waiting(&served.state),
        ledger: served.state.head,
        troubles: Vec::new(),
        asked_by: None,
        asked_by_person: None,
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
pub fn recipes(served: &Served, lane: Option<Lane>, time: &Time) -> Vec<RecipeStatus> {
    let all = served.state.recipes();
    all.filter(|(path, _)| lane.is_none_or(|lane| path.lane == lane))
        .map(|(path, published)| recipe(served, path, published, time))
        .collect()
}

/// One recipe and its gate, as clients see it.
#[must_use]
pub fn recipe(served: &Served, path: &RecipePath, published: &Published, time: &Time) -> RecipeStatus {
    let (recipe, state, now) = (&published.recipe, &served.state, time.now);
    let in_window = recipe.starts.is_none_or(|starts| starts <= now) && now < recipe.expires;
    let closed_to_clients = closed_to_clients(served, recipe, now).filter(|_| in_window);
    let reaches = in_window && closed_to_clients.is_none();
    let share = served.clients.share(recipe, now).ok().filter(|_| reaches);
    RecipeStatus {
        path: path.to_string(),
        lane: path.lane.to_string(),
        slug: path.slug.to_string(),
        revision: recipe.revision,
        name: recipe.name.clone(),
        action: recipe.action.kind().as_str().to_owned(),
        sha256: published.sha256,
        max_percent: recipe.rollout.max_percent.get(),
        starts: recipe.starts,
        expires: recipe.expires,
        gate: state.gates.0.get(path).map(|gate| gate_status(gate, state.reason(path), state.pace(path))),
        opens: Some(recipe.opens),
        on_gate_end: Some(recipe.gate_end().into()),
        effective_percent: share.map_or(0, BasisPoints::get),
        closed_to_clients,
        next_step: gate::next_step(recipe, state.pace(path), state.gates.of(path, recipe.revision), time),
    }
}

fn gate_status(gate: &Gate, reason: &str, pace: Option<&Pace>) -> GateStatus {
    let set = |Stamp { event, at, by }: &Stamp| SetBy {
        event: *event,
        by: by.name().to_owned(),
        by_person: by.person().cloned(),
        at: *at,
    };
    // A gate of an earlier revision stops nothing any more.
    let own = pace.filter(|pace| pace.revision == gate.revision);
    let stops = || own.into_iter().flat_map(|pace| pace.stops.iter());
    GateStatus {
        revision: gate.revision,
        state: gate.state,
        percent: gate.percent.get(),
        reason: reason.to_owned(),
        note: gate.note.clone(),
        ended: gate.ended.iter().copied().collect(),
        open_until: own.filter(|_| gate.state != GateState::Ended).and_then(|pace| pace.open_until),
        since: gate.since,
        set: pace.map(|pace| set(&pace.last)),
        stopped: stops().next().is_some(),
        stops: stops().map(stop).collect(),
        unlisted_stops: own.map_or(0, |pace| pace.stops.unlisted()),
    }
}

fn stop(stop: &state::Stop) -> Stop {
    let state::Stop { set, did, from, left, reason } = stop;
    let (event, by, at, reason) = (set.event, set.by.name().to_owned(), set.at, reason.clone());
    let by_person = set.by.person().cloned();
    Stop { event, by, by_person, at, did: *did, from: from.get(), left: left.get(), reason }
}

/// Why clients take nothing new of a recipe whose gate is open here.
fn closed_to_clients(served: &Served, recipe: &Recipe, now: Timestamp) -> Option<String> {
    let (state, edition) = (&served.state, &served.edition);
    let gate = state.gates.of(&recipe.path(), recipe.revision)?;
    if gate.state != GateState::Open {
        return None;
    }
    if !state.is_current(recipe.lane, now) {
        return Some(format!(
            "the signatures of the {} lane have expired; this server's clock reads {now:.0}",
            recipe.lane
        ));
    }
    let online = [edition.gates.expires, edition.snapshot.expires, edition.timestamp.expires];
    if online.iter().any(|expires| *expires <= now) {
        return Some(format!("what the server signs has expired; its clock reads {now:.0}"));
    }
    served.clients.differ(state, recipe, now)
}

/// The times of the ledger that lie ahead, each with the way out: the clock was wrong when they were recorded, or is now. They
/// are in nobody's way, since order comes from the ledger.
#[must_use]
pub fn ahead(state: &State, time: &Time) -> Vec<String> {
    let right = format!("which reads {:.0}; if it is wrong, put it right; if it is right", time.now);
    let lies = |path: &RecipePath, gate: &Gate| gate::is_ahead(state.pace(path), Some(gate), time);
    let mut all: Vec<String> = Vec::new();
    for (path, gate) in state.gates.0.iter().filter(|(path, gate)| lies(path, gate)) {
        let at = state.pace(path).map_or(gate.since, |pace| pace.last.at.max(gate.since));
        // As it stands, with what was said of it: whoever resumes it reads that.
        let said = Some(state.reason(path)).filter(|reason| !reason.is_empty()).unwrap_or("right time");
        let (percent, reason) = (gate.percent, format!("--reason '{}'", said.replace('\'', "'\\''")));
        let again = match gate.state {
            GateState::Open => {
                format!("gate open {path} --percent {} {reason}", percent.to_string().trim_end_matches('%'))
            }
            GateState::Paused => format!("gate pause {path} {reason}"),
            GateState::Ended => format!("gate end {path} {reason}"),
        };
        all.push(format!(
            "the gate of {path} was set at {at:.0}, which lies ahead of this server's clock, {right}, set the gate again as it \
             stands: mulberryctl {again}"
        ));
    }
    if all.is_empty() && time.is_ahead(state.last.at) {
        let Stamp { event, at, .. } = &state.last;
        all.push(format!(
            "event {event}, the last, was recorded at {at:.0}, which lies ahead of this server's clock, {right}, the next event \
             settles it"
        ));
    }
    all
}

/// Every served metadata document and whether it is due, root first.
#[must_use]
pub fn expiries(served: &Served, now: Timestamp) -> Vec<ExpiryStatus> {
    let (state, edition) = (&served.state, &served.edition);
    let people = |role: &str, version, expires| entry(role, version, expires, SignedBy::People, now);
    let server = |role: &str, version, expires| entry(role, version, expires, SignedBy::Server, now);
    let mut all = vec![
        people("root", state.root.version, state.root.expires),
        people("targets", state.targets.version, state.targets.expires),
    ];
    for (lane, content) in &state.lanes {
        all.push(people(lane.as_str(), content.metadata.version, content.metadata.expires));
    }
    all.push(server(profile::GATES, edition.gates.version, edition.gates.expires));
    all.push(server("snapshot", edition.snapshot.version, edition.snapshot.expires));
    all.push(server("timestamp", edition.timestamp.version, edition.timestamp.expires));
    all
}

fn entry(role: &str, version: u64, expires: Timestamp, signed_by: SignedBy, now: Timestamp) -> ExpiryStatus {
    let due_from = write::due_from(role, expires);
    ExpiryStatus { role: role.to_owned(), version, expires, due_from, due: now >= due_from, signed_by }
}
