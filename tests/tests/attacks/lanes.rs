//! Attacks on what is Mulberry's own above TUF: lanes, gates, floors.

use mulberry_lab::forge;
use mulberry_shared::recipe::{Lane, published};
use mulberry_shared::tuf::Signer;
use mulberry_shared::tuf::metadata::{Delegation, Delegations};
use mulberry_shared::tuf::threshold::RoleKeys;

use super::scene::{CHORE, EVIL, REPAIR, Victim, evil, evil_bytes, good, seen};

#[test]
fn a_lane_listing_another_lanes_path() {
    // Two people of the routine lane, and the gates: they may not speak for emergencies, nor for the gates.
    let mut forge = seen();
    let paths =
        [EVIL, "gates.json", "routine/../emergency/evil.json", "/emergency/evil.json", "routine/EVIL.json"];
    for path in paths {
        forge.add(Lane::Routine, path, &evil_bytes(EVIL)).unwrap();
    }
    let mut repair = good(REPAIR);
    repair.revision = 2;
    forge.add(Lane::Routine, REPAIR, &published::write(&repair)).unwrap();
    forge.add_open(&good("routine/more.json")).unwrap();
    forge.open(&EVIL.parse().unwrap(), 1);
    forge.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    met.ends(
        3,
        "refused",
        &["the routine lane lists it, and may list routine/<slug>.json only", "and 3 more"],
    );
    met.knows_no(EVIL).recipe(REPAIR, "unchanged", "");
    // The lane is heard on its own recipes.
    met.recipe("routine/more.json", "applied", "");
    assert!(!met.asked.iter().any(|path| path.contains("evil") || path.contains("EVIL")), "{:?}", met.asked);
    assert_eq!(victim.held().enrolled(), [REPAIR, CHORE, "routine/more.json"]);

    // One slug in both lanes: the emergency's stands.
    let mut forge = seen();
    forge.add_open(&evil("routine/repair.json")).unwrap();
    forge.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    met.ends(3, "refused", &["routine/repair.json: its slug is also that of emergency/repair.json"]);
    met.recipe(REPAIR, "unchanged", "");
    victim.is_unharmed(&["files", "gates.json", "routine.json", "snapshot.json", "timestamp.json"]);
    victim.takes_honest_news(&seen());
}

#[test]
fn an_empty_routine_lane_served_as_the_emergency_lane() {
    // People once named the emergency's keys for the routine lane too, and published an empty routine lane. It does not say
    // which lane it is, so the thief of the online keys could serve it as the emergency lane: all withdrawn.
    let mut people = seen();
    people.redelegate(&[("routine", &[21, 22, 23])]).unwrap();
    let routine = people.lane(Lane::Routine);
    routine.version = 9;
    routine.targets.clear();
    people.put_lane(Lane::Routine).unwrap();
    people.publish().unwrap();
    let mut thief = people.clone();
    let (version, bytes) = people.listed["routine"].clone();
    thief.put_role("emergency", version, bytes);
    thief.publish().unwrap();
    for forge in [people.clone(), thief] {
        let victim = Victim::new();
        let met = victim.meets(&forge);
        met.ends(
            3,
            "refused",
            &["targets: the roles emergency and routine share the ed25519 key", "keys of its own"],
        );
        met.recipe(REPAIR, "unchanged", "").recipe(CHORE, "unchanged", "");
        victim.is_unharmed(&["snapshot.json", "timestamp.json"]);
        let mut honest = seen();
        honest.targets.version = people.targets.version;
        honest.redelegate(&[]).unwrap();
        victim.takes_honest_news(&honest);
    }
}

