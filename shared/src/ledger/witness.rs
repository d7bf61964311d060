//! Whether a ledger goes on from what was seen of it before. Sans-io: it names the pages it needs.
//!
//! Heads stand in signed timestamps; pages of links are signed by nobody. So a page proves something only where it leads to a
//! signed head: then its hashes are those of that history, and an earlier head that does not lie on it belongs to another one.
//! Pages that lead nowhere prove nothing against the server: an old mirror has them too.

use super::links::{self, Page, WitnessHead};
use crate::digest::Sha256Digest;
use crate::limits::Limits;
use crate::tuf::{Fetch, Reply};

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every known head lies on the way to the new one.
    Follows,
    /// The signed heads contradict each other: no one history has them all. The sentence says how.
    Rewritten(String),
    /// It cannot be told now. The sentence says why.
    Unknown(String),
}

/// One check in progress.
#[derive(Clone, Debug)]
pub struct Check {
    known: Vec<WitnessHead>,
    to: WitnessHead,
    limits: Limits,
    /// The page needed next, and the last one that is.
    next: u64,
    last: u64,
    /// The link at the end of the page before.
    reached: Option<Sha256Digest>,
    /// Those of the known heads that do not lie on the pages read so far.
    astray: Vec<WitnessHead>,
    verdict: Option<Verdict>,
}

impl Check {
    /// Asks whether `to` goes on from all `known` heads, which are of the same ledger.
    #[must_use]
    pub fn start(known: &[WitnessHead], to: WitnessHead, limits: &Limits) -> Self {
        let page = |sequence: u64| sequence.saturating_sub(1) / links::PAGE;
        let first = known.iter().map(|head| head.sequence).min().unwrap_or(to.sequence);
        let (next, last) = (page(first), page(to.sequence));
        let verdict = contradiction(known, &to).map(Verdict::Rewritten).or_else(|| {
            if known.iter().all(|head| *head == to) {
                return Some(Verdict::Follows);
            }
            let most = limits.ledger.pages;
            (last.saturating_sub(next) >= most).then(|| {
                let events = to.sequence.saturating_sub(first);
                Verdict::Unknown(format!("{events} events came since, more than are followed at once"))
            })
        });
        let (known, limits) = (known.to_vec(), limits.clone());
        Self { known, to, limits, next, last, reached: None, astray: Vec::new(), verdict }
    }

    /// The page needed next; `None` when there is a verdict.
    #[must_use]
    pub fn next(&self) -> Option<Fetch> {
        let max_bytes = self.limits.ledger.page_bytes as u64;
        let wanted = Fetch { path: links::path(&self.to.ledger, self.next), max_bytes };
        self.verdict.is_none().then_some(wanted)
    }

    /// Gives what came of the fetch that [`Self::next`] named.
    pub fn supply(&mut self, reply: Reply) {
        let path = links::path(&self.to.ledger, self.next);
        let unknown = |why: String| Some(Verdict::Unknown(format!("{path}: {why}")));
        let bytes = match reply {
            Reply::Bytes(bytes) => bytes,
            Reply::Absent => return self.verdict = unknown("the origin has no such file".to_owned()),
            Reply::TooLong => return self.verdict = unknown("it is longer than any page".to_owned()),
            Reply::Failed(why) => return self.verdict = unknown(why),
        };
        match Page::read(&bytes, &self.to.ledger, self.next, &self.limits) {
            Err(error) => self.verdict = unknown(error.to_string()),
            Ok(page) => {
                if let Err(why) = self.follow(&page) {
                    self.verdict = unknown(why.to_owned());
                }
            }
        }
    }

    /// What came of it.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        self.verdict.unwrap_or_else(|| Verdict::Unknown("the check was not finished".to_owned()))
    }

    fn follow(&mut self, page: &Page) -> Result<(), &'static str> {
        if self.reached.is_some_and(|reached| reached != page.before) {
            return Err("it does not go on from the page before it");
        }
        let mut arrived = None;
        for (sequence, link) in page.links() {
            let missed = |head: &&WitnessHead| head.sequence == sequence && head.link != link;
            self.astray.extend(self.known.iter().filter(missed));
            self.reached = Some(link);
            if sequence == self.to.sequence {
                arrived = Some(link);
                break;
            }
        }
        if self.next < self.last {
            if page.hashes.len() as u64 != links::PAGE {
                return Err("it ends too early");
            }
            self.next = self.next.saturating_add(1);
            return Ok(());
        }
        match arrived {
            None => Err("it ends before the signed head"),
            Some(link) if link != self.to.link => Err("it does not lead to the signed head"),
            Some(_) => {
                self.verdict = Some(match self.astray.first() {
                    None => Verdict::Follows,
                    Some(head) => Verdict::Rewritten(format!(
                        "event {} was seen with the link {}, and the history that leads to event {} has another one there",
                        head.sequence, head.link, self.to.sequence
                    )),
                });
                Ok(())
            }
        }
    }
}

