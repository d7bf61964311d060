use std::collections::BTreeSet;

use super::plan::make;
use super::public::PublicKeys;
use super::*;
use crate::edition::test_repository::{Repository, signer};
use crate::tuf::key::PERSON;
use crate::tuf::{Key, Signer, TrustErrorKind};

pub(super) fn limits() -> Limits {
    Limits::default()
}

/// People a, b, c with the keys 1 to 3 (root), 11 to 13, 21 to 23, 31 to 33; the server has 41 to 43.
pub(super) struct World {
    pub(super) now: Timestamp,
    root: Verified<Root>,
    targets: Verified<Targets>,
    lanes: BTreeMap<Lane, Verified<Targets>>,
}

fn held(number: u8) -> Key {
    let person = ["a", "b", "c", "d"][usize::from(number % 10) - 1];
    signer(number).key().clone().held_by(&person.parse().unwrap())
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_names(&|name| name.to_owned())
    }

    /// The same with other names, which need not be a person's.
    pub(super) fn with_names(name: &dyn Fn(&str) -> String) -> Self {
        let mut repository = Repository::new();
        let (root, targets) = repository.top_level();
        let delegations = targets.delegations.as_mut().unwrap();
        for key in root.keys.values_mut().chain(delegations.keys.values_mut()) {
            let number = (1..40).find(|number| signer(*number).key().public() == key.public());
            if let Some(number) = number {
                let person = held(number).person().unwrap().to_string();
                let mut object = serde_json::to_value(signer(number).key()).unwrap();
                object[PERSON] = name(&person).into();
                *key = serde_json::from_value(object).unwrap();
            }
        }
        repository.put_root();
        repository.put_targets();
        repository.add(Lane::Emergency, "a", b"{}");
        repository.publish();
        let (state, report) = repository.refresh(&repository.pinned());
        assert_eq!(report.errors().count(), 0, "{report:?}");
        let role = |role: &str| state.trusted().targets(role).unwrap().clone();
        Self {
            now: repository.now,
            root: state.trusted().root().clone(),
            targets: role("targets"),
            lanes: Lane::ALL.into_iter().map(|lane| (lane, role(lane.as_str()))).collect(),
        }
    }

    pub(super) fn live(&self) -> Live<'_> {
        let lanes = self.lanes.iter().map(|(lane, held)| (*lane, held)).collect();
        Live { root: &self.root, targets: &self.targets, lanes }
    }

    pub(super) fn make(&self, steps: &[Step]) -> Result<Ceremony, PlanError> {
        make(&self.live(), steps, Lone::Refuse, self.now, &limits())
    }

    pub(super) fn signed(&self, steps: &[Step], keys: &[u8]) -> Ceremony {
        let mut ceremony = self.make(steps).unwrap();
        ceremony.check(&self.live(), &limits()).unwrap();
        keys.iter().for_each(|key| drop(ceremony.sign(&self.live(), &signer(*key)).unwrap()));
        ceremony
    }

    pub(super) fn next(&self, ceremony: &Ceremony) -> Result<Next, TrustErrorKind> {
        let complete = ceremony.is_complete(&self.live(), &limits()).unwrap();
        let next = ceremony.verify(&self.live(), &limits()).map_err(|error| error.kind);
        assert_eq!(complete, next.is_ok(), "counting and verifying agree");
        next
    }
}

pub(super) fn add(role: Role, number: u8) -> Step {
    Step::Add { role, key: held(number) }
}

pub(super) fn revoke(role: Role, who: &str) -> Step {
    Step::Revoke { role, who: who.into() }
}

fn roles(ceremony: &Ceremony) -> Vec<Role> {
    ceremony.parts().keys().copied().collect()
}

