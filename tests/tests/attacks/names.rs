//! Attacks on what people read before they sign: names that add, hide or forge a line, or make one person two.

use mulberry_lab::stage::Stage;
use mulberry_shared::ceremony::{Ceremony, Document};
use mulberry_shared::limits::Limits;
use mulberry_shared::proposal::Role;
use mulberry_shared::tuf::{Ed25519Signer, Signer};
use serde_json::{Value, json};

const PERSON: &str = "x-mulberry-person";

/// A server with the keys of three people of whom two must sign.
struct Scene(Stage);

impl Scene {
    fn new() -> Self {
        let mut stage = Stage::new(None).unwrap();
        stage.start_server().unwrap();
        Self(stage)
    }

    /// The honest ceremony that these arguments make, in a file, as another program would change it.
    fn forged(&self, arguments: &[&str], change: impl Fn(&mut Document)) -> Ceremony {
        let out = ["--out", "honest.ceremony", "--yes"];
        self.0.ctl(&[arguments, &out].concat()).unwrap().expect_code(0).unwrap();
        let bytes = std::fs::read(self.0.path("honest.ceremony")).unwrap();
        std::fs::remove_file(self.0.path("honest.ceremony")).unwrap();
        let honest = Ceremony::read(&bytes, &Limits::default()).unwrap();
        let mut document = honest.document();
        change(&mut document);
        Ceremony::from_document(document, &Limits::default()).unwrap()
    }

    fn write(&self, name: &str, ceremony: &Ceremony) {
        std::fs::write(self.0.path(name), ceremony.write().unwrap()).unwrap();
    }

    fn key(person: u8, role: &str) -> String {
        format!("authority/people/person-{person}/{role}.pem")
    }

    /// Nobody signs it with this tool; and signatures that another one made publish nothing.
    fn is_refused(&self, forged: &Ceremony, role: Role, words: &str) {
        self.write("forged.ceremony", forged);
        let sign = ["sign", "forged.ceremony", "--key", &Self::key(1, role.as_str()), "--yes"];
        let said = self.0.ctl(&sign).unwrap().expect_code(3).unwrap();
        assert!(said.stderr.contains(words) && said.stderr.contains("Nothing was signed"), "{}", said.stderr);
        let all = said.stdout + &said.stderr;
        assert!(!all.lines().any(|line| line.starts_with("No key and no threshold changes")), "{all}");

        let mut signed = forged.document();
        let part = signed.parts.get_mut(&role).unwrap();
        let mut envelope: Value = serde_json::from_slice(&part.0).unwrap();
        let message = mulberry_shared::json::canonical(&envelope["signed"]);
        let signatures = [1, 2].map(|person| {
            let pem = std::fs::read_to_string(self.0.path(&Self::key(person, role.as_str()))).unwrap();
            let key = Ed25519Signer::from_pkcs8_pem(&pem).unwrap();
            json!({"keyid": key.key().key_id(), "sig": hex::encode(key.sign(&message).unwrap())})
        });
        envelope["signatures"] = json!(signatures);
        part.0 = serde_json::to_vec(&envelope).unwrap();
        self.write("signed.ceremony", &Ceremony::from_document(signed, &Limits::default()).unwrap());
        let said = self.0.ctl(&["submit", "signed.ceremony"]).unwrap().expect_code(1).unwrap();
        assert!(said.stderr.contains(words), "{}", said.stderr);
        let status = self.0.ctl(&["expiries", "--json"]).unwrap().json().unwrap();
        let version = |role: &str| {
            let rows = status["expiries"].as_array().unwrap();
            rows.iter().find(|row| row["role"] == role).unwrap()["version"].as_u64()
        };
        assert_eq!((version("root"), version("targets")), (Some(1), Some(1)), "{status}");
    }
}

/// Changes what would be signed in one part.
fn edit(document: &mut Document, role: Role, change: impl Fn(&mut Value)) {
    let part = document.parts.get_mut(&role).unwrap();
    let mut envelope: Value = serde_json::from_slice(&part.0).unwrap();
    change(&mut envelope["signed"]);
    part.0 = serde_json::to_vec(&envelope).unwrap();
}

