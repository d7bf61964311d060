//! A stage with one agent `a`, add-ons of all groups and some bad ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use mulberry_lab::corpus::{self, CorpusSpec, CorpusTable, Signed};
use mulberry_lab::pki::certificate::Presence;
use mulberry_lab::pki::name::mozilla_name;
use mulberry_lab::pki::{CertificateSpec, Incident, KeyKind, SignatureKind, key};
use mulberry_lab::stage::{Said, Stage};
use mulberry_lab::xpi_signer::{Addon, AddonSigner, SigningOptions};
use serde_json::Value;

/// The intermediate expires then.
const EXPIRY: &str = "2019-05-04T00:09:46Z";
const BEFORE: &str = "2019-05-03T12:00:00Z";
/// After the expiry, and more than a day after [`BEFORE`].
pub(crate) const AFTER: &str = "2019-05-05T00:00:00Z";
/// Folders so deep that a slightly longer path to the add-ons folder is too long for the system, whoever asks.
const DEPTH: usize = 15;

/// So many hours after [`AFTER`].
pub(crate) fn hours_later(hours: i64) -> String {
    at(AFTER).checked_add(SignedDuration::from_hours(hours)).unwrap().to_string()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A bad add-on.
pub(crate) enum Kind {
    /// Fine, in a folder that [`World::bury`] makes unreadable.
    Hidden,
    /// Many certificates in its signature file that pose as its issuer.
    Junk { name: &'static str, certificates: u64, stolen: bool },
    /// Of the intermediate whose key was stolen.
    Stolen,
    /// Of an intermediate that expired years ago.
    ExpiredLongAgo,
}

/// What an agent told its host of each add-on (enabled, SHA-256, verdict), and the bytes of the add-ons folder.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    told: BTreeMap<String, (bool, String, String)>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

pub(crate) struct World {
    pub(crate) stage: Stage,
    table: CorpusTable,
    material: tempfile::TempDir,
    addons: PathBuf,
}

impl World {
    /// After the expiry; the agent has never run.
    pub(crate) fn new(addons: usize) -> Self {
        let mut world = Self::unfixed(addons, &[]);
        world.restart_at(AFTER);
        world
    }

    /// Before the expiry; the agent has never run.
    pub(crate) fn unfixed(addons: usize, kinds: &[Kind]) -> Self {
        let material = tempfile::tempdir().unwrap();
        let spec = CorpusSpec {
            addons,
            seed: 1,
            expired_at: at(EXPIRY),
            keys: KeyKind::Rsa2048,
            signed: Signed::EveryWay,
        };
        let (incident, table) = corpus::write(material.path(), &spec, &|_| ()).unwrap();
        let folder = material.path().join("addons");
        for kind in kinds {
            make(&incident, &folder, kind);
        }
        let mut stage = Stage::new(Some(at(BEFORE))).unwrap();
        stage.start_server().unwrap();
        let anchor = material.path().join("certificates/anchor.pem");
        stage.init_agent("a", &anchor, &folder, &["--version", "66.0"]).unwrap();
        Self { stage, table, addons: folder, material }
    }

    /// Starts the server again at another time; agents see it too.
    pub(crate) fn restart_at(&mut self, time: &str) {
        self.stage.stop_server().unwrap();
        self.stage.set_clock(at(time));
        self.stage.start_server().unwrap();
    }

    pub(crate) fn agent(&self, name: &str, arguments: &[&str]) -> Said {
        let addons = self.addons.to_string_lossy();
        let mut all = arguments.to_vec();
        if all.first() == Some(&"once") {
            all.extend(["--addons", &addons]);
        }
        self.stage.agent(name, &all).unwrap()
    }

    pub(crate) fn once(&self, name: &str) -> Value {
        self.agent(name, &["once", "--json"]).expect_code(0).unwrap().json().unwrap()
    }

    pub(crate) fn ctl(&self, arguments: &[&str]) {
        self.stage.ctl(arguments).unwrap().expect_code(0).unwrap();
    }

    pub(crate) fn withdraw(&self, slug: &str) {
        let key = |person: u8| format!("authority/people/person-{person}/emergency.pem");
        self.ctl(&["publish", "--withdraw", slug, "--key", &key(1), "--key", &key(2), "--yes"]);
    }

    pub(crate) fn publish_install(&self, slug: &str, on_end: &str, expires: &str) {
        let body = format!("on_end = \"{on_end}\"\n[arguments]\ncertificates = [\"it.pem\"]\n");
        self.publish(slug, "hotfix", "install-certificates", expires, &body, "replacement");
    }

    /// `by` is `key` or `issuer-and-serial`.
    pub(crate) fn publish_distrust(&self, slug: &str, certificate: &str, by: &str) {
        let body = format!("on_end = \"keep\"\n[arguments]\ncertificates = [\"it.pem\"]\nby = \"{by}\"\n");
        self.publish(slug, "security", "distrust-certificates", "2019-06-01T00:00:00Z", &body, certificate);
    }

    fn publish(&self, slug: &str, consent: &str, action: &str, expires: &str, body: &str, certificate: &str) {
        let folder = self.stage.path(slug);
        fs::create_dir_all(&folder).unwrap();
        let text = format!(
            "slug = \"{slug}\"\nrevision = 1\nname = \"Test\"\nlane = \"emergency\"\nconsent = \"{consent}\"\n\
             action = \"{action}\"\nexpires = {expires}\n{body}[rollout]\nmax_percent = 100\nplan = [{{ percent = 100 }}]\n"
        );
        fs::write(folder.join("recipe.toml"), text).unwrap();
        let certificate = self.material.path().join(format!("certificates/{certificate}.pem"));
        fs::copy(certificate, folder.join("it.pem")).unwrap();
        self.stage.publish("emergency", slug).unwrap();
        self.stage.open_gate(slug, "100").unwrap();
    }

    /// A recipe's status in the last run.
    pub(crate) fn status(&self, name: &str, slug: &str) -> String {
        let why = self.agent(name, &["why", slug, "--json"]).expect_code(0).unwrap().json().unwrap();
        why["status"].as_str().unwrap().to_owned()
    }

    fn told(&self, name: &str) -> BTreeMap<String, (bool, String, String)> {
        let told = self.stage.addons(name).unwrap();
        let text = |addon: &Value, field: &str| addon[field].as_str().unwrap_or_default().to_owned();
        let line = |addon: &Value| {
            (text(addon, "path"), (addon["enabled"] == true, text(addon, "sha256"), text(addon, "verdict")))
        };
        told["addons"].as_array().unwrap().iter().map(line).collect()
    }

    pub(crate) fn verdict(&self, name: &str, addon: &str) -> (bool, String) {
        let (enabled, _, verdict) = self.told(name).remove(addon).unwrap();
        (enabled, verdict)
    }

    pub(crate) fn enabled(&self, name: &str) -> BTreeSet<String> {
        self.told(name).into_iter().filter(|(_, told)| told.0).map(|(path, _)| path).collect()
    }

    pub(crate) fn disabled(&self, name: &str) -> BTreeSet<String> {
        self.told(name).into_iter().filter(|(_, told)| !told.0).map(|(path, _)| path).collect()
    }

    /// The corpus's add-ons that nobody was ever meant to enable.
    pub(crate) fn foreign(&self) -> BTreeSet<String> {
        self.corpus(|before| before != "ok")
    }

    /// The corpus's add-ons that work before the expiry.
    pub(crate) fn healthy(&self) -> BTreeSet<String> {
        self.corpus(|before| before == "ok")
    }

    fn corpus(&self, wanted: fn(&str) -> bool) -> BTreeSet<String> {
        let wanted = self.table.addons.iter().filter(|addon| wanted(&addon.verdicts.before));
        wanted.map(|addon| addon.file.trim_start_matches("addons/").to_owned()).collect()
    }

    pub(crate) fn snapshot(&self, name: &str) -> Snapshot {
        Snapshot { told: self.told(name), files: self.files() }
    }

    /// The add-ons folder's files. Only while it is not buried.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.addons.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found
                        .insert(path.strip_prefix(&self.addons).unwrap().to_owned(), fs::read(path).unwrap());
                }
            }
        }
        found
    }

    /// The path of [`Kind::Hidden`] in the add-ons folder.
    pub(crate) fn hidden(&self) -> String {
        format!("{}/in.xpi", vec![deep(); DEPTH].join("/"))
    }

    /// Makes the path to the add-ons folder so long that what lies deep in it is beyond the system's longest path.
    pub(crate) fn bury(&mut self) {
        let grave = self.material.path().join("y".repeat(250));
        fs::rename(&self.addons, &grave).unwrap();
        self.addons = grave;
    }

    /// Undoes it.
    pub(crate) fn unbury(&mut self) {
        let back = self.material.path().join("addons");
        fs::rename(&self.addons, &back).unwrap();
        self.addons = back;
    }
}

