//! The zip container, read strictly.
//!
//! General zip libraries are lenient on purpose: they read what is found in the wild, and two of them may see different files in
//! one archive (the last of two equal names, local names that differ from the directory's, data between entries). A
//! signature over "the files" means something only where all readers see the same ones, so this reader accepts the subset on which
//! there is no choice: the directory and the local headers say the same, and the entries tile the archive from its
//! first byte to the directory, which ends it. No prefix, gap, overlap, archive comment, encryption, link, zip64 or
//! multi-volume archive; names are plain relative UTF-8 paths, each once. (Field layouts: APPNOTE.TXT 6.3, sections 4.3 and 4.4.)

mod content;
mod directory;
#[cfg(test)]
pub(crate) mod maker;
mod name;
mod record;
#[cfg(test)]
mod tests;

use std::io;

pub use content::{ContentReader, Read};
pub use directory::{Directory, Entry, Method};

use super::verdict::Fault;

/// Why an archive was not read further: the medium failed, or the archive is at fault.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The medium failed; nothing is known about the archive.
    #[error("cannot read the archive: {0}")]
    Io(#[from] io::Error),
    /// The archive is at fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}
