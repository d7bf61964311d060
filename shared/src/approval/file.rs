//! An opening in a file, on its way between two people's machines: JSON, described in
//! `shared/docs/formats.md`. Nothing in it is trusted for being in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Opening;
use crate::digest::Sha256Digest;
use crate::json;
use crate::limits::{JsonLimits, Limits};
use crate::operators::{Base64, Stop};
use crate::recipe::RecipePath;
use crate::sampling::BasisPoints;
use crate::text::one_line;
use crate::tuf::threshold::Signature;

/// The format without `open_until`, `note` and `stops`, written where there is none: earlier programs read it.
const PLAIN: u64 = 1;

/// The format with them, written where there are no stops.
const NOTED: u64 = 2;

/// The newest format this code reads: that of stops.
const FORMAT: u64 = 3;

/// The most stops that a file lists.
const STOPS: usize = 64;

/// What tells such a file from a proposal's.
const KIND: &str = "gate-opening";

/// An opening, the signatures it has, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningFile {
    /// What is signed.
    pub opening: Opening,
    /// Why, for operators. Not signed.
    pub reason: String,
    /// A word for the public; empty for none. Not signed.
    pub note: String,
    /// What colleagues stopped and this undoes, as a server said when the file was made. Not signed.
    pub stops: Vec<Stop>,
    /// The signatures so far, whether or not they hold.
    pub signatures: Vec<Signature>,
    /// The bundle of the edition that it was made on.
    pub base: Option<Vec<u8>>,
}

/// Bytes are no such file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningFileError {
    /// Something else.
    #[error("this is no opening of a gate: {0}")]
    Malformed(String),
    /// Written by a later version.
    #[error("the opening has format {found}, and this program knows up to {FORMAT}; use a newer one")]
    Newer {
        /// The number found.
        found: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u64,
    kind: String,
    path: RecipePath,
    revision: u64,
    sha256: Sha256Digest,
    percent: BasisPoints,
    since: Timestamp,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_until: Option<Timestamp>,
    reason: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stops: Vec<Stop>,
    signatures: Vec<Signature>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Base64>,
}

/// Whether the bytes say that they are such a file: for commands that take several kinds.
#[must_use]
pub fn is_one(bytes: &[u8], limits: &Limits) -> bool {
    parse(bytes, limits).is_ok_and(|value| value.get("kind").and_then(Value::as_str) == Some(KIND))
}

fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, OpeningFileError> {
    let limits = JsonLimits { bytes: limits.proposal.file_bytes, ..limits.json.clone() };
    json::parse(bytes, &limits).map_err(|error| OpeningFileError::Malformed(error.to_string()))
}

