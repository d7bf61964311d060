//! What the host sees: `addons.json` and the certificates folder. Both are computed from the state and rewritten whenever
//! they differ from it, so that a run that died half-way, or a hand that edited them, leaves no lasting trace.
//!
//! The formats are described in `docs/agent.md`.

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::enrolment;
use serde::{Deserialize, Serialize};

use crate::ports::{Disk, Hook, HookEnd};
use crate::state::{AddonRecord, State};
use crate::store::{replace, replace_if_different};

/// The add-ons file.
pub const ADDONS: &str = "addons.json";
/// The certificates folder.
pub const CERTIFICATES: &str = "certificates";
/// What the hook was last told.
pub const HOOK: &str = "hook.json";
const FORMAT: u64 = 1;
const HOOK_BYTES: u64 = 64 << 10;

/// The projections of a state at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projections {
    addons: Vec<u8>,
    certificates: BTreeMap<String, Vec<u8>>,
}

#[derive(Serialize)]
struct AddonsFile<'a> {
    format: u64,
    addons: Vec<AddonLine<'a>>,
}

/// One add-on as the host and people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AddonLine<'a> {
    /// Its path in the add-ons folder.
    pub path: &'a str,
    /// Its id, where it could be told.
    pub id: Option<&'a str>,
    /// Its version, where it could be told.
    pub version: Option<&'a str>,
    /// The SHA-256 of the content that was judged; `null` for a file that could not be read.
    pub sha256: Option<Sha256Digest>,
    /// Whether the host may run it, provided its content still has that digest.
    pub enabled: bool,
    /// Why: see `docs/agent.md`.
    pub why: &'a str,
    /// The last verdict's kind, or `unreadable`.
    pub verdict: &'a str,
    /// The last verdict's sentence.
    pub detail: &'a str,
}

impl<'a> AddonLine<'a> {
    /// The line of one record.
    #[must_use]
    pub fn of(path: &'a str, record: &'a AddonRecord) -> Self {
        let state = record.state.as_ref();
        let unreadable = record.unreadable.as_deref();
        Self {
            path,
            id: record.id.as_deref(),
            version: record.version.as_deref(),
            sha256: state.map(|state| state.sha256),
            enabled: record.enabled(),
            why: match (state, unreadable) {
                (None, _) => "unreadable",
                (Some(_), Some(_)) => "kept-while-unreadable",
                (Some(state), None) => state.why.as_str(),
            },
            verdict: state.map_or("unreadable", |state| state.verdict.as_str()),
            detail: unreadable.or(state.map(|state| state.detail.as_str())).unwrap_or_default(),
        }
    }
}

/// Which projections changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    addons: Option<Sha256Digest>,
    certificates: Option<Sha256Digest>,
}

/// `hook.json`: what the hook has taken note of, so that no change is lost to a crash or a failing hook.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HookFile {
    format: u64,
    told: Digests,
}

#[derive(Serialize)]
struct Event<'a> {
    format: u64,
    event: &'static str,
    at: Timestamp,
    changed: Vec<&'static str>,
    addons: &'a str,
    certificates: &'a str,
}

impl Projections {
    /// What the host should see.
    ///
    /// # Errors
    /// The add-ons cannot be written as JSON, which would be a fault in this program.
    pub fn of(state: &State, now: Timestamp) -> io::Result<Self> {
        let addons =
            state.addons.iter().map(|(path, record)| AddonLine::of(path, record)).collect::<Vec<_>>();
        let mut bytes = serde_json::to_vec_pretty(&AddonsFile { format: FORMAT, addons })?;
        bytes.push(b'\n');
        let effects = enrolment::effects(&state.enrolments, now);
        let certificates = effects
            .installed()
            .map(|certificate| (format!("{}.pem", certificate.sha256()), certificate.to_pem().into_bytes()))
            .collect();
        Ok(Self { addons: bytes, certificates })
    }

    /// Makes the disk show them. Certificates come first and go last, so that whoever sees an add-on enabled finds the
    /// certificates it needs.
    ///
    /// # Errors
    /// Whatever the disk reports; the next run continues.
    pub fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        for (name, pem) in &self.certificates {
            replace_if_different(disk, &format!("{CERTIFICATES}/{name}"), pem)?;
        }
        replace_if_different(disk, ADDONS, &self.addons)?;
        for name in disk.list(CERTIFICATES)? {
            if !self.certificates.contains_key(&name) && is_ours(&name) {
                disk.remove(&format!("{CERTIFICATES}/{name}"))?;
            }
        }
        Ok(())
    }

    fn digests(&self) -> Digests {
        let names: String = self.certificates.keys().map(|name| format!("{name}\n")).collect();
        Digests {
            addons: Some(Sha256Digest::of(&self.addons)),
            certificates: Some(Sha256Digest::of(names.as_bytes())),
        }
    }

    /// Runs the hook if it has not taken note of these projections yet. One that fails is run again by the next run.
    ///
    /// `folder` is the state folder as the hook should see it.
    ///
    /// # Errors
    /// Whatever the disk reports.
    pub async fn tell(
        &self,
        hook: &dyn Hook,
        disk: &dyn Disk,
        folder: &str,
        now: Timestamp,
    ) -> io::Result<Option<HookEnd>> {
        let told = read_hook_file(disk)?.told;
        let digests = self.digests();
        let mut changed = Vec::new();
        if told.addons != digests.addons {
            changed.push("addons");
        }
        if told.certificates != digests.certificates {
            changed.push("certificates");
        }
        if changed.is_empty() {
            return Ok(None);
        }
        let (addons, certificates) = (format!("{folder}/{ADDONS}"), format!("{folder}/{CERTIFICATES}"));
        let event = Event {
            format: FORMAT,
            event: "changed",
            at: now,
            changed,
            addons: &addons,
            certificates: &certificates,
        };
        let line = serde_json::to_string(&event)? + "\n";
        let end = hook.run(line.as_bytes()).await;
        if end.succeeded() {
            replace(disk, HOOK, &serde_json::to_vec(&HookFile { format: FORMAT, told: digests })?)?;
        } else {
            tracing::warn!(%end, "the hook failed; it is run again in the next run");
        }
        Ok(Some(end))
    }
}

/// A damaged or newer file means "not told": telling once too often is harmless.
fn read_hook_file(disk: &dyn Disk) -> io::Result<HookFile> {
    let bytes = disk.read(HOOK, HOOK_BYTES)?.unwrap_or_default();
    Ok(serde_json::from_slice::<HookFile>(&bytes)
        .ok()
        .filter(|file| file.format == FORMAT)
        .unwrap_or_default())
}

/// Only files named as ours are ever removed from the certificates folder.
fn is_ours(name: &str) -> bool {
    name.strip_suffix(".pem").is_some_and(|digest| digest.parse::<Sha256Digest>().is_ok())
}
