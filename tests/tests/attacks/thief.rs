//! A thief who holds the whole server: every online key, every file it ever served, and every listener. What is left to the
//! thief is what `server/docs/threat-model.md` says, line by line.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use mulberry_lab::forge::{self, Envelope, Forge};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::gates::GateState;
use mulberry_shared::recipe::{Lane, OnEnd, Opens, Recipe, published};
use mulberry_shared::sampling::{BasisPoints, in_sample};
use mulberry_shared::tuf::location;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::scene::{EVIL, REPAIR, Victim, evil, evil_bytes, good, list_evil, seen};

/// The keys that stand on the server.
const ONLINE: [u8; 3] = [41, 42, 43];
const MORE: &str = "emergency/more.json";

/// The repository in the hands of a thief: nobody's keys sign any more but the server's own.
fn stolen(forge: &Forge) -> Forge {
    let mut forge = forge.clone();
    forge.keys.retain(|_, numbers| numbers.iter().all(|number| ONLINE.contains(number)));
    assert_eq!(forge.keys.keys().copied().collect::<Vec<_>>(), ["gates", "snapshot", "timestamp"]);
    forge
}

/// People publish a recipe of which the gate is closed.
fn armed(forge: &Forge, recipe: &Recipe) -> Forge {
    let mut forge = forge.clone();
    forge.add(recipe.lane, &recipe.path().to_string(), &published::write(recipe)).unwrap();
    forge.publish().unwrap();
    forge
}

#[test]
fn nothing_is_applied_that_people_have_not_signed() {
    let honest = seen();
    let genuine = serde_json::from_slice::<serde_json::Value>(&honest.listed["emergency"].1).unwrap();
    let genuine = genuine["signatures"].to_string();
    let mut thief = stolen(&honest);
    list_evil(&mut thief);
    let lane = thief.lane(Lane::Emergency).clone();
    let signed = Envelope::of(&lane).unwrap().signed;
    let root = thief.next_root().unwrap();
    let attempts: [(&str, Vec<u8>); 4] = [
        ("unsigned", forge::signed(&lane, &[]).unwrap()),
        ("signed online", forge::signed(&lane, &ONLINE).unwrap()),
        (
            "signatures of the lane before",
            format!(r#"{{"signatures":{genuine},"signed":{signed}}}"#).into_bytes(),
        ),
        ("another root", forge::signed(&root, &ONLINE).unwrap()),
    ];
    for (name, bytes) in attempts {
        let mut thief = thief.clone();
        let advanced: &[&str] = if name == "another root" {
            thief.put_root_file(2, bytes);
            &[]
        } else {
            thief.put_role("emergency", lane.version, bytes);
            &["files", "gates.json", "snapshot.json", "timestamp.json"]
        };
        thief.publish().unwrap();
        let victim = Victim::new();
        let met = victim.meets(&thief);
        met.ends(3, "refused", &["0 of the 2 distinct keys needed"]).knows_no(EVIL);
        victim.is_unharmed(advanced).takes_honest_news(&honest);
    }
    // Nor under the name of what they have signed.
    let recipe = good(MORE);
    let honest = armed(&honest, &recipe);
    let mut thief = stolen(&honest);
    thief.open(&recipe.path(), 1);
    let listed = thief.lane(Lane::Emergency).targets[MORE].sha256();
    thief.files.insert(location::file(MORE, listed.as_ref()), evil_bytes(MORE));
    thief.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&thief).ends(3, "refused", &[MORE]).recipe(MORE, "unreadable", "");
    victim.takes_honest_news(&honest);
}

