//! Whether what is shown goes on from what was seen: the questions to the origins, and what comes of them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::edition::TrustState;
use mulberry_shared::ledger::continuation::{self, Continuations, Unexplained};
use mulberry_shared::ledger::links::{self, Page, WitnessHead};
use mulberry_shared::ledger::witness::{Check, Verdict};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::Reply;

use super::{Continued, Rewritten, Unchecked, Waiting, Witness};
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

/// What was seen of a ledger that is not the one shown, and what origins say of it.
struct Other {
    heads: Vec<WitnessHead>,
    continued: Option<Continued>,
    unexplained: Option<Unexplained>,
}

impl Other {
    /// One for each ledger, in the order in which they were seen.
    fn each(known: &[WitnessHead]) -> Vec<Self> {
        let mut others: Vec<Self> = Vec::new();
        for head in known {
            let same = |other: &&mut Self| other.heads.iter().any(|seen| seen.ledger == head.ledger);
            match others.iter_mut().find(same) {
                Some(other) => other.heads.push(*head),
                None => others.push(Self { heads: vec![*head], continued: None, unexplained: None }),
            }
        }
        others
    }
}

/// With what a check is made.
pub struct Means<'a> {
    /// Who is asked, in this order, for links, and only where they are needed; the first gave the edition.
    pub origins: Vec<&'a dyn Transport>,
    /// The trust that was verified.
    pub trust: &'a TrustState,
    /// The client's id, by which it draws which heads it keeps.
    pub client_id: &'a str,
    /// The one instant of the run.
    pub now: Timestamp,
    /// For measuring how long it takes.
    pub clock: &'a dyn Clock,
    /// Ceilings.
    pub limits: &'a Limits,
}

impl Means<'_> {
    /// Looks at the head that the timestamp held now names. What could not be compared before is in `waiting`.
    pub async fn observe(&self, witness: &mut Option<Witness>, waiting: &mut Waiting) {
        let named = self.trust.trusted().timestamp().and_then(|timestamp| timestamp.ledger);
        let Some(shown) = named.and_then(|ledger| ledger.witness()) else { return };
        let Some(held) = witness else {
            *witness = Some(Witness::first(shown));
            return;
        };
        match &held.unchecked {
            // An agent that does not keep them may have worked here meanwhile: what it settled is settled, and it knows one head.
            None => waiting.clear(),
            Some(unchecked) => self.keep(waiting, unchecked.head),
        }
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
        let known = [&[held.checked], waiting.heads()].concat();
        let found = self.judge(&known, shown).await;
        match &found {
            Found::Of(Verdict::Unknown(_)) => self.keep(waiting, shown),
            _ => waiting.clear(),
        }
        match found {
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
                if known.iter().all(|head| head.ledger == shown.ledger) {
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

    fn keep(&self, waiting: &mut Waiting, head: WitnessHead) {
        waiting.keep(head, self.client_id, self.limits.ledger.waiting_heads);
    }

    /// Whether one history has all `known` heads and then the one that is shown: those of its own ledger by the links, each other
    /// ledger by the word of people.
    async fn judge(&self, known: &[WitnessHead], shown: WitnessHead) -> Found {
        let (own, others): (Vec<_>, Vec<_>) = known.iter().partition(|head| head.ledger == shown.ledger);
        // Heads that contradict each other by themselves need no word and no page.
        if let proven @ Verdict::Rewritten(_) = Check::start(&own, shown, self.limits).verdict() {
            return Found::Of(proven);
        }
        let word = match others.is_empty() {
            true => None,
            false => match self.judge_others(&others, shown).await {
                Found::Continued(word) => Some(word),
                found => return found,
            },
        };
        match (word, self.judge_links(&own, shown).await) {
            (Some(word), Verdict::Follows) => Found::Continued(word),
            (_, verdict) => Found::Of(verdict),
        }
    }

    async fn judge_links(&self, known: &[WitnessHead], shown: WitnessHead) -> Verdict {
        let at_once = Check::start(known, shown, self.limits);
        if at_once.next().is_none() {
            return at_once.verdict();
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
        verdict
    }

    /// Heads of other ledgers: either people signed that each of these was lost and went on, or history was rewritten. The list of what
    /// people signed is signed by nobody as a whole. So that there is no word counts only of an origin that has the links of the ledger
    /// shown and would have the word, too; one whose answer is no list has said nothing.
    async fn judge_others(&self, known: &[WitnessHead], shown: WitnessHead) -> Found {
        let mut unknown = "no origin was asked why".to_owned();
        let mut others = Other::each(known);
        for origin in &self.origins {
            if others.iter().all(|other| other.continued.is_some()) {
                break;
            }
            let list = match self.list(*origin).await {
                Ok(list) => list,
                Err(why) => {
                    unknown = format!("the origin's list of continuations would say why: {why}");
                    continue;
                }
            };
            let mut has_links = None;
            for other in others.iter_mut().filter(|other| other.continued.is_none()) {
                match self.taken(&list, &other.heads) {
                    Ok(continued) => other.continued = Some(continued),
                    // Whoever was robbed of keys changed them for that: with them a thief of the server would explain a rewriting
                    // away. But what was signed honestly looks the same once the keys have changed.
                    Err(Unexplained::Refused(error)) => {
                        unknown = format!(
                            "the word of people that it continues the one seen is not signed by enough of those who hold keys of \
                             {} now (keys that were changed since count no more): {error}",
                            continuation::ROLE
                        );
                    }
                    Err(why @ Unexplained::Contradicts { .. }) => other.unexplained = Some(why),
                    Err(why @ Unexplained::Absent) => {
                        let has_links = match has_links {
                            Some(has_links) => has_links,
                            None => *has_links.insert(self.has_links(*origin, &shown).await),
                        };
                        match has_links {
                            true => other.unexplained = Some(why),
                            false => unknown = "the origin has nothing of it that would say why".to_owned(),
                        }
                    }
                }
            }
        }
        let told = |other: &Other, why: String| {
            let seen = other.heads.first().unwrap_or(&shown).ledger;
            format!("another ledger is shown, {}, than {seen} that was seen: {why}", shown.ledger)
        };
        let left = || others.iter().filter(|other| other.continued.is_none());
        let proven = left().find_map(|other| Some(told(other, other.unexplained.as_ref()?.to_string())));
        match (proven, left().next(), others.last().and_then(|other| other.continued.clone())) {
            (Some(sentence), ..) => Found::Of(Verdict::Rewritten(sentence)),
            (None, None, Some(continued)) => Found::Continued(continued),
            (None, Some(other), _) => Found::Of(Verdict::Unknown(told(other, unknown))),
            (None, None, None) => Found::Of(Verdict::Unknown(unknown)),
        }
    }

    async fn list(&self, origin: &dyn Transport) -> Result<Continuations, String> {
        let most = self.limits.ledger.continues_bytes as u64;
        match origin.get(continuation::PATH, most).await.into() {
            Reply::Bytes(bytes) => {
                Continuations::read(&bytes, self.limits).map_err(|error| error.to_string())
            }
            // A mirror that leaves it out has not said that people signed nothing.
            Reply::Absent => Err("it has none; a complete copy of a server has".to_owned()),
            Reply::TooLong => Err("it is longer than any".to_owned()),
            Reply::Failed(why) => Err(why),
        }
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
