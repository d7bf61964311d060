//! Journeys of an agent in memory.

use mulberry_shared::exit::Exit;
use mulberry_shared::recipe::{
    Action, DistrustCertificates, DistrustEntry, OnEnd, ReverifyAddons, WhichAddons,
};
use mulberry_shared::status::Status;

use crate::passes::Pass;
use crate::scene::{Fate, Scene, anchor, hold, install, recipe, replacement, status};

mod crashes;
mod holds;
mod never_worse;
mod rereading;
mod stopping;

const AFTER: &str = "2019-05-04T13:00:00Z";
const LATER: &str = "2019-05-04T14:00:00Z";

#[tokio::test]
async fn the_incident_breaks_old_add_ons_and_the_replacement_heals_them() {
    let mut scene = Scene::new();
    let report = scene.run().await;
    assert_eq!((report.exit(), report.pass.kind), (Exit::Yes, Pass::Periodic));
    assert!(scene.enabled("old.xpi") && scene.enabled("other.xpi"));
    let report = scene.run_at(AFTER).await;
    assert_eq!(report.pass.disabled, ["old.xpi"]);
    assert!(!scene.enabled("old.xpi") && scene.enabled("other.xpi"));

    scene.open(install("replace"));
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::Applied);
    assert_eq!((report.pass.kind, &*report.pass.enabled), (Pass::RecipeAll, &["old.xpi".to_owned()][..]));
    assert!(scene.enabled("old.xpi"));
    let pem = &scene.disk.files()[&format!("certificates/{}.pem", replacement().sha256())];
    assert_eq!(pem, replacement().to_pem().as_bytes());
    let last = scene.hook.events().pop().unwrap();
    assert_eq!(last["changed"], serde_json::json!(["addons", "certificates"]));
    assert_eq!(last["addons"], "/state/addons.json");

    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::Unchanged);
    assert_eq!(report.hook, None);
}

#[tokio::test]
async fn a_recipe_that_would_break_an_add_on_is_left_out_alone() {
    let mut scene = Scene::new();
    scene.addons.put("fragile.xpi", "fragile", Fate::BrokenByReplacement);
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(install("replace"));
    scene.open(recipe("reverify", ReverifyAddons { which: WhichAddons::All }));
    scene.open(hold("hold"));
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::WouldBreakAddons);
    let detail = &report.recipes.iter().find(|r| r.path.slug.as_str() == "replace").unwrap().detail;
    assert!(detail.contains("fragile.xpi would be limit-exceeded"), "{detail}");
    assert_eq!(status(&report, "reverify"), Status::ApplyFailed, "a certificate action of this run failed");
    assert_eq!(status(&report, "hold"), Status::Applied);
    assert!(scene.enabled("fragile.xpi") && scene.enabled("old.xpi"));
    assert!(!scene.disk.files().keys().any(|path| path.starts_with("certificates/")));

    scene.addons.set_fate("fragile.xpi", Fate::Fine);
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::Applied, "every run tries again");
    assert_eq!(status(&report, "reverify"), Status::Applied);
}

#[tokio::test]
async fn verifying_the_disabled_again_enables_and_touches_nothing_else() {
    let mut scene = Scene::new();
    scene.addons.put("healed.xpi", "healed", Fate::Tampered);
    scene.run().await;
    assert!(!scene.enabled("healed.xpi"));
    scene.addons.set_fate("healed.xpi", Fate::Fine);
    scene.addons.set_fate("other.xpi", Fate::Tampered);
    scene.open(recipe("reverify", ReverifyAddons { which: WhichAddons::Disabled }));
    scene.addons.take_examined();
    let report = scene.run().await;
    assert_eq!((status(&report, "reverify"), report.pass.kind), (Status::Applied, Pass::RecipeDisabled));
    assert_eq!(scene.addons.take_examined(), 1);
    assert!(scene.enabled("healed.xpi") && scene.enabled("other.xpi"));

    scene.open(recipe("reverify-all", ReverifyAddons { which: WhichAddons::All }));
    scene.run().await;
    let kept = &scene.state().addons["other.xpi"];
    assert!(kept.enabled(), "a recipe's pass does not disable what was enabled with this content");
    assert_eq!(kept.state.as_ref().unwrap().why.as_str(), "kept-until-periodic-pass");
    scene.run_at(AFTER).await;
    assert!(!scene.enabled("other.xpi"));
}

