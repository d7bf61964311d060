//! A thief with keys, against a real server and a real agent.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use mulberry_lab::hostile_origin::{HostileOrigin, Recording};
use mulberry_lab::process::{Said, run};
use mulberry_lab::replay::material::Material;
use mulberry_lab::stage::Stage;
use mulberry_shared::bundle::Bundle;
use mulberry_shared::ceremony::{Ceremony, Document};
use mulberry_shared::edition::write;
use mulberry_shared::limits::Limits;
use mulberry_shared::proposal::Role;
use mulberry_shared::tuf::metadata::{Snapshot, Timestamp as TimestampRole};
use mulberry_shared::tuf::{Ed25519Signer, Signer, location};
use serde_json::Value;

/// Far beyond anything that a clock gives.
const FAR: u64 = 1 << 50;

struct Scene {
    stage: Stage,
    _folder: tempfile::TempDir,
    material: Material,
}

impl Scene {
    /// An agent that applied a recipe of a real server.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let material = Material::laboratory(folder.path(), 2, &|_| ()).unwrap();
        let mut stage = Stage::new(Some(material.expired_at)).unwrap();
        stage.start_server().unwrap();
        stage.init_agent("a", &material.anchor, &material.addons, &["--version", "66.0"]).unwrap();
        let scene = Self { stage, _folder: folder, material };
        scene.recipe("replace");
        scene.stage.publish("emergency", "recipes/replace").unwrap();
        assert_eq!(scene.once(0)["refresh"]["outcome"], "current");
        scene
    }

    fn recipe(&self, slug: &str) {
        let certificate = self.material.replacement.to_string_lossy();
        let made = self.stage.ctl(&["recipe", "new", "--certificate", &certificate, "--slug", slug]);
        made.unwrap().expect_code(0).unwrap();
    }

    fn once(&self, code: i32) -> Value {
        self.stage.agent("a", &["once", "--json"]).unwrap().expect_code(code).unwrap().json().unwrap()
    }

    fn edition(&self) -> u64 {
        let status = self.stage.agent("a", &["status", "--json"]).unwrap().json().unwrap();
        status["edition"]["number"].as_u64().unwrap()
    }

    /// Everything that the server publishes, as a thief fetches it.
    fn published(&self, file: &str) -> BTreeMap<String, Vec<u8>> {
        self.stage.ctl(&["bundle", "--out", file]).unwrap().expect_code(0).unwrap();
        let bytes = std::fs::read(self.stage.path(file)).unwrap();
        Bundle::read(&bytes, &Limits::default().bundle).unwrap().entries().clone()
    }

    /// The same with a snapshot and a timestamp that the thief of these keys signed.
    fn forge(
        &self,
        mut entries: BTreeMap<String, Vec<u8>>,
        keys: &Path,
        version: u64,
        roles: &[(&str, u64, Vec<u8>)],
    ) -> Vec<u8> {
        let key = |role: &str| {
            let pem = std::fs::read_to_string(keys.join(format!("{role}.pem"))).unwrap();
            Ed25519Signer::from_pkcs8_pem(&pem).unwrap()
        };
        let now = self.stage.now();
        let newest = |role: &str, entries: &BTreeMap<String, Vec<u8>>| {
            let suffix = format!(".{role}.json");
            let all = entries.keys().filter_map(|path| {
                path.strip_prefix("metadata/")?.strip_suffix(&suffix)?.parse::<u64>().ok()
            });
            let version = all.max().unwrap();
            (version, entries[&location::consistent_metadata(role, version)].clone())
        };
        let mut listed: Vec<(&str, u64, Vec<u8>)> = Vec::new();
        for role in ["targets", "emergency", "routine", "gates"] {
            let (version, bytes) = newest(role, &entries);
            listed.push((role, version, bytes));
        }
        for (role, version, bytes) in roles {
            entries.insert(location::consistent_metadata(role, *version), bytes.clone());
            listed.retain(|(other, ..)| other != role);
            listed.push((role, *version, bytes.clone()));
        }
        let expires: Timestamp = now + jiff::SignedDuration::from_hours(7 * 24);
        let borrowed: Vec<(&str, u64, &[u8])> =
            listed.iter().map(|(role, version, bytes)| (*role, *version, bytes.as_slice())).collect();
        let snapshot: Snapshot = write::snapshot(version, expires, &borrowed);
        let snapshot = write::sign(&snapshot, &[&key("snapshot") as &dyn Signer]).unwrap();
        let timestamp: TimestampRole = write::timestamp(version, expires, (version, &snapshot), now, None);
        entries.retain(|path, _| !path.ends_with(".snapshot.json"));
        entries.insert(location::consistent_metadata("snapshot", version), snapshot);
        let timestamp = write::sign(&timestamp, &[&key("timestamp") as &dyn Signer]).unwrap();
        entries.insert("metadata/timestamp.json".into(), timestamp);
        Bundle::new(entries, &Limits::default().bundle).unwrap().write()
    }

    fn import(&self, name: &str, bytes: &[u8], code: i32) -> String {
        std::fs::write(self.stage.path(name), bytes).unwrap();
        let said = self.stage.agent("a", &["import", name]).unwrap().expect_code(code).unwrap();
        said.stdout + &said.stderr
    }

    /// What the server has signed of late, as whoever listens keeps it: a bundle of it with all that people signed.
    fn kept(&self, mut entries: BTreeMap<String, Vec<u8>>) -> Vec<u8> {
        let get = |path: &str| {
            let url = format!("{}/{path}", self.stage.origin().trim_end_matches('/'));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { reqwest::get(&url).await.unwrap().bytes().await.unwrap().to_vec() })
        };
        let timestamp = get("metadata/timestamp.json");
        let version = |document: &[u8], name: &str| {
            let document: Value = serde_json::from_slice(document).unwrap();
            document["signed"]["meta"][name]["version"].as_u64().unwrap()
        };
        let path = location::consistent_metadata("snapshot", version(&timestamp, "snapshot.json"));
        let snapshot = get(&path);
        let gates = location::consistent_metadata("gates", version(&snapshot, "gates.json"));
        let target: Value = serde_json::from_slice(&get(&gates)).unwrap();
        let digest = target["signed"]["targets"]["gates.json"]["hashes"]["sha256"].as_str().unwrap();
        let file = format!("targets/{digest}.gates.json");
        entries.retain(|path, _| !path.ends_with(".snapshot.json") && !path.ends_with("gates.json"));
        entries.extend([(gates.clone(), get(&gates)), (file.clone(), get(&file)), (path, snapshot)]);
        entries.insert("metadata/timestamp.json".into(), timestamp);
        Bundle::new(entries, &Limits::default().bundle).unwrap().write()
    }

    /// What the server answers an operator.
    fn asked_for(&self, path: &str) -> Value {
        let token = std::fs::read_to_string(self.stage.path("token")).unwrap();
        let url = format!("{}/{path}", self.stage.operators().trim_end_matches('/'));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = reqwest::Client::new().get(&url).bearer_auth(token.trim()).send().await.unwrap();
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
        })
    }

    /// A command that is told of no origin.
    fn offline(&self, arguments: &[&str]) -> Said {
        let now = self.stage.now().to_string();
        let more = ["--config", "authority/mulberryctl.toml", "--clock-start", &now];
        run(&self.stage.binaries().ctl(), &[arguments, &more].concat(), self.stage.folder()).unwrap()
    }

    fn key(person: u8, role: &str) -> String {
        format!("authority/people/person-{person}/{role}.pem")
    }

    /// A ceremony that two people sign at once.
    fn ceremony(&self, arguments: &[&str], roles: &[&str]) -> String {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        for role in roles {
            for person in [1, 2] {
                all.extend(["--key".to_owned(), Self::key(person, role)]);
            }
        }
        all.push("--yes".to_owned());
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let said = self.stage.ctl(&all).unwrap().expect_code(0).unwrap().stdout;
        assert!(said.contains("Published: "), "{said}");
        said
    }
}

