//! Nothing is served, and nobody gets an answer, before the disk has it: watched on the real store and edition file.

use std::path::Path;
use std::sync::Arc;

use mulberry_shared::limits::Limits;
use mulberry_shared::operators::{GateState, ProblemKind};
use mulberry_shared::recipe::Lane;

use super::*;
use crate::clock::SetClock;
use crate::store::doubles::{Journal, Recording, RecordingEdition, WatchedDisk};
use crate::store::sled::SledStore;
use crate::test_support::{Proposal, actor, gate, initialised, path, start, usual_keys};

/// A server on a real folder, every step of whose writing is noted in the journal.
async fn open(folder: &Path) -> (Arc<Core>, Arc<Recording<SledStore>>, Arc<Journal>) {
    let journal = Arc::new(Journal::default());
    let seen = journal.clone();
    let sled = SledStore::open_with(&folder.join("ledger"), |disk| Box::new(WatchedDisk::new(disk, seen)));
    let store = Arc::new(Recording { inner: sled.unwrap(), journal: journal.clone() });
    let (mut ledger, state, _) = fold(store.clone(), &Limits::default()).await.unwrap();
    if state.is_none() {
        ledger.append(start(), &Actor::command("init"), initialised()).await.unwrap();
    }
    let editions = Arc::new(RecordingEdition::new(folder.join("edition.json"), journal.clone()));
    let clock = Arc::new(SetClock::at(start()));
    let core = Core::open(store.clone(), editions, usual_keys(), clock, Limits::default()).await.unwrap();
    let core = Arc::new(core);
    let watched = Arc::downgrade(&core);
    journal.watch(move || {
        let served = watched.upgrade().unwrap().served();
        format!("event {} is served", served.edition.ledger().sequence)
    });
    journal.take();
    (core, store, journal)
}

async fn publish(core: &Arc<Core>, revision: u64) -> Result<PublishResponse, Refusal> {
    let recipes = [("emergency/a.json", revision)];
    let proposal = Proposal::new(&core.served().state, Lane::Emergency, &recipes, &[]);
    core.publish(actor("mei"), Lane::Emergency, proposal.request()).await
}

fn order(before: u64) -> Vec<String> {
    let steps =
        ["append", "synced 0 large values", "flushed", "synced data", "appended", "stored the edition"];
    let mut order: Vec<String> =
        steps.iter().map(|step| format!("{step}, event {before} is served")).collect();
    order.push(format!("answered, event {} is served", before + 1));
    order
}

#[tokio::test]
async fn a_change_is_synced_before_it_is_served_and_served_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (core, _, journal) = open(folder.path()).await;
    publish(&core, 1).await.unwrap();
    journal.note("answered");
    assert_eq!(journal.take(), order(1));
    let request = gate(1, GateState::Open, Some(100));
    core.set_gate(actor("mei"), path("emergency/a.json"), request).await.unwrap();
    journal.note("answered");
    assert_eq!(journal.take(), order(2));
}

#[tokio::test]
async fn a_sync_that_fails_is_told_to_the_publisher_and_nothing_is_served() {
    for step in ["synced", "flushed", "synced data"] {
        let folder = tempfile::tempdir().unwrap();
        let (core, store, journal) = open(folder.path()).await;
        let before = core.served();
        journal.fail_at(Some(step));
        let refused = publish(&core, 1).await.unwrap_err();
        assert_eq!(refused.kind, ProblemKind::Unavailable, "{step}");
        journal.fail_at(None);
        let refused = publish(&core, 1).await.unwrap_err();
        assert_eq!(refused.kind, ProblemKind::Unavailable, "{step}: a disk that failed once is not believed");
        assert!(Arc::ptr_eq(&before, &core.served()), "{step}");
        assert!(!core.troubles().is_empty());
        drop(core);
        store.inner.close();

        // After a restart the event is there or not, and the chain holds either way.
        let (core, _, _) = open(folder.path()).await;
        assert!(core.served().state.head.sequence <= 2, "{step}");
        let revision =
            core.served().state.recipes().next().map_or(1, |(_, published)| published.recipe.revision + 1);
        publish(&core, revision).await.unwrap();
    }
}
