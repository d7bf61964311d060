//! Two people who sign, an operator who hands over what they signed, and a client who verifies what is served: in this
//! process, so that a thousand publishes take minutes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::edition::write::{self, LaneDraft};
use mulberry_shared::edition::{Edition, Refresh, TrustState};
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{Base64, GateRequest, GateState, PublishRequest, PublishResponse};
use mulberry_shared::recipe::{
    Action, ConsentKind, Lane, OnEnd, Opens, Recipe, RecipePath, Rollout, SCHEMA_VERSION, Step, published,
};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::targeting::Targeting;
use mulberry_shared::tuf::{Ed25519Signer, Next, Outcome, Reply, Signer, Targets};

use crate::stage::{Stage, StageError, wait_for};

/// The longest that one exchange may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub struct Publisher {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    token: String,
    signers: Vec<Ed25519Signer>,
    trust: TrustState,
    limits: Limits,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The server acknowledged it.
    Acknowledged(PublishResponse),
    /// No answer came: whether it was done is not known.
    Silence,
}

impl Publisher {
    /// The people, token and pinned root of a stage.
    ///
    /// # Errors
    /// When a file of the stage cannot be used.
    pub fn new(stage: &Stage) -> Result<Self, StageError> {
        let read = |name: &str| {
            std::fs::read_to_string(stage.path(name)).map_err(|error| StageError(format!("{name}: {error}")))
        };
        let limits = Limits::default();
        let signer = |person: u8| {
            let pem = read(&format!("authority/people/person-{person}/emergency.pem"))?;
            Ed25519Signer::from_pkcs8_pem(&pem).map_err(failed)
        };
        let root = read("authority/root.json")?;
        Ok(Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?,
            // A connection of its own for each request: a killed server must not be met on an old one.
            http: reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .timeout(PATIENCE)
                .build()
                .map_err(failed)?,
            token: read("token")?,
            signers: vec![signer(1)?, signer(2)?],
            trust: TrustState::pinned(root.as_bytes(), &limits).map_err(failed)?,
            limits,
        })
    }

    /// The ceilings everything is read with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Fetches and verifies what the server serves, on top of all that was verified before: a version that falls back is
    /// refused.
    ///
    /// # Errors
    /// When it is not verified or not current; what was verified before stays then.
    pub fn refresh(&mut self, stage: &Stage) -> Result<Edition, StageError> {
        let mut refresh = Refresh::start(self.trust.clone(), stage.now(), &self.limits);
        while let Next::Fetch(fetch) = refresh.next() {
            refresh.supply(self.fetch(&format!("{}/{}", stage.origin(), fetch.path)));
        }
        let (state, report) = refresh.finish();
        if report.outcome() != Outcome::Current {
            let errors: Vec<String> = report.errors().map(ToString::to_string).collect();
            return Err(StageError(format!(
                "a client does not verify what is served: {}",
                errors.join("; ")
            )));
        }
        self.trust = state;
        self.trust.edition(&self.limits).ok_or_else(|| StageError("nothing is published".into()))
    }

    /// The next version of the emergency lane, signed by two people: `add` added or replaced, `withdraw` taken out.
    ///
    /// # Errors
    /// When the lane was not verified, or cannot be continued so.
    pub fn sign(
        &self,
        add: &[Recipe],
        withdraw: &[&str],
        now: Timestamp,
    ) -> Result<PublishRequest, StageError> {
        let current = self.trust.trusted().targets(Lane::Emergency.as_str());
        let current = current.ok_or_else(|| StageError("the emergency lane was not verified".into()))?;
        self.sign_on(Some(current), add, withdraw, now)
    }

    /// The same on top of any version of the lane.
    ///
    /// # Errors
    /// When the lane cannot be continued so.
    pub fn sign_on(
        &self,
        current: Option<&Targets>,
        add: &[Recipe],
        withdraw: &[&str],
        now: Timestamp,
    ) -> Result<PublishRequest, StageError> {
        let mut draft = LaneDraft::new(Lane::Emergency, current);
        let mut recipes = BTreeMap::new();
        for recipe in add {
            let bytes = published::write(recipe);
            draft.add(&recipe.path(), &bytes).map_err(failed)?;
            recipes.insert(recipe.path().to_string(), Base64(bytes));
        }
        for slug in withdraw {
            draft.withdraw(&slug.parse().map_err(failed)?).map_err(failed)?;
        }
        let signers: Vec<&dyn Signer> = self.signers.iter().map(|signer| signer as &dyn Signer).collect();
        let metadata = write::sign(&draft.build(now).map_err(failed)?, &signers).map_err(failed)?;
        let withdraw = withdraw.iter().map(|slug| (*slug).to_owned()).collect();
        Ok(PublishRequest { metadata: Base64(metadata), recipes, withdraw })
    }

    /// Hands the emergency lane to the server at `operators`.
    ///
    /// # Errors
    /// When the server refuses it, which it never should.
    pub fn publish(&self, operators: &str, request: &PublishRequest) -> Result<Answer, StageError> {
        let url = format!("{operators}/api/v1/lanes/emergency");
        let body = serde_json::to_vec(request).map_err(failed)?;
        match self.send(self.http.post(url), body) {
            None => Ok(Answer::Silence),
            Some((200, body)) => serde_json::from_slice(&body).map(Answer::Acknowledged).map_err(failed),
            Some((status, body)) => Err(refused("publish", status, &body)),
        }
    }

    /// Opens the gate of a recipe of the emergency lane for everyone.
    ///
    /// # Errors
    /// When the server does not do it.
    pub fn open_gate(&self, operators: &str, recipe: &Recipe) -> Result<(), StageError> {
        let request = GateRequest {
            revision: recipe.revision,
            state: GateState::Open,
            percent: Some(BasisPoints::EVERYONE.get()),
            reason: "rehearsal".to_owned(),
            resumes: Vec::new(),
            note: None,
            approval: None,
        };
        let url = format!("{operators}/api/v1/gates/emergency/{}", recipe.slug);
        match self.send(self.http.put(url), serde_json::to_vec(&request).map_err(failed)?) {
            Some((200, _)) => Ok(()),
            Some((status, body)) => Err(refused("gate", status, &body)),
            None => Err(StageError("the server did not answer".into())),
        }
    }

    /// Waits until the server's heartbeat says that all is well.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait_for_heartbeat(&self, stage: &Stage) -> Result<(), StageError> {
        let url = format!("{}/__heartbeat__", stage.origin());
        wait_for("the heartbeat", || Ok(matches!(self.fetch(&url), Reply::Bytes(_)).then_some(())))
    }

    fn fetch(&self, url: &str) -> Reply {
        match self.exchange(self.http.get(url)) {
            Err(error) => Reply::Failed(error.to_string()),
            Ok((200, body)) => Reply::Bytes(body),
            Ok((404, _)) => Reply::Absent,
            Ok((status, _)) => Reply::Failed(format!("status {status}")),
        }
    }

    fn send(&self, request: reqwest::RequestBuilder, body: Vec<u8>) -> Option<(u16, Vec<u8>)> {
        let request = request.bearer_auth(self.token.trim()).header("content-type", "application/json");
        self.exchange(request.body(body)).ok()
    }

    fn exchange(&self, request: reqwest::RequestBuilder) -> Result<(u16, Vec<u8>), reqwest::Error> {
        self.runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            Ok((status, answer.bytes().await?.to_vec()))
        })
    }
}

