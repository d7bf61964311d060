//! Attacks on a client, each against the in-memory repository: what must not enter, and what must stand afterwards. Those on
//! lanes and gates, which are Mulberry's own, stand in [`lanes`].

mod lanes;

use std::collections::BTreeMap;

use super::Edition;
use super::state::TrustState;
use super::test_repository::{Repository, after_hours, dynamic, signers};
use super::write::{self, Life};
use crate::gates::{GatesFault, UnclearGate};
use crate::limits::Limits;
use crate::recipe::Lane;
use crate::tuf::Reply;
use crate::tuf::Signer;
use crate::tuf::error::TrustErrorKind as Kind;
use crate::tuf::report::{Event, Outcome, RefreshReport};

const EMERGENCY: &str = "emergency/fix.json";
const ROUTINE: &str = "routine/chore.json";

fn limits() -> Limits {
    Limits::default()
}

/// A repository with one recipe per lane, and a client that has seen it.
fn seen() -> (Repository, TrustState) {
    let mut repository = Repository::new();
    repository.add(Lane::Emergency, "fix", b"fix one");
    repository.add(Lane::Routine, "chore", b"chore one");
    repository.publish();
    let (state, report) = repository.refresh(&repository.pinned());
    assert_eq!(report.outcome(), Outcome::Current, "{report:#?}");
    (repository, state)
}

fn edition(state: &TrustState) -> Edition {
    state.edition(&limits()).unwrap()
}

/// Path to bytes of everything usable.
fn recipes(state: &TrustState) -> BTreeMap<String, String> {
    let edition = edition(state);
    let all = edition.lanes.values().flat_map(|lane| &lane.recipes);
    all.filter_map(|recipe| {
        let content = recipe.content.as_ref().ok()?;
        Some((recipe.path.to_string(), String::from_utf8(content.bytes.to_vec()).unwrap()))
    })
    .collect()
}

fn pair(path: &str, bytes: &str) -> (String, String) {
    (path.to_owned(), bytes.to_owned())
}

fn both_old() -> BTreeMap<String, String> {
    BTreeMap::from([pair(EMERGENCY, "fix one"), pair(ROUTINE, "chore one")])
}

#[track_caller]
fn failed(report: &RefreshReport, subject: &str) -> Kind {
    match report.of(subject) {
        Some(Event::Failed(error)) => error.kind,
        other => panic!("{subject}: {other:?} in {report:#?}"),
    }
}

fn gates_valid(state: &TrustState, repository: &Repository) -> bool {
    edition(state).view(repository.now).gates.is_some()
}

#[test]
fn honest_publishing_reaches_the_client_and_a_second_refresh_fetches_only_the_timestamp() {
    let (repository, state) = seen();
    assert_eq!(recipes(&state), both_old());
    assert!(gates_valid(&state, &repository));
    let mut asked = Vec::new();
    let (again, report) = repository.refresh_with(&state, &limits(), |path, reply| {
        asked.push(path.to_owned());
        reply
    });
    assert_eq!(asked, ["metadata/2.root.json", "metadata/timestamp.json"]);
    assert_eq!(again, state);
    assert!(!report.changed());
    assert_eq!(report.outcome(), Outcome::Current);
}

#[test]
fn arbitrary_installation_a_recipe_with_other_bytes_is_refused_alone() {
    let (mut repository, state) = seen();
    repository.add(Lane::Emergency, "fix", b"fix two");
    repository.add(Lane::Emergency, "other", b"other");
    repository.publish();
    let (state, report) = repository.refresh_with(&state, &limits(), |path, reply| {
        if path.contains(".fix.json") { Reply::Bytes(b"fix 666".to_vec()) } else { reply }
    });
    assert_eq!(failed(&report, EMERGENCY), Kind::WrongHash);
    assert_eq!(report.outcome(), Outcome::Refused);
    // The other recipe is usable, the old bytes do not stand in, and the recipe does not look withdrawn.
    assert_eq!(
        recipes(&state),
        BTreeMap::from([pair("emergency/other.json", "other"), pair(ROUTINE, "chore one")])
    );
    let view = edition(&state).view(repository.now);
    assert!(view.recipes.iter().any(|entry| entry.path.to_string() == EMERGENCY && entry.bytes.is_empty()));
    // The next refresh asks for it again.
    let (state, report) = repository.refresh(&state);
    assert_eq!((recipes(&state).len(), report.outcome()), (3, Outcome::Current));
}