#[test]
fn a_new_root_takes_the_thresholds_of_both_roots() {
    let world = World::new();
    let steps = [
        revoke(Role::Root, "a"),
        add(Role::Root, 4),
        revoke(Role::Root, "b"),
        Step::Threshold { role: Role::Root, threshold: 2 },
    ];
    for (keys, enough) in [(&[1, 2][..], false), (&[3, 4], false), (&[1, 3, 4], true), (&[1, 2, 3, 4], true)]
    {
        let ceremony = world.signed(&steps, keys);
        assert_eq!(roles(&ceremony), [Role::Root]);
        assert_eq!(world.next(&ceremony).is_ok(), enough, "{keys:?}");
    }
    let text = world.signed(&steps, &[1]).progress(&world.live(), &limits()).unwrap();
    assert!(text.contains("root, by its present keys: signed by a; missing 1 of b, c"), "{text}");
    assert!(text.contains("root, by its next keys: signed by nobody; missing 2 of c, d"), "{text}");
}

#[test]
fn what_is_said_is_computed_from_the_bytes() {
    let world = World::new();
    let steps = [revoke(Role::Emergency, "A"), add(Role::Emergency, 24)];
    let text = world.make(&steps).unwrap().describe(&world.live(), world.now).unwrap();
    let print = |number| held(number).public().unwrap().fingerprint().to_string()[..16].to_owned();
    for line in [
        "Targets version 1 to 2; signed until 2027-05-04T00:00:00Z".to_owned(),
        "emergency: 2 of 3 sign before, 2 of 3 after\n".to_owned(),
        format!("  - a            ed25519 {}\n", print(21)),
        format!("    b            ed25519 {}\n", print(22)),
        format!("  + d            ed25519 {}\n", print(24)),
    ] {
        assert!(text.contains(&line), "{line}\n{text}");
    }
    assert!(!text.contains("routine:"), "{text}");
    let text =
        world.make(&[Step::Renew { role: Role::Root }]).unwrap().describe(&world.live(), world.now).unwrap();
    assert!(text.contains("No key and no threshold changes"), "{text}");
}

#[test]
fn a_lane_whose_signatures_would_not_count_any_more_is_signed_anew_with_it() {
    let world = World::new();
    // The lanes were signed by a and b.
    let ceremony = world.make(&[revoke(Role::Emergency, "c")]).unwrap();
    assert_eq!(roles(&ceremony), [Role::Targets]);
    let steps = [revoke(Role::Emergency, "a")];
    let ceremony = world.signed(&steps, &[11, 12, 22, 23]);
    assert_eq!(roles(&ceremony), [Role::Targets, Role::Emergency]);
    let next = world.next(&ceremony).unwrap();
    let (old, new) = (&world.lanes[&Lane::Emergency], &next.lanes[&Lane::Emergency]);
    assert_eq!((new.version, &new.targets), (old.version + 1, &old.targets));
    // The revoked key counts for nothing there.
    let mut short = world.make(&steps).unwrap();
    assert!(short.sign(&world.live(), &signer(21)).is_err());
    // Without the lane it is refused by whoever would sign or publish it.
    let mut parts: BTreeMap<_, _> =
        ceremony.parts().iter().map(|(role, part)| (*role, part.metadata())).collect();
    parts.remove(&Role::Emergency);
    let without = Ceremony::of_parts(&parts, &limits()).unwrap();
    let refused = without.check(&world.live(), &limits());
    assert_eq!(refused, Err(Unfit::Unverifiable { role: Role::Emergency }));

    // Above: root's view of targets. Targets was signed by a and b.
    assert_eq!(roles(&world.make(&[revoke(Role::Targets, "b")]).unwrap()), [Role::Root, Role::Targets]);
    // A higher threshold alone takes new signatures too.
    let three = Step::Threshold { role: Role::Routine, threshold: 3 };
    assert_eq!(roles(&world.make(&[three]).unwrap()), [Role::Targets, Role::Routine]);
}