#[test]
fn after_stolen_online_keys_an_agent_that_was_sent_far_ahead_recovers_without_reinstalling() {
    let scene = Scene::new();
    let stolen = scene.stage.path("stolen");
    copy(&scene.stage.path("server/keys"), &stolen);
    let old = scene.published("before.mulberry");

    // The agent believes the thief, whose keys count, and from then on no version of the server's is new enough.
    scene.import("far.mulberry", &scene.forge(old.clone(), &stolen, FAR, &[]), 0);
    assert_eq!(scene.edition(), FAR);
    let refused = scene.once(0);
    assert_eq!((&refused["refresh"]["outcome"], scene.edition()), (&"stale".into(), FAR), "{refused}");

    let server = scene.stage.server_command(&["keys", "new", "--state", "server", "--out", "server.keys"]);
    server.unwrap().expect_code(0).unwrap();
    // People publish on, with a later lane than the thief has seen.
    scene.recipe("second");
    scene.stage.publish("emergency", "recipes/second").unwrap();
    scene.ceremony(&["online-keys", "rotate", "server.keys"], &["root", "targets"]);

    let recovered = scene.once(0);
    assert!(scene.edition() < FAR, "{recovered}");
    assert_eq!(recovered["refresh"]["outcome"], "current", "{recovered}");
    assert_eq!(recovered["recipes"].as_array().unwrap().len(), 2, "{recovered}");

    // The old keys are worth nothing any more.
    let now = scene.published("after.mulberry");
    let said = scene.import("again.mulberry", &scene.forge(now.clone(), &stolen, FAR, &[]), 3);
    assert!(said.contains("timestamp"), "{said}");
    // And not even the new ones bring an older lane back: what people signed has its own floor.
    let mut after = now.clone();
    let lane = location::consistent_metadata("emergency", 2);
    after.insert(lane.clone(), old[&lane].clone());
    let older = [("emergency", 2, old[&lane].clone())];
    let later = scene.edition() + 1000;
    let forged = scene.forge(after, &scene.stage.path("server/keys"), later, &older);
    let said = scene.import("older.mulberry", &forged, 3);
    assert!(said.contains("emergency"), "{said}");
}

