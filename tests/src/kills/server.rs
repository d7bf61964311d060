//! Kills of a server during publishes. One state folder all along; after each kill the server is started again, and a
//! client that remembers everything verifies it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use mulberry_server::ledger;
use mulberry_server::services::core::fold;
use mulberry_server::store::sled::SledStore;
use mulberry_shared::edition::Edition;
use mulberry_shared::operators::{LedgerHead, PublishRequest};
use mulberry_shared::recipe::{Action, RecipePath, ReverifyAddons, WhichAddons};
use serde::Serialize;

use super::aim::{median, moments, wait_until};
use super::publisher::{Answer, Publisher, failed, recipe, revision};
use super::{milliseconds, note, one_sided};
use crate::stage::{Stage, StageError};

/// Undisturbed publishes from which the window is measured.
const UNDISTURBED: usize = 15;

/// So many recipes take turns, each publish raising the revision of one.
const RECIPES: u64 = 8;

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    /// Kills.
    pub kills: usize,
    /// Median time of an undisturbed publish, from request to answer.
    pub window_ms: f64,
    /// Kills that fell inside that window.
    pub inside_window: usize,
    /// Kills before the publisher had an answer.
    pub before_answer: usize,
    /// Kills after it.
    pub after_answer: usize,
    /// Publishes that were not acknowledged and were there after the restart all the same, which is allowed.
    pub recorded_unanswered: usize,
    /// Publishes that were acknowledged, undisturbed ones too: each must be there.
    pub acknowledged: usize,
    /// Events in the ledger at the end.
    pub events: u64,
    /// Median time from the start of the process to its heartbeat.
    pub restart_median_ms: f64,
    /// The longest.
    pub restart_longest_ms: f64,
    /// What was lost or damaged.
    pub problems: Vec<String>,
}

/// What must be there.
struct Known {
    revisions: BTreeMap<String, u64>,
    head: LedgerHead,
    edition: u64,
    acknowledged: Vec<LedgerHead>,
}

/// Kills a server `kills` times. `progress` is told how many are done.
///
/// # Errors
/// When the stage fails: a server that does not start again is such a failure.
pub fn run(kills: usize, progress: &dyn Fn(usize)) -> Result<Figures, StageError> {
    let mut stage = Stage::new(None)?;
    stage.start_server()?;
    let mut publisher = Publisher::new(&stage)?;
    let first = publisher.refresh(&stage)?;
    let mut known = Known {
        revisions: BTreeMap::new(),
        head: head(&first),
        edition: first.number,
        acknowledged: Vec::new(),
    };
    let mut figures = Figures { kills, ..Figures::default() };

    let mut undisturbed = Vec::new();
    for n in 0..UNDISTURBED {
        let (slug, request) = next(&publisher, &known, n as u64, &stage)?;
        let started = Instant::now();
        let answer = publisher.publish(stage.operators(), &request)?;
        undisturbed.push(started.elapsed());
        let edition = publisher.refresh(&stage)?;
        settle(&mut known, &mut figures, &slug, &answer, &edition, &publisher);
    }
    let window = median(&undisturbed);
    figures.window_ms = milliseconds(window);

    let mut restarts = Vec::new();
    for (n, moment) in moments(window, kills).into_iter().enumerate() {
        let (slug, request) = next(&publisher, &known, n as u64, &stage)?;
        let answer = shoot(&mut stage, &publisher, &request, moment)?;
        figures.inside_window += usize::from(moment <= window);
        match answer {
            Answer::Acknowledged(_) => figures.after_answer += 1,
            Answer::Silence => figures.before_answer += 1,
        }
        let started = Instant::now();
        stage.start_server()?;
        publisher.wait_for_heartbeat(&stage)?;
        restarts.push(started.elapsed());
        match publisher.refresh(&stage) {
            Ok(edition) => settle(&mut known, &mut figures, &slug, &answer, &edition, &publisher),
            Err(error) => note(&mut figures.problems, format!("after kill {n}: {error}")),
        }
        progress(n + 1);
    }
    figures.restart_median_ms = milliseconds(median(&restarts));
    figures.restart_longest_ms = milliseconds(restarts.iter().max().copied().unwrap_or_default());
    figures.acknowledged = known.acknowledged.len();
    stage.stop_server()?;
    figures.events = check_chain(&stage, &known, &mut figures.problems)?;
    one_sided(&mut figures.problems, kills, figures.before_answer, figures.after_answer);
    Ok(figures)
}

