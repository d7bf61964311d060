//! Gates, what was ended, and the pace at which each was opened.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use mulberry_shared::approval::{AHEAD, Approval};
use mulberry_shared::gates::{Gate, GateState};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{Lane, Opens, RecipePath};
use mulberry_shared::sampling::BasisPoints;

use super::{Published, Stamp, State};
use crate::event::SetGate;

mod stops;

pub use stops::{Stop, Stops};

/// The most instants that are remembered of a path's gates; the earliest go first. Signatures count for a day, so all of that
/// day's are among them, unless somebody sets one gate a thousand times a day.
const INSTANTS: usize = 1_024;

/// What is remembered of a path's gates. It outlives them: nothing that was signed for an earlier instant counts again, not even
/// after the recipe was withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The revision that was opened last.
    pub revision: u64,
    /// How far that revision was ever open, within its recipe's maximum.
    pub reached: BasisPoints,
    /// The `since` of the gates there, at most [`INSTANTS`] of them.
    instants: BTreeSet<Timestamp>,
    /// The event that set the gate last.
    pub last: Stamp,
    /// Who paused or narrowed that revision's gate, and was not overruled since.
    pub stops: Stops,
    /// Until when people signed that revision to be open when they opened it last, if not until the recipe's own end.
    pub open_until: Option<Timestamp>,
}

impl Pace {
    /// The instant after which people must have signed at `now`, so that nothing counts twice, and nothing that was signed
    /// before the gate was set again.
    ///
    /// Not simply the latest: one that a wrong clock has left years ahead would be in everybody's way until then. Nothing that is
    /// signed for such an instant counts now, so it needs no floor either.
    #[must_use]
    pub fn floor(&self, now: Timestamp) -> Option<Timestamp> {
        let most = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
        self.instants.range(..=most).next_back().copied()
    }

    /// A gate was set for this instant.
    pub(crate) fn note(&mut self, since: Timestamp) {
        self.instants.insert(since);
        while self.instants.len() > INSTANTS {
            self.instants.pop_first();
        }
    }

    /// That of a gate that was set at `since`, for tests of instants.
    #[cfg(test)]
    pub(crate) fn at(since: Timestamp) -> Self {
        let last =
            Stamp { event: 1, at: since, by: mulberry_shared::ledger::actor::Actor::Unknown(String::new()) };
        let instants = BTreeSet::from([since]);
        Self {
            revision: 1,
            reached: BasisPoints::NOBODY,
            instants,
            last,
            stops: Stops::default(),
            open_until: None,
        }
    }
}

/// The revisions that were ever ended at a path. They outlive its gates, as clients that were away do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    revisions: BTreeSet<u64>,
    /// The gate of the highest of them.
    last: SetGate,
}

impl Ends {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.revisions.len()
    }
}

impl State {
    /// The pace at this path, if a gate was ever set there.
    #[must_use]
    pub fn pace(&self, path: &RecipePath) -> Option<&Pace> {
        self.paces.get(path)
    }

    /// What was ever ended at this path.
    #[must_use]
    pub fn ends(&self, path: &RecipePath) -> Option<&Ends> {
        self.ends.get(path)
    }

    /// Why the gate at this path was set, for operators.
    #[must_use]
    pub fn reason(&self, path: &RecipePath) -> &str {
        self.reasons.get(path).map_or("", String::as_str)
    }