/// Each of these would disable every add-on, were it applied.
#[test]
fn nothing_opens_wider_than_people_signed() {
    let victim = Victim::new();
    let now = seen().now;
    let least = BasisPoints::new(1).unwrap();
    let sampled_out =
        (0..).map(|n| format!("n-{n}")).find(|name| !in_sample(name, &victim.client_id(), least));
    let narrowed = |slug: &str, narrow: &dyn Fn(&mut Recipe)| {
        let mut recipe = evil(&format!("emergency/{slug}.json"));
        narrow(&mut recipe);
        recipe
    };
    let hours = SignedDuration::from_hours;
    let recipes = [
        (
            "not-sampled",
            narrowed("share", &|recipe| {
                recipe.rollout.max_percent = least;
                recipe.rollout.namespace = sampled_out.clone().unwrap();
            }),
        ),
        (
            "not-targeted",
            narrowed("channel", &|recipe| {
                recipe.targeting.channels = Some(vec!["nightly-elsewhere".into()]);
            }),
        ),
        ("not-targeted", narrowed("ring", &|recipe| recipe.targeting.rings = Some(vec!["qa".into()]))),
        ("not-started", narrowed("tomorrow", &|recipe| recipe.starts = Some(now + hours(24)))),
        ("expired", narrowed("yesterday", &|recipe| recipe.expires = now - hours(24))),
        ("gate-closed", narrowed("people", &|recipe| recipe.opens = Opens::People)),
    ];
    let mut thief = seen();
    for (_, recipe) in &recipes {
        thief.add(Lane::Emergency, &recipe.path().to_string(), &published::write(recipe)).unwrap();
    }
    let honest = thief.clone();
    let mut thief = stolen(&thief);
    for (_, recipe) in &recipes {
        thief.open(&recipe.path(), recipe.revision);
    }
    thief.publish().unwrap();
    let met = victim.meets(&thief);
    met.ends(0, "current", &[]).recipe(REPAIR, "unchanged", "");
    for (status, recipe) in &recipes {
        met.recipe(&recipe.path().to_string(), status, "");
    }
    victim.is_unharmed(&["emergency.json", "files", "gates.json", "snapshot.json", "timestamp.json"]);
    victim.takes_honest_news(&honest);
}

/// People armed a recipe, thought better of it, and withdrew it: before and after, as forges.
fn withdrawn() -> (Forge, Forge) {
    let before = armed(&seen(), &evil(EVIL));
    let mut after = before.clone();
    let lane = after.lane(Lane::Emergency);
    lane.version += 1;
    lane.targets.remove(EVIL);
    after.put_lane(Lane::Emergency).unwrap();
    after.publish().unwrap();
    (before, after)
}

/// Everything is as it was before the withdrawal, signed again, and the gate is opened.
fn shows_again(before: &Forge, after: &Forge) -> Forge {
    let mut thief = stolen(before);
    thief.now = after.now;
    thief.online = after.online + 1;
    thief.open(&EVIL.parse().unwrap(), 1);
    thief.publish().unwrap();
    thief
}

#[test]
fn what_people_withdrew_stays_withdrawn_where_it_was_seen() {
    let (before, after) = withdrawn();
    let victim = Victim::new();
    victim.meets(&before).recipe(EVIL, "gate-closed", "");
    victim.meets(&after).ends(0, "current", &[]).knows_no(EVIL);
    let met = victim.meets(&shows_again(&before, &after));
    met.ends(3, "refused", &["snapshot: it lists version 3 of emergency.json, older than version 4"]);
    met.knows_no(EVIL).recipe(REPAIR, "unchanged", "");
    victim.takes_honest_news(&after);
}

/// People's word reaches an agent by the server. One that was kept from hearing the last word goes by the one before, as long as
/// people said that it holds.
#[test]
fn what_people_withdrew_can_be_shown_where_the_withdrawal_was_never_seen_until_its_lane_expires() {
    let (before, after) = withdrawn();
    let victim = Victim::new();
    assert_eq!(victim.enabled().len(), 3);
    victim.meets(&shows_again(&before, &after)).recipe(EVIL, "applied", "");
    assert!(victim.enabled().is_empty());

    let victim = Victim::new();
    let late = after.later(SignedDuration::from_hours(91 * 24));
    let met = victim.meets(&shows_again(&before, &late));
    met.ends(0, "stale", &["emergency: version 3 expired at "]).knows_no(EVIL);
    assert_eq!(victim.enabled().len(), 3);
}

/// An agent that got its repair from a recipe whose effects end with it.
fn repaired_for_a_while() -> (Forge, Victim) {
    let mut honest = seen();
    let listed = honest.lane(Lane::Emergency).targets[REPAIR].sha256();
    let body = honest.files[&location::file(REPAIR, listed.as_ref())].clone();
    let limits = mulberry_shared::limits::Limits::default();
    let repair = published::read(&REPAIR.parse().unwrap(), &body, &limits).unwrap();
    let repair = Recipe { revision: 2, on_end: OnEnd::Revert, ..repair };
    honest.add_open(&repair).unwrap();
    honest.publish().unwrap();
    let victim = Victim::new();
    victim.meets(&honest).ends(0, "current", &[]).recipe(REPAIR, "applied", "");
    (honest, victim)
}

