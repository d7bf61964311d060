//! The heart of the promise: a run that applies, undoes or distrusts dies after each of its effects in turn, by a kill or
//! a power cut. What is there then is the old state or the new, and the next run arrives at the same end.

use std::collections::{BTreeMap, BTreeSet};

use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{DistrustCertificates, DistrustEntry, OnEnd};
use mulberry_shared::status::Status;

use super::{AFTER, LATER};
use crate::driver::load_trust;
use crate::ports::doubles::MemoryDisk;
use crate::scene::{Scene, enabled_on, install, recipe, replacement, status};
use crate::state::State;
use crate::store::trust;

type Files = BTreeMap<String, Vec<u8>>;

/// An agent on which the expiry has disabled an add-on, and the recipe that brings it back until it ends.
async fn hit() -> Scene {
    let mut scene = Scene::new();
    scene.run_at("2019-05-03T13:00:00Z").await;
    scene.run_at(AFTER).await;
    assert!(!scene.enabled("old.xpi"));
    let mut revert = install("replace");
    revert.on_end = OnEnd::Revert;
    scene.open(revert);
    scene
}

#[tokio::test]
async fn an_apply_that_dies_after_any_effect_leaves_the_old_or_the_new_and_the_next_run_converges() {
    let scene = hit().await;
    let covered = die_everywhere(&scene, "replace", Status::Applied).await;
    assert!(covered.effects > 40 && covered.crashes > 2 * covered.effects, "{covered:?}");
}

#[tokio::test]
async fn an_undo_that_dies_after_any_effect_leaves_the_old_or_the_new_and_the_next_run_converges() {
    let mut scene = hit().await;
    scene.run().await;
    assert!(scene.enabled("old.xpi"));
    // Nothing needs the certificate any more, so it may go.
    scene.addons.remove("old.xpi");
    scene.run_at(LATER).await;
    scene.end("replace");
    let covered = die_everywhere(&scene, "replace", Status::Reverted).await;
    assert!(covered.effects > 30 && covered.crashes > 2 * covered.effects, "{covered:?}");
}

#[tokio::test]
async fn a_distrust_that_dies_after_any_effect_leaves_the_old_or_the_new_and_the_next_run_converges() {
    let mut scene = hit().await;
    scene.run().await;
    let by = vec![DistrustEntry::Spki(replacement().spki_sha256())];
    scene.open(recipe("stolen", DistrustCertificates { by }));
    let covered = die_everywhere(&scene, "stolen", Status::Applied).await;
    assert!(covered.effects > 30 && covered.crashes > 2 * covered.effects, "{covered:?}");
}

/// How much was tried.
#[derive(Debug, Default)]
struct Covered {
    /// Effects of the run: it died after each, and before the first.
    effects: usize,
    /// Disks looked at after these deaths.
    crashes: usize,
    /// Different ones among them, from each of which a next run was made.
    next_runs: usize,
}

/// What the host sees on a disk.
fn shown(files: &Files) -> Files {
    let seen = |path: &str| path == "addons.json" || path.starts_with("certificates/");
    files.iter().filter(|(path, _)| seen(path)).map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
}

/// What must be the same in the end. How the last run went differs ("applied", then "unchanged"), and a leftover is
/// overwritten some day.
fn lasting(disk: &MemoryDisk) -> (Files, State) {
    let mut files = disk.files();
    files.remove("state.json");
    files.remove("tmp/next");
    let mut state = State::load(disk).unwrap();
    state.last_run = None;
    (files, state)
}

async fn die_everywhere(scene: &Scene, slug: &str, wanted: Status) -> Covered {
    let old = State::load(&scene.disk).unwrap();
    let old_trust = trust::load(&scene.disk).unwrap().files;
    let whole = scene.disk.copy();
    let report = scene.run_on(&whole).await.unwrap();
    assert_eq!(status(&report, slug), wanted);
    let new = State::load(&whole).unwrap();
    let new_trust = trust::load(&whole).unwrap().files;
    assert_ne!(old, new);
    assert_ne!(old_trust, new_trust);
    let (before, after_all, end) = (shown(&scene.disk.files()), shown(&whole.files()), lasting(&whole));
    assert_ne!(before, after_all);

    let mut covered = Covered { effects: whole.effects(), ..Covered::default() };
    let mut tried = BTreeSet::new();
    for n in 0..covered.effects {
        let disk = scene.disk.copy();
        disk.die_after(n);
        let told = scene.hook.events().len();
        assert!(scene.run_on(&disk).await.is_err(), "{n}: a dead process cannot succeed");
        let told_before_death = scene.hook.events().len() > told;
        for (crash, after) in disk.crashes() {
            covered.crashes += 1;
            let at = format!("{wanted:?}, {crash} after effect {n} of {}", covered.effects);
            let files = after.files();

            // A reader finds the old or the new, whole.
            let found = State::load(&after).unwrap_or_else(|error| panic!("{at}: {error}"));
            assert!(found == old || found == new, "{at}: neither the old state nor the new");
            let stored = trust::load(&after).unwrap_or_else(|error| panic!("{at}: {error}"));
            assert_eq!(stored.damaged, Vec::<String>::new(), "{at}");
            assert!(stored.files == old_trust || stored.files == new_trust, "{at}: a mixture of trust");
            assert!(found == old || stored.files == new_trust, "{at}: applied what is not trusted yet");
            load_trust(&after, &Limits::default()).unwrap_or_else(|error| panic!("{at}: {error}"));
            let host = shown(&files);
            assert!(found == new || host == before, "{at}: the host sees what was never committed");
            for (path, bytes) in &host {
                let known = [before.get(path), after_all.get(path)].contains(&Some(bytes));
                assert!(known, "{at}: {path} is neither old nor new");
            }
            // Certificates come before the add-ons that need them, and go after them.
            let certificate = host.keys().any(|path| path.starts_with("certificates/"));
            assert!(certificate || !enabled_on(&after, "old.xpi") || !host_needs(&host), "{at}");

            // The next run arrives where an undisturbed one does; from equal disks once. Whatever begun file lies in `tmp/`
            // is overwritten before anything reads it.
            let mut start = files;
            start.remove("tmp/next");
            if !tried.insert((start, told_before_death)) {
                continue;
            }
            covered.next_runs += 1;
            let told = scene.hook.events().len();
            scene.run_on(&after).await.unwrap_or_else(|error| panic!("{at}: {error}"));
            assert!(told_before_death || scene.hook.events().len() > told, "{at}: the host was not told");
            assert!(lasting(&after) == end, "{at}: the next run arrives elsewhere");
        }
    }
    println!("{wanted:?} of {slug}: {covered:?}");
    covered
}

/// Whether an add-on that needs the certificate is there at all.
fn host_needs(host: &Files) -> bool {
    String::from_utf8_lossy(&host["addons.json"]).contains("old.xpi")
}
