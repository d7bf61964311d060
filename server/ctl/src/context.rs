//! What every command is handed: the time, the form of the answer, the ceilings, and where this machine's settings are.

use crate::{
    config::{Overrides, Settings},
    failure::Failure,
    http::{Endpoint, Purpose},
    operators::Operators,
    origin,
    output::Format,
    passphrase::{self, Passphrases, Prompt},
};
use jiff::Timestamp;
use mulberry_shared::{edition::TrustState, limits::Limits};
use std::{cell::OnceCell, path::PathBuf};

/// The surroundings of one command.
pub struct CommandContext {
    /// The time: one instant for the whole command.
    pub now: Timestamp,
    /// How to answer.
    pub format: Format,
    /// Ceilings.
    pub limits: Limits,
    overrides: Overrides,
    passphrase_files: Vec<PathBuf>,
    settings: OnceCell<Settings>,
}

impl CommandContext {
    /// Surroundings in which nothing has been read yet.
    #[must_use]
    pub fn new(now: Timestamp, format: Format, overrides: Overrides, passphrase_files: Vec<PathBuf>) -> Self {
        let (limits, settings) = (Limits::default(), OnceCell::new());
        Self { now, format, limits, overrides, passphrase_files, settings }
    }

    /// Command line, environment and configuration file, merged. The file is read when a command first asks, so one that needs no
    /// settings works beside a broken file.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn settings(&self) -> Result<&Settings, Failure> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let loaded = Settings::load(&self.overrides, &environment)?;
        Ok(self.settings.get_or_init(|| loaded))
    }

    /// The same without any configuration file: for `init`, which writes one.
    #[must_use]
    pub fn settings_without_file(&self) -> Settings {
        Settings::without_file(&self.overrides, &environment)
    }

    /// The passphrases that were given; further ones are asked for when a key needs one.
    ///
    /// # Errors
    /// As [`Passphrases::gather`].
    pub fn passphrases(&self) -> Result<Passphrases, Failure> {
        Passphrases::gather(&self.passphrase_files, environment(passphrase::ENV), Prompt::detect())
    }

    /// The operators' interface, asked with this machine's token; nothing is sent yet.
    ///
    /// # Errors
    /// As [`Operators::new`].
    pub fn server(&self) -> Result<Operators, Failure> {
        Operators::new(self.settings()?)
    }

    /// The public repository; nothing is fetched yet.
    ///
    /// # Errors
    /// No URL of one.
    pub fn origin(&self) -> Result<Endpoint, Failure> {
        Endpoint::new(&self.settings()?.origin.value, Purpose::PublicDocuments)
    }

    /// The root that this machine trusts.
    ///
    /// # Errors
    /// As [`origin::pinned`], and when no root is named.
    pub fn pinned(&self) -> Result<TrustState, Failure> {
        origin::pinned(self.settings()?.root()?, &self.limits)
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
