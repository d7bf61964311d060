//! What can happen, and the record that the ledger keeps of it.
//!
//! A record is JSON followed by nothing. Its hash is over exactly those bytes, and the next record names it: so one
//! hash vouches for everything before it. Records are written once and never rewritten; a new kind of event is a new
//! `type`, a changed meaning a new format number.

use std::collections::BTreeMap;

use super::actor::Actor;
use crate::approval::Approval;
use crate::ceremony::signing::Signatures;
use crate::digest::Sha256Digest;
use crate::gates::{Gate, GateState};
use crate::operators::Base64;
use crate::proposal::{self, FailedPreflight, Role};
use crate::recipe::{Lane, RecipePath, Slug};
use crate::sampling::BasisPoints;
use crate::tuf::KeyId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The newest format of records that this program reads: that of actors whose owner or command is known. Those of format 1 have no
/// salt.
pub const FORMAT: u64 = 5;

/// The format of failed preflights.
const PREFLIGHTED: u64 = 4;

/// The format of public notes, and of openings that end.
const NOTED: u64 = 3;

/// The format of events that earlier programs read, too.
const SALTED: u64 = 2;

/// Random bytes in a record.
pub const SALT_BYTES: usize = 16;

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Format number.
    pub format: u64,
    /// Its number; the first is 1.
    pub sequence: u64,
    /// Hash of the record before it; 64 zeros for the first.
    pub previous: Sha256Digest,
    /// [`SALT_BYTES`] random bytes in hexadecimal digits: the record's hash is public, and lets nobody guess what is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// When the server accepted it, by the server's clock.
    pub at: Timestamp,
    /// Who asked for it.
    pub actor: Actor,
    /// What happened.
    pub event: Event,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// The server was given its first metadata.
    Initialised {
        /// The root chain, from the root that agents pin, as signed.
        roots: Vec<Base64>,
        /// Targets metadata as signed.
        targets: Base64,
        /// Lane metadata as signed.
        lanes: BTreeMap<Lane, Base64>,
    },
    /// A ledger was lost, and this one starts again from a mirror: always and only the first event, in the place of
    /// `initialised`.
    Continued {
        /// What people signed, oldest first: a ledger may be lost more than once. The last is about this one.
        continues: Vec<Base64>,
        /// The root chain, as far back as the mirror had it, as signed.
        roots: Vec<Base64>,
        /// Targets metadata as signed.
        targets: Base64,
        /// Lane metadata as signed.
        lanes: BTreeMap<Lane, Base64>,
        /// Bytes of all recipes that the lanes list.
        recipes: BTreeMap<RecipePath, Base64>,
        /// The bytes of `gates.json`.
        gates: Base64,
        /// The highest version that the lost server is known to have given any of the online roles.
        above: u64,
    },
    /// A lane's metadata was replaced by its next version.
    LanePublished {
        /// The lane.
        lane: Lane,
        /// Its metadata as signed.
        metadata: Base64,
        /// Bytes of the recipes that the lane did not hold before.
        recipes: BTreeMap<RecipePath, Base64>,
        /// Slugs that left the lane, as the request named them.
        withdrawn: Vec<Slug>,
    },
    /// A lane's next version was proposed, with the signatures it had.
    ProposalMade {
        /// Whose next version it is.
        role: Role,
        /// Its metadata, with the signatures so far.
        metadata: Base64,
        /// Bytes of the recipes that are new or changed.
        recipes: BTreeMap<RecipePath, Base64>,
        /// Slugs that leave the lane.
        withdraw: Vec<Slug>,
        /// Recipes that are proposed although their preflight failed, as whoever proposed them said.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failed_preflights: Vec<FailedPreflight>,
        /// The id of the proposal whose place it takes, which is dropped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Sha256Digest>,
    },
    /// One more person signed a proposal. The signature that completes it is no such event: the lane is published.
    ProposalSigned {
        /// The id of the proposal.
        id: Sha256Digest,
        /// The key's label in the role.
        keyid: KeyId,
        /// The signature in hexadecimal digits.
        sig: String,
    },
    /// A proposal was given up.
    ProposalDropped {
        /// The id of the proposal.
        id: Sha256Digest,
        /// Why, for people.
        reason: String,
    },
    /// A change of keys, thresholds or expiries was proposed, with the signatures it had.
    CeremonyMade {
        /// The next metadata of each role that changes, with the signatures so far.
        parts: BTreeMap<Role, Base64>,
    },
    /// More signatures under a ceremony. Those that complete it are no such event: it is published.
    CeremonySigned {
        /// The id of the ceremony.
        id: Sha256Digest,
        /// The signatures, by the role whose metadata they are under.
        signatures: Signatures,
    },
    /// Keys, thresholds or expiries changed: all parts at once.
    CeremonyPublished {
        /// The metadata of each role that changed, as signed.
        parts: BTreeMap<Role, Base64>,
    },
    /// A ceremony was given up.
    CeremonyDropped {
        /// The id of the ceremony.
        id: Sha256Digest,
        /// Why, for people.
        reason: String,
    },
    /// A gate was set.
    GateSet {
        /// The recipe.
        path: RecipePath,
        /// Its gate from now on.
        gate: SetGate,
    },
    /// A gate was opened with people's signatures.
    GateApproved {
        /// The recipe.
        path: RecipePath,
        /// Its gate from now on.
        gate: SetGate,
        /// What they signed, and their signatures.
        approval: Approval,
    },
}

