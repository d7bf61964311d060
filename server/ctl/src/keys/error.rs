//! Why a key file was refused, and what to do then.

use std::path::PathBuf;

use crate::failure::{Failure, FailureKind};
use crate::passphrase::ENV;

/// Why a key file was refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("{}: {why}. Check the path given with --key.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Others than the owner may read the file.
    #[error(
        "{0}: other people may read this private key (mode {1:04o}). Run `chmod 600 {0}` if nobody has, else replace the key.",
        path.display(), mode
    )]
    TooWide {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not one whole PEM block.
    #[error(
        "{}: is not a whole PEM private key: it must begin with `-----BEGIN [ENCRYPTED ]PRIVATE KEY-----` and end with the \
         matching END line. Restore the file from its backup.",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// PEM of something else.
    #[error("{}: is a PEM `{label}`, not a PKCS#8 private key. Give the file that mulberryctl init wrote.", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        label: String,
    },
    /// A key of another algorithm, or damaged inside.
    #[error("{}: is neither an ed25519 nor a P-256 key, or it is damaged. Give a key that mulberryctl wrote.", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
    },
    /// Opening it would take too much memory or time.
    #[error("{}: its encryption parameters ask for more memory or time than a sane key file does. Restore it from its backup.", path.display())]
    CostTooHigh {
        /// The file.
        path: PathBuf,
    },
    /// Encrypted, and there is no passphrase.
    #[error("{}: is encrypted. Give --passphrase-file FILE, set {ENV}, or run this on a terminal.", path.display())]
    PassphraseNeeded {
        /// The file.
        path: PathBuf,
    },
    /// Encrypted, and no passphrase fits.
    #[error("{}: the passphrase does not open this key. Try again, or give the right --passphrase-file.", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The new file cannot be written.
    #[error("{}: cannot write the key: {why}.", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let kind = match &error {
            KeyError::Unreadable { .. } => FailureKind::KeyUnreadable,
            KeyError::TooWide { .. } => FailureKind::KeyPermissions,
            KeyError::Malformed { .. } => FailureKind::KeyMalformed,
            KeyError::NotAKey { .. } => FailureKind::NotAKey,
            KeyError::Unsupported { .. } => FailureKind::KeyUnsupported,
            KeyError::CostTooHigh { .. } => FailureKind::KeyCost,
            KeyError::PassphraseNeeded { .. } => FailureKind::PassphraseNeeded,
            KeyError::WrongPassphrase { .. } => FailureKind::WrongPassphrase,
            KeyError::Unwritable { .. } => FailureKind::KeyUnwritable,
        };
        Self::usage(kind, error.to_string())
    }
}
