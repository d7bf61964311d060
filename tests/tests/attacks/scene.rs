//! The agent before an attack, the attack, and what must be left of the agent afterwards.
//!
//! Keys, add-ons and the agent's good state are made once and kept in memory; each attack gets a copy.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::binaries::Binaries;
use mulberry_lab::corpus::{self, CorpusSpec, Signed};
use mulberry_lab::forge::{self, Forge};
use mulberry_lab::hostile_origin::{Damage, HostileOrigin};
use mulberry_lab::pki::{KeyKind, LabCertificate};
use mulberry_lab::process::{Said, run};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::{Lane, Recipe, published};
use mulberry_shared::x509::Certificate;
use serde_json::Value;
use tempfile::TempDir;

/// The good edition's recipes. The first one is why the add-ons work.
pub(crate) const REPAIR: &str = "emergency/repair.json";
pub(crate) const CHORE: &str = "routine/chore.json";
/// What an attacker wants the agent to apply: with it no add-on works any more.
pub(crate) const EVIL: &str = "emergency/evil.json";
/// What honest people publish after the attack.
const NEWS: &str = "routine/news.json";

/// Files below a folder.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What all attacks start from.
struct Base {
    forge: Forge,
    agent: PathBuf,
    addons: Files,
    state: Files,
    intermediates: Vec<Certificate>,
    spare: Certificate,
}

static BASE: LazyLock<Base> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let expired_at = now - SignedDuration::from_hours(1);
    let spec =
        CorpusSpec { addons: 14, seed: 9, expired_at, keys: KeyKind::Rsa2048, signed: Signed::EveryWay };
    let (incident, table) = corpus::write(folder.path(), &spec, &|_| ()).unwrap();
    // One of each group is enough: repaired, replaced, never broken.
    for addon in &table.addons {
        if !["a-000000.xpi", "b-000009.xpi", "c-000013.xpi"].iter().any(|kept| addon.file.ends_with(kept)) {
            std::fs::remove_file(folder.path().join(&addon.file)).unwrap();
        }
    }
    let [replacement, control, stolen, spare] =
        [&incident.replacement, &incident.control, &incident.stolen, &incident.stolen_sibling].map(read);

    let mut forge = Forge::new(now - SignedDuration::from_mins(10)).unwrap();
    for (path, certificate) in [(REPAIR, &replacement), (CHORE, &stolen)] {
        let recipe = forge::install(&path.parse().unwrap(), std::slice::from_ref(certificate), now);
        forge.add_open(&recipe).unwrap();
    }
    forge.publish().unwrap();

    let agent = Binaries::build().unwrap().agent();
    std::fs::write(folder.path().join("root.json"), &forge.files["metadata/1.root.json"]).unwrap();
    let origin = HostileOrigin::serve(&forge.recording(), &[]).unwrap();
    let url = origin.url();
    let arguments = [
        "init",
        "--state",
        "state",
        "--trust",
        "root.json",
        "--origin",
        &url,
        "--anchor",
        "certificates/anchor.pem",
        "--addons",
        "addons",
    ];
    run(&agent, &arguments, folder.path()).unwrap().expect_code(0).unwrap();
    run(&agent, &["once", "--state", "state"], folder.path()).unwrap().expect_code(0).unwrap();
    Base {
        forge,
        agent,
        addons: files(&folder.path().join("addons")),
        state: files(&folder.path().join("state")),
        intermediates: vec![replacement, control],
        spare,
    }
});

/// The repository as it was when the agent saw it last.
pub(crate) fn seen() -> Forge {
    BASE.forge.clone()
}

/// The recipe that would disable all add-ons, at this path.
pub(crate) fn evil(path: &str) -> Recipe {
    let keys: Vec<Sha256Digest> = BASE.intermediates.iter().map(Certificate::spki_sha256).collect();
    forge::distrust(&path.parse().unwrap(), &keys, BASE.forge.now)
}

/// A recipe that helps, at this path.
pub(crate) fn good(path: &str) -> Recipe {
    forge::install(&path.parse().unwrap(), std::slice::from_ref(&BASE.spare), BASE.forge.now)
}

/// The bytes of [`evil`].
pub(crate) fn evil_bytes(path: &str) -> Vec<u8> {
    published::write(&evil(path))
}

