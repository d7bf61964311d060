//! Any text as the name of a person, as a text in what people read, and as the name of whoever holds a key in a ceremony: it adds,
//! hides and forges no line, and no ceremony passes with a name that is no person's.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mulberry_shared::answer::plain;
use mulberry_shared::ceremony::{Ceremony, Live, plan};
use mulberry_shared::ceremony::{Lone, Step};
use mulberry_shared::edition::write::{self, Holders, LaneHolders, RootHolders};
use mulberry_shared::limits::Limits;
use mulberry_shared::outside::{behind, listed};
use mulberry_shared::proposal::Role;
use mulberry_shared::tuf::{Ed25519Signer, Person, Root, Signer, Targets, Verified, verify};
use serde_json::Value;

const LABEL: &str = "name       ";

fn now() -> jiff::Timestamp {
    "2026-11-22T00:00:00Z".parse().expect("a time")
}

/// What is live: one person with a key for each role.
static LIVE: LazyLock<(Verified<Root>, Verified<Targets>)> = LazyLock::new(|| {
    let key = |number: u8| Ed25519Signer::from_seed(&[number; 32]).expect("a key");
    let person: Person = "somebody".parse().expect("a name");
    let own = |number: u8| Holders::one(key(number).held_by(&person).key());
    let online = |number: u8| Holders::one(key(number).key());
    let expires = "2027-01-01T00:00:00Z".parse().expect("a time");
    let top = RootHolders { root: own(1), targets: own(2), snapshot: online(3), timestamp: online(4) };
    let lanes = LaneHolders { emergency: own(5), routine: own(6), gates: online(7) };
    let (root, targets) = (write::root(1, expires, &top), write::targets(1, expires, &lanes));
    let limits = Limits::default();
    let root = verify::pinned_root(&write::sign(&root, &[&key(1)]).expect("signs"), &limits).expect("a root");
    let targets = write::sign(&targets, &[&key(2)]).expect("signs");
    let targets = verify::top_level(&root, &targets, &limits).expect("targets");
    (root, targets)
});

fn live() -> Live<'static> {
    let (root, targets) = &*LIVE;
    Live { root, targets, lanes: BTreeMap::new() }
}

/// The next root and targets with every key held by somebody of this name.
fn held_by(name: &str, limits: &Limits) -> Option<Ceremony> {
    let steps = [Role::Root, Role::Targets].map(|role| Step::Renew { role });
    let made = plan::make(&live(), &steps, Lone::Refuse, now(), limits).expect("a renewal");
    let rename = |keys: &mut Value| {
        for key in keys.as_object_mut().expect("keys").values_mut() {
            if let Some(person) = key.get_mut("x-mulberry-person") {
                *person = name.into();
            }
        }
    };
    let parts = made.parts().iter().map(|(role, part)| {
        let mut envelope: Value = serde_json::from_slice(&part.metadata()).expect("metadata");
        let signed = &mut envelope["signed"];
        rename(if *role == Role::Root { &mut signed["keys"] } else { &mut signed["delegations"]["keys"] });
        (*role, serde_json::to_vec(&envelope).expect("JSON"))
    });
    Ceremony::of_parts(&parts.collect(), limits).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let person = text.parse::<Person>();
    if let Ok(person) = &person {
        assert!(person.to_string() == text && text.is_ascii() && plain(&text) == text);
        assert_eq!(
            person.folded().parse::<Person>().expect("folded, it is a name").folded(),
            person.folded()
        );
    }

    for (index, line) in behind(LABEL, &text).lines().enumerate() {
        let begins = if index == 0 { LABEL.to_owned() } else { format!("{}… ", " ".repeat(LABEL.len())) };
        assert!(line.starts_with(&begins) && line.chars().count() <= 78 && plain(line) == line, "{line:?}");
    }
    let words = listed(&[text.clone().into_owned(), "x".to_owned()]);
    assert!(plain(&words) == words && words.ends_with(", x"), "{words:?}");

    let limits = Limits::default();
    let Some(ceremony) = held_by(&text, &limits) else { return };
    let harmless = held_by("other", &limits).expect("a ceremony");
    let words = ceremony.describe(&live(), now()).expect("words");
    if text != "somebody" {
        let expected = harmless.describe(&live(), now()).expect("words");
        assert_eq!(words.lines().count(), expected.lines().count(), "{words}");
        assert!(!words.contains("\nNo key and no threshold changes"), "{words}");
    }
    assert!(words.lines().all(|line| plain(line) == line), "{words:?}");
    assert_eq!(ceremony.check(&live(), &limits).is_ok(), person.is_ok(), "{text:?}");
});
