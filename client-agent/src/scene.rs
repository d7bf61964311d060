//! A whole small world in memory for tests: people and a server that sign, an origin, add-ons with stated fates, a disk,
//! a clock, a hook, and the agent among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::decide::Consent;
use mulberry_shared::edition::TrustState;
use mulberry_shared::gates::{Gate, GateState, Gates};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{
    Action, HoldVerification, InstallCertificates, Lane, OnEnd, Opens, Recipe, RecipePath, Rollout,
    SCHEMA_VERSION, published,
};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::status::Status;
use mulberry_shared::targeting::Targeting;
use mulberry_shared::x509::Certificate;

use crate::backoff::Dice;
use crate::config::{Layer, validate};
use crate::driver::{Agent, RunError, Verify};
use crate::ports::doubles::{MemoryDisk, MemoryOrigin, RecordingHook, SetClock};
use crate::refresh::Origins;
use crate::report::RunReport;
use crate::state::State;
use crate::stop::Stop;
use crate::store::trust;

pub(crate) mod addons;
pub(crate) mod server;

pub(crate) use addons::{Addons, Fate};
pub(crate) use server::Server;

/// The instant at which the intermediate of the tests expires, as in 2019.
pub(crate) const EXPIRY: &str = "2019-05-04T00:09:46Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The certificate that replaces the expired one.
pub(crate) fn replacement() -> Certificate {
    certificate(include_bytes!("../../recipes/replace-signing-intermediate/replacement.pem"))
}

/// The anchor of the tests.
pub(crate) fn anchor() -> Certificate {
    certificate(include_bytes!("../../recipes/laboratory-anchor.pem"))
}

fn certificate(pem: &[u8]) -> Certificate {
    Certificate::parse_pem(pem, &Limits::default().x509).unwrap().remove(0)
}

/// A recipe of the emergency lane for everybody.
pub(crate) fn recipe(slug: &str, action: impl Into<Action>) -> Recipe {
    let action = action.into();
    Recipe {
        schema_version: SCHEMA_VERSION,
        slug: slug.parse().unwrap(),
        revision: 1,
        name: format!("Test {slug}"),
        lane: Lane::Emergency,
        consent: action.kind().consents()[0],
        opens: Opens::Server,
        action,
        capabilities: vec![],
        targeting: Targeting::default(),
        rollout: Rollout { namespace: slug.into(), max_percent: BasisPoints::EVERYONE, plan: Vec::new() },
        starts: None,
        expires: time("2019-06-01T00:00:00Z"),
        on_end: OnEnd::Keep,
        comment: None,
    }
}

pub(crate) fn install(slug: &str) -> Recipe {
    recipe(slug, InstallCertificates { certificates: vec![replacement()] })
}

pub(crate) fn hold(slug: &str) -> Recipe {
    recipe(slug, HoldVerification { until: time("2019-05-20T00:00:00Z") })
}

/// The world.
pub(crate) struct Scene {
    pub(crate) disk: MemoryDisk,
    pub(crate) server: Server,
    pub(crate) origin: MemoryOrigin,
    pub(crate) addons: Addons,
    pub(crate) hook: RecordingHook,
    pub(crate) clock: SetClock,
    pub(crate) verify: Verify,
    pub(crate) stop: Stop,
    recipes: BTreeMap<RecipePath, Recipe>,
    gates: Gates,
}

impl Scene {
    /// An agent that was initialised the day before the expiry, with two add-ons: one of the expiring intermediate,
    /// one of another. The origin has an edition without recipes.
    pub(crate) fn new() -> Self {
        let clock = SetClock::at("2019-05-03T12:00:00Z");
        let addons = Addons::default();
        addons.put("old.xpi", "old", Fate::NeedsReplacementAfter(time(EXPIRY)));
        addons.put("other.xpi", "other", Fate::Fine);
        let server = Server::new(time("2019-05-01T00:00:00Z"));
        let disk = MemoryDisk::initialised();
        let pinned = TrustState::pinned(server.root(), &Limits::default()).unwrap();
        trust::save(&disk, &pinned.to_files()).unwrap();
        State::new("00000000-0000-4000-8000-000000000000".into(), None).save(&disk).unwrap();
        let mut scene = Self {
            disk,
            server,
            origin: MemoryOrigin::default(),
            addons,
            hook: RecordingHook::default(),
            clock,
            verify: Verify::WhenDue,
            stop: Stop::new(),
            recipes: BTreeMap::new(),
            gates: Gates::default(),
        };
        scene.publish();
        scene
    }