/// Puts the evil recipe into the emergency lane's next version, unsigned, and opens its gate: what a thief of all online
/// keys would do next is to find signatures.
pub(crate) fn list_evil(forge: &mut Forge) {
    forge.list(Lane::Emergency, EVIL, &evil_bytes(EVIL));
    forge.open(&EVIL.parse().unwrap(), 1);
}

/// What the agent holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    /// What the host sees.
    shown: BTreeMap<String, String>,
    enrolments: Value,
    /// The name of each trust file and its digest.
    trust: BTreeMap<String, String>,
}

/// A real agent that holds the good edition.
pub(crate) struct Victim {
    folder: TempDir,
    before: Held,
}

impl Victim {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("mulberry-attack").tempdir().unwrap();
        write(&folder.path().join("addons"), &BASE.addons);
        write(&folder.path().join("state"), &BASE.state);
        let before = held(&folder.path().join("state"));
        assert_eq!(before.enrolled(), [REPAIR, CHORE], "the good edition is applied");
        Self { folder, before }
    }

    /// One run of the agent against what `forge` serves.
    pub(crate) fn meets(&self, forge: &Forge) -> Met {
        self.meets_damaged(forge, &[])
    }

    /// As [`Self::meets`], with documents damaged on their way.
    pub(crate) fn meets_damaged(&self, forge: &Forge, damaged: &[(&str, Damage)]) -> Met {
        self.runs(forge, damaged, Some(forge.now).filter(|now| *now > Timestamp::now()))
    }

    /// As [`Self::meets`], on a machine whose clock shows this.
    pub(crate) fn meets_at(&self, clock: Timestamp, forge: &Forge) -> Met {
        self.runs(forge, &[], Some(clock))
    }

    fn runs(&self, forge: &Forge, damaged: &[(&str, Damage)], clock: Option<Timestamp>) -> Met {
        let origin = HostileOrigin::serve(&forge.recording(), damaged).unwrap();
        let mut arguments = vec!["once", "--json", "--state", "state", "--addons", "addons"];
        let url = origin.url();
        arguments.extend(["--origin", &url]);
        let clock = clock.map(|clock| clock.to_string());
        if let Some(clock) = &clock {
            arguments.extend(["--clock-start", clock]);
        }
        let said = run(&BASE.agent, &arguments, self.folder.path()).unwrap();
        assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
        let report = said.json().unwrap();
        Met { said, report, asked: origin.asked(), heard: origin.heard() }
    }

    /// Which the host may run.
    pub(crate) fn enabled(&self) -> BTreeSet<String> {
        let told: Value =
            serde_json::from_slice(&std::fs::read(self.state().join("addons.json")).unwrap()).unwrap();
        let enabled = told["addons"].as_array().unwrap().iter().filter(|addon| addon["enabled"] == true);
        enabled.map(|addon| addon["path"].as_str().unwrap().to_owned()).collect()
    }

    /// The random number that decides which samples it is in.
    pub(crate) fn client_id(&self) -> String {
        let state: Value =
            serde_json::from_slice(&std::fs::read(self.state().join("state.json")).unwrap()).unwrap();
        state["client_id"].as_str().unwrap().to_owned()
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The add-ons.
    pub(crate) fn addons(&self) -> PathBuf {
        self.folder.path().join("addons")
    }

    /// What it holds now.
    pub(crate) fn held(&self) -> Held {
        held(&self.state())
    }

    /// Fails unless the host sees what it saw, the same is enrolled, and of the trust files exactly these have changed.
    #[track_caller]
    pub(crate) fn is_unharmed(&self, advanced: &[&str]) -> &Self {
        let after = self.held();
        assert_eq!(after.shown, self.before.shown, "what the host sees");
        assert_eq!(after.enrolments, self.before.enrolments);
        assert_eq!(self.before.changed(&after), advanced, "trust files that have changed");
        self
    }

    /// Fails unless the agent takes what honest people publish next in `forge`, and then has applied what they opened, and
    /// no more.
    #[track_caller]
    pub(crate) fn takes_honest_news(&self, forge: &Forge) {
        let mut forge = forge.clone();
        // After every version that a thief may have used.
        forge.online += 100;
        for lane in Lane::ALL {
            forge.lane(lane).version += 100;
            forge.put_lane(lane).unwrap();
        }
        forge.add_open(&good(NEWS)).unwrap();
        forge.publish().unwrap();
        self.meets(&forge).ends(0, "current", &["verified; something new came"]);
        let after = self.held();
        let open: Vec<String> = forge.gates.0.keys().map(ToString::to_string).collect();
        assert_eq!(after.enrolled(), open);
        assert_eq!(after.shown["addons.json"], self.before.shown["addons.json"]);
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Met {
    said: Said,
    report: Value,
    /// What the origin was asked for.
    pub(crate) asked: Vec<String>,
    /// The whole requests: request line and headers.
    pub(crate) heard: Vec<String>,
}

impl Met {
    /// Fails unless the run ended with this code and outcome, and its sentence has all these words.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, outcome: &str, words: &[&str]) -> &Self {
        let refresh = &self.report["refresh"];
        let detail = refresh["detail"].as_str().unwrap();
        assert_eq!((self.said.code, refresh["outcome"].as_str()), (Some(code), Some(outcome)), "{detail}");
        for word in words {
            assert!(detail.contains(word), "no {word:?} in {detail:?}");
        }
        self
    }

    /// Fails unless this recipe has this status, and its detail has these words.
    #[track_caller]
    pub(crate) fn recipe(&self, path: &str, status: &str, words: &str) -> &Self {
        let recipes = self.report["recipes"].as_array().unwrap();
        let recipe = recipes.iter().find(|recipe| recipe["path"] == path);
        let recipe = recipe.unwrap_or_else(|| panic!("no {path} in {recipes:#?}"));
        assert_eq!(recipe["status"], status, "{recipe:#}");
        assert!(recipe["detail"].as_str().unwrap().contains(words), "{recipe:#}");
        self
    }

    /// Fails if the run knows of this recipe.
    #[track_caller]
    pub(crate) fn knows_no(&self, path: &str) -> &Self {
        let recipes = self.report["recipes"].as_array().unwrap();
        assert!(recipes.iter().all(|recipe| recipe["path"] != path), "{recipes:#?}");
        self
    }
}

fn held(state: &Path) -> Held {
    let json =
        |name: &str| -> Value { serde_json::from_slice(&std::fs::read(state.join(name)).unwrap()).unwrap() };
    let shown = files(state).into_iter().map(|(path, bytes)| (path.to_string_lossy().into_owned(), bytes));
    let shown = shown.filter(|(path, _)| path == "addons.json" || path.starts_with("certificates/"));
    let trust = json("trust/current.json")["files"].as_object().unwrap().clone();
    Held {
        shown: shown.map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect(),
        enrolments: json("state.json")["enrolments"].clone(),
        trust: trust.into_iter().map(|(name, digest)| (name, digest.as_str().unwrap().to_owned())).collect(),
    }
}

fn read(certificate: &LabCertificate) -> Certificate {
    Certificate::parse_der(certificate.der(), &Limits::default().x509).unwrap()
}

fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn write(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = folder.join(path);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

impl Held {
    /// The paths of what is enrolled, sorted.
    pub(crate) fn enrolled(&self) -> Vec<String> {
        let enrolments = self.enrolments.as_array().unwrap().iter();
        let path = |recipe: &Value| {
            format!("{}/{}.json", recipe["lane"].as_str().unwrap(), recipe["slug"].as_str().unwrap())
        };
        let mut paths: Vec<String> = enrolments.map(|one| path(&one["recipe"])).collect();
        paths.sort();
        paths
    }

    /// Whether `after` shows and has enrolled the same, and exactly these trust files differ.
    pub(crate) fn differs_in(&self, after: &Self, advanced: &[&str]) -> bool {
        self.shown == after.shown && self.enrolments == after.enrolments && self.changed(after) == advanced
    }

    /// The trust files that are not the same, content as `files`.
    fn changed<'a>(&'a self, after: &'a Self) -> Vec<&'a str> {
        let names: BTreeSet<&String> = self.trust.keys().chain(after.trust.keys()).collect();
        let changed = names.into_iter().filter(|name| self.trust.get(*name) != after.trust.get(*name));
        let mut changed: Vec<&str> = changed.map(|name| name.split('/').next().unwrap()).collect();
        changed.dedup();
        changed
    }
}
