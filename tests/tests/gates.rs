//! Who may open a gate how far, with real processes: the plan, a second person's key, and what is used once.

// Clippy knows tests by their attribute and takes their helpers for other code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::fs;

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::process::Said;
use mulberry_lab::stage::Stage;

const SLUG: &str = "fix";

/// A server that has published a recipe with a plan of two steps, and nothing else. Two tokens are people's, one has their name.
fn published() -> Stage {
    let mut stage = Stage::new(Some("2026-11-22T00:00:00Z".parse().unwrap())).unwrap();
    for (name, person) in [("person-1", "person-1"), ("laptop", "person-2")] {
        let add = ["token", "add", name, "--person", person, "--may", "gate"];
        let token = [&add[..], &["--state", "server", "--out", name]].concat();
        stage.server_command(&token).unwrap().expect_code(0).unwrap();
    }
    let folder = stage.write_recipe(SLUG).unwrap();
    let file = stage.path(&folder).join("recipe.toml");
    let text = fs::read_to_string(&file).unwrap();
    let plan = "plan = [{ percent = 5, bake = \"15m\" }, { percent = 100 }]";
    assert!(text.contains("plan = [{ percent = 100 }]"));
    fs::write(&file, text.replace("plan = [{ percent = 100 }]", plan)).unwrap();
    stage.start_server().unwrap();
    stage.publish("emergency", &folder).unwrap();
    stage
}

fn open(stage: &Stage, percent: &str, more: &[&str]) -> Said {
    let arguments = ["gate", "open", SLUG, "--percent", percent, "--reason", "it's time"];
    stage.ctl(&[&arguments[..], more].concat()).unwrap()
}

/// The same, with every stop named that the server knows of.
fn open_again(stage: &Stage, percent: &str, more: &[&str]) -> Said {
    open(stage, percent, &[&["--resume", &stops(stage)], more].concat())
}

/// The events of the pauses and narrowings that nobody has undone, as `--resume` takes them.
fn stops(stage: &Stage) -> String {
    let status = stage.ctl(&["status", "--json"]).unwrap().json().unwrap();
    let stops = status["recipes"][0]["gate"]["stops"].as_array().unwrap();
    stops.iter().map(|stop| stop["event"].to_string()).collect::<Vec<_>>().join(",")
}

#[track_caller]
fn says(said: Said, code: i32, words: &[&str]) -> Said {
    let said = said.expect_code(code).unwrap();
    for word in words {
        assert!(said.stdout.contains(word) || said.stderr.contains(word), "no {word:?} in {said:?}");
    }
    said
}

#[test]
fn one_person_follows_the_plan_and_the_clock() {
    let mut stage = published();
    let next = "mulberryctl gate open emergency/fix.json --percent 100 --reason 'it'\\''s time' --key people/NAME/emergency.pem";
    says(open(&stage, "100", &[]), 1, &["the next step of its plan is 5%", next, "--out fix.opening"]);
    says(
        open(&stage, "5", &[]),
        0,
        &["is open at 5 %", "Next step of its plan: 100 %, by one person alone from"],
    );
    says(open(&stage, "100", &[]), 1, &["leaves it at 5% for at least 15m, until 2026-11-22T00:1"]);
    let early = open(&stage, "100", &["--json"]).expect_code(1).unwrap().json().unwrap();
    assert_eq!(early["error"]["kind"], "second-key-needed");
    stage.stop_server().unwrap();
    stage.set_clock(stage.now() + SignedDuration::from_mins(16));
    stage.start_server().unwrap();
    says(open(&stage, "100", &[]), 0, &["is open at 100 %"]);
    // Narrower, and back.
    says(open(&stage, "1", &[]), 0, &["is open at 1 %"]);
    stage.ctl(&["gate", "pause", SLUG, "--reason", "trouble"]).unwrap().expect_code(0).unwrap();
    says(open_again(&stage, "100", &[]), 0, &["is open at 100 %"]);
}