#[test]
fn a_gate_that_is_not_understood_closes_alone_and_gates_that_cannot_be_read_open_nothing() {
    let (mut repository, state) = seen();
    repository.gates = r#"{"gates":{"emergency/fix.json":{"percent":2500,"reason":"wrong \u200ehex","revision":2,"since":"2019-05-05T00:00:00Z","state":"paused"}},"schema_version":1}"#.into();
    repository.publish();
    let (state, _) = repository.refresh(&state);
    let view = edition(&state).view(repository.now);
    let read = view.gates.unwrap();
    assert!(
        read.gates.0.is_empty() && read.unclear.values().all(|why| matches!(why, UnclearGate::Note(_))),
        "{read:?}"
    );
    assert_eq!((read.unclear.len(), view.gates_fault), (1, None));
    repository.gates = br#"{"gates":{}}"#.to_vec();
    repository.publish();
    let (state, _) = repository.refresh(&state);
    let view = edition(&state).view(repository.now);
    assert_eq!(view.gates, None);
    assert!(view.gates_fault.unwrap().0 == GatesFault::NoSchema);
}

#[test]
fn rollback_of_each_online_role_is_refused() {
    let (old, _) = seen();
    let mut repository = old.clone();
    repository.publish();
    let (state, _) = repository.refresh(&old.pinned());
    // The whole old origin: its timestamp is older.
    let (after, report) = old.refresh(&state);
    assert_eq!((failed(&report, "timestamp"), report.outcome()), (Kind::Rollback, Outcome::Stale));
    assert_eq!(after, state);
    // A new timestamp that names an older snapshot.
    let mut thief = repository.clone();
    thief.online[0] = old.online[0];
    thief.publish_timestamp(&old.origin[&format!("metadata/{}.snapshot.json", old.online[0])]);
    let (after, report) = thief.refresh(&state);
    assert_eq!((failed(&report, "snapshot"), report.outcome()), (Kind::Rollback, Outcome::Refused));
    assert_eq!(after, state);
}

#[test]
fn rollback_of_a_listed_role_and_its_removal_are_refused() {
    let (old, state) = seen();
    for role in ["targets", "emergency", "routine", "gates"] {
        let mut thief = old.clone();
        let mut newer = state.clone();
        if role != "gates" {
            // Let the client see version + 1 of that role first.
            let mut body = match role {
                "targets" => thief.targets.clone(),
                lane => thief.lanes[&lane.parse::<Lane>().unwrap()].clone(),
            };
            body.version += 1;
            thief.put_role(role, &body);
            thief.publish();
            (newer, _) = thief.refresh(&state);
        }
        let mut back = thief.clone();
        let (version, bytes) = old.listed[role].clone();
        back.put_role_bytes(role, version - u64::from(role == "gates"), bytes);
        back.publish_snapshot();
        let (after, report) = back.refresh(&newer);
        assert_eq!(failed(&report, "snapshot"), Kind::Rollback, "{role}");
        assert_eq!(recipes(&after), recipes(&newer));

        let mut removed = thief.clone();
        removed.listed.remove(role);
        removed.publish_snapshot();
        assert_eq!(failed(&removed.refresh(&newer).1, "snapshot"), Kind::Removed, "{role}");
    }
}

#[test]
fn freeze_an_expired_timestamp_stops_the_refresh_and_closes_the_gates_but_keeps_the_lanes() {
    let (mut repository, state) = seen();
    repository.now = after_hours(repository.now, 25);
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "timestamp"), report.outcome()), (Kind::Expired, Outcome::Stale));
    assert_eq!(recipes(&after), both_old());
    let view = edition(&after).view(repository.now);
    assert_eq!(view.gates, None);
    assert!(view.recipes.iter().all(|entry| entry.lane_current));
    assert_eq!(view.lanes_known.len(), 2);
}

#[test]
fn freeze_by_withholding_the_snapshot_closes_the_gates_at_once() {
    let (mut repository, state) = seen();
    repository.publish();
    let snapshot = repository.online[0];
    repository.origin.remove(&format!("metadata/{snapshot}.snapshot.json"));
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "snapshot"), report.outcome()), (Kind::Absent, Outcome::Unreachable));
    assert_eq!(recipes(&after), both_old());
    assert!(gates_valid(&state, &repository) && !gates_valid(&after, &repository));
}

