//! What an examiner remembers must never show, except in how much it reads.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mulberry_shared::limits::Limits;
use mulberry_shared::x509::Anchors;
use mulberry_shared::xpi::{Policy, ReadAt};
use proptest::prelude::*;

use super::*;
use crate::io::folder::RealAddons;
use crate::ports::{Gaps, OpenAddon};

const SECOND: i64 = 1_000_000_000;

/// A folder on a file system that counts time in steps of two seconds.
#[derive(Default)]
struct Files {
    files: BTreeMap<String, (Vec<u8>, Stamp)>,
    now: i64,
    opened: AtomicUsize,
}

struct Open(Vec<u8>, Stamp);

impl ReadAt for Open {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        self.0.read_exact_at(buf, offset)
    }
}

impl OpenAddon for Open {
    fn opened(&self) -> Stamp {
        self.1
    }

    fn stamp(&self) -> std::io::Result<Stamp> {
        Ok(self.1)
    }

    fn archive(&self) -> &dyn ReadAt {
        self
    }
}

impl Files {
    fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Writes as the system does.
    fn write(&mut self, path: &str, content: &[u8]) {
        let tick = self.now - self.now % (2 * SECOND);
        let size = content.len() as u64;
        let stamp = Stamp { device: 1, inode: 1, size, modified_ns: tick, changed_ns: tick };
        self.files.insert(path.into(), (content.into(), stamp));
    }

    /// Writes as something below the file system could: no stamp tells.
    fn forge(&mut self, path: &str, content: &[u8]) {
        if let Some((old, _)) = self.files.get_mut(path) {
            let size = old.len();
            *old = content.into();
            old.resize(size, 7);
        }
    }

    fn take_opened(&self) -> usize {
        self.opened.swap(0, Ordering::SeqCst)
    }
}

impl AddonFolder for Files {
    fn list(&self) -> std::io::Result<Listing> {
        let listed =
            |(path, (_, stamp)): (&String, &(_, Stamp))| ListedAddon { path: path.clone(), stamp: *stamp };
        Ok(Listing { addons: self.files.iter().map(listed).collect(), gaps: Gaps::default() })
    }

    fn now_ns(&self) -> i64 {
        self.now
    }

    fn open(&self, path: &str) -> std::io::Result<Box<dyn OpenAddon>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (content, stamp) = self.files.get(path).cloned().ok_or(std::io::ErrorKind::NotFound)?;
        Ok(Box::new(Open(content, stamp)))
    }
}

fn examiner() -> Archives {
    Archives::new(Anchors::default(), Policy::firefox(), Limits::default())
}

/// What there is to see, and the verdicts.
fn look(examiner: &Archives, folder: &dyn AddonFolder, reread: Reread) -> (Vec<Seen>, Verdicts) {
    let corpus = examiner.examine(folder, &folder.list().unwrap().addons, reread, &Stop::new());
    (corpus.seen().to_vec(), corpus.judge(&Effects::default(), Timestamp::UNIX_EPOCH))
}

/// A folder in which a signal comes when the first add-on is opened.
struct Ended<'f>(&'f Files, &'f Stop);

impl AddonFolder for Ended<'_> {
    fn list(&self) -> std::io::Result<Listing> {
        self.0.list()
    }

    fn now_ns(&self) -> i64 {
        self.0.now_ns()
    }

    fn open(&self, path: &str) -> std::io::Result<Box<dyn OpenAddon>> {
        self.1.cancel();
        self.0.open(path)
    }
}

#[test]
fn once_a_run_is_ended_no_further_add_on_is_opened() {
    let mut files = Files::at(100 * SECOND);
    for number in 0..500 {
        files.write(&format!("{number}.xpi"), b"content");
    }
    let stop = Stop::new();
    let (examiner, folder) = (examiner(), Ended(&files, &stop));
    let corpus = examiner.examine(&folder, &files.list().unwrap().addons, Reread::All, &stop);
    assert_eq!(corpus.seen().len(), 500);
    // Those that other threads had begun are finished.
    let opened = files.take_opened();
    assert!((1..=rayon::current_num_threads()).contains(&opened), "{opened}");
}

#[test]
fn unchanged_files_are_not_even_opened_and_a_full_pass_reads_all() {
    let mut files = Files::at(100 * SECOND);
    files.write("a", b"one");
    files.write("b", b"two");
    files.now += 10 * SECOND;
    let examiner = examiner();
    let first = look(&examiner, &files, Reread::Changed);
    assert_eq!(files.take_opened(), 2);
    assert_eq!(look(&examiner, &files, Reread::Changed), first);
    assert_eq!(files.take_opened(), 0);
    assert_eq!(look(&examiner, &files, Reread::All), first);
    assert_eq!(files.take_opened(), 2);
    files.write("b", b"three");
    assert_ne!(look(&examiner, &files, Reread::Changed), first);
    assert_eq!(files.take_opened(), 1);
}