/// A server that ran under a wrong clock has signed what is valid until then. Whoever kept it can hold back a fix from a client for
/// as long, until that has heard of new online keys.
#[test]
fn what_a_clock_that_was_ahead_has_signed_is_worth_nothing_after_new_online_keys() {
    let mut scene = Scene::new();
    let signed = scene.published("right.mulberry");
    let right = scene.stage.now();
    let restart = |scene: &mut Scene, at: Timestamp| {
        scene.stage.stop_server().unwrap();
        scene.stage.set_clock(at);
        scene.stage.start_server().unwrap();
    };
    restart(&mut scene, right + jiff::SignedDuration::from_hours(1_000 * 24));
    let ahead = scene.kept(signed.clone());
    restart(&mut scene, right + jiff::SignedDuration::from_hours(3 * 24));

    // Honest signatures of three days ago have expired; these have not.
    let honest = Bundle::new(signed, &Limits::default().bundle).unwrap().write();
    let said = scene.import("honest.mulberry", &honest, 3);
    assert!(said.contains("its timestamp expired at"), "{said}");
    scene.import("ahead.mulberry", &ahead, 0);

    let server = scene.stage.server_command(&["keys", "new", "--state", "server", "--out", "server.keys"]);
    server.unwrap().expect_code(0).unwrap();
    scene.ceremony(&["online-keys", "rotate", "server.keys"], &["root", "targets"]);
    assert_eq!(scene.once(0)["refresh"]["outcome"], "current");
    let said = scene.import("ahead.mulberry", &ahead, 1);
    assert!(said.contains("made before version 2 of the root"), "{said}");
    // With the new root added, what the old keys signed counts for nothing.
    let mut with_root = Bundle::read(&ahead, &Limits::default().bundle).unwrap().entries().clone();
    let after = scene.published("after.mulberry");
    with_root.extend(after.into_iter().filter(|(path, _)| path.ends_with(".root.json")));
    let with_root = Bundle::new(with_root, &Limits::default().bundle).unwrap().write();
    let said = scene.import("with-root.mulberry", &with_root, 3);
    assert!(said.contains("timestamp: ") && said.contains("distinct keys"), "{said}");
    let edition = i64::try_from(scene.edition()).unwrap();
    assert!(edition < right.as_second() + 4 * 24 * 3_600, "versions are back at the time");
}

