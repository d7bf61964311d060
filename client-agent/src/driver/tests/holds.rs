//! What a hold keeps, and what it does not.

use mulberry_shared::status::Status;

use super::AFTER;
use crate::passes::Pass;
use crate::scene::{Fate, Scene, hold, install, status};

#[tokio::test]
async fn a_hold_suspends_the_periodic_pass_until_it_ends() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(hold("hold"));
    let report = scene.run().await;
    assert_eq!(status(&report, "hold"), Status::Applied);
    assert_eq!(report.pass.kind, Pass::NewAndChanged);
    assert!(report.pass.held_until.is_some());
    assert!(scene.enabled("old.xpi"), "overdue, and yet not judged");

    scene.open(install("replace"));
    assert_eq!(scene.run().await.pass.kind, Pass::RecipeAll);
    scene.end("hold");
    let report = scene.run().await;
    assert_eq!(status(&report, "hold"), Status::Reverted);
    assert_eq!((report.pass.kind, report.pass.held_until), (Pass::Periodic, None));
    assert!(scene.enabled("old.xpi"));
}

#[tokio::test]
async fn a_hold_whose_end_would_disable_add_ons_lasts_until_its_own_date() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(hold("hold"));
    scene.run().await;
    scene.end("hold");
    let report = scene.run().await;
    assert_eq!(status(&report, "hold"), Status::KeptWouldBreak);
    assert_eq!(report.pass.kind, Pass::NewAndChanged);
    assert!(
        scene.enabled("old.xpi"),
        "whoever has the server's keys can end a hold, and must break nothing by it"
    );

    let report = scene.run_at("2019-05-20T00:00:00Z").await;
    assert_eq!((report.pass.kind, scene.enabled("old.xpi")), (Pass::Periodic, false));
}

#[tokio::test]
async fn a_hold_withdrawn_together_with_its_cure_ends_one_run_later() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(hold("hold"));
    scene.run().await;
    scene.withdraw("hold");
    scene.open(install("replace"));
    let report = scene.run().await;
    assert_eq!(
        (status(&report, "hold"), status(&report, "replace")),
        (Status::KeptWouldBreak, Status::Applied)
    );
    assert!(scene.enabled("old.xpi"));
    assert_eq!(status(&scene.run().await, "hold"), Status::Reverted);
    assert!(scene.enabled("old.xpi"));
}

/// A clock may be ahead by as much as the edition at hand lives, and be believed.
#[tokio::test]
async fn what_a_wrong_clock_disabled_comes_back_during_a_hold_too() {
    let mut scene = Scene::new();
    let end = crate::scene::time("2019-05-20T12:00:00Z");
    scene.addons.put("later.xpi", "later", Fate::VerifiesUntil(end));
    scene.open(hold("hold"));
    scene.run().await;
    scene.run_at("2019-05-19T15:00:00Z").await;
    scene.clock.set("2019-05-20T14:00:00Z");
    let report = scene.run().await;
    assert_eq!((report.pass.kind, report.clock.vouched), (Pass::Periodic, true));
    assert!(!scene.enabled("later.xpi"));
    scene.clock.set("2019-05-19T16:00:00Z");
    let report = scene.run().await;
    assert_eq!(report.pass.kind, Pass::RecipeDisabled);
    assert!(report.pass.held_until.is_some());
    assert!(scene.enabled("later.xpi"));
    assert_eq!(scene.run().await.pass.kind, Pass::NewAndChanged, "once is enough");
}

#[tokio::test]
async fn an_add_on_nobody_judged_before_is_not_enabled_by_a_hold() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(hold("hold"));
    scene.addons.put("new.xpi", "new", Fate::Tampered);
    scene.addons.put("other.xpi", "other, changed", Fate::Tampered);
    scene.addons.put("fine.xpi", "fine", Fate::Fine);
    scene.addons.take_examined();
    scene.run().await;
    assert_eq!(scene.addons.take_examined(), 3, "only what is new or changed");
    assert!(!scene.enabled("new.xpi") && !scene.enabled("other.xpi"));
    assert!(scene.enabled("fine.xpi") && scene.enabled("old.xpi"));
    scene.addons.remove("new.xpi");
    scene.run().await;
    assert!(!scene.state().addons.contains_key("new.xpi"));
}