#[test]
fn a_file_that_was_young_when_it_was_read_is_read_again() {
    let mut files = Files::at(100 * SECOND);
    files.write("a", b"one");
    let examiner = examiner();
    look(&examiner, &files, Reread::Changed);
    // The same tick of the file system's clock, so the same stamp.
    files.now += SECOND;
    let before = files.list().unwrap().addons;
    files.write("a", b"two");
    assert_eq!(files.list().unwrap().addons, before);
    files.now += 100 * SECOND;
    assert_eq!(
        look(&examiner, &files, Reread::Changed),
        look(&super::tests::examiner(), &files, Reread::All)
    );
}

#[test]
fn a_full_pass_notices_what_left_no_trace() {
    let mut files = Files::at(100 * SECOND);
    files.write("a", b"one");
    files.now += 10 * SECOND;
    let examiner = examiner();
    let first = look(&examiner, &files, Reread::Changed);
    files.forge("a", b"two");
    assert_eq!(look(&examiner, &files, Reread::Changed), first, "nothing could have told");
    let full = look(&examiner, &files, Reread::All);
    assert_ne!(full, first);
    assert_eq!(look(&examiner, &files, Reread::Changed), full);
}

#[test]
fn a_real_file_with_its_size_and_time_set_back_is_noticed() {
    /// Real files and stamps, by a clock that says all of them are old.
    struct Later(RealAddons, Cell<usize>);
    // Only this test's thread counts.
    impl AddonFolder for Mutex<Later> {
        fn list(&self) -> std::io::Result<Listing> {
            self.lock().unwrap().0.list()
        }
        fn now_ns(&self) -> i64 {
            self.lock().unwrap().0.now_ns() + 100 * SECOND
        }
        fn open(&self, path: &str) -> std::io::Result<Box<dyn OpenAddon>> {
            let inner = self.lock().unwrap();
            inner.1.set(inner.1.get() + 1);
            inner.0.open(path)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xpi");
    fs::write(&path, b"genuine").unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let addons = Mutex::new(Later(RealAddons::new(folder.path().into()), Cell::new(0)));
    let examiner = examiner();
    let genuine = look(&examiner, &addons, Reread::Changed);
    assert_eq!(look(&examiner, &addons, Reread::Changed), genuine);
    assert_eq!(addons.lock().unwrap().1.take(), 1);

    // Until the file system's clock has ticked, which is what the real examiner waits for too.
    let before = addons.list().unwrap().addons;
    let changed = (0..100_000).any(|_| {
        fs::write(&path, b"altered").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        addons.list().unwrap().addons != before
    });
    assert!(changed);
    let after = addons.list().unwrap().addons;
    assert_eq!(
        (after[0].stamp.size, after[0].stamp.modified_ns),
        (before[0].stamp.size, before[0].stamp.modified_ns)
    );
    assert_ne!(look(&examiner, &addons, Reread::Changed), genuine);
}

#[derive(Clone, Debug)]
enum Step {
    Write(u8, Vec<u8>),
    Forge(u8, Vec<u8>),
    Remove(u8),
    Wait(i64),
    Pass(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let content = || proptest::collection::vec(0..3u8, 0..4);
    let step = prop_oneof![
        (0..3u8, content()).prop_map(|(file, content)| Step::Write(file, content)),
        (0..3u8, content()).prop_map(|(file, content)| Step::Forge(file, content)),
        (0..3u8).prop_map(Step::Remove),
        (0..5 * SECOND).prop_map(Step::Wait),
        any::<bool>().prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #[test]
    fn with_memory_and_without_everything_looks_the_same(steps in steps()) {
        let (mut files, examiner) = (Files::at(100 * SECOND), examiner());
        let mut forged = false;
        for step in steps {
            match step {
                Step::Write(file, content) => files.write(&file.to_string(), &content),
                Step::Forge(file, content) => {
                    files.forge(&file.to_string(), &content);
                    forged = true;
                }
                Step::Remove(file) => drop(files.files.remove(&file.to_string())),
                Step::Wait(time) => files.now += time,
                Step::Pass(full) => {
                    let reread = if full || forged { Reread::All } else { Reread::Changed };
                    forged = false;
                    prop_assert_eq!(look(&examiner, &files, reread), look(&super::tests::examiner(), &files, Reread::All));
                }
            }
        }
    }
}
