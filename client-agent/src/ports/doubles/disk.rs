//! A disk in memory that can die after its n-th effect, and shows everything that a crash there may leave behind.
//!
//! A file's content is durable once the file was synced; a name (made, renamed, removed) once its folder was. What was not
//! synced is, after a power cut, there or not, each change by itself, and unsynced content is old, empty, torn or whole.
//! Only a rename is one change: it never leaves both names, nor none, as on every journalling file system.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Mutex;

use crate::ports::Disk;

/// Up to so many unsynced changes of names are tried in every combination.
const EXHAUSTIVE: usize = 4;

/// Up to so many unsynced contents are; of more, all share one fate.
const TORN_APART: usize = 2;

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct MemoryDisk {
    inner: Mutex<Contents>,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    files: BTreeMap<u64, Content>,
    now: Names,
    durable: Names,
    /// What leads from the durable names to those of now.
    pending: Vec<Change>,
    next_file: u64,
    effects: usize,
    dies_after: Option<usize>,
}

/// What a reader sees of a file, and what is durable of it.
#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Names {
    folders: BTreeSet<String>,
    files: BTreeMap<String, u64>,
}

#[derive(Clone, Debug)]
enum Change {
    Folder(String),
    Create(String, u64),
    Rename { from: String, to: String, number: u64 },
    Remove(String),
}

impl Change {
    fn touches(&self, folder: &str) -> bool {
        match self {
            Self::Folder(path) | Self::Create(path, _) | Self::Remove(path) => folder_of(path) == folder,
            Self::Rename { from, to, .. } => folder_of(from) == folder || folder_of(to) == folder,
        }
    }
}

impl Names {
    fn make(&mut self, change: &Change) {
        match change {
            Change::Folder(path) => {
                self.folders.insert(path.clone());
            }
            Change::Create(path, number) => {
                self.files.insert(path.clone(), *number);
            }
            Change::Rename { from, to, number } => {
                if self.files.get(from) == Some(number) {
                    self.files.remove(from);
                }
                self.files.insert(to.clone(), *number);
            }
            Change::Remove(path) => {
                self.files.remove(path);
            }
        }
    }

    fn has_folder(&self, folder: &str) -> bool {
        folder.is_empty() || self.folders.contains(folder)
    }
}

impl MemoryDisk {
    /// A disk with the folders that `init` makes durable before anything else.
    pub(crate) fn initialised() -> Self {
        let disk = Self::default();
        for folder in ["tmp", "trust", "certificates"] {
            disk.make_folder(folder).unwrap();
        }
        disk.sync_folder("").unwrap();
        disk
    }

    /// Lets the process "die" after `effects` more effects: the last of them happens, everything later fails.
    pub(crate) fn die_after(&self, effects: usize) {
        let mut inner = self.inner.lock().unwrap();
        inner.effects = 0;
        inner.dies_after = Some(effects);
    }

    /// Every disk that the next process may find after a crash now, each with a name for messages; those that a reader
    /// cannot tell apart only once. The first is what a killed process leaves: all that it did.
    pub(crate) fn crashes(&self) -> Vec<(String, Self)> {
        let mut found = vec![("killed".to_owned(), self.copy())];
        let contents = self.inner.lock().unwrap();
        let mut known = BTreeSet::from([found[0].1.files()]);
        for kept in contents.kept() {
            let mut names = contents.durable.clone();
            let made = contents.pending.iter().zip(&kept).filter(|(_, kept)| **kept);
            made.for_each(|(change, _)| names.make(change));
            for (torn, files) in contents.tears(&names) {
                let kept: String = kept.iter().map(|kept| if *kept { 'k' } else { '-' }).collect();
                let disk = Self::holding(&names, files);
                if known.insert(disk.files()) {
                    found.push((format!("power cut (names {kept:?}, contents {torn:?})"), disk));
                }
            }
        }
        found
    }

    /// An independent copy, as a fresh process finds it.
    pub(crate) fn copy(&self) -> Self {
        let mut contents = self.inner.lock().unwrap().clone();
        contents.dies_after = None;
        contents.effects = 0;
        Self { inner: Mutex::new(contents) }
    }

    /// How many effects happened since the start, the last [`MemoryDisk::die_after`] or copy.
    pub(crate) fn effects(&self) -> usize {
        self.inner.lock().unwrap().effects
    }

