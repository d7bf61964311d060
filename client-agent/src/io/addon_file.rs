//! One add-on on disk.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use mulberry_host::memory::Budget;
use mulberry_shared::limits::Limits;
use mulberry_shared::xpi::{self, Inspection, Policy, ReadAt};

/// Files up to this size are read at once: one call instead of two for every entry, and no change in between can be seen.
const WHOLE: u64 = 1 << 20;

/// An open add-on.
#[derive(Debug)]
pub struct AddonFile(Source);

#[derive(Debug)]
enum Source {
    Memory(Vec<u8>),
    Disk { file: File, len: u64 },
}

impl AddonFile {
    /// Opens the file, and reads it if it is small.
    ///
    /// # Errors
    /// It cannot be read, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Asked before opening: opening a pipe would wait for a writer.
        let len = regular_len(path)?;
        let file = File::open(path)?;
        if len > WHOLE {
            return Ok(Self(Source::Disk { file, len }));
        }
        let mut bytes = Vec::with_capacity(len as usize);
        file.take(WHOLE).read_to_end(&mut bytes)?;
        Ok(Self(Source::Memory(bytes)))
    }
}

impl ReadAt for AddonFile {
    fn len(&self) -> u64 {
        match &self.0 {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::Disk { len, .. } => *len,
        }
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        match &self.0 {
            Source::Memory(bytes) => ReadAt::read_exact_at(bytes, buf, offset),
            Source::Disk { file, .. } => FileExt::read_exact_at(file, buf, offset),
        }
    }
}

/// Inspects the add-on at `path` when `memory` has room for it.
///
/// # Errors
/// The file cannot be read. Whatever is wrong with what it holds is part of the inspection.
pub fn inspect(path: &Path, policy: &Policy, limits: &Limits, memory: &Budget) -> io::Result<Inspection> {
    let len = regular_len(path)?;
    let most = len.min(WHOLE).saturating_add(xpi::memory_ceiling(len, &limits.xpi));
    memory.with(most, || xpi::inspect(&AddonFile::open(path)?, policy, limits))
}

fn regular_len(path: &Path) -> io::Result<u64> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_files_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        for len in [5usize, (WHOLE + 5) as usize] {
            let path = folder.path().join("file");
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let file = AddonFile::open(&path).unwrap();
            assert_eq!(ReadAt::len(&file), len as u64);
            let mut tail = [0; 3];
            file.read_exact_at(&mut tail, len as u64 - 3).unwrap();
            assert_eq!(tail, bytes[len - 3..]);
            assert!(file.read_exact_at(&mut tail, len as u64 - 2).is_err());
        }
        assert!(AddonFile::open(folder.path()).is_err());
    }
}
