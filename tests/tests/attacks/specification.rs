//! The attacks that the TUF specification names in its section 1.5.2, in its order.

use jiff::SignedDuration;
use mulberry_lab::forge::{self, Forge};
use mulberry_lab::hostile_origin::Damage;
use mulberry_shared::edition::write;
use mulberry_shared::recipe::{Lane, published};
use mulberry_shared::tuf::location;

use super::scene::{CHORE, EVIL, REPAIR, Victim, evil, evil_bytes, good, list_evil, seen};

/// "An attacker installs anything they want on the client system": other bytes under the name of a genuine recipe, and a
/// whole repository of their own.
#[test]
fn arbitrary_installation() {
    let mut forge = seen();
    let path = "emergency/more.json";
    forge.add_open(&good(path)).unwrap();
    forge.publish().unwrap();
    let genuine = forge.lane(Lane::Emergency).targets[path].sha256().unwrap();
    let mut hostile = forge.clone();
    // Of the same length, so that only the hash tells.
    let mut bytes = evil_bytes(path);
    let length = published::write(&good(path)).len();
    assert!(bytes.len() < length);
    bytes.resize(length, b' ');
    hostile.files.insert(location::file(path, Some(&genuine)), bytes);

    let victim = Victim::new();
    let met = victim.meets(&hostile);
    met.ends(3, "refused", &["emergency/more.json: its sha256 is ", " is signed"]);
    met.recipe(path, "unreadable", "").recipe(REPAIR, "unchanged", "");
    victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);
    victim.takes_honest_news(&forge);

    // Everything signed, with other people's keys.
    let mut own = seen();
    own.keys.values_mut().flatten().for_each(|number| *number += 100);
    own.root.version += 1;
    own.root = own.next_root().unwrap();
    own.root.version = 1;
    own.put_root().unwrap();
    own.redelegate(&[]).unwrap();
    own.online += 10;
    own.add_open(&evil(EVIL)).unwrap();
    own.put_lane(Lane::Routine).unwrap();
    own.publish().unwrap();
    let victim = Victim::new();
    victim
        .meets(&own)
        .ends(3, "refused", &["timestamp: 0 of the 1 distinct keys needed have signed it"])
        .knows_no(EVIL);
    victim.is_unharmed(&[]).takes_honest_news(&seen());
}

/// "An attacker presents files to a software update system that are older than those the client has already seen."
#[test]
fn rollback() {
    let old = seen();
    let mut newer = old.clone();
    newer.add_open(&good("emergency/more.json")).unwrap();
    newer.gates.0.remove(&"emergency/more.json".parse().unwrap());
    newer.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&newer).ends(0, "current", &[]).recipe("emergency/more.json", "gate-closed", "no gate");
    let after_newer = victim.held();

    // An old origin is behind, not hostile: exit code 0, and the agent would ask another one.
    victim.meets(&old).ends(
        0,
        "stale",
        &["timestamp: version 2 is older than version 3, which was trusted before"],
    );
    assert_eq!(victim.held(), after_newer);

    // The thief of the timestamp's key serves an old snapshot as the newest.
    let mut thief = newer.clone();
    thief.online = 9;
    let snapshot = old.files[&location::consistent_metadata("snapshot", 2)].clone();
    thief.publish_timestamp(2, snapshot).unwrap();
    victim.meets(&thief).ends(3, "refused", &["snapshot: version 2 is older than version 3"]);
    assert_eq!(victim.held(), after_newer);

    // The thief of the snapshot's key too lists an old lane, or none.
    for (listed, words) in [
        (old.listed.get("emergency"), ["it lists version 2 of emergency.json", "older than version 3"]),
        (None, ["it no longer lists emergency.json", "which must not vanish"]),
    ] {
        let mut thief = newer.clone();
        thief.online += 1;
        match listed {
            Some((version, bytes)) => thief.put_role("emergency", *version, bytes.clone()),
            None => drop(thief.listed.remove("emergency")),
        }
        thief.publish_snapshot().unwrap();
        let victim = Victim::new();
        victim.meets(&newer);
        let before = victim.held();
        let met = victim.meets(&thief);
        met.ends(3, "refused", &["snapshot: "]).ends(3, "refused", &words);
        // The timestamp was genuine, so it counts, and without its snapshot nothing newly opens.
        met.recipe("emergency/more.json", "gate-closed", "").recipe(REPAIR, "unchanged", "");
        let after = victim.held();
        assert!(before.differs_in(&after, &["timestamp.json"]));
        victim.takes_honest_news(&newer);
    }
}

