//! The agent as a witness of the server's ledger.
//!
//! Each verified timestamp names the head of the ledger. The agent remembers the one up to which it has followed the links, and
//! checks of each new one that it goes on from there, and from every head that was shown meanwhile and could not be checked. A
//! history that does not is reported, and remembered until a person acknowledges it; it never keeps a fix from being applied, since
//! people's signatures decide that. Links that cannot be fetched are no alarm: the check is made later, from the same heads on.

use std::fmt;

use jiff::Timestamp;
use mulberry_shared::answer::plain;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::links::WitnessHead;
use serde::{Deserialize, Serialize};

pub mod judge;
pub mod waiting;

pub use judge::Means;
pub use waiting::Waiting;

/// What the agent remembers of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The head up to which the ledger was followed.
    pub checked: WitnessHead,
    /// The last head that was shown, where it could not be told yet whether it goes on from there. [`Waiting`] has those before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unchecked: Option<Unchecked>,
    /// Set once the history was found rewritten, until a person acknowledges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewritten: Option<Rewritten>,
    /// The lost ledger that this one continues, as people signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continued: Option<Continued>,
}

/// People said that the ledger goes on from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continued {
    /// When the agent took it, by its clock.
    pub at: Timestamp,
    /// What was seen of the lost ledger.
    pub seen: WitnessHead,
    /// Where people say that it ended.
    pub ended: WitnessHead,
    /// Why, in their words.
    pub reason: String,
    /// Who signed it.
    pub signed_by: Vec<String>,
}

/// A head that could not be checked yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unchecked {
    /// The head.
    pub head: WitnessHead,
    /// Since when there is one that could not be checked.
    pub since: Timestamp,
    /// When it was last tried.
    pub tried: Timestamp,
    /// Why it could not be.
    pub why: String,
}

/// The ledger's history is another one than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewritten {
    /// When that was found, by the agent's clock.
    pub at: Timestamp,
    /// The origin that gave the edition.
    pub origin: String,
    /// What was seen before.
    pub seen: WitnessHead,
    /// What is shown now.
    pub shown: WitnessHead,
    /// A sentence.
    pub detail: String,
}

impl Witness {
    /// Nothing was seen before: what is shown first is believed.
    #[must_use]
    pub fn first(head: WitnessHead) -> Self {
        Self { checked: head, unchecked: None, rewritten: None, continued: None }
    }

    /// Whether only people can settle it: the history was rewritten, or another ledger is shown and nothing says why.
    #[must_use]
    pub fn asks_for_people(&self) -> bool {
        let another = |unchecked: &Unchecked| unchecked.head.ledger != self.checked.ledger;
        self.rewritten.is_some() || self.unchecked.as_ref().is_some_and(another)
    }

    /// Takes what is shown, a rewritten history or what could not be checked, as the one to go on from, if it is the one that is named.
    ///
    /// # Errors
    /// A sentence: there is none, or another one.
    pub fn acknowledge(&mut self, sequence: u64, link: Sha256Digest) -> Result<(), String> {
        let rewritten = self.rewritten.as_ref().map(|rewritten| rewritten.shown);
        let Some(shown) = rewritten.or(self.unchecked.as_ref().map(|unchecked| unchecked.head)) else {
            return Err(
                "no rewritten history is remembered and none that could not be checked, so there is nothing to acknowledge"
                    .to_owned(),
            );
        };
        if (shown.sequence, shown.link) != (sequence, link) {
            return Err(format!(
                "the history that is shown now ends with {shown}; look at status again, and acknowledge that"
            ));
        }
        *self = Self::first(shown);
        Ok(())
    }
}

impl fmt::Display for Witness {
    /// For people: what was seen, in the form that `--witness` takes, and what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Ledger followed to: {}", self.checked)?;
        if let Some(Unchecked { head, since, why, .. }) = &self.unchecked {
            writeln!(f, "Ledger not checked since {since:.0}: it is now at {head}; {}", plain(why))?;
            if self.asks_for_people() {
                writeln!(
                    f,
                    "  Ask those who run the server. When it is explained: mulberry-agent acknowledge {head}"
                )?;
            }
        }
        if let Some(Continued { at, ended, reason, signed_by, .. }) = &self.continued {
            let (reason, people) = (plain(reason), plain(&signed_by.join(", ")));
            writeln!(
                f,
                "Ledger continues a lost one, taken at {at:.0}: that ended with {ended}; signed by {people}: {reason}"
            )?;
        }
        let Some(Rewritten { at, origin, seen, shown, detail }) = &self.rewritten else { return Ok(()) };
        let (origin, detail) = (plain(origin), plain(detail));
        writeln!(f, "WARNING: the ledger's history was rewritten, found at {at:.0} at {origin}: {detail}")?;
        writeln!(f, "  seen before: {seen}")?;
        writeln!(f, "  shown now:   {shown}")?;
        writeln!(
            f,
            "  What is applied is still what people signed. Ask those who run the server, and tell them what was seen before. When\n  \
             it is explained: mulberry-agent acknowledge {shown}"
        )
    }
}

#[cfg(test)]
mod tests;
