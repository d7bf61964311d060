//! Clocks that are wrong, ends, and add-ons that nobody can read: nothing that works is disabled.

use std::collections::BTreeMap;

use mulberry_shared::recipe::{
    Action, DistrustCertificates, DistrustEntry, HoldVerification, OnEnd, ReverifyAddons,
};
use mulberry_shared::status::Status;

use super::{AFTER, LATER};
use crate::passes::Pass;
use crate::report::RunReport;
use crate::scene::{EXPIRY, Fate, Scene, hold, install, recipe, replacement, status, time};

const NEXT_DAY: &str = "2019-05-05T15:00:00Z";
const TEN_YEARS_AHEAD: &str = "2029-05-05T15:00:00Z";
const BEFORE_ALL: &str = "2010-01-01T00:00:00Z";

/// The expiry is past, and the replacement (undone at its end) keeps `old.xpi` alive.
async fn healed() -> Scene {
    let mut scene = Scene::new();
    let mut revert = install("replace");
    revert.on_end = OnEnd::Revert;
    scene.open(revert);
    scene.run().await;
    scene.run_at(AFTER).await;
    assert!(scene.enabled("old.xpi") && scene.enabled("other.xpi"));
    scene
}

/// What the host is told of each add-on: path to enabled.
fn shown(scene: &Scene) -> BTreeMap<String, bool> {
    scene.state().addons.iter().map(|(path, record)| (path.clone(), record.enabled())).collect()
}

fn detail(report: &RunReport, slug: &str) -> String {
    report.recipes.iter().find(|r| r.path.slug.as_str() == slug).unwrap().detail.clone()
}

fn distrust(slug: &str) -> mulberry_shared::recipe::Recipe {
    let by = vec![DistrustEntry::Spki(replacement().spki_sha256())];
    let mut recipe = recipe(slug, DistrustCertificates { by });
    recipe.on_end = OnEnd::Revert;
    recipe
}

#[tokio::test]
async fn no_clock_disables_what_works_whether_an_origin_answers_or_not() {
    for down in [false, true] {
        let mut scene = healed().await;
        let far = time("2025-01-01T00:00:00Z");
        scene.addons.put("later.xpi", "later", Fate::VerifiesUntil(far));
        scene.addons.put("tampered.xpi", "tampered", Fate::Tampered);
        scene.run_at(NEXT_DAY).await;
        let (before, last) = (shown(&scene), scene.state().last_full_pass);
        scene.origin.set_down(down);
        for wrong in [TEN_YEARS_AHEAD, BEFORE_ALL, TEN_YEARS_AHEAD, "2019-05-06T16:00:00Z"] {
            scene.clock.set(wrong);
            scene.addons.take_examined();
            let report = scene.run().await;
            assert_eq!((report.pass.kind, report.clock.vouched), (Pass::NewAndChanged, false), "{wrong}");
            assert_eq!(scene.addons.take_examined(), 0, "{wrong}: waiting costs nothing");
            assert_eq!((shown(&scene), scene.state().last_full_pass), (before.clone(), last), "{wrong}");
        }
        scene.origin.set_down(false);
        let report = scene.run_at("2019-05-06T16:00:00Z").await;
        assert_eq!((report.pass.kind, report.clock.vouched), (Pass::Periodic, true));
        assert_eq!(shown(&scene), before);
    }
}

#[tokio::test]
async fn a_pass_that_a_recipe_causes_disables_by_no_date_either() {
    let mut scene = healed().await;
    scene.addons.put("later.xpi", "later", Fate::VerifiesSince(time("2019-01-01T00:00:00Z")));
    scene.run().await;
    scene.clock.set(BEFORE_ALL);
    let all = mulberry_shared::recipe::WhichAddons::All;
    scene.clock.set(LATER);
    scene.open(recipe("reverify", ReverifyAddons { which: all }));
    scene.clock.set(BEFORE_ALL);
    let report = scene.run().await;
    assert_eq!((status(&report, "reverify"), report.pass.kind), (Status::Applied, Pass::RecipeAll));
    assert!(shown(&scene).values().all(|enabled| *enabled), "{:?}", shown(&scene));
}

