//! An authority for tests: three people, the online keys, and everything they sign.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::edition::write::{self, Holders, LaneDraft, LaneHolders, Life, RootHolders};
use mulberry_shared::ledger::actor::{Actor, Owner};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{Base64, GateRequest, GateState, PublishRequest, Scope};
use mulberry_shared::recipe::{
    Action, ConsentKind, Lane, OnEnd, Opens, Recipe, RecipePath, ReverifyAddons, Rollout, Step, WhichAddons,
    published,
};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::targeting::Targeting;
use mulberry_shared::tuf::{Ed25519Signer, Root, Signer, Targets, Verified};

use crate::clock::SetClock;
use crate::edition::store::MemoryEdition;
use crate::event::Event;
use crate::keys::{KeyError, KeySource, OnlineKeys};
use crate::ledger;
use crate::services::{Core, OpenError};
use crate::state::{self, State};
use crate::store::Store;
use crate::tokens;

/// Now, at the start of every test.
pub(crate) fn start() -> Timestamp {
    "2026-05-04T00:00:00Z".parse().unwrap()
}

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// The key with this number, always the same.
pub(crate) fn key(number: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[number; 32]).unwrap()
}

fn holders(numbers: std::ops::RangeInclusive<u8>, threshold: u32) -> Holders {
    // From 100 on they are the server's.
    let held = |number| match number {
        100.. => key(number).key().clone(),
        _ => key(number).key().clone().held_by(&format!("person-{number}").parse().unwrap()),
    };
    Holders { keys: numbers.map(held).collect(), threshold }
}

/// Three keys that a server has.
pub(crate) struct Keys(pub(crate) [u8; 3]);

impl KeySource for Keys {
    fn select(&self, root: &Root, targets: &Targets) -> Result<OnlineKeys, KeyError> {
        let [snapshot, timestamp, gates] = self.0.map(key);
        let keys = OnlineKeys { snapshot, timestamp, gates };
        keys.check(root, targets).map(|()| keys)
    }

    fn settle(&self, _: &Verified<Root>, _: &Verified<Targets>) -> Result<(), KeyError> {
        Ok(())
    }
}

/// Those that the first metadata names.
pub(crate) fn usual_keys() -> Arc<dyn KeySource> {
    Arc::new(Keys([101, 102, 103]))
}

fn sign<T: mulberry_shared::tuf::metadata::Body>(body: &T, numbers: &[u8]) -> Base64 {
    let signers: Vec<_> = numbers.iter().map(|number| key(*number)).collect();
    let signers: Vec<&dyn Signer> = signers.iter().map(|signer| signer as &dyn Signer).collect();
    Base64(write::sign(body, &signers).unwrap())
}

/// People's keys for a role: 1 to 3 root, 11 to 13 targets, 21 to 23 emergency, 31 to 33 routine. Threshold 2.
pub(crate) fn lane_keys(lane: Lane) -> [u8; 2] {
    match lane {
        Lane::Emergency => [21, 22],
        Lane::Routine => [31, 33],
    }
}

pub(crate) fn initialised() -> Event {
    let now = start();
    let root = RootHolders {
        root: holders(1..=3, 2),
        targets: holders(11..=13, 2),
        snapshot: holders(101..=101, 1),
        timestamp: holders(102..=102, 1),
    };
    let lanes = LaneHolders {
        emergency: holders(21..=23, 2),
        routine: holders(31..=33, 2),
        gates: holders(103..=103, 1),
    };
    let lane = |lane| sign(&LaneDraft::new(lane, None).build(now).unwrap(), &lane_keys(lane));
    Event::Initialised {
        roots: vec![sign(&write::root(1, Life::Offline.from(now), &root), &[1, 2])],
        targets: sign(&write::targets(1, Life::Offline.from(now), &lanes), &[11, 13]),
        lanes: Lane::ALL.into_iter().map(|name| (name, lane(name))).collect(),
    }
}

pub(crate) fn initial_state() -> State {
    state::apply(None, &initialised(), ledger::EMPTY, &Limits::default()).unwrap()
}

pub(crate) fn path(text: &str) -> RecipePath {
    text.parse().unwrap()
}

/// A plan of shares in basis points, each with the seconds it bakes.
pub(crate) fn plan(steps: &[(u16, i64)]) -> Vec<Step> {
    let step = |(points, bake): &(u16, i64)| Step {
        percent: BasisPoints::new(*points).unwrap(),
        bake: SignedDuration::from_secs(*bake),
        health: None,
    };
    steps.iter().map(step).collect()
}