/// "An attacker continues to present a software update system with the same files the client has already seen": for ever,
/// or by withholding what a newer timestamp names.
#[test]
fn indefinite_freeze() {
    let mut armed = seen();
    let path = "emergency/armed.json";
    armed.add_open(&good(path)).unwrap();
    armed.gates.0.remove(&path.parse().unwrap());
    armed.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&armed).ends(0, "current", &[]).recipe(path, "gate-closed", "it has no gate yet");
    let before = victim.held();
    // A day later, the same files. Silence and staleness undo nothing, and no date disables an add-on.
    let frozen = armed.clone().later(SignedDuration::from_hours(25));
    let met = victim.meets(&frozen);
    met.ends(0, "stale", &["timestamp: version 3 expired at ", "sign it again"]);
    met.recipe(path, "gate-closed", "no valid gates are at hand").recipe(REPAIR, "unchanged", "");
    assert_eq!(victim.held(), before);

    // The gate opens, and the snapshot that says so is withheld.
    let mut open = armed.clone();
    open.open(&path.parse().unwrap(), 1);
    open.publish().unwrap();
    let mut hostile = open.clone();
    hostile.files.remove(&location::consistent_metadata("snapshot", open.online));
    let met = victim.meets(&hostile);
    met.ends(4, "unreachable", &["snapshot: the origin has no metadata/4.snapshot.json", "ask another one"]);
    met.recipe(path, "gate-closed", "");
    assert!(before.differs_in(&victim.held(), &["timestamp.json"]));
    victim.meets(&open).ends(0, "current", &[]).recipe(path, "applied", "");
}

/// "An attacker arbitrarily increases the version numbers of metadata files": whoever holds the online keys uses them up.
/// Rotating the keys brings clients back without touching them.
#[test]
fn fast_forward() {
    let mut thief = seen();
    thief.online = u64::MAX - 1;
    // A lane's versions too: nobody has signed that one, but the snapshot that lists it is true.
    let (lane, bytes) = thief.listed["routine"].clone();
    thief.put_role("routine", u64::MAX, bytes);
    thief.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&thief);
    met.ends(
        3,
        "refused",
        &[&format!("routine: version {lane} came where version {} is promised", u64::MAX)],
    );
    met.recipe(REPAIR, "unchanged", "").recipe(CHORE, "unchanged", "");
    // What the thief signed was validly signed; the add-ons and what people signed stand.
    victim.is_unharmed(&["gates.json", "snapshot.json", "timestamp.json"]);

    let mut honest = seen();
    honest.online = 10;
    honest.publish().unwrap();
    let words = ["timestamp: version 11 is older than version 18446744073709551615"];
    victim.meets(&honest).ends(0, "stale", &words).recipe(REPAIR, "unchanged", "");

    honest.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]).unwrap();
    honest.redelegate(&[("gates", &[51])]).unwrap();
    honest.publish().unwrap();
    let met = victim.meets(&honest);
    met.ends(0, "current", &["verified; something new came"]).recipe(REPAIR, "unchanged", "");
    victim.is_unharmed(&["gates.json", "root.json", "snapshot.json", "targets.json", "timestamp.json"]);
    // The stolen keys are worth nothing any more.
    thief.files.insert("metadata/2.root.json".into(), honest.files["metadata/2.root.json"].clone());
    victim.meets(&thief).ends(3, "refused", &["timestamp: 0 of the 1 distinct keys needed have signed it"]);
    victim.takes_honest_news(&honest);
}