#[tokio::test]
async fn what_is_new_under_a_doubted_clock_is_enabled_if_it_verifies_and_looked_at_again() {
    let mut scene = healed().await;
    scene.clock.set(BEFORE_ALL);
    scene.addons.put("fine.xpi", "fine", Fate::Fine);
    scene.addons.put("later.xpi", "later", Fate::VerifiesSince(time(EXPIRY)));
    scene.addons.put("other.xpi", "other, changed", Fate::Tampered);
    scene.run().await;
    let why = |scene: &Scene, path: &str| scene.state().addons[path].state.as_ref().unwrap().why.as_str();
    assert!(scene.enabled("fine.xpi"));
    assert_eq!(why(&scene, "later.xpi"), "not-verified-yet");
    assert_eq!(why(&scene, "other.xpi"), "not-verified", "no date is behind a modified file");
    scene.addons.take_examined();
    scene.run().await;
    assert_eq!(scene.addons.take_examined(), 0, "not again and again");
    // Seconds after the last pass, so that the next is far away.
    let report = scene.run_at("2019-05-04T13:01:00Z").await;
    assert_eq!((report.pass.kind, why(&scene, "later.xpi")), (Pass::NewAndChanged, "verified"));
    assert_eq!(scene.addons.take_examined(), 1);
}

#[tokio::test]
async fn a_distrust_reaches_a_client_whose_clock_is_wrong() {
    let mut scene = healed().await;
    scene.open(distrust("stolen"));
    scene.clock.set(BEFORE_ALL);
    let report = scene.run().await;
    assert_eq!((status(&report, "stolen"), report.clock.vouched), (Status::Applied, false));
    assert!(!scene.enabled("old.xpi") && scene.enabled("other.xpi"));
    // And a distrust that is taken back comes back without waiting, since that breaks nothing.
    scene.clock.set(AFTER);
    scene.withdraw("stolen");
    scene.clock.set(BEFORE_ALL);
    assert_eq!(status(&scene.run().await, "stolen"), Status::Reverted);
    assert!(scene.enabled("old.xpi"));
}

#[tokio::test]
async fn a_fix_reaches_a_client_whose_clock_is_behind() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.run_at(AFTER).await;
    assert!(!scene.enabled("old.xpi"));
    scene.open(install("replace"));
    scene.clock.set("2019-04-30T00:00:00Z");
    let report = scene.run().await;
    assert_eq!((status(&report, "replace"), report.clock.vouched), (Status::Applied, false));
    assert!(scene.enabled("old.xpi"));
    scene.run_at(AFTER).await;
    assert!(scene.enabled("old.xpi"));
}

#[tokio::test]
async fn ends_wait_for_a_clock_that_is_vouched_for() {
    for (end, wrong) in
        [("gate", "2019-05-01T00:00:00Z"), ("gate", TEN_YEARS_AHEAD), ("people", TEN_YEARS_AHEAD)]
    {
        let mut scene = healed().await;
        match end {
            "gate" => scene.end("replace"),
            _ => scene.withdraw("replace"),
        }
        let before = shown(&scene);
        scene.clock.set(wrong);
        let report = scene.run().await;
        // Nothing was found that its end would break: only the date is in doubt.
        assert_eq!(status(&report, "replace"), Status::Unchanged, "{end} {wrong}");
        // Ten years ahead what would end it has expired too, and ends nothing.
        let why = detail(&report, "replace");
        let waits = why.contains("its effects stay, and its end waits for the clock");
        assert!(waits || wrong == TEN_YEARS_AHEAD, "{end} {wrong}: {why}");
        assert_eq!((scene.state().enrolments.len(), shown(&scene)), (1, before.clone()));

        let report = scene.run_at(LATER).await;
        assert_eq!(status(&report, "replace"), Status::KeptWouldBreak, "{end} {wrong}");
        assert!(detail(&report, "replace").contains("old.xpi would be issuer-expired"));
        assert_eq!(shown(&scene), before);
        scene.addons.remove("old.xpi");
        assert_eq!(status(&scene.run().await, "replace"), Status::Reverted, "{end} {wrong}");
    }
}

#[tokio::test]
async fn an_install_that_expires_is_kept_while_it_is_needed() {
    let mut scene = healed().await;
    let report = scene.run_at("2019-06-02T00:00:00Z").await;
    assert_eq!(status(&report, "replace"), Status::KeptWouldBreak);
    assert!(scene.enabled("old.xpi"));
}

#[tokio::test]
async fn a_newer_revision_without_the_certificate_waits_for_the_clock_too() {
    let mut scene = healed().await;
    let mut next = distrust("replace");
    next.revision = 2;
    next.action = Action::HoldVerification(HoldVerification { until: time("2019-05-20T00:00:00Z") });
    next.consent = mulberry_shared::recipe::ConsentKind::Hotfix;
    scene.open(next);
    scene.clock.set("2019-05-01T00:00:00Z");
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::ApplyFailed);
    assert!(scene.enabled("old.xpi"));
    let report = scene.run_at(LATER).await;
    assert_eq!(status(&report, "replace"), Status::WouldBreakAddons);
}