#[test]
fn gates_metadata_listing_a_recipe() {
    let mut forge = seen();
    forge.online += 1;
    forge.open(&EVIL.parse().unwrap(), 1);
    forge.put_gates(&[(EVIL, &evil_bytes(EVIL))]).unwrap();
    forge.publish_snapshot().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    met.ends(
        3,
        "refused",
        &["gates: it lists emergency/evil.json; the online key may speak for gates.json only"],
    );
    met.knows_no(EVIL).recipe(REPAIR, "unchanged", "");
    assert!(!met.asked.iter().any(|path| path.contains("evil")), "{:?}", met.asked);
    victim.is_unharmed(&["snapshot.json", "timestamp.json"]).takes_honest_news(&seen());
}

#[test]
fn an_older_lane_after_snapshot_key_rotation() {
    let old = seen();
    let mut newer = old.clone();
    newer.add_open(&good("emergency/more.json")).unwrap();
    newer.redelegate(&[("routine", &[34, 35, 36])]).unwrap();
    newer.put_lane(Lane::Routine).unwrap();
    newer.publish().unwrap();
    for (role, listed, words) in [
        ("emergency", true, "version 2 is older than version 3, which was trusted before"),
        ("emergency", false, "the trusted snapshot does not list it"),
        ("targets", true, "version 1 is older than version 2"),
    ] {
        let victim = Victim::new();
        victim.meets(&newer).ends(0, "current", &[]).recipe("emergency/more.json", "applied", "");
        let before = victim.held();
        // The online keys rotate, which drops every floor that TUF knows; and the new ones are stolen at once.
        let mut thief = newer.clone();
        thief.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]).unwrap();
        if listed {
            let (version, bytes) = old.listed[role].clone();
            thief.put_role(role, version, bytes);
        } else {
            thief.listed.remove(role);
        }
        thief.publish().unwrap();
        let met = victim.meets(&thief);
        met.ends(3, "refused", &[&format!("{role}: "), words]);
        // Read as it stands, the old lane would be a withdrawal of the newer recipe.
        met.recipe("emergency/more.json", "unchanged", "").recipe(REPAIR, "unchanged", "");
        assert_eq!(victim.held().enrolled(), before.enrolled());
        let mut honest = newer.clone();
        honest.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]).unwrap();
        honest.online += 10;
        honest.publish().unwrap();
        victim.meets(&honest).ends(0, "current", &[]).recipe("emergency/more.json", "unchanged", "");
    }
}

/// The lane's people are the only ones whose keys stay: its floor must stay with them, though everybody who vouched for it is
/// gone, and although root and targets arrive one after the other.
#[test]
fn an_older_lane_after_all_keys_but_its_own_have_rotated() {
    let old = seen();
    let mut newer = old.clone();
    newer.add_open(&good("emergency/more.json")).unwrap();
    newer.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&newer).ends(0, "current", &[]).recipe("emergency/more.json", "applied", "");
    let before = victim.held();

    let mut honest = newer.clone();
    honest.rotate(&[("targets", &[14, 15, 16]), ("snapshot", &[52]), ("timestamp", &[53])]).unwrap();
    let timestamp = honest.files.remove("metadata/timestamp.json").unwrap();
    victim.meets(&honest).ends(4, "unreachable", &["timestamp: the origin has no metadata/timestamp.json"]);
    assert_eq!(victim.held().enrolled(), before.enrolled());
    honest.put_timestamp(timestamp);

    honest.redelegate(&[("gates", &[51])]).unwrap();
    let mut thief = honest.clone();
    let (version, bytes) = old.listed["emergency"].clone();
    thief.put_role("emergency", version, bytes);
    thief.publish().unwrap();
    let met = victim.meets(&thief);
    met.ends(3, "refused", &["emergency: version 2 is older than version 3, which was trusted before"]);
    met.recipe("emergency/more.json", "unchanged", "").recipe(REPAIR, "unchanged", "");
    assert_eq!(victim.held().enrolled(), before.enrolled());
    victim.takes_honest_news(&honest);
}

