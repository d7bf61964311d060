//! Runs that a signal ends early.

use mulberry_shared::exit::Exit;
use mulberry_shared::status::Status;

use super::{AFTER, LATER};
use crate::commands::Failure;
use crate::driver::RunError;
use crate::scene::{Scene, install, status, time};
use crate::stop::Stop;

/// All that is on the disk but trust, which is saved whole and decides nothing by itself.
fn decided(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    scene.disk.files().into_iter().filter(|(path, _)| !path.starts_with("trust/")).collect()
}

#[tokio::test]
async fn a_run_that_is_ended_between_add_ons_commits_nothing_and_the_next_one_starts_over() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.run_at(AFTER).await;
    scene.open(install("replace"));
    let before = decided(&scene);

    scene.addons.end_the_run_while_examining();
    let ended = scene.agent(&scene.disk).once().await.unwrap_err();
    assert!(matches!(ended, RunError::Stopped), "{ended}");
    assert_eq!(decided(&scene), before);
    assert_eq!(Failure::from(ended).exit, Exit::Stopped);

    scene.stop = Stop::new();
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::Applied);
    assert!(scene.enabled("old.xpi"));
}

#[tokio::test]
async fn a_run_that_is_ended_while_it_waits_for_an_origin_commits_nothing() {
    let scene = Scene::new();
    let before = scene.disk.files();
    scene.stop.cancel();
    let ended = scene.agent(&scene.disk).once().await.unwrap_err();
    assert!(matches!(ended, RunError::Stopped), "{ended}");
    assert_eq!(scene.disk.files(), before);
}

/// The commit is never cut off: what comes after it is told to the host as ever.
#[tokio::test]
async fn a_run_that_is_ended_after_its_commit_ends_as_it_would_have() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.hook.stop_meanwhile(scene.stop.clone());
    let report = scene.run_at(AFTER).await;
    assert_eq!(report.pass.disabled, ["old.xpi"]);
    assert!(!scene.enabled("old.xpi"));
    assert_eq!(scene.hook.events().len(), 2);
    scene.stop = Stop::new();
    let report = scene.run_at(LATER).await;
    assert_eq!((report.hook, scene.state().last_run.unwrap().at), (None, time(LATER)));
}