/// A gate as somebody set it: what is published of it, and why, for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetGate {
    /// The revision it speaks for.
    pub revision: u64,
    /// What it does.
    pub state: GateState,
    /// How far it is open.
    pub percent: BasisPoints,
    /// Why. It stays in the ledger and with operators.
    pub reason: String,
    /// A word for the public; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Since when.
    pub since: Timestamp,
}

impl SetGate {
    /// The gate as it is published, without what else is known of the recipe.
    #[must_use]
    pub fn published(&self) -> Gate {
        Gate { note: self.note.clone(), ..Gate::new(self.revision, self.state, self.percent, self.since) }
    }
}

impl Event {
    /// The lowest format whose readers know all that is in it: so that a server can be rolled back as long as nobody has used
    /// what is new.
    #[must_use]
    pub fn format(&self) -> u64 {
        match self {
            Self::ProposalMade { failed_preflights, .. } if !failed_preflights.is_empty() => PREFLIGHTED,
            Self::GateSet { gate, .. } if !gate.note.is_empty() => NOTED,
            Self::GateApproved { gate, approval, .. }
                if !gate.note.is_empty() || approval.open_until.is_some() =>
            {
                NOTED
            }
            _ => SALTED,
        }
    }

    /// The event in a few words, for the log.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Initialised { .. } => "initialised".to_owned(),
            Self::Continued { recipes, .. } => {
                format!("started again after a lost ledger, with {} recipes", recipes.len())
            }
            Self::LanePublished { lane, recipes, withdrawn, .. } => {
                let (new, gone) = (recipes.len(), withdrawn.len());
                format!("lane {lane} published: {new} new or changed, {gone} withdrawn")
            }
            Self::ProposalMade { role, recipes, withdraw, .. } => {
                let (new, gone) = (recipes.len(), withdraw.len());
                format!("{role} proposed: {new} new or changed, {gone} withdrawn")
            }
            Self::ProposalSigned { id, keyid, .. } => {
                format!("proposal {} signed with key {:.8}", proposal::shown(id), keyid.0)
            }
            Self::ProposalDropped { id, .. } => format!("proposal {} dropped", proposal::shown(id)),
            Self::CeremonyMade { parts } => format!("ceremony proposed: {}", roles(parts)),
            Self::CeremonySigned { id, .. } => format!("ceremony {} signed", proposal::shown(id)),
            Self::CeremonyPublished { parts } => format!("ceremony published: {}", roles(parts)),
            Self::CeremonyDropped { id, .. } => format!("ceremony {} dropped", proposal::shown(id)),
            Self::GateSet { path, gate } => {
                let (revision, state, percent) = (gate.revision, gate.state.as_str(), gate.percent);
                format!("gate of {path} revision {revision} set to {state} at {percent}")
            }
            Self::GateApproved { path, gate, approval } => {
                let (revision, percent) = (gate.revision, gate.percent);
                let keys: Vec<String> =
                    approval.signatures.iter().map(|one| format!("{:.8}", one.keyid.0)).collect();
                format!(
                    "gate of {path} revision {revision} opened at {percent}, signed with key {}",
                    keys.join(", ")
                )
            }
        }
    }
}

fn roles(parts: &BTreeMap<Role, Base64>) -> String {
    parts.keys().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}

