//! A ledger that goes on from another one: what people sign when a server was lost and is built again from a mirror.
//!
//! The new ledger begins a new chain, so by its links alone nobody can tell it from a rewritten history. People who hold keys of
//! `targets` therefore sign where the lost one ended, as far as anybody knows, and why ([`Statement`]). It stands in the first
//! event of the new ledger and beside the timestamp ([`PATH`]); witnesses of the old ledger accept the new one for it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::links::WitnessHead;
use crate::digest::Sha256Digest;
use crate::json::{self, JsonError};
use crate::limits::{JsonLimits, Limits};
use crate::outside::behind;
use crate::proposal::signing::{KeyHolder, Signing, holders};
use crate::tuf::threshold::{self, Authority, Signature};
use crate::tuf::{KeyId, Root, Signer, TrustError, write};

pub mod file;
pub mod list;

pub use file::ContinuationFile;
pub use list::{Continuations, Unexplained};

/// Where the public list of continuations stands.
pub const PATH: &str = "ledger/continues.json";

/// The role whose people sign: those who say which keys sign recipes.
pub const ROLE: &str = "targets";

/// The format that this program writes, and the newest that it reads.
const FORMAT: u64 = 1;

/// Keeps what is signed apart from everything else that is.
const TYPE: &str = "ledger-continues";

/// What people sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The last that is known of the lost ledger: the head in the mirror's timestamp.
    pub previous: WitnessHead,
    /// Why, in one line.
    pub reason: String,
    /// When it was written, in whole seconds.
    pub at: Timestamp,
}

/// A statement with its signatures. Nothing vouches for them until they are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// What is signed.
    pub statement: Statement,
    signatures: Vec<Signature>,
}

/// A document is no continuation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadContinuation {
    /// It was written by a newer program.
    #[error("it has format {0}, this program knows {FORMAT}; use a newer program")]
    NewerFormat(u64),
    /// It cannot be read.
    #[error("it cannot be read: {0}; have it made again with mulberryctl ledger continue")]
    Malformed(#[from] JsonError),
    /// Something in it is not as it must be.
    #[error("{0}; have it made again with mulberryctl ledger continue")]
    Impossible(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    signatures: Vec<Signature>,
    signed: Signed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    #[serde(rename = "_type")]
    kind: String,
    at: Timestamp,
    format: u64,
    previous: WitnessHead,
    reason: String,
}

impl Statement {
    /// The bytes that are signed.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        json::canonical(&self.value())
    }

    /// What identifies it: the SHA-256 of these bytes.
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        Sha256Digest::of(&self.message())
    }

    /// In words, for who is to sign it.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { previous, reason, at } = self;
        let WitnessHead { ledger, sequence, link } = previous;
        let reason = behind("  reason:       ", reason);
        format!(
            "A new ledger continues a lost one.\n  the lost one: {ledger}\n  it ended:     event {sequence}, link {link}\n\
             {reason}  written:      {at}\n\
             Agents that watched the lost ledger will accept a new one in its place without an alarm. Events after {sequence}, if \
             there were any, are lost.\n"
        )
    }

    fn value(&self) -> Value {
        json!({
            "_type": TYPE,
            "at": self.at.to_string(),
            "format": FORMAT,
            "previous": {
                "ledger": self.previous.ledger.to_string(),
                "sequence": self.previous.sequence,
                "link": self.previous.link.to_string(),
            },
            "reason": self.reason,
        })
    }
}

impl Continuation {
    /// Nobody has signed it yet.
    ///
    /// # Errors
    /// [`BadContinuation::Impossible`].
    pub fn new(statement: Statement, limits: &Limits) -> Result<Self, BadContinuation> {
        let impossible = |why| Err(BadContinuation::Impossible(why));
        let reason = &statement.reason;
        if reason.trim().is_empty()
            || reason.len() > limits.proposal.reason
            || reason.chars().any(char::is_control)
        {
            return impossible("its reason is not one line of 1 to 500 bytes");
        }
        if statement.previous.sequence == 0 {
            return impossible("it names no event of the lost ledger");
        }
        Ok(Self { statement, signatures: Vec::new() })
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`BadContinuation`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, BadContinuation> {
        let bounds = JsonLimits { bytes: limits.ledger.continues_bytes, ..limits.json.clone() };
        Self::from_value(json::parse(bytes, &bounds)?, limits)
    }

    fn from_value(value: Value, limits: &Limits) -> Result<Self, BadContinuation> {
        let format = value.get("signed").and_then(|signed| signed.get("format")).and_then(Value::as_u64);
        if let Some(newer) = format.filter(|format| *format > FORMAT) {
            return Err(BadContinuation::NewerFormat(newer));
        }
        let canonical = value.get("signed").map(json::canonical);
        let shape = |error: serde_json::Error| JsonError::Shape { detail: error.to_string() };
        let Envelope { signatures, signed } = serde_json::from_value(value).map_err(shape)?;
        let Signed { kind, at, format, previous, reason } = signed;
        if kind != TYPE || format != FORMAT {
            return Err(BadContinuation::Impossible("it is no continuation of a ledger"));
        }
        let unsigned = Self::new(Statement { previous, reason, at }, limits)?;
        // One way to write it: what was signed is what is read here.
        if canonical != Some(unsigned.statement.message()) {
            return Err(BadContinuation::Impossible("it is not written as a continuation is"));
        }
        Ok(Self { signatures, ..unsigned })
    }

    /// Its one form.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        json::canonical(&self.value())
    }

