//! Doubles of the ports: they answer from memory, record, fail, or die.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Clock, Disk, Fetched, Hook, HookEnd, Transport};

/// A disk in memory that knows what is durable, and can die after its n-th effect.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    inner: Mutex<Contents>,
}

/// How much of what was not yet durable is there after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The process was killed: the file system keeps everything it was told.
    Kill,
    /// The power went: only what was synced is left; a written, unsynced file is empty.
    PowerCut,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    /// By number: what a reader sees, and what a power cut leaves.
    files: BTreeMap<u64, (Vec<u8>, Vec<u8>)>,
    entries: BTreeMap<String, u64>,
    durable_entries: BTreeMap<String, u64>,
    next_file: u64,
    effects: usize,
    dies_after: Option<usize>,
    log: Vec<String>,
}

impl MemoryDisk {
    /// Lets the process "die" after `effects` more effects: that one happens, everything later fails.
    pub(crate) fn die_after(&self, effects: usize) {
        let mut inner = self.inner.lock().unwrap();
        inner.effects = 0;
        inner.dies_after = Some(effects);
    }

    /// The disk as a fresh process finds it.
    pub(crate) fn reboot(&self, crash: Crash) -> Self {
        let mut contents = self.inner.lock().unwrap().clone();
        if crash == Crash::PowerCut {
            contents.entries = contents.durable_entries.clone();
            for (seen, durable) in contents.files.values_mut() {
                seen.clone_from(durable);
            }
        }
        contents.dies_after = None;
        contents.effects = 0;
        contents.log.clear();
        Self { inner: Mutex::new(contents) }
    }

    /// An independent copy.
    pub(crate) fn copy(&self) -> Self {
        self.reboot(Crash::Kill)
    }

    /// How many effects happened since the start, the last [`MemoryDisk::die_after`] or reboot.
    pub(crate) fn effects(&self) -> usize {
        self.inner.lock().unwrap().effects
    }

