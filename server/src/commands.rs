//! The commands. Concrete stores, files and clocks are wired here and nowhere else.

use std::path::{Path, PathBuf};

use mulberry_shared::answer::Unwritten;
use mulberry_shared::exit::Exit;

use crate::config::InTheClear;
use crate::files::{self, FileError};
use crate::keys::KeyError;
use crate::ledger::LedgerError;
use crate::services::OpenError;
use crate::state::FoldError;
use crate::store::StoreError;
use crate::tokens::TokenError;

pub mod ceremony;
pub mod config_show;
pub mod init;
pub mod keys;
pub mod ledger;
pub mod rebuild;
pub mod restore;
pub mod run;
pub mod token;

/// Writes an answer to standard output: the one place where this program does. A reader that has gone away is no fault.
///
/// # Errors
/// Exit code 2 when standard output takes no more.
pub fn answer(text: &str) -> Result<(), CommandError> {
    Ok(mulberry_shared::answer::write(&mut std::io::stdout().lock(), text)?)
}

/// The files in the state folder.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The folder.
    pub folder: PathBuf,
}

impl Layout {
    /// The folder, which must exist and be private.
    ///
    /// # Errors
    /// [`CommandError`] that tells to run `init` first.
    pub fn existing(folder: &Path) -> Result<Self, CommandError> {
        if !folder.is_dir() {
            return Err(CommandError::usage(format!(
                "there is no state folder {}; run `mulberry-server init --from DIR --state {0}` first",
                folder.display()
            )));
        }
        files::private_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Held by the one process that writes.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// The ledger's database.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// The last signed edition.
    #[must_use]
    pub fn edition(&self) -> PathBuf {
        self.folder.join("edition.json")
    }

    /// The online keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// The operators' tokens, hashed.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }

    /// Where a running server listens.
    #[must_use]
    pub fn listening(&self) -> PathBuf {
        self.folder.join("listening.json")
    }

    /// Where a running server gives exports of the ledger.
    #[must_use]
    pub fn export(&self) -> PathBuf {
        self.folder.join("export.sock")
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// Exit code 5 when another process holds it.
    pub fn take_lock(&self) -> Result<std::fs::File, CommandError> {
        files::lock(&self.lock())?.ok_or_else(|| CommandError::in_use(&self.folder))
    }
}

/// A command ended without success.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct CommandError {
    /// The exit code.
    pub exit: Exit,
    /// What was wrong and what to do.
    pub sentence: String,
}

impl CommandError {
    /// Wrong usage or unreadable input.
    #[must_use]
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, sentence: sentence.into() }
    }

    /// Metadata, a signature or the ledger was refused.
    #[must_use]
    pub fn refused(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::TrustRefused, sentence: sentence.into() }
    }

    /// Another process holds this state folder.
    #[must_use]
    pub fn in_use(folder: &Path) -> Self {
        let sentence = format!(
            "{} is in use by another mulberry-server; stop that one first, or name another folder",
            folder.display()
        );
        Self { exit: Exit::Locked, sentence }
    }

    /// It was tried and did not work.
    #[must_use]
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::No, sentence: sentence.into() }
    }
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<Unwritten> for CommandError {
    fn from(error: Unwritten) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged { .. } => Self::refused(error.to_string()),
            _ => Self::usage(error.to_string()),
        }
    }
}

impl From<InTheClear> for CommandError {
    fn from(error: InTheClear) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<TokenError> for CommandError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Locked => Self { exit: Exit::Locked, sentence: error.to_string() },
            TokenError::Taken(_) | TokenError::Unknown(_) => Self::failed(error.to_string()),
            _ => Self::usage(error.to_string()),
        }
    }
}

impl From<KeyError> for CommandError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotTrusted { .. } => Self::refused(error.to_string()),
            _ => Self::usage(error.to_string()),
        }
    }
}

impl From<FoldError> for CommandError {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Ledger(LedgerError::Store(error)) => error.into(),
            FoldError::Ledger(LedgerError::TooLarge { .. } | LedgerError::Unwritable { .. }) => {
                Self::failed(error.to_string())
            }
            _ => Self::refused(error.to_string()),
        }
    }
}

impl From<LedgerError> for CommandError {
    fn from(error: LedgerError) -> Self {
        FoldError::from(error).into()
    }
}

impl From<OpenError> for CommandError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Fold(error) => error.into(),
            OpenError::Keys(error) => error.into(),
            OpenError::File(error) => error.into(),
            OpenError::NotInitialised => Self::usage(error.to_string()),
            OpenError::Edition(_) => Self::refused(error.to_string()),
            OpenError::Sign(_) => Self::failed(error.to_string()),
        }
    }
}