#[test]
fn a_colleagues_pause_is_not_resumed_without_a_word() {
    let stage = published();
    says(open(&stage, "5", &[]), 0, &["is open at 5 %"]);
    let pause = ["gate", "pause", SLUG, "--reason", "crashes in Berlin", "--token-file", "person-1"];
    stage.ctl(&pause).unwrap().expect_code(0).unwrap();
    let who = ["was paused by person-1", "crashes in Berlin", "Nothing was opened", "--resume"];
    says(open(&stage, "5", &[]), 1, &[&who[..], &["Ask person-1."]].concat());
    let kind = open(&stage, "5", &["--json"]).expect_code(1).unwrap().json().unwrap();
    assert_eq!(kind["error"]["kind"], "would-resume");
    // Nor by a second person's key, at once or through a file that was signed since.
    let key = ["--key", "authority/people/person-2/emergency.pem", "--yes", "--token-file", "person-1"];
    says(open(&stage, "50", &key), 1, &who);
    // Who signs on another machine reads before it what this would undo, and whose word that is.
    let undoes = ["now it is paused", "So said the server", "paused by person-1", "crashes in Berlin"];
    says(open(&stage, "50", &["--out", "half.opening"]), 0, &undoes);
    let sign = ["gate", "sign", "half.opening", "--key", key[1], "--yes"];
    says(stage.ctl(&sign).unwrap(), 0, &undoes);
    let submit = |more: &[&str]| {
        let submit = ["submit", "half.opening", "--token-file", "person-1"];
        stage.ctl(&[&submit[..], more].concat()).unwrap()
    };
    says(submit(&[]), 1, &who);
    let status = stage.ctl(&["status"]).unwrap();
    assert!(status.stdout.contains("paused by person-1"), "{status:?}");
    says(submit(&["--resume", &stops(&stage)]), 0, &["This undoes that", "is open at 50 %"]);
    // Narrowing is stopping, too.
    let narrow = ["gate", "open", SLUG, "--percent", "1", "--reason", "a look", "--token-file", "person-1"];
    stage.ctl(&narrow).unwrap().expect_code(0).unwrap();
    says(open(&stage, "5", &[]), 1, &["was narrowed from 50 % to 1 % by person-1", "a look"]);
    // Nor does it hide behind what the next one stops.
    let pause = ["gate", "pause", SLUG, "--reason", "phones ring"];
    stage.ctl(&pause).unwrap().expect_code(0).unwrap();
    let all = stops(&stage);
    let last = all.split(',').next_back().unwrap();
    let both = ["narrowed from 50 % to 1 % by person-1", "paused by on-duty", "Ask person-1. If"];
    says(open(&stage, "5", &["--resume", last]), 1, &both);
    let status = stage.ctl(&["status"]).unwrap();
    assert!(both[..2].iter().all(|one| status.stdout.contains(one)), "{status:?}");
    // One's own is nobody else's to ask about.
    says(
        open(&stage, "1", &[]),
        1,
        &["It was done with the token that you use", &format!("--resume {last}")],
    );
    says(open(&stage, "5", &["--resume", &all]), 0, &["is open at 5 %"]);
}

#[test]
fn an_end_says_what_it_does_to_whom_and_asks() {
    for (on_end, does) in
        [("keep", "Clients that have it keep what it did"), ("revert", "Clients that have it undo it")]
    {
        let mut stage = Stage::new(None).unwrap();
        stage.start_server().unwrap();
        let certificates =
            mulberry_lab::replay::material::Material::laboratory(stage.folder(), 2, &|_| ()).unwrap();
        let replacement = certificates.replacement.to_string_lossy().into_owned();
        let new = ["recipe", "new", "--certificate", &replacement, "--slug", SLUG];
        stage.ctl(&new).unwrap().expect_code(0).unwrap();
        let file = stage.path("recipes/fix/recipe.toml");
        let text = fs::read_to_string(&file).unwrap();
        let (before, plan) = text.split_once("plan = [").unwrap();
        let (_, after) = plan.split_once("\n]\n").unwrap();
        let text = format!("{before}{after}").replace("max_percent = 100", "max_percent = 25");
        let text = text.replace("on_end = \"keep\"", &format!("on_end = \"{on_end}\""));
        fs::write(&file, text).unwrap();
        stage.publish("emergency", "recipes/fix").unwrap();
        says(
            stage.open_gate_together(SLUG, "60").unwrap(),
            0,
            &[
                "is open at 25 %",
                "That is the most that people signed; 60 % was asked for",
                "OPENS emergency/fix.json revision 1 at 60%",
                "People signed at most 25%",
            ],
        );
        let end =
            |more: &[&str]| stage.ctl(&[&["gate", "end", SLUG, "--reason", "wrong"], more].concat()).unwrap();
        says(
            end(&[]),
            2,
            &[
                "ENDS emergency/fix.json revision 1 for good; now it is open at 25 %, by on-duty",
                does,
                "gate pause fix",
                "Nothing was ended: there is no terminal",
            ],
        );
        assert!(stage.ctl(&["status"]).unwrap().stdout.contains("open at 25 %"));
        let ended = says(end(&["--yes"]), 0, &["is ended for good", does]);
        assert_eq!(ended.stdout.contains("undo it"), on_end == "revert", "{ended:?}");
        // Whose answer was lost asks again.
        says(end(&[]), 0, &["is ended for good", does]);
    }
}