impl OpeningFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`OpeningFileError`].
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, OpeningFileError> {
        let malformed = |why: String| OpeningFileError::Malformed(why);
        let value = parse(bytes, limits)?;
        if value.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(malformed(format!("its kind is not {KIND:?}")));
        }
        match value.get("format").and_then(Value::as_u64) {
            Some(PLAIN..=FORMAT) => {}
            Some(found) if found > FORMAT => return Err(OpeningFileError::Newer { found }),
            _ => return Err(malformed("it names no format".to_owned())),
        }
        let document: Document = json::from_value(value).map_err(|error| malformed(error.to_string()))?;
        let Document { format, path, revision, sha256, percent, since, expires, open_until, .. } = document;
        let Document { reason, note, stops, signatures, base, .. } = document;
        if format < NOTED && (open_until.is_some() || !note.is_empty()) {
            return Err(malformed(format!("format {format} has neither open_until nor note")));
        }
        if format < FORMAT && !stops.is_empty() {
            return Err(malformed(format!("format {format} has no stops")));
        }
        if stops.len() > STOPS {
            return Err(malformed(format!("it has more than {STOPS} stops")));
        }
        for text in stops.iter().flat_map(|stop| [&stop.by, &stop.reason]) {
            one_line(text, limits.recipe.reason).map_err(|why| malformed(format!("a stop in it: {why}")))?;
        }
        one_line(&reason, limits.recipe.reason).map_err(|why| malformed(format!("its reason: {why}")))?;
        if !note.is_empty() {
            one_line(&note, limits.recipe.reason).map_err(|why| malformed(format!("its note: {why}")))?;
        }
        if signatures.len() > limits.trust.signatures {
            return Err(malformed(format!("it has more than {} signatures", limits.trust.signatures)));
        }
        let opening = Opening { path, revision, sha256, percent, since, expires, open_until };
        Ok(Self { opening, reason, note, stops, signatures, base: base.map(|base| base.0) })
    }

    /// The file.
    ///
    /// # Errors
    /// None is known: all parts can be written as JSON.
    pub fn write(&self) -> Result<Vec<u8>, OpeningFileError> {
        let Opening { path, revision, sha256, percent, since, expires, open_until } = self.opening.clone();
        let format = match (&self.stops[..], open_until, self.note.as_str()) {
            ([], None, "") => PLAIN,
            ([], ..) => NOTED,
            _ => FORMAT,
        };
        let document = Document {
            format,
            kind: KIND.to_owned(),
            path,
            revision,
            sha256,
            percent,
            since,
            expires,
            open_until,
            reason: self.reason.clone(),
            note: self.note.clone(),
            stops: self.stops.clone(),
            signatures: self.signatures.clone(),
            base: self.base.clone().map(Base64),
        };
        let mut bytes =
            serde_json::to_vec(&document).map_err(|error| OpeningFileError::Malformed(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Adds a signature, in the place of one under the same label.
    pub fn add(&mut self, signature: Signature) {
        let all = self.signatures.drain(..).chain([signature]);
        let by_key: BTreeMap<_, _> = all.map(|one| (one.keyid.clone(), one)).collect();
        self.signatures = by_key.into_values().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::opening;
    use super::*;
    use crate::operators::StopKind;
    use crate::tuf::KeyId;

    fn signature(keyid: &str, sig: &str) -> Signature {
        Signature { keyid: KeyId(keyid.into()), sig: sig.into(), other: BTreeMap::new() }
    }

    fn file() -> OpeningFile {
        let signatures = vec![signature("b", "00")];
        let (reason, note) = ("canary".into(), String::new());
        OpeningFile { opening: opening(), reason, note, stops: vec![], signatures, base: Some(vec![1]) }
    }

    #[test]
    fn a_file_reads_back_and_a_newer_or_other_one_is_named() {
        let limits = Limits::default();
        let text = String::from_utf8(file().write().unwrap()).unwrap();
        assert!(is_one(text.as_bytes(), &limits));
        assert_eq!(OpeningFile::read(text.as_bytes(), &limits), Ok(file()));
        let read = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            OpeningFile::read(text.replacen(from, to, 1).as_bytes(), &limits)
        };
        assert_eq!(read("\"format\":1", "\"format\":4"), Err(OpeningFileError::Newer { found: 4 }));
        assert_eq!(read("\"format\":1", "\"format\":2"), Ok(file()));
        let mut more = file();
        more.note = "Add-ons come back".into();
        more.opening.open_until = Some(more.opening.expires);
        let written = String::from_utf8(more.write().unwrap()).unwrap();
        assert!(written.starts_with("{\"format\":2,"), "{written}");
        assert_eq!(OpeningFile::read(written.as_bytes(), &limits), Ok(more.clone()));
        let (by, reason) = ("mei".to_owned(), "crashes".to_owned());
        let by_person = None;
        let (event, at) = (9, more.opening.since);
        more.stops =
            vec![Stop { event, by, by_person, at, did: StopKind::Paused, from: 500, left: 0, reason }];
        let written = String::from_utf8(more.write().unwrap()).unwrap();
        assert!(written.starts_with("{\"format\":3,"), "{written}");
        assert_eq!(OpeningFile::read(written.as_bytes(), &limits), Ok(more.clone()));
        for (from, to) in
            [("\"format\":3", "\"format\":2"), ("\"mei\"", "\"m\\ni\""), ("\"paused\"", "\"x\"")]
        {
            assert!(written.contains(from), "{from}");
            assert!(OpeningFile::read(written.replacen(from, to, 1).as_bytes(), &limits).is_err(), "{from}");
        }
        more.stops = vec![more.stops[0].clone(); 65];
        assert!(OpeningFile::read(&more.write().unwrap(), &limits).is_err(), "the list is bounded");
        let long = format!("\"{}\"", "x".repeat(501));
        for (from, to) in [
            ("\"gate-opening\"", "\"proposal\""),
            ("\"format\":1,", ""),
            ("\"reason\"", "\"note\":\"x\",\"reason\""),
            ("\"reason\"", "\"open_until\":\"2026-11-23T00:00:00Z\",\"reason\""),
            ("\"percent\":2500", "\"percent\":10001"),
            ("\"revision\"", "\"rings\":[],\"revision\""),
            ("emergency/fix.json", "gates.json"),
            ("\"canary\"", "\"\\u001b[2J\""),
            ("\"canary\"", &long),
            ("{\"format\"", "{\"kind\":\"gate-opening\",\"format\""),
        ] {
            assert!(read(from, to).is_err(), "{from} -> {to}");
        }
        assert!(!is_one(b"{}", &limits) && !is_one(b"x", &limits));
    }

    #[test]
    fn one_label_has_one_signature() {
        let mut file = file();
        file.add(signature("a", "11"));
        file.add(signature("b", "22"));
        assert_eq!(file.signatures, [signature("a", "11"), signature("b", "22")]);
    }
}