/// "A view of metadata that includes files that never existed together on the repository at the same time."
#[test]
fn mix_and_match() {
    let old = seen();
    let mut newer = old.clone();
    newer.add_open(&good("emergency/more.json")).unwrap();
    newer.redelegate(&[]).unwrap();
    newer.publish().unwrap();
    for (role, advanced) in [
        ("snapshot", &["timestamp.json"][..]),
        ("targets", &["snapshot.json", "timestamp.json"]),
        ("emergency", &["files", "gates.json", "snapshot.json", "targets.json", "timestamp.json"]),
        ("gates", &["emergency.json", "files", "snapshot.json", "targets.json", "timestamp.json"]),
    ] {
        let version = |forge: &Forge| forge.listed.get(role).map_or(forge.online, |(version, _)| *version);
        let bytes = old.files[&location::consistent_metadata(role, version(&old))].clone();
        let mut hostile = newer.clone();
        hostile.files.insert(location::consistent_metadata(role, version(&newer)), bytes);
        let victim = Victim::new();
        let met = victim.meets(&hostile);
        met.ends(3, "refused", &[&format!("{role}: "), " signed"]).recipe(REPAIR, "unchanged", "");
        if role == "gates" {
            met.recipe("emergency/more.json", "gate-closed", "");
        }
        victim.is_unharmed(advanced).takes_honest_news(&newer);
    }
}

/// "An attacker responds to a file download request with an endless stream of data."
#[test]
fn endless_data() {
    let mut newer = seen();
    newer.add_open(&good("emergency/more.json")).unwrap();
    newer.publish().unwrap();
    let lane = location::consistent_metadata("emergency", newer.listed["emergency"].0);
    let recipe = newer.lane(Lane::Emergency).targets["emergency/more.json"].sha256();
    let recipe = location::file("emergency/more.json", recipe.as_ref());
    for (path, subject) in [
        ("metadata/2.root.json", "root"),
        ("metadata/timestamp.json", "timestamp"),
        (&lane, "emergency"),
        (&recipe, "emergency/more.json"),
    ] {
        let victim = Victim::new();
        let met = victim.meets_damaged(&newer, &[(path, Damage::Huge)]);
        met.ends(3, "refused", &[&format!("{subject}: more than the "), " bytes allowed"]);
        met.recipe(REPAIR, "unchanged", "");
        let rest: &[&str] = match subject {
            "emergency" => &["files", "gates.json", "snapshot.json", "timestamp.json"],
            "emergency/more.json" => {
                &["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]
            }
            _ => &[],
        };
        victim.is_unharmed(rest).takes_honest_news(&newer);
    }
}

/// "An attacker indicates to clients that, in order to install the software they wanted, they also need to install
/// unrelated software": here a thief of all online keys names roles, files and gates that nobody signed.
#[test]
fn extraneous_dependencies() {
    let mut thief = seen();
    thief.online += 1;
    // A gate for what no lane lists, a role that targets does not delegate to, and files for both.
    thief.open(&EVIL.parse().unwrap(), 1);
    thief.put_gates(&[]).unwrap();
    let bytes = evil_bytes(EVIL);
    let mut role = write::gates(1, thief.root.expires, b"");
    role.targets.insert(EVIL.into(), write::target_file(&bytes));
    thief.put_role("dependency", 1, forge::signed(&role, &[41, 42, 43]).unwrap());
    thief.files.insert(location::file(EVIL, role.targets[EVIL].sha256().as_ref()), bytes);
    thief.publish_snapshot().unwrap();

    let victim = Victim::new();
    let met = victim.meets(&thief);
    met.ends(0, "current", &[]).knows_no(EVIL).recipe(REPAIR, "unchanged", "");
    assert!(
        !met.asked.iter().any(|path| path.contains("dependency") || path.contains("evil")),
        "{:?}",
        met.asked
    );
    victim.is_unharmed(&["files", "gates.json", "snapshot.json", "timestamp.json"]);
    // What the thief listed may not vanish again while its keys count, so the keys go.
    let mut honest = seen();
    honest.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]).unwrap();
    victim.takes_honest_news(&honest);
}