#[test]
fn a_stolen_key_of_one_person_publishes_nothing_and_counts_for_nothing_once_it_is_revoked() {
    let scene = Scene::new();
    scene.recipe("evil");
    let thief = Scene::key(3, "emergency");
    let alone = ["publish", "recipes/evil", "--key", &thief, "--yes"];
    let said = scene.stage.ctl(&alone).unwrap().expect_code(3).unwrap();
    assert!(said.stderr.contains("Missing: 1"), "{}", said.stderr);
    let propose = ["propose", "recipes/evil", "--key", &thief, "--yes", "--json"];
    let waiting = scene.stage.ctl(&propose).unwrap().expect_code(0).unwrap().json().unwrap();
    let proposal = waiting["id"].as_str().unwrap()[..12].to_owned();

    // The published emergency lane was signed by persons 1 and 2; person 2's key goes in a second step.
    let all = ["--role", "root", "--role", "targets", "--role", "emergency", "--role", "routine"];
    let revoke = [&["root", "revoke-key", "person-3"], &all[..]].concat();
    scene.ceremony(&revoke, &["root", "targets"]);
    let waiting = scene.stage.ctl(&["proposals", "--json"]).unwrap().json().unwrap();
    assert_eq!(waiting["proposals"][0]["missing"], 2, "the stolen signature is void: {waiting}");
    let again = ["sign", &proposal, "--key", &thief, "--yes"];
    let said = scene.stage.ctl(&again).unwrap().expect_code(2).unwrap();
    assert!(said.stderr.contains("belongs to no role"), "{}", said.stderr);
    assert_eq!(scene.once(0)["refresh"]["outcome"], "current");

    let private = scene.stage.ctl(&["root", "add-key", &thief]).unwrap().expect_code(2).unwrap();
    assert!(
        private.stderr.contains("this is a private key, which stays with its owner"),
        "{}",
        private.stderr
    );
    // A new person, and then a signer of the published lane goes: the lane is signed again in the same ceremony.
    let made = ["key", "new", "dora", "--person", "dora", "--no-passphrase"];
    scene.stage.ctl(&made).unwrap().expect_code(0).unwrap();
    let add = [&["root", "add-key", "dora/dora.public"], &all[..]].concat();
    scene.ceremony(&add, &["root", "targets"]);
    let keys = [
        Scene::key(1, "targets"),
        Scene::key(2, "targets"),
        Scene::key(1, "emergency"),
        "dora/emergency.pem".into(),
    ];
    let mut revoke = vec!["lanes", "revoke-key", "person-2", "--role", "emergency", "--yes"];
    keys.iter().for_each(|key| revoke.extend(["--key", key]));
    let said = scene.stage.ctl(&revoke).unwrap().expect_code(0).unwrap();
    let keeps = "person-2 keeps the keys of root, targets, routine.";
    let all = "in one step: --role root --role targets --role emergency --role routine";
    assert!(said.stderr.contains(keeps) && said.stderr.contains(all), "{}", said.stderr);
    let said = said.stdout;
    assert!(said.contains("The emergency lane is signed again as version 3"), "{said}");
    assert!(said.contains("Published: targets version 4, emergency version 3"), "{said}");
    let run = scene.once(0);
    let recipes = run["recipes"].as_array().unwrap().len();
    assert_eq!((&run["refresh"]["outcome"], recipes), (&"current".into(), 1), "{run}");
}

