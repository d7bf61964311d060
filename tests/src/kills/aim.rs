//! Where in a piece of work a kill falls.

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::seq::SliceRandom;

/// Kills are aimed this far beyond the window, in tenths of it: no two runs take the same time, and the very end of the
/// longer ones must be hit too.
const TENTHS: u32 = 12;

/// `count` moments from 0 to 1.2 windows, one in each of as many equal slices, in random order.
#[must_use]
pub fn moments(window: Duration, count: usize) -> Vec<Duration> {
    let mut random = rand::rng();
    let span = window.as_secs_f64() * f64::from(TENTHS) / 10.0;
    let at = |slice: usize, within: f64| {
        Duration::from_secs_f64(span * (slice as f64 + within) / count.max(1) as f64)
    };
    let mut moments: Vec<Duration> =
        (0..count).map(|slice| at(slice, random.random_range(0.0..1.0))).collect();
    moments.shuffle(&mut random);
    moments
}

/// The middle one; zero where there is none.
#[must_use]
pub fn median(durations: &[Duration]) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Returns at `instant`, to within some microseconds where a core is free.
pub fn wait_until(instant: Instant) {
    const COARSE: Duration = Duration::from_micros(300);
    if let Some(long) =
        instant.checked_duration_since(Instant::now()).and_then(|left| left.checked_sub(COARSE))
    {
        std::thread::sleep(long);
    }
    while Instant::now() < instant {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_cover_the_window_evenly() {
        let mut moments = moments(Duration::from_millis(100), 12);
        moments.sort_unstable();
        for (slice, moment) in moments.iter().enumerate() {
            let begin = Duration::from_millis(10 * slice as u64);
            assert!(*moment >= begin && *moment < begin + Duration::from_millis(10), "{slice}: {moment:?}");
        }
        assert!(super::moments(Duration::from_millis(100), 0).is_empty());
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(&[3, 1, 2].map(Duration::from_secs)), Duration::from_secs(2));
        assert_eq!(median(&[]), Duration::ZERO);
    }
}
