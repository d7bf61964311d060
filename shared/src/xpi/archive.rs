//! The zip container, read as Firefox reads it.
//!
//! General zip libraries differ in what they make of one archive (the last of two equal names, local names that differ from the
//! directory's, the first or the last end record), and a signature over "the files" means something only for a reader that sees
//! the same ones as the host. So this reader goes by what the host goes by: the last end record, the directory that it points to, and
//! of a local header the name. Comments, extra fields, sizes in local headers, data descriptors, and bytes before, between and after
//! the entries mean nothing; packers write them differently. Refused beyond that is the closed list of
//! [`Refusal`](crate::xpi::Refusal), and two files of one name. (Field layouts: APPNOTE.TXT 6.3, sections 4.3 and 4.4.)

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