#[test]
fn what_would_lock_people_out_or_make_one_person_two_is_refused() {
    let world = World::new();
    let refused = |steps: &[Step]| world.make(steps).unwrap_err().to_string();
    let threshold = |threshold| Step::Threshold { role: Role::Root, threshold };
    for (steps, words) in [
        (vec![threshold(4)], "would have 3 people, and 4 of them must sign"),
        (vec![threshold(0)], "0 of them must sign"),
        (vec![revoke(Role::Root, "a"), revoke(Role::Root, "b")], "would have 1 people, and 2"),
        (vec![threshold(1)], "--accept one-person-alone"),
        (vec![threshold(2)], "nothing would change"),
        (vec![revoke(Role::Root, "zoe")], "its keys are held by a, b, c"),
        (vec![add(Role::Root, 1)], "may sign for the root role already"),
        (vec![add(Role::Root, 14), add(Role::Root, 4)], "d would hold two keys of the root role"),
        (vec![add(Role::Root, 14), add(Role::Targets, 14)], "serve both root and targets"),
        (vec![add(Role::Emergency, 31)], "a would hold two keys"),
        (vec![add(Role::Root, 44)], "serve both"),
        (vec![Step::Add { role: Role::Root, key: signer(50).key().clone() }], "names no person"),
        (vec![Step::Renew { role: Role::Routine }], "publish --renew routine"),
    ] {
        let steps: Vec<Step> = steps;
        if words == "serve both" {
            // The server's own key, dressed as a person's.
            let key = signer(41).key().clone().held_by(&"d".parse().unwrap());
            let said = refused(&[Step::Add { role: Role::Root, key }]);
            assert!(said.contains(words), "{said}");
            continue;
        }
        let said = refused(&steps);
        assert!(said.contains(words), "{words}: {said}");
    }
    let alone = make(&world.live(), &[threshold(1)], Lone::OnePersonAlone, world.now, &limits()).unwrap();
    let text = alone.describe(&world.live(), world.now).unwrap();
    assert!(text.contains("WARNING: one person alone could sign for root"), "{text}");
    let pair = world.make(&[revoke(Role::Root, "c")]).unwrap().describe(&world.live(), world.now).unwrap();
    assert!(pair.contains("WARNING: all 2 must sign for root; one lost key"), "{pair}");
}

#[test]
fn online_keys_change_root_and_targets_together() {
    let world = World::new();
    let keys = [("snapshot", 51), ("timestamp", 52), ("gates", 53)];
    let keys = keys.map(|(role, number)| (role.to_owned(), signer(number).key().clone()));
    let ceremony = world.signed(&[Step::Online { keys: keys.clone().into() }], &[1, 2, 11, 13]);
    assert_eq!(roles(&ceremony), [Role::Root, Role::Targets]);
    let next = world.next(&ceremony).unwrap();
    let root = next.root.unwrap();
    assert_eq!(root.roles["timestamp"].keyids, [signer(52).key_id()]);
    assert!(!root.keys.contains_key(&signer(43).key_id()), "the old key is named nowhere");
    let mut persons = keys.to_vec();
    persons[0].1 = persons[0].1.clone().held_by(&"d".parse().unwrap());
    let refused = world.make(&[Step::Online { keys: persons.into_iter().collect() }]).unwrap_err();
    assert!(refused.to_string().contains("names a person"), "{refused}");
}

type Change<'a> = &'a dyn Fn(&mut Value);

