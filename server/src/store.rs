//! What the ledger needs of a database: two operations.
//!
//! A store keeps opaque records under the numbers 1, 2, 3, … It neither changes nor removes one. All stores pass one
//! contract suite.

use async_trait::async_trait;

pub mod memory;
pub mod sled;

#[cfg(test)]
pub(crate) mod contract;
#[cfg(test)]
pub(crate) mod doubles;

/// The most bytes one record may have: a publish of the largest request, as base64 in JSON, stays below.
pub const MAX_RECORD_BYTES: usize = mulberry_shared::limits::LEDGER_RECORD_BYTES;

/// The most records that one [`Store::read`] returns.
pub const MAX_READ: usize = 256;

/// The most bytes that one [`Store::read`] returns, unless a single record is larger.
pub const MAX_READ_BYTES: usize = 8 << 20;

/// Append-only records, numbered from 1 without gaps.
#[async_trait]
pub trait Store: Send + Sync {
    /// Appends `record` as number `sequence`, which must be the next free number.
    ///
    /// When it returns `Ok`, the record survives a crash of the process and of the machine.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when `sequence` is not the next free number; nothing was changed.
    /// [`StoreError::Failed`] when durability could not be assured; the record may or may not be there afterwards.
    async fn append(&self, sequence: u64, record: Vec<u8>) -> Result<(), StoreError>;

    /// The records from number `from` on, in order, at most [`MAX_READ`] of them and about
    /// [`MAX_READ_BYTES`]; none when there are no more.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when they cannot be read.
    async fn read(&self, from: u64) -> Result<Vec<Vec<u8>>, StoreError>;
}

/// A store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The number is not the next free one: there is another writer, or a writer that missed an event.
    #[error(
        "event {sequence} cannot be appended: the store's next event is {next}; another process wrote to it, restart this server"
    )]
    Conflict {
        /// The number asked for.
        sequence: u64,
        /// The next free number.
        next: u64,
    },
    /// The store itself failed.
    #[error(
        "the ledger's store failed: {0}; check the disk and restart the server; if the store is damaged, restore from an \
         export"
    )]
    Failed(String),
    /// Its files are not what was written to them.
    #[error(
        "the ledger's database in {folder} is damaged ({why}); move that folder away, and restore from an export: \
         mulberry-server restore --from FILE --keys DIR --state NEW"
    )]
    Damaged {
        /// Where the database lies.
        folder: String,
        /// What was found.
        why: String,
    },
    /// The store's files have a newer format.
    #[error(
        "the store has format {found}, this program knows {known}; use a newer program, nothing was changed"
    )]
    NewerFormat {
        /// The format found.
        found: u64,
        /// The format this program writes.
        known: u64,
    },
}