    /// Sets a gate, with what people signed for it. Where only people may open a recipe, their signatures stay beside the
    /// gate while it is open, and no wider than they signed.
    ///
    /// # Errors
    /// It does not fit what is published, or nobody of the lane signed it, or not enough of them.
    pub(super) fn set_gate(
        &mut self,
        path: &RecipePath,
        gate: &SetGate,
        approval: Option<&Approval>,
        stamp: &Stamp,
        limits: &Limits,
    ) -> Result<(), String> {
        let published = self.recipe(path).ok_or_else(|| format!("{path} is not published"))?;
        let people = published.recipe.opens == Opens::People;
        let mut kept = None;
        if let Some(approval) = approval {
            if (gate.state, gate.percent, gate.since) != (GateState::Open, approval.percent, approval.since) {
                return Err(format!("the gate of {path} is not the one that people signed"));
            }
            let authority =
                self.targets.authority(path.lane.as_str(), "targets").map_err(|error| error.to_string())?;
            let opening = approval.opening(path, gate.revision, published.sha256);
            let signed = if people {
                opening.check(authority, &approval.signatures, &limits.trust)
            } else {
                opening.signed_by(authority, &approval.signatures, &limits.trust)
            };
            let signed = signed.map_err(|error| error.to_string())?;
            if signed.is_empty() {
                return Err(format!("no signature under the opening of {path} holds"));
            }
            if people {
                let mut signatures = approval.signatures.clone();
                signatures.retain(|signature| signed.contains(&signature.keyid));
                // Clients refuse what they do not know.
                signatures.iter_mut().for_each(|signature| signature.other.clear());
                kept = Some(opening.approved(signatures));
            }
        } else if people && gate.state == GateState::Open {
            let before = self.gates.of(path, gate.revision).filter(|before| before.state == GateState::Open);
            kept = before.and_then(|before| before.approval.clone());
            if kept.as_ref().is_none_or(|approval| gate.percent > approval.percent) {
                return Err(format!("only the people of its lane may open {path} so far, and they did not"));
            }
        }
        let most = published.recipe.rollout.max_percent;
        let open = share(&gate.published(), most);
        let current = self.gates.of(path, gate.revision);
        let was_open = current.map(|before| share(before, most));
        let was_paused = current.is_some_and(|before| before.state == GateState::Paused);
        let before = self.paces.get(path);
        let same = before.filter(|pace| pace.revision == gate.revision);
        let mut stops = same.map(|pace| pace.stops.clone()).unwrap_or_default();
        // Its right time, or another word for the public: nobody stops anything by that.
        let as_it_stood = was_paused && self.reason(path) == gate.reason;
        if gate.state != GateState::Paused || !as_it_stood {
            stops.follow(gate, was_open.unwrap_or(BasisPoints::NOBODY), open, stamp);
        }
        let reached = same.map_or(open, |pace| pace.reached.max(open));
        let instants = before.map(|pace| pace.instants.clone()).unwrap_or_default();
        let open_until = match approval {
            Some(approval) => approval.open_until,
            None => same.and_then(|pace| pace.open_until),
        };
        let last = stamp.clone();
        let mut pace = Pace { revision: gate.revision, reached, instants, last, stops, open_until };
        pace.note(gate.since);
        self.paces.insert(path.clone(), pace);
        if gate.state == GateState::Ended {
            self.remember_end(path, gate);
        }
        self.show(path, gate, kept, limits);
        Ok(())
    }

    /// Remembers that a revision was ended.
    pub(super) fn remember_end(&mut self, path: &RecipePath, gate: &SetGate) {
        let new = || Ends { revisions: BTreeSet::new(), last: gate.clone() };
        let ends = self.ends.entry(path.clone()).or_insert_with(new);
        ends.revisions.insert(gate.revision);
        if gate.revision >= ends.last.revision {
            ends.last = gate.clone();
        }
    }

    /// A lane was replaced: the gates of what left it go. What was ended under a name that is back is shown again.
    pub(super) fn follow_lane(
        &mut self,
        lane: Lane,
        recipes: &BTreeMap<RecipePath, Published>,
        limits: &Limits,
    ) {
        self.gates.0.retain(|path, _| path.lane != lane || recipes.contains_key(path));
        self.reasons.retain(|path, _| path.lane != lane || recipes.contains_key(path));
        let gone = |path: &RecipePath| path.lane == lane && !recipes.contains_key(path);
        self.paces
            .iter_mut()
            .filter(|(path, _)| gone(path))
            .for_each(|(_, pace)| pace.stops = Stops::default());
        let back = |path: &&RecipePath| !self.gates.0.contains_key(path);
        let back = recipes.keys().filter(back).filter_map(|path| Some((path, self.ends.get(path)?)));
        let back: Vec<_> = back.map(|(path, ends)| (path.clone(), ends.last.clone())).collect();
        for (path, last) in back {
            // Clients refuse a document with more.
            if self.gates.0.len() < limits.recipe.gates {
                self.show(&path, &last, None, limits);
            }
        }
    }

    /// Publishes a gate, with the earlier revisions that were ended: of more than fit, the newest.
    fn show(&mut self, path: &RecipePath, gate: &SetGate, approval: Option<Approval>, limits: &Limits) {
        let earlier = self.ends.get(path).into_iter().flat_map(|ends| ends.revisions.range(..gate.revision));
        let ended = earlier.rev().take(limits.recipe.ended).copied().collect();
        self.gates.0.insert(path.clone(), Gate { ended, approval, ..gate.published() });
        self.reasons.insert(path.clone(), gate.reason.clone());
    }
}

/// How far a gate is open within a recipe's maximum.
#[must_use]
pub fn share(gate: &Gate, most: BasisPoints) -> BasisPoints {
    if gate.state == GateState::Open { gate.percent.min(most) } else { BasisPoints::NOBODY }
}
