//! One thing measured in several rounds, and the ratio of two of them.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

/// What one round of one thing took, or gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// By the clock on the wall: seconds, or something per second.
    pub wall: f64,
    /// By the processors' time: the same, counting only when a processor worked on it. `None` where that is not known.
    pub cpu: Option<f64>,
}

/// One thing in all rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(Vec<Sample>);

/// On which side of its bound a ratio must be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// Two series compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// What was compared with what.
    pub name: &'static str,
    /// Ratio of the medians by the clock on the wall.
    pub wall: f64,
    /// Ratio of the medians by the processors' time, which other programs on the machine disturb less.
    pub cpu: Option<f64>,
    /// The lowest ratio of one round, on the wall.
    pub lowest: f64,
    /// The highest ratio of one round, on the wall.
    pub highest: f64,
    /// What it must be.
    pub bound: Bound,
    /// Whether `wall` is so.
    pub holds: bool,
}

impl Series {
    /// No round yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a round.
    pub fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// The median on the wall.
    #[must_use]
    pub fn wall(&self) -> f64 {
        median(self.0.iter().map(|sample| sample.wall).collect())
    }

    /// The median by the processors' time.
    #[must_use]
    pub fn cpu(&self) -> Option<f64> {
        self.0.iter().map(|sample| sample.cpu).collect::<Option<Vec<_>>>().map(median)
    }

    /// This series as a multiple of another.
    #[must_use]
    pub fn ratio_to(&self, other: &Self, name: &'static str, bound: Bound) -> Ratio {
        let rounds = self.0.iter().zip(&other.0).map(|(a, b)| a.wall / b.wall);
        let wall = self.wall() / other.wall();
        Ratio {
            name,
            wall,
            cpu: self.cpu().zip(other.cpu()).map(|(a, b)| a / b),
            lowest: rounds.clone().fold(f64::INFINITY, f64::min),
            highest: rounds.fold(f64::NEG_INFINITY, f64::max),
            bound,
            holds: match bound {
                Bound::AtMost(most) => wall <= most,
                Bound::AtLeast(least) => wall >= least,
            },
        }
    }
}

/// Does `work` and measures it: seconds, on the wall and of all this process's threads.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Sample) {
    let (before, begun) = (own_cpu(), Instant::now());
    let result = work();
    let (wall, after) = (begun.elapsed(), own_cpu());
    let cpu = before.zip(after).map(|(before, after)| after.saturating_sub(before).as_secs_f64());
    (result, Sample { wall: wall.as_secs_f64(), cpu })
}

fn own_cpu() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(microseconds).ok().map(Duration::from_micros)
}

/// The middle one; of an even number, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.wrapping_sub(1)), at(middle)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(walls: &[f64]) -> Series {
        Series(walls.iter().map(|wall| Sample { wall: *wall, cpu: Some(2.0 * wall) }).collect())
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_knows_its_bound() {
        let (a, b) = (series(&[3.0, 100.0, 2.0]), series(&[2.0, 1.0, 50.0]));
        let ratio = a.ratio_to(&b, "a to b", Bound::AtMost(1.5));
        assert_eq!((ratio.wall, ratio.cpu, ratio.lowest, ratio.highest), (1.5, Some(1.5), 0.04, 100.0));
        assert!(ratio.holds);
        assert!(!a.ratio_to(&b, "a to b", Bound::AtMost(1.4)).holds);
        assert!(!a.ratio_to(&b, "a to b", Bound::AtLeast(1.6)).holds);
        assert_eq!(series(&[1.0, 4.0]).wall(), 2.5);
    }
}