/// "An attacker who compromises less than a given threshold of keys": one person of a lane, all the server's, one of root.
#[test]
fn key_compromise() {
    let mut thief = seen();
    list_evil(&mut thief);
    let lane = thief.lane(Lane::Emergency).clone();
    for numbers in [&[21][..], &[21, 31, 32], &[21, 41, 42, 43]] {
        thief.put_role("emergency", lane.version, forge::signed(&lane, numbers).unwrap());
        thief.publish().unwrap();
        let victim = Victim::new();
        let met = victim.meets(&thief);
        met.ends(3, "refused", &["emergency: 1 of the 2 distinct keys needed have signed it"]).knows_no(EVIL);
        victim.is_unharmed(&["files", "gates.json", "snapshot.json", "timestamp.json"]);
        victim.takes_honest_news(&seen());
    }
    // One person's key of root, with the keys that the thief would like instead.
    let mut thief = seen();
    for role in ["root", "targets", "snapshot", "timestamp"] {
        thief.keys.insert(role, vec![91, 92, 93]);
    }
    let root = thief.next_root().unwrap();
    for numbers in [&[1, 91, 92][..], &[91, 92], &[11, 12, 21, 22, 41, 42, 43, 91, 92]] {
        thief.put_root_file(2, forge::signed(&root, numbers).unwrap());
        let victim = Victim::new();
        victim.meets(&thief).ends(3, "refused", &["root: ", " of the 2 distinct keys needed have signed it"]);
        victim.is_unharmed(&[]).takes_honest_news(&seen());
    }
    // The stolen key is revoked: it and one honest key are not two of the lane's people any more.
    let mut honest = seen();
    honest.redelegate(&[("emergency", &[22, 23, 24])]).unwrap();
    honest.put_lane(Lane::Emergency).unwrap();
    honest.online += 1;
    honest.publish().unwrap();
    let mut thief = honest.clone();
    list_evil(&mut thief);
    let lane = thief.lane(Lane::Emergency).clone();
    thief.put_role("emergency", lane.version, forge::signed(&lane, &[21, 22]).unwrap());
    thief.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&honest).ends(0, "current", &[]);
    victim.meets(&thief).ends(3, "refused", &["emergency: 1 of the 2 distinct keys"]).knows_no(EVIL);
    victim.takes_honest_news(&honest);
}

/// "An attacker provides a client with a trusted file that is not the one the client wanted": a genuine recipe under the
/// name of another.
#[test]
fn wrong_software_installation() {
    let path = "emergency/wanted.json";
    let mut forge = seen();
    forge.add_open(&good(path)).unwrap();
    // People did sign this one, for few: its gate is closed.
    forge.add(Lane::Emergency, EVIL, &evil_bytes(EVIL)).unwrap();
    forge.publish().unwrap();
    let wanted = forge.lane(Lane::Emergency).targets[path].sha256();
    let mut hostile = forge.clone();
    hostile.files.insert(location::file(path, wanted.as_ref()), evil_bytes(EVIL));
    let victim = Victim::new();
    let met = victim.meets(&hostile);
    met.ends(3, "refused", &["emergency/wanted.json: ", " are signed"]).recipe(path, "unreadable", "");
    met.recipe(EVIL, "gate-closed", "it has no gate yet");
    victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);
    victim.takes_honest_news(&forge);

    // Even signed under the other name it is not taken for it: the recipe says itself what it is.
    let mut mistaken = seen();
    mistaken.add(Lane::Routine, CHORE, &evil_bytes(EVIL)).unwrap();
    mistaken.add(Lane::Emergency, path, &evil_bytes(EVIL)).unwrap();
    mistaken.open(&path.parse().unwrap(), 1);
    mistaken.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&mistaken);
    met.ends(0, "current", &[]);
    for path in [path, CHORE] {
        met.recipe(
            path,
            "unreadable",
            &format!("belongs at emergency/evil.json, but it is published at {path}"),
        );
    }
    victim.is_unharmed(&[
        "emergency.json",
        "files",
        "gates.json",
        "routine.json",
        "snapshot.json",
        "timestamp.json",
    ]);
}
