//! How the services start: from the ledger, the stored edition and the keys, all of which must agree.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use mulberry_shared::limits::Limits;
use mulberry_shared::operators::LedgerHead;
use tokio::sync::{Mutex, Semaphore};

use super::commit::{SignError, Writer};
use super::{Core, EXPORTS};
use crate::clock::Clock;
use crate::clock::watch::Watch;
use crate::edition::store::EditionStore;
use crate::edition::{self, Edition, StoredEditionError, Work};
use crate::files::FileError;
use crate::keys::{KeyError, KeySource};
use crate::ledger::{self, Ledger, LedgerError};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::served::Served;
use crate::state::{self, FoldError, Stamp, State};
use crate::store::Store;

/// The services cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The ledger or its events.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The ledger is empty.
    #[error(
        "the state folder was never initialised; run `mulberry-server init --from DIR --state STATE` first"
    )]
    NotInitialised,
    /// The stored edition.
    #[error(transparent)]
    Edition(#[from] StoredEditionError),
    /// The online keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Signing.
    #[error("the first edition cannot be signed: {0}")]
    Sign(#[from] SignError),
}

impl Core {
    /// Checks the ledger, folds it, verifies the stored edition against it, and signs what is due.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed then.
    pub async fn open(
        store: Arc<dyn Store>,
        editions: Arc<dyn EditionStore>,
        keys: Arc<dyn KeySource>,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let (ledger, state, heads) = fold(store.clone(), &limits).await?;
        let state = Arc::new(state.ok_or(OpenError::NotInitialised)?);
        let stored = editions.load()?;
        let edition = match stored {
            None => None,
            Some(bytes) => check_edition(&bytes, &state, &heads, &limits)?.map(Arc::new),
        };
        let (selected, unsigned) = match (keys.select(&state.root, &state.targets), &edition) {
            (Ok(selected), _) => (Some(selected), None),
            (Err(error), None) => return Err(error.into()),
            // What was signed is served as long as it lasts, and people can authorise new keys meanwhile.
            (Err(error), Some(_)) => (None, Some(error.to_string())),
        };
        match &unsigned {
            Some(error) => tracing::error!(error, "this server cannot sign; what was signed last is served"),
            None => settle(&*keys, &state),
        }
        let mut writer = Writer { ledger, state, edition, keys: selected, editions };
        let (reading, head) = (clock.reading(), writer.ledger.head().sequence);
        let seen = writer.edition.as_ref().and_then(|edition| edition.timestamp.signed_at);
        let seen = seen.or((writer.state.last.event > 0).then_some(writer.state.last.at));
        let doubted = writer.edition.as_ref().and_then(|edition| edition.doubt);
        let mut watch = Watch::start(reading, head, seen, doubted);
        let (time, _) = watch.look(reading, head);
        if let Some(doubt) = time.doubt().filter(|doubt| Some(*doubt) != doubted) {
            let seen = seen.map(|seen| seen.to_string());
            let remedy = "whatever bakes bakes again; check the clock, unless this server was stopped for more than a day";
            tracing::warn!(now = %doubt.from, seen, remedy, "the clock does not go on from what was signed last");
        }
        let mut work = edition::due(writer.edition.as_deref(), &writer.state, time.now);
        if time.doubt() != doubted {
            work = work.max(Work::Timestamp);
        }
        // An earlier program may have published more of the gates, or less.
        let gates = writer.state.gates.write();
        if writer.edition.as_ref().is_some_and(|edition| *edition.gates_file != *gates) {
            work = Work::Snapshot;
        }
        let mut failing = false;
        let edition = match (&writer.edition, work) {
            (Some(edition), Work::Nothing) => edition.clone(),
            (Some(edition), _) if writer.keys.is_none() => edition.clone(),
            (stored, _) => {
                let stored = stored.clone().filter(|stored| stored.fits(&writer.state));
                match (writer.sign(time.now, time.doubt(), work, &limits).await, stored) {
                    (Ok(edition), _) => edition,
                    // A full disk takes nothing new, and everything that was signed can be read.
                    (Err(error @ SignError::File(_)), Some(stored)) => {
                        let remedy =
                            "make room on the disk of the state folder: the server goes on by itself";
                        tracing::error!(%error, remedy, "nothing can be written; what was signed last is served");
                        failing = true;
                        stored
                    }
                    (Err(error), _) => return Err(error.into()),
                }
            }
        };
        let recorded = std::sync::Mutex::new(writer.ledger.head());
        let served = RwLock::new(Arc::new(Served::new(None, writer.state.clone(), edition, &limits)));
        let (live, metrics, failing) = (Live::default(), Metrics::default(), AtomicBool::new(failing));
        let (writer, exports) = (Mutex::new(writer), Arc::new(Semaphore::new(EXPORTS)));
        let unsigned = std::sync::Mutex::new(unsigned);
        Ok(Self {
            writer,
            served,
            live,
            metrics,
            store,
            exports,
            keys,
            unsigned,
            failing,
            recorded,
            clock,
            watch: std::sync::Mutex::new(watch),
            limits,
        })
    }
}

/// The edition that was signed last, checked against the ledger: a ledger that was cut off at its end shows nowhere else.
/// `None` where keys signed it that people have changed since, and that was the last thing that happened.
///
/// # Errors
/// [`OpenError::Edition`]; [`OpenError::Fold`] when the ledger does not hold the event that it names.
pub fn check_edition(
    bytes: &[u8],
    state: &State,
    heads: &[LedgerHead],
    limits: &Limits,
) -> Result<Option<Edition>, OpenError> {
    let (edition, head) = match Edition::from_bytes(bytes, state, limits) {
        Ok(edition) => {
            let head = edition.ledger();
            (Some(edition), head)
        }
        Err(error @ StoredEditionError::Refused(_)) => {
            (None, edition::outdated(bytes, state, limits).ok_or(error)?)
        }
        Err(error) => return Err(error.into()),
    };
    ledger::check_witness(head, heads).map_err(FoldError::from)?;
    Ok(edition)
}

/// Puts new keys that count in the place of those before them, where that can be done. They count wherever they lie.
pub fn settle(keys: &dyn KeySource, state: &State) {
    if let Err(error) = keys.settle(&state.root, &state.targets) {
        tracing::warn!(%error, "the keys that count are used from where they lie; what is beside them could not be put in order");
    }
}

/// Reads and checks the whole ledger: its writing end, the state, and the head after each event.
///
/// # Errors
/// [`FoldError`].
pub async fn fold(
    store: Arc<dyn Store>,
    limits: &Limits,
) -> Result<(Ledger, Option<State>, Vec<LedgerHead>), FoldError> {
    let (mut state, mut heads) = (None, Vec::new());
    let ledger = Ledger::open::<FoldError>(store, |record, head| {
        state = Some(state::advance(state.take(), &record.event, &Stamp::of(&record), head, limits)?);
        heads.push(head);
        Ok(())
    })
    .await?;
    Ok((ledger, state, heads))
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> Self {
        Self::Fold(error.into())
    }
}
