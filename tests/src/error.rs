//! What can go wrong while making fixtures.

use std::path::PathBuf;

/// A fixture could not be made. The laboratory only reads its own input, so this is a mistake in a fixture or a full disk.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A cryptographic operation was refused.
    #[error("the laboratory could not {0}")]
    Crypto(String),
    /// ASN.1 could not be written.
    #[error("the laboratory could not write ASN.1: {0}")]
    Der(#[from] der::Error),
    /// Two options of a fixture exclude each other.
    #[error("this fixture cannot be made: {0}")]
    Impossible(String),
    /// A command was asked for what it does not do.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// JSON could not be written.
    #[error("the laboratory could not write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl LabError {
    /// For `map_err` on cryptographic results, which carry no detail of their own.
    pub(crate) fn crypto<E>(what: &str) -> impl FnOnce(E) -> Self + '_ {
        move |_| Self::Crypto(what.to_owned())
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.into(), source }
    }
}
