//! What an examiner remembers of add-ons from one run to the next.
//!
//! An [`Inspection`] is a function of an archive's bytes (and of policy and ceilings, which one examiner does not change), so
//! it may be used again wherever the bytes are known to be the same: because their SHA-256 is, or because the file
//! system says that nothing was written since. What it says is believed only of files that had been left alone for a
//! while when they were read: a second change within one tick of the file system's clock would leave no trace.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::xpi::Inspection;

use crate::ports::Stamp;

/// Bytes of remembered inspections, counted generously: several thousand usual add-ons. More than that are inspected again
/// each time.
pub(super) const REMEMBERED: u64 = 32 << 20;

/// How long a file must have been left alone before its stamp is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settling {
    /// Three seconds: file systems count in steps of up to 2 s.
    #[default]
    ThreeSeconds,
    /// Not at all. Right only where nobody writes the files any more when the first of them is read: a change within the step
    /// of the file system's clock in which it was read would never be noticed.
    AtOnce,
}

impl Settling {
    const fn ns(self) -> i64 {
        match self {
            Self::ThreeSeconds => 3_000_000_000,
            Self::AtOnce => 0,
        }
    }
}

/// An add-on as it was inspected.
#[derive(Debug)]
pub(super) struct Known {
    /// The file that was read.
    pub(super) stamp: Stamp,
    /// Whether it was old enough then for its stamp to be believed.
    pub(super) settled: bool,
    /// SHA-256 of what was read.
    pub(super) sha256: Sha256Digest,
    /// What was read.
    pub(super) inspection: Arc<Inspection>,
}

impl Known {
    /// Whether a file with this stamp has this content, as far as the file system can tell.
    pub(super) fn is_of(&self, stamp: &Stamp) -> bool {
        self.settled && self.stamp == *stamp
    }
}

/// Whether at `now` (nanoseconds since 1970, by the clock that makes stamps) a file had been left alone long enough.
pub(super) fn is_settled(stamp: &Stamp, now: i64, settling: Settling) -> bool {
    let touched = stamp.modified_ns.max(stamp.changed_ns);
    now.saturating_sub(touched) >= settling.ns()
}

/// A bounded memory by path.
///
/// Where not everything fits, those that are there stay: what is used in a pass is not given up for another of the same
/// pass, or a pass over more than fits would find nothing at all.
#[derive(Debug)]
pub(super) struct Remembered {
    bound: u64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<String, Slot>,
    /// Least recently used first: pass and path.
    by_use: BTreeSet<(u64, String)>,
    bytes: u64,
    pass: u64,
}

#[derive(Debug)]
struct Slot {
    known: Arc<Known>,
    bytes: u64,
    used: u64,
}

impl Remembered {
    /// An empty memory of at most `bound` bytes.
    pub(super) fn new(bound: u64) -> Self {
        Self { bound, inner: Mutex::default() }
    }

    /// Begins a pass: what is known of these paths, in their order.
    pub(super) fn recall<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Vec<Option<Arc<Known>>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.pass = inner.pass.saturating_add(1);
        paths.map(|path| inner.recall(path)).collect()
    }

    /// Remembers what a pass found. What is known already costs nothing.
    pub(super) fn keep(&self, path: &str, known: &Arc<Known>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.known.get(path).is_some_and(|slot| Arc::ptr_eq(&slot.known, known)) {
            return;
        }
        inner.forget(path);
        let bytes = bytes(path, known);
        while inner.bytes.saturating_add(bytes) > self.bound {
            let oldest = inner.by_use.first().filter(|(used, _)| *used < inner.pass);
            let Some((_, oldest)) = oldest.cloned() else { return };
            inner.forget(&oldest);
        }
        let used = inner.pass;
        inner.bytes = inner.bytes.saturating_add(bytes);
        inner.by_use.insert((used, path.to_owned()));
        inner.known.insert(path.to_owned(), Slot { known: known.clone(), bytes, used });
    }
}