/// A recipe of the emergency lane for everybody, for thirty days, undone at its end.
///
/// # Errors
/// When the slug is none.
pub fn recipe(slug: &str, revision: u64, action: Action, now: Timestamp) -> Result<Recipe, StageError> {
    Ok(Recipe {
        schema_version: SCHEMA_VERSION,
        slug: slug.parse().map_err(failed)?,
        revision,
        name: format!("Rehearsal {slug}"),
        lane: Lane::Emergency,
        consent: ConsentKind::Security,
        opens: Opens::Server,
        action,
        capabilities: vec![],
        targeting: Targeting::default(),
        rollout: Rollout {
            namespace: slug.to_owned(),
            max_percent: BasisPoints::EVERYONE,
            plan: vec![Step { percent: BasisPoints::EVERYONE, bake: SignedDuration::ZERO, health: None }],
        },
        starts: None,
        expires: now.checked_add(SignedDuration::from_hours(24 * 30)).map_err(failed)?,
        on_end: OnEnd::Revert,
        comment: None,
    })
}

/// The revision of a recipe in a verified edition; `None` where it is not there or not readable.
#[must_use]
pub fn revision(edition: &Edition, path: &RecipePath, limits: &Limits) -> Option<u64> {
    let lane = edition.lanes.get(&path.lane)?;
    let recipe = lane.recipes.iter().find(|recipe| recipe.path == *path)?;
    let content = recipe.content.as_ref().ok()?;
    published::read(path, &content.bytes, limits).ok().map(|recipe| recipe.revision)
}

fn refused(what: &str, status: u16, body: &[u8]) -> StageError {
    StageError(format!("the server refused a {what} ({status}): {}", String::from_utf8_lossy(body)))
}

pub(super) fn failed(error: impl std::fmt::Display) -> StageError {
    StageError(error.to_string())
}