    /// Every file and its content.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let inner = self.inner.lock().unwrap();
        let seen = |(name, number): (&String, &u64)| (name.clone(), inner.files[number].seen.clone());
        inner.now.files.iter().map(seen).collect()
    }

    fn holding(names: &Names, files: BTreeMap<u64, Vec<u8>>) -> Self {
        let mut names = names.clone();
        // What lay in a folder that is not there is not there either.
        let folders = names.clone();
        names.files.retain(|path, _| folders.has_folder(folder_of(path)));
        let next_file = files.keys().max().copied().unwrap_or_default();
        let whole = |bytes: Vec<u8>| Content { seen: bytes.clone(), durable: bytes };
        let files = files.into_iter().map(|(number, bytes)| (number, whole(bytes))).collect();
        let contents =
            Contents { files, now: names.clone(), durable: names, next_file, ..Contents::default() };
        Self { inner: Mutex::new(contents) }
    }

    fn effect<T>(&self, act: impl FnOnce(&mut Contents) -> io::Result<T>) -> io::Result<T> {
        let mut inner = self.inner.lock().unwrap();
        if inner.dies_after.is_some_and(|limit| inner.effects >= limit) {
            return Err(io::Error::other("the process is dead"));
        }
        inner.effects += 1;
        act(&mut inner)
    }
}

impl Contents {
    fn change(&mut self, change: Change) {
        self.now.make(&change);
        self.pending.push(change);
    }

    /// Which of the pending changes a crash keeps: every combination, or where there are too many of them the first few,
    /// each alone, and all but one.
    fn kept(&self) -> Vec<Vec<bool>> {
        let count = self.pending.len();
        if count <= EXHAUSTIVE {
            return (0..1_usize << count)
                .map(|set| (0..count).map(|n| set >> n & 1 == 1).collect())
                .collect();
        }
        let mut sets: Vec<Vec<bool>> = (0..=count).map(|few| (0..count).map(|n| n < few).collect()).collect();
        for one in 0..count {
            sets.push((0..count).map(|n| n == one).collect());
            sets.push((0..count).map(|n| n != one).collect());
        }
        sets
    }

    /// What may have become of the contents: unsynced ones are old, empty, torn or whole, in every combination.
    fn tears(&self, names: &Names) -> Vec<(String, BTreeMap<u64, Vec<u8>>)> {
        let mut variants = vec![(String::new(), BTreeMap::new())];
        let unsynced = |number: &&u64| self.files[number].seen != self.files[number].durable;
        let together = names.files.values().filter(unsynced).count() > TORN_APART;
        for number in names.files.values().collect::<BTreeSet<_>>() {
            let Content { seen, durable } = &self.files[number];
            let mut outcomes = vec![('w', seen.clone())];
            if seen != durable {
                let torn = seen[..seen.len() / 2].to_vec();
                outcomes.extend([('o', durable.clone()), ('e', vec![]), ('t', torn)]);
            }
            let one = |(name, files): &(String, BTreeMap<u64, Vec<u8>>)| {
                let with = |(letter, bytes): &(char, Vec<u8>)| {
                    let (mut name, mut files) = (name.clone(), files.clone());
                    if outcomes.len() > 1 {
                        name.push(*letter);
                    }
                    files.insert(*number, bytes.clone());
                    (name, files)
                };
                let same =
                    |(letter, _): &&(char, Vec<u8>)| !together || name.is_empty() || name.ends_with(*letter);
                let first = outcomes.len() == 1;
                outcomes.iter().filter(|outcome| first || same(outcome)).map(with).collect::<Vec<_>>()
            };
            variants = variants.iter().flat_map(one).collect();
        }
        variants
    }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk for MemoryDisk {
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let inner = self.inner.lock().unwrap();
        let Some(number) = inner.now.files.get(path) else { return Ok(None) };
        let bytes = inner.files[number].seen.clone();
        if bytes.len() as u64 > max_bytes {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(Some(bytes))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let inner = self.inner.lock().unwrap();
        let here = inner.now.files.keys().filter(|path| folder_of(path) == folder);
        Ok(here.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect())
    }

    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.effect(|disk| {
            if !disk.now.has_folder(folder) {
                disk.change(Change::Folder(folder.to_owned()));
            }
            Ok(())
        })
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.effect(|disk| {
            if !disk.now.has_folder(folder_of(path)) {
                return Err(io::ErrorKind::NotFound.into());
            }
            let number = match disk.now.files.get(path) {
                Some(number) => *number,
                None => {
                    disk.next_file += 1;
                    let number = disk.next_file;
                    disk.change(Change::Create(path.to_owned(), number));
                    number
                }
            };
            disk.files.entry(number).or_default().seen = bytes.to_vec();
            Ok(())
        })
    }

