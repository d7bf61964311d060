//! The trust state on disk: content-addressed files, and one pointer that is swapped atomically.
//!
//! `trust/<sha256>` are the contents, `trust/current.json` says which of them make up the present state under which
//! names. A run that fetched nothing new writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use mulberry_shared::digest::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::ports::Disk;
use crate::store::{replace, replace_if_different};

const FOLDER: &str = "trust";
const POINTER: &str = "trust/current.json";
const FORMAT: u64 = 1;
/// The pointer: a name and a digest for each file of an edition; 16,384 files of 160 bytes each.
const POINTER_BYTES: u64 = 4 << 20;
/// One file: far above every ceiling of metadata and recipes, so that what was accepted can be read again.
const FILE_BYTES: u64 = 64 << 20;
/// A reader without the lock may meet a writer that has just swept away files of the pointer it read; the next pointer is
/// there by then.
const READER_TRIES: usize = 5;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pointer {
    format: u64,
    files: BTreeMap<String, Sha256Digest>,
}

/// Why the stored trust state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustFilesError {
    /// There is none.
    #[error(
        "there is no trust state in this folder; restore the folder from a copy, or make a new one with init"
    )]
    Missing,
    /// Written by a later version.
    #[error(
        "trust/current.json has format {found}, this agent knows up to {FORMAT}; use the newer agent that wrote it"
    )]
    Newer {
        /// The number found.
        found: u64,
    },
    /// Not what was written.
    #[error(
        "trust/current.json is damaged ({problem}); restore the state folder from a copy, or set up a new one with init"
    )]
    Damaged {
        /// What is wrong.
        problem: String,
    },
    /// The disk failed.
    #[error("the trust state cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

/// Makes `files` the stored trust state. Nothing is written for files that are there already.
///
/// # Errors
/// Whatever the disk reports; the former state stays then.
pub fn save(disk: &dyn Disk, files: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    let digests: BTreeMap<String, Sha256Digest> =
        files.iter().map(|(name, bytes)| (name.clone(), Sha256Digest::of(bytes))).collect();
    // Also when the pointer stays: a file that was found damaged, and fetched again, takes its place here.
    for (name, bytes) in files {
        if let Some(digest) = digests.get(name) {
            replace_if_different(disk, &format!("{FOLDER}/{digest}"), bytes)?;
        }
    }
    let pointer = serde_json::to_vec(&Pointer { format: FORMAT, files: digests.clone() })?;
    if matches!(disk.read(POINTER, POINTER_BYTES), Ok(Some(present)) if present == pointer) {
        sweep(disk, &digests);
        return Ok(());
    }
    replace(disk, POINTER, &pointer)?;
    sweep(disk, &digests);
    Ok(())
}

/// For a state that is stored whole: only removes what a crash may have left beside it.
///
/// # Errors
/// Whatever the disk reports.
pub fn tidy(disk: &dyn Disk) -> io::Result<()> {
    let pointer = disk.read(POINTER, POINTER_BYTES)?.unwrap_or_default();
    // One that cannot be read names nothing that may be removed.
    let Ok(Pointer { format: FORMAT, files }) = serde_json::from_slice(&pointer) else { return Ok(()) };
    sweep(disk, &files);
    Ok(())
}

/// Removes what the pointer does not name. Failing here costs space, never truth, so it holds up no run.
fn sweep(disk: &dyn Disk, digests: &BTreeMap<String, Sha256Digest>) {
    let wanted: BTreeSet<String> = digests.values().map(Sha256Digest::to_string).collect();
    let names = disk.list(FOLDER).unwrap_or_else(|error| {
        tracing::warn!(folder = FOLDER, %error, "cannot be looked into for files that nothing needs any more");
        Vec::new()
    });
    for name in names {
        if name.parse::<Sha256Digest>().is_ok()
            && !wanted.contains(&name)
            && let Err(error) = disk.remove(&format!("{FOLDER}/{name}"))
        {
            tracing::warn!(file = format!("{FOLDER}/{name}"), %error, "nothing needs it any more, and it cannot be removed");
        }
    }
}

/// The pointer's bytes, if trust is stored at all. What it names is named by content, so equal pointers are equal trust.
///
/// # Errors
/// Whatever the disk reports.
pub fn pointer(disk: &dyn Disk) -> io::Result<Option<Vec<u8>>> {
    disk.read(POINTER, POINTER_BYTES)
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The files that are what they were when they were written.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Those that are not, or are gone. Trust is verified again from the others, and the next refresh fetches these again.
    pub damaged: Vec<String>,
}

