//! An agent that has applied one good edition, and the next good edition, recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::corpus::{self, CorpusSpec, Signed};
use mulberry_lab::hostile_origin::Recording;
use mulberry_lab::pki::KeyKind;
use mulberry_lab::stage::Stage;

/// The recipes of the first edition, and those that the second adds: lane and slug.
const FIRST: [(&str, &str); 2] = [("emergency", "first-emergency"), ("routine", "first-routine")];
/// See [`FIRST`].
pub(crate) const SECOND: [(&str, &str); 2] =
    [("emergency", "second-emergency"), ("routine", "second-routine")];

/// The stage after the first edition.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    /// What the server served after the first edition.
    pub(crate) first: Recording,
    /// What the server served when it had both editions' recipes.
    pub(crate) second: Recording,
}

impl Scene {
    /// Sets everything up; the agent `base` has applied [`FIRST`], the agent `fresh` has never reached an origin.
    pub(crate) fn new() -> Self {
        let mut stage = Stage::new(None).unwrap();
        let material = stage.path("material");
        std::fs::create_dir_all(&material).unwrap();
        let expired_at = Timestamp::now().checked_sub(SignedDuration::from_hours(1)).unwrap();
        let spec =
            CorpusSpec { addons: 20, seed: 5, expired_at, keys: KeyKind::Rsa2048, signed: Signed::EveryWay };
        let (incident, _) = corpus::write(&material, &spec, &|_| ()).unwrap();
        let anchor = material.join("certificates/anchor.pem");
        stage.init_agent("fresh", &anchor, &material.join("addons"), &[]).unwrap();
        stage.agent("fresh", &["once"]).unwrap().expect_code(4).unwrap();
        stage.start_server().unwrap();
        publish(&stage, FIRST, [&incident.replacement.pem(), &incident.stolen.pem()]);
        stage.init_agent("base", &anchor, &material.join("addons"), &[]).unwrap();
        stage.agent("base", &["once"]).unwrap().expect_code(0).unwrap();
        let first = Recording::fetch(stage.origin()).unwrap();
        publish(&stage, SECOND, [&incident.stolen_sibling.pem(), &incident.control.pem()]);
        let second = Recording::fetch(stage.origin()).unwrap();
        Self { stage, first, second }
    }

    /// A copy of the agent `from` in the state folder `agents/NAME`.
    pub(crate) fn agent(&self, from: &str, name: &str) -> PathBuf {
        let to = self.stage.path(&format!("agents/{name}"));
        let _ = std::fs::remove_dir_all(&to);
        copy(&self.stage.path(&format!("agents/{from}")), &to);
        to
    }
}

/// Everything that the agent in `state` shows its host, by path, without the times of its runs.
pub(crate) fn shown(state: &Path) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    let addons = std::fs::read_to_string(state.join("addons.json")).unwrap();
    shown.insert("addons.json".to_owned(), addons);
    for entry in std::fs::read_dir(state.join("certificates")).unwrap() {
        let entry = entry.unwrap();
        let name = format!("certificates/{}", entry.file_name().to_string_lossy());
        shown.insert(name, std::fs::read_to_string(entry.path()).unwrap());
    }
    shown
}

/// The slugs of what the agent in `state` has applied, sorted.
pub(crate) fn enrolled(state: &Path) -> Vec<String> {
    let text = std::fs::read(state.join("state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let enrolments = state["enrolments"].as_array().unwrap();
    let mut slugs: Vec<String> =
        enrolments.iter().map(|one| one["recipe"]["slug"].as_str().unwrap().to_owned()).collect();
    slugs.sort();
    slugs
}

/// Makes a recipe folder that installs this certificate for everyone, and publishes and opens it.
fn publish(stage: &Stage, recipes: [(&str, &str); 2], certificates: [&str; 2]) {
    let expires = Timestamp::now().checked_add(SignedDuration::from_hours(24 * 60)).unwrap();
    for ((lane, slug), pem) in recipes.into_iter().zip(certificates) {
        write_recipe(&stage.path(slug), lane, slug, &expires.to_string());
        std::fs::write(stage.path(slug).join("certificate.pem"), pem).unwrap();
        stage.publish(lane, slug).unwrap();
        stage.open_gate(slug, "100").unwrap();
    }
}

/// Writes the `recipe.toml` that [`publish`] publishes.
fn write_recipe(folder: &Path, lane: &str, slug: &str, expires: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let text = format!(
        "schema_version = 1\nslug = \"{slug}\"\nrevision = 1\nname = \"Install a certificate\"\nlane = \"{lane}\"\n\
         consent = \"hotfix\"\naction = \"install-certificates\"\nexpires = {expires}\non_end = \"keep\"\n\n\
         [arguments]\ncertificates = [\"certificate.pem\"]\n\n[targeting]\nchannels = [\"release\"]\n\n\
         [rollout]\nmax_percent = 100\nplan = [{{ percent = 100 }}]\n"
    );
    std::fs::write(folder.join("recipe.toml"), text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}