#[test]
fn an_expired_root_stops_everything_and_the_edition_stays() {
    let (mut repository, state) = seen();
    repository.now = after_hours(repository.now, 24 * 366);
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!((failed(&report, "root"), report.outcome()), (Kind::Expired, Outcome::Refused));
    assert_eq!(after, state);
    assert!(edition(&after).view(repository.now).recipes.iter().all(|entry| !entry.lane_current));
    // An expired root in the middle of the chain is no obstacle.
    repository.rotate(&[]);
    assert_eq!(repository.refresh(&state).0.trusted().root().version, 2);
}

#[test]
fn fast_forward_is_recovered_from_by_rotating_the_online_keys() {
    let (mut repository, state) = seen();
    // The thief of the online keys uses up the versions.
    let mut thief = repository.clone();
    (thief.online, thief.gates_version) = ([u64::MAX - 1; 2], u64::MAX - 1);
    thief.publish();
    let (poisoned, report) = thief.refresh(&state);
    assert_eq!(report.outcome(), Outcome::Current);
    repository.publish();
    assert_eq!(failed(&repository.refresh(&poisoned).1, "timestamp"), Kind::Rollback);
    repository.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]);
    repository.redelegate(&[("gates", &[51])]);
    repository.publish();
    let (recovered, report) = repository.refresh(&poisoned);
    assert_eq!(report.outcome(), Outcome::Current, "{report:#?}");
    assert_eq!(edition(&recovered).number, repository.online[0]);
    assert!(gates_valid(&recovered, &repository));
}

#[test]
fn mix_and_match_of_roles_from_different_snapshots_is_refused() {
    let (old, state) = seen();
    let mut repository = old.clone();
    repository.add(Lane::Emergency, "fix", b"fix two");
    repository.publish();
    let new_path = format!("metadata/{}.emergency.json", repository.lanes[&Lane::Emergency].version);
    let old_bytes = old.listed["emergency"].1.clone();
    let (after, report) = repository.refresh_with(&state, &limits(), |path, reply| {
        if path == new_path { Reply::Bytes(old_bytes.clone()) } else { reply }
    });
    assert!(matches!(failed(&report, "emergency"), Kind::WrongHash | Kind::WrongLength));
    assert_eq!(recipes(&after), both_old());
}

#[test]
fn endless_data_is_cut_at_what_is_signed() {
    let (mut repository, state) = seen();
    repository.add(Lane::Emergency, "fix", b"fix two");
    repository.publish();
    for (victim, subject) in [
        ("timestamp.json", "timestamp"),
        ("snapshot.json", "snapshot"),
        ("emergency.json", "emergency"),
        ("fix.json", EMERGENCY),
    ] {
        let (after, report) = repository.refresh_with(&state, &limits(), |path, reply| match reply {
            Reply::Bytes(mut bytes) if path.ends_with(victim) => {
                bytes.resize(20_000, b' ');
                Reply::Bytes(bytes)
            }
            other => other,
        });
        assert_eq!(failed(&report, subject), Kind::TooMany, "{victim}");
        assert_eq!(recipes(&after).get(ROUTINE).map(String::as_str), Some("chore one"));
    }
}

#[test]
fn a_single_key_of_people_is_never_enough_nor_one_key_twice() {
    let (mut repository, state) = seen();
    let mut body = repository.lanes[&Lane::Emergency].clone();
    body.version += 1;
    let one = signers(&[21]);
    let foreign = signers(&[21, 31]);
    let twice = signers(&[21, 21]);
    for (signers, expected) in
        [(&one, Kind::Threshold), (&foreign, Kind::Threshold), (&twice, Kind::Impossible)]
    {
        let bytes = write::sign(&body, &dynamic(signers)).unwrap();
        repository.put_role_bytes("emergency", body.version, bytes);
        repository.publish();
        let (after, report) = repository.refresh(&state);
        assert_eq!(failed(&report, "emergency"), expected);
        assert_eq!(recipes(&after), both_old());
    }
}

#[test]
fn signatures_of_one_role_do_not_serve_another() {
    let (mut repository, state) = seen();
    // The routine lane's people sign an emergency.
    let mut body = repository.lanes[&Lane::Emergency].clone();
    body.version += 1;
    let bytes = repository.sign("routine", &body);
    repository.put_role_bytes("emergency", body.version, bytes);
    repository.publish();
    assert_eq!(failed(&repository.refresh(&state).1, "emergency"), Kind::Threshold);
    // The timestamp's key signs a snapshot, and a snapshot is served as timestamp.
    let mut repository = seen().0;
    repository.keys.0.insert("snapshot", vec![43]);
    repository.publish();
    assert_eq!(failed(&repository.refresh(&state).1, "snapshot"), Kind::Threshold);
    let snapshot = write::snapshot(99, Life::Online.from(repository.now), &[]);
    let bytes = repository.sign("timestamp", &snapshot);
    repository.origin.insert("metadata/timestamp.json".into(), bytes);
    assert_eq!(failed(&repository.refresh(&state).1, "timestamp"), Kind::WrongType);
}

