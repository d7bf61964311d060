//! No name in a ceremony adds, hides or forges a line of what people sign, and none that is no person's is signed.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::rules::RuleError;
use super::tests::{World, add, limits, revoke};
use super::*;
use crate::hostile;
use crate::text::shows;
use crate::tuf::key::PERSON;

/// The ceremony with other names in the place of those that its keys have.
fn renamed(ceremony: &Ceremony, name: &mut dyn FnMut(&str) -> String) -> Ceremony {
    let mut rename = |keys: &mut Value| {
        for key in keys.as_object_mut().unwrap().values_mut() {
            let Some(old) = key.get(PERSON).and_then(Value::as_str) else { continue };
            key[PERSON] = name(old).into();
        }
    };
    let mut parts = BTreeMap::new();
    for (role, part) in ceremony.parts() {
        let mut envelope: Value = serde_json::from_slice(&part.metadata()).unwrap();
        let signed = &mut envelope["signed"];
        match role {
            Role::Root => rename(&mut signed["keys"]),
            Role::Targets => rename(&mut signed["delegations"]["keys"]),
            Role::Emergency | Role::Routine => {}
        }
        parts.insert(*role, serde_json::to_vec(&envelope).unwrap());
    }
    Ceremony::of_parts(&parts, &limits()).unwrap()
}

/// Lines that are no key's, in order; and how many keys come, go and stay.
fn skeleton(text: &str) -> (Vec<&str>, BTreeMap<&str, usize>) {
    let (mut ours, mut rows) = (Vec::new(), BTreeMap::new());
    for line in text.split('\n') {
        match line.get(..4) {
            Some(mark @ ("  + " | "  - " | "    ")) => *rows.entry(mark).or_insert(0) += 1,
            _ => ours.push(line),
        }
    }
    (ours, rows)
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

proptest! {
    #[test]
    fn no_name_adds_hides_or_forges_a_line(names in vec(hostile::text(), 1..20)) {
        let world = &*WORLD;
        // Everybody's key goes and comes under another name, in root and below targets; and a renewal.
        let steps = [revoke(Role::Emergency, "a"), add(Role::Emergency, 24), Step::Renew { role: Role::Root }];
        let ceremony = world.make(&steps).unwrap();
        let (mut number, mut texts) = (0, names.iter().cycle());
        let harmless = renamed(&ceremony, &mut |_| {
            number += 1;
            format!("x{number}")
        });
        // Never by chance a name that is there already.
        let hostile = renamed(&ceremony, &mut |_| format!("{}!", texts.next().unwrap()));
        let say = |ceremony: &Ceremony| ceremony.describe(&world.live(), world.now).unwrap();
        let (one, other) = (say(&harmless), say(&hostile));
        prop_assert_eq!(skeleton(&one), skeleton(&other), "{}\n{}", one, other);
        let progress = |ceremony: &Ceremony| ceremony.progress(&world.live(), &limits()).unwrap();
        prop_assert_eq!(progress(&harmless).lines().count(), progress(&hostile).split('\n').count());
        for text in [other, progress(&hostile)] {
            prop_assert!(text.chars().all(|c| shows(c) || c == '\n'), "{:?}", text);
        }
        let refused = hostile.check(&world.live(), &limits()).unwrap_err();
        prop_assert!(matches!(refused, Unfit::Rules(RuleError::NotAPerson { .. })), "{:?}", refused);
        // What says so is one line, too.
        let sentence = refused.to_string();
        prop_assert!(sentence.chars().all(shows), "{:?}", sentence);
    }
}

#[test]
fn a_name_with_lines_in_it_cannot_exchange_a_key_unseen() {
    let world = World::new();
    // Root's c gets another key, under a name that ends the list before it and says that nothing changes.
    let steps = [revoke(Role::Root, "c"), add(Role::Root, 4)];
    let lie = "c\nNo key and no threshold changes: it is signed again before it expires.\n";
    let ceremony = renamed(&world.make(&steps).unwrap(), &mut |old| {
        if old == "d" { lie.to_owned() } else { old.to_owned() }
    });
    let text = ceremony.describe(&world.live(), world.now).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("No key and no threshold changes")), "{text}");
    let refused = ceremony.check(&world.live(), &limits());
    assert!(matches!(refused, Err(Unfit::Rules(RuleError::NotAPerson { .. }))), "{refused:?}");
    // A ledger in which one stands already reads for ever.
    assert_eq!(ceremony.check_recorded(&world.live(), &limits()), Ok(()));
}

