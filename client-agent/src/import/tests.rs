use std::collections::BTreeMap;

use mulberry_shared::enrolment::EnrolmentState;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::OnEnd;
use mulberry_shared::status::Status;

use super::*;
use crate::passes::Pass;
use crate::scene::{Scene, install, status};
use crate::state::State;

/// A week after the incident: what the server signed then has expired, what people signed has not.
const WEEK_AFTER: &str = "2019-05-13T12:00:00Z";

fn bundle(scene: &Scene) -> Bundle {
    Bundle::new(scene.origin.documents(), &Limits::default().bundle).unwrap()
}

fn everything() -> Waiver {
    Waiver::of(OnlineRole::ALL)
}

async fn import(scene: &Scene, bundle: &Bundle, waiver: &Waiver) -> Result<RunReport, ImportError> {
    let import = Import { bundle, file: "/stick/fix.mulberry", waiver };
    scene.agent(&scene.disk).import(import).await
}

/// What is on disk but the times at which runs were made.
fn without_times(scene: &Scene) -> (BTreeMap<String, Vec<u8>>, State) {
    let mut state = scene.state();
    (state.last_run, state.last_contact, state.last_full_pass) = (None, None, None);
    let mut files = scene.disk.files();
    files.remove("state.json");
    (files, state)
}

/// A client that saw the first edition, whose add-on broke, and that has no network any more; and the bundle of an edition
/// with the fix, signed on the day of the incident.
async fn cut_off() -> (Scene, Bundle) {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set("2019-05-04T12:00:00Z");
    scene.open(install("replace"));
    let bundle = bundle(&scene);
    scene.origin.set_down(true);
    (scene, bundle)
}

#[tokio::test]
async fn a_fresh_bundle_is_a_whole_run_without_any_origin() {
    let (scene, bundle) = cut_off().await;
    let report = import(&scene, &bundle, &Waiver::NONE).await.unwrap();
    assert_eq!(status(&report, "replace"), Status::Applied);
    assert!(scene.enabled("old.xpi"));
    assert!(!scene.hook.events().is_empty());
    assert_eq!((report.exit(), report.waived), (mulberry_shared::exit::Exit::Yes, None));
    assert_eq!(report.refresh.unwrap().origin, "/stick/fix.mulberry");
    let again = import(&scene, &bundle, &Waiver::NONE).await.unwrap();
    assert_eq!(status(&again, "replace"), Status::Unchanged);
}

