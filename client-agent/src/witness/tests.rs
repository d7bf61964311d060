use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::SignedDuration;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::edition::{Refresh, TrustState};
use mulberry_shared::ledger::continuation;
use mulberry_shared::ledger::links::{self, Links};
use mulberry_shared::limits::Limits;
use mulberry_shared::tuf::metadata::LedgerHead;
use mulberry_shared::tuf::{Next, Reply};

use super::judge::AGAIN;
use super::*;
use crate::ports::doubles::{MemoryOrigin, SetClock};
use crate::ports::{Fetched, Transport};
use crate::scene::server::Server;

mod another_ledger;
mod withheld;

/// Serves links, and remembers what it was asked for.
#[derive(Default)]
struct Pages {
    files: Mutex<BTreeMap<String, Arc<[u8]>>>,
    /// What it answers without looking.
    answers: Mutex<BTreeMap<String, Fetched>>,
    asked: Mutex<Vec<String>>,
    fails: Mutex<bool>,
}

impl Pages {
    /// The pages of `links` and nothing else.
    fn serve(&self, links: &Links) {
        let ledger = links.head().unwrap().ledger;
        let mut files = self.files.lock().unwrap();
        files.clear();
        let pages = links.full().iter().cloned().chain(links.growing());
        files.extend((0..).zip(pages).map(|(n, page)| (links::path(&ledger, n), page)));
    }

    fn clear(&self) {
        self.files.lock().unwrap().clear();
    }

    /// What people say of a lost ledger.
    fn say(&self, list: &[u8]) {
        self.files.lock().unwrap().insert(continuation::PATH.into(), list.into());
    }

    fn answer(&self, path: &str, answer: Fetched) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }
}

#[async_trait]
impl Transport for Pages {
    async fn get(&self, path: &str, _: u64) -> Fetched {
        self.asked.lock().unwrap().push(path.to_owned());
        if *self.fails.lock().unwrap() {
            return Fetched::Failed("timed out".into());
        }
        if let Some(answer) = self.answers.lock().unwrap().get(path) {
            return answer.clone();
        }
        let found = self.files.lock().unwrap().get(path).map(|bytes| bytes.to_vec());
        found.map_or(Fetched::Absent, Fetched::Bytes)
    }

    fn origin(&self) -> &str {
        "pages:"
    }
}

/// A history of so many events, another one from `fork` on. From the first event on it is another ledger.
fn history(events: u64, fork: u64) -> Links {
    telling(events, |n| if n >= fork { format!("other {n}") } else { n.to_string() })
}

fn telling(events: u64, of: impl Fn(u64) -> String) -> Links {
    let mut links = Links::default();
    for n in 1..=events {
        let text = of(n);
        links.push(Sha256Digest::of(text.as_bytes()));
    }
    links
}

struct Stage {
    server: Server,
    trust: TrustState,
    pages: Pages,
    /// A second origin.
    other: Option<Pages>,
    witness: Option<Witness>,
    waiting: Waiting,
    limits: Limits,
    now: Timestamp,
}

impl Stage {
    fn new() -> Self {
        let now: Timestamp = "2019-05-04T00:00:00Z".parse().unwrap();
        let server = Server::new(now);
        let trust = TrustState::pinned(server.root(), &Limits::default()).unwrap();
        Self {
            server,
            trust,
            pages: Pages::default(),
            other: None,
            witness: None,
            waiting: Waiting::default(),
            limits: Limits::default(),
            now,
        }
    }

    /// The server's ledger is `links` now; its pages are served, too, if `serves`.
    fn show(&mut self, links: &Links, serves: bool) {
        let head = links.head().unwrap();
        let origin = MemoryOrigin::default();
        self.server.ledger = Some(LedgerHead {
            sequence: head.sequence,
            head: head.link,
            link: Some(head.link),
            id: Some(head.ledger),
        });
        self.server.publish(&origin, &[], &[], br#"{"gates":{},"schema_version":1}"#, self.now);
        let files = origin.documents();
        let mut refresh = Refresh::start(self.trust.clone(), self.now, &Limits::default());
        while let Next::Fetch(fetch) = refresh.next() {
            refresh.supply(files.get(&fetch.path).map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.clone())));
        }
        self.trust = refresh.finish().0;
        match serves {
            true => self.pages.serve(links),
            false => self.pages.clear(),
        }
    }

    /// One run: what it asked for.
    async fn run(&mut self) -> Vec<String> {
        let clock = SetClock::at(&self.now.to_string());
        let origins = [Some(&self.pages), self.other.as_ref()];
        let means = Means {
            origins: origins.into_iter().flatten().map(|pages| pages as &dyn Transport).collect(),
            trust: &self.trust,
            now: self.now,
            clock: &clock,
            client_id: "a",
            limits: &self.limits,
        };
        means.observe(&mut self.witness, &mut self.waiting).await;
        std::mem::take(&mut self.pages.asked.lock().unwrap())
    }

    fn witness(&self) -> &Witness {
        self.witness.as_ref().unwrap()
    }

    fn why_unchecked(&self) -> &str {
        let witness = self.witness();
        assert_eq!(witness.rewritten, None);
        &witness.unchecked.as_ref().unwrap().why
    }
}

const NEVER: u64 = u64::MAX;

