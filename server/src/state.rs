//! The state: a fold over the ledger's events, held in memory and replaced as a whole.
//!
//! Folding checks every signature and every recipe again, with the code that publishing uses: what was accepted once is
//! accepted again, and nothing else gets in. Expiry depends on the time and is not part of the fold.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use mulberry_shared::ceremony::Live;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::profile;
use mulberry_shared::gates::Gates;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::ledger::continuation::Continuations;
use mulberry_shared::ledger::links::Links;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{Base64, LedgerHead};
use mulberry_shared::recipe::{Lane, Recipe, RecipePath, published};
use mulberry_shared::tuf::metadata::{Root, TargetFile, Targets};
use mulberry_shared::tuf::{TrustError, Verified, verify};

use crate::event::Event;
use crate::ledger::{self, LedgerError};

pub mod ceremonies;
mod gates;
mod lost;
pub mod proposals;
mod stamp;

pub use ceremonies::Ceremonies;
pub use gates::{Ends, Pace, Stop, Stops, share};
pub use proposals::Proposals;
pub use stamp::Stamp;

/// Everything the server knows that people or operators decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Head of the ledger after the last event in it.
    pub head: LedgerHead,
    /// The public links up to there.
    pub links: Links,
    /// The root chain, oldest first; never empty.
    pub roots: Vec<Verified<Root>>,
    /// The newest root.
    pub root: Verified<Root>,
    /// Targets.
    pub targets: Verified<Targets>,
    /// Both lanes.
    pub lanes: BTreeMap<Lane, LaneState>,
    /// All gates as they are published, of published recipes only. A gate may speak for an earlier revision: then the recipe is
    /// closed.
    pub gates: Gates,
    /// Why each of them was set, for operators.
    pub reasons: BTreeMap<RecipePath, String>,
    /// What was ever ended at each path.
    pub ends: BTreeMap<RecipePath, Ends>,
    /// How each path's gate was opened so far.
    pub paces: BTreeMap<RecipePath, Pace>,
    /// What people signed when ledgers before this one were lost, oldest first.
    pub continuations: Continuations,
    /// The last event.
    pub last: Stamp,
    /// The latest time of any event, even if a wrong clock told it: this server, or one before it, has signed with such times.
    pub latest: Timestamp,
    /// Versions of the online roles must be above this one, whatever the clock shows; 0 for none.
    pub above: u64,
    /// The highest revision ever published at each path, whether or not it still is.
    pub revisions: BTreeMap<RecipePath, u64>,
    /// What waits for signatures, and what was overtaken while it did.
    pub proposals: Proposals,
    /// Changes of keys, thresholds and expiries that wait for signatures.
    pub ceremonies: Ceremonies,
}

/// One lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneState {
    /// Its metadata.
    pub metadata: Verified<Targets>,
    /// What the metadata lists.
    pub recipes: BTreeMap<RecipePath, Published>,
}

/// One published recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The recipe, as read from `bytes`.
    pub recipe: Arc<Recipe>,
    /// The bytes people signed for.
    pub bytes: Arc<[u8]>,
    /// Their SHA-256.
    pub sha256: Sha256Digest,
}

/// A lane's next metadata and its recipes do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaneError {
    /// The metadata was refused.
    #[error("{0}")]
    Metadata(#[from] TrustError),
    /// A recipe was refused.
    #[error("{path}: {why}")]
    Recipe {
        /// The path as given.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// An event does not fit the state before it.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An event.
    #[error(
        "event {sequence} of the ledger cannot be applied: {why}; use the program that wrote it, or restore from an \
         export"
    )]
    Event {
        /// Its number.
        sequence: u64,
        /// Why not.
        why: String,
    },
}