#[tokio::test]
async fn a_newer_revision_without_the_certificate_waits_for_an_add_on_that_cannot_be_read_too() {
    let mut scene = healed().await;
    scene.addons.remove("old.xpi");
    scene.addons.set_fate("other.xpi", Fate::Unreadable);
    let mut next = hold("replace");
    next.revision = 2;
    scene.open(next);
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::ApplyFailed);
    let why = detail(&report, "replace");
    assert!(why.contains("other.xpi is enabled and cannot be read"), "{why}");
    scene.addons.set_fate("other.xpi", Fate::Fine);
    assert_eq!(status(&scene.run().await, "replace"), Status::Applied);
}

#[tokio::test]
async fn a_hold_counts_from_a_clock_that_is_vouched_for() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(hold("hold"));
    scene.clock.set(BEFORE_ALL);
    let report = scene.run().await;
    assert_eq!(status(&report, "hold"), Status::ApplyFailed);
    assert!(scene.enabled("old.xpi"), "and yet no pass ran");
    scene.clock.set(AFTER);
    let report = scene.run().await;
    assert_eq!((status(&report, "hold"), report.pass.kind), (Status::Applied, Pass::NewAndChanged));
    assert!(scene.enabled("old.xpi"));
}

#[tokio::test]
async fn an_end_waits_for_an_enabled_add_on_that_cannot_be_read_and_a_distrust_does_not() {
    let mut scene = healed().await;
    // Nobody was ever able to read it, so no decision hangs on it.
    scene.addons.put("never.xpi", "never", Fate::Unreadable);
    scene.addons.remove("old.xpi");
    scene.addons.set_fate("other.xpi", Fate::Unreadable);
    scene.end("replace");
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::KeptWouldBreak);
    let why = detail(&report, "replace");
    assert!(why.contains("other.xpi is enabled and cannot be read (input/output error)"), "{why}");
    scene.open(distrust("stolen"));
    assert_eq!(status(&scene.run().await, "stolen"), Status::Applied);
    scene.addons.set_fate("other.xpi", Fate::Fine);
    assert_eq!(status(&scene.run().await, "replace"), Status::Reverted);
    assert!(scene.enabled("other.xpi"));
}

#[tokio::test]
async fn a_folder_nobody_can_look_into_costs_only_what_is_in_it() {
    let mut scene = Scene::new();
    scene.addons.put("x/in.xpi", "in", Fate::Fine);
    scene.addons.put("x.xpi", "beside", Fate::Fine);
    scene.run().await;
    scene.addons.hide(Some("x"));
    let report = scene.run_at(AFTER).await;
    assert_eq!((report.pass.kind, report.pass.problem), (Pass::Periodic, None));
    assert_eq!(report.pass.disabled, ["old.xpi"], "what can be seen is judged as ever");
    let hidden = &scene.state().addons["x/in.xpi"];
    assert!(hidden.enabled());
    assert_eq!(hidden.unreadable.as_deref(), Some("permission denied"));

    let mut revert = install("replace");
    revert.on_end = OnEnd::Revert;
    scene.open(revert);
    assert_eq!(status(&scene.run().await, "replace"), Status::Applied);
    assert!(scene.enabled("old.xpi"));
    scene.addons.remove("old.xpi");
    scene.end("replace");
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::KeptWouldBreak);
    assert!(detail(&report, "replace").contains("x/in.xpi is enabled and cannot be read"));
    scene.addons.hide(None);
    assert_eq!(status(&scene.run().await, "replace"), Status::Reverted);
    assert!(scene.enabled("x/in.xpi") && scene.state().addons["x/in.xpi"].unreadable.is_none());
    scene.addons.remove("x/in.xpi");
    scene.run().await;
    assert!(!scene.state().addons.contains_key("x/in.xpi"), "gone is not hidden");
}

#[tokio::test]
async fn what_was_decided_outlives_a_time_in_which_nobody_could_read_it() {
    let mut scene = Scene::new();
    scene.addons.put("held.xpi", "held", Fate::Fine);
    scene.run().await;
    scene.open(hold("hold"));
    scene.run().await;
    scene.addons.set_fate("held.xpi", Fate::Unreadable);
    scene.addons.touch("held.xpi");
    scene.run().await;
    assert!(scene.enabled("held.xpi"), "another mode is no other content");

    // The file is another one, and nobody knows whether its content is.
    scene.addons.put("held.xpi", "held", Fate::Unreadable);
    for _ in 0..2 {
        scene.run().await;
        assert!(!scene.enabled("held.xpi"), "the host is told to run only what was read");
    }
    scene.addons.set_fate("held.xpi", Fate::Tampered);
    scene.run().await;
    assert!(scene.enabled("held.xpi"), "the very content that was enabled, and a hold");

    scene.addons.put("held.xpi", "exchanged", Fate::Unreadable);
    scene.run().await;
    scene.addons.set_fate("held.xpi", Fate::Tampered);
    scene.run().await;
    assert!(!scene.enabled("held.xpi"), "other content");
}