    fn value(&self) -> Value {
        let signatures: Vec<Value> = self
            .signatures
            .iter()
            .map(|signature| json!({"keyid": signature.keyid.0, "sig": signature.sig}))
            .collect();
        json!({"signatures": signatures, "signed": self.statement.value()})
    }

    /// Signs it, under the label that the role has for the signer's key. A signature that stands under this label is replaced.
    ///
    /// # Errors
    /// `key` when the key is none of the role's, or cannot sign now.
    pub fn sign(&mut self, authority: Authority<'_>, signer: &dyn Signer) -> Result<(), TrustError> {
        let signature = write::signature(authority, signer, &self.statement.message())?;
        self.signatures.retain(|held| held.keyid != signature.keyid);
        self.signatures.push(signature);
        Ok(())
    }

    /// How far the signing is.
    ///
    /// # Errors
    /// [`threshold::so_far`]'s; `not-delegated` for a root without the role.
    pub fn signing(&self, root: &Root, limits: &Limits) -> Result<Signing, TrustError> {
        let authority = root.authority(ROLE)?;
        let counted =
            threshold::so_far(authority, &self.signatures, &self.statement.message(), &limits.trust)?;
        Ok(Signing::of(authority, &counted))
    }

    /// The keys of the role whose signature does not hold: whoever signed has signed something else.
    ///
    /// # Errors
    /// [`threshold::tally`]'s; `not-delegated` for a root without the role.
    pub fn broken(&self, root: &Root, limits: &Limits) -> Result<Vec<KeyHolder>, TrustError> {
        let authority = root.authority(ROLE)?;
        let message = self.statement.message();
        let tally = threshold::tally(authority, &self.signatures, &message, &limits.trust)?;
        Ok(holders(authority, &tally.broken))
    }

    /// Checks that enough people have signed it. Gives the labels that counted.
    ///
    /// # Errors
    /// [`threshold::check`]'s; `not-delegated` for a root without the role.
    pub fn check(&self, root: &Root, limits: &Limits) -> Result<Vec<KeyId>, TrustError> {
        threshold::check(root.authority(ROLE)?, &self.signatures, &self.statement.message(), &limits.trust)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ledger) fn head(ledger: u8, sequence: u64, link: u8) -> WitnessHead {
        WitnessHead { ledger: Sha256Digest([ledger; 32]), sequence, link: Sha256Digest([link; 32]) }
    }

    pub(in crate::ledger) fn continuation(previous: WitnessHead) -> Continuation {
        let at = "2026-11-22T00:00:00Z".parse().unwrap();
        let statement = Statement { previous, reason: "the machine burnt down".into(), at };
        Continuation::new(statement, &Limits::default()).unwrap()
    }

    #[test]
    fn what_is_signed_is_stable_and_read_back() {
        let limits = Limits::default();
        let one = continuation(head(0xaa, 7, 0xbb));
        let expected = format!(
            r#"{{"_type":"ledger-continues","at":"2026-11-22T00:00:00Z","format":1,"previous":{{"ledger":"{}","link":"{}","sequence":7}},"reason":"the machine burnt down"}}"#,
            "aa".repeat(32),
            "bb".repeat(32)
        );
        assert_eq!(String::from_utf8(one.statement.message()).unwrap(), expected);
        assert_eq!(Continuation::read(&one.write(), &limits).unwrap(), one);
        let list = Continuations(vec![one.clone(), continuation(head(1, 1, 1))]);
        assert_eq!(Continuations::read(&list.write(), &limits).unwrap(), list);
        let text = String::from_utf8(one.write()).unwrap();
        let newer = text.replace("\"format\":1", "\"format\":2");
        assert_eq!(Continuation::read(newer.as_bytes(), &limits), Err(BadContinuation::NewerFormat(2)));
        for bad in [
            text.replace("ledger-continues", "targets"),
            text.replace("\"sequence\":7", "\"sequence\":0"),
            text.replace("the machine burnt down", " "),
            text.replace("the machine burnt down", "a\\nb"),
            text.replace("\"format\":1", "\"format\":1,\"more\":1"),
            text.replace("00:00:00Z", "00:00:00.0Z"),
            "{}".to_owned(),
        ] {
            assert_ne!(bad, text);
            assert!(Continuation::read(bad.as_bytes(), &limits).is_err(), "{bad}");
        }
    }
}
