//! Whether what is shown goes on from what was seen: the questions to the origins, and what comes of them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::ledger::continuation::{self, Continuations, Unexplained};
use mulberry_shared::ledger::links::{self, Page, WitnessHead};
use mulberry_shared::ledger::witness::{Check, Verdict};
use mulberry_shared::limits::Limits;
use mulberry_shared::trust::{Reply, TrustState};

use super::{Continued, Rewritten, Unchecked, Witness};
use crate::ports::{Clock, Fetched, Transport};

/// A head that could not be checked is tried again after this, or when another one comes.
pub(super) const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// No origin is asked for more links after this in one run.
const LONGEST: Duration = Duration::from_secs(60);

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
                if shown.ledger == held.checked.ledger {
                    tracing::info!(%shown, why, "the ledger could not be checked; it is tried again later");
                } else {
                    tracing::warn!(%shown, why, "another ledger could not be checked; it is tried again later");
                }
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

    /// Another ledger: either people signed that it continues the one that was seen, or history was rewritten. The list of what
    /// people signed is signed by nobody as a whole. So that there is no word counts only of an origin that has the links of the new ledger
    /// and would have the word, too; one whose answer is no list has said nothing.
    async fn judge_other(&self, known: &[WitnessHead], shown: WitnessHead) -> Found {
        let mut unknown = "no origin was asked why".to_owned();
        let mut unexplained = None;
        for origin in &self.origins {
            let most = self.limits.ledger.continues_bytes as u64;
            let list = match origin.get(continuation::PATH, most).await.into() {
                Reply::Bytes(bytes) => {
                    Continuations::read(&bytes, self.limits).map_err(|error| error.to_string())
                }
                Reply::Absent => Ok(Continuations::default()),
                Reply::TooLong => Err("it is longer than any".to_owned()),
                Reply::Failed(why) => Err(why),
            };
            let list = match list {
                Ok(list) => list,
                Err(why) => {
                    unknown = format!("the origin's list of continuations would say why: {why}");
                    continue;
                }
            };
            match self.taken(&list, known) {
                Ok(continued) => return Found::Continued(continued),
                Err(Unexplained::Absent) if !self.has_links(*origin, &shown).await => {
                    unknown = "the origin has nothing of it that would say why".to_owned();
                }
                // Whoever was robbed of keys changed them for that: with them a thief of the server would explain a rewriting away. But
                // what was signed honestly looks the same once the keys have changed.
                Err(Unexplained::Refused(error)) => {
                    unknown = format!(
                        "the word of people that it continues the one seen is not signed by enough of those who hold keys of {} now \
                         (keys that were changed since count no more): {error}",
                        continuation::ROLE
                    );
                }
                Err(why) => unexplained = Some(why),
            }
        }
        Found::Of(match unexplained {
            Some(why) => Verdict::Rewritten(format!("another ledger is shown, {}: {why}", shown.ledger)),
            None => Verdict::Unknown(format!("another ledger is shown, {}, and {unknown}", shown.ledger)),
        })
    }

    async fn has_links(&self, origin: &dyn Transport, shown: &WitnessHead) -> bool {
        let most = self.limits.ledger.page_bytes as u64;
        let page = origin.get(&links::path(&shown.ledger, 0), most).await;
        matches!(page, Fetched::Bytes(bytes) if Page::read(&bytes, &shown.ledger, 0, self.limits).is_ok())
    }

    fn taken(&self, list: &Continuations, known: &[WitnessHead]) -> Result<Continued, Unexplained> {
        let root = self.trust.trusted().root();
        let one = list.explains(known, root, self.limits)?;
        let signing = one.signing(root, self.limits).map_err(Unexplained::Refused)?;
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
