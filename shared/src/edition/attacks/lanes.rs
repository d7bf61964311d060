//! Attacks by way of lanes and gates: each lane is judged alone, and lists nothing but its own recipes.

use super::*;
use crate::tuf::KeyId;
use crate::tuf::metadata::Delegation;

#[test]
fn each_lane_expires_alone() {
    let (mut repository, state) = seen();
    repository.now = after_hours(repository.now, 24 * 91);
    repository.lanes.get_mut(&Lane::Emergency).unwrap().expires = Life::Lane.from(repository.now);
    repository.add(Lane::Emergency, "fix", b"fix two");
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "routine"), report.outcome()), (Kind::Expired, Outcome::Stale));
    assert_eq!(recipes(&after), BTreeMap::from([pair(EMERGENCY, "fix two"), pair(ROUTINE, "chore one")]));
    let view = edition(&after).view(repository.now);
    assert!(view.gates.is_some());
    let current = |lane| view.recipes.iter().filter(|e| e.path.lane == lane).all(|e| e.lane_current);
    assert!(current(Lane::Emergency) && !current(Lane::Routine));
}

#[test]
fn an_older_lane_after_snapshot_key_rotation_is_not_a_withdrawal() {
    let (old, _) = seen();
    let mut repository = old.clone();
    repository.add(Lane::Emergency, "more", b"more");
    repository.publish();
    let (state, _) = repository.refresh(&old.pinned());
    // The online keys rotate; the thief of the new ones lists the lane as it was before.
    repository.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]);
    let (version, bytes) = old.listed["emergency"].clone();
    repository.put_role_bytes("emergency", version, bytes);
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "emergency"), report.outcome()), (Kind::Rollback, Outcome::Refused));
    assert_eq!(recipes(&after), recipes(&state));
    // Not listing the lane at all is no withdrawal either.
    repository.rotate(&[("snapshot", &[62]), ("timestamp", &[63])]);
    repository.listed.remove("emergency");
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!(failed(&report, "emergency"), Kind::NotDelegated);
    assert_eq!(recipes(&after), recipes(&state));
}

#[test]
fn an_older_lane_after_all_keys_but_its_own_have_rotated_is_not_a_withdrawal_either() {
    let (old, _) = seen();
    let mut repository = old.clone();
    repository.add(Lane::Emergency, "more", b"more");
    repository.publish();
    let (state, _) = repository.refresh(&old.pinned());
    repository.rotate(&[("targets", &[14, 15, 16]), ("snapshot", &[52]), ("timestamp", &[53])]);
    repository.redelegate(&[("gates", &[51])]);
    let mut thief = repository.clone();
    let (version, bytes) = old.listed["emergency"].clone();
    thief.put_role_bytes("emergency", version, bytes);
    thief.publish();
    let (after, report) = thief.refresh(&state);
    assert_eq!((failed(&report, "emergency"), report.outcome()), (Kind::Rollback, Outcome::Refused));
    assert_eq!(recipes(&after), recipes(&state));

    // Also when only the root arrives first, and the client is stored and loaded in between.
    let mut late = repository.clone();
    late.publish();
    late.origin.remove("metadata/timestamp.json");
    let (between, report) = late.refresh(&state);
    assert_eq!(failed(&report, "timestamp"), Kind::Absent);
    assert_eq!(between.edition(&limits()), None, "nothing verifies under the new root yet");
    let (between, damaged) = TrustState::from_files(&between.to_files(), &limits()).unwrap();
    assert_eq!(damaged, []);
    let (after, report) = thief.refresh(&between);
    assert_eq!(failed(&report, "emergency"), Kind::Rollback);
    assert_eq!(recipes(&after), recipes(&state));
    (repository.online, repository.gates_version) = (thief.online, thief.gates_version);
    repository.publish();
    let (after, report) = repository.refresh(&after);
    assert_eq!((report.outcome(), recipes(&after)), (Outcome::Current, recipes(&state)));

    // The lane's own keys rotate as well: its floor goes, as it must.
    repository.rotate(&[("targets", &[17, 18, 19]), ("snapshot", &[62]), ("timestamp", &[63])]);
    repository.redelegate(&[("emergency", &[71, 72, 73])]);
    repository.lanes.get_mut(&Lane::Emergency).unwrap().version = 0;
    repository.add(Lane::Emergency, "fix", b"fix again");
    repository.publish();
    let (after, report) = repository.refresh(&after);
    assert_eq!(report.outcome(), Outcome::Current, "{report:#?}");
    assert_eq!(recipes(&after)[EMERGENCY], "fix again");
}

