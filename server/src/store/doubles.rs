//! Stores that fail on demand and that remember what was asked.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::sled::durability::{Durability, OnDisk};
use super::{Store, StoreError};
use crate::edition::store::{EditionFile, EditionStore};
use crate::files::FileError;

/// What happened, in order; with a probe, each entry says what readers were served at that instant.
#[derive(Default)]
pub(crate) struct Journal {
    entries: Mutex<Vec<String>>,
    probe: Mutex<Option<Box<dyn Fn() -> String + Send>>>,
    failing: Mutex<Option<&'static str>>,
}

impl Journal {
    /// Notes from now on what `probe` says beside every entry.
    pub(crate) fn watch(&self, probe: impl Fn() -> String + Send + 'static) {
        *self.probe.lock().unwrap() = Some(Box::new(probe));
    }

    /// Lets every step whose entry would start like this fail, or none.
    pub(crate) fn fail_at(&self, step: Option<&'static str>) {
        *self.failing.lock().unwrap() = step;
    }

    pub(crate) fn note(&self, what: &str) {
        let seen = self.probe.lock().unwrap().as_ref().map(|probe| format!("{what}, {}", probe()));
        self.entries.lock().unwrap().push(seen.unwrap_or_else(|| what.to_owned()));
    }

    /// What was noted since this was last asked.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.entries.lock().unwrap())
    }

    fn may(&self, step: &str) -> Result<(), StoreError> {
        let failing = self.failing.lock().unwrap();
        if failing.is_some_and(|failing| step.starts_with(failing)) {
            return Err(StoreError::Failed("told to".to_owned()));
        }
        Ok(())
    }
}

/// The real steps of a sled database, each noted once it was made.
pub(crate) struct WatchedDisk {
    inner: OnDisk,
    journal: Arc<Journal>,
}

impl WatchedDisk {
    pub(crate) fn new(inner: OnDisk, journal: Arc<Journal>) -> Self {
        Self { inner, journal }
    }
}

impl Durability for WatchedDisk {
    fn sync_large_values(&mut self) -> Result<usize, StoreError> {
        self.journal.may("synced")?;
        let new = self.inner.sync_large_values()?;
        self.journal.note(&format!("synced {new} large values"));
        Ok(new)
    }

    fn flush(&mut self, db: &::sled::Db) -> Result<(), StoreError> {
        self.journal.may("flushed")?;
        self.inner.flush(db)?;
        self.journal.note("flushed");
        Ok(())
    }

    fn sync_data(&mut self) -> Result<(), StoreError> {
        self.journal.may("synced data")?;
        self.inner.sync_data()?;
        self.journal.note("synced data");
        Ok(())
    }
}

/// Passes everything to another store, and notes when an append is asked for and when it is acknowledged.
pub(crate) struct Recording<S> {
    pub(crate) inner: S,
    pub(crate) journal: Arc<Journal>,
}

#[async_trait]
impl<S: Store> Store for Recording<S> {
    async fn append(&self, sequence: u64, record: Vec<u8>) -> Result<(), StoreError> {
        self.journal.note("append");
        self.inner.append(sequence, record).await?;
        self.journal.note("appended");
        Ok(())
    }

    async fn read(&self, from: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.read(from).await
    }
}

/// The real edition file, noted once it was replaced.
pub(crate) struct RecordingEdition {
    inner: EditionFile,
    journal: Arc<Journal>,
}

impl RecordingEdition {
    pub(crate) fn new(path: PathBuf, journal: Arc<Journal>) -> Self {
        Self { inner: EditionFile(path), journal }
    }
}

impl EditionStore for RecordingEdition {
    fn load(&self) -> Result<Option<Vec<u8>>, FileError> {
        self.inner.load()
    }

    fn save(&self, edition: &[u8]) -> Result<(), FileError> {
        self.inner.save(edition)?;
        self.journal.note("stored the edition");
        Ok(())
    }
}

/// How an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is written.
    Before,
    /// The record is written, but its durability could not be confirmed.
    After,
}

/// Passes everything to another store, counts appends, and fails the appends it was told to.
pub(crate) struct Flaky<S> {
    inner: Arc<S>,
    failure: Failure,
    failing: AtomicBool,
    appends: AtomicU64,
}

impl<S: Store> Flaky<S> {
    pub(crate) fn new(inner: Arc<S>, failure: Failure) -> Self {
        Self { inner, failure, failing: AtomicBool::new(false), appends: AtomicU64::new(0) }
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl<S: Store> Store for Flaky<S> {
    async fn append(&self, sequence: u64, record: Vec<u8>) -> Result<(), StoreError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        let failing = self.failing.load(Ordering::SeqCst);
        if !failing || self.failure == Failure::After {
            self.inner.append(sequence, record).await?;
        }
        if failing { Err(StoreError::Failed("told to".to_owned())) } else { Ok(()) }
    }

    async fn read(&self, from: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.read(from).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn keeps_the_contract_while_not_failing() {
        let store = Flaky::new(Arc::new(MemoryStore::new()), Failure::Before);
        contract::check(&store).await;
        assert!(store.appends() > 4);
    }
}
