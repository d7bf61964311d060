//! `state.json`: what the agent remembers, and the one commit point of a run.
//!
//! Everything the host sees ([`crate::projections`]) is computed from this file, so a run that died between the commit and
//! the projections is completed by the next one.

mod notes;

use std::collections::BTreeMap;
use std::io;

use jiff::{SignedDuration, Timestamp};
use mulberry_shared::digest::Sha256Digest;
use mulberry_shared::enrolment::Enrolment;
use mulberry_shared::json;
use mulberry_shared::limits::JsonLimits;
use mulberry_shared::pass::AddonState;
use serde::{Deserialize, Serialize};

use crate::ports::{Disk, Stamp};
use crate::store::replace;
use crate::witness::{Waiting, Witness};

pub use notes::{LastRun, LeftOut, OriginNote, RecipeResult, RefreshOutcome, Refreshed, WaivedImport};

/// The file's name in the state folder.
pub const FILE: &str = "state.json";
/// The format this agent writes, and the newest it reads.
pub const FORMAT: u64 = 1;
/// Bytes of the file: 50,000 add-ons of 2.5 KB each, and room for enrolments.
const MAX_BYTES: u64 = 128 << 20;
/// A run that changed nothing else does not write the file only to note that it was made and reached an origin, unless the
/// note is older than this: polls must not wear out disks.
const CONTACT_GRAIN: SignedDuration = SignedDuration::from_hours(1);

/// What the agent remembers.
///
/// A later agent may add keys at this level without a new format number, as long as one that does not read them stays right.
/// Everything below is strict: an enrolment or a decision that is half understood is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The format's number.
    pub format: u64,
    /// Random; decides which samples this client is in. Sent to nobody.
    pub client_id: String,
    /// The machine this state was made on, as a digest; where it differs, this is a clone and gets its own client id.
    pub machine: Option<Sha256Digest>,
    /// What was applied, at most one per recipe.
    pub enrolments: Vec<Enrolment>,
    /// The add-ons by their path in the add-ons folder.
    pub addons: BTreeMap<String, AddonRecord>,
    /// When all add-ons were last verified periodically.
    pub last_full_pass: Option<Timestamp>,
    /// What is known of each origin; an `asked` is behind by up to an hour.
    #[serde(default)]
    pub origins: Vec<OriginNote>,
    /// When an origin last answered with metadata that verified; behind by up to an hour.
    pub last_contact: Option<Timestamp>,
    /// Set while the metadata held came in by a bundle whose expiry was waived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<WaivedImport>,
    /// What was seen of the server's ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// The heads of it that were shown and could not be compared. At this level, because an agent that does not know them must still start.
    #[serde(default, skip_serializing_if = "Waiting::is_empty")]
    pub waiting_heads: Waiting,
    /// The last run; its time is behind by up to an hour where runs change nothing.
    pub last_run: Option<LastRun>,
    /// Why the last run verified no add-on, if it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_problem: Option<String>,
    /// Where nobody could look for add-ons in the last run, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// What a later agent wrote beside these, kept for its return: going back to this agent must not cost the state.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// One add-on as the agent knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddonRecord {
    /// The file when it was last examined: a difference means a new look is due.
    pub stamp: Stamp,
    /// Its id, where it could be told.
    pub id: Option<String>,
    /// Its version, where it could be told.
    pub version: Option<String>,
    /// What was decided; `None` for a file that could never be read.
    pub state: Option<AddonState>,
    /// Why it could not be read at the last look; `state` is the one before then.
    pub unreadable: Option<String>,
    /// What had been decided on a file that was changed and cannot be read since. Its content may be the same, so that is not forgotten; it
    /// may be another, so the host is not told to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formerly: Option<AddonState>,
}

impl AddonRecord {
    /// Whether the host may run it.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.enabled)
    }

    /// The last decision on any content of it.
    #[must_use]
    pub fn decided(&self) -> Option<&AddonState> {
        self.state.as_ref().or(self.formerly.as_ref())
    }
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is none.
    #[error("there is no state in this folder; run: mulberry-agent init")]
    Missing,
    /// Written by a later version.
    #[error(
        "state.json has format {found}, this agent knows up to {FORMAT}; use the newer agent that wrote it. Nothing was changed"
    )]
    Newer {
        /// The number found.
        found: u64,
    },
    /// Not what was written.
    #[error(
        "state.json is damaged ({0}); restore it from a copy, or set up a new state folder with init. Nothing was changed"
    )]
    Damaged(String),
    /// The disk failed.
    #[error("state.json cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