#[test]
fn a_ceremony_changes_keys_thresholds_and_expiry_and_nothing_else() {
    let world = World::new();
    let good = world.make(&[revoke(Role::Emergency, "a"), Step::Renew { role: Role::Root }]).unwrap();
    assert_eq!(good.check(&world.live(), &limits()), Ok(()));
    let tampered = |role: Role, change: Change<'_>| {
        let mut parts: BTreeMap<_, _> =
            good.parts().iter().map(|(role, part)| (*role, part.metadata())).collect();
        let mut envelope: Value = serde_json::from_slice(&parts[&role]).unwrap();
        change(&mut envelope["signed"]);
        parts.insert(role, serde_json::to_vec(&envelope).unwrap());
        let ceremony = Ceremony::of_parts(&parts, &limits()).unwrap();
        assert_ne!(ceremony.id(), good.id());
        ceremony.check(&world.live(), &limits())
    };
    let paths = |signed: &mut Value| signed["delegations"]["roles"][0]["paths"] = serde_json::json!(["*"]);
    let changes: [(Role, Change<'_>); 6] = [
        (Role::Root, &|signed| signed["consistent_snapshot"] = false.into()),
        (Role::Root, &|signed| signed["x-other"] = 1.into()),
        (Role::Targets, &paths),
        (Role::Targets, &|signed| signed["targets"] = serde_json::json!({"x": {"length": 1, "hashes": {}}})),
        (Role::Emergency, &|signed| signed["targets"] = serde_json::json!({})),
        (Role::Root, &|signed| signed["version"] = 3.into()),
    ];
    for (index, (role, change)) in changes.into_iter().enumerate() {
        let refused = tampered(role, change);
        assert!(matches!(refused, Err(Unfit::Part { .. })), "{index}: {refused:?}");
    }
    assert!(matches!(
        tampered(Role::Root, &|signed| signed["version"] = 1.into()),
        Err(Unfit::Overtaken { .. })
    ));
    let idle = tampered(Role::Root, &|signed| {
        signed["keys"]["spare"] = serde_json::to_value(held(4)).unwrap();
    });
    assert_eq!(idle, Err(Unfit::Rules(rules::RuleError::Idle)));
    assert!(good.check_unexpired(world.now).is_ok());
    assert!(good.check_unexpired(Timestamp::MAX).is_err());
}

