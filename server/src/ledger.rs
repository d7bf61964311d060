//! The append-only, hash-chained list of events: the database and the audit log.
//!
//! Each stored entry is the SHA-256 of a record (32 bytes) followed by the record, and each record names the hash of the
//! one before it. So a changed byte anywhere is found at start, and so is a removed or exchanged record; what the chain
//! alone cannot show, a ledger cut off at its end, is found by comparing it with the head in the signed timestamp
//! ([`check_witness`]).

use std::sync::Arc;

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::actor::Actor;
use mulberry_shared::ledger::chain::{BrokenChain, Chain};
use mulberry_shared::operators::LedgerHead;

use crate::event::{Event, Record, SALT_BYTES, UnreadableRecord};
use crate::store::{MAX_RECORD_BYTES, Store, StoreError};

pub use mulberry_shared::ledger::chain::EMPTY;

/// The ledger cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error("ledger: {0}")]
    Store(#[from] StoreError),
    /// A record is not what was written: the ledger was damaged or altered.
    #[error("ledger: event {sequence} {wrong}; the ledger was damaged or altered, restore from an export")]
    Broken {
        /// The event.
        sequence: u64,
        /// What is wrong with it.
        wrong: String,
    },
    /// A record was written by a newer program.
    #[error("ledger: event {sequence}: {unreadable}")]
    Newer {
        /// The event.
        sequence: u64,
        /// The sentence.
        unreadable: UnreadableRecord,
    },
    /// An event is larger than a record may be. Nothing was written.
    #[error(
        "ledger: event {sequence} would have {bytes} bytes, and the most are {most}; nothing was changed"
    )]
    TooLarge {
        /// The event.
        sequence: u64,
        /// Its bytes in the store.
        bytes: usize,
        /// The most.
        most: usize,
    },
    /// An event has no form in which it could be written. Nothing was written.
    #[error("ledger: event {sequence} cannot be written down: {why}; nothing was changed")]
    Unwritable {
        /// The event.
        sequence: u64,
        /// What is wrong with it.
        why: String,
    },
    /// An earlier append failed half way, so it is unknown what the store holds.
    #[error(
        "ledger: an earlier write failed and its outcome is unknown; check the disk and restart the server"
    )]
    Uncertain,
}

impl From<BrokenChain> for LedgerError {
    fn from(broken: BrokenChain) -> Self {
        match broken {
            BrokenChain::Altered { sequence, wrong } => Self::Broken { sequence, wrong },
            BrokenChain::Newer { sequence, unreadable } => Self::Newer { sequence, unreadable },
        }
    }
}

/// The ledger's writing end. There is one in a process, and one process, by the lock file.
pub struct Ledger {
    store: Arc<dyn Store>,
    head: LedgerHead,
    uncertain: bool,
}