    /// Adds or replaces a recipe with its gate wide open, and publishes.
    pub(crate) fn open(&mut self, recipe: Recipe) {
        self.gate(&recipe, GateState::Open);
        self.recipes.insert(recipe.path(), recipe);
        self.publish();
    }

    /// Ends a recipe's gate, and publishes.
    pub(crate) fn end(&mut self, slug: &str) {
        let recipe = self.recipes.values().find(|recipe| recipe.slug.as_str() == slug).unwrap().clone();
        self.gate(&recipe, GateState::Ended);
        self.publish();
    }

    /// Takes a recipe out of its lane, and publishes.
    pub(crate) fn withdraw(&mut self, slug: &str) {
        self.recipes.retain(|path, _| path.slug.as_str() != slug);
        self.gates.0.retain(|path, _| path.slug.as_str() != slug);
        self.publish();
    }

    fn gate(&mut self, recipe: &Recipe, state: GateState) {
        let since = time("2019-05-01T00:00:00Z");
        let gate = Gate::new(recipe.revision, state, BasisPoints::EVERYONE, since);
        self.gates.0.insert(recipe.path(), gate);
    }

    /// Signs everything again at the clock's time.
    pub(crate) fn publish(&mut self) {
        use crate::ports::Clock;
        let bytes = |lane: Lane| -> Vec<(RecipePath, Vec<u8>)> {
            let own = self.recipes.iter().filter(|(path, _)| path.lane == lane);
            own.map(|(path, recipe)| (path.clone(), published::write(recipe))).collect()
        };
        let (emergency, routine) = (bytes(Lane::Emergency), bytes(Lane::Routine));
        self.server.publish(&self.origin, &emergency, &routine, &self.gates.write(), self.clock.now());
    }

    /// One run of the agent on its disk.
    pub(crate) async fn run(&self) -> RunReport {
        self.run_on(&self.disk).await.unwrap()
    }

    /// Sets the clock, renews what the server signs, and makes a run.
    pub(crate) async fn run_at(&mut self, at: &str) -> RunReport {
        self.clock.set(at);
        self.publish();
        self.run().await
    }

    /// One run on another disk.
    pub(crate) async fn run_on(&self, disk: &MemoryDisk) -> Result<RunReport, RunError> {
        self.agent(disk).once().await
    }

    /// The agent on a disk.
    pub(crate) fn agent<'a>(&'a self, disk: &'a MemoryDisk) -> Agent<'a> {
        let layer = Layer {
            origins: vec!["http://127.0.0.1:1/".into()],
            addons: Some("/addons".into()),
            anchors: vec!["/anchor.pem".into()],
            version: Some("66.0".into()),
            locale: Some("en-US".into()),
            ..Layer::default()
        };
        Agent {
            disk,
            folder: "/state".into(),
            trust: Arc::default(),
            origins: Origins { all: vec![&self.origin], first: None, dice: Dice::new(1) },
            addons: &self.addons,
            examiner: &self.addons,
            hook: Some(&self.hook),
            clock: &self.clock,
            machine: None,
            facts: validate(layer).unwrap().facts,
            consent: Consent { updates: true, messages: true, studies: false },
            pass_every: SignedDuration::from_hours(24),
            verify: self.verify,
            stop: self.stop.clone(),
            limits: Limits::default(),
        }
    }

    pub(crate) fn state(&self) -> State {
        State::load(&self.disk).unwrap()
    }

    /// Whether an add-on is enabled, by `addons.json` as the host sees it.
    pub(crate) fn enabled(&self, path: &str) -> bool {
        enabled_on(&self.disk, path)
    }
}

/// Whether an add-on is enabled, by `addons.json` on this disk.
pub(crate) fn enabled_on(disk: &MemoryDisk, path: &str) -> bool {
    let file: serde_json::Value = serde_json::from_slice(&disk.files()["addons.json"]).unwrap();
    let lines = file["addons"].as_array().unwrap().iter();
    lines.filter(|line| line["path"] == path).all(|line| line["enabled"] == true)
}

/// The status of one recipe in a report.
pub(crate) fn status(report: &RunReport, slug: &str) -> Status {
    report.recipes.iter().find(|result| result.path.slug.as_str() == slug).unwrap().status
}
