//! Two people, two machines: what one proposes the other reads from the bytes to be signed, signs, and it is published.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use mulberry_lab::hostile_origin::{HostileOrigin, Recording};
use mulberry_lab::process::{Said, run};
use mulberry_lab::stage::Stage;
use mulberry_shared::limits::Limits;
use mulberry_shared::operators::Base64;
use mulberry_shared::proposal::Proposal;
use serde_json::{Value, json};

/// A server, and two machines that know nothing but the root, their own person's keys, a token and two addresses.
struct Two {
    stage: Stage,
}

const ALICE: &str = "alice";
const BOB: &str = "bob";

impl Two {
    fn new() -> Self {
        let mut stage = Stage::new(None).unwrap();
        stage.start_server().unwrap();
        for (machine, person) in [(ALICE, "person-1"), (BOB, "person-2")] {
            let folder = stage.path(machine);
            fs::create_dir(&folder).unwrap();
            for file in ["authority/root.json", "token"] {
                fs::copy(stage.path(file), folder.join(Path::new(file).file_name().unwrap())).unwrap();
            }
            for key in ["emergency.pem", "routine.pem"] {
                fs::copy(stage.path(&format!("authority/people/{person}/{key}")), folder.join(key)).unwrap();
            }
            let config = format!(
                "root = \"root.json\"\ntoken_file = \"token\"\nserver = {:?}\norigin = {:?}\n",
                stage.operators(),
                stage.origin()
            );
            fs::write(folder.join("mulberryctl.toml"), config).unwrap();
        }
        Self { stage }
    }

    fn on(&self, machine: &str, arguments: &[&str]) -> Said {
        run(&self.stage.binaries().ctl(), arguments, &self.stage.path(machine)).unwrap()
    }

