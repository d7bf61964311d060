//! Attacks on recipes that only people may open, by a thief who holds every online key.

use mulberry_lab::forge::{Forge, key_id, sign_opening, sign_opening_as};
use mulberry_shared::approval::{Approval, Opening};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::gates::GateState;
use mulberry_shared::recipe::{Lane, Opens, Recipe, published};
use mulberry_shared::sampling::BasisPoints;

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

#[test]
fn opening_what_only_people_may_open() {
    let (armed, recipe) = armed();
    let opening = armed.opening(&recipe);
    let by = |signed: &Opening, numbers: &[u8]| {
        // What stands beside the gate is what the thief wants, whatever was signed.
        Some(opening.approved(sign_opening(signed, numbers).unwrap()))
    };
    let one_key_twice = vec![
        sign_opening_as(&opening, 21, key_id(21).unwrap()).unwrap(),
        sign_opening_as(&opening, 21, key_id(22).unwrap()).unwrap(),
    ];
    let quarter = Opening { percent: BasisPoints::new(2_500).unwrap(), ..opening.clone() };
    let earlier = Opening { since: opening.expires, ..opening.clone() };
    let other_path = Opening { path: REPAIR.parse().unwrap(), ..opening.clone() };
    let other_bytes = Opening { sha256: Sha256Digest::of(b"other"), ..opening.clone() };
    let none = "only the people of the emergency lane may open it, and their signatures are missing";
    let few = |count: usize| format!("do not hold: {count} of the 2 distinct keys needed have signed it");
    let attempts: [(&str, Option<Approval>, String); 11] = [
        ("no signature", None, none.to_owned()),
        ("an empty list of them", by(&opening, &[]), few(0)),
        ("one", by(&opening, &[21]), few(1)),
        ("two by one key", Some(opening.approved(one_key_twice)), few(1)),
        ("two of another lane's people", by(&opening, &[31, 32]), few(0)),
        ("the online keys", by(&opening, &[41, 42, 43]), few(0)),
        ("for another percentage", by(&quarter, &[21, 22]), few(0)),
        ("for another revision", by(&Opening { revision: 2, ..opening.clone() }, &[21, 22]), few(0)),
        ("for another path", by(&other_path, &[21, 22]), few(0)),
        ("for other bytes", by(&other_bytes, &[21, 22]), few(0)),
        ("for another instant", by(&earlier, &[21, 22]), few(0)),
    ];
    let victim = Victim::new();
    for (number, (what, approval, words)) in (1_u64..).zip(attempts) {
        let mut thief = armed.clone();
        thief.online += number;
        thief.open_with(&recipe, approval);
        thief.publish().unwrap();
        let met = victim.meets(&thief);
        met.ends(0, "current", &[]).recipe(GUARDED, "gate-closed", &words).recipe(REPAIR, "unchanged", "");
        assert_eq!(victim.held().enrolled().len(), 2, "{what}");
    }
    // Wider than what they signed.
    let mut thief = armed.clone();
    thief.online += 50;
    thief.open_with(&recipe, Some(quarter.approved(sign_opening(&quarter, &[21, 22]).unwrap())));
    thief.publish().unwrap();
    victim.meets(&thief).recipe(GUARDED, "gate-closed", "they signed 25%, and its gate says 100%");
    victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);
    // What two of them sign opens it.
    let mut people = armed;
    people.online += 60;
    people.open_with(&recipe, by(&opening, &[21, 23]));
    people.publish().unwrap();
    victim.meets(&people).ends(0, "current", &[]).recipe(GUARDED, "applied", "");
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