/// A recipe's bytes. One that is called `paced` has two steps, any other one; only people open `guarded`.
pub(crate) fn recipe(at: &str, revision: u64) -> Vec<u8> {
    let RecipePath { lane, slug } = path(at);
    published::write(&Recipe {
        schema_version: 1,
        slug: slug.clone(),
        revision,
        name: format!("Verify again ({slug})"),
        lane,
        consent: ConsentKind::Hotfix,
        opens: if slug.as_str() == "guarded" { Opens::People } else { Opens::Server },
        action: Action::ReverifyAddons(ReverifyAddons { which: WhichAddons::Disabled }),
        capabilities: vec![],
        targeting: Targeting::default(),
        rollout: Rollout {
            namespace: slug.to_string(),
            max_percent: BasisPoints::new(5_000).unwrap(),
            plan: plan(if slug.as_str() == "paced" { &[(100, 600), (5_000, 0)] } else { &[(5_000, 0)] }),
        },
        starts: None,
        expires: start() + hours(24 * 60),
        on_end: OnEnd::Keep,
        comment: None,
    })
}

/// What a publish is made of; fields are changed by tests that want something wrong.
pub(crate) struct Proposal {
    pub(crate) lane: Lane,
    pub(crate) body: Targets,
    pub(crate) keys: Vec<u8>,
    pub(crate) recipes: BTreeMap<String, Base64>,
    pub(crate) withdraw: Vec<String>,
}

impl Proposal {
    /// The next version of a lane: `recipes` added or replaced, `withdraw` taken out.
    pub(crate) fn new(state: &State, lane: Lane, recipes: &[(&str, u64)], withdraw: &[&str]) -> Self {
        let mut draft = LaneDraft::new(lane, state.lanes.get(&lane).map(|lane| &*lane.metadata));
        let mut bytes = BTreeMap::new();
        for (at, revision) in recipes {
            draft.add(&path(at), &recipe(at, *revision)).unwrap();
            bytes.insert((*at).to_owned(), Base64(recipe(at, *revision)));
        }
        for slug in withdraw {
            draft.withdraw(&slug.parse().unwrap()).unwrap();
        }
        Self {
            lane,
            body: draft.build(start()).unwrap(),
            keys: lane_keys(lane).to_vec(),
            recipes: bytes,
            withdraw: withdraw.iter().map(|slug| (*slug).to_owned()).collect(),
        }
    }

    pub(crate) fn request(&self) -> PublishRequest {
        PublishRequest {
            metadata: sign(&self.body, &self.keys),
            recipes: self.recipes.clone(),
            withdraw: self.withdraw.clone(),
        }
    }
}

pub(crate) fn gate(revision: u64, state: GateState, percent: Option<u16>) -> GateRequest {
    let (reason, note, resumes) = ("because".to_owned(), None, Vec::new());
    GateRequest { revision, state, percent, reason, note, resumes, approval: None }
}

/// The parts of a server that outlive a restart, and the clock.
pub(crate) struct Parts<S> {
    pub(crate) store: Arc<S>,
    pub(crate) editions: Arc<MemoryEdition>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) keys: Arc<dyn KeySource>,
}

impl<S: Store + 'static> Parts<S> {
    /// A store that already has its first event.
    pub(crate) async fn initialised(store: S) -> Self {
        let store = Arc::new(store);
        let (mut ledger, before, _) =
            crate::services::core::fold(store.clone(), &Limits::default()).await.unwrap();
        assert!(before.is_none());
        ledger.append(start(), &Actor::command("init"), initialised()).await.unwrap();
        Self { store, editions: Arc::default(), clock: Arc::new(SetClock::at(start())), keys: usual_keys() }
    }

    /// Starts a server on them, as a restart would.
    pub(crate) async fn open(&self) -> Result<Arc<Core>, OpenError> {
        let limits = Limits::default();
        Core::open(self.store.clone(), self.editions.clone(), self.keys.clone(), self.clock.clone(), limits)
            .await
            .map(Arc::new)
    }
}

/// Keeps the token that it is handed.
#[derive(Default)]
struct Kept(String);

impl tokens::HandOver for Kept {
    fn offer(&mut self, text: &str) -> Result<(), tokens::TokenError> {
        self.0 = text.to_owned();
        Ok(())
    }
}

/// Adds a token to the file at `path`; its text.
pub(crate) fn add_token(
    path: &Path,
    name: &str,
    may: &[Scope],
    now: Timestamp,
) -> Result<String, tokens::TokenError> {
    let mut kept = Kept::default();
    // Names that are none are refused before it matters whose they are.
    let person = name.parse().unwrap_or_else(|_| "somebody".parse().unwrap());
    tokens::add(path, name, Owner::Person(person), may, now, &mut kept)?;
    Ok(kept.0)
}

/// A person with a token of the same name.
pub(crate) fn actor(name: &str) -> Actor {
    Actor::Token { token: name.to_owned(), owner: Owner::Person(name.parse().unwrap()) }
}
