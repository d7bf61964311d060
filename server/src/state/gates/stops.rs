//! What people stopped at a gate: each pause and narrowing stays in sight until somebody opens the gate further than it left it,
//! whoever stopped what after it.

use std::collections::VecDeque;

use mulberry_shared::gates::GateState;
use mulberry_shared::operators::StopKind;
use mulberry_shared::sampling::BasisPoints;

use super::Stamp;
use crate::event::SetGate;

/// The most that are listed; of earlier ones only the number is kept.
const LISTED: usize = 32;

/// One pause or narrowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The event that it was, and who did it when.
    pub set: Stamp,
    /// Which of the two.
    pub did: StopKind,
    /// The share that the gate was open to before, within the recipe's maximum.
    pub from: BasisPoints,
    /// The share that it left. Whoever opens it further undoes this.
    pub left: BasisPoints,
    /// Why.
    pub reason: String,
}

/// Those of one revision that nobody has undone, in the order of their events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stops {
    listed: VecDeque<Stop>,
    unlisted: u64,
}

impl Stops {
    /// Those that are listed, older ones first.
    pub fn iter(&self) -> impl Iterator<Item = &Stop> {
        self.listed.iter()
    }

    /// Those among them that opening the gate to this share undoes.
    pub fn undone_by(&self, open: BasisPoints) -> impl Iterator<Item = &Stop> {
        self.iter().filter(move |stop| stop.left < open)
    }

    /// How many were there before those that are listed.
    #[must_use]
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// The gate was set, from one share to another.
    pub(super) fn follow(&mut self, gate: &SetGate, from: BasisPoints, left: BasisPoints, stamp: &Stamp) {
        let did = match gate.state {
            GateState::Paused => StopKind::Paused,
            GateState::Open if left < from => StopKind::Narrowed,
            GateState::Open => {
                self.listed.retain(|stop| stop.left >= left);
                if self.listed.is_empty() {
                    self.unlisted = 0;
                }
                return;
            }
            GateState::Ended => {
                *self = Self::default();
                return;
            }
        };
        if self.listed.len() >= LISTED {
            self.listed.pop_front();
            self.unlisted = self.unlisted.saturating_add(1);
        }
        self.listed.push_back(Stop { set: stamp.clone(), did, from, left, reason: gate.reason.clone() });
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn stamp(event: u64) -> Stamp {
        Stamp { event, at: Timestamp::UNIX_EPOCH, by: crate::test_support::actor(&format!("person-{event}")) }
    }

    fn set(state: GateState) -> SetGate {
        let (reason, note) = ("r".to_owned(), String::new());
        let percent = BasisPoints::EVERYONE;
        SetGate { revision: 1, state, percent, reason, note, since: Timestamp::UNIX_EPOCH }
    }

    fn points(points: u16) -> BasisPoints {
        BasisPoints::new(points).unwrap()
    }

    #[test]
    fn the_list_is_bounded_and_says_what_it_left_out() {
        let mut stops = Stops::default();
        for event in 1..=40 {
            stops.follow(&set(GateState::Paused), points(0), points(0), &stamp(event));
        }
        assert_eq!((stops.iter().count(), stops.unlisted()), (LISTED, 8));
        assert_eq!(stops.iter().next().unwrap().set.event, 9, "the latest are in sight");
        stops.follow(&set(GateState::Open), points(0), points(1), &stamp(41));
        assert_eq!(stops, Stops::default());
    }

    proptest! {
        /// Whatever people do one after the other: what an opening undoes is just what left less and was not undone before.
        #[test]
        fn no_stop_hides_behind_another(shares in prop::collection::vec(0..6_u16, 1..30), wanted in 1..6_u16) {
            let mut stops = Stops::default();
            let (mut open, mut expected) = (0, Vec::<(u64, u16)>::new());
            for (event, share) in (1..).zip(shares) {
                let state = if share == 0 { GateState::Paused } else { GateState::Open };
                stops.follow(&set(state), points(open), points(share), &stamp(event));
                expected.retain(|(_, left)| *left >= share);
                if share == 0 || share < open {
                    expected.push((event, share));
                }
                open = share;
            }
            expected.retain(|(_, left)| *left < wanted);
            let undone: Vec<_> = stops.undone_by(points(wanted)).map(|stop| (stop.set.event, stop.left.get())).collect();
            prop_assert_eq!(undone, expected);
        }
    }
}