#[test]
fn a_blank_or_a_look_alike_makes_nobody_two() {
    let world = World::new();
    let ceremony = world.make(&[Step::Threshold { role: Role::Emergency, threshold: 3 }]).unwrap();
    let names = |names: [&str; 3]| {
        let of =
            |old: &str| names[["a", "b", "c"].iter().position(|known| *known == old).unwrap()].to_owned();
        renamed(&ceremony, &mut |old| of(old))
    };
    for (twice, words) in [
        (["person-1", "person-2", "person-2 "], "\"person-2 \", which is no name of a person"),
        (["person-1", "person-2", "person-l"], "names that look alike"),
        (["person-1", "person-2", "Person-2"], "would hold two keys"),
        (["person-1", "person-2", "pers\u{43e}n-2"], "which is no name of a person"),
    ] {
        let refused = names(twice).check(&world.live(), &limits()).unwrap_err();
        assert!(matches!(refused, Unfit::Rules(_)) && refused.to_string().contains(words), "{refused}");
    }
    assert_eq!(names(["person-1", "person-2", "person-3"]).check(&world.live(), &limits()), Ok(()));
}

#[test]
fn names_that_are_not_allowed_any_more_are_replaced_in_one_step_and_nothing_is_signed_anew() {
    let world = World::with_names(&|name| match name {
        "a" => "Mei Lin".to_owned(),
        "b" => "b ".to_owned(),
        other => format!("{other}\n"),
    });
    let to = |who: &str, name: &str| Step::Rename { who: who.into(), to: name.parse().unwrap() };
    let renewed = world.make(&[Step::Renew { role: Role::Root }]).unwrap_err().to_string();
    assert!(renewed.contains("mulberryctl root rename "), "{renewed}");
    let some = [to("Mei Lin", "mei-lin"), to("b ", "bo")];
    assert!(world.make(&some).is_err(), "c has a line end in their name still");
    let all = [some.as_slice(), &[to("c\n", "carol")]].concat();
    let ceremony = world.signed(&all, &[1, 2, 11, 12]);
    assert_eq!(ceremony.parts().keys().copied().collect::<Vec<_>>(), [Role::Root, Role::Targets]);
    let text = ceremony.describe(&world.live(), world.now).unwrap();
    for line in [
        "  - \"Mei Lin\"    ed25519 ",
        "  + mei-lin      ed25519 ",
        "  - \"c\\n\"        ed25519 ",
        "  + carol        ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let next = world.next(&ceremony).unwrap();
    assert!(next.lanes.is_empty());
    let digits = "0".repeat(16);
    let nobody = world.make(&[to(&digits, "zoe")]).unwrap_err().to_string();
    assert!(nobody.contains("holds no key; keys are held by"), "{nobody}");
}

#[test]
fn a_key_says_nothing_that_people_are_not_shown() {
    let world = World::new();
    let ceremony = world.make(&[add(Role::Root, 4)]).unwrap();
    let mut envelope: Value = serde_json::from_slice(&ceremony.parts()[&Role::Root].metadata()).unwrap();
    for key in envelope["signed"]["keys"].as_object_mut().unwrap().values_mut() {
        key["x-more"] = 1.into();
    }
    let parts = BTreeMap::from([(Role::Root, serde_json::to_vec(&envelope).unwrap())]);
    let refused = Ceremony::of_parts(&parts, &limits()).unwrap().check(&world.live(), &limits());
    assert!(matches!(refused, Err(Unfit::Part { role: Role::Root, .. })), "{refused:?}");
}