#[tokio::test]
async fn the_first_head_is_believed_and_each_later_one_must_go_on_from_there() {
    let mut stage = Stage::new();
    assert_eq!(stage.run().await, Vec::<String>::new());
    assert_eq!(stage.witness, None, "a server of earlier times names no link");
    stage.show(&history(3, NEVER), true);
    assert_eq!(stage.run().await, Vec::<String>::new());
    assert_eq!(stage.witness().checked.sequence, 3);
    assert_eq!(stage.run().await, Vec::<String>::new(), "nothing new costs nothing");
    stage.show(&history(300, NEVER), true);
    assert_eq!(stage.run().await.len(), 2);
    assert_eq!(*stage.witness(), Witness::first(history(300, NEVER).head().unwrap()));
}

#[tokio::test]
async fn a_rewritten_history_stays_reported_until_it_is_acknowledged() {
    for (events, fork) in [(300, 200), (250, 200), (200, NEVER)] {
        let mut stage = Stage::new();
        stage.show(&history(250, NEVER), true);
        stage.run().await;
        let other = history(events, fork);
        stage.show(&other, true);
        stage.run().await;
        let found = stage.witness().rewritten.clone().unwrap();
        assert_eq!((found.seen.sequence, found.shown), (250, other.head().unwrap()));
        assert!(stage.witness().to_string().contains(&format!("mulberry-agent acknowledge {}", found.shown)));
        // Back to what was seen first: it stays, and nobody is asked any more.
        let back = history(251, NEVER);
        stage.show(&back, true);
        assert_eq!(stage.run().await, Vec::<String>::new());
        let shown = stage.witness().rewritten.as_ref().unwrap().shown;
        assert_eq!(shown, back.head().unwrap());
        let mut witness = stage.witness().clone();
        let (old, kept) = (found.shown, witness.clone());
        assert!(witness.acknowledge(old.sequence, old.link).unwrap_err().contains("acknowledge that"));
        assert_eq!(witness, kept);
        witness.acknowledge(shown.sequence, shown.link).unwrap();
        assert_eq!(witness, Witness::first(shown));
        assert!(witness.acknowledge(1, shown.link).unwrap_err().contains("nothing to acknowledge"));
    }
}

#[tokio::test]
async fn links_that_are_not_there_are_no_alarm_and_are_asked_for_again_after_an_hour_or_with_news() {
    let mut stage = Stage::new();
    stage.show(&history(3, NEVER), true);
    stage.run().await;
    stage.show(&history(4, NEVER), false);
    assert_eq!(stage.run().await.len(), 1);
    assert_eq!(stage.run().await.len(), 0, "not at every poll");
    let since = stage.now;
    stage.now += SignedDuration::from_mins(30);
    stage.show(&history(5, NEVER), false);
    assert_eq!(stage.run().await.len(), 1, "another head");
    stage.now += AGAIN;
    *stage.pages.fails.lock().unwrap() = true;
    assert_eq!(stage.run().await.len(), 1, "an hour later");
    let unchecked = stage.witness().unchecked.clone().unwrap();
    assert_eq!((unchecked.since, unchecked.head.sequence, stage.witness().checked.sequence), (since, 5, 3));
    assert!(stage.witness().rewritten.is_none() && unchecked.why.contains("timed out"));
    // They come, but of another history than the head that could not be checked.
    *stage.pages.fails.lock().unwrap() = false;
    stage.show(&history(6, 5), true);
    stage.run().await;
    assert_eq!(stage.witness().rewritten.as_ref().unwrap().seen.sequence, 3);
    stage.witness = Some(Witness::first(history(3, NEVER).head().unwrap()));
    stage.run().await;
    assert_eq!(
        *stage.witness(),
        Witness::first(history(6, 5).head().unwrap()),
        "that head alone was another"
    );
}

#[tokio::test]
async fn another_ledger_without_a_word_of_people_is_a_rewritten_history_once_the_origin_can_be_asked() {
    let mut stage = Stage::new();
    stage.show(&history(3, NEVER), true);
    stage.run().await;
    stage.show(&history(9, 1), true);
    *stage.pages.fails.lock().unwrap() = true;
    assert_eq!(stage.run().await, [continuation::PATH]);
    assert!(stage.witness().rewritten.is_none() && stage.witness().unchecked.is_some());
    *stage.pages.fails.lock().unwrap() = false;
    // A mirror that copies nothing of the ledger.
    stage.show(&history(10, 1), false);
    assert_eq!(stage.run().await.len(), 1);
    assert!(stage.witness().unchecked.as_ref().unwrap().why.contains("it has none"));
    stage.show(&history(11, 1), true);
    stage.pages.say(&stage.server.continuation(&[], stage.now));
    stage.run().await;
    let detail = &stage.witness().rewritten.as_ref().unwrap().detail;
    assert!(detail.contains("another ledger") && detail.contains("no continuation"), "{detail}");
}

#[tokio::test]
async fn another_ledger_that_people_signed_for_is_taken() {
    let mut stage = Stage::new();
    let (old, new) = (history(3, NEVER), history(9, 1));
    stage.show(&old, true);
    stage.run().await;
    stage.show(&new, true);
    let list = stage.server.continuation(&[old.head().unwrap()], stage.now);
    stage.pages.say(&list);
    stage.run().await;
    let witness = stage.witness();
    assert_eq!((witness.checked, &witness.rewritten), (new.head().unwrap(), &None));
    assert_eq!(witness.continued.as_ref().unwrap().ended, old.head().unwrap());
    // The same word does not do for a third ledger.
    stage.show(&history(9, 2), true);
    stage.pages.say(&list);
    stage.run().await;
    assert!(stage.witness().rewritten.is_some());
    let kept = serde_json::to_string(stage.witness()).unwrap();
    assert_eq!(serde_json::from_str::<Witness>(&kept).unwrap(), *stage.witness());
}