impl Inner {
    fn recall(&mut self, path: &str) -> Option<Arc<Known>> {
        let slot = self.known.get_mut(path)?;
        let before = std::mem::replace(&mut slot.used, self.pass);
        let known = slot.known.clone();
        if let Some((_, path)) = self.by_use.take(&(before, path.to_owned())) {
            self.by_use.insert((self.pass, path));
        }
        Some(known)
    }

    fn forget(&mut self, path: &str) {
        if let Some(slot) = self.known.remove(path) {
            self.bytes = self.bytes.saturating_sub(slot.bytes);
            self.by_use.remove(&(slot.used, path.to_owned()));
        }
    }
}

/// The path stands in two places.
fn bytes(path: &str, known: &Known) -> u64 {
    let own = size_of::<Known>() + size_of::<Slot>() + 2 * (path.len() + size_of::<String>());
    (own as u64).saturating_add(known.inspection.memory_bytes())
}

#[cfg(test)]
mod tests {
    use mulberry_shared::limits::Limits;
    use mulberry_shared::xpi::{Policy, inspect};

    use super::*;

    fn stamp(ns: i64) -> Stamp {
        Stamp { device: 1, inode: 2, size: 3, modified_ns: ns, changed_ns: ns }
    }

    fn known(content: &[u8], settled: bool) -> Arc<Known> {
        let inspection = inspect(&content, &Policy::firefox(), &Limits::default()).unwrap();
        let sha256 = inspection.sha256.unwrap();
        Arc::new(Known { stamp: stamp(0), settled, sha256, inspection: Arc::new(inspection) })
    }

    #[test]
    fn a_stamp_is_believed_only_where_it_was_old_and_is_the_same() {
        let (now, age) = (1_000_000_000_000, 3_000_000_000);
        let usual = |stamp: Stamp| is_settled(&stamp, now, Settling::default());
        assert!(usual(stamp(now - age)));
        assert!(!usual(stamp(now - age + 1)));
        assert!(!usual(stamp(now + age)), "the clock went back");
        assert!(!usual(Stamp { modified_ns: 0, ..stamp(now) }), "the time of the content was set back");
        assert!(is_settled(&stamp(now), now, Settling::AtOnce));
        assert!(!is_settled(&stamp(now + 1), now, Settling::AtOnce), "the clock went back");

        assert!(known(b"a", true).is_of(&stamp(0)));
        assert!(!known(b"a", false).is_of(&stamp(0)));
        for other in [
            Stamp { device: 9, ..stamp(0) },
            Stamp { inode: 9, ..stamp(0) },
            Stamp { size: 9, ..stamp(0) },
            Stamp { modified_ns: 9, ..stamp(0) },
            Stamp { changed_ns: 9, ..stamp(0) },
        ] {
            assert!(!known(b"a", true).is_of(&other), "{other:?}");
        }
    }

    #[test]
    fn it_stays_below_its_bound_and_gives_up_what_was_not_used() {
        let one = known(b"x", true);
        let memory = Remembered::new(3 * bytes("0", &one));
        let recall = |paths: &[&str]| -> Vec<bool> {
            memory.recall(paths.iter().copied()).iter().map(Option::is_some).collect()
        };
        let all = ["0", "1", "2", "3", "4"];
        recall(&all);
        all.iter().for_each(|path| memory.keep(path, &one));
        // A pass over more than fits keeps what it has, in this pass and the next ones.
        for _ in 0..2 {
            assert_eq!(recall(&all), [true, true, true, false, false]);
            all.iter().for_each(|path| memory.keep(path, &one));
        }
        // What a later pass does not use makes room.
        assert_eq!(recall(&["1", "4"]), [true, false]);
        memory.keep("4", &one);
        assert_eq!(recall(&["1", "4"]), [true, true]);
        assert_eq!(recall(&all).into_iter().filter(|found| *found).count(), 3);
        let inner = memory.inner.lock().unwrap();
        assert!(inner.bytes <= memory.bound && inner.by_use.len() == inner.known.len());
        drop(inner);
        // What is replaced is not counted twice.
        (0..100).for_each(|_| memory.keep("1", &known(b"y", true)));
        assert_eq!(recall(&["1", "4"]), [true, true]);
        Remembered::new(10).keep("0", &one);
    }
}
