//! Attacks on recipes that only people may open, by a thief who holds every online key.

use mulberry_lab::forge::{Forge, key_id, sign_opening, sign_opening_as};
use mulberry_shared::approval::Opening;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::gates::GateState;
use mulberry_shared::recipe::{Lane, Opens, Recipe, published};
use mulberry_shared::sampling::BasisPoints;
use mulberry_shared::tuf::threshold::Signature;

use super::scene::{REPAIR, Victim, good, seen};

const GUARDED: &str = "emergency/guarded.json";

/// A recipe that only people may open, published with its gate closed.
fn armed() -> (Forge, Recipe) {
    let recipe = Recipe { opens: Opens::People, ..good(GUARDED) };
    let mut forge = seen();
    forge.add(Lane::Emergency, GUARDED, &published::write(&recipe)).unwrap();
    forge.publish().unwrap();
    (forge, recipe)
}

/// What a thief puts beside the gate of a recipe, given what people would sign to open it for everyone.
type Attempt = fn(&Opening) -> Vec<Signature>;

/// Signatures over something else, under what the thief wants.
fn over(signed: Opening, numbers: &[u8]) -> Vec<Signature> {
    sign_opening(&signed, numbers).unwrap()
}

#[test]
fn opening_what_only_people_may_open() {
    let attempts: [(&str, usize, Attempt); 10] = [
        ("empty", 0, |_| vec![]),
        ("one", 1, |opening| over(opening.clone(), &[21])),
        ("two-by-one-key", 1, |opening| {
            [21, 22].map(|label| sign_opening_as(opening, 21, key_id(label).unwrap()).unwrap()).to_vec()
        }),
        ("another-lane", 0, |opening| over(opening.clone(), &[31, 32])),
        ("online-keys", 0, |opening| over(opening.clone(), &[41, 42, 43])),
        ("percentage", 0, |opening| over(Opening { percent: quarter(), ..opening.clone() }, &[21, 22])),
        ("revision", 0, |opening| over(Opening { revision: 2, ..opening.clone() }, &[21, 22])),
        ("path", 0, |opening| over(Opening { path: REPAIR.parse().unwrap(), ..opening.clone() }, &[21, 22])),
        ("bytes", 0, |opening| {
            over(Opening { sha256: Sha256Digest::of(b"other"), ..opening.clone() }, &[21, 22])
        }),
        ("instant", 0, |opening| over(Opening { since: opening.expires, ..opening.clone() }, &[21, 22])),
    ];
    let mut thief = seen();
    let arm = |forge: &mut Forge, name: &str| {
        let path = format!("emergency/{name}.json");
        let recipe = Recipe { opens: Opens::People, ..good(&path) };
        forge.add(Lane::Emergency, &path, &published::write(&recipe)).unwrap();
        (forge.opening(&recipe), recipe)
    };
    for (name, _, attempt) in &attempts {
        let (opening, recipe) = arm(&mut thief, name);
        thief.open_with(&recipe, Some(opening.approved(attempt(&opening))));
    }
    let (_, missing) = arm(&mut thief, "missing");
    thief.open_with(&missing, None);
    let (opening, wider) = arm(&mut thief, "wider");
    let narrow = Opening { percent: quarter(), ..opening };
    thief.open_with(&wider, Some(narrow.approved(over(narrow.clone(), &[21, 22]))));
    // What people signed to be open until now, and the same without that word of theirs.
    let (opening, lapsed) = arm(&mut thief, "lapsed");
    let until = Opening { open_until: Some(opening.since), ..opening };
    let signatures = over(until.clone(), &[21, 22]);
    thief.open_with(&lapsed, Some(until.approved(signatures.clone())));
    let (opening, longer) = arm(&mut thief, "longer");
    let until = Opening { open_until: Some(opening.since), ..opening.clone() };
    thief.open_with(&longer, Some(opening.approved(over(until, &[21, 22]))));
    thief.publish().unwrap();

    let victim = Victim::new();
    let met = victim.meets(&thief);
    met.ends(0, "current", &[]).recipe(REPAIR, "unchanged", "");
    for (name, count, _) in attempts {
        let words = format!(
            "only the people of the emergency lane may open it, and their signatures do not hold: {count} of the 2 distinct keys"
        );
        met.recipe(&format!("emergency/{name}.json"), "gate-closed", &words);
    }
    met.recipe("emergency/missing.json", "gate-closed", "and their signatures are missing");
    met.recipe("emergency/wider.json", "gate-closed", "they signed 25%, and its gate says 100%");
    met.recipe("emergency/lapsed.json", "gate-closed", "and they signed it to be open until ");
    met.recipe(
        "emergency/longer.json",
        "gate-closed",
        "their signatures do not hold: 0 of the 2 distinct keys",
    );
    victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);

    // What two of them sign opens it.
    let mut people = thief;
    let opening = people.opening(&wider);
    people.open_with(&wider, Some(opening.approved(over(opening.clone(), &[21, 23]))));
    people.publish().unwrap();
    victim.meets(&people).ends(0, "current", &[]).recipe("emergency/wider.json", "applied", "");
}

