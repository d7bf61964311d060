//! A store in memory: for tests, and the model that real stores are compared with.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{MAX_READ, MAX_READ_BYTES, MAX_RECORD_BYTES, Store, StoreError};

/// Records in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: Mutex<Vec<Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that already holds `records`, the first being number 1.
    #[must_use]
    pub fn holding(records: Vec<Vec<u8>>) -> Self {
        Self { records: Mutex::new(records) }
    }

    /// A copy of all records.
    #[must_use]
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // A vector is whole whatever panicked while it was locked.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn append(&self, sequence: u64, record: Vec<u8>) -> Result<(), StoreError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(StoreError::Failed(format!("a record of {} bytes is too large", record.len())));
        }
        let mut records = self.lock();
        let next = (records.len() as u64).saturating_add(1);
        if sequence != next {
            return Err(StoreError::Conflict { sequence, next });
        }
        records.push(record);
        Ok(())
    }

    async fn read(&self, from: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let skip = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut bytes = 0_usize;
        let fits = |record: &&Vec<u8>| {
            let before = bytes;
            bytes = bytes.saturating_add(record.len());
            before < MAX_READ_BYTES
        };
        Ok(self.lock().iter().skip(skip).take(MAX_READ).take_while(fits).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::check(&MemoryStore::new()).await;
    }
}