#[test]
fn what_the_server_says_of_a_ceremony_is_not_what_people_sign() {
    let scene = Scene::new();
    let renew = ["root", "renew", "--key", &Scene::key(1, "root"), "--yes", "--json"];
    let waiting = scene.stage.ctl(&renew).unwrap().expect_code(0).unwrap().json().unwrap();
    let id = waiting["id"].as_str().unwrap()[..12].to_owned();
    // What a thief would rather have signed. Making it takes no key.
    let made = ["key", "new", "mallory", "--person", "mallory", "--no-passphrase"];
    scene.stage.ctl(&made).unwrap().expect_code(0).unwrap();
    let add = ["root", "add-key", "mallory/mallory.public", "--out", "evil.ceremony", "--yes", "--json"];
    let evil = scene.stage.ctl(&add).unwrap().expect_code(0).unwrap().json().unwrap();
    let evil_id = evil["id"].as_str().unwrap()[..12].to_owned();
    let evil = Ceremony::read(&std::fs::read(scene.stage.path("evil.ceremony")).unwrap(), &Limits::default());
    let base = evil.as_ref().unwrap().base().unwrap().to_vec();
    let evil = serde_json::to_value(evil.unwrap().without_base().document()).unwrap();

    let honest = scene.asked_for(&format!("api/v1/ceremonies/{id}"));
    let unknown = serde_json::json!({
        "type": "urn:mulberry:problem:unknown-proposal", "title": "", "status": 404, "detail": "",
        "kind": "unknown-proposal", "remedy": "",
    });
    let sign = |lie: &Value, asked: &str, more: &[&str]| {
        let path = format!("api/v1/ceremonies/{asked}");
        let lie = Recording::of([(path.as_str(), serde_json::to_vec(lie).unwrap())]);
        let lie = lie.denying_with(serde_json::to_vec(&unknown).unwrap());
        let server = HostileOrigin::serve(&lie, &[]).unwrap();
        let key = Scene::key(2, "root");
        let said =
            scene.stage.ctl(&[&["sign", asked, "--server", &server.url(), "--key", &key], more].concat());
        let handed_in = server.heard().iter().any(|head| head.starts_with("POST"));
        (said.unwrap(), handed_in)
    };

    // Another ceremony under the id and the description of this one.
    let mut other = honest.clone();
    other["ceremony"] = evil.clone();
    let (said, handed_in) = sign(&other, &id, &["--yes"]);
    let said = said.expect_code(3).unwrap();
    assert!(said.stderr.contains(&format!("what it sent is {evil_id}, another one")), "{}", said.stderr);
    assert!(!handed_in);

    // Under its own id, described as a renewal: what is shown is what the bytes do, and without a yes nothing is signed.
    let (said, handed_in) = sign(&other, &evil_id, &[]);
    assert!(said.stdout.contains("  + mallory "), "{}", said.stdout);
    assert_eq!((said.code, handed_in), (Some(2), false), "{}", said.stderr);

    // The real one with a threshold of 1, which person 1 has not signed: from the server, and in a file.
    let mut document: Document = serde_json::from_value(honest["ceremony"].clone()).unwrap();
    let root = document.parts.get_mut(&Role::Root).unwrap();
    let mut envelope: Value = serde_json::from_slice(&root.0).unwrap();
    envelope["signed"]["roles"]["root"]["threshold"] = 1.into();
    root.0 = serde_json::to_vec(&envelope).unwrap();
    let changed = Ceremony::from_document(document.clone(), &Limits::default()).unwrap();
    let mut lower = honest.clone();
    lower["ceremony"] = serde_json::to_value(&document).unwrap();
    std::fs::write(scene.stage.path("lower.ceremony"), changed.clone().on(base).write().unwrap()).unwrap();
    let in_file = ["sign", "lower.ceremony", "--key", &Scene::key(2, "root"), "--yes"];
    let (said, handed_in) = sign(&lower, &changed.id().to_string()[..12], &["--yes"]);
    assert!(!handed_in);
    for said in [said, scene.offline(&in_file)] {
        let said = said.expect_code(3).unwrap();
        let void = "A signature of person-1 in it does not hold: it was changed after person-1 signed it";
        assert!(said.stderr.contains(void), "{}", said.stderr);
    }

    // The real one, described as something else.
    let mut described = honest;
    described["status"]["parts"] = serde_json::json!([]);
    let (said, handed_in) = sign(&described, &id, &["--yes"]);
    assert!(said.stdout.contains("Root version 1 to 2"), "{}", said.stdout);
    assert!(handed_in);
}