/// What two signed heads say against each other without any page.
fn contradiction(known: &[WitnessHead], to: &WitnessHead) -> Option<String> {
    let head = known
        .iter()
        .find(|head| head.sequence > to.sequence || (head.sequence == to.sequence && head.link != to.link))?;
    let (seen, now) = (head.sequence, to.sequence);
    Some(if seen > now {
        format!("event {seen} was seen, and now the ledger ends with event {now}")
    } else {
        format!("event {seen} was seen with the link {}, and now it has the link {}", head.link, to.link)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::links::{Links, PAGE};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// A history of so many events, which is another one from event `fork` on.
    struct History {
        heads: Vec<WitnessHead>,
        pages: BTreeMap<String, Arc<[u8]>>,
    }

    impl History {
        fn new(events: u64, fork: u64) -> Self {
            let (mut links, mut heads) = (Links::default(), Vec::new());
            for n in 1..=events {
                let text = if n >= fork { format!("other {n}") } else { n.to_string() };
                links.push(Sha256Digest::of(text.as_bytes()));
                heads.extend(links.head());
            }
            let ledger = heads[0].ledger;
            let bytes = links.full().iter().cloned().chain(links.growing());
            let pages = (0..).zip(bytes).map(|(n, bytes)| (links::path(&ledger, n), bytes)).collect();
            Self { heads, pages }
        }

        fn at(&self, sequence: u64) -> WitnessHead {
            self.heads[sequence as usize - 1]
        }

        fn judge(&self, known: &[WitnessHead], to: WitnessHead) -> (Verdict, usize) {
            let mut check = Check::start(known, to, &Limits::default());
            let mut asked = 0;
            while let Some(fetch) = check.next() {
                asked += 1;
                let found = self.pages.get(&fetch.path);
                check.supply(found.map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.to_vec())));
            }
            (check.verdict(), asked)
        }
    }

    const NEVER: u64 = u64::MAX;

    #[test]
    fn a_history_that_goes_on_follows_however_far_and_asks_for_no_more_than_it_needs() {
        let long = History::new(3 * PAGE + 7, NEVER);
        let last = long.heads.len() as u64;
        for (from, to, pages) in [
            (1, 1, 0),
            (1, 2, 1),
            (PAGE - 1, PAGE, 1),
            (PAGE, PAGE + 1, 2),
            (PAGE + 1, PAGE + 2, 1),
            (1, 3 * PAGE, 3),
            (5, last, 4),
            (last - 1, last, 1),
        ] {
            let judged = long.judge(&[long.at(from)], long.at(to));
            assert_eq!(judged, (Verdict::Follows, pages), "{from} to {to}");
        }
        assert_eq!(long.judge(&[long.at(2), long.at(300)], long.at(600)), (Verdict::Follows, 3));
    }

    #[test]
    fn another_history_is_told_whether_shorter_as_long_or_longer() {
        let seen = History::new(400, NEVER);
        for fork in [2, 255, 256, 257, 300, 390] {
            let other = History::new(700, fork);
            for (from, to) in [(390, 700), (390, 391), (300, 700)] {
                let (verdict, _) = other.judge(&[seen.at(from)], other.at(to));
                let rewritten = matches!(verdict, Verdict::Rewritten(_));
                assert_eq!(rewritten, from >= fork, "fork {fork}, {from} to {to}: {verdict:?}");
            }
            let (same, asked) = other.judge(&[seen.at(395)], other.at(395));
            assert!(
                matches!(same, Verdict::Rewritten(why) if why.contains("now it has the link")) && asked == 0
            );
        }
        let (shorter, asked) = seen.judge(&[seen.at(300)], seen.at(299));
        assert!(
            matches!(shorter, Verdict::Rewritten(why) if why.contains("now the ledger ends")) && asked == 0
        );
        // One of several is enough.
        let other = History::new(500, 350);
        let known = [seen.at(340), seen.at(360)];
        assert!(matches!(other.judge(&known, other.at(500)).0, Verdict::Rewritten(_)));
    }

    /// Documents that nobody signed are no evidence against the server.
    #[test]
    fn pages_that_are_missing_old_or_of_another_history_prove_nothing() {
        let (seen, other) = (History::new(600, NEVER), History::new(600, 100));
        let unknown = |history: &History, from: u64, to: WitnessHead| {
            let (verdict, _) = history.judge(&[seen.at(from)], to);
            assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
        };
        unknown(&other, 300, seen.at(600));
        unknown(&History::new(599, NEVER), 300, seen.at(600));
        unknown(&History::new(1, NEVER), 300, seen.at(600));
        let mut mixed = History::new(600, NEVER);
        let first = links::path(&seen.at(1).ledger, 1);
        mixed.pages.insert(first.clone(), other.pages[&first].clone());
        unknown(&mixed, 10, seen.at(600));
        mixed.pages.insert(first, Arc::from(b"{}".as_slice()));
        unknown(&mixed, 10, seen.at(600));
        let far = WitnessHead { sequence: 10_000_000, ..seen.at(600) };
        assert_eq!(seen.judge(&[seen.at(1)], far).1, 0);
        unknown(&seen, 1, far);
    }

    #[test]
    fn too_long_and_unreachable_pages_prove_nothing() {
        let seen = History::new(3, NEVER);
        for reply in [Reply::TooLong, Reply::Failed("timed out".into()), Reply::Absent] {
            let mut check = Check::start(&[seen.at(1)], seen.at(3), &Limits::default());
            check.supply(reply);
            assert_eq!(check.next(), None);
            assert!(matches!(check.verdict(), Verdict::Unknown(_)));
        }
    }
}