#[test]
fn signatures_that_hold_are_merged_and_others_left_out() {
    let world = World::new();
    let steps = [revoke(Role::Emergency, "a")];
    let (one, other) = (world.signed(&steps, &[11, 22]), world.signed(&steps, &[12, 23, 22]));
    let merged = one.merged(&other, &world.live(), &limits()).unwrap();
    assert_eq!(merged, other.merged(&one, &world.live(), &limits()).unwrap());
    assert!(merged.is_complete(&world.live(), &limits()).unwrap());
    assert_eq!(merged.signatures_beyond(&one).values().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(one.idle_signature(&world.live(), &limits()), Ok(None));
    let mut false_one = one.clone();
    let part = false_one.parts.get_mut(&Role::Targets).unwrap();
    part.signatures.values_mut().for_each(|signature| signature.sig = "00".repeat(64));
    assert_eq!(false_one.idle_signature(&world.live(), &limits()).unwrap().unwrap().0, Role::Targets);
    assert_eq!(false_one.merged(&one, &world.live(), &limits()).unwrap(), one);
    assert_eq!(one.broken(&world.live(), &limits()), Ok(Vec::new()));
    let names = crate::proposal::signing::names(&false_one.broken(&world.live(), &limits()).unwrap());
    assert_eq!(names, "a", "whose signature of targets is false");
    let different = world.signed(&[Step::Renew { role: Role::Root }], &[]);
    assert!(matches!(one.merged(&different, &world.live(), &limits()), Err(CeremonyError::Different { .. })));
}

#[test]
fn who_loses_a_key_and_keeps_others_is_named() {
    let world = World::new();
    let kept = |steps: &[Step]| {
        let all = plan::kept(&world.live(), steps).unwrap();
        let roles =
            |roles: BTreeSet<Role>| roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ");
        all.into_iter()
            .map(|one| (one.person.to_string(), roles(one.lost), roles(one.kept)))
            .collect::<Vec<_>>()
    };
    let of = |person: &str, lost: &str, kept: &str| (person.to_owned(), lost.to_owned(), kept.to_owned());
    assert_eq!(kept(&[revoke(Role::Root, "C")]), [of("c", "root", "targets emergency routine")]);
    let digits = signer(11).key().public().unwrap().fingerprint().to_string()[..8].to_owned();
    let one_key = Step::Revoke { role: Role::Targets, who: digits };
    assert_eq!(kept(&[one_key]), [of("a", "targets", "root emergency routine")]);
    assert_eq!(kept(&Role::PEOPLE.map(|role| revoke(role, "c"))), []);
    assert_eq!(kept(&[add(Role::Root, 4), Step::Renew { role: Role::Root }]), []);
    let leaving = |steps: &[Step]| {
        let leaving = world.make(steps).unwrap().leaving(&world.live()).unwrap();
        leaving.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(leaving(&[revoke(Role::Root, "C"), add(Role::Root, 4)]), ["c"]);
    assert!(leaving(&[add(Role::Root, 4), Step::Renew { role: Role::Root }]).is_empty());
}

#[test]
fn a_ceremony_changed_after_somebody_signed_it_shows_whose_signature_is_void() {
    let world = World::new();
    let broken = |ceremony: &Ceremony| {
        crate::proposal::signing::names(&ceremony.broken(&world.live(), &limits()).unwrap())
    };
    let lower = Step::Threshold { role: Role::Root, threshold: 1 };
    let signed = world.signed(&[add(Role::Root, 4)], &[1, 4]);
    assert_eq!(broken(&signed), "nobody");
    let mut changed =
        make(&world.live(), &[add(Role::Root, 4), lower], Lone::OnePersonAlone, world.now, &limits())
            .unwrap();
    let signatures = signed.signatures_beyond(&changed);
    changed = changed.with_signatures(&signatures);
    assert_eq!(broken(&changed), "a, d", "by a present key and by a next one");
    // Who goes signs with a key of the present root, which the next one does not know; a stranger's label is nobody's.
    let mut leaving = world.signed(&[revoke(Role::Root, "a")], &[1, 2]);
    let part = leaving.parts.get_mut(&Role::Root).unwrap();
    let stranger = Signature { keyid: KeyId("x".into()), sig: "00".into(), other: BTreeMap::new() };
    part.signatures.insert(stranger.keyid.clone(), stranger);
    assert_eq!(broken(&leaving), "nobody");
}

#[test]
fn documents_and_public_keys_are_strict_and_bounded() {
    let world = World::new();
    let ceremony = world.signed(&[revoke(Role::Emergency, "a")], &[11]);
    let file = ceremony.write().unwrap();
    assert!(document::is_one(&file, &limits()));
    assert_eq!(Ceremony::read(&file, &limits()).unwrap(), ceremony);
    let with_base = ceremony.clone().on(b"bundle".to_vec());
    assert_eq!(Ceremony::read(&with_base.write().unwrap(), &limits()).unwrap(), with_base);
    let text = String::from_utf8(file).unwrap();
    let read = |text: &str| Ceremony::read(text.as_bytes(), &limits()).unwrap_err();
    assert_eq!(read(&text.replacen("\"format\":1", "\"format\":2", 1)), CeremonyError::Newer { found: 2 });
    for (from, to) in [
        ("\"format\":1,", ""),
        ("\"format\":1", "\"format\":1,\"more\":1"),
        ("\"kind\":\"ceremony\"", "\"kind\":\"wedding\""),
        ("\"emergency\":\"", "\"gates\":\""),
        ("\"targets\":\"", "\"targets\":\"!"),
    ] {
        assert!(matches!(read(&text.replacen(from, to, 1)), CeremonyError::Malformed(_)), "{from}");
    }
    let mut small = limits();
    small.proposal.bytes = 100;
    let large = Ceremony::read(text.as_bytes(), &small);
    assert!(matches!(large, Err(CeremonyError::TooLarge { limit: 100, .. })), "{large:?}");

    let keys = [(Role::Root, 4), (Role::Targets, 14)];
    let keys = keys.map(|(role, number)| (role.to_string(), held(number))).into();
    let public = PublicKeys { person: Some("d".parse().unwrap()), keys };
    let text = String::from_utf8(public.write().unwrap()).unwrap();
    assert_eq!(PublicKeys::read(text.as_bytes(), &limits()), Ok(public));
    let names: BTreeSet<&str> = ["\"d\"", "\"root\"", "\"format\": 1", "public-keys"].into();
    for name in names {
        let changed = text.replacen(name, if name.contains('1') { "\"format\": 9" } else { "\"e\"" }, 1);
        assert!(PublicKeys::read(changed.as_bytes(), &limits()).is_err(), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        proptest::prop_assert!(Ceremony::read(&bytes, &limits()).is_err());
        proptest::prop_assert!(PublicKeys::read(&bytes, &limits()).is_err());
    }
}