/// The next publish: one recipe's revision raised.
fn next(
    publisher: &Publisher,
    known: &Known,
    n: u64,
    stage: &Stage,
) -> Result<(String, PublishRequest), StageError> {
    let slug = format!("kill-{}", n % RECIPES);
    let revision = known.revisions.get(&slug).map_or(1, |revision| revision + 1);
    let action = Action::ReverifyAddons(ReverifyAddons { which: WhichAddons::Disabled });
    let request = publisher.sign(&[recipe(&slug, revision, action, stage.now())?], &[], stage.now())?;
    Ok((slug, request))
}

/// Publishes, and kills the server at `moment` after the request was begun.
fn shoot(
    stage: &mut Stage,
    publisher: &Publisher,
    request: &PublishRequest,
    moment: Duration,
) -> Result<Answer, StageError> {
    let operators = stage.operators().to_owned();
    std::thread::scope(|scope| {
        let (begun, begins) = channel();
        let asking = scope.spawn(move || {
            // Nobody who waits for it goes away first.
            let _ = begun.send(Instant::now());
            publisher.publish(&operators, request)
        });
        let begun = begins.recv().map_err(failed)?;
        wait_until(begun + moment);
        stage.kill_server()?;
        asking.join().map_err(|_| StageError("the thread that publishes panicked".into()))?
    })
}

/// Compares what is served now with what must be there, and remembers it.
fn settle(
    known: &mut Known,
    figures: &mut Figures,
    slug: &str,
    answer: &Answer,
    edition: &Edition,
    publisher: &Publisher,
) {
    let mut lost = |what: String| note(&mut figures.problems, what);
    let wanted = known.revisions.get(slug).map_or(1, |revision| revision + 1);
    let found = |slug: &str| {
        let path: Option<RecipePath> = format!("emergency/{slug}.json").parse().ok();
        path.and_then(|path| revision(edition, &path, publisher.limits()))
    };
    let served = head(edition);
    if edition.number < known.edition {
        lost(format!("edition {} came after edition {}", edition.number, known.edition));
    }
    for (other, revision) in known.revisions.iter().filter(|(other, _)| *other != slug) {
        if found(other) != Some(*revision) {
            lost(format!("{other} revision {revision} is gone: {:?} is there", found(other)));
        }
    }
    let there = found(slug) == Some(wanted);
    match answer {
        Answer::Acknowledged(answered) => {
            if !there || served != answered.ledger {
                lost(format!("acknowledged and lost: {slug} revision {wanted}, event {:?}", answered.ledger));
            }
            known.acknowledged.push(answered.ledger);
        }
        Answer::Silence if there && served.sequence == known.head.sequence + 1 => {
            figures.recorded_unanswered += 1;
        }
        Answer::Silence if !there && served == known.head => {}
        Answer::Silence => {
            lost(format!("neither old nor new: event {} after {}", served.sequence, known.head.sequence));
        }
    }
    if there {
        known.revisions.insert(slug.to_owned(), wanted);
    }
    known.head = served;
    known.edition = known.edition.max(edition.number);
}

/// Checks the whole chain, and that every acknowledged event is in it; how many events there are.
fn check_chain(stage: &Stage, known: &Known, problems: &mut Vec<String>) -> Result<u64, StageError> {
    let store = Arc::new(SledStore::open(&stage.path("server/ledger")).map_err(failed)?);
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
    let folded = runtime.block_on(fold(store.clone(), &mulberry_shared::limits::Limits::default()));
    store.close();
    let heads = match folded {
        Ok((_, _, heads)) => heads,
        Err(error) => {
            note(problems, format!("the chain is broken: {error}"));
            return Ok(0);
        }
    };
    for acknowledged in &known.acknowledged {
        if let Err(error) = ledger::check_witness(*acknowledged, &heads) {
            note(problems, format!("an acknowledged event is not in the chain: {error}"));
        }
    }
    Ok(heads.len() as u64)
}

fn head(edition: &Edition) -> LedgerHead {
    edition.ledger.map_or(ledger::EMPTY, |head| LedgerHead { sequence: head.sequence, head: head.head })
}
