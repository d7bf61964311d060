//! Why a recipe has its status: as data, and the one place that makes a sentence of it.

use std::fmt;

use jiff::Timestamp;

use crate::gates::{Since, UnclearGate, UnreadableGates};
use crate::recipe::published::UnreadableReason;
use crate::recipe::{ConsentKind, Lane};
use crate::sampling::BasisPoints;
use crate::targeting::Mismatch;
use crate::tuf::TrustError;

/// Why a recipe has its status, with what that depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is newly taken.
    Taken,
    /// It is newly taken in the place of this revision.
    InPlaceOf(u64),
    /// It was applied at this time, and nothing changes that.
    AppliedAt(Timestamp),
    /// What is published cannot be acted on.
    Unreadable(Box<UnreadableReason>),
    /// It starts at this time.
    Starts(Timestamp),
    /// It expired at this time.
    Expired(Timestamp),
    /// It is for other clients.
    NotTargeted(Mismatch),
    /// The user has switched off what it is.
    SwitchedOff(ConsentKind),
    /// The signatures of its lane have expired.
    LaneExpired(Lane),
    /// It is open for this share of clients, and this one is not among them.
    NotSampled(BasisPoints),
    /// There are no valid gates; with what is wrong with those that came.
    NoGates(Option<UnreadableGates>),
    /// Its gate is not understood.
    UnclearGate(UnclearGate),
    /// Its gate speaks for this revision only.
    GateOfRevision(u64),
    /// It has no gate.
    NoGate,
    /// Its gate is open for nobody.
    OpenForNobody,
    /// It is paused.
    Paused(Since),
    /// It was ended.
    Ended(Since),
    /// It was ended before this later revision.
    EndedBefore(u64),
    /// Only the people of the lane may open it, and they did not, or not so far.
    OnlyPeople(Lane, Unsigned),
    /// The people of the lane withdrew it.
    Withdrawn(Lane),
    /// It was withdrawn or ended before.
    Over,
    /// Nothing verified is known of its lane.
    LaneUnknown(Lane),
    /// What is published is only this revision, older than what is applied.
    OnlyOlder(u64),
    /// It is neither published nor applied.
    Absent,
}

/// Why what only people may open is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// Its gate is open wider than they signed.
    Wider {
        /// The share that they signed.
        signed: BasisPoints,
        /// The share that its gate says.
        open: BasisPoints,
    },
    /// They signed it to be open until this time, which is over.
    Lapsed(Timestamp),
    /// Their signatures do not hold.
    Refused(TrustError),
    /// Their signatures are missing.
    Missing,
}

/// What stays of what was applied before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// Nothing that need be said.
    Unsaid,
    /// What it did.
    Work,
    /// What this revision did, which was ended before.
    WorkOf(u64),
    /// This revision, applied.
    Applied(u64),
    /// All of it: only the lane's people end a distrust.
    Distrust,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken | Self::Absent => Ok(()),
            Self::InPlaceOf(revision) => write!(f, "in place of revision {revision}"),
            Self::AppliedAt(at) => write!(f, "applied at {at}"),
            Self::Unreadable(reason) => write!(f, "{reason}"),
            Self::Starts(at) => write!(f, "it starts at {at}"),
            Self::Expired(at) => write!(f, "it expired at {at}"),
            Self::NotTargeted(mismatch) => write!(f, "{mismatch}"),
            Self::SwitchedOff(kind) => write!(f, "{} are switched off", switch(*kind)),
            Self::LaneExpired(lane) => write!(f, "the signatures of the {lane} lane have expired"),
            Self::NotSampled(share) => {
                write!(f, "it is open for {share}, this client is not among them yet")
            }
            Self::NoGates(fault) => {
                write!(f, "no valid gates are at hand, so nothing newly opens")?;
                fault.iter().try_for_each(|fault| write!(f, ": {fault}"))
            }
            Self::UnclearGate(why) => {
                write!(f, "its gate is not understood, so it is closed here: {why}; a newer agent may")
            }
            Self::GateOfRevision(revision) => write!(f, "its gate speaks for revision {revision} only"),
            Self::NoGate => write!(f, "it has no gate yet"),
            Self::OpenForNobody => write!(f, "its gate is open at 0%"),
            Self::Paused(since) => write!(f, "paused since {since}"),
            Self::Ended(since) => write!(f, "ended since {since}"),
            Self::EndedBefore(revision) => write!(f, "it was ended before revision {revision}"),
            Self::OnlyPeople(lane, why) => {
                write!(f, "only the people of the {lane} lane may open it{why}")
            }
            Self::Withdrawn(lane) => write!(f, "the people who sign the {lane} lane withdrew it"),
            Self::Over => write!(f, "it was withdrawn or ended"),
            Self::LaneUnknown(lane) => {
                write!(f, "nothing verified is known of the {lane} lane, so what is applied stays")
            }
            Self::OnlyOlder(revision) => {
                write!(f, "the edition holds only revision {revision}, older than what is applied")
            }
        }
    }
}

impl fmt::Display for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wider { signed, open } => write!(f, "; they signed {signed}, and its gate says {open}"),
            Self::Lapsed(until) => write!(f, ", and they signed it to be open until {until}"),
            Self::Refused(error) => write!(f, ", and their signatures do not hold: {}", error.sentence),
            Self::Missing => write!(f, ", and their signatures are missing"),
        }
    }
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsaid => Ok(()),
            Self::Work => write!(f, "; what it did stays"),
            Self::WorkOf(revision) => write!(f, "; what revision {revision} did stays"),
            Self::Applied(revision) => write!(f, "; revision {revision} stays applied"),
            Self::Distrust => {
                write!(f, "; only the lane's people end a distrust, by withdrawing it, so it stays")
            }
        }
    }
}

/// The switch of a kind of recipes, as users know it.
fn switch(kind: ConsentKind) -> &'static str {
    match kind {
        ConsentKind::Hotfix | ConsentKind::Security => "updates",
        ConsentKind::Message => "messages",
        ConsentKind::Study => "studies",
    }
}
