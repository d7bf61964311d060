//! A run's concrete parts, made from settings: what `once` and the daemon have in common.

use std::time::Duration;

use jiff::SignedDuration;
use mulberry_shared::decide::Consent;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;

use crate::commands::{Failure, settings};
use crate::config::{Facts, Layer};
use crate::driver::Agent;
use crate::examine::Archives;
use crate::io::disk::StateFolder;
use crate::io::folder::RealAddons;
use crate::io::hook::HookProcess;
use crate::io::http::HttpOrigin;
use crate::io::machine;
use crate::ports::{Clock, Hook};

/// The parts that settings decide, ready for any number of runs.
pub struct Parts {
    origin: HttpOrigin,
    address: String,
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
        let root = folder.root();
        Ok(Self {
            origin: HttpOrigin::new(&config.origin).map_err(Failure::usage)?,
            address: config.origin,
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

    /// An agent with these parts.
    #[must_use]
    pub fn agent<'a>(&'a self, folder: &'a StateFolder, clock: &'a dyn Clock) -> Agent<'a> {
        Agent {
            disk: folder,
            folder: folder.root().display().to_string(),
            origin: &self.origin,
            addons: &self.addons,
            examiner: &self.examiner,
            hook: self.hook.as_ref().map(|hook| hook as &dyn Hook),
            clock,
            machine: self.machine,
            facts: self.facts.clone(),
            consent: self.consent,
            pass_every: self.pass_every,
            limits: self.limits.clone(),
        }
    }

    /// The origin's address, with a slash at its end.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
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