#[test]
fn malformed_metadata_is_refused_and_leaves_the_state_as_it_was() {
    let (mut repository, state) = seen();
    repository.publish();
    let good = repository.origin["metadata/timestamp.json"].clone();
    let text = String::from_utf8(good.clone()).unwrap();
    let cases = [
        ("trailing data", format!("{text}{{}}"), Kind::Malformed),
        ("a key twice", text.replacen("\"version\":3", "\"version\":3,\"version\":3", 1), Kind::Malformed),
        ("a fraction", text.replacen("\"version\":3", "\"version\":3.0", 1), Kind::Malformed),
        ("overflow", text.replacen("\"version\":3", "\"version\":18446744073709551616", 1), Kind::Malformed),
        ("another version", text.replacen("\"version\":3", "\"version\":4", 1), Kind::Threshold),
        ("truncated", text[..text.len() / 2].to_owned(), Kind::Malformed),
        ("deep", "[".repeat(10_000), Kind::TooMany),
        ("nothing", String::new(), Kind::Malformed),
    ];
    for (name, text, expected) in cases {
        repository.origin.insert("metadata/timestamp.json".into(), text.into_bytes());
        let (after, report) = repository.refresh(&state);
        assert_eq!(failed(&report, "timestamp"), expected, "{name}");
        assert_eq!(after, state, "{name}");
    }
    repository.origin.insert("metadata/timestamp.json".into(), vec![0xff; 100]);
    assert_eq!(failed(&repository.refresh(&state).1, "timestamp"), Kind::Malformed);
    repository.origin.insert("metadata/timestamp.json".into(), good);
    assert_eq!(repository.refresh(&state).1.outcome(), Outcome::Current);
}

#[test]
fn root_must_be_the_very_next_and_signed_by_old_and_new_keys() {
    let (repository, state) = seen();
    let mut skipping = repository.clone();
    skipping.root.version = 2;
    skipping.rotate(&[]);
    let three = skipping.origin["metadata/3.root.json"].clone();
    skipping.origin.insert("metadata/2.root.json".into(), three);
    assert_eq!(failed(&skipping.refresh(&state).1, "root"), Kind::WrongVersion);
    // New root keys that sign alone, and old ones that sign alone.
    for numbers in [&[81, 82][..], &[1, 2][..]] {
        let mut thief = repository.clone();
        thief.rotate(&[("root", &[81, 82, 83])]);
        let bytes = write::sign(&thief.root, &dynamic(&signers(numbers))).unwrap();
        thief.origin.insert("metadata/2.root.json".into(), bytes);
        let (after, report) = thief.refresh(&state);
        assert_eq!((failed(&report, "root"), report.outcome()), (Kind::Threshold, Outcome::Refused));
        assert_eq!(after, state);
    }
    let mut honest = repository.clone();
    honest.rotate(&[("root", &[81, 82, 83])]);
    honest.rotate(&[("root", &[1, 2, 3])]);
    let (after, report) = honest.refresh(&state);
    assert_eq!((after.trusted().root().version, report.outcome()), (3, Outcome::Current));
    // Endless rotations are left for the next refresh.
    let few = Limits { trust: crate::limits::TrustLimits { rotations: 1, ..Default::default() }, ..limits() };
    let (after, report) = honest.refresh_with(&state, &few, |_, reply| reply);
    assert_eq!((after.trusted().root().version, report.outcome()), (2, Outcome::Current));
}

#[test]
fn an_origin_that_cannot_be_asked_changes_nothing() {
    let (mut repository, state) = seen();
    repository.publish();
    let (after, report) =
        repository.refresh_with(&state, &limits(), |_, _| Reply::Failed("connection refused".into()));
    assert_eq!((failed(&report, "timestamp"), report.outcome()), (Kind::Unreachable, Outcome::Unreachable));
    assert_eq!(after, state);
    // One lane that cannot be had does not keep the other waiting.
    repository.add(Lane::Emergency, "fix", b"fix two");
    repository.add(Lane::Routine, "chore", b"chore two");
    repository.publish();
    let (after, report) = repository.refresh_with(&state, &limits(), |path, reply| {
        if path.ends_with("emergency.json") { Reply::Failed("timed out".into()) } else { reply }
    });
    assert_eq!(report.outcome(), Outcome::Unreachable);
    assert_eq!(recipes(&after), BTreeMap::from([pair(EMERGENCY, "fix one"), pair(ROUTINE, "chore two")]));
}

