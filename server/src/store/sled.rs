//! The embedded store: sled, on one thread of its own.
//!
//! sled blocks, so no HTTP worker ever calls it: requests go through a channel to the one thread that owns the
//! database. What makes an append durable stands in `sled/durability.rs`: sled's own `flush` does not.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio::sync::oneshot;

use self::durability::{Durability, OnDisk};
use super::{MAX_READ, MAX_READ_BYTES, MAX_RECORD_BYTES, Store, StoreError};

pub(crate) mod durability;

/// The layout of the database: tree `events`, keys of 8 bytes big-endian; tree `meta` with `format`.
const FORMAT: u64 = 1;

/// Cache ceiling in bytes: the ledger is read once, at start, so sled's default of 1 GB would only hide growth.
const CACHE_BYTES: u64 = 16 << 20;

enum Request {
    Append { sequence: u64, record: Vec<u8>, answer: oneshot::Sender<Result<(), StoreError>> },
    Read { from: u64, answer: oneshot::Sender<Result<Vec<Vec<u8>>, StoreError>> },
}

/// A sled database in a folder of its own.
#[derive(Debug)]
pub struct SledStore {
    requests: Mutex<Option<Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SledStore {
    /// Opens the database in `folder`, which is created when absent. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the folder cannot be opened or is damaged; [`StoreError::NewerFormat`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, |disk| Box::new(disk))
    }

    /// Like [`SledStore::open`], with the steps that make writes durable wrapped by `wrap`.
    pub(crate) fn open_with(
        folder: &Path,
        wrap: impl FnOnce(OnDisk) -> Box<dyn Durability>,
    ) -> Result<Self, StoreError> {
        let mut database = Database::open(folder, wrap)?;
        let (requests, incoming) = channel();
        let thread = std::thread::Builder::new()
            .name("ledger-store".to_owned())
            .spawn(move || database.serve(&incoming))
            .map_err(|error| StoreError::Failed(format!("its thread does not start: {error}")))?;
        Ok(Self { requests: Mutex::new(Some(requests)), thread: Mutex::new(Some(thread)) })
    }

    /// Finishes what was asked, closes the database and joins the thread. Later calls fail. Blocks.
    pub fn close(&self) {
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the ledger store's thread had panicked");
        }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request,
    ) -> Result<T, StoreError> {
        let closed = || StoreError::Failed("it is closed".to_owned());
        let (answer, answered) = oneshot::channel();
        let sender =
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(closed)?;
        sender.send(request(answer)).map_err(|_| closed())?;
        drop(sender);
        answered.await.map_err(|_| closed())?
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Store for SledStore {
    async fn append(&self, sequence: u64, record: Vec<u8>) -> Result<(), StoreError> {
        self.ask(|answer| Request::Append { sequence, record, answer }).await
    }

    async fn read(&self, from: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        self.ask(|answer| Request::Read { from, answer }).await
    }
}

struct Database {
    folder: PathBuf,
    db: ::sled::Db,
    events: ::sled::Tree,
    disk: Box<dyn Durability>,
}

impl Database {
    fn open(folder: &Path, wrap: impl FnOnce(OnDisk) -> Box<dyn Durability>) -> Result<Self, StoreError> {
        let db = ::sled::Config::default()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            // Flushing is explicit, before each acknowledgement.
            .flush_every_ms(None)
            .open()
            .map_err(|error| read_failed(folder, error))?;
        let events = db.open_tree("events").map_err(|error| read_failed(folder, error))?;
        let meta = db.open_tree("meta").map_err(|error| read_failed(folder, error))?;
        match meta.get("format").map_err(|error| read_failed(folder, error))? {
            Some(bytes) => {
                let found = number(&bytes)?;
                if found > FORMAT {
                    return Err(StoreError::NewerFormat { found, known: FORMAT });
                }
            }
            None => {
                meta.insert("format", &FORMAT.to_be_bytes()).map_err(failed)?;
            }
        }
        let mut database = Self { folder: folder.to_owned(), db, events, disk: wrap(OnDisk::of(folder)?) };
        database.sync()?;
        // The names of new files are durable only when their folders are.
        for name in [Some(folder), folder.parent()].into_iter().flatten() {
            File::open(name).and_then(|dir| dir.sync_all()).map_err(failed)?;
        }
        Ok(database)
    }

    fn serve(&mut self, incoming: &Receiver<Request>) {
        while let Ok(request) = incoming.recv() {
            // A caller that went away needs no answer; what it asked is done all the same.
            match request {
                Request::Append { sequence, record, answer } => {
                    let _ = answer.send(self.append(sequence, record));
                }
                Request::Read { from, answer } => {
                    let _ = answer.send(self.read(from));
                }
            }
        }
    }

    fn append(&mut self, sequence: u64, record: Vec<u8>) -> Result<(), StoreError> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(StoreError::Failed(format!("a record of {} bytes is too large", record.len())));
        }
        let last = match self.events.last().map_err(failed)? {
            Some((key, _)) => number(&key)?,
            None => 0,
        };
        let next = last.saturating_add(1);
        if sequence != next {
            return Err(StoreError::Conflict { sequence, next });
        }
        self.events.insert(sequence.to_be_bytes(), record).map_err(failed)?;
        self.sync()
    }

    fn read(&self, from: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut expected = from.max(1);
        let (mut records, mut bytes) = (Vec::new(), 0_usize);
        for entry in self.events.range(expected.to_be_bytes()..).take(MAX_READ) {
            let (key, record) = entry.map_err(|error| read_failed(&self.folder, error))?;
            let found = number(&key)?;
            if found != expected {
                let why = format!("event {expected} is missing, event {found} is there");
                return Err(StoreError::Damaged { folder: self.folder.display().to_string(), why });
            }
            expected = expected.saturating_add(1);
            bytes = bytes.saturating_add(record.len());
            records.push(record.to_vec());
            if bytes >= MAX_READ_BYTES {
                break;
            }
        }
        Ok(records)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.disk.sync_large_values()?;
        self.disk.flush(&self.db)?;
        self.disk.sync_data()
    }
}

