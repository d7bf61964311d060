//! Attacks by counting signatures wrongly. In all of them every online key is the attacker's, so that what is signed by
//! too few reaches the agent with true snapshots and timestamps.

use mulberry_lab::forge::{self, Envelope, Forge, key_id};
use mulberry_shared::edition::write;
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::KeyId;

use super::scene::{EVIL, REPAIR, Victim, good, list_evil, seen};

/// What has advanced when the thief of the online keys has signed, no gate changed, and the lane was refused.
const ONLINE: [&str; 3] = ["gates.json", "snapshot.json", "timestamp.json"];

/// Serves these signatures over an emergency lane that lists the evil recipe, and checks that they do not do.
fn refused(mut forge: Forge, sign: impl Fn(Envelope) -> Envelope, words: &str) {
    let honest = forge.clone();
    list_evil(&mut forge);
    let lane = forge.lane(Lane::Emergency).clone();
    forge.put_role("emergency", lane.version, sign(Envelope::of(&lane).unwrap()).file());
    forge.publish().unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    met.ends(3, "refused", &[words]).knows_no(EVIL).recipe(REPAIR, "unchanged", "");
    victim.is_unharmed(&["files", "gates.json", "snapshot.json", "timestamp.json"]);
    victim.takes_honest_news(&honest);
}

#[test]
fn duplicate_key_ids_in_signatures() {
    let words = "emergency: key id ";
    refused(seen(), |lane| lane.sign(21).unwrap().sign(21).unwrap(), words);
    refused(seen(), |lane| lane.sign(21).unwrap().sign(21).unwrap(), "appears twice among the signatures");
    // Nor beside enough others: which of the two would count?
    refused(seen(), |lane| lane.sign(21).unwrap().sign(22).unwrap().sign(21).unwrap(), words);
}

#[test]
fn threshold_met_by_one_key_twice() {
    // Under its own label and under that of another of the lane's people, or under one that nobody has.
    for label in [key_id(22).unwrap(), KeyId("nobody".into())] {
        let sign = |lane: Envelope| lane.sign(21).unwrap().sign_as(21, label.clone()).unwrap();
        refused(seen(), sign, "emergency: 1 of the 2 distinct keys needed have signed it");
    }
}

/// Targets whose emergency lane has these labels, each for a key.
fn relabelled(labels: &[(&str, u8)]) -> Forge {
    let mut forge = seen();
    forge.targets.version += 1;
    let delegations = forge.targets.delegations.as_mut().unwrap();
    for (label, number) in labels {
        let key = mulberry_shared::tuf::Signer::key(&forge::key(*number).unwrap()).clone();
        delegations.keys.insert(KeyId((*label).into()), key);
    }
    delegations.roles[0].role_keys.keyids = labels.iter().map(|(label, _)| KeyId((*label).into())).collect();
    forge.put_targets().unwrap();
    // The lane as it was, signed under the new labels by the first two keys that differ.
    let lane = forge.lane(Lane::Emergency).clone();
    let mut envelope = Envelope::of(&lane).unwrap();
    for number in [21, 22] {
        if let Some((label, _)) = labels.iter().find(|(_, key)| *key == number) {
            envelope = envelope.sign_as(number, KeyId((*label).into())).unwrap();
        }
    }
    forge.put_role("emergency", lane.version, envelope.file());
    forge.online += 1;
    forge.publish().unwrap();
    forge
}

#[test]
fn two_ids_for_one_key_count_once() {
    // People were tricked into naming one key under two labels.
    let forge = relabelled(&[("anna", 21), ("also anna", 21), ("ben", 22)]);
    let twice = |lane: Envelope| {
        let lane = lane.sign_as(21, KeyId("anna".into())).unwrap();
        lane.sign_as(21, KeyId("also anna".into())).unwrap()
    };
    refused_under(forge, twice);
}

/// As [`refused`], where honest news must be signed under the same labels.
fn refused_under(forge: Forge, sign: impl Fn(Envelope) -> Envelope) {
    let victim = Victim::new();
    victim.meets(&forge).ends(0, "current", &[]);
    let mut thief = forge.clone();
    list_evil(&mut thief);
    let lane = thief.lane(Lane::Emergency).clone();
    thief.put_role("emergency", lane.version, sign(Envelope::of(&lane).unwrap()).file());
    thief.publish().unwrap();
    let met = victim.meets(&thief);
    met.ends(3, "refused", &["emergency: 1 of the 2 distinct keys needed have signed it"]).knows_no(EVIL);
    met.recipe(REPAIR, "unchanged", "");
    // People see it, and name each key once.
    let mut honest = forge.clone();
    honest.redelegate(&[]).unwrap();
    victim.takes_honest_news(&honest);
}

#[test]
fn foreign_key_ids_are_accepted() {
    // No attack: other implementations label keys as they like, and what counts is the key.
    let mut forge = relabelled(&[("anna", 21), ("ben", 22)]);
    let path = "emergency/more.json";
    let recipe = good(path);
    forge.list(Lane::Emergency, path, &mulberry_shared::recipe::published::write(&recipe));
    forge.open(&recipe.path(), 1);
    let lane = forge.lane(Lane::Emergency).clone();
    let signed = Envelope::of(&lane).unwrap().sign_as(21, KeyId("anna".into())).unwrap();
    let signed = signed.sign_as(22, KeyId("ben".into())).unwrap();
    forge.put_role("emergency", lane.version, signed.file());
    forge.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&forge).ends(0, "current", &["verified; something new came"]).recipe(path, "applied", "");
}

#[test]
fn wrong_role_signatures() {
    // True signatures of the routine lane's people, of targets' and of root's: none of them speaks for emergencies.
    for [one, two] in [[31, 32], [11, 12], [1, 2], [42, 43]] {
        let sign = |lane: Envelope| lane.sign(one).unwrap().sign(two).unwrap();
        refused(seen(), sign, "emergency: 0 of the 2 distinct keys needed have signed it");
    }
    // The routine lane's own file, whole and true, under the emergency lane's name.
    let mut forge = seen();
    let routine = forge.listed["routine"].clone();
    forge.put_role("emergency", routine.0 + 1, routine.1);
    forge.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&forge).ends(3, "refused", &["emergency: 0 of the 2 distinct keys"]).recipe(
        REPAIR,
        "unchanged",
        "",
    );
    victim.is_unharmed(&ONLINE).takes_honest_news(&seen());

    // A snapshot as timestamp: signed by the right key, and of the wrong type.
    let mut forge = seen();
    forge.online += 1;
    let snapshot = write::snapshot(forge.online, forge.root.expires, &[]);
    forge.put_timestamp(forge::signed(&snapshot, &[43]).unwrap());
    let victim = Victim::new();
    let words = ["timestamp: it states the type \"snapshot\" where \"timestamp\" is due"];
    victim.meets(&forge).ends(3, "refused", &words);
    victim.is_unharmed(&[]);
    // The timestamp's key on a snapshot.
    let mut forge = seen();
    forge.keys.insert("snapshot", vec![43]);
    forge.publish().unwrap();
    victim.meets(&forge).ends(3, "refused", &["snapshot: 0 of the 1 distinct keys needed have signed it"]);
    victim.is_unharmed(&["timestamp.json"]).takes_honest_news(&seen());
}