#[test]
fn a_gate_for_another_revision() {
    let path = "emergency/more.json";
    let mut second = good(path);
    second.revision = 2;
    let mut forge = seen();
    forge.add(Lane::Emergency, path, &published::write(&second)).unwrap();
    // Open for the revision before and the one to come, and ended for another of what is applied.
    for (revision, other) in [(1, 2), (3, 2)] {
        let mut thief = forge.clone();
        thief.online += revision;
        thief.open(&path.parse().unwrap(), revision);
        thief.gate(&REPAIR.parse().unwrap(), other, mulberry_shared::gates::GateState::Ended);
        thief.publish().unwrap();
        let victim = Victim::new();
        let met = victim.meets(&thief);
        met.ends(0, "current", &[]);
        met.recipe(path, "gate-closed", &format!("its gate speaks for revision {revision} only"));
        met.recipe(REPAIR, "unchanged", "");
        victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);
        let mut honest = forge.clone();
        honest.online += 10;
        honest.open(&path.parse().unwrap(), 2);
        honest.publish().unwrap();
        victim.meets(&honest).ends(0, "current", &[]).recipe(path, "applied", "");
    }
}

#[test]
fn delegation_cycles() {
    let mut forge = seen();
    let delegations = forge.targets.delegations.clone().unwrap();
    let to = |role: &str, paths: &[&str]| {
        let delegation = delegations.roles.iter().find(|known| known.name == role).unwrap();
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let roles = vec![Delegation { paths: Some(paths), terminating: false, ..delegation.clone() }];
        Some(Delegations { roles, ..delegations.clone() })
    };
    // The emergency lane delegates to the routine lane, that one back, and the gates to themselves.
    for (lane, other) in [(Lane::Emergency, "routine"), (Lane::Routine, "emergency")] {
        let delegations = to(other, &["*", "*/*"]);
        let body = forge.lane(lane);
        body.version += 1;
        body.delegations = delegations;
        forge.put_lane(lane).unwrap();
    }
    forge.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    let words = ["emergency: it delegates further, which no lane may", "routine: it delegates further"];
    met.ends(3, "refused", &words).recipe(REPAIR, "unchanged", "").recipe(CHORE, "unchanged", "");
    assert!(met.asked.len() <= 12, "{:?}", met.asked);
    victim.is_unharmed(&["gates.json", "snapshot.json", "timestamp.json"]).takes_honest_news(&seen());

    // Targets that delegates a lane's paths in a circle, before the lane: its recipes lead nowhere, and stay applied.
    let mut forge = seen();
    forge.targets.version += 1;
    let delegations = forge.targets.delegations.as_mut().unwrap();
    let mut circle = |name: &str, number: u8| {
        let key = forge::key(number).unwrap();
        let keys = RoleKeys { keyids: vec![key.key_id()], threshold: 1 };
        delegations.keys.insert(key.key_id(), key.key().clone());
        Delegation {
            name: name.into(),
            role_keys: keys,
            terminating: false,
            paths: Some(vec!["emergency/*".into()]),
            ..delegations.roles[0].clone()
        }
    };
    let (one, two) = (circle("one", 91), circle("two", 92));
    delegations.roles.splice(0..0, [one.clone(), two.clone()]);
    let keys = delegations.keys.clone();
    forge.put_targets().unwrap();
    for (name, number, next) in [("one", 91, &two), ("two", 92, &one)] {
        let mut body = forge.lane(Lane::Routine).clone();
        body.targets.clear();
        body.delegations =
            Some(Delegations { keys: keys.clone(), roles: vec![next.clone()], other: Default::default() });
        let bytes = forge::signed(&body, &[number]).unwrap();
        forge.put_role(name, body.version, bytes);
    }
    forge.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    met.ends(3, "refused", &["emergency/repair.json: looked up by name it leads to the role one"]);
    met.recipe(REPAIR, "unreadable", "revision 1 stays applied").recipe(CHORE, "unchanged", "");
    assert!(met.asked.len() <= 12, "{:?}", met.asked);
    assert_eq!(victim.held().enrolled(), [REPAIR, CHORE]);
}
