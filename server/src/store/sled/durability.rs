//! What makes sled's writes survive a power cut: three steps, in this order, after each insert.
//!
//! 1. **Large values.** sled writes values (and pages) above 128 KiB to files of their own in `blobs/`, and syncs none of
//!    them. One that is missing after a crash is skipped without a word, with every event in its page. So they are made
//!    durable before anything points to them.
//! 2. **Flush.** sled writes its log to the file `db`. On Linux it only asks the kernel to write the pages
//!    (`sync_file_range`), which says nothing about the disk's cache nor about the file's length.
//! 3. **Sync.** `fdatasync` of the same file through a handle of our own.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// The three steps. A seam: tests watch them and let them fail.
pub(crate) trait Durability: Send {
    /// Makes large values durable, and says how many were new.
    fn sync_large_values(&mut self) -> Result<usize, StoreError>;

    /// Lets sled write what it holds in memory.
    fn flush(&mut self, db: &::sled::Db) -> Result<(), StoreError>;

    /// Makes what was written durable.
    fn sync_data(&mut self) -> Result<(), StoreError>;
}

/// The steps on a real database folder.
#[derive(Debug)]
pub(crate) struct OnDisk {
    file: File,
    large: PathBuf,
    /// Names of large values that are durable. sled writes such a file once and never again.
    synced: BTreeSet<OsString>,
}

impl OnDisk {
    /// For the database that sled has open in `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self, StoreError> {
        let file = File::options().read(true).write(true).open(folder.join("db")).map_err(failed)?;
        Ok(Self { file, large: folder.join("blobs"), synced: BTreeSet::new() })
    }

    fn sync_new_files(&mut self) -> io::Result<usize> {
        let entries = match fs::read_dir(&self.large) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            other => other?,
        };
        let (mut present, mut new) = (BTreeSet::new(), 0_usize);
        for entry in entries {
            let name = entry?.file_name();
            if !self.synced.contains(&name) {
                match File::open(self.large.join(&name)) {
                    // sled has replaced it meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => other?.sync_all()?,
                }
                new = new.saturating_add(1);
            }
            present.insert(name);
        }
        if new > 0 {
            File::open(&self.large)?.sync_all()?;
        }
        self.synced = present;
        Ok(new)
    }
}

impl Durability for OnDisk {
    fn sync_large_values(&mut self) -> Result<usize, StoreError> {
        self.sync_new_files().map_err(failed)
    }

    fn flush(&mut self, db: &::sled::Db) -> Result<(), StoreError> {
        db.flush().map(|_| ()).map_err(failed)
    }

    fn sync_data(&mut self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use crate::store::doubles::{Journal, WatchedDisk};
    use crate::store::sled::SledStore;

    fn watched(folder: &Path) -> (SledStore, std::sync::Arc<Journal>) {
        let journal = std::sync::Arc::new(Journal::default());
        let seen = journal.clone();
        let store = SledStore::open_with(folder, move |disk| Box::new(WatchedDisk::new(disk, seen))).unwrap();
        (store, journal)
    }

    #[tokio::test]
    async fn every_append_is_flushed_and_then_synced_before_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let (store, journal) = watched(folder.path());
        assert_eq!(
            journal.take(),
            ["synced 0 large values", "flushed", "synced data"],
            "the format at first"
        );
        for sequence in 1..=3 {
            store.append(sequence, b"one".to_vec()).await.unwrap();
            assert_eq!(journal.take(), ["synced 0 large values", "flushed", "synced data"]);
        }
        store.read(1).await.unwrap();
        assert!(store.append(9, vec![]).await.is_err());
        assert_eq!(journal.take(), Vec::<String>::new(), "nothing was written");
    }

    #[tokio::test]
    async fn what_sled_writes_to_files_of_its_own_is_synced_before_the_log_points_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, journal) = watched(folder.path());
        journal.take();
        store.append(1, vec![7; 300_000]).await.unwrap();
        let steps = journal.take();
        assert_eq!(steps.len(), 3, "{steps:?}");
        assert!(steps[0].starts_with("synced ") && steps[0] != "synced 0 large values", "{steps:?}");
        assert!(fs::read_dir(folder.path().join("blobs")).unwrap().count() > 0, "sled does as was measured");
        store.close();

        // A store that is opened again trusts no file that it has not synced itself.
        let (store, journal) = watched(folder.path());
        assert!(journal.take()[0] != "synced 0 large values");
        assert_eq!(store.read(1).await.unwrap(), [vec![7; 300_000]]);
    }

    #[tokio::test]
    async fn a_step_that_fails_fails_the_append_and_later_steps_are_not_made() {
        for (step, made) in [("synced", 0), ("flushed", 1), ("synced data", 2)] {
            let folder = tempfile::tempdir().unwrap();
            let (store, journal) = watched(folder.path());
            journal.take();
            journal.fail_at(Some(step));
            let error = store.append(1, b"one".to_vec()).await.unwrap_err();
            assert!(matches!(&error, StoreError::Failed(why) if why.contains("told to")), "{error}");
            assert_eq!(journal.take().len(), made, "{step}");
        }
    }
}
