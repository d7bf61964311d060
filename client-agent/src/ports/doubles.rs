//! Doubles of the ports: they answer from memory, record, fail, or die.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Clock, Disk, Fetched, Hook, HookEnd, Transport};
use crate::stop::Stop;

mod disk;

pub(crate) use disk::MemoryDisk;

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
    assert!(disk.write("nowhere/a", b"").is_err());
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

    /// Another origin with the same documents.
    pub(crate) fn copy(&self) -> Self {
        Self { answers: Mutex::new(self.answers.lock().unwrap().clone()), down: Mutex::default() }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.answers.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn remove(&self, path: &str) {
        self.answers.lock().unwrap().remove(path);
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        match self.answers.lock().unwrap()[path].front() {
            Some(Fetched::Bytes(bytes)) => bytes.clone(),
            other => panic!("{path}: {other:?}"),
        }
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
            Some(Fetched::Bytes(bytes)) if bytes.len() as u64 > max_bytes => Fetched::TooLong,
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
    stops: Mutex<Option<Stop>>,
}

impl RecordingHook {
    /// A signal comes while the hook runs.
    pub(crate) fn stop_meanwhile(&self, stop: Stop) {
        *self.stops.lock().unwrap() = Some(stop);
    }

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
        if let Some(stop) = &*self.stops.lock().unwrap() {
            stop.cancel();
        }
        HookEnd::Exited { code: Some(i32::from(*self.fails.lock().unwrap())) }
    }
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub(crate) struct SetClock {
    now: Mutex<Timestamp>,
    steady: Mutex<Duration>,
}

impl SetClock {
    pub(crate) fn at(text: &str) -> Self {
        Self { now: Mutex::new(text.parse().unwrap()), steady: Mutex::default() }
    }

    pub(crate) fn set(&self, text: &str) {
        *self.now.lock().unwrap() = text.parse().unwrap();
    }

    /// Lets time pass, whatever the clock shows.
    pub(crate) fn pass(&self, time: Duration) {
        *self.steady.lock().unwrap() += time;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn steady(&self) -> Duration {
        *self.steady.lock().unwrap()
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
}
