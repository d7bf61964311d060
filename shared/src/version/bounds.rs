//! An interval of versions, and the two ways in which it is spelled.

use super::fault::{NotARange, RangeFault};
use super::{Key, Stage};

/// Whose versions a range is of: that decides which suffixes it may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A product's: `a1`, `b3`, `rc1`, `esr`.
    Product,
    /// The agent's own, which are semver: any pre-release.
    Agent,
}

/// The interval itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Versions from this cut on; `None`: no bound.
    pub(super) low: Option<Cut>,
    /// Versions before this cut; `None`: no bound.
    pub(super) high: Option<Cut>,
}

/// A place between two versions: just before or just after a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cut(pub(super) Key, pub(super) Side);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Before,
    After,
}

impl Bounds {
    /// From `low` on, and before `high`.
    pub(super) fn between(low: Option<Cut>, high: Option<Cut>) -> Self {
        Self { low, high }
    }

    /// What both hold.
    pub(super) fn and(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { low: self.low.max(other.low), high }
    }

    /// Refuses an interval with nothing in it.
    pub(super) fn check(&self, text: &str) -> Result<(), NotARange> {
        match (&self.low, &self.high) {
            (Some(low), Some(high)) if low >= high => Err(NotARange::new(text, RangeFault::Empty)),
            _ => Ok(()),
        }
    }

    pub(super) fn hold(&self, key: &Key) -> bool {
        let at = Cut(key.clone(), Side::Before);
        self.low.as_ref().is_none_or(|low| *low <= at) && self.high.as_ref().is_none_or(|high| at < *high)
    }

    /// The bounds in the published grammar, each with three numbers.
    pub(super) fn to_published(&self) -> String {
        self.spelled(&|key| {
            let [major, minor, patch, _] = key.parts;
            match &key.stage {
                Stage::Begin => format!("{major}.{minor}.{patch}-0"),
                Stage::Pre(pre) => format!("{major}.{minor}.{patch}-{pre}"),
                Stage::Release => format!("{major}.{minor}.{patch}"),
            }
        })
    }

    pub(super) fn spelled(&self, key: &dyn Fn(&Key) -> String) -> String {
        let low = self.low.as_ref().map(|Cut(low, side)| match side {
            Side::Before => format!(">={}", key(low)),
            Side::After => format!(">{}", key(low)),
        });
        let high = self.high.as_ref().map(|Cut(high, side)| match side {
            Side::Before => format!("<{}", key(high)),
            Side::After => format!("<={}", key(high)),
        });
        match (&self.low, &self.high) {
            (None, None) => "*".to_owned(),
            (Some(Cut(from, Side::Before)), Some(Cut(to, Side::After))) if from == to => {
                format!("={}", key(from))
            }
            _ => low.into_iter().chain(high).collect::<Vec<_>>().join(", "),
        }
    }

    /// The numbers that every version within begins with, where it is all of them.
    pub(super) fn prefix(&self) -> Option<&[u64]> {
        let Cut(from, Side::Before) = self.low.as_ref()? else { return None };
        let place = (0..3).find(|place| self.high.as_ref() == next(from.parts, *place).as_ref())?;
        let (given, rest) = from.parts.split_at_checked(place + 1)?;
        (from.stage == Stage::Begin && rest.iter().all(|part| *part == 0)).then_some(given)
    }
}

impl Cut {
    pub(super) fn before(key: Key) -> Self {
        // Nothing stands below the lowest pre-release, so before it is where the versions begin.
        match &key.stage {
            Stage::Pre(pre) if pre.as_str() == "0" => Self(Key { stage: Stage::Begin, ..key }, Side::Before),
            _ => Self(key, Side::Before),
        }
    }

    pub(super) fn after(key: Key) -> Self {
        Self(key, Side::After)
    }
}

/// Where the versions begin whose part `place` is one higher; `None` where no number is higher.
pub(super) fn next(given: [u64; 4], place: usize) -> Option<Cut> {
    let mut parts = [0; 4];
    for (index, (part, value)) in parts.iter_mut().zip(given).enumerate() {
        if index < place {
            *part = value;
        } else if index == place {
            *part = value.checked_add(1)?;
        }
    }
    Some(Cut(Key { parts, stage: Stage::Begin }, Side::Before))
}

/// Which part `^` holds fixed: the leftmost that is not zero, else the last that was given.
pub(super) fn caret_place([major, minor, ..]: [u64; 4], given: usize) -> usize {
    match (major, minor, given) {
        (0, 0, 3..) => 2,
        (0, _, 2..) => 1,
        _ => 0,
    }
}
