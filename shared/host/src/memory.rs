//! The memory that inspections running side by side share.

use std::sync::{Condvar, Mutex, PoisonError};

/// Memory that parallel inspections share: who needs much waits for others to finish.
#[derive(Debug)]
pub struct Budget {
    total: u64,
    free: Mutex<u64>,
    freed: Condvar,
}

impl Budget {
    /// A budget of `total` bytes.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self { total, free: Mutex::new(total), freed: Condvar::new() }
    }

    /// Runs `work` with `bytes` of the budget, or all of it where that is less. Nobody waits while holding some, so
    /// everybody gets their turn.
    pub fn with<T>(&self, bytes: u64, work: impl FnOnce() -> T) -> T {
        let bytes = bytes.min(self.total);
        let lock = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            self.freed.wait_while(lock, |free| *free < bytes).unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_sub(bytes);
        drop(free);
        let result = work();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.saturating_add(bytes);
        drop(free);
        self.freed.notify_all();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn parallel_work_never_holds_more_than_the_budget_and_all_of_it_is_done() {
        let (budget, held, done) = (Budget::new(100), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [60, 60, 10, 500, 40, 100, 1] {
                let (budget, held, done) = (&budget, &held, &done);
                scope.spawn(move || {
                    budget.with(bytes, || {
                        let counted = bytes.min(100);
                        assert!(held.fetch_add(counted, Ordering::SeqCst) + counted <= 100);
                        std::thread::yield_now();
                        held.fetch_sub(counted, Ordering::SeqCst);
                        done.fetch_add(1, Ordering::SeqCst);
                    });
                });
            }
        });
        assert_eq!(done.into_inner(), 7);
    }
}
