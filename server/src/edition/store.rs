//! Where the last signed edition is kept, so that it is durable before it is served.

use std::path::PathBuf;

use crate::files::{self, FileError};

/// Bytes of a stored edition: gates of a thousand recipes and their metadata, as base64.
const MAX_BYTES: u64 = 8 << 20;

/// Keeps the last edition.
pub trait EditionStore: Send + Sync {
    /// The edition stored last, if any. Blocks.
    ///
    /// # Errors
    /// [`FileError`].
    fn load(&self) -> Result<Option<Vec<u8>>, FileError>;

    /// Replaces it; durable once this returns. Blocks.
    ///
    /// # Errors
    /// [`FileError`]; the old one is then still there, or the new one.
    fn save(&self, edition: &[u8]) -> Result<(), FileError>;
}

/// A file that is replaced whole.
#[derive(Debug)]
pub struct EditionFile(pub PathBuf);

impl EditionStore for EditionFile {
    fn load(&self) -> Result<Option<Vec<u8>>, FileError> {
        match files::read_private(&self.0, MAX_BYTES) {
            Err(error) if error.is_absent() => Ok(None),
            other => other.map(Some),
        }
    }

    fn save(&self, edition: &[u8]) -> Result<(), FileError> {
        files::write_private(&self.0, edition)
    }
}

/// Keeps it in memory, and fails when told to.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct MemoryEdition {
    pub(crate) bytes: std::sync::Mutex<Option<Vec<u8>>>,
    pub(crate) failing: std::sync::atomic::AtomicBool,
}

#[cfg(test)]
impl EditionStore for MemoryEdition {
    fn load(&self) -> Result<Option<Vec<u8>>, FileError> {
        Ok(self.bytes.lock().unwrap().clone())
    }

    fn save(&self, edition: &[u8]) -> Result<(), FileError> {
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(FileError::Unreadable {
                path: PathBuf::from("edition"),
                why: "told to fail".to_owned(),
            });
        }
        *self.bytes.lock().unwrap() = Some(edition.to_vec());
        Ok(())
    }
}
