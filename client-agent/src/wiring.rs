//! A run's concrete parts, made from settings: what `once` and the daemon have in common.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use mulberry_shared::decide::Consent;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use reqwest::Url;

use crate::backoff::Dice;
use crate::commands::{Failure, settings};
use crate::config::{Facts, Layer, Origin};
use crate::driver::{Agent, StoredTrust, Verify};
use crate::examine::Archives;
use crate::io::disk::StateFolder;
use crate::io::folder::RealAddons;
use crate::io::hook::HookProcess;
use crate::io::http::HttpOrigin;
use crate::io::machine;
use crate::io::mirror::Mirror;
use crate::io::tls::Tls;
use crate::ports::{Clock, Hook, Transport};
use crate::refresh::Origins;
use crate::stop::Stop;

/// The parts that settings decide, ready for any number of runs.
pub struct Parts {
    trust: Arc<StoredTrust>,
    origins: Vec<Box<dyn Transport>>,
    streams: Vec<Url>,
    tls: Tls,
    addons: RealAddons,
    examiner: Archives,
    hook: Option<HookProcess>,
    machine: Option<Sha256Digest>,
    facts: Facts,
    consent: Consent,
    pass_every: SignedDuration,
    poll_every: Duration,
    limits: Limits,
}

impl Parts {
    /// Reads the settings of a state folder, with `upper` over them, and makes the parts.
    ///
    /// # Errors
    /// A setting, an anchor or the origin's address cannot be used.
    pub fn load(folder: &StateFolder, upper: Layer, limits: &Limits) -> Result<Self, Failure> {
        let config = settings::load(folder, folder.root(), upper)?;
        let anchors = settings::anchors(&config.anchors, limits)?;
        // Trust does not rest on TLS, so what is wrong here must not keep the agent from its other origins.
        let tls = settings::tls(&config, limits).or_else(|failure| {
            tracing::warn!("{failure}; going on with the system's roots alone");
            Tls::new(config.tls, Vec::new()).map_err(Failure::usage)
        })?;
        let mut origins: Vec<Box<dyn Transport>> = Vec::new();
        let mut streams = Vec::new();
        for origin in config.origins {
            match origin {
                Origin::Http(url) => {
                    origins.push(Box::new(HttpOrigin::new(url.clone(), &tls).map_err(Failure::usage)?));
                    streams.push(url);
                }
                Origin::Folder(url) => origins.push(Box::new(Mirror::new(url))),
            }
        }
        let root = folder.root();
        Ok(Self {
            trust: Arc::default(),
            origins,
            streams,
            tls,
            addons: RealAddons::new(config.addons),
            examiner: Archives::new(anchors, config.policy, limits.clone()),
            hook: config.hook.map(|program| HookProcess::new(program, root.to_path_buf())),
            machine: machine::identity(),
            facts: config.facts,
            consent: config.consent,
            pass_every: config.pass_every,
            poll_every: config.poll_every,
            limits: limits.clone(),
        })
    }

    /// An agent with these parts, whose runs end early once `stop` is set; `first` names the origin that has announced an edition.
    #[must_use]
    pub fn agent<'a>(
        &'a self,
        folder: &'a StateFolder,
        clock: &'a dyn Clock,
        first: Option<String>,
        stop: Stop,
    ) -> Agent<'a> {
        Agent {
            disk: folder,
            folder: folder.root().display().to_string(),
            trust: self.trust.clone(),
            origins: Origins {
                all: self.origins.iter().map(AsRef::as_ref).collect(),
                first,
                dice: Dice::new(rand::random()),
            },
            addons: &self.addons,
            examiner: &self.examiner,
            hook: self.hook.as_ref().map(|hook| hook as &dyn Hook),
            clock,
            machine: self.machine,
            facts: self.facts.clone(),
            consent: self.consent,
            pass_every: self.pass_every,
            verify: Verify::WhenDue,
            stop,
            limits: self.limits.clone(),
        }
    }

    /// The addresses of all origins.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.origins.iter().map(|origin| origin.origin().to_owned()).collect()
    }

    /// The origins that may have a live stream: those over HTTP.
    #[must_use]
    pub fn streams(&self) -> &[Url] {
        &self.streams
    }

    /// What TLS connections are made with.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Time between two periodic passes.
    #[must_use]
    pub fn pass_every(&self) -> SignedDuration {
        self.pass_every
    }

    /// The longest time between two polls.
    #[must_use]
    pub fn poll_every(&self) -> Duration {
        self.poll_every
    }
}