fn deep() -> String {
    "x".repeat(255)
}

fn make(incident: &Incident, folder: &Path, kind: &Kind) {
    let options = SigningOptions::service_of_2018(at("2018-06-01T00:00:00Z"), at("2019-08-01T00:00:00Z"));
    let sign = |issuer, options, name: &str| {
        AddonSigner { issuer, options }.sign(&Addon::small(&format!("{name}@example.org"))).unwrap()
    };
    match kind {
        Kind::Hidden => {
            let mut deepest = File::open(folder).unwrap();
            for _ in 0..DEPTH {
                let next = format!("/proc/self/fd/{}/{}", deepest.as_raw_fd(), deep());
                fs::create_dir(&next).unwrap();
                deepest = File::open(next).unwrap();
            }
            let path = format!("/proc/self/fd/{}/in.xpi", deepest.as_raw_fd());
            fs::write(path, sign(&incident.control, options, "in")).unwrap();
        }
        Kind::Junk { name, certificates, stolen } => {
            let issuer = if *stolen { &incident.stolen } else { &incident.expiring };
            let junk = key(KeyKind::P256, "junk").unwrap();
            let (begin, end) = incident.dates.anchor;
            let one = |serial| {
                let mut spec = CertificateSpec::ca(issuer.subject().clone(), serial + 1, begin, end);
                spec.subject_key_id = Presence::Absent;
                spec.authority_key_id = Presence::Absent;
                // Says that the anchor issued it, and did not.
                spec.signature = Some(SignatureKind::EcdsaSha256);
                spec.sign(&junk, incident.anchor.subject(), &junk).unwrap().der().to_vec()
            };
            let extra_certificates = (0..*certificates).map(one).collect();
            let bytes = sign(issuer, SigningOptions { extra_certificates, ..options }, name);
            fs::write(folder.join(name), bytes).unwrap();
        }
        Kind::Stolen => {
            fs::write(folder.join("stolen.xpi"), sign(&incident.stolen, options, "stolen")).unwrap();
        }
        Kind::ExpiredLongAgo => {
            let subject = mozilla_name("Laboratory Signing Service", "retired.addons.example.org").unwrap();
            let dates = (incident.dates.anchor.0, at("2017-01-01T00:00:00Z"));
            let retired = CertificateSpec::ca(subject, 7, dates.0, dates.1)
                .issued_by(&incident.anchor, &key(KeyKind::Rsa2048, "retired").unwrap())
                .unwrap();
            fs::write(folder.join("long-ago.xpi"), sign(&retired, options, "long-ago")).unwrap();
        }
    }
}
