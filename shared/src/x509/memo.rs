//! A bounded memory of successful signature checks.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::prepared::PreparedKeys;

/// Remembers *successful* signature checks, so that re-verifying thousands of add-ons after a change of the pool does not
/// repeat the same public key operations. A replacement intermediate with the same key hits it too.
///
/// Failures are never remembered, so a full memo or a lost one costs time and changes no verdict. Shared between threads by
/// reference; the caller decides how long it lives.
#[derive(Debug)]
pub struct SignatureMemo {
    half: usize,
    generations: Mutex<Generations>,
    keys: PreparedKeys,
}

/// Two generations bound the memory without any bookkeeping for each entry: when the younger is full it becomes the elder, and
/// the former elder is forgotten. What is in use is copied to the younger by every hit.
#[derive(Debug, Default)]
struct Generations {
    younger: HashSet<[u8; 32]>,
    elder: HashSet<[u8; 32]>,
}

impl SignatureMemo {
    /// A memo of at most `capacity` entries (32 bytes each, and the table's overhead), and a few keys. With 0 it remembers no check.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { half: capacity / 2, generations: Mutex::default(), keys: PreparedKeys::default() }
    }

    /// Whether `signature` over `message` holds under `key`: remembered, or else by `verify`, whose success is then
    /// remembered. `verify` must depend on nothing but these four values.
    pub fn check(
        &self,
        algorithm: &[u8],
        key: &[u8],
        message: &[u8],
        signature: &[u8],
        verify: impl FnOnce() -> bool,
    ) -> bool {
        let entry = entry([algorithm, key, message, signature]);
        if self.remembers(&entry) {
            return true;
        }
        // Not under the lock: checks of different threads run side by side.
        let holds = verify();
        if holds {
            self.insert(entry);
        }
        holds
    }

    /// Keys that were needed for checks.
    pub(super) fn keys(&self) -> &PreparedKeys {
        &self.keys
    }

    /// How many checks are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.younger.union(&generations.elder).count()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn remembers(&self, entry: &[u8; 32]) -> bool {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger.contains(entry) {
            return true;
        }
        let elder = generations.elder.contains(entry);
        drop(generations);
        if elder {
            self.insert(*entry);
        }
        elder
    }

    fn insert(&self, entry: [u8; 32]) {
        if self.half == 0 {
            return;
        }
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.younger.len() >= self.half {
            generations.elder = std::mem::take(&mut generations.younger);
        }
        generations.younger.insert(entry);
    }
}

impl Default for SignatureMemo {
    /// 65,536 entries, about 4 MiB: the end entities of 15,000 add-ons in two signature forms, with room.
    fn default() -> Self {
        Self::new(1 << 16)
    }
}

/// Length-prefixed, so that no two different checks have one entry.
fn entry(parts: [&[u8]; 4]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_success_and_nothing_else() {
        let memo = SignatureMemo::new(8);
        assert!(!memo.check(b"a", b"k", b"m", b"s", || false));
        assert!(memo.is_empty());
        assert!(memo.check(b"a", b"k", b"m", b"s", || true));
        assert!(memo.check(b"a", b"k", b"m", b"s", || panic!("remembered")));
        assert!(!memo.check(b"a", b"k", b"m", b"t", || false));
    }

    #[test]
    fn moving_bytes_between_the_parts_makes_another_entry() {
        let memo = SignatureMemo::new(8);
        assert!(memo.check(b"ab", b"c", b"m", b"s", || true));
        assert!(!memo.check(b"a", b"bc", b"m", b"s", || false));
    }

    #[test]
    fn never_grows_beyond_its_capacity_and_keeps_what_is_in_use() {
        let memo = SignatureMemo::new(10);
        for i in 0u32..1000 {
            assert!(memo.check(b"a", b"k", &i.to_be_bytes(), b"s", || true));
            assert!(memo.check(b"a", b"k", b"in use", b"s", || i == 0));
            assert!(memo.len() <= 10);
        }
        let nothing = SignatureMemo::new(0);
        assert!(nothing.check(b"a", b"k", b"m", b"s", || true));
        assert!(nothing.is_empty());
    }
}