impl Ledger {
    /// Reads and checks the whole chain, giving every record with the head after it to `each`, in order.
    ///
    /// # Errors
    /// [`LedgerError`], and whatever `each` returns.
    pub async fn open<E: From<LedgerError>>(
        store: Arc<dyn Store>,
        mut each: impl FnMut(Record, LedgerHead) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut chain = Chain::default();
        loop {
            let page = store.read(next_of(chain.head())).await.map_err(LedgerError::from)?;
            if page.is_empty() {
                return Ok(Self { store, head: chain.head(), uncertain: false });
            }
            for entry in page {
                let record = chain.follow(&entry).map_err(LedgerError::from)?;
                each(record, chain.head())?;
            }
        }
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> LedgerHead {
        self.head
    }

    /// Whether a failed write left the ledger unusable until restart.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// Appends an event; when it returns, the event is durable.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`] and [`LedgerError::Unwritable`] before the store is asked, and the ledger goes on. After any
    /// other it takes no more events, since the store may or may not hold this one, or holds one of another writer.
    pub async fn append(
        &mut self,
        at: Timestamp,
        actor: &Actor,
        event: Event,
    ) -> Result<Record, LedgerError> {
        if self.uncertain {
            return Err(LedgerError::Uncertain);
        }
        let sequence = next_of(self.head);
        let (actor, salt) = (actor.clone(), Some(hex::encode(rand::random::<[u8; SALT_BYTES]>())));
        let format = Record::format_of(&event, &actor);
        let record = Record { format, sequence, previous: self.head.head, at, actor, salt, event };
        let bytes = record
            .to_bytes()
            .map_err(|error| LedgerError::Unwritable { sequence, why: error.to_string() })?;
        let hash = Sha256Digest::of(&bytes);
        let entry = [hash.0.as_slice(), &bytes].concat();
        if entry.len() > MAX_RECORD_BYTES {
            return Err(LedgerError::TooLarge { sequence, bytes: entry.len(), most: MAX_RECORD_BYTES });
        }
        // Set before the write and cleared after it, so that a caller who gives up in between leaves it set.
        self.uncertain = true;
        self.store.append(sequence, entry).await?;
        self.uncertain = false;
        self.head = LedgerHead { sequence, head: hash };
        Ok(record)
    }
}

/// Checks that `witness`, a head that was signed and published earlier, is part of the chain whose heads are `heads`
/// (the head after event 1 first).
///
/// # Errors
/// [`LedgerError::Broken`] when the ledger was cut off before it or holds another event in its place.
pub fn check_witness(witness: LedgerHead, heads: &[LedgerHead]) -> Result<(), LedgerError> {
    let broken =
        |wrong: &str| Err(LedgerError::Broken { sequence: witness.sequence, wrong: wrong.to_owned() });
    if witness == EMPTY {
        return Ok(());
    }
    match heads.iter().find(|head| head.sequence == witness.sequence) {
        Some(head) if head.head == witness.head => Ok(()),
        Some(_) => broken("is not the one that the last signed timestamp names"),
        None => broken("is missing, but the last signed timestamp names it"),
    }
}

fn next_of(head: LedgerHead) -> u64 {
    head.sequence.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::doubles::{Failure, Flaky};
    use crate::store::memory::MemoryStore;
    use crate::test_support::actor;
    use proptest::prelude::*;

    fn event(n: u64) -> Event {
        let gate = format!(
            r#"{{"revision":{n},"state":"open","percent":100,"reason":"r{n}","since":"2026-01-01T00:00:00Z"}}"#
        );
        Event::GateSet {
            path: "emergency/a.json".parse().unwrap(),
            gate: serde_json::from_str(&gate).unwrap(),
        }
    }

    async fn open(store: Arc<dyn Store>) -> Result<(Ledger, Vec<LedgerHead>), LedgerError> {
        let mut heads = Vec::new();
        let ledger = Ledger::open::<LedgerError>(store, |_, head| {
            heads.push(head);
            Ok(())
        })
        .await?;
        Ok((ledger, heads))
    }

    async fn filled(events: u64) -> Arc<MemoryStore> {
        let store = Arc::new(MemoryStore::new());
        let (mut ledger, _) = open(store.clone()).await.unwrap();
        for n in 1..=events {
            ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), event(n)).await.unwrap();
        }
        store
    }

    fn reopen(records: Vec<Vec<u8>>) -> Result<(Ledger, Vec<LedgerHead>), LedgerError> {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(open(Arc::new(MemoryStore::holding(records))))
    }

    #[tokio::test]
    async fn reopening_gives_the_same_head() {
        let store = filled(600).await;
        let (ledger, heads) = open(store.clone()).await.unwrap();
        assert_eq!(ledger.head().sequence, 600);
        assert_eq!(heads.last(), Some(&ledger.head()));
        check_witness(heads[41], &heads).unwrap();
    }

    #[tokio::test]
    async fn a_chain_altered_with_new_hashes_breaks_at_the_next_event() {
        let mut records = filled(3).await.records();
        let mut second = Record::from_bytes(&records[1][32..]).unwrap();
        second.actor = actor("eve");
        let bytes = second.to_bytes().unwrap();
        records[1] = [Sha256Digest::of(&bytes).0.as_slice(), &bytes].concat();
        let error = open(Arc::new(MemoryStore::holding(records))).await.err().unwrap();
        assert_eq!(
            error.to_string(),
            "ledger: event 3 does not follow event 2: it names another hash; the ledger was damaged or altered, \
             restore from an export"
        );
    }

    #[tokio::test]
    async fn a_removed_exchanged_or_cut_off_event_is_found() {
        let records = filled(4).await.records();
        let (_, heads) = open(Arc::new(MemoryStore::holding(records.clone()))).await.unwrap();
        let mut removed = records.clone();
        removed.remove(1);
        let mut exchanged = records.clone();
        exchanged.swap(1, 2);
        for altered in [removed, exchanged] {
            let error = open(Arc::new(MemoryStore::holding(altered))).await.err().unwrap();
            assert!(error.to_string().contains("event 2 calls itself event 3"), "{error}");
        }
        let cut = open(Arc::new(MemoryStore::holding(records[..3].to_vec()))).await.unwrap().1;
        let error = check_witness(heads[3], &cut).unwrap_err();
        assert!(error.to_string().contains("event 4 is missing"), "{error}");
        let other = LedgerHead { sequence: 2, head: heads[2].head };
        assert!(check_witness(other, &heads).unwrap_err().to_string().contains("event 2 is not the one"));
    }

    #[tokio::test]
    async fn an_event_of_a_newer_format_is_refused() {
        let mut records = filled(1).await.records();
        let bytes =
            String::from_utf8(records[0][32..].to_vec()).unwrap().replace("\"format\":5", "\"format\":9");
        records[0] = [Sha256Digest::of(bytes.as_bytes()).0.as_slice(), bytes.as_bytes()].concat();
        let error = open(Arc::new(MemoryStore::holding(records))).await.err().unwrap();
        assert!(error.to_string().contains("event 1: it has format 9"), "{error}");
    }

    #[tokio::test]
    async fn after_a_failed_write_nothing_more_is_accepted_until_it_is_read_again() {
        for failure in [Failure::Before, Failure::After] {
            let inner = filled(2).await;
            let store = Arc::new(Flaky::new(inner.clone(), failure));
            let (mut ledger, _) = open(store.clone()).await.unwrap();
            store.fail(true);
            assert!(ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), event(3)).await.is_err());
            store.fail(false);
            assert_eq!(
                ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), event(3)).await,
                Err(LedgerError::Uncertain)
            );
            assert_eq!(store.appends(), 1);
            assert_eq!(ledger.head().sequence, 2);
            let (ledger, _) = open(inner).await.unwrap();
            assert_eq!(ledger.head().sequence, if failure == Failure::Before { 2 } else { 3 });
        }
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused_and_nothing_else_is_the_worse_for_it() {
        let store = Arc::new(Flaky::new(filled(2).await, Failure::Before));
        let (mut ledger, _) = open(store.clone()).await.unwrap();
        let reason = "x".repeat(MAX_RECORD_BYTES);
        let id = Sha256Digest::of(b"");
        let large = Event::ProposalDropped { id, reason };
        let refused = ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), large).await.unwrap_err();
        assert!(matches!(refused, LedgerError::TooLarge { sequence: 3, .. }), "{refused}");
        assert!(!refused.to_string().contains("restore"), "{refused}");
        assert_eq!((store.appends(), ledger.is_uncertain()), (0, false));
        ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), event(3)).await.unwrap();
        assert_eq!(ledger.head().sequence, 3);
    }

    /// Somebody else's event is where the next one would be: what we know of the ledger is not what it is.
    #[tokio::test]
    async fn beside_another_writer_nothing_more_is_accepted() {
        let store = filled(2).await;
        let (mut ledger, _) = open(store.clone()).await.unwrap();
        let (mut other, _) = open(store.clone()).await.unwrap();
        other.append(Timestamp::UNIX_EPOCH, &actor("eve"), event(3)).await.unwrap();
        let refused = ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), event(3)).await.unwrap_err();
        let conflict = StoreError::Conflict { sequence: 3, next: 4 };
        assert_eq!(refused, LedgerError::Store(conflict));
        let again = ledger.append(Timestamp::UNIX_EPOCH, &actor("mei"), event(3)).await;
        assert_eq!(again, Err(LedgerError::Uncertain));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Every byte of every part: stored hash, format, sequence, previous, time, actor, event.
        #[test]
        fn any_changed_byte_is_found_at_its_event(event in 0_usize..4, at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
            thread_local! {
                static RECORDS: Vec<Vec<u8>> = tokio::runtime::Builder::new_current_thread().build().unwrap()
                    .block_on(async { filled(4).await.records() });
            }
            let mut records = RECORDS.with(Clone::clone);
            let at = at.index(records[event].len());
            records[event][at] ^= flip;
            match reopen(records) {
                Err(LedgerError::Broken { sequence, .. }) => prop_assert_eq!(sequence, event as u64 + 1),
                Err(other) => prop_assert!(false, "{other}"),
                Ok(_) => prop_assert!(false, "not found"),
            }
        }

        #[test]
        fn any_truncated_entry_is_found(event in 0_usize..4, keep in any::<prop::sample::Index>()) {
            let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut records = rt.block_on(async { filled(4).await.records() });
            let keep = keep.index(records[event].len());
            records[event].truncate(keep);
            prop_assert!(reopen(records).is_err());
        }
    }
}