#[test]
fn older_targets_after_snapshot_key_rotation_do_not_bring_old_lane_keys_back() {
    let (old, state) = seen();
    let mut repository = old.clone();
    repository.redelegate(&[("routine", &[71, 72, 73])]);
    repository.add(Lane::Routine, "chore", b"chore two");
    repository.publish();
    let (state, _) = repository.refresh(&state);
    repository.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]);
    let (version, bytes) = old.listed["targets"].clone();
    repository.put_role_bytes("targets", version, bytes);
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "targets"), report.outcome()), (Kind::Rollback, Outcome::Refused));
    assert_eq!(recipes(&after), BTreeMap::from([pair(EMERGENCY, "fix one"), pair(ROUTINE, "chore two")]));
}

#[test]
fn revoked_lane_keys_make_the_lane_unknown_until_it_is_signed_anew() {
    let (mut repository, state) = seen();
    repository.redelegate(&[("emergency", &[71, 72, 73])]);
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!(failed(&report, "emergency"), Kind::Threshold);
    assert_eq!(edition(&after).lanes.keys().copied().collect::<Vec<_>>(), [Lane::Routine]);
    // The floor went with the keys: a lower version, signed by the new ones, is accepted.
    repository.lanes.get_mut(&Lane::Emergency).unwrap().version = 0;
    repository.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]);
    repository.add(Lane::Emergency, "fix", b"fix again");
    repository.publish();
    let (after, report) = repository.refresh(&after);
    assert_eq!(report.outcome(), Outcome::Current, "{report:#?}");
    assert_eq!(recipes(&after)[EMERGENCY], "fix again");
}

#[test]
fn a_lane_listing_a_foreign_path_is_heard_on_its_own_recipes_only() {
    let (mut repository, state) = seen();
    let file = write::target_file(b"evil");
    let body = repository.lanes.get_mut(&Lane::Routine).unwrap();
    for path in ["emergency/evil.json", "gates.json", "routine/../emergency/fix.json", "routine/BAD.json"] {
        body.targets.insert(path.into(), file.clone());
    }
    repository.add(Lane::Routine, "chore", b"chore two");
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!(failed(&report, "emergency/evil.json"), Kind::AgainstProfile);
    assert_eq!(report.errors().count(), 4);
    assert_eq!(recipes(&after), BTreeMap::from([pair(EMERGENCY, "fix one"), pair(ROUTINE, "chore two")]));
}

#[test]
fn one_slug_in_both_lanes_leaves_the_emergency_one() {
    let (mut repository, state) = seen();
    repository.add(Lane::Routine, "fix", b"usurper");
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!(failed(&report, "routine/fix.json"), Kind::AgainstProfile);
    assert_eq!(recipes(&after), both_old());
}

#[test]
fn gates_listing_a_recipe_and_lanes_delegating_further_are_refused_whole() {
    let (mut repository, state) = seen();
    let mut gates =
        write::gates(9, Life::Online.from(repository.now), crate::edition::test_repository::EMPTY_GATES);
    gates.targets.insert(EMERGENCY.into(), write::target_file(b"evil"));
    repository.put_role("gates", &gates);
    let mut lane = repository.lanes[&Lane::Routine].clone();
    lane.version += 1;
    lane.delegations = repository.targets.delegations.clone();
    repository.put_role("routine", &lane);
    repository.publish_snapshot();
    let (after, report) = repository.refresh(&state);
    assert_eq!(failed(&report, "gates"), Kind::AgainstProfile);
    assert_eq!(failed(&report, "routine"), Kind::AgainstProfile);
    assert_eq!(recipes(&after), both_old());
    assert!(!gates_valid(&after, &repository));
}

