//! A hostile origin: each document of an edition, damaged in each way, before a real agent.

use mulberry_lab::hostile_origin::{Damage, HostileOrigin, Recording};
use serde_json::Value;

use super::play::{Memory, play};
use super::scene::{SECOND, Scene, enrolled, shown};

/// One document of an edition, and what it holds up while it is damaged.
struct Document {
    name: &'static str,
    path: String,
    /// What the agent's sentence must say of it.
    told: String,
    /// The recipes of the second edition that are applied all the same, where the run fails.
    passes: &'static [&'static str],
    /// The agent that meets it.
    agent: &'static str,
    /// Whether its length is signed elsewhere, so that an agent fetches no more than that.
    length: Length,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Signed,
    Unknown,
}

impl Document {
    /// The exit code after this damage: 4 when nothing usable arrives, 3 when what arrives is refused. A root that does not arrive
    /// is none, since whoever can send an error can send a 404.
    fn exit(&self, damage: Damage) -> i32 {
        match (self.arrives(damage), self.name) {
            (true, _) => 3,
            (false, "root") => 0,
            (false, _) => 4,
        }
    }

    /// Whether there is something to refuse: to be longer than was promised, or to say so, is.
    fn arrives(&self, damage: Damage) -> bool {
        match damage {
            Damage::Huge | Damage::HugeAnnounced => true,
            Damage::WrongContentLength => self.length == Length::Signed,
            _ => !damage.is_of_the_transfer(),
        }
    }

    /// The recipes of the second edition that are applied in spite of this damage.
    fn passes(&self, damage: Damage) -> &'static [&'static str] {
        if self.exit(damage) == 0 { &["second-emergency", "second-routine"] } else { self.passes }
    }
}

#[test]
fn damage_to_one_document_is_told_and_leaves_the_last_good_state() {
    let scene = Scene::new();
    // There is no second root. The first under its name stands for one that damage befell.
    let root = scene.second.file("metadata/1.root.json").unwrap().to_vec();
    let edition = scene.second.clone().with("metadata/2.root.json", root);
    let good = HostileOrigin::serve(&scene.second, &[]).unwrap();

    let harmless = scene.agent("base", "harmless");
    let (said, idle) = once(&scene, "harmless", &good);
    assert_eq!(said.0, Some(0), "{}", said.1);
    assert_eq!(enrolled(&harmless).len(), 4);
    let memory = Memory::new("once", idle);

    let mut wrong = Vec::new();
    for document in documents(&scene.second) {
        let start = scene.stage.path(&format!("agents/{}", document.agent));
        let (before, held) = (shown(&start), enrolled(&start));
        for damage in Damage::ALL {
            let case = format!("{damage:?} {}", document.name);
            let served = if document.name == "root" { &edition } else { &scene.second };
            let origin = HostileOrigin::serve(served, &[(&document.path, damage)]).unwrap();
            let state = scene.agent(document.agent, "victim");
            let ((code, detail), peak) = once(&scene, "victim", &origin);
            memory.note(&case, peak);

            let expected = document.exit(damage);
            if code != Some(expected) {
                wrong.push(format!("{case}: exit {code:?} instead of {expected}: {detail}"));
            }
            if !detail.contains(&document.told) {
                wrong.push(format!("{case}: does not name {}: {detail}", document.told));
            }
            let mut applied: Vec<&str> = held.iter().map(String::as_str).collect();
            applied.extend(document.passes(damage));
            applied.sort_unstable();
            if enrolled(&state) != applied {
                wrong.push(format!("{case}: enrolled {:?} instead of {applied:?}", enrolled(&state)));
            }
            if document.passes(damage).is_empty() && shown(&state) != before {
                wrong.push(format!("{case}: what the host sees has changed"));
            }
            let ((code, detail), _) = once(&scene, "victim", &good);
            if code != Some(0) || enrolled(&state).len() != 4 {
                wrong.push(format!("{case}: the good origin did not heal it: {code:?} {detail}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

fn documents(edition: &Recording) -> Vec<Document> {
    let [emergency, routine] = SECOND.map(|(_, slug)| slug);
    let target = |name: &str| edition.target_path(name).unwrap().to_owned();
    let document = |name, path, told: &str, passes| {
        let length = if ["root", "timestamp"].contains(&name) { Length::Unknown } else { Length::Signed };
        // The others hold a good one already, and fetch no other.
        let agent = if name == "targets" { "fresh" } else { "base" };
        Document { name, path, told: told.to_owned(), passes, agent, length }
    };
    let recipe = |slug: &str| target(&format!("{slug}.json"));
    vec![
        document("root", "metadata/2.root.json".into(), "root: ", &[] as &[&str]),
        document("timestamp", "metadata/timestamp.json".into(), "timestamp: ", &[]),
        document("snapshot", edition.snapshot_path(), "snapshot: ", &[]),
        document("targets", edition.role_path("targets"), "targets: ", &[]),
        document("emergency lane", edition.role_path("emergency"), "emergency: ", &["second-routine"]),
        document("routine lane", edition.role_path("routine"), "routine: ", &["second-emergency"]),
        document("gates role", edition.role_path("gates"), "gates: ", &[]),
        document("gates", target("gates.json"), "gates.json", &[]),
        document("emergency recipe", recipe(emergency), emergency, &["second-routine"]),
        document("routine recipe", recipe(routine), routine, &["second-emergency"]),
    ]
}

/// One run against `origin`: exit code and the sentence on the refresh, and the peak in KiB.
fn once(scene: &Scene, agent: &str, origin: &HostileOrigin) -> ((Option<i32>, String), u64) {
    let state = format!("agents/{agent}");
    let arguments = ["once", "--json", "--state", &state, "--origin", &origin.url()];
    let (said, peak) = play(&scene.stage.binaries().agent(), &arguments, scene.stage.folder());
    let report: Value = said.json().unwrap();
    ((said.code, report["refresh"]["detail"].as_str().unwrap().to_owned()), peak)
}
