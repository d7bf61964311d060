//! The agent as a witness of the server's ledger.
//!
//! Each verified timestamp names the head of the ledger. The agent remembers the one up to which it has followed the links, and
//! checks of each new one that it goes on from there. A history that does not is reported, and remembered until a person
//! acknowledges it; it never keeps a fix from being applied, since people's signatures decide that. Links that cannot be
//! fetched are no alarm: the check is made later, from the same head on.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::answer::plain;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::ledger::continuation::{self, Continuations};
use mulberry_shared::ledger::links::{self, Page, WitnessHead};
use mulberry_shared::ledger::witness::{Check, Verdict};
use mulberry_shared::limits::Limits;
use mulberry_shared::trust::{Root, TrustState};
use serde::{Deserialize, Serialize};

use crate::ports::{Clock, Fetched, Transport};

/// A head that could not be checked is tried again after this, or when another one comes.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// No origin is asked for more links after this in one run.
const LONGEST: Duration = Duration::from_secs(60);

/// What the agent remembers of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// The head up to which the ledger was followed.
    pub checked: WitnessHead,
    /// A later head, where it could not be told yet whether it goes on from there.
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

    /// Takes a rewritten history as the one to go on from, if it is the one that `shown` names.
    ///
    /// # Errors
    /// A sentence: there is none, or another one.
    pub fn acknowledge(&mut self, sequence: u64, link: Sha256Digest) -> Result<(), String> {
        let Some(rewritten) = &self.rewritten else {
            return Err("no rewritten history is remembered, so there is nothing to acknowledge".to_owned());
        };
        let shown = rewritten.shown;
        if (shown.sequence, shown.link) != (sequence, link) {
            return Err(format!(
                "the history that is shown now ends with {shown}; look at status again, and acknowledge that"
            ));
        }
        *self = Self::first(shown);
        Ok(())
    }
}

/// What a check came to.
enum Found {
    /// The ledger's own links.
    Of(Verdict),
    /// Another ledger, which people say continues the one that was seen.
    Continued(Continued),
}

/// With what a check is made.
pub struct Means<'a> {
    /// Who is asked, in this order, for links, and only where they are needed; the first gave the edition.
    pub origins: Vec<&'a dyn Transport>,
    /// The trust that was verified.
    pub trust: &'a TrustState,
    /// The one instant of the run.
    pub now: Timestamp,
    /// For measuring how long it takes.
    pub clock: &'a dyn Clock,
    /// Ceilings.
    pub limits: &'a Limits,
}