/// The state after `event` of nobody in particular: to try whether it can be applied.
///
/// # Errors
/// [`FoldError::Event`].
pub fn apply(
    state: Option<&State>,
    event: &Event,
    head: LedgerHead,
    limits: &Limits,
) -> Result<State, FoldError> {
    let number = state.map_or(1, |state| state.head.sequence.saturating_add(1));
    let nobody = Stamp { event: number, at: Timestamp::UNIX_EPOCH, by: Actor::Unknown(String::new()) };
    advance(state.cloned(), event, &nobody, head, limits)
}

/// The state after `event`, whose head is `head`. Depends on nothing else. Takes the state before it, since a fold over a
/// long ledger would otherwise spend half its time on copies.
///
/// # Errors
/// [`FoldError::Event`].
pub fn advance(
    state: Option<State>,
    event: &Event,
    stamp: &Stamp,
    head: LedgerHead,
    limits: &Limits,
) -> Result<State, FoldError> {
    let cannot = |why: String| FoldError::Event { sequence: head.sequence, why };
    let mut next = match (state, event) {
        (None, Event::Initialised { roots, targets, lanes }) => {
            return initial(roots, targets, lanes, &BTreeMap::new(), head, limits)
                .map(|state| state.stamped(stamp))
                .map_err(|error| cannot(error.to_string()));
        }
        (None, Event::Continued { .. }) => {
            let state = lost::continued(event, stamp, head, limits).map_err(cannot)?;
            return Ok(state.stamped(stamp));
        }
        (None, _) => return Err(cannot("the server was not initialised before it".to_owned())),
        (Some(state), _) => state,
    };
    match event {
        Event::Initialised { .. } | Event::Continued { .. } => {
            return Err(cannot("the server was initialised before".to_owned()));
        }
        Event::LanePublished { lane, metadata, recipes, .. } => {
            let published = next
                .next_lane(*lane, &metadata.0, recipes, limits)
                .map_err(|error| cannot(error.to_string()))?;
            for (path, published) in &published.recipes {
                let highest = next.revisions.entry(path.clone()).or_default();
                *highest = (*highest).max(published.recipe.revision);
            }
            next.follow_lane(*lane, &published.recipes, limits);
            next.lanes.insert(*lane, published);
            next.proposals.publish(*lane, &metadata.0, limits);
        }
        Event::ProposalMade { role, metadata, recipes, withdraw, failed_preflights, replaces } => {
            let proposal = proposals::read(*role, metadata, recipes, withdraw, limits)
                .map_err(|error| cannot(error.to_string()))?
                .despite(failed_preflights.clone());
            proposals::check_signatures(&proposal, &next.targets, limits)
                .map_err(|error| cannot(error.to_string()))?;
            if let Some(id) = replaces {
                next.proposals.forget(id);
            }
            let lanes = next.lane_versions();
            next.proposals.keep(proposal, stamp.clone(), &lanes, limits).map_err(&cannot)?;
        }
        Event::ProposalSigned { id, keyid, sig } => {
            let targets = next.targets.clone();
            next.proposals.sign(id, keyid, sig, &targets, limits).map_err(&cannot)?;
        }
        // One that is gone already is no fault: how many overtaken ones are kept may change between versions.
        Event::ProposalDropped { id, .. } => next.proposals.forget(id),
        Event::CeremonyMade { .. }
        | Event::CeremonySigned { .. }
        | Event::CeremonyPublished { .. }
        | Event::CeremonyDropped { .. } => {
            let online =
                |state: &State| ["timestamp", "snapshot"].map(|role| state.root.roles.get(role).cloned());
            let before = online(&next);
            ceremonies::advance(&mut next, event, stamp, limits).map_err(&cannot)?;
            // Clients forget the versions that other keys signed.
            if online(&next) != before {
                next.latest = stamp.at;
            }
        }
        Event::GateSet { path, gate } => next.set_gate(path, gate, None, stamp, limits).map_err(&cannot)?,
        Event::GateApproved { path, gate, approval } => {
            next.set_gate(path, gate, Some(approval), stamp, limits).map_err(&cannot)?;
        }
    }
    next.set_head(head);
    Ok(next.stamped(stamp))
}