#[test]
fn a_second_persons_key_opens_it_at_once_and_ones_own_does_not() {
    let stage = published();
    let bob = ["--key", "authority/people/person-2/emergency.pem"];
    let routine = ["--key", "authority/people/person-2/routine.pem", "--yes"];
    says(
        open(&stage, "50", &bob),
        2,
        &["Nothing was opened: there is no terminal", "OPENS emergency/fix.json"],
    );
    says(open(&stage, "50", &routine), 2, &["this is the routine key of person-2"]);
    let with = |token: &str| open(&stage, "50", &[&bob[..], &["--yes", "--token-file", token]].concat());
    let own = "signed by person-2 alone, and the token \"laptop\" is theirs, too";
    says(with("laptop"), 1, &[own]);
    says(with("token"), 1, &["the token \"on-duty\" is no one person's"]);
    says(with("person-1"), 0, &["closed", "is open at 50 %"]);
}

#[test]
fn what_only_people_may_open_opens_for_agents_by_two_of_them_and_anyone_stops_it() {
    let mut stage = Stage::new(Some("2026-11-22T00:00:00Z".parse().unwrap())).unwrap();
    let folder = stage.write_recipe(SLUG).unwrap();
    let file = stage.path(&folder).join("recipe.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("revision = 1", "revision = 1\nopens = \"people\"")).unwrap();
    stage.start_server().unwrap();
    let certificates =
        mulberry_lab::replay::material::Material::laboratory(stage.folder(), 2, &|_| ()).unwrap();
    stage.init_agent("a", &certificates.anchor, &certificates.addons, &[]).unwrap();
    let published = stage.publish("emergency", &folder).unwrap();
    let next =
        "NOT LIVE: gate closed. Next: mulberryctl gate open fix --percent N --key people/NAME/emergency.pem";
    says(published, 0, &["opened by  the people of its lane", next]);
    let agent = |status: &str, words: &str| {
        stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
        let why = stage.agent("a", &["why", SLUG, "--json"]).unwrap().json().unwrap();
        assert_eq!(why["status"], status, "{why}");
        assert!(why["detail"].as_str().unwrap().contains(words), "{why}");
    };
    agent("gate-closed", "it has no gate yet");

    // Its plan has the step, but plans are for what the server may open.
    says(
        open(&stage, "100", &[]),
        1,
        &["only the people of the emergency lane open it", "--out fix.opening"],
    );
    let [one, two] = [1, 2].map(|person| format!("authority/people/person-{person}/emergency.pem"));
    says(
        open(&stage, "100", &["--key", &one, "--yes"]),
        1,
        &["2 of them; signed by person-1; missing 1 of person-2, person-3", "Nothing was opened"],
    );
    says(
        open(&stage, "100", &["--key", &one, "--yes", "--out", "all.opening"]),
        0,
        &["signed by person-1. Nothing is open yet", "gate sign all.opening"],
    );
    says(stage.ctl(&["submit", "all.opening"]).unwrap(), 1, &["missing 1 of person-2, person-3"]);
    let sign = ["gate", "sign", "all.opening", "--key", &two, "--yes"];
    says(stage.ctl(&sign).unwrap(), 0, &["signed by person-1, person-2", "submit all.opening"]);
    says(stage.ctl(&["submit", "all.opening"]).unwrap(), 0, &["is open at 100 %"]);
    agent("applied", "");
    // Narrowing keeps what they signed; a pause takes it, and one alone cannot bring it back.
    says(open(&stage, "1", &[]), 0, &["is open at 1 %"]);
    says(open_again(&stage, "100", &[]), 1, &["only the people of the emergency lane open it"]);
    stage.ctl(&["gate", "pause", SLUG, "--reason", "trouble"]).unwrap().expect_code(0).unwrap();
    says(open_again(&stage, "1", &[]), 1, &["only the people of the emergency lane open it"]);
    // At once, with both keys at hand.
    says(open_again(&stage, "50", &["--key", &one, "--key", &two, "--yes"]), 0, &["is open at 50 %"]);
    // And the server that starts again still says so.
    stage.stop_server().unwrap();
    stage.start_server().unwrap();
    let status = stage.ctl(&["status"]).unwrap();
    assert!(status.stdout.contains("open at 50 %"), "{status:?}");
}

