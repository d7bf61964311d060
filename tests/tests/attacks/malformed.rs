//! Metadata that readers could read differently, under signatures that are all true.

use mulberry_lab::forge::{Envelope, Forge};
use mulberry_shared::recipe::Lane;

use super::scene::{EVIL, REPAIR, Victim, list_evil, seen};

/// What has advanced when the thief of the online keys has signed and the lane was refused.
const ONLINE: [&str; 4] = ["files", "gates.json", "snapshot.json", "timestamp.json"];

fn timestamp(forge: &Forge) -> Envelope {
    let snapshot = &forge.files[&format!("metadata/{}.snapshot.json", forge.online)];
    Envelope::of(&forge.timestamp(forge.online, snapshot)).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn version_overflow() {
    let mut forge = seen();
    forge.publish().unwrap();
    let version = format!("\"version\":{}}}", forge.online);
    let victim = Victim::new();
    // Truly signed: a reader that wraps, rounds or saturates would take them for some version.
    for (number, words) in [
        ("18446744073709551616", "a number is not an integer of 64 bits"),
        ("18446744073709551619", "a number is not an integer of 64 bits"),
        ("340282366920938463463374607431768211459", "a number is not an integer of 64 bits"),
        ("1e400", "not valid JSON: number out of range"),
        ("3.0", "a number is not an integer of 64 bits"),
        ("3e0", "a number is not an integer of 64 bits"),
        ("-1", "not the expected document: invalid value: integer `-1`, expected u64"),
        ("\"3\"", "not the expected document: invalid type: string"),
        ("0", "its version is 0; versions start at 1"),
    ] {
        let signed = timestamp(&forge).signed.replace(&version, &format!("\"version\":{number}}}"));
        assert_ne!(signed, timestamp(&forge).signed);
        let mut hostile = forge.clone();
        hostile.put_timestamp(Envelope::of_text(&signed).sign(43).unwrap().file());
        victim.meets(&hostile).ends(3, "refused", &["timestamp: ", words]).recipe(REPAIR, "unchanged", "");
        victim.is_unharmed(&[]);
    }
    // The largest version there is has no successor: the next root is not asked for in vain.
    let mut honest = seen();
    honest.root.version = u64::MAX - 1;
    honest.rotate(&[]).unwrap();
    honest.put_root_file(2, honest.files[&format!("metadata/{}.root.json", u64::MAX)].clone());
    let words = ["root: version 18446744073709551615 follows version 1; it must be the very next one"];
    victim.meets(&honest).ends(3, "refused", &words);
    victim.is_unharmed(&[]).takes_honest_news(&seen());
}

#[test]
fn metadata_with_trailing_data() {
    let mut forge = seen();
    list_evil(&mut forge);
    forge.publish().unwrap();
    let victim = Victim::new();
    let good = text(timestamp(&forge).sign(43).unwrap().file());
    for more in ["{}", " null", "\0", "\u{feff}", &good] {
        let mut hostile = forge.clone();
        hostile.put_timestamp(format!("{good}{more}").into_bytes());
        victim.meets(&hostile).ends(
            3,
            "refused",
            &["timestamp: not valid JSON: trailing characters", "; the file is metadata/timestamp.json"],
        );
        victim.is_unharmed(&[]);
    }
    // Behind a lane, where the snapshot's length and hash include it.
    let mut hostile = seen();
    let (version, bytes) = hostile.listed["emergency"].clone();
    hostile.put_role("emergency", version + 1, [bytes, b"{}".to_vec()].concat());
    hostile.publish().unwrap();
    victim.meets(&hostile).ends(3, "refused", &["emergency: not valid JSON: trailing characters"]);
    victim.is_unharmed(&ONLINE[1..]).takes_honest_news(&seen());
}

#[test]
fn duplicated_json_keys() {
    let mut forge = seen();
    let true_lane = text(forge.listed["emergency"].1.clone());
    list_evil(&mut forge);
    let version = forge.lane(Lane::Emergency).version;
    let evil = Envelope::of(forge.lane(Lane::Emergency)).unwrap();
    let envelope = |members: &str| format!("{{{members}}}").into_bytes();
    let members = true_lane.trim_start_matches('{').trim_end_matches('}');
    assert!(envelope(&format!("{members}}}")).ends_with(b"}}"), "the signed part closes the file");
    let members = format!("{members}}}");
    // A reader that checks the first and uses the last, or the other way round, takes what nobody signed.
    let files = [
        ("signed", envelope(&format!("{members},\"signed\":{}", evil.signed))),
        ("signed", envelope(&format!("\"signed\":{},{members}", evil.signed))),
        ("signed", envelope(&format!("\"s\\u0069gned\":{},{members}", evil.signed))),
        ("signatures", envelope(&format!("\"signatures\":[],{members}"))),
    ];
    let victim = Victim::new();
    for (key, file) in files {
        let mut hostile = forge.clone();
        forge.online += 1;
        hostile.put_role("emergency", version, file);
        hostile.publish().unwrap();
        let words = format!("emergency: the key \"{key}\" appears twice in one object");
        victim.meets(&hostile).ends(3, "refused", &[&words]).knows_no(EVIL).recipe(REPAIR, "unchanged", "");
        victim.is_unharmed(&ONLINE);
    }
    // Inside of what two people signed: which of the two versions did they read?
    let lane =
        evil.signed.replacen("\"spec_version\"", "\"expires\":\"2100-01-01T00:00:00Z\",\"spec_version\"", 1);
    let lane = Envelope::of_text(&lane).sign(21).unwrap().sign(22).unwrap();
    forge.put_role("emergency", version, lane.file());
    forge.publish().unwrap();
    let words = ["emergency: the key \"expires\" appears twice in one object"];
    victim.meets(&forge).ends(3, "refused", &words).knows_no(EVIL);
    victim.is_unharmed(&ONLINE).takes_honest_news(&seen());
}