impl State {
    /// The events so far end with `head`. The empty one stands for an event that is not recorded yet.
    pub fn set_head(&mut self, head: LedgerHead) {
        self.head = head;
        if head != ledger::EMPTY {
            self.links.push(head.head);
        }
    }

    /// The published recipe at `path`.
    #[must_use]
    pub fn recipe(&self, path: &RecipePath) -> Option<&Published> {
        self.lanes.get(&path.lane)?.recipes.get(path)
    }

    /// Whether clients take anything new from a lane: what people signed for it, and above it, is unexpired.
    #[must_use]
    pub fn is_current(&self, lane: Lane, now: Timestamp) -> bool {
        let lane = self.lanes.get(&lane).map(|content| content.metadata.expires);
        lane.into_iter().chain([self.root.expires, self.targets.expires]).all(|expires| now < expires)
    }

    /// All published recipes, by path.
    pub fn recipes(&self) -> impl Iterator<Item = (&RecipePath, &Published)> {
        self.lanes.values().flat_map(|lane| &lane.recipes)
    }

    /// The lane that `metadata` describes: signatures, form, and each recipe's bytes, from `supplied` or already held.
    ///
    /// # Errors
    /// [`LaneError`].
    pub fn next_lane(
        &self,
        lane: Lane,
        metadata: &[u8],
        supplied: &BTreeMap<RecipePath, Base64>,
        limits: &Limits,
    ) -> Result<LaneState, LaneError> {
        let held = self.lanes.get(&lane);
        lane_state(&self.targets, lane, metadata, supplied, held, limits)
    }

    /// The recipes of a lane that `metadata` would describe: their bytes, from `supplied` or already held. Whether anybody
    /// signed it is not looked at.
    ///
    /// # Errors
    /// [`LaneError::Recipe`].
    pub fn next_recipes(
        &self,
        lane: Lane,
        metadata: &Targets,
        supplied: &BTreeMap<RecipePath, Base64>,
        limits: &Limits,
    ) -> Result<BTreeMap<RecipePath, Published>, LaneError> {
        lane_recipes(&self.targets, lane, metadata, supplied, self.lanes.get(&lane), limits)
    }

    /// What is published, as ceremonies are compared with it.
    #[must_use]
    pub fn live(&self) -> Live<'_> {
        let lanes = self.lanes.iter().map(|(lane, content)| (*lane, &content.metadata)).collect();
        Live { root: &self.root, targets: &self.targets, lanes }
    }

    /// The published version of each lane.
    #[must_use]
    pub fn lane_versions(&self) -> BTreeMap<Lane, u64> {
        self.lanes.iter().map(|(lane, content)| (*lane, content.metadata.version)).collect()
    }
}

fn initial(
    roots: &[Base64],
    targets: &Base64,
    lanes: &BTreeMap<Lane, Base64>,
    recipes: &BTreeMap<RecipePath, Base64>,
    head: LedgerHead,
    limits: &Limits,
) -> Result<State, LaneError> {
    let mut chain: Vec<Verified<Root>> = Vec::new();
    for bytes in roots {
        let next = match chain.last() {
            None => verify::pinned_root(&bytes.0, limits)?,
            Some(last) => verify::next_root(last, &bytes.0, limits)?,
        };
        chain.push(next);
    }
    let missing = |what: &str| LaneError::Recipe { path: what.to_owned(), why: "it is missing".to_owned() };
    let root = chain.last().cloned().ok_or_else(|| missing("root"))?;
    let targets: Verified<Targets> = verify::top_level(&root, &targets.0, limits)?;
    profile::check_keys(&targets, &root)?;
    let mut states = BTreeMap::new();
    for lane in Lane::ALL {
        let bytes = lanes.get(&lane).ok_or_else(|| missing(lane.as_str()))?;
        let own = recipes.iter().filter(|(path, _)| path.lane == lane);
        let own = own.map(|(path, bytes)| (path.clone(), bytes.clone())).collect();
        states.insert(lane, lane_state(&targets, lane, &bytes.0, &own, None, limits)?);
    }
    let mut state = State {
        head: ledger::EMPTY,
        links: Links::default(),
        roots: chain,
        root,
        targets,
        lanes: states,
        gates: Gates::default(),
        reasons: BTreeMap::new(),
        ends: BTreeMap::new(),
        paces: BTreeMap::new(),
        continuations: Continuations::default(),
        last: Stamp { event: 0, at: Timestamp::UNIX_EPOCH, by: Actor::Unknown(String::new()) },
        latest: Timestamp::UNIX_EPOCH,
        above: 0,
        revisions: BTreeMap::new(),
        proposals: Proposals::default(),
        ceremonies: Ceremonies::default(),
    };
    state.set_head(head);
    Ok(state)
}