/// Two agents have a recipe of which the first revision is ended while one of them is away, and two more follow.
#[test]
fn an_end_reaches_an_agent_that_was_away_and_no_reason_is_published() {
    let mut stage = Stage::new(Some("2026-11-22T00:00:00Z".parse().unwrap())).unwrap();
    let folder = stage.write_recipe(SLUG).unwrap();
    let file = stage.path(&folder).join("recipe.toml");
    let text = fs::read_to_string(&file).unwrap();
    stage.start_server().unwrap();
    let material = mulberry_lab::replay::material::Material::laboratory(stage.folder(), 2, &|_| ()).unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &[]).unwrap();
    let said = |arguments: &[&str]| stage.ctl(arguments).unwrap().expect_code(0).unwrap().stdout;
    let gate = |word: &str, more: &[&str]| {
        let reason = ["--reason", "mei saw crashes"];
        said(&[&["gate", word, SLUG], more, &reason[..]].concat())
    };
    let publish = |revision: u64| {
        let next = text.replace("revision = 1", &format!("revision = {revision}"));
        fs::write(&file, next).unwrap();
        stage.publish("emergency", &folder).unwrap().expect_code(0).unwrap().stdout
    };
    let decided = |status: &str, revision: u64, words: &str| {
        stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
        let why = stage.agent("a", &["why", SLUG, "--json"]).unwrap().json().unwrap();
        assert_eq!((&why["status"], &why["revision"]), (&status.into(), &revision.into()), "{why}");
        assert!(why["detail"].as_str().unwrap().contains(words), "{why}");
        why["detail"].as_str().unwrap().to_owned()
    };
    publish(1);
    gate("open", &["--percent", "100"]);
    decided("applied", 1, "");
    // Away from here on.
    gate("end", &["--yes"]);
    let after_an_end = publish(2);
    assert!(after_an_end.contains("clients that were away meet its end"), "{after_an_end}");
    gate("open", &["--percent", "0.01"]);
    publish(3);
    let note = ["--public-note", "We look into it"];
    gate("pause", &note);
    let detail = decided("reverted", 1, "it was ended before revision 3");
    assert!(!detail.contains("mei"), "{detail}");
    decided("paused", 3, "We look into it");

    // The end of the third says what became of the others; the reason is with operators, and nowhere else.
    let ended = gate("end", &["--yes"]);
    assert!(ended.contains("unless that was ended, too (1)"), "{ended}");
    assert!(said(&["status"]).contains("mei saw crashes"));
    assert!(said(&["ledger", "show"]).contains("mei saw crashes"));
    let bundle = ["bundle", "--out", "all.mulberry"];
    said(&bundle);
    let published = fs::read(stage.path("all.mulberry")).unwrap();
    let published = String::from_utf8_lossy(&published);
    assert!(published.contains("\"ended\":[1]") && !published.contains("mei"), "{published}");
}