fn number(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes: [u8; 8] = bytes
        .try_into()
        .map_err(|_| StoreError::Failed("a number in it does not have 8 bytes: it is damaged".to_owned()))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Whether the disk failed, or gave something else than what was written. sled's own words tell nobody what to do.
fn read_failed(folder: &Path, error: ::sled::Error) -> StoreError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    let folder = folder.display().to_string();
    let why = match &error {
        ::sled::Error::Corruption { .. } => "a checksum does not hold",
        ::sled::Error::Io(error)
            if matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof) =>
        {
            "it does not read back"
        }
        ::sled::Error::Io(_) => return failed(error),
        _ => "its structure does not hold",
    };
    tracing::debug!(%error, "the database is damaged");
    StoreError::Damaged { folder, why: why.to_owned() }
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract;

    #[tokio::test]
    async fn keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        contract::check(&SledStore::open(folder.path()).unwrap()).await;
    }

    #[tokio::test]
    async fn records_are_there_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        store.append(1, b"one".to_vec()).await.unwrap();
        store.append(2, b"two".to_vec()).await.unwrap();
        store.close();
        assert!(matches!(store.append(3, vec![]).await, Err(StoreError::Failed(_))));
        let store = SledStore::open(folder.path()).unwrap();
        assert_eq!(store.read(1).await.unwrap(), [b"one".to_vec(), b"two".to_vec()]);
        assert_eq!(store.append(2, vec![]).await, Err(StoreError::Conflict { sequence: 2, next: 3 }));
    }

    /// sled keeps its settings beside its data, with a checksum.
    #[test]
    fn a_damaged_database_says_what_and_where_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        SledStore::open(folder.path()).unwrap().close();
        let conf = folder.path().join("conf");
        let mut bytes = std::fs::read(&conf).unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(&conf, bytes).unwrap();
        let error = SledStore::open(folder.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains(&folder.path().display().to_string()) && said.contains("restore"), "{said}");
        let refused = crate::commands::CommandError::from(error);
        assert_eq!(refused.exit, mulberry_shared::exit::Exit::TrustRefused);
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        {
            let db = ::sled::open(folder.path()).unwrap();
            db.open_tree("meta").unwrap().insert("format", &2_u64.to_be_bytes()).unwrap();
            db.flush().unwrap();
        }
        for _ in 0..2 {
            assert_eq!(
                SledStore::open(folder.path()).unwrap_err(),
                StoreError::NewerFormat { found: 2, known: 1 }
            );
        }
    }
}