/// A record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableRecord {
    /// It was written by a newer program.
    #[error("it has format {0}, this program knows {FORMAT}; use a newer program, nothing was changed")]
    NewerFormat(u64),
    /// It is not a record.
    #[error("it is not a record of the ledger: {0}")]
    Malformed(String),
}

impl Record {
    /// The lowest format whose readers know all that is in the event and in the actor.
    #[must_use]
    pub fn format_of(event: &Event, actor: &Actor) -> u64 {
        match actor {
            Actor::Unknown(_) => event.format(),
            Actor::Token { .. } | Actor::Command { .. } => FORMAT,
        }
    }

    /// The bytes that are stored and hashed.
    ///
    /// # Errors
    /// None is known: all parts can be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`UnreadableRecord::NewerFormat`] before anything else is looked at.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnreadableRecord> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let malformed = |error: serde_json::Error| UnreadableRecord::Malformed(error.to_string());
        let Format { format } = serde_json::from_slice(bytes).map_err(malformed)?;
        if format > FORMAT {
            return Err(UnreadableRecord::NewerFormat(format));
        }
        let record: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        if format < FORMAT && !matches!(record.actor, Actor::Unknown(_)) {
            let why = format!("format {format} names an actor, and says no more of who it is");
            return Err(UnreadableRecord::Malformed(why));
        }
        let digits = |salt: &String| {
            salt.len() == 2 * SALT_BYTES && salt.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        match (format, &record.salt) {
            (1, None) => Ok(record),
            (SALTED..=FORMAT, Some(salt)) if digits(salt) => Ok(record),
            _ => Err(UnreadableRecord::Malformed(format!("its salt is not that of format {format}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_named_even_when_nothing_else_fits() {
        let newer = br#"{"format":6,"what":"ever"}"#;
        assert_eq!(Record::from_bytes(newer), Err(UnreadableRecord::NewerFormat(6)));
        assert!(matches!(Record::from_bytes(b"{}"), Err(UnreadableRecord::Malformed(_))));
    }

    #[test]
    fn the_stored_form_of_proposals_is_stable() {
        let id = Sha256Digest([0xab; 32]);
        let made = Event::ProposalMade {
            role: Role::Emergency,
            metadata: Base64(b"{}".to_vec()),
            recipes: BTreeMap::new(),
            withdraw: vec!["b".parse().unwrap()],
            failed_preflights: vec![],
            replaces: None,
        };
        assert_eq!(made.format(), 2, "earlier programs read it");
        let signed = Event::ProposalSigned { id, keyid: KeyId("k".into()), sig: "00".into() };
        let dropped = Event::ProposalDropped { id, reason: "typo".into() };
        let hex = "ab".repeat(32);
        let parts = BTreeMap::from([(Role::Root, Base64(b"{}".to_vec()))]);
        let signature = crate::tuf::threshold::Signature {
            keyid: KeyId("k".into()),
            sig: "00".into(),
            other: BTreeMap::new(),
        };
        let signatures = BTreeMap::from([(Role::Targets, vec![signature])]);
        for (event, text) in [
            (
                Event::CeremonyMade { parts: parts.clone() },
                r#"{"type":"ceremony-made","parts":{"root":"e30="}}"#.to_owned(),
            ),
            (
                Event::CeremonySigned { id, signatures },
                format!(r#"{{"type":"ceremony-signed","id":"{hex}","signatures":{{"targets":[{{"keyid":"k","sig":"00"}}]}}}}"#),
            ),
            (Event::CeremonyPublished { parts }, r#"{"type":"ceremony-published","parts":{"root":"e30="}}"#.to_owned()),
            (
                Event::CeremonyDropped { id, reason: "typo".into() },
                format!(r#"{{"type":"ceremony-dropped","id":"{hex}","reason":"typo"}}"#),
            ),
            (
                made,
                r#"{"type":"proposal-made","role":"emergency","metadata":"e30=","recipes":{},"withdraw":["b"]}"#.to_owned(),
            ),
            (signed, format!(r#"{{"type":"proposal-signed","id":"{hex}","keyid":"k","sig":"00"}}"#)),
            (dropped, format!(r#"{{"type":"proposal-dropped","id":"{hex}","reason":"typo"}}"#)),
        ] {
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }

    #[test]
    fn a_gate_s_reason_stays_in_the_ledger_and_what_is_new_has_its_own_format() {
        let text = r#"{"type":"gate-set","path":"emergency/a.json","gate":{"revision":1,"state":"paused","percent":100,"reason":"mei saw crashes","since":"2026-05-04T00:00:00Z"}}"#;
        let old: Event = serde_json::from_str(text).unwrap();
        assert_eq!((serde_json::to_string(&old).unwrap(), old.format()), (text.to_owned(), 2));
        let Event::GateSet { path, gate } = old else { panic!() };
        assert_eq!(gate.published().note, "", "a reason is never published");
        let noted = SetGate { note: "We look into it".into(), ..gate.clone() };
        assert_eq!(noted.published().note, "We look into it");
        let noted = Event::GateSet { path: path.clone(), gate: noted };
        let text = serde_json::to_string(&noted).unwrap();
        assert!(text.contains(r#""reason":"mei saw crashes","note":"We look into it""#), "{text}");
        assert_eq!((serde_json::from_str::<Event>(&text).unwrap(), noted.format()), (noted, 3));
        let approval = |open_until| crate::approval::Approval {
            percent: gate.percent,
            since: gate.since,
            expires: gate.since,
            open_until,
            signatures: vec![],
        };
        let approved = |open_until| {
            let (path, gate, approval) = (path.clone(), gate.clone(), approval(open_until));
            Event::GateApproved { path, gate, approval }.format()
        };
        assert_eq!((approved(None), approved(Some(gate.since))), (2, 3));
    }

    #[test]
    fn the_stored_form_is_stable() {
        let record = Record {
            format: SALTED,
            sequence: 2,
            previous: Sha256Digest([0; 32]),
            at: "2026-05-04T00:00:00Z".parse().unwrap(),
            actor: Actor::Unknown("mei".to_owned()),
            salt: Some("0f".repeat(SALT_BYTES)),
            event: Event::LanePublished {
                lane: Lane::Emergency,
                metadata: Base64(b"{}".to_vec()),
                recipes: BTreeMap::from([("emergency/a.json".parse().unwrap(), Base64(vec![1]))]),
                withdrawn: vec!["b".parse().unwrap()],
            },
        };
        let text = String::from_utf8(record.to_bytes().unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"format":2,"sequence":2,"previous":"{}","salt":"{}","at":"2026-05-04T00:00:00Z","actor":"mei","event":{}}}"#,
                "0".repeat(64),
                "0f".repeat(SALT_BYTES),
                r#"{"type":"lane-published","lane":"emergency","metadata":"e30=","recipes":{"emergency/a.json":"AQ=="},"withdrawn":["b"]}"#
            )
        );
        assert_eq!(Record::from_bytes(text.as_bytes()), Ok(record.clone()));

        let command = Actor::command("mulberry-server init");
        let known =
            Record { format: Record::format_of(&record.event, &command), actor: command, ..record.clone() };
        let written = String::from_utf8(known.to_bytes().unwrap()).unwrap();
        assert!(written.starts_with(r#"{"format":5,"#), "{written}");
        assert!(written.contains(r#","actor":{"command":"mulberry-server init"},"#), "{written}");
        assert_eq!(Record::from_bytes(written.as_bytes()), Ok(known));
        let claimed = written.replacen(r#""format":5"#, r#""format":4"#, 1);
        let refused = Record::from_bytes(claimed.as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("format 4 names an actor"), "{refused}");
        assert_eq!(Record::format_of(&record.event, &record.actor), 2, "earlier programs read it");

        let salt = format!(r#""salt":"{}","#, "0f".repeat(SALT_BYTES));
        let before_salts = text.replace(r#""format":2"#, r#""format":1"#).replace(&salt, "");
        let old = Record { format: 1, salt: None, ..record };
        assert_eq!(old.to_bytes().unwrap(), before_salts.as_bytes());
        assert_eq!(Record::from_bytes(before_salts.as_bytes()), Ok(old));
        let odd = [
            text.replace(&salt, ""),
            text.replace(r#""format":2"#, r#""format":1"#),
            text.replace(&salt, r#""salt":"","#),
            text.replace("0f0f", "0F0F"),
        ];
        for text in odd {
            let refused = Record::from_bytes(text.as_bytes()).unwrap_err();
            assert!(refused.to_string().contains("salt"), "{text}: {refused}");
        }
    }
}
