//! Writing an export from a store, a piece at a time.

use std::sync::Arc;

use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::operators::LedgerHead;
use tokio::sync::OwnedSemaphorePermit;

use crate::ledger::LedgerError;
use crate::store::Store;
use mulberry_shared::ledger::export::{Header, event_line};

/// Writes the events up to one head, however many are appended meanwhile: events never change, so it is a prefix of the
/// ledger at one instant.
pub struct Exporter {
    store: Arc<dyn Store>,
    head: LedgerHead,
    next: u64,
    _place: Option<OwnedSemaphorePermit>,
}

impl Exporter {
    /// The export of `store` up to `head`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, head: LedgerHead) -> Self {
        Self { store, head, next: 1, _place: None }
    }

    /// The same, holding this place until it is dropped.
    #[must_use]
    pub fn holding(self, place: OwnedSemaphorePermit) -> Self {
        Self { _place: Some(place), ..self }
    }

    /// How many events it has in all.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.head.sequence
    }

    /// Whole lines, a few megabytes at most unless one event is larger; `None` at the end.
    ///
    /// # Errors
    /// [`LedgerError`] when the store cannot be read. That events are whole is for the reader to check.
    pub async fn next_lines(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        if self.next > self.head.sequence {
            return Ok(None);
        }
        let broken = |sequence, wrong: &str| LedgerError::Broken { sequence, wrong: wrong.to_owned() };
        let page = self.store.read(self.next).await?;
        let mut lines = Vec::new();
        if self.next == 1 {
            let first = page.first().and_then(|entry| entry.first_chunk::<32>());
            let ledger = Sha256Digest(*first.ok_or_else(|| broken(1, "is missing"))?);
            let header = Header::new(ledger, self.head).line();
            lines.extend(header.map_err(|error| broken(1, &error.to_string()))?);
        }
        if page.is_empty() {
            return Err(broken(self.next, "is missing"));
        }
        for entry in page {
            if self.next > self.head.sequence {
                break;
            }
            let line = event_line(&entry).ok_or_else(|| broken(self.next, "is shorter than its hash"))?;
            lines.extend(line);
            self.next = self.next.saturating_add(1);
        }
        Ok(Some(lines))
    }
}