#[test]
fn no_working_add_on_breaks() {
    let (honest, victim) = repaired_for_a_while();
    let working = victim.enabled();
    assert_eq!(working.len(), 3);
    let path = REPAIR.parse().unwrap();
    type Move<'a> = (&'a str, &'a dyn Fn(&mut Forge));
    let moves: [Move<'_>; 5] = [
        ("unchanged", &|thief| thief.gate(&path, 2, GateState::Paused)),
        ("unchanged", &|thief| drop(thief.gates.0.remove(&path))),
        ("kept-would-break", &|thief| thief.gate(&path, 2, GateState::Ended)),
        ("unchanged", &|thief| thief.gate(&path, 1, GateState::Ended)),
        // Everything has expired, and keeps being served.
        ("unchanged", &|thief| *thief = thief.clone().later(SignedDuration::from_hours(24 * 300))),
    ];
    let mut thief = stolen(&honest);
    for (number, (status, play)) in moves.iter().enumerate() {
        play(&mut thief);
        thief.publish().unwrap();
        victim.meets(&thief).recipe(REPAIR, status, "");
        assert_eq!(victim.enabled(), working, "after move {number}");
    }
    // Nothing is served at all, then rubbish.
    for rubbish in [None, Some(b"{}".to_vec())] {
        let mut thief = thief.clone();
        for bytes in std::mem::take(&mut thief.files).into_keys() {
            rubbish.iter().for_each(|rubbish| drop(thief.files.insert(bytes.clone(), rubbish.clone())));
        }
        victim.meets(&thief);
        assert_eq!(victim.enabled(), working);
    }
}

#[test]
fn it_can_open_pause_end_and_resume_what_people_signed() {
    let keeps = good(MORE);
    let reverts = Recipe { on_end: OnEnd::Revert, ..good("emergency/reverts.json") };
    let honest = armed(&armed(&seen(), &keeps), &reverts);
    let mut thief = stolen(&honest);
    let (keeps, reverts) = (keeps.path(), reverts.path());
    let victim = Victim::new();
    let working = victim.enabled();
    let mut plays = |gates: [(GateState, &str); 2]| {
        for (path, (state, _)) in [&keeps, &reverts].into_iter().zip(&gates) {
            thief.gate(path, 1, *state);
        }
        thief.publish().unwrap();
        let met = victim.meets(&thief);
        for (path, (_, status)) in [&keeps, &reverts].into_iter().zip(gates) {
            met.recipe(&path.to_string(), status, "");
        }
        assert_eq!(victim.enabled(), working);
    };
    plays([(GateState::Paused, "paused"), (GateState::Ended, "ended")]);
    plays([(GateState::Open, "applied"), (GateState::Open, "applied")]);
    // What is undone breaks nothing.
    plays([(GateState::Ended, "ended"), (GateState::Ended, "reverted")]);
    plays([(GateState::Open, "applied"), (GateState::Open, "applied")]);
}

/// An agent whose own clock is wrong is told so by honest editions. A thief may confirm the wrong clock instead; then dates count by it.
#[test]
fn a_wrong_clock_can_be_confirmed() {
    let honest = seen();
    let wrong = honest.now - SignedDuration::from_hours(24 * 365 * 40);
    let victim = Victim::new();
    let working = victim.enabled();
    victim.meets_at(wrong, &honest);
    assert_eq!(victim.enabled(), working);
    let mut thief = stolen(&honest);
    thief.now = wrong;
    thief.publish().unwrap();
    victim.meets_at(wrong, &thief);
    assert_ne!(victim.enabled(), working);
    // With the right clock it is over: nothing was lost.
    victim.takes_honest_news(&honest);
    assert_eq!(victim.enabled(), working);
}

/// No id, no version or channel of the host, no add-on: only which timestamp it holds.
#[test]
fn requests_say_nothing_about_who_asks() {
    let forge = armed(&seen(), &good(MORE));
    let held = format!("\"{}\"", Sha256Digest::of(&seen().files["metadata/timestamp.json"]));
    let met = Victim::new().meets(&forge);
    assert!(met.heard.len() >= 5, "{:?}", met.heard);
    for request in &met.heard {
        let (first, headers) = request.trim_end().split_once("\r\n").unwrap();
        let path = first.strip_prefix("GET /").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap();
        let public = path.starts_with("metadata/") || path.starts_with("targets/");
        assert!(public && !path.contains('?'), "{path}");
        for header in headers.lines() {
            let (name, value) = header.split_once(": ").unwrap();
            let same_from_all = match name {
                "host" => true,
                "accept" => value == "*/*",
                "accept-encoding" => value == "identity",
                "if-none-match" => value == held,
                "user-agent" => value == concat!("mulberry-agent/", env!("CARGO_PKG_VERSION")),
                _ => false,
            };
            assert!(same_from_all, "{header}");
        }
    }
}