impl Means<'_> {
    /// Looks at the head that the timestamp held now names.
    pub async fn observe(&self, witness: &mut Option<Witness>) {
        let named = self.trust.trusted().timestamp().and_then(|timestamp| timestamp.ledger);
        let Some(shown) = named.and_then(|ledger| ledger.witness()) else { return };
        let Some(held) = witness else {
            *witness = Some(Witness::first(shown));
            return;
        };
        if let Some(rewritten) = &mut held.rewritten {
            rewritten.shown = shown;
            return;
        }
        let waits = held.unchecked.as_ref().is_some_and(|unchecked| {
            unchecked.head == shown && self.now.duration_since(unchecked.tried).abs() < AGAIN
        });
        if waits || (held.unchecked.is_none() && held.checked == shown) {
            return;
        }
        let known = match &held.unchecked {
            // One of another ledger is compared with nothing yet.
            Some(unchecked) if unchecked.head.ledger == held.checked.ledger => {
                vec![held.checked, unchecked.head]
            }
            _ => vec![held.checked],
        };
        match self.judge(&known, shown).await {
            Found::Of(Verdict::Follows) => {
                *held = Witness { continued: held.continued.take(), ..Witness::first(shown) }
            }
            Found::Of(Verdict::Rewritten(detail)) => {
                tracing::error!(
                    seen = %held.checked, %shown, detail,
                    "THE LEDGER'S HISTORY WAS REWRITTEN: what is applied is still what people signed; tell those who run the server"
                );
                let origin =
                    self.origins.first().map_or_else(String::new, |origin| origin.origin().to_owned());
                held.unchecked = None;
                held.rewritten = Some(Rewritten { at: self.now, origin, seen: held.checked, shown, detail });
            }
            Found::Of(Verdict::Unknown(why)) => {
                tracing::info!(%shown, why, "the ledger could not be checked; it is tried again later");
                let since = held.unchecked.as_ref().map_or(self.now, |unchecked| unchecked.since);
                held.unchecked = Some(Unchecked { head: shown, since, tried: self.now, why });
            }
            Found::Continued(continued) => {
                tracing::warn!(ended = %continued.ended, reason = continued.reason, "the ledger continues a lost one, as people signed");
                *held = Witness { continued: Some(continued), ..Witness::first(shown) };
            }
        }
    }

    async fn judge(&self, known: &[WitnessHead], shown: WitnessHead) -> Found {
        if known.iter().any(|head| head.ledger != shown.ledger) {
            return self.judge_other(known, shown).await;
        }
        let at_once = Check::start(known, shown, self.limits);
        if at_once.next().is_none() {
            return Found::Of(at_once.verdict());
        }
        let started = self.clock.steady();
        let mut verdict = Verdict::Unknown("no origin was asked for it".to_owned());
        for origin in &self.origins {
            let mut check = Check::start(known, shown, self.limits);
            while let Some(fetch) = check.next() {
                if self.clock.steady().saturating_sub(started) >= LONGEST {
                    let seconds = LONGEST.as_secs();
                    check
                        .supply(Fetched::Failed(format!("not asked for: the check took {seconds} s")).into());
                    continue;
                }
                check.supply(origin.get(&fetch.path, fetch.max_bytes).await.into());
            }
            verdict = check.verdict();
            if !matches!(verdict, Verdict::Unknown(_)) {
                break;
            }
        }
        Found::Of(verdict)
    }

    /// Another ledger: either people signed that it continues the one that was seen, or history was rewritten. Only an origin that
    /// answers can tell.
    async fn judge_other(&self, known: &[WitnessHead], shown: WitnessHead) -> Found {
        let mut unknown = "another ledger is shown, and no origin was asked why".to_owned();
        let mut unexplained = None;
        for origin in &self.origins {
            let most = self.limits.ledger.continues_bytes as u64;
            let list = match origin.get(continuation::PATH, most).await {
                Fetched::Bytes(bytes) => {
                    Continuations::read(&bytes, self.limits).map_err(|error| error.to_string())
                }
                // A mirror without anything of the ledger says nothing by having no word of people either.
                Fetched::Absent if !self.has_links(*origin, &shown).await => {
                    unknown = "another ledger is shown, and the origin has nothing of it that would say why"
                        .to_owned();
                    continue;
                }
                Fetched::Absent => Ok(Continuations::default()),
                Fetched::TooLong => Err("the list of continuations is too long".to_owned()),
                Fetched::NotModified => Err("the origin answered a question it was not asked".to_owned()),
                Fetched::Failed(why) => {
                    unknown = format!("another ledger is shown, and the origin cannot be asked why: {why}");
                    continue;
                }
            };
            let root = self.trust.trusted().root();
            match list.and_then(|list| self.taken(&list, known, root)) {
                Ok(continued) => return Found::Continued(continued),
                Err(why) => unexplained = Some(why),
            }
        }
        Found::Of(match unexplained {
            Some(why) => Verdict::Rewritten(format!("another ledger is shown, {}: {why}", shown.ledger)),
            None => Verdict::Unknown(unknown),
        })
    }

    async fn has_links(&self, origin: &dyn Transport, shown: &WitnessHead) -> bool {
        let most = self.limits.ledger.page_bytes as u64;
        let page = origin.get(&links::path(&shown.ledger, 0), most).await;
        matches!(page, Fetched::Bytes(bytes) if Page::read(&bytes, &shown.ledger, 0, self.limits).is_ok())
    }

    fn taken(&self, list: &Continuations, known: &[WitnessHead], root: &Root) -> Result<Continued, String> {
        let one = list.explains(known, root, self.limits)?;
        let signing = one.signing(root, self.limits).map_err(|error| error.to_string())?;
        let seen = known.last().copied().unwrap_or(one.statement.previous);
        Ok(Continued {
            at: self.now,
            seen,
            ended: one.statement.previous,
            reason: one.statement.reason.clone(),
            signed_by: signing.signed.into_iter().map(|key| key.holder).collect(),
        })
    }
}

impl fmt::Display for Witness {
    /// For people: what was seen, in the form that `--witness` takes, and what is wrong.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Ledger followed to: {}", self.checked)?;
        if let Some(Unchecked { head, since, why, .. }) = &self.unchecked {
            writeln!(f, "Ledger not checked since {since:.0}: it is now at {head}; {}", plain(why))?;
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