#[tokio::test]
async fn distrust_breaks_what_it_names_and_an_anchor_cannot_be_named() {
    let mut scene = Scene::new();
    scene.open(install("replace"));
    scene.run().await;
    let by = |certificate: mulberry_shared::x509::Certificate| {
        Action::DistrustCertificates(DistrustCertificates {
            by: vec![DistrustEntry::Spki(certificate.spki_sha256())],
        })
    };
    scene.open(recipe("bad", by(anchor())));
    let report = scene.run().await;
    assert_eq!(status(&report, "bad"), Status::ApplyFailed);
    assert!(scene.enabled("old.xpi"));

    scene.withdraw("bad");
    scene.open(recipe("stolen", by(replacement())));
    let report = scene.run().await;
    assert_eq!(status(&report, "stolen"), Status::Applied);
    assert!(!scene.enabled("old.xpi") && scene.enabled("other.xpi"));
    assert!(
        !scene.disk.files().keys().any(|path| path.starts_with("certificates/")),
        "distrust beats install"
    );
}

#[tokio::test]
async fn a_certificate_that_does_not_chain_is_not_installed() {
    let mut scene = Scene::new();
    scene.clock.set("2014-01-01T00:00:00Z");
    scene.server = crate::scene::Server::new(crate::scene::time("2014-01-01T00:00:00Z"));
    scene.disk = Scene::new().disk;
    scene.open(install("replace"));
    let report = scene.run().await;
    let result = &report.recipes[0];
    assert_eq!(result.status, Status::ApplyFailed, "{result:?}");
    assert!(result.detail.contains("does not chain to an anchor"), "{}", result.detail);
}

#[tokio::test]
async fn an_undo_that_would_break_an_add_on_is_not_made() {
    let mut scene = Scene::new();
    let mut revert = install("replace");
    revert.on_end = OnEnd::Revert;
    scene.open(revert);
    scene.run().await;
    scene.clock.set(AFTER);
    scene.end("replace");
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::KeptWouldBreak);
    assert!(scene.enabled("old.xpi"));
    assert_eq!(scene.state().enrolments.len(), 1);

    scene.addons.remove("old.xpi");
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::Reverted);
    assert!(!scene.disk.files().keys().any(|path| path.starts_with("certificates/")));
}

#[tokio::test]
async fn an_unreadable_add_on_is_its_own_problem() {
    let mut scene = Scene::new();
    scene.addons.put("never.xpi", "never", Fate::Unreadable);
    scene.run().await;
    assert!(!scene.enabled("never.xpi"));
    scene.addons.set_fate("other.xpi", Fate::Unreadable);
    scene.run_at(AFTER).await;
    assert!(scene.enabled("other.xpi"), "a failing medium says nothing against the content judged before");
    scene.open(install("replace"));
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::Applied);
    assert!(scene.enabled("old.xpi"));
    scene.addons.put("other.xpi", "exchanged", Fate::Unreadable);
    scene.run().await;
    assert!(!scene.enabled("other.xpi"), "another file, and nothing is known of it");
}