impl State {
    /// The state of a client that has done nothing yet.
    #[must_use]
    pub fn new(client_id: String, machine: Option<Sha256Digest>) -> Self {
        Self {
            format: FORMAT,
            client_id,
            machine,
            enrolments: Vec::new(),
            addons: BTreeMap::new(),
            last_full_pass: None,
            origins: Vec::new(),
            last_contact: None,
            waived: None,
            witness: None,
            waiting_heads: Waiting::default(),
            last_run: None,
            pass_problem: None,
            left_out: None,
            unknown: BTreeMap::new(),
        }
    }

    /// Reads the state. Needs no lock: the file is only ever replaced whole.
    ///
    /// # Errors
    /// There is none, it is of a later format, damaged, or the disk failed.
    pub fn load(disk: &dyn Disk) -> Result<Self, StateError> {
        let bytes = disk.read(FILE, MAX_BYTES)?.ok_or(StateError::Missing)?;
        let limits = JsonLimits { bytes: bytes.len(), values: bytes.len().max(1), ..JsonLimits::default() };
        let value = json::parse(&bytes, &limits).map_err(|error| StateError::Damaged(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > FORMAT => return Err(StateError::Newer { found }),
            Some(_) => {}
            None => return Err(StateError::Damaged("it has no format number".into())),
        }
        serde_json::from_value(value).map_err(|error| StateError::Damaged(error.to_string()))
    }

    /// Commits the state durably.
    ///
    /// # Errors
    /// Whatever the disk reports, or that it would be longer than what is read back; the former state is in force then.
    pub fn save(&self, disk: &dyn Disk) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        if bytes.len() as u64 > MAX_BYTES {
            let len = bytes.len();
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("{len} bytes, more than the {MAX_BYTES} it may have; are there too many add-ons?"),
            ));
        }
        replace(disk, FILE, &bytes)
    }

    /// Whether a run that turned `self` into `next` must commit.
    #[must_use]
    pub fn must_commit(&self, next: &Self) -> bool {
        let apart = |noted: Option<Timestamp>, now: Option<Timestamp>| match (noted, now) {
            (Some(noted), Some(now)) => now.duration_since(noted).abs() >= CONTACT_GRAIN,
            (noted, now) => noted != now,
        };
        let at = |state: &Self| state.last_run.as_ref().map(|run| run.at);
        let stale = apart(self.last_contact, next.last_contact) || apart(at(self), at(next));
        let mut same = Self { last_contact: self.last_contact, ..next.clone() };
        if let (Some(then), Some(now)) = (&self.last_run, &mut same.last_run) {
            now.at = then.at;
            // Which of several origins says that there is nothing new is no news either.
            if then.refresh.outcome == now.refresh.outcome {
                now.refresh.origin.clone_from(&then.refresh.origin);
            }
        }
        for (then, now) in self.origins.iter().zip(&mut same.origins) {
            if !apart(then.asked, now.asked) {
                now.asked = then.asked;
            }
        }
        stale || same != *self
    }

    /// A clone of a machine's image must not share the samples of its original.
    ///
    /// Says whether the client id was renewed. A machine without identity tells nothing, so nothing is renewed for it.
    pub fn settle_identity(&mut self, machine: Option<Sha256Digest>) -> bool {
        if machine.is_none() || self.machine == machine {
            return false;
        }
        let cloned = self.machine.is_some();
        self.machine = machine;
        if cloned {
            self.client_id = new_client_id();
        }
        cloned
    }
}