    /// Every file and its content.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let inner = self.inner.lock().unwrap();
        inner.entries.iter().map(|(name, number)| (name.clone(), inner.files[number].0.clone())).collect()
    }

    fn effect<T>(&self, what: String, act: impl FnOnce(&mut Contents) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.inner.lock().unwrap();
        if inner.dies_after.is_some_and(|limit| inner.effects >= limit) {
            return Err(io::Error::other("the process is dead"));
        }
        inner.effects += 1;
        inner.log.push(what);
        act(&mut inner)
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk for MemoryDisk {
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let inner = self.inner.lock().unwrap();
        let Some(number) = inner.entries.get(path) else { return Ok(None) };
        let bytes = inner.files[number].0.clone();
        if bytes.len() as u64 > max_bytes {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(Some(bytes))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let inner = self.inner.lock().unwrap();
        Ok(inner
            .entries
            .keys()
            .filter(|path| folder_of(path) == folder)
            .map(|path| path.rsplit('/').next().unwrap().to_owned())
            .collect())
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.effect(format!("make {folder}"), |_| Ok(()))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.effect(format!("write {path}"), |disk| {
            let number = *disk.entries.entry(path.to_owned()).or_insert_with(|| {
                disk.next_file += 1;
                disk.next_file
            });
            disk.files.entry(number).or_default().0 = bytes.to_vec();
            Ok(())
        })
    }

    fn sync_file(&self, path: &str) -> io::Result<()> {
        self.effect(format!("sync {path}"), |disk| {
            let number = *disk.entries.get(path).ok_or(io::ErrorKind::NotFound)?;
            let (seen, durable) = disk.files.get_mut(&number).unwrap();
            durable.clone_from(seen);
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.effect(format!("rename {from} {to}"), |disk| {
            let number = disk.entries.remove(from).ok_or(io::ErrorKind::NotFound)?;
            disk.entries.insert(to.to_owned(), number);
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.effect(format!("sync folder {folder:?}"), |disk| {
            disk.durable_entries.retain(|path, _| folder_of(path) != folder);
            let here: Vec<_> = disk.entries.iter().filter(|(path, _)| folder_of(path) == folder).collect();
            let here: Vec<_> = here.into_iter().map(|(path, number)| (path.clone(), *number)).collect();
            disk.durable_entries.extend(here);
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.effect(format!("remove {path}"), |disk| {
            disk.entries.remove(path);
            Ok(())
        })
    }
}

/// What every [`Disk`] must do, the real one included.
pub(crate) fn disk_contract(disk: &dyn Disk) {
    assert_eq!(disk.read("a", 9).unwrap(), None);
    assert_eq!(disk.list("folder").unwrap(), Vec::<String>::new());
    disk.remove("a").unwrap();
    disk.make_folder("folder").unwrap();
    disk.make_folder("folder").unwrap();
    disk.write("folder/b", b"long first content").unwrap();
    disk.write("folder/b", b"two").unwrap();
    disk.sync_file("folder/b").unwrap();
    assert_eq!(disk.read("folder/b", 3).unwrap().as_deref(), Some(&b"two"[..]));
    assert!(disk.read("folder/b", 2).is_err());
    disk.write("c", b"one").unwrap();
    disk.rename("c", "folder/b").unwrap();
    disk.sync_folder("folder").unwrap();
    disk.sync_folder("").unwrap();
    assert_eq!(disk.read("folder/b", 9).unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(disk.read("c", 9).unwrap(), None);
    assert!(disk.rename("c", "d").is_err());
    assert!(disk.sync_file("c").is_err());
    disk.write("folder/a", b"").unwrap();
    assert_eq!(disk.list("folder").unwrap(), ["a", "b"]);
}

/// An origin in memory. A path with several answers gives them in turn and repeats the last.
#[derive(Debug, Default)]
pub(crate) struct MemoryOrigin {
    answers: Mutex<BTreeMap<String, VecDeque<Fetched>>>,
    down: Mutex<bool>,
}

impl MemoryOrigin {
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let answers = VecDeque::from([Fetched::Bytes(bytes.to_vec())]);
        self.answers.lock().unwrap().insert(path.to_owned(), answers);
    }

    /// Every document it has, by path.
    pub(crate) fn documents(&self) -> BTreeMap<String, Vec<u8>> {
        let answers = self.answers.lock().unwrap();
        let document = |answer: &Fetched| match answer {
            Fetched::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        };
        let all = answers.iter().filter_map(|(path, queue)| Some((path.clone(), document(queue.front()?)?)));
        all.collect()
    }

    pub(crate) fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }
}

#[async_trait]
impl Transport for MemoryOrigin {
    async fn get(&self, path: &str, max_bytes: u64) -> Fetched {
        if *self.down.lock().unwrap() {
            return Fetched::Failed(format!("{path}: connection refused"));
        }
        let mut answers = self.answers.lock().unwrap();
        let Some(queue) = answers.get_mut(path) else { return Fetched::Absent };
        let answer = if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() };
        match answer {
            Some(Fetched::Bytes(bytes)) if bytes.len() as u64 > max_bytes => {
                Fetched::Failed("too long".into())
            }
            Some(answer) => answer,
            None => Fetched::Absent,
        }
    }

    fn origin(&self) -> &str {
        "memory:"
    }
}

/// A hook that remembers its events.
#[derive(Debug, Default)]
pub(crate) struct RecordingHook {
    events: Mutex<Vec<serde_json::Value>>,
    fails: Mutex<bool>,
}

impl RecordingHook {
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn set_fails(&self, fails: bool) {
        *self.fails.lock().unwrap() = fails;
    }
}

#[async_trait]
impl Hook for RecordingHook {
    async fn run(&self, event: &[u8]) -> HookEnd {
        self.events.lock().unwrap().push(serde_json::from_slice(event).unwrap());
        HookEnd::Exited { code: Some(i32::from(*self.fails.lock().unwrap())) }
    }
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct SetClock(Mutex<Timestamp>);

impl SetClock {
    pub(crate) fn at(text: &str) -> Self {
        Self(Mutex::new(text.parse().unwrap()))
    }

    pub(crate) fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.parse().unwrap();
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn is_shifted(&self) -> bool {
        false
    }
}

mod tests {
    use super::*;

    #[test]
    fn memory_disk_behaves_as_the_port_says() {
        disk_contract(&MemoryDisk::default());
    }

    #[test]
    fn a_power_cut_leaves_only_what_was_synced() {
        let disk = MemoryDisk::default();
        disk.write("a", b"1").unwrap();
        disk.sync_file("a").unwrap();
        disk.sync_folder("").unwrap();
        disk.write("a", b"2").unwrap();
        disk.write("b", b"3").unwrap();
        assert_eq!(disk.reboot(Crash::PowerCut).files(), BTreeMap::from([("a".into(), b"1".to_vec())]));
        assert_eq!(disk.reboot(Crash::Kill).files().len(), 2);
    }
}