/// Whoever can send an error for the next root could as well say that there is none.
#[test]
fn a_next_root_that_cannot_be_had_keeps_nobody_from_what_the_held_root_vouches_for() {
    let (mut repository, state) = seen();
    repository.add(Lane::Emergency, "fix", b"fix two");
    repository.publish();
    let without = |repository: &Repository, state: &TrustState, root: &'static str| {
        repository.refresh_with(state, &limits(), move |path, reply| {
            if path == root { Reply::Failed("the origin answered 500".into()) } else { reply }
        })
    };
    let (after, report) = without(&repository, &state, "metadata/2.root.json");
    assert_eq!(report.outcome(), Outcome::Current);
    assert_eq!(recipes(&after), BTreeMap::from([pair(EMERGENCY, "fix two"), pair(ROUTINE, "chore one")]));
    let told: Vec<_> = report.withheld().map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].contains("2.root.json") && told[0].contains("500"), "{told:?}");
    // A root that came before the error counts, also for the keys of what follows.
    let (online, mut rotated) = (repository.clone(), repository);
    rotated.rotate(&[("timestamp", &[91])]);
    rotated.publish();
    let (through, report) = without(&rotated, &after, "metadata/3.root.json");
    assert_eq!((through.trusted().root().version, report.outcome()), (2, Outcome::Current));
    // Hidden or not, what the held root does not vouch for does not enter; and nothing else is lost by it.
    let (hidden, report) = without(&rotated, &after, "metadata/2.root.json");
    assert_eq!((failed(&report, "timestamp"), report.withheld().count()), (Kind::Threshold, 1));
    assert_eq!(hidden, after);
    // A next root that is there and is not one still ends the refresh (5.3.4, 5.3.5).
    for bad in [Reply::Bytes(b"{}".to_vec()), Reply::TooLong] {
        let (kept, report) = online.refresh_with(&after, &limits(), |path, reply| {
            if path == "metadata/2.root.json" { bad.clone() } else { reply }
        });
        failed(&report, "root");
        assert_eq!((kept, report.outcome()), (after.clone(), Outcome::Refused));
    }
}

#[test]
fn stored_state_is_verified_again_and_damage_heals() {
    let (repository, state) = seen();
    let stored = state.to_files();
    let (back, damaged) = TrustState::from_files(&stored, &limits()).unwrap();
    assert_eq!((&back, damaged.len()), (&state, 0));
    // Every stored file is verified again: a flipped bit loses that file alone.
    for name in stored.keys().filter(|name| *name != "root.json") {
        let mut bad = stored.clone();
        let bytes = bad.get_mut(name).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let (back, damaged) = TrustState::from_files(&bad, &limits()).unwrap();
        assert!(!damaged.is_empty(), "{name}");
        let (healed, report) = repository.refresh(&back);
        assert_eq!((report.outcome(), &healed), (Outcome::Current, &state), "{name}");
    }
    assert!(TrustState::from_files(&BTreeMap::new(), &limits()).is_err());
}

#[test]
fn a_key_signs_under_any_label() {
    // Foreign key ids are accepted; what counts is the key.
    let (mut repository, state) = seen();
    let signer = super::test_repository::signer(21);
    let label = signer.key_id().0;
    let rename =
        |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().replace(&label, "anna").into_bytes();
    let body = &mut repository.targets;
    body.version += 1;
    let renamed = rename(&serde_json::to_vec(&body).unwrap());
    *body = serde_json::from_slice(&renamed).unwrap();
    repository.put_targets();
    repository.lanes.get_mut(&Lane::Emergency).unwrap().version += 1;
    repository.put_lane(Lane::Emergency);
    let (version, bytes) = repository.listed["emergency"].clone();
    repository.put_role_bytes("emergency", version, rename(&bytes));
    repository.publish();
    let (after, report) = repository.refresh(&state);
    assert_eq!(report.outcome(), Outcome::Current, "{report:#?}");
    assert_eq!(after.trusted().targets("emergency").unwrap().signed_by()[0].0, "anna");
}
