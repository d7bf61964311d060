//! What the ledger says of an event besides what happened.

use jiff::Timestamp;

use mulberry_shared::ledger::actor::Actor;

use super::State;
use crate::event::Record;

/// An event's number, who asked for it, and when the server accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its number in the ledger. Order is told by this, never by the time.
    pub event: u64,
    /// When, by the clock of then.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: Actor,
}

impl Stamp {
    /// The one of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { event: record.sequence, at: record.at, by: record.actor.clone() }
    }
}

impl State {
    /// The same, after the event of this stamp.
    pub(super) fn stamped(mut self, stamp: &Stamp) -> Self {
        self.latest = self.latest.max(stamp.at);
        self.last = stamp.clone();
        self
    }
}