#[test]
fn a_revoked_key_closes_a_gate_aloud_and_two_others_open_it_again_at_the_same_percentage() {
    let mut stage = Stage::new(Some("2026-11-22T00:00:00Z".parse().unwrap())).unwrap();
    let folder = stage.write_recipe(SLUG).unwrap();
    let file = stage.path(&folder).join("recipe.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("revision = 1", "revision = 1\nopens = \"people\"")).unwrap();
    stage.start_server().unwrap();
    let material = mulberry_lab::replay::material::Material::laboratory(stage.folder(), 2, &|_| ()).unwrap();
    stage.init_agent("a", &material.anchor, &material.addons, &[]).unwrap();
    stage.publish("emergency", &folder).unwrap().expect_code(0).unwrap();
    let key = |person: u8, role: &str| format!("authority/people/person-{person}/{role}.pem");
    let open_with = |people: [u8; 2], more: &[&str]| {
        let [one, two] = people.map(|person| key(person, "emergency"));
        open(&stage, "100", &[&["--key", &one, "--key", &two, "--yes"], more].concat())
    };
    let until = ["--open-until", "2026-11-22T06:00:00Z"];
    let opened = says(
        open_with([1, 2], &until),
        0,
        &[
            "Clients take the recipe by it until 2026-11-22 06:00:00Z, whoever holds the server's keys",
            "is open at 100 % until 2026-11-22 06:00:00Z",
        ],
    );
    assert!(opened.stdout.contains("The server takes it once, before "), "{opened:?}");

    let keys = [key(1, "targets"), key(2, "targets"), key(2, "emergency"), key(3, "emergency")];
    let mut revoke = vec!["lanes", "revoke-key", "person-1", "--role", "emergency", "--yes"];
    keys.iter().for_each(|key| revoke.extend(["--key", key]));
    says(
        stage.ctl(&revoke).unwrap(),
        0,
        &["CLOSED: emergency/fix.json is open at 100% here, and clients take it for closed"],
    );
    let closed = "their signatures do not hold: 1 of the 2 distinct keys needed";
    says(stage.ctl(&["status"]).unwrap(), 1, &["TROUBLE", "emergency/fix.json is closed to clients", closed]);
    let decided = |status: &str, words: &str| {
        stage.agent("a", &["once"]).unwrap().expect_code(0).unwrap();
        let why = stage.agent("a", &["why", SLUG, "--json"]).unwrap().json().unwrap();
        assert_eq!(why["status"], status, "{why}");
        assert!(why["detail"].as_str().unwrap().contains(words), "{why}");
    };
    decided("gate-closed", closed);

    says(open(&stage, "100", &[]), 1, &["clients take it for closed", "Have them sign the opening"]);
    // Nobody prolongs in silence what people signed to end.
    let was = [
        "it is to be open until 2026-11-22 06:00:00Z",
        "--open-until 2026-11-22T06:00:00Z",
        "--no-open-until",
    ];
    says(open_with([2, 3], &[]), 2, &was);
    let again = says(
        open_with([2, 3], &["--no-open-until"]),
        0,
        &["is open at 100 %", "LONGER than people signed before", "To end that sooner: --open-until"],
    );
    assert!(!again.stdout.contains("It was so already"), "{again:?}");
    says(stage.ctl(&["status"]).unwrap(), 0, &["open at 100 %"]);
    decided("applied", "");

    // Clients would not keep to it, so nobody signs it.
    let late = ["--open-until", "2036-01-01T00:00:00Z"];
    says(open_with([2, 3], &late), 2, &["the recipe itself ends before that", "Nothing was signed"]);
    let unsigned = open(&stage, "100", &until);
    says(unsigned, 2, &["--key"]);
}

