//! Many mutations of valid metadata, each given to a client that awaits the genuine file.
//!
//! Whatever the client makes of one, it must not panic, and what it accepts must say, in its signed part, exactly what was
//! signed. Layout, labels, unknown signatures and unknown members beside the signed part may differ: they are not signed.
//!
//! Mutation `n` follows from the seed and `n` alone, so a finding can be made again.

mod bytes;
mod client;
mod document;
mod members;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;

use crate::LabError;
use client::{Reaction, Trial};

/// Findings whose input is kept; more than these are only counted.
const KEPT: usize = 20;
/// How many mutations go by between two words of progress.
const STEP: u64 = 1000;

/// What came of all mutations.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The format's number.
    pub format: u32,
    /// What the mutations follow from.
    pub seed: u64,
    /// How many there were.
    pub count: u64,
    /// How long they took.
    pub seconds: f64,
    /// By role.
    pub roles: BTreeMap<String, Tally>,
    /// How many should not have ended as they did.
    pub wrong: u64,
    /// The first of those, in order of their numbers.
    pub findings: Vec<Finding>,
}

/// What came of the mutations of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many there were.
    pub mutations: u64,
    /// Accepted with a signed part that says the same.
    pub accepted: u64,
    /// Refused, by kind.
    pub refused: BTreeMap<String, u64>,
}

/// A mutation that should not have ended as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its number.
    pub number: u64,
    /// The role.
    pub role: String,
    /// What happened.
    pub problem: String,
    /// The file that the client was given.
    #[serde(skip)]
    pub input: Vec<u8>,
}

/// Makes `count` mutations on all cores; `progress` is told now and then how many are done, from any thread.
///
/// # Errors
/// When the repository they start from cannot be made.
pub fn run(count: u64, seed: u64, progress: &(dyn Fn(u64) + Sync)) -> Result<Report, LabError> {
    let trials = client::trials()?;
    let (started, done) = (Instant::now(), AtomicU64::new(0));
    let one = |mut sum: Report, number: u64| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(STEP) {
            progress(done);
        }
        sum.note(number, &trials, seed);
        sum
    };
    let mut report =
        (0..count).into_par_iter().fold(Report::default, one).reduce(Report::default, Report::and);
    report.findings.sort_by_key(|finding| finding.number);
    report.findings.truncate(KEPT);
    Ok(Report { format: 1, seed, count, seconds: started.elapsed().as_secs_f64(), ..report })
}

/// Mutation `number` of one of the trials' files: which one, and the bytes.
fn mutation(trials: &[Trial], seed: u64, number: u64) -> (usize, Vec<u8>) {
    // Odd, so that no two numbers share a start.
    let mut random = StdRng::seed_from_u64(seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let victim = random.random_range(0..trials.len());
    let donor = random.random_range(0..trials.len());
    let (good, other) = (&trials[victim].good, &trials[donor].good);
    let edits = if random.random_bool(0.7) { 1 } else { random.random_range(2..5) };
    let mut file = good.clone();
    let mut made = 0;
    // An edit may happen to change nothing.
    while made < edits || file == *good {
        file = if random.random_bool(0.35) {
            bytes::edit(&file, other, &mut random)
        } else {
            members::edit(&file, other, &mut random)
        };
        made += 1;
    }
    (victim, file)
}

impl Report {
    fn note(&mut self, number: u64, trials: &[Trial], seed: u64) {
        let (victim, input) = mutation(trials, seed, number);
        let trial = &trials[victim];
        let tally = self.roles.entry(trial.role.to_owned()).or_default();
        tally.mutations += 1;
        let reaction = catch_unwind(AssertUnwindSafe(|| trial.show(&input)));
        let problem = match reaction {
            Ok(Reaction::Accepted) => {
                tally.accepted += 1;
                return;
            }
            Ok(Reaction::Refused(kind)) => {
                *tally.refused.entry(kind.to_owned()).or_default() += 1;
                return;
            }
            Ok(Reaction::Wrong(problem)) => problem,
            Err(_) => "the client panicked".to_owned(),
        };
        self.wrong += 1;
        if self.findings.len() < KEPT {
            self.findings.push(Finding { number, role: trial.role.to_owned(), problem, input });
        }
    }

    fn and(mut self, other: Self) -> Self {
        for (role, tally) in other.roles {
            let sum = self.roles.entry(role).or_default();
            sum.mutations += tally.mutations;
            sum.accepted += tally.accepted;
            for (kind, count) in tally.refused {
                *sum.refused.entry(kind).or_default() += count;
            }
        }
        self.wrong += other.wrong;
        self.findings.extend(other.findings);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_follow_from_their_numbers_and_differ_from_what_they_were() {
        let trials = client::trials().unwrap();
        for number in 0..200 {
            let (victim, file) = mutation(&trials, 7, number);
            assert_eq!((victim, &file), (mutation(&trials, 7, number).0, &mutation(&trials, 7, number).1));
            assert_ne!(file, trials[victim].good);
        }
        assert_ne!(mutation(&trials, 7, 1), mutation(&trials, 8, 1));
    }
}