/// A key of the attacker's, under any name.
fn key_of_mallory(name: &str) -> (String, Value) {
    let key = Ed25519Signer::from_seed(&[77; 32]).unwrap();
    let mut object = serde_json::to_value(key.key()).unwrap();
    object[PERSON] = name.into();
    (key.key().key_id().0, object)
}

/// The label of that person's key for the role.
fn label(keys: &Value, labels: &Value, person: &str) -> String {
    let labels = labels.as_array().unwrap().iter().map(|label| label.as_str().unwrap());
    labels.into_iter().find(|label| keys[*label][PERSON] == person).unwrap().to_owned()
}

#[test]
fn a_root_key_exchanged_behind_words_that_say_that_nothing_changes() {
    let scene = Scene::new();
    let lie = "person-3     ed25519 0123456789abcdef\n\nNo key and no threshold changes: it is signed again before it expires.\n";
    let forged = scene.forged(&["root", "renew"], |document| {
        edit(document, Role::Root, |root| {
            let victim = label(&root["keys"], &root["roles"]["root"]["keyids"], "person-3");
            let (id, key) = key_of_mallory(lie);
            let labels = root["roles"]["root"]["keyids"].as_array_mut().unwrap();
            labels.iter_mut().filter(|label| **label == victim).for_each(|label| *label = id.clone().into());
            let keys = root["keys"].as_object_mut().unwrap();
            keys.remove(&victim);
            keys.insert(id, key);
        });
    });
    scene.is_refused(&forged, Role::Root, "which is no name of a person");
}

#[test]
fn one_person_who_counts_as_two_by_a_blank_a_look_alike_or_another_alphabet() {
    let scene = Scene::new();
    let names = [
        ("person-2 ", "which is no name of a person"),
        ("person-2\u{200b}", "which is no name of a person"),
        ("pers\u{43e}n-2", "which is no name of a person"),
        ("Person-2", "would hold two keys of the emergency role"),
        ("person_2", "names that look alike"),
    ];
    for (name, words) in names {
        let forged = scene.forged(
            &["lanes", "threshold", "1", "--role", "routine", "--accept", "one-person-alone"],
            |document| {
                edit(document, Role::Targets, |targets| {
                    let (id, key) = key_of_mallory(name);
                    let delegations = &mut targets["delegations"];
                    delegations["keys"][&id] = key;
                    let roles = delegations["roles"].as_array_mut().unwrap();
                    let lane = roles.iter_mut().find(|role| role["name"] == "emergency").unwrap();
                    lane["keyids"].as_array_mut().unwrap().push(id.into());
                });
            },
        );
        scene.is_refused(&forged, Role::Targets, words);
    }

    // The other entrances: new keys, the file in which they travel, and a name on the command line.
    for name in ["person-2 ", "a\u{2028}b", "", "-x", "M\u{fc}ller"] {
        let made = ["key", "new", "mine", "--person", name, "--no-passphrase"];
        scene.0.ctl(&made).unwrap().expect_code(2).unwrap();
        assert!(!scene.0.path("mine").exists(), "{name:?}");
    }
    let public = json!({"format": 1, "kind": "public-keys", "person": "person-2 ",
        "keys": {"emergency": key_of_mallory("person-2 ").1}});
    std::fs::write(scene.0.path("evil.public"), public.to_string()).unwrap();
    let said = scene.0.ctl(&["lanes", "add-key", "evil.public"]).unwrap().expect_code(2).unwrap();
    assert!(said.stderr.contains("\"person-2 \" is no name of a person"), "{}", said.stderr);
    let said = scene.0.ctl(&["root", "rename", "person-3=person-2"]).unwrap().expect_code(1).unwrap();
    assert!(said.stderr.contains("person-2 would hold two keys of the root role"), "{}", said.stderr);
    let said = scene.0.ctl(&["root", "rename", "person-3=person 3"]).unwrap().expect_code(2).unwrap();
    assert!(said.stderr.contains("\"person 3\" is no name of a person"), "{}", said.stderr);
}
