//! Whose expiry a person may let not count.
//!
//! Everything expires, and what has expired is refused. One exception has a name: whoever hands a bundle to a client may
//! say that the expiry of what the *server* signs does not count, for that one refresh and the decision after it. What
//! people signed cannot be named here, and neither signatures nor rollback floors ask this module anything.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A role that the server signs: the only ones whose expiry can be waived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnlineRole {
    /// The timestamp.
    Timestamp,
    /// The snapshot.
    Snapshot,
    /// The gates.
    Gates,
}

impl OnlineRole {
    /// All of them, in TUF's order.
    pub const ALL: [Self; 3] = [Self::Timestamp, Self::Snapshot, Self::Gates];

    /// The role's name in metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Gates => "gates",
        }
    }
}

impl fmt::Display for OnlineRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is no role whose expiry can be waived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the expiry of {0:?} cannot be waived; only that of timestamp, snapshot and gates can, which the server signs"
)]
pub struct NotWaivable(String);

impl FromStr for OnlineRole {
    type Err = NotWaivable;

    fn from_str(text: &str) -> Result<Self, NotWaivable> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| NotWaivable(text.to_owned()))
    }
}

/// Roles whose expiry does not count, by a person's choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiver(BTreeSet<OnlineRole>);

impl Waiver {
    /// Every expiry counts: what everybody wants who does not hold a bundle in their hand.
    pub const NONE: Self = Self(BTreeSet::new());

    /// The expiry of these does not count.
    #[must_use]
    pub fn of(roles: impl IntoIterator<Item = OnlineRole>) -> Self {
        Self(roles.into_iter().collect())
    }

    /// Whether the expiry of the role of this name does not count.
    #[must_use]
    pub fn covers(&self, role: &str) -> bool {
        self.0.iter().any(|waived| waived.as_str() == role)
    }

    /// The names of the roles whose expiry does not count.
    pub(super) fn roles(&self) -> BTreeSet<&'static str> {
        self.0.iter().map(|role| role.as_str()).collect()
    }

    /// Whether every expiry counts.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_signs_can_be_named() {
        for role in OnlineRole::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        for role in ["root", "targets", "emergency", "routine", "", "Gates", "gates "] {
            assert!(role.parse::<OnlineRole>().is_err(), "{role}");
            assert!(!Waiver::of(OnlineRole::ALL).covers(role), "{role}");
        }
        assert!(OnlineRole::ALL.into_iter().all(|role| !Waiver::NONE.covers(role.as_str())));
    }
}
