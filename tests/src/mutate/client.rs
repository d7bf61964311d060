//! A client that awaits one genuine file, and what it makes of another.
//!
//! Snapshot and timestamp of the repository here state neither length nor hash of what they list, as the specification
//! allows: or every mutation would end there, and the reading of what is signed would never be reached.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mulberry_shared::edition::{Refresh, TrustState, write};
use mulberry_shared::limits::Limits;
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::metadata::{Body, MetaFile};
use mulberry_shared::tuf::report::Event;
use mulberry_shared::tuf::{Next, Reply, Root, Snapshot, Targets, Verified, location};
use mulberry_shared::{json, tuf};
use serde_json::{Value, json};

use crate::LabError;
use crate::forge::{self, Forge};

/// The roles, each with a trial.
const ROLES: [&str; 7] = ["root", "timestamp", "snapshot", "targets", "emergency", "routine", "gates"];

/// One role's genuine file, and a client to whom it is new.
pub(super) struct Trial {
    pub(super) role: &'static str,
    /// The genuine file.
    pub(super) good: Vec<u8>,
    /// What it says, as another reader reads it.
    signed: Value,
    path: String,
    state: TrustState,
    files: BTreeMap<String, Vec<u8>>,
    now: Timestamp,
    limits: Limits,
}

/// What the client made of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// It accepted it, and its signed part says what was signed.
    Accepted,
    /// It refused it, for a reason of this kind.
    Refused(&'static str),
    /// It did what it must not.
    Wrong(String),
}

/// A trial for each role.
pub(super) fn trials() -> Result<Vec<Trial>, LabError> {
    let now = "2026-05-04T00:00:00Z".parse().map_err(|_| LabError::Impossible("a date".into()))?;
    make(now).map_err(|error| LabError::Impossible(error.to_string()))
}

fn make(now: Timestamp) -> Result<Vec<Trial>, tuf::TrustError> {
    let limits = Limits::default();
    let mut forge = Forge::new(now)?;
    publish_bare(&mut forge)?;
    let pinned =
        TrustState::pinned(forge.files.get("metadata/1.root.json").map_or(&[], Vec::as_slice), &limits)?;
    let (seen, _) = refresh(pinned, &forge.files, None, now, &limits);
    // What every role says besides: members nobody knows, with all that text and numbers can be.
    let other = json!({"lines": "two\nlines \"quoted\" \\ e\u{301} é 𝄞 \u{7f}", "list": [[], {}, [u64::MAX, i64::MIN, null]]});
    forge.root.other.insert("x-note".into(), other.clone());
    forge.targets.other.insert("x-note".into(), other.clone());
    for lane in Lane::ALL {
        forge.lane(lane).other.insert("x-note".into(), other.clone());
        for number in 0..3 {
            forge.list(lane, &format!("{lane}/recipe-{lane}-{number}.json"), &[number]);
        }
        forge.put_lane(lane)?;
    }
    forge.targets.version += 1;
    forge.put_targets()?;
    forge.publish()?;
    publish_bare(&mut forge)?;
    // The next root, with other people, keeps the other keys.
    let mut next = forge.clone();
    next.keys.insert("root", vec![1, 4, 5]);
    next.root = mulberry_shared::tuf::Root { other: forge.root.other.clone(), ..next.next_root()? };
    let root = forge::signed(&next.root, &[1, 2, 4])?;

    ROLES
        .into_iter()
        .map(|role| {
            let version = forge.listed.get(role).map_or(forge.online, |(version, _)| *version);
            let path = location::consistent_metadata(role, if role == "root" { 2 } else { version });
            let mut files = forge.files.clone();
            let good = files.remove(&path).unwrap_or_else(|| root.clone());
            let (state, _) = refresh(seen.clone(), &files, None, now, &limits);
            let signed = lenient(&good);
            let trial = Trial { role, good, signed, path, state, files, now, limits: limits.clone() };
            match trial.show(&trial.good) {
                Reaction::Accepted => Ok(trial),
                other => Err(tuf::TrustError::new(
                    tuf::TrustErrorKind::Impossible,
                    role,
                    format!("the genuine file should be accepted, and: {other:?}"),
                )),
            }
        })
        .collect()
}