fn lane_state(
    targets: &Verified<Targets>,
    lane: Lane,
    metadata: &[u8],
    supplied: &BTreeMap<RecipePath, Base64>,
    held: Option<&LaneState>,
    limits: &Limits,
) -> Result<LaneState, LaneError> {
    let role = lane.as_str();
    let metadata = verify::delegated(targets, "targets", role, metadata, limits)?;
    profile::check(role, &metadata, limits)?;
    let recipes = lane_recipes(targets, lane, &metadata, supplied, held, limits)?;
    Ok(LaneState { metadata, recipes })
}

fn lane_recipes(
    targets: &Targets,
    lane: Lane,
    metadata: &Targets,
    supplied: &BTreeMap<RecipePath, Base64>,
    held: Option<&LaneState>,
    limits: &Limits,
) -> Result<BTreeMap<RecipePath, Published>, LaneError> {
    let role = lane.as_str();
    let mut recipes = BTreeMap::new();
    for (name, file) in &metadata.targets {
        let refuse = |why: String| LaneError::Recipe { path: name.clone(), why };
        let path = name.parse::<RecipePath>().map_err(|error| refuse(error.to_string()))?;
        if path.lane != lane || !targets.delegation(role).is_some_and(|delegation| delegation.covers(name)) {
            return Err(refuse(format!("it is not delegated to the {lane} lane")));
        }
        let recipe = match supplied.get(&path) {
            Some(bytes) => read(&path, &bytes.0, file, limits).map_err(refuse)?,
            None => held
                .and_then(|held| held.recipes.get(&path))
                .filter(|held| says(file, held.sha256, &held.bytes))
                .cloned()
                .ok_or_else(|| refuse("the metadata lists it, but its bytes were not sent".to_owned()))?,
        };
        recipes.insert(path, recipe);
    }
    if let Some(path) = supplied.keys().find(|path| !recipes.contains_key(path)) {
        let why = "its bytes were sent, but the metadata does not list it".to_owned();
        return Err(LaneError::Recipe { path: path.to_string(), why });
    }
    Ok(recipes)
}

fn read(path: &RecipePath, bytes: &[u8], file: &TargetFile, limits: &Limits) -> Result<Published, String> {
    let sha256 = Sha256Digest::of(bytes);
    if !says(file, sha256, bytes) {
        return Err(format!(
            "the {} bytes sent (SHA-256 {sha256}) are not those that the metadata lists",
            bytes.len()
        ));
    }
    let recipe = published::read(path, bytes, limits).map_err(|unreadable| unreadable.to_string())?;
    Ok(Published { recipe: Arc::new(recipe), bytes: bytes.into(), sha256 })
}

/// Whether the metadata vouches for these bytes: by length, and by SHA-256, which must be stated.
fn says(file: &TargetFile, sha256: Sha256Digest, bytes: &[u8]) -> bool {
    file.sha256() == Some(sha256) && file.length == bytes.len() as u64
}
