//! Full jitter: waits drawn evenly from nothing to a bound, so that many agents never move in step.

use std::time::Duration;

/// Draws waits. The same seed draws the same waits, so what uses it stays a function of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// Dice that start at `seed`: a random number on a real machine.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A wait from nothing to `most`, both included; in milliseconds.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let drawn = self.next();
        Duration::from_millis(most.checked_add(1).map_or(drawn, |count| drawn % count))
    }

    /// After so many failures in a row: up to `first` after one, twice that after two, and so on up to `most`.
    pub fn after_failures(&mut self, failures: u32, first: Duration, most: Duration) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        self.up_to(first.saturating_mul(1_u32.wrapping_shl(doublings)).min(most))
    }

    /// Puts things into any order, each as likely as the others (Fisher and Yates).
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let count = u64::try_from(last).map_or(u64::MAX, |last| last.saturating_add(1));
            things.swap(last, usize::try_from(self.next() % count).unwrap_or(last));
        }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014): enough to spread agents out, and nothing rests on it.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_fill_their_range_and_grow_with_failures_to_their_bound() {
        let mut dice = Dice::new(1);
        let (first, most) = (Duration::from_secs(1), Duration::from_secs(60));
        for (failures, bound) in [(0, 1), (1, 1), (2, 2), (4, 8), (7, 60), (u32::MAX, 60)] {
            let bound = Duration::from_secs(bound);
            let waits: Vec<_> = (0..1000).map(|_| dice.after_failures(failures, first, most)).collect();
            assert!(waits.iter().all(|wait| *wait <= bound), "{failures}");
            let below = |part: u32| waits.iter().filter(|wait| **wait < bound / part).count();
            assert!((400..600).contains(&below(2)) && (50..150).contains(&below(10)), "{failures}");
        }
        let mut first = [0; 3];
        for _ in 0..3000 {
            let mut order = [0, 1, 2];
            dice.shuffle(&mut order);
            first[order[0]] += 1;
        }
        assert!(first.iter().all(|count| (900..1100).contains(count)), "{first:?}");
        assert_eq!(dice.up_to(Duration::ZERO), Duration::ZERO);
        let _ = dice.up_to(Duration::MAX);
    }
}