/// Signs snapshot and timestamp again, without lengths and hashes.
fn publish_bare(forge: &mut Forge) -> Result<(), tuf::TrustError> {
    forge.online += 1;
    let strip = |meta: &mut BTreeMap<String, MetaFile>| {
        for file in meta.values_mut() {
            (file.length, file.hashes) = (None, None);
        }
    };
    let listed =
        forge.listed.iter().map(|(role, (version, bytes))| (role.as_str(), *version, bytes.as_slice()));
    let mut snapshot =
        write::snapshot(forge.online, write::Life::Online.from(forge.now), &listed.collect::<Vec<_>>());
    strip(&mut snapshot.meta);
    let bytes = forge.sign("snapshot", &snapshot)?;
    let mut timestamp = forge.timestamp(forge.online, &bytes);
    strip(&mut timestamp.meta);
    forge.files.insert(location::consistent_metadata("snapshot", forge.online), bytes);
    let bytes = forge.sign("timestamp", &timestamp)?;
    forge.put_timestamp(bytes);
    Ok(())
}

/// One refresh from these files, one of which is another.
fn refresh(
    state: TrustState,
    files: &BTreeMap<String, Vec<u8>>,
    other: Option<(&str, &[u8])>,
    now: Timestamp,
    limits: &Limits,
) -> (TrustState, tuf::RefreshReport) {
    let mut refresh = Refresh::start(state, now, limits);
    while let Next::Fetch(fetch) = refresh.next() {
        let bytes = match other {
            Some((path, bytes)) if path == fetch.path => Some(bytes),
            _ => files.get(&fetch.path).map(Vec::as_slice),
        };
        refresh.supply(bytes.map_or(Reply::Absent, |bytes| Reply::Bytes(bytes.to_vec())));
    }
    refresh.finish()
}

/// What another reader, who is not strict, finds in the signed part.
fn lenient(file: &[u8]) -> Value {
    serde_json::from_slice::<Value>(file)
        .ok()
        .and_then(|mut file| file.get_mut("signed").map(Value::take))
        .unwrap_or_default()
}

impl Trial {
    /// Shows the client this file in the place of the genuine one.
    pub(super) fn show(&self, file: &[u8]) -> Reaction {
        let (after, report) =
            refresh(self.state.clone(), &self.files, Some((&self.path, file)), self.now, &self.limits);
        let bytes = self.bytes(&after);
        if self.role == "root"
            && TrustState::pinned(file, &self.limits).is_ok()
            && lenient(file) != self.signed
        {
            return Reaction::Wrong(
                "a client would pin it, and it says something else than was signed".into(),
            );
        }
        if bytes == Some(file) {
            return self.accepted(file, &after);
        }
        if bytes != self.bytes(&self.state) {
            return Reaction::Wrong(format!("the client holds another {} than before", self.role));
        }
        match report.of(self.role) {
            Some(Event::Failed(error)) => Reaction::Refused(error.kind.as_str()),
            other => Reaction::Wrong(format!("neither accepted nor refused: {other:?}")),
        }
    }

    /// What was accepted must say the same to the client's own reader, to its strict parser, and to another reader.
    fn accepted(&self, file: &[u8], after: &TrustState) -> Reaction {
        let strict = json::parse(file, &self.limits.json)
            .ok()
            .and_then(|file| file.get("signed").map(json::canonical));
        if lenient(file) != self.signed {
            Reaction::Wrong("accepted, and another reader finds something else than was signed".into())
        } else if strict != Some(json::canonical(&self.signed)) {
            Reaction::Wrong("accepted, and its canonical signed part is another".into())
        } else if self.says(after).as_ref() != Some(&self.signed) {
            Reaction::Wrong("accepted, and the client reads something else than was signed".into())
        } else {
            Reaction::Accepted
        }
    }

    /// The file that the client holds for the role.
    fn bytes<'a>(&self, state: &'a TrustState) -> Option<&'a [u8]> {
        let trusted = state.trusted();
        let bytes = match self.role {
            "root" => Some(trusted.root().bytes()),
            "timestamp" => trusted.timestamp().map(Verified::bytes),
            "snapshot" => trusted.snapshot().map(Verified::bytes),
            role => trusted.targets(role).map(Verified::bytes),
        };
        bytes.map(|bytes| &**bytes)
    }

    /// What the client reads in it.
    fn says(&self, state: &TrustState) -> Option<Value> {
        fn of<T: Body>(held: Option<&Verified<T>>) -> Option<Value> {
            serde_json::to_value::<T>((**held?).clone()).ok()
        }
        let trusted = state.trusted();
        match self.role {
            "root" => of::<Root>(Some(trusted.root())),
            "timestamp" => of::<tuf::Timestamp>(trusted.timestamp()),
            "snapshot" => of::<Snapshot>(trusted.snapshot()),
            role => of::<Targets>(trusted.targets(role)),
        }
    }
}
