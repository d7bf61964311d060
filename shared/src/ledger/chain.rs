//! The hash chain of records: each names the hash of the one before it.

use super::event::{Record, UnreadableRecord};
use crate::digest::Sha256Digest;
use crate::operators::LedgerHead;

/// The head of a ledger without events.
pub const EMPTY: LedgerHead = LedgerHead { sequence: 0, head: Sha256Digest([0; 32]) };

/// An event is not the next of its chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// A record is not what was written.
    #[error("event {sequence} {wrong}; the ledger was damaged or altered, restore from an export")]
    Altered {
        /// The event.
        sequence: u64,
        /// What is wrong with it.
        wrong: String,
    },
    /// A record was written by a newer program.
    #[error("event {sequence}: {unreadable}")]
    Newer {
        /// The event.
        sequence: u64,
        /// The sentence.
        unreadable: UnreadableRecord,
    },
}

/// The chain, as far as it was followed from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    head: LedgerHead,
}

impl Default for Chain {
    fn default() -> Self {
        Self { head: EMPTY }
    }
}

impl Chain {
    /// The head after the last event that was followed.
    #[must_use]
    pub fn head(&self) -> LedgerHead {
        self.head
    }

    /// Checks that `entry`, the SHA-256 of a record and the record, is the next event.
    ///
    /// # Errors
    /// [`BrokenChain`]; the chain then stays where it was.
    pub fn follow(&mut self, entry: &[u8]) -> Result<Record, BrokenChain> {
        let (record, head) = check_entry(entry, self.head)?;
        self.head = head;
        Ok(record)
    }
}

fn check_entry(entry: &[u8], head: LedgerHead) -> Result<(Record, LedgerHead), BrokenChain> {
    let sequence = head.sequence.saturating_add(1);
    let altered = |wrong: String| BrokenChain::Altered { sequence, wrong };
    let (stored, bytes) =
        entry.split_first_chunk::<32>().ok_or_else(|| altered("is shorter than its hash".to_owned()))?;
    let hash = Sha256Digest::of(bytes);
    if hash.0 != *stored {
        return Err(altered("does not have the hash stored with it".to_owned()));
    }
    let record = Record::from_bytes(bytes).map_err(|unreadable| match unreadable {
        UnreadableRecord::NewerFormat(_) => BrokenChain::Newer { sequence, unreadable },
        UnreadableRecord::Malformed(why) => altered(format!("cannot be read ({why})")),
    })?;
    if record.sequence != sequence {
        return Err(altered(format!("calls itself event {}", record.sequence)));
    }
    if record.previous != head.head {
        return Err(altered(format!("does not follow event {}: it names another hash", head.sequence)));
    }
    Ok((record, LedgerHead { sequence, head: hash }))
}