#[tokio::test]
async fn a_folder_that_cannot_be_listed_changes_no_add_on_and_stops_no_hold() {
    let mut scene = Scene::new();
    scene.run().await;
    scene.clock.set(AFTER);
    scene.open(install("replace"));
    scene.open(hold("hold"));
    scene.addons.set_unlistable(true);
    let report = scene.run().await;
    assert_eq!(status(&report, "replace"), Status::ApplyFailed);
    assert_eq!(status(&report, "hold"), Status::Applied);
    assert!(report.pass.problem.is_some());
    assert_eq!(scene.state().pass_problem, report.pass.problem, "status tells it too");
    assert_eq!(scene.state().addons.len(), 2);
    assert!(scene.enabled("old.xpi"));
    scene.addons.set_unlistable(false);
    scene.run().await;
    assert_eq!(scene.state().pass_problem, None);
}

#[tokio::test]
async fn without_an_origin_the_last_edition_decides_and_the_periodic_pass_runs_while_it_is_fresh() {
    let mut scene = Scene::new();
    scene.open(install("replace"));
    scene.run().await;
    scene.clock.set("2019-05-04T11:00:00Z");
    scene.publish();
    scene.run().await;
    scene.origin.set_down(true);
    scene.clock.set(AFTER);
    let report = scene.run().await;
    assert_eq!((report.exit(), report.pass.kind), (Exit::Unreachable, Pass::Periodic));
    assert_eq!(status(&report, "replace"), Status::Unchanged);
    assert!(scene.enabled("old.xpi"));
    let contact = scene.state().last_contact;
    assert_eq!(contact, Some(crate::scene::time("2019-05-04T11:00:00Z")));
}

#[tokio::test]
async fn refused_metadata_changes_nothing_and_is_told() {
    let mut scene = Scene::new();
    scene.open(install("replace"));
    scene.run().await;
    let files = scene.disk.files();
    for bad in [&b"{}"[..], b"", b"{\"signed\":1,\"signed\":2}", &[0xff; 100]] {
        scene.origin.put("metadata/timestamp.json", bad);
        let report = scene.run().await;
        assert_eq!(report.exit(), Exit::TrustRefused);
        assert_eq!(status(&report, "replace"), Status::Unchanged);
        let changed: Vec<_> =
            scene.disk.files().into_iter().filter(|(path, now)| files.get(path) != Some(now)).collect();
        assert!(changed.iter().all(|(path, _)| path == "state.json"), "only how the run went");
    }
}

#[tokio::test]
async fn a_run_without_news_has_no_effect_on_the_disk() {
    let mut scene = Scene::new();
    scene.open(install("replace"));
    scene.run().await;
    scene.run().await;
    let effects = scene.disk.effects();
    scene.clock.set("2019-05-03T12:59:00Z");
    scene.run().await;
    assert_eq!(scene.disk.effects(), effects);
    scene.addons.take_examined();
    scene.run().await;
    assert_eq!(scene.addons.take_examined(), 0);
}

#[tokio::test]
async fn a_hook_that_fails_is_run_again() {
    let scene = Scene::new();
    scene.hook.set_fails(true);
    scene.run().await;
    scene.run().await;
    assert_eq!(scene.hook.events().len(), 2);
    scene.hook.set_fails(false);
    scene.run().await;
    scene.run().await;
    assert_eq!(scene.hook.events().len(), 3);
}

#[tokio::test]
async fn what_the_host_sees_is_restored_when_a_hand_changed_it() {
    use crate::ports::Disk;
    let mut scene = Scene::new();
    scene.open(install("replace"));
    scene.run().await;
    scene.run().await;
    let wanted = scene.disk.files();
    let extra = format!("certificates/{}.pem", mulberry_shared::digest::Sha256Digest::of(b"x"));
    scene.disk.write("addons.json", b"{}").unwrap();
    scene.disk.write(&extra, b"x").unwrap();
    scene.disk.write("certificates/notes.txt", b"not ours").unwrap();
    scene.run().await;
    let mut found = scene.disk.files();
    assert_eq!(found.remove("certificates/notes.txt").as_deref(), Some(&b"not ours"[..]));
    assert!(found == wanted, "{:?}", found.keys());
}