fn quarter() -> BasisPoints {
    BasisPoints::new(2_500).unwrap()
}

/// A later server may say more in a gate than this agent knows; so may a thief.
#[test]
fn a_gate_that_is_not_understood_closes_alone_and_undoes_nothing() {
    let (plain, fresh) = ("emergency/plain.json", "emergency/fresh.json");
    let mut forge = seen();
    for path in [plain, fresh] {
        forge.add_open(&good(path)).unwrap();
    }
    forge.gate(&REPAIR.parse().unwrap(), 1, GateState::Ended);
    let mut document: serde_json::Value = serde_json::from_slice(&forge.gates.write()).unwrap();
    document["schema_version"] = 9.into();
    document["later"] = "beside the gates".into();
    document["gates"][REPAIR]["later"] = true.into();
    document["gates"][fresh]["state"] = "ajar".into();
    forge.publish_gates_file(document.to_string().as_bytes()).unwrap();
    let victim = Victim::new();
    let met = victim.meets(&forge);
    met.ends(0, "current", &[]).recipe(plain, "applied", "").recipe(REPAIR, "unchanged", "");
    met.recipe(
        fresh,
        "gate-closed",
        "its gate is not understood, so it is closed here: its state \"ajar\" is not known",
    );
    // Without what it does not know, it is the end that it looked like.
    forge.publish().unwrap();
    victim.meets(&forge).recipe(REPAIR, "ended", "").recipe(fresh, "applied", "");
}

/// What the design accepts: a pause is the server's word, so a thief may take it back. Only what people sign withdraws for good.
#[test]
fn reopening_what_people_signed_and_have_not_withdrawn_is_all_that_a_thief_can_do() {
    let (armed, recipe) = armed();
    let opening = armed.opening(&recipe);
    let approval = opening.approved(sign_opening(&opening, &[21, 22]).unwrap());
    let mut honest = armed;
    honest.open_with(&recipe, Some(approval.clone()));
    honest.gate(&recipe.path(), 1, GateState::Paused);
    honest.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&honest).recipe(GUARDED, "paused", "");
    let mut withdrawn = honest.clone();
    let mut thief = honest;
    thief.online += 1;
    thief.open_with(&recipe, Some(approval.clone()));
    thief.publish().unwrap();
    victim.meets(&thief).recipe(GUARDED, "applied", "");

    // A revision of people's takes with it what they signed for the one before.
    let second = Recipe { revision: 2, ..recipe.clone() };
    withdrawn.add(Lane::Emergency, GUARDED, &published::write(&second)).unwrap();
    withdrawn.online += 10;
    withdrawn.open_with(&second, Some(approval));
    withdrawn.publish().unwrap();
    let met = Victim::new().meets(&withdrawn);
    met.recipe(GUARDED, "gate-closed", "their signatures do not hold");
}
