//! Stores that fail on demand and that remember what was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;

use super::{Store, StoreError};

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