#[test]
fn a_server_whose_online_keys_are_lost_takes_new_ones_from_a_file_before_it_starts() {
    let mut scene = Scene::new();
    let server = |scene: &Scene, arguments: &[&str], code| {
        scene.stage.server_command(arguments).unwrap().expect_code(code).unwrap()
    };
    server(&scene, &["keys", "new", "--state", "server", "--out", "server.keys"], 0);
    // A mirror is left of what it published.
    for (path, bytes) in scene.published("mirror.bundle") {
        let file = scene.stage.path("mirror").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }
    scene.stage.stop_server().unwrap();
    let rotate = ["online-keys", "rotate", "server.keys", "--yes"];
    let keys = [1, 2].map(|person| ["root", "targets"].map(|role| Scene::key(person, role))).concat();
    for (from, out) in [("mirror.bundle", "other.ceremony"), ("mirror", "new.ceremony")] {
        let mut all = [&rotate[..], &["--from", from, "--out", out]].concat();
        keys.iter().take(3).for_each(|key| all.extend(["--key", key]));
        scene.offline(&all).expect_code(0).unwrap();
    }
    let held =
        |name| Ceremony::read(&std::fs::read(scene.stage.path(name)).unwrap(), &Limits::default()).unwrap();
    assert_eq!(held("new.ceremony").base(), held("other.ceremony").base());

    for lost in ["keys/snapshot.pem", "keys/timestamp.pem", "keys/gates.pem", "edition.json"] {
        std::fs::remove_file(scene.stage.path("server").join(lost)).unwrap();
    }
    let hold = ["ceremony", "new.ceremony", "--state", "server"];
    let said = server(&scene, &hold, 3);
    assert!(said.stderr.contains("targets: signed by person-1; missing 1"), "{}", said.stderr);
    // Nobody listens where the server was, and the file carries what it needs.
    // Person 2 goes on with the command that names both keys.
    let sign = ["sign", "new.ceremony", "--key", &keys[2], "--key", &keys[3], "--yes"];
    let said = scene.offline(&sign).expect_code(0).unwrap();
    let passed_over = format!("{}: this key has signed it already, and is passed over", keys[2]);
    assert!(said.stderr.contains(&passed_over), "{}", said.stderr);
    let said = scene.offline(&sign).expect_code(1).unwrap();
    assert!(said.stderr.contains("Let another person sign"), "{}", said.stderr);
    let said = server(&scene, &hold, 0);
    assert!(said.stdout.contains("root version 2"), "{}", said.stdout);
    scene.stage.start_server().unwrap();
    assert_eq!(scene.once(0)["refresh"]["outcome"], "current");
}

#[test]
fn what_has_expired_is_renewed_and_the_agent_goes_on() {
    let mut scene = Scene::new();
    scene.stage.stop_server().unwrap();
    scene.stage.set_clock(scene.stage.now() + jiff::SignedDuration::from_hours(24 * 400));
    scene.stage.start_server().unwrap();
    assert_eq!(scene.once(3)["refresh"]["outcome"], "refused");
    let listed = scene.stage.ctl(&["expiries", "--json"]).unwrap().expect_code(1).unwrap().json().unwrap();
    let due = |row: &&Value| row["due"] == true;
    let due: Vec<_> = listed["expiries"].as_array().unwrap().iter().filter(due).collect();
    let roles: Vec<_> = due.iter().map(|row| row["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["root", "targets", "emergency", "routine"], "{listed}");
    assert!(due.iter().all(|row| row["days_left"].as_i64() < Some(0)), "{listed}");

    // One after the other: neither stands in the way of the other.
    scene.ceremony(&["root", "renew", "--role", "targets"], &["targets"]);
    scene.ceremony(&["root", "renew"], &["root"]);
    for lane in ["emergency", "routine"] {
        let [one, other] = [1, 2].map(|person| Scene::key(person, lane));
        let renew = ["publish", "--renew", lane, "--key", &one, "--key", &other, "--yes"];
        scene.stage.ctl(&renew).unwrap().expect_code(0).unwrap();
    }
    scene.stage.ctl(&["expiries"]).unwrap().expect_code(0).unwrap();
    assert_eq!(scene.once(0)["refresh"]["outcome"], "current");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for role in ["snapshot", "timestamp", "gates"] {
        let name = format!("{role}.pem");
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}