/// Moves of a thief one after another, as they come. Whatever was served: what is enrolled was signed by people for this agent, and
/// every add-on that worked still works.
#[test]
fn no_sequence_of_moves_leads_further() {
    let people = ["emergency/one.json", "emergency/two.json", "routine/three.json"];
    let mut honest = repaired_for_a_while().0;
    for (number, path) in people.iter().enumerate() {
        let on_end = if number == 0 { OnEnd::Keep } else { OnEnd::Revert };
        honest = armed(&honest, &Recipe { on_end, ..good(path) });
    }
    honest = armed(&honest, &Recipe { opens: Opens::People, ..evil("emergency/guarded.json") });
    let allowed: BTreeSet<&str> = people.into_iter().chain([REPAIR, super::scene::CHORE]).collect();
    let seed: u64 = rand::rng().random();
    let mut dice = StdRng::seed_from_u64(seed);
    let victim = Victim::new();
    let working = victim.enabled();
    let mut thief = stolen(&honest);
    for turn in 0..80 {
        for _ in 0..dice.random_range(1..4) {
            play(&mut thief, &honest, &mut dice);
        }
        thief.publish().unwrap();
        victim.meets(&thief);
        let context = format!("seed {seed}, turn {turn}");
        assert_eq!(victim.enabled(), working, "{context}");
        for path in victim.held().enrolled() {
            assert!(allowed.contains(path.as_str()), "{path} is enrolled; {context}");
        }
    }
    let mut recovered = honest;
    recovered.rotate(&[("snapshot", &[52]), ("timestamp", &[53])]).unwrap();
    recovered.redelegate(&[("gates", &[51])]).unwrap();
    // What the thief opened stays until people say that it goes.
    recovered.lane(Lane::Emergency).targets.remove(people[1]);
    recovered.lane(Lane::Routine).targets.remove(people[2]);
    recovered.open(&people[0].parse().unwrap(), 1);
    victim.takes_honest_news(&recovered);
}

/// One move of somebody who holds the online keys and all files.
fn play(thief: &mut Forge, honest: &Forge, dice: &mut impl Rng) {
    let paths: Vec<&String> = honest.lanes.values().flat_map(|lane| lane.targets.keys()).collect();
    let path = paths[dice.random_range(0..paths.len())].parse().unwrap();
    let states = [GateState::Open, GateState::Paused, GateState::Ended];
    match dice.random_range(0..9) {
        0..4 => thief.gate(&path, dice.random_range(1..3), states[dice.random_range(0..3)]),
        4 => drop(thief.gates.0.remove(&path)),
        // A lane signed by nobody, under the genuine one's number so that there is a way back; or an older lane.
        5 => {
            let mut forged = thief.clone();
            list_evil(&mut forged);
            let lane = forged.lane(Lane::Emergency);
            thief.put_role("emergency", lane.version - 1, forge::signed(lane, &ONLINE).unwrap());
        }
        6 => {
            let (version, bytes) = seen().listed["emergency"].clone();
            thief.put_role("emergency", version, bytes);
        }
        // Back to what is genuine.
        7 => thief.listed.clone_from(&honest.listed),
        _ => thief.online += dice.random_range(0..1_000_000),
    }
}

/// The page that people read beside these tests names a test for each of its lines, and these tests exist.
#[test]
fn each_line_of_the_threat_model_has_its_test() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(repository.join("server/docs/threat-model.md")).unwrap();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| A thief")).collect();
    assert!(rows.len() >= 20, "{rows:#?}");
    for row in rows {
        let named: Vec<(&str, &str)> = row.split('`').filter_map(|word| word.split_once(".rs::")).collect();
        assert!(!named.is_empty(), "no test: {row}");
        for (file, test) in named {
            let file = repository.join(format!("{file}.rs"));
            let source = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no {}", file.display()));
            let source: Vec<&str> = source.lines().map(str::trim).collect();
            let signature = [format!("fn {test}("), format!("async fn {test}(")];
            let at = source.iter().position(|line| signature.iter().any(|fn_| line.starts_with(fn_)));
            let at = at.unwrap_or_else(|| panic!("no {test} in {}", file.display()));
            let before = source[at.saturating_sub(4)..at].iter().any(|line| line.ends_with("test]"));
            assert!(before, "{test} in {} is not a test", file.display());
        }
    }
}