#[test]
fn a_recipe_that_its_name_does_not_lead_to_is_refused() {
    let (mut repository, state) = seen();
    // Targets lists the path itself, so the look-up ends before the lane.
    repository.targets.version += 1;
    repository.targets.targets.insert(EMERGENCY.into(), write::target_file(b"fix one"));
    repository.put_targets();
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!(failed(&report, EMERGENCY), Kind::NotDelegated);
    assert_eq!(recipes(&after), BTreeMap::from([pair(ROUTINE, "chore one")]));
}

#[test]
fn roles_that_share_a_key_are_refused_with_the_targets_that_names_it() {
    // Pairs whose metadata could stand in for each other, or where the thief of a server would hold a person's key.
    let shared: [(&'static str, &[u8], &str); 7] = [
        ("routine", &[31, 32, 22], "the roles emergency and routine share the ed25519 key"),
        ("routine", &[31, 32, 11], "the roles targets and routine share"),
        ("gates", &[23], "the roles emergency and gates share"),
        ("gates", &[12], "the roles targets and gates share"),
        ("gates", &[3], "the roles gates and root share"),
        ("emergency", &[21, 22, 42], "the roles snapshot and emergency share"),
        ("emergency", &[21, 22, 43], "the roles timestamp and emergency share"),
    ];
    for (role, keys, words) in shared {
        let (mut repository, state) = seen();
        let honest = repository.keys.0[role].clone();
        repository.redelegate(&[(role, keys)]);
        repository.publish();
        let (after, report) = repository.refresh(&state);
        assert_eq!((failed(&report, "targets"), report.outcome()), (Kind::AgainstProfile, Outcome::Refused));
        assert!(report.errors().any(|error| error.sentence.contains(words)), "{words}: {report:#?}");
        assert_eq!((recipes(&after), after.trusted().targets("targets").unwrap().version), (both_old(), 1));
        let honest: &'static [u8] = honest.leak();
        repository.redelegate(&[(role, honest)]);
        repository.publish();
        let (after, report) = repository.refresh(&after);
        assert_eq!((report.outcome(), recipes(&after)), (Outcome::Current, both_old()), "{report:#?}");
    }
}

#[test]
fn labels_do_not_hide_a_shared_key_and_a_further_role_may_not_share_one_either() {
    let (repository, state) = seen();
    let keys = repository.targets.delegations.clone().unwrap().keys;
    let shared = keys[&signers(&[21])[0].key_id()].clone();
    for further in [None, Some("more")] {
        let mut repository = repository.clone();
        repository.targets.version += 1;
        let delegations = repository.targets.delegations.as_mut().unwrap();
        delegations.keys.insert(KeyId("someone".into()), shared.clone());
        if let Some(name) = further {
            let role = Delegation { name: name.to_owned(), ..delegations.roles[1].clone() };
            delegations.roles.push(role);
        }
        delegations.roles.last_mut().unwrap().role_keys.keyids = vec![KeyId("someone".into())];
        repository.put_targets();
        repository.publish();
        let (after, report) = repository.refresh(&state);
        assert_eq!(failed(&report, "targets"), Kind::AgainstProfile, "{report:#?}");
        assert_eq!(recipes(&after), both_old());
    }
}

#[test]
fn targets_held_already_are_judged_again_when_the_root_changes() {
    let (mut repository, state) = seen();
    repository.rotate(&[("timestamp", &[21])]);
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "targets"), report.outcome()), (Kind::AgainstProfile, Outcome::Refused));
    assert_eq!(recipes(&after), both_old());
}