#[tokio::test]
async fn an_expired_bundle_changes_nothing_until_its_expiry_is_waived_and_then_lasts() {
    let (mut scene, bundle) = cut_off().await;
    scene.clock.set(WEEK_AFTER);
    let before = scene.disk.files();
    let error = import(&scene, &bundle, &Waiver::NONE).await.unwrap_err();
    let sentence = error.to_string();
    for part in ["its timestamp expired at 2019-05-05T12:00:00Z", "--waive-expiry timestamp,snapshot,gates"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(scene.disk.files(), before);

    let report = import(&scene, &bundle, &everything()).await.unwrap();
    assert_eq!(status(&report, "replace"), Status::Applied);
    assert!(scene.enabled("old.xpi"));
    let waived = report.waived.unwrap();
    assert_eq!(waived.roles, ["timestamp", "snapshot", "gates"]);
    assert_eq!((waived.file.as_str(), waived.at), ("/stick/fix.mulberry", crate::scene::time(WEEK_AFTER)));
    assert_eq!(scene.state().waived, Some(waived.clone()));
    assert_eq!(scene.state().last_contact, Some(crate::scene::time("2019-05-03T12:00:00Z")));

    // The next runs reach nobody, days and years later. What was applied stays, and the waiver is told of.
    for later in ["2019-05-13T12:15:00Z", "2019-05-20T12:00:00Z", "2029-05-20T12:00:00Z"] {
        scene.clock.set(later);
        let report = scene.run().await;
        assert_eq!(status(&report, "replace"), Status::Unchanged, "{later}");
        assert_eq!(report.waived.as_ref(), Some(&waived));
        assert_eq!(scene.state().enrolments[0].state, EnrolmentState::Active);
    }
    // The network is back: the next poll goes on as ever.
    scene.origin.set_down(false);
    let report = scene.run_at("2019-05-21T12:00:00Z").await;
    assert_eq!(status(&report, "replace"), Status::Unchanged);
    assert_eq!((report.refresh.unwrap().outcome, report.waived), (RefreshOutcome::Current, None));
    assert_eq!(scene.state().waived, None);
    assert!(scene.enabled("old.xpi"));
    // The bundle is older now, waiver or not.
    let before = scene.disk.files();
    for waiver in [Waiver::NONE, everything()] {
        let error = import(&scene, &bundle, &waiver).await.unwrap_err();
        assert!(matches!(error, ImportError::Unfit(Unfit::Older(_))), "{error}");
    }
    assert_eq!(scene.disk.files(), before);
}

#[tokio::test]
async fn a_waived_edition_ends_what_its_gates_end_and_no_date_does() {
    let (mut scene, fix) = cut_off().await;
    let mut dated = install("dated");
    dated.on_end = OnEnd::Revert;
    dated.expires = crate::scene::time("2019-05-06T00:00:00Z");
    scene.open(dated);
    let with_dated = bundle(&scene);
    assert_ne!(with_dated, fix);
    let report = import(&scene, &with_dated, &Waiver::NONE).await.unwrap();
    assert_eq!(status(&report, "dated"), Status::Applied);

    // Its date has passed; but who says so proves nothing about today.
    scene.clock.set(WEEK_AFTER);
    let report = import(&scene, &with_dated, &everything()).await.unwrap();
    assert_eq!(status(&report, "dated"), Status::Unchanged);
    assert!(report.waived.is_some());

    // The server ended its gate, a day after the fix; that arrives by a bundle, a week late.
    scene.clock.set("2019-05-05T12:00:00Z");
    scene.end("replace");
    let ended = bundle(&scene);
    scene.clock.set(WEEK_AFTER);
    let report = import(&scene, &ended, &everything()).await.unwrap();
    assert_eq!(status(&report, "replace"), Status::Ended);
    assert!(scene.enabled("old.xpi"), "what it did stays");
}

#[tokio::test]
async fn a_bundle_that_does_not_verify_leaves_no_trace() {
    let (scene, bundle) = cut_off().await;
    let before = scene.disk.files();
    let fix = bundle.entries().keys().find(|path| path.contains("replace")).unwrap();
    for path in ["metadata/timestamp.json", fix] {
        for damage in [None, Some(0)] {
            let mut entries = bundle.entries().clone();
            match damage {
                None => drop(entries.remove(path)),
                Some(at) => entries.get_mut(path).unwrap()[at] ^= 1,
            }
            let changed = Bundle::new(entries, &Limits::default().bundle).unwrap();
            for waiver in [Waiver::NONE, everything()] {
                let error = import(&scene, &changed, &waiver).await.unwrap_err();
                assert!(matches!(error, ImportError::Unfit(Unfit::Refused(_))), "{path}: {error}");
            }
        }
    }
    assert_eq!(scene.disk.files(), before);
    assert_eq!(scene.state().last_run.unwrap().refresh.outcome, RefreshOutcome::Current);
}

#[tokio::test]
async fn importing_what_is_held_already_says_so_and_changes_nothing() {
    let scene = Scene::new();
    scene.run().await;
    let held = without_times(&scene);
    let report = import(&scene, &bundle(&scene), &everything()).await.unwrap();
    assert_eq!(report.refresh.unwrap().detail, "verified; nothing new");
    assert_eq!((report.waived, report.pass.kind), (None, Pass::NewAndChanged));
    assert_eq!(without_times(&scene), held);
}