/// Reads the stored trust state; works beside a writer.
///
/// # Errors
/// None is stored, its pointer is of a later format or damaged, or the disk failed.
pub fn load(disk: &dyn Disk) -> Result<Loaded, TrustFilesError> {
    let mut loaded = load_once(disk)?;
    for _ in 1..READER_TRIES {
        if loaded.damaged.is_empty() {
            break;
        }
        loaded = load_once(disk)?;
    }
    Ok(loaded)
}

fn load_once(disk: &dyn Disk) -> Result<Loaded, TrustFilesError> {
    let bytes = pointer(disk)?.ok_or(TrustFilesError::Missing)?;
    let damaged = |problem: String| TrustFilesError::Damaged { problem };
    let format = serde_json::from_slice::<serde_json::Value>(&bytes)
        .map_err(|error| damaged(error.to_string()))?
        .get("format")
        .and_then(serde_json::Value::as_u64)
        .ok_or_else(|| damaged("it has no format number".into()))?;
    if format > FORMAT {
        return Err(TrustFilesError::Newer { found: format });
    }
    let pointer: Pointer = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut loaded = Loaded::default();
    for (name, digest) in pointer.files {
        match disk.read(&format!("{FOLDER}/{digest}"), FILE_BYTES)? {
            Some(bytes) if Sha256Digest::of(&bytes) == digest => {
                loaded.files.insert(name, bytes);
            }
            _ => loaded.damaged.push(name),
        }
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::doubles::MemoryDisk;

    fn files(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn every_crash_leaves_the_old_files_or_the_new() {
        let old = files(&[("root.json", "r1"), ("timestamp.json", "t1"), ("snapshot.json", "s1")]);
        let new = files(&[("root.json", "r1"), ("timestamp.json", "t2"), ("x", "s1")]);
        let start = MemoryDisk::initialised();
        save(&start, &old).unwrap();
        let whole = start.copy();
        save(&whole, &new).unwrap();
        assert_eq!(load(&whole).unwrap().files, new);
        let (mut crashes, effects) = (0, whole.effects());
        for n in 0..=effects {
            let disk = start.copy();
            disk.die_after(n);
            let done = save(&disk, &new).is_ok();
            for (crash, after) in disk.crashes() {
                crashes += 1;
                let loaded = load(&after).unwrap();
                assert_eq!(loaded.damaged, Vec::<String>::new(), "{crash} after {n}");
                let found = loaded.files;
                assert!(found == new || (found == old && !done), "{crash} after {n}");
                save(&after, &new).unwrap();
                assert_eq!(load(&after).unwrap().files, new, "{crash} after {n}");
                let left = after.files().into_keys().filter(|path| path.starts_with("trust/")).count();
                assert_eq!(left, 4, "{crash} after {n}");
            }
        }
        println!("{crashes} crashes, after each of {effects} effects of a save");
        assert!(crashes > 2 * effects, "{crashes} crashes after {effects} effects");
    }

    #[test]
    fn what_cannot_be_removed_holds_up_nothing() {
        let disk = MemoryDisk::initialised();
        save(&disk, &files(&[("a", "1")])).unwrap();
        let trial = disk.copy();
        save(&trial, &files(&[("a", "2")])).unwrap();
        let removing = trial.effects() - 1;
        disk.die_after(removing);
        save(&disk, &files(&[("a", "2")])).unwrap();
        tidy(&disk).unwrap();
        let left = disk.files().into_keys().filter(|path| path.starts_with("trust/")).count();
        assert_eq!(left, 3, "the pointer, what it names, and what could not be removed");
    }

    #[test]
    fn the_same_files_again_cost_no_effect() {
        let disk = MemoryDisk::default();
        save(&disk, &files(&[("a", "1")])).unwrap();
        let effects = disk.effects();
        save(&disk, &files(&[("a", "1")])).unwrap();
        assert_eq!(disk.effects(), effects);
    }

    #[test]
    fn damage_and_newer_formats_are_told_not_reset() {
        let disk = MemoryDisk::default();
        assert!(matches!(load(&disk), Err(TrustFilesError::Missing)));
        save(&disk, &files(&[("a", "1"), ("b", "2")])).unwrap();
        let blob = format!("trust/{}", Sha256Digest::of(b"1"));
        disk.write(&blob, b"2").unwrap();
        let loaded = load(&disk).unwrap();
        assert_eq!((loaded.files, loaded.damaged), (files(&[("b", "2")]), vec!["a".to_owned()]));
        // What was fetched again takes its place, though the pointer stays.
        save(&disk, &files(&[("a", "1"), ("b", "2")])).unwrap();
        assert!(load(&disk).unwrap().damaged.is_empty());
        disk.write(POINTER, br#"{"format":2,"surprise":[]}"#).unwrap();
        assert!(matches!(load(&disk), Err(TrustFilesError::Newer { found: 2 })));
    }
}
