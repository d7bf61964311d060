//! The agent never makes things worse: ends, wrong clocks and bad add-ons, with real processes.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "never_worse/world.rs"]
mod world;

use mulberry_lab::stage::Said;
use serde_json::Value;
use world::{AFTER, Kind, World, hours_later};

const TEN_YEARS_AHEAD: &str = "2029-05-05T00:00:00Z";
const BEFORE_ALL: &str = "2012-01-01T00:00:00Z";

/// An agent whose add-ons of the expired intermediate live by an install that is undone at its end.
fn healed() -> World {
    let world = World::new(10);
    world.publish_install("install", "revert", "2019-06-01T00:00:00Z");
    world.once("a");
    assert_eq!(world.status("a", "install"), "applied");
    assert_eq!(world.disabled("a"), world.foreign());
    world
}

/// Nothing that worked is disabled, and no file was touched.
fn expect_unchanged(world: &World, said: &Value, before: &world::Snapshot) {
    assert_eq!(&world.snapshot("a"), before, "{said}");
}

#[test]
fn an_ended_gate_disables_nothing() {
    let world = healed();
    let before = world.snapshot("a");
    world.ctl(&["gate", "end", "install", "--reason", "over", "--yes"]);
    let said = world.once("a");
    assert_eq!(world.status("a", "install"), "kept-would-break");
    expect_unchanged(&world, &said, &before);
}

#[test]
fn a_withdrawal_disables_nothing() {
    let world = healed();
    let before = world.snapshot("a");
    world.withdraw("install");
    let said = world.once("a");
    assert_eq!(world.status("a", "install"), "kept-would-break");
    expect_unchanged(&world, &said, &before);
}

#[test]
fn an_expiry_disables_nothing() {
    let mut world = World::new(10);
    world.publish_install("install", "revert", &hours_later(1));
    world.once("a");
    let before = world.snapshot("a");
    world.restart_at(&hours_later(26));
    let said = world.once("a");
    assert_eq!(
        (world.status("a", "install").as_str(), &said["pass"]["kind"]),
        ("kept-would-break", &"periodic".into())
    );
    expect_unchanged(&world, &said, &before);
}

/// With the origin there and gone, with the install in place, ended and withdrawn; then back, when a pass is due.
fn clock_jump_disables_nothing(wrong: &str) {
    let mut world = healed();
    let before = world.snapshot("a");
    let jump = |world: &mut World, what: &str| {
        world.stage.set_clock(wrong.parse().unwrap());
        for arguments in [&["once"][..], &["once", "--origin", "http://127.0.0.1:9"]] {
            let said = world.agent("a", arguments);
            assert!(said.stdout.contains("Clock not vouched for: "), "{what}: {}", said.stdout);
            assert_eq!(world.snapshot("a"), before, "{what}");
        }
        let status = world.agent("a", &["status", "--json"]).json().unwrap();
        assert_eq!(status["clock"]["vouched"], false, "{status}");
    };
    jump(&mut world, "applied");
    world.stage.set_clock(AFTER.parse().unwrap());
    let said = world.once("a");
    assert_eq!(said["clock"]["vouched"], true);
    expect_unchanged(&world, &said, &before);

    // An agent that has seen the end under a right clock is not asked: the first to hear of it here is the wrong one.
    world.withdraw("install");
    jump(&mut world, "withdrawn");
    world.restart_at(&hours_later(26));
    let said = world.once("a");
    assert_eq!((&said["clock"]["vouched"], &said["pass"]["kind"]), (&true.into(), &"periodic".into()));
    assert_eq!(world.status("a", "install"), "kept-would-break");
    expect_unchanged(&world, &said, &before);
}

#[test]
fn a_clock_ten_years_ahead_and_back_disables_nothing() {
    clock_jump_disables_nothing(TEN_YEARS_AHEAD);
}

#[test]
fn a_clock_years_behind_and_back_disables_nothing() {
    clock_jump_disables_nothing(BEFORE_ALL);
}

/// The certificate that a recipe installed turns out to be wrong, and no add-on carries it: refusing it must be possible, and
/// then the install may go.
#[test]
fn an_installed_certificate_can_be_distrusted_and_its_install_withdrawn() {
    let world = healed();
    let healed = world.enabled("a");
    world.publish_distrust("wrong-one", "replacement", "issuer-and-serial");
    world.once("a");
    assert_eq!(world.status("a", "wrong-one"), "applied");
    let kept = world.enabled("a");
    assert!(kept.is_subset(&healed) && kept.len() < healed.len());
    for addon in healed.difference(&kept) {
        assert_eq!(world.verdict("a", addon), (false, "distrusted".into()));
    }
    world.withdraw("install");
    world.once("a");
    assert_eq!(world.status("a", "install"), "reverted");
    assert_eq!(world.enabled("a"), kept);
}

/// An add-on nobody can read, one with 200 junk certificates, one with too many, one that expired for another reason.
#[test]
fn bad_add_ons_stop_neither_the_fix_for_the_others_nor_a_distrust() {
    let mut world = World::unfixed(
        10,
        &[
            Kind::Hidden,
            Kind::Junk { name: "junk-expired.xpi", certificates: 200, stolen: false },
            Kind::Junk { name: "junk-stolen.xpi", certificates: 200, stolen: true },
            Kind::Junk { name: "flood.xpi", certificates: 400, stolen: true },
            Kind::Stolen,
            Kind::ExpiredLongAgo,
        ],
    );
    world.once("a");
    let hidden = world.hidden();
    let verdict = |world: &World, name: &str| world.verdict("a", name);
    assert_eq!(verdict(&world, &hidden), (true, "ok".into()));
    let files = world.files();

    // From now on nobody can read it, and the intermediate has expired.
    world.bury();
    world.restart_at(AFTER);
    let said = world.once("a");
    assert_eq!(said["pass"]["kind"], "periodic");
    assert!(!verdict(&world, "junk-expired.xpi").0);
    let healthy = world.enabled("a");

    world.publish_install("install", "revert", "2019-06-01T00:00:00Z");
    world.once("a");
    assert_eq!(world.status("a", "install"), "applied");
    let mut expected = world.healthy();
    expected.extend([
        hidden.clone(),
        "junk-expired.xpi".into(),
        "junk-stolen.xpi".into(),
        "stolen.xpi".into(),
    ]);
    assert_eq!(world.enabled("a"), expected);
    assert!(expected.is_superset(&healthy));
    assert_eq!(verdict(&world, "flood.xpi"), (false, "limit-exceeded".into()));
    assert_eq!(verdict(&world, "long-ago.xpi"), (false, "issuer-expired".into()));

    world.publish_distrust("stolen", "stolen", "key");
    world.once("a");
    assert_eq!(world.status("a", "stolen"), "applied");
    for stolen in ["stolen.xpi", "junk-stolen.xpi"] {
        assert_eq!(verdict(&world, stolen), (false, "distrusted".into()));
        expected.remove(stolen);
    }
    assert_eq!(world.enabled("a"), expected);

    // But what needs the fix may be the one that nobody can read.
    world.ctl(&["gate", "end", "install", "--reason", "over", "--yes"]);
    world.once("a");
    assert_eq!(world.status("a", "install"), "kept-would-break");
    let why: Said = world.agent("a", &["why", "install"]);
    assert!(why.stdout.contains("in.xpi is enabled and cannot be read"), "{}", why.stdout);
    assert_eq!(world.enabled("a"), expected);
    world.unbury();
    assert_eq!(world.files(), files);
}