/// A random client id in the form of a version 4 UUID.
#[must_use]
pub fn new_client_id() -> String {
    let mut id: [u8; 16] = rand::random();
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let text = hex::encode(id);
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    for length in [8, 4, 4, 4] {
        let (part, tail) = rest.split_at(length);
        parts.push(part);
        rest = tail;
    }
    parts.push(rest);
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::doubles::MemoryDisk;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let disk = MemoryDisk::default();
        assert!(matches!(State::load(&disk), Err(StateError::Missing)));
        State::new("x".into(), None).save(&disk).unwrap();
        assert_eq!(State::load(&disk).unwrap(), State::new("x".into(), None));
        disk.write(FILE, br#"{"format":2,"new_field":1}"#).unwrap();
        let error = State::load(&disk).unwrap_err();
        assert!(error.to_string().contains("newer agent"), "{error}");
        for bad in ["", "{}", "{\"format\":1}", "[1]", "{\"format\":1,\"format\":1}"] {
            disk.write(FILE, bad.as_bytes()).unwrap();
            assert!(matches!(State::load(&disk), Err(StateError::Damaged(_))), "{bad}");
        }
    }

    #[test]
    fn what_a_later_agent_added_is_kept_and_what_it_changed_is_refused() {
        let disk = MemoryDisk::default();
        let mut state = State::new("x".into(), None);
        state.origins = vec![OriginNote::never("o")];
        state.save(&disk).unwrap();
        let written = String::from_utf8(disk.read(FILE, MAX_BYTES).unwrap().unwrap()).unwrap();
        let later = written.replacen('{', r#"{"learnt_later":{"a":[1,"b"]},"#, 1);
        disk.write(FILE, later.as_bytes()).unwrap();
        let mut read = State::load(&disk).unwrap();
        read.last_contact = Some(time("2019-05-05T00:00:00Z"));
        read.save(&disk).unwrap();
        let kept = State::load(&disk).unwrap();
        assert_eq!(kept, read);
        assert_eq!(kept.unknown["learnt_later"], serde_json::json!({"a": [1, "b"]}));
        assert_eq!(kept.origins, state.origins);
        let inside = written.replace(r#"{"origin":"#, r#"{"learnt_later":1,"origin":"#);
        assert_ne!(inside, written);
        disk.write(FILE, inside.as_bytes()).unwrap();
        assert!(matches!(State::load(&disk), Err(StateError::Damaged(_))));
    }

    #[test]
    fn what_could_not_be_read_back_is_not_written() {
        let disk = MemoryDisk::default();
        State::new("x".into(), None).save(&disk).unwrap();
        let error = State::new("x".repeat(MAX_BYTES as usize), None).save(&disk).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(State::load(&disk).unwrap().client_id, "x");
    }

    #[test]
    fn a_clone_gets_its_own_client_id_and_others_keep_theirs() {
        let (a, b) = (Sha256Digest::of(b"a"), Sha256Digest::of(b"b"));
        let mut state = State::new("one".into(), None);
        assert!(!state.settle_identity(None));
        assert!(!state.settle_identity(Some(a)), "an identity that appears is no clone");
        assert!(!state.settle_identity(Some(a)));
        assert!(!state.settle_identity(None));
        assert_eq!(state.client_id, "one");
        assert!(state.settle_identity(Some(b)));
        assert_ne!(state.client_id, "one");
        assert_eq!(state.machine, Some(b));
    }

    #[test]
    fn client_ids_are_version_four_uuids() {
        let id = new_client_id();
        let shape: String = id.chars().map(|c| if c == '-' { '-' } else { 'x' }).collect();
        assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        assert_eq!(id.as_bytes()[14], b'4');
        assert_ne!(new_client_id(), id);
    }

    #[test]
    fn a_mere_contact_is_committed_once_an_hour() {
        let run = |at: &str| {
            Some(LastRun {
                at: time(at),
                clock_shifted: false,
                refresh: Refreshed {
                    outcome: RefreshOutcome::Current,
                    origin: "o".into(),
                    detail: "d".into(),
                },
                recipes: vec![],
            })
        };
        let mut old = State::new("x".into(), None);
        let mut new = State { last_contact: Some(time("2019-05-05T00:00:00Z")), ..old.clone() };
        new.last_run = run("2019-05-05T00:00:00Z");
        assert!(old.must_commit(&new));
        old = new.clone();
        new.last_contact = Some(time("2019-05-05T00:59:59Z"));
        new.last_run = run("2019-05-05T00:59:59Z");
        assert!(!old.must_commit(&new));
        new.last_contact = Some(time("2019-05-05T01:00:00Z"));
        assert!(old.must_commit(&new));
        new = old.clone();
        new.last_run = run("2019-05-05T01:00:00Z");
        assert!(old.must_commit(&new), "a run that reached nobody is noted too");
        let from = |origin: &str, outcome| {
            let mut next = old.clone();
            next.last_run.as_mut().unwrap().refresh.origin = origin.into();
            next.last_run.as_mut().unwrap().refresh.outcome = outcome;
            next
        };
        assert!(!old.must_commit(&from("p", RefreshOutcome::Current)), "another origin without news is none");
        assert!(old.must_commit(&from("p", RefreshOutcome::Stale)));
        let note = |at: &str, outcome| {
            let asked = Some(time(at));
            vec![OriginNote { asked, outcome: Some(outcome), ..OriginNote::never("o") }]
        };
        old.origins = note("2019-05-05T00:00:00Z", RefreshOutcome::Current);
        new = old.clone();
        new.origins = note("2019-05-05T00:59:59Z", RefreshOutcome::Current);
        assert!(!old.must_commit(&new));
        new.origins = note("2019-05-05T01:00:00Z", RefreshOutcome::Current);
        assert!(old.must_commit(&new));
        new.origins = note("2019-05-05T00:00:01Z", RefreshOutcome::Stale);
        assert!(old.must_commit(&new));
        new = State { last_full_pass: Some(time("2019-05-05T00:30:00Z")), ..old.clone() };
        assert!(old.must_commit(&new));
    }
}