    /// Writes a recipe on Alice's machine.
    fn recipe(&self, slug: &str, revision: u64, name: &str) {
        let toml = format!(
            "slug = {slug:?}\nrevision = {revision}\nname = {name:?}\nlane = \"emergency\"\nconsent = \"hotfix\"\n\
             action = \"reverify-addons\"\nexpires = 2099-01-01T00:00:00Z\n[arguments]\naddons = \"all\"\n\
             [rollout]\nmax_percent = 100\nplan = [{{ percent = 100 }}]\n"
        );
        let folder = self.stage.path(&format!("{ALICE}/recipes/{slug}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("recipe.toml"), toml).unwrap();
    }

    /// Proposes a recipe, signed by Alice; the first digits of the id.
    fn propose(&self, slug: &str, more: &[&str]) -> String {
        let recipe = format!("recipes/{slug}");
        let arguments =
            [&["propose", recipe.as_str(), "--key", "emergency.pem", "--yes", "--json"], more].concat();
        let told = self.on(ALICE, &arguments).expect_code(0).unwrap().json().unwrap();
        assert_eq!(told["outcome"], "waiting", "{told}");
        told["id"].as_str().unwrap()[..12].to_owned()
    }

    fn sign(&self, machine: &str, what: &str, more: &[&str]) -> Said {
        self.on(machine, &[&["sign", what, "--key", "emergency.pem", "--yes"], more].concat())
    }

    fn proposals(&self) -> Vec<Value> {
        let told = self.on(ALICE, &["proposals", "--json"]).expect_code(0).unwrap().json().unwrap();
        told["proposals"].as_array().unwrap().clone()
    }

    fn published(&self) -> Vec<String> {
        let told = self.on(ALICE, &["status", "--json"]).expect_code(0).unwrap().json().unwrap();
        let recipes = told["recipes"].as_array().unwrap().iter();
        recipes.map(|recipe| format!("{} {}", recipe["slug"].as_str().unwrap(), recipe["revision"])).collect()
    }
}

fn expect(said: &Said, parts: &[&str]) {
    for part in parts {
        let found = said.stdout.contains(part) || said.stderr.contains(part);
        assert!(found, "{part:?} is not in\n{}\n{}", said.stdout, said.stderr);
    }
}

#[test]
fn what_one_proposes_the_other_reads_signs_and_it_is_published() {
    let two = Two::new();
    two.recipe("fix", 1, "Verify everything again");
    let proposed = two.on(ALICE, &["propose", "recipes/fix", "--key", "emergency.pem", "--yes"]);
    let proposed = proposed.expect_code(0).unwrap();
    let id = two.proposals()[0]["id"].as_str().unwrap()[..12].to_owned();
    let next = format!("mulberryctl sign {id} --key people/NAME/emergency.pem");
    expect(
        &proposed,
        &[
            "new        emergency/fix.json revision 1",
            "preflight  emergency/fix.json: NONE",
            "WAITING",
            &next,
        ],
    );
    expect(&proposed, &["Signed by person-1; missing 1 of person-2, person-3."]);
    assert!(two.published().is_empty());
    expect(&two.on(BOB, &["status"]), &["1 proposal waits for signatures"]);
    expect(&two.on(BOB, &["proposals"]), &["emergency version 2", "fix revision 1", "by on-duty", &next]);

    // Whoever has signed, and keys of other roles, are named; nothing of it counts.
    let twice = two.sign(ALICE, &id, &[]).expect_code(1).unwrap();
    expect(
        &twice,
        &["person-1 has signed it already, and one person signs once. Missing: 1 of person-2, person-3."],
    );
    let wrong = two.on(BOB, &["sign", &id, "--key", "routine.pem", "--yes"]).expect_code(2).unwrap();
    expect(&wrong, &["this is the routine key of person-2, and the emergency lane needs emergency.pem"]);
    let both = ["sign", &id, "--key", "emergency.pem", "--key", "../alice/emergency.pem", "--yes"];
    two.on(BOB, &both).expect_code(1).unwrap();
    two.on(BOB, &["sign", &id, "--key", "emergency.pem"]).expect_code(2).unwrap();
    two.sign(BOB, "aaaaaaaaaaaa", &[]).expect_code(1).unwrap();
    two.sign(BOB, "nothing", &[]).expect_code(2).unwrap();
    assert_eq!(two.proposals()[0]["missing"], 1);

    let signed = two.sign(BOB, &id, &[]).expect_code(0).unwrap();
    expect(
        &signed,
        &["signed by person-1; missing 1 of", "name       Verify everything again", "Published: edition"],
    );
    expect(&signed, &["NOT LIVE: gate closed. Next: mulberryctl gate open fix --percent 100"]);
    assert_eq!(two.published(), ["fix 1"]);
    assert!(two.proposals().is_empty());
}

#[test]
fn a_changed_proposal_voids_signatures_and_an_overtaken_one_is_rebased() {
    let two = Two::new();
    two.recipe("fix", 1, "First");
    let first = two.propose("fix", &[]);
    two.recipe("fix", 1, "Second thoughts");
    let said =
        two.on(ALICE, &["propose", "recipes/fix", "--replace", &first, "--json"]).expect_code(0).unwrap();
    expect(&said, &["VOID: the signatures of person-1, which were for other bytes"]);
    let second = said.json().unwrap()["id"].as_str().unwrap()[..12].to_owned();
    assert_ne!(first, second);
    expect(&two.sign(BOB, &first, &[]).expect_code(1).unwrap(), &["No proposal"]);
    assert_eq!((two.proposals().len(), two.proposals()[0]["missing"].clone()), (1, json!(2)));

    // Somebody else is faster.
    two.recipe("other", 1, "Other");
    let other = two.propose("other", &[]);
    two.sign(ALICE, &second, &[]).expect_code(0).unwrap();
    two.sign(BOB, &other, &[]).expect_code(0).unwrap();
    expect(&two.on(ALICE, &["proposals"]), &["OVERTAKEN", &format!("mulberryctl propose --rebase {second}")]);
    let late = two.sign(BOB, &second, &[]).expect_code(1).unwrap();
    expect(&late, &["Overtaken: it is version 2", &format!("mulberryctl propose --rebase {second}")]);
    let rebased =
        two.on(ALICE, &["propose", "--rebase", &second, "--key", "emergency.pem", "--yes", "--json"]);
    let rebased = rebased.expect_code(0).unwrap();
    expect(
        &rebased,
        &["version 2 to 3", "VOID: the signatures of person-1", "unchanged  emergency/other.json"],
    );
    let third = rebased.json().unwrap()["id"].as_str().unwrap()[..12].to_owned();
    two.on(ALICE, &["propose", "--rebase", &third]).expect_code(1).unwrap();
    two.sign(BOB, &third, &[]).expect_code(0).unwrap();
    assert_eq!(two.published(), ["fix 1", "other 1"]);

    two.recipe("fix", 2, "Third thoughts");
    let wrong = two.propose("fix", &[]);
    two.on(BOB, &["proposals", "drop", &wrong]).expect_code(2).unwrap();
    let dropped = two.on(BOB, &["proposals", "drop", &wrong, "--reason", "wrong certificate"]);
    expect(&dropped.expect_code(0).unwrap(), &["VOID: the signatures of person-1."]);
    assert!(two.proposals().is_empty());
    assert_eq!(two.published(), ["fix 1", "other 1"]);
}

/// All three had to sign, and the third cannot: two are enough from now on, and both have signed.
#[test]
fn what_a_lower_threshold_completes_is_published_by_its_id() {
    let two = Two::new();
    let threshold = |threshold: &str| {
        let [one, other] = ["1", "2"].map(|n| format!("../authority/people/person-{n}/targets.pem"));
        let arguments = ["lanes", "threshold", threshold, "--role", "emergency", "--yes"];
        let arguments = [&arguments[..], &["--key", &one, "--key", &other]].concat();
        expect(&two.on(ALICE, &arguments).expect_code(0).unwrap(), &["Published: targets version"]);
    };
    threshold("3");
    two.recipe("fix", 1, "Verify everything again");
    let id = two.propose("fix", &[]);
    two.sign(BOB, &id, &[]).expect_code(0).unwrap();
    threshold("2");

    let next = format!("mulberryctl submit {id}");
    expect(&two.on(BOB, &["proposals"]).expect_code(0).unwrap(), &[": enough", &next]);
    expect(&two.sign(BOB, &id, &[]).expect_code(1).unwrap(), &["Nobody is missing.", &next]);
    assert!(two.published().is_empty());
    expect(&two.on(BOB, &["submit", &id]).expect_code(0).unwrap(), &["Published: edition"]);
    assert_eq!(two.published(), ["fix 1"]);
    two.on(BOB, &["submit", &id]).expect_code(1).unwrap();
    two.on(BOB, &["submit", "nothing"]).expect_code(2).unwrap();
}

#[test]
fn a_machine_without_a_network_signs_a_file_both_ways() {
    let mut two = Two::new();
    two.recipe("fix", 1, "Verify everything again");
    let out = ["propose", "recipes/fix", "--out", "fix.proposal"];
    expect(&two.on(ALICE, &out).expect_code(0).unwrap(), &["mulberryctl sign fix.proposal"]);
    two.on(ALICE, &out).expect_code(2).unwrap();
    assert!(two.proposals().is_empty(), "the server was told nothing");
    let carry = |two: &Two, from: &str, to: &str| {
        fs::copy(
            two.stage.path(&format!("{from}/fix.proposal")),
            two.stage.path(&format!("{to}/fix.proposal")),
        )
        .unwrap();
    };
    carry(&two, ALICE, BOB);
    let before = fs::read(two.stage.path("bob/fix.proposal")).unwrap();

    // Nobody answers on Bob's machine, whatever it asks.
    let config = fs::read_to_string(two.stage.path("bob/mulberryctl.toml")).unwrap();
    fs::write(
        two.stage.path("bob/mulberryctl.toml"),
        "root = \"root.json\"\norigin = \"http://127.0.0.1:9\"\n",
    )
    .unwrap();
    let signed = two.sign(BOB, "fix.proposal", &[]).expect_code(0).unwrap();
    expect(&signed, &["compared with the edition in the file", "new        emergency/fix.json revision 1"]);
    expect(
        &signed,
        &["signed by person-2; missing 1 of person-1, person-3", "Next: mulberryctl sign fix.proposal"],
    );
    two.sign(BOB, "fix.proposal", &[]).expect_code(1).unwrap();
    two.sign(BOB, "fix.proposal", &["--origin", "http://127.0.0.1:9"]).expect_code(4).unwrap();
    // Another root: nothing of the file is believed.
    two.on(BOB, &["init", "elsewhere", "--no-passphrase"]).expect_code(0).unwrap();
    let elsewhere = two.sign(BOB, "fix.proposal", &["--root", "elsewhere/root.json"]);
    elsewhere.expect_code(3).unwrap();

    carry(&two, BOB, ALICE);
    expect(
        &two.on(ALICE, &["submit", "fix.proposal"]).expect_code(0).unwrap(),
        &["WAITING", "Signed by person-2"],
    );
    two.on(ALICE, &["submit", "fix.proposal"]).expect_code(0).unwrap();
    assert_eq!(two.proposals().len(), 1, "twice the same changes nothing");
    expect(
        &two.sign(ALICE, "fix.proposal", &[]).expect_code(0).unwrap(),
        &["Next: mulberryctl submit fix.proposal"],
    );
    let done = two.on(ALICE, &["submit", "fix.proposal"]).expect_code(0).unwrap();
    expect(&done, &["Published: edition", "NOT LIVE: gate closed"]);
    fs::write(two.stage.path("bob/mulberryctl.toml"), config).unwrap();
    assert_eq!(two.published(), ["fix 1"]);

    // The file that nobody had signed is of a version that is taken.
    fs::write(two.stage.path("bob/fix.proposal"), before).unwrap();
    let late = two.sign(BOB, "fix.proposal", &["--origin", two.stage.origin()]).expect_code(1).unwrap();
    expect(&late, &["Overtaken"]);
    two.stage.stop_server().unwrap();
    two.on(ALICE, &["submit", "fix.proposal"]).expect_code(4).unwrap();
}

#[test]
fn what_the_server_says_of_a_proposal_is_not_what_people_sign() {
    let two = Two::new();
    two.recipe("fix", 1, "Verify everything again");
    let id = two.propose("fix", &[]);
    let token = fs::read_to_string(two.stage.path("token")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = format!("{}/api/v1/proposals/{id}", two.stage.operators().trim_end_matches('/'));
    let honest: Value = runtime.block_on(async {
        let asked = reqwest::Client::new().get(&url).bearer_auth(token.trim()).send().await.unwrap();
        serde_json::from_slice(&asked.bytes().await.unwrap()).unwrap()
    });
    let bob = |lie: &Value, asked: &str| {
        let path = format!("api/v1/proposals/{asked}");
        let recording = Recording::of([(path.as_str(), serde_json::to_vec(lie).unwrap())]);
        let server = HostileOrigin::serve(&recording, &[]).unwrap();
        two.sign(BOB, asked, &["--server", &server.url()])
    };
    // A harmless description over the same bytes: the difference that is shown comes from the bytes.
    let mut described = honest.clone();
    described["status"]["changes"] =
        json!([{"path": "emergency/harmless.json", "change": "publish", "revision": 9}]);
    described["status"]["missing"] = json!(0);
    let said = bob(&described, &id);
    expect(&said, &["new        emergency/fix.json revision 1", "name       Verify everything again"]);
    assert!(!said.stdout.contains("harmless"), "{}", said.stdout);

    // Another recipe's text under the metadata.
    let base64 = |bytes: &[u8]| serde_json::to_value(Base64(bytes.to_vec())).unwrap();
    let mut other_text = honest.clone();
    other_text["proposal"]["recipes"]["emergency/fix.json"] = base64(b"{\"name\":\"harmless\"}");
    let said = bob(&other_text, &id).expect_code(3).unwrap();
    expect(&said, &["its bytes are not those that would be signed", "Nothing was signed"]);
    let mut none = honest.clone();
    none["proposal"]["recipes"] = json!({});
    expect(&bob(&none, &id).expect_code(3).unwrap(), &["nobody can know what it does"]);

    // The same with another expiry under Alice's signature, from the server and in a file.
    let metadata: Base64 = serde_json::from_value(honest["proposal"]["metadata"].clone()).unwrap();
    let mut envelope: Value = serde_json::from_slice(&metadata.0).unwrap();
    let expires: jiff::Timestamp = envelope["signed"]["expires"].as_str().unwrap().parse().unwrap();
    envelope["signed"]["expires"] = json!(expires - jiff::SignedDuration::from_hours(1));
    let mut shorter = honest.clone();
    shorter["proposal"]["metadata"] = base64(&serde_json::to_vec(&envelope).unwrap());
    fs::write(two.stage.path("bob/shorter.proposal"), shorter["proposal"].to_string()).unwrap();
    let document = serde_json::from_value(shorter["proposal"].clone()).unwrap();
    let changed = Proposal::from_document(document, &Limits::default()).unwrap().id().to_string();
    let file = two.sign(BOB, "shorter.proposal", &["--origin", two.stage.origin()]);
    for said in [bob(&shorter, &changed[..12]), file] {
        let void = "A signature of person-1 in it does not hold: it was changed after person-1 signed it";
        expect(&said.expect_code(3).unwrap(), &[void, "Nothing was signed"]);
    }

    // Another proposal altogether, consistent in itself.
    two.recipe("evil", 1, "Something else");
    let evil = two.propose("evil", &[]);
    let url = url.replace(&id, &evil);
    let other: Value = runtime.block_on(async {
        let asked = reqwest::Client::new().get(&url).bearer_auth(token.trim()).send().await.unwrap();
        serde_json::from_slice(&asked.bytes().await.unwrap()).unwrap()
    });
    let said = bob(&other, &id).expect_code(3).unwrap();
    expect(&said, &[&format!("what it sent is {evil}, another one")]);
    assert!(two.published().is_empty());
}

#[test]
fn the_words_of_a_stolen_server_command_no_terminal() {
    let two = Two::new();
    two.recipe("fix", 1, "Verify everything again");
    two.propose("fix", &[]);
    let clear = "\u{1b}[2Jmallory\u{202e}\nNext:\r\n  mulberryctl sign 000000000000\u{2028}";
    let mut proposals = two.proposals();
    proposals[0]["by"] = json!(clear);
    proposals[0]["may_sign"] = json!([clear]);
    let list = serde_json::to_vec(&json!({"proposals": proposals})).unwrap();
    let problem = json!({"type": "urn:mulberry:problem:unauthorised", "title": clear, "status": 404,
        "detail": clear, "kind": "unauthorised", "remedy": clear});
    let recording = Recording::of([("api/v1/proposals", list)]).denying_with(problem.to_string().into());
    let server = HostileOrigin::serve(&recording, &[]).unwrap();
    for asked in ["proposals", "status"] {
        let said = two.on(BOB, &[asked, "--server", &server.url()]);
        expect(&said, &["\u{fffd}[2Jmallory\u{fffd}"]);
        let all = said.stdout + &said.stderr;
        assert!(!all.contains(['\u{1b}', '\u{202e}', '\u{2028}', '\r']), "{all:?}");
        assert!(!all.lines().any(|line| line.starts_with("  mulberryctl sign 000000000000")), "{all}");
    }
}

#[test]
fn proposals_survive_a_power_cut_an_export_and_a_restore() {
    let mut two = Two::new();
    two.recipe("fix", 1, "Verify everything again");
    let id = two.propose("fix", &[]);
    two.recipe("gone", 1, "Given up");
    let gone = two.propose("gone", &[]);
    two.on(ALICE, &["proposals", "drop", &gone, "--reason", "a typo"]).expect_code(0).unwrap();
    two.stage.kill_server().unwrap();
    two.stage.start_server().unwrap();
    let kept = two.proposals();
    assert_eq!((kept.len(), &kept[0]["by"], &kept[0]["missing"]), (1, &json!("on-duty"), &json!(1)));
    two.stage.stop_server().unwrap();

    let export = ["ledger", "export", "--state", "server", "--out", "export.jsonl"];
    two.stage.server_command(&export).unwrap().expect_code(0).unwrap();
    two.stage.server_command(&["ledger", "verify", "export.jsonl"]).unwrap().expect_code(0).unwrap();
    let restore = ["restore", "--from", "export.jsonl", "--keys", "server/keys", "--state", "restored"];
    two.stage.server_command(&restore).unwrap().expect_code(0).unwrap();
    fs::copy(two.stage.path("server/tokens.json"), two.stage.path("restored/tokens.json")).unwrap();
    fs::rename(two.stage.path("server"), two.stage.path("lost")).unwrap();
    fs::rename(two.stage.path("restored"), two.stage.path("server")).unwrap();
    two.stage.start_server().unwrap();
    assert_eq!(two.proposals(), kept);
    two.sign(BOB, &id, &[]).expect_code(0).unwrap();
    assert_eq!(two.published(), ["fix 1"]);
}