#[test]
fn an_opening_in_a_file_counts_once() {
    let stage = published();
    says(open(&stage, "100", &["--out", "all.opening"]), 0, &["signed by nobody", "gate sign all.opening"]);
    says(open(&stage, "100", &["--out", "all.opening"]), 2, &["exists and is left as it is"]);
    let submit = || stage.ctl(&["submit", "all.opening", "--token-file", "person-1"]).unwrap();
    says(submit(), 3, &["signature of the emergency lane holds"]);
    let key = "authority/people/person-3/emergency.pem";
    let sign = || stage.ctl(&["gate", "sign", "all.opening", "--key", key, "--yes"]).unwrap();
    says(sign(), 0, &["now it is closed", "signed by person-3", "mulberryctl submit all.opening"]);
    says(sign(), 1, &["person-3 has signed it already"]);

    // Another percentage in the file is not what was signed.
    let text = fs::read_to_string(stage.path("all.opening")).unwrap();
    fs::write(stage.path("all.opening"), text.replace("\"percent\":10000", "\"percent\":9000")).unwrap();
    says(submit(), 3, &["signature of the emergency lane holds"]);
    let other = ["gate", "sign", "all.opening", "--key", "authority/people/person-2/emergency.pem", "--yes"];
    says(
        stage.ctl(&other).unwrap(),
        3,
        &["A signature of person-3 in it does not hold", "Nothing was signed"],
    );
    // The reason is not signed, and is shown so that it can pass for nothing else.
    let forged = text.replace("it's time", "canary\\nat most    1% of them");
    fs::write(stage.path("all.opening"), forged).unwrap();
    says(stage.ctl(&other).unwrap(), 2, &["its reason: it has more than one line"]);
    fs::write(stage.path("all.opening"), &text).unwrap();
    says(submit(), 0, &["is open at 100 %"]);
    // Whose answer was lost asks again, and is told that it was so.
    says(submit(), 0, &["is open at 100 %", "It was so already, so nothing was recorded."]);
    stage.ctl(&["gate", "pause", SLUG, "--reason", "trouble"]).unwrap().expect_code(0).unwrap();
    says(submit(), 1, &["was paused by on-duty", "--resume"]);
    let events = stops(&stage);
    let again = ["submit", "all.opening", "--token-file", "person-1", "--resume", &events];
    says(stage.ctl(&again).unwrap(), 3, &["it was used, or the gate was changed since"]);

    // What was signed for one revision is for no other.
    let folder = stage.write_recipe(SLUG).unwrap();
    let file = stage.path(&folder).join("recipe.toml");
    let recipe = fs::read_to_string(&file).unwrap();
    fs::write(&file, recipe.replace("revision = 1", "revision = 2")).unwrap();
    stage.publish("emergency", &folder).unwrap();
    says(submit(), 1, &["Revision 1 of emergency/fix.json is meant, but 2 is published"]);
    let origin = ["gate", "sign", "all.opening", "--key", "authority/people/person-1/emergency.pem", "--yes"];
    let refused = stage.ctl(&origin).unwrap();
    says(refused, 3, &["it is for revision 1", "Nothing was signed"]);
}

#[test]
fn a_servers_clock_that_was_years_ahead_for_a_moment_blocks_nobody() {
    let mut stage = published();
    let restart = |stage: &mut Stage, at: Timestamp| {
        stage.stop_server().unwrap();
        stage.set_clock(at);
        stage.start_server().unwrap();
    };
    let (right, years_ahead) = (stage.now(), "2029-01-01T00:00:00Z".parse().unwrap());
    restart(&mut stage, years_ahead);
    // Whoever pauses has a clock that is right.
    stage.set_clock(right);
    stage.ctl(&["gate", "pause", SLUG, "--reason", "crashes"]).unwrap().expect_code(0).unwrap();
    restart(&mut stage, right + SignedDuration::from_mins(1));

    let way_out = "gate pause emergency/fix.json --reason 'crashes'";
    let told = says(
        stage.ctl(&["status"]).unwrap(),
        1,
        &["TROUBLE", "2029-01-01", "lies ahead of this server's clock"],
    );
    assert!(told.stdout.contains(way_out), "{told:?}");
    stage
        .ctl(&["gate", "pause", "emergency/fix.json", "--reason", "crashes"])
        .unwrap()
        .expect_code(0)
        .unwrap();
    stage.ctl(&["status"]).unwrap().expect_code(0).unwrap();
    // Two people sign for now, and one person goes on in minutes, not in years.
    says(open_again(&stage, "5", &[]), 0, &["is open at 5 %", "by one person alone from 2026-11-22 00:1"]);
    says(open(&stage, "100", &[]), 1, &["until 2026-11-22T00:1"]);
    restart(&mut stage, right + SignedDuration::from_mins(20));
    says(open(&stage, "100", &[]), 0, &["is open at 100 %"]);
}

#[test]
fn a_clock_years_ahead_bakes_nothing() {
    let mut stage = published();
    says(open(&stage, "5", &[]), 0, &["is open at 5 %"]);
    for _ in 0..2 {
        let right = stage.now();
        stage.stop_server().unwrap();
        stage.set_clock("2029-01-01T00:00:00Z".parse().unwrap());
        stage.start_server().unwrap();
        stage.set_clock(right);
        says(
            open(&stage, "100", &[]),
            1,
            &["the clock was not to be believed before, so its time started again"],
        );
    }
    let key = ["--key", "authority/people/person-2/emergency.pem", "--yes", "--token-file", "person-1"];
    stage.stop_server().unwrap();
    stage.start_server().unwrap();
    says(open(&stage, "100", &[]), 1, &["until 2026-11-22T00:1"]);
    says(open(&stage, "100", &key), 0, &["is open at 100 %"]);
}