    fn sync_file(&self, path: &str) -> io::Result<()> {
        self.effect(|disk| {
            let number = *disk.now.files.get(path).ok_or(io::ErrorKind::NotFound)?;
            let content = disk.files.get_mut(&number).unwrap();
            content.durable.clone_from(&content.seen);
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.effect(|disk| {
            let number = *disk.now.files.get(from).ok_or(io::ErrorKind::NotFound)?;
            disk.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), number });
            Ok(())
        })
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.effect(|disk| {
            let pending = std::mem::take(&mut disk.pending);
            let (done, left): (Vec<Change>, _) = pending.into_iter().partition(|c| c.touches(folder));
            disk.pending = left;
            for change in &done {
                disk.durable.make(change);
                // A rename that is durable leaves nothing of the name it started from.
                if let Change::Rename { from, number, .. } = change {
                    disk.pending.retain(
                        |earlier| !matches!(earlier, Change::Create(path, of) if path == from && of == number),
                    );
                }
            }
            Ok(())
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.effect(|disk| {
            if disk.now.files.contains_key(path) {
                disk.change(Change::Remove(path.to_owned()));
            }
            Ok(())
        })
    }
}

mod tests {
    use super::*;

    fn left(disk: &MemoryDisk) -> BTreeSet<Vec<(String, String)>> {
        let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8(bytes).unwrap());
        disk.crashes().into_iter().map(|(_, disk)| disk.files().into_iter().map(text).collect()).collect()
    }

    fn set(disks: &[&[(&str, &str)]]) -> BTreeSet<Vec<(String, String)>> {
        let text = |(path, bytes): &(&str, &str)| ((*path).to_owned(), (*bytes).to_owned());
        disks.iter().map(|files| files.iter().map(text).collect()).collect()
    }

    #[test]
    fn unsynced_content_is_old_empty_torn_or_whole() {
        let disk = MemoryDisk::default();
        disk.write("a", b"1234").unwrap();
        disk.sync_file("a").unwrap();
        disk.sync_folder("").unwrap();
        assert_eq!(left(&disk), set(&[&[("a", "1234")]]));
        disk.write("a", b"5678").unwrap();
        assert_eq!(left(&disk), set(&[&[("a", "1234")], &[("a", "")], &[("a", "56")], &[("a", "5678")]]));
        disk.sync_file("a").unwrap();
        assert_eq!(left(&disk), set(&[&[("a", "5678")]]));
    }

    #[test]
    fn unsynced_names_are_there_or_not_each_by_itself_and_a_rename_is_one_change() {
        let disk = MemoryDisk::default();
        for name in ["a", "b"] {
            disk.write(name, name.as_bytes()).unwrap();
            disk.sync_file(name).unwrap();
        }
        assert_eq!(left(&disk), set(&[&[], &[("a", "a")], &[("b", "b")], &[("a", "a"), ("b", "b")]]));
        disk.sync_folder("").unwrap();
        disk.rename("a", "b").unwrap();
        assert_eq!(left(&disk), set(&[&[("a", "a"), ("b", "b")], &[("b", "a")]]));
        disk.sync_folder("").unwrap();
        disk.remove("b").unwrap();
        assert_eq!(left(&disk), set(&[&[("b", "a")], &[]]));
    }

    #[test]
    fn a_folder_that_is_not_durable_takes_its_files_with_it() {
        let disk = MemoryDisk::default();
        disk.make_folder("f").unwrap();
        disk.write("f/a", b"").unwrap();
        disk.sync_folder("f").unwrap();
        assert_eq!(left(&disk), set(&[&[], &[("f/a", "")]]));
        disk.sync_folder("").unwrap();
        assert_eq!(left(&disk), set(&[&[("f/a", "")]]));
    }
}
