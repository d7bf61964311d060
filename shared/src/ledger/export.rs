//! The export of a ledger: JSON Lines, for backups, audits and restores.
//!
//! The first line says what it is, which ledger it is of, how many events follow and the last one's hash, so a file that was
//! cut off shows it. Each further line is one event: the very bytes of its record, and their SHA-256. There is exactly one
//! way to write a ledger down; whatever differs from it in a single byte is refused. The records name each other's hashes as
//! in the store, so the reader follows the same [`Chain`].
//!
//! ```text
//! {"kind":"mulberry-ledger-export","format":1,"ledger":"3f…","events":2,"head":"9a…"}
//! {"hash":"3f…","record":{"format":1,"sequence":1,"previous":"00…","at":"…","actor":"…","event":{…}}}
//! {"hash":"9a…","record":{"format":1,"sequence":2,"previous":"3f…","at":"…","actor":"…","event":{…}}}
//! ```

use std::io::{self, BufRead, Read as _};

use serde::{Deserialize, Serialize};

use super::chain::{BrokenChain, Chain};
use super::event::Record;
use crate::digest::Sha256Digest;
use crate::limits::LEDGER_RECORD_BYTES;
use crate::operators::LedgerHead;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// What every export calls itself.
const KIND: &str = "mulberry-ledger-export";

/// The most events of a ledger that is read: a thousand a day for decades.
pub const MAX_EVENTS: u64 = 10_000_000;

/// Bytes of the first line; ours have about 240.
pub const MAX_HEADER_BYTES: usize = 1 << 10;

/// What stands before an event's hash, between it and the record, and after the record.
const AROUND: [&[u8]; 3] = [b"{\"hash\":\"", b"\",\"record\":", b"}"];

/// Bytes of one event's line: the largest record and what stands around it.
pub const MAX_LINE_BYTES: usize = LEDGER_RECORD_BYTES + 128;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    kind: String,
    format: u64,
    /// Which ledger it is: the hash of its first event, in which its trust begins.
    pub ledger: Sha256Digest,
    /// How many events follow.
    pub events: u64,
    /// The hash of the last of them.
    pub head: Sha256Digest,
}

/// An export is refused.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It cannot be read on.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first line.
    #[error("line 1 {0}; this is no export of a Mulberry ledger, or it was altered")]
    Header(String),
    /// It was written by a newer program.
    #[error("it has format {0}, this program knows {FORMAT}; use a newer program")]
    NewerFormat(u64),
    /// It ends before the last event that the first line names.
    #[error("{} {why}; the export was cut off, use a whole one", place(*sequence))]
    CutOff {
        /// The event that was to stand there; 0 for the first line.
        sequence: u64,
        /// How it ends.
        why: String,
    },
    /// An event's line.
    #[error("event {sequence} {why}; the export was damaged or altered, use another one")]
    Line {
        /// The event that was to stand there.
        sequence: u64,
        /// What is wrong.
        why: String,
    },
    /// An event itself, or its place in the chain.
    #[error(transparent)]
    Chain(#[from] BrokenChain),
}

fn place(sequence: u64) -> String {
    if sequence == 0 { "line 1".to_owned() } else { format!("event {sequence}") }
}

impl ExportError {
    /// The first event that is not as it should be, where one can be named.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Line { sequence, .. }
            | Self::CutOff { sequence, .. }
            | Self::Chain(BrokenChain::Altered { sequence, .. } | BrokenChain::Newer { sequence, .. }) => {
                Some(*sequence).filter(|sequence| *sequence > 0)
            }
            _ => None,
        }
    }
}

impl Header {
    /// The header of the ledger whose first event has the hash `ledger`, up to `head`.
    #[must_use]
    pub fn new(ledger: Sha256Digest, head: LedgerHead) -> Self {
        Self { kind: KIND.to_owned(), format: FORMAT, ledger, events: head.sequence, head: head.head }
    }

    /// The line, with its end.
    ///
    /// # Errors
    /// None is known: all parts can be written as JSON.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    fn read(line: &[u8]) -> Result<Self, ExportError> {
        #[derive(Deserialize)]
        struct Start {
            kind: String,
            format: u64,
        }
        let refuse = |why: String| ExportError::Header(why);
        let start: Start =
            serde_json::from_slice(line).map_err(|error| refuse(format!("cannot be read ({error})")))?;
        if start.kind != KIND {
            return Err(refuse(format!("does not say that this is a {KIND}")));
        }
        if start.format > FORMAT {
            return Err(ExportError::NewerFormat(start.format));
        }
        let header: Self =
            serde_json::from_slice(line).map_err(|error| refuse(format!("cannot be read ({error})")))?;
        if header.format != FORMAT || header.line().ok().as_deref() != Some(line) {
            return Err(refuse("is not as an export writes it".to_owned()));
        }
        if !(1..=MAX_EVENTS).contains(&header.events) {
            return Err(refuse(format!("names {} events, and 1 to {MAX_EVENTS} are read", header.events)));
        }
        Ok(header)
    }
}

/// The line of an event, with its end, from its entry as a store holds it: the hash and the record's bytes. `None` when
/// the entry is shorter than a hash.
#[must_use]
pub fn event_line(entry: &[u8]) -> Option<Vec<u8>> {
    let (hash, record) = entry.split_first_chunk::<32>()?;
    let [before, between, after] = AROUND;
    Some([before, Sha256Digest(*hash).to_string().as_bytes(), between, record, after, b"\n"].concat())
}

/// The entry of an event's line, which must end with its line end.
fn read_event_line(line: &[u8]) -> Option<Vec<u8>> {
    let [before, between, after] = AROUND;
    let (hash, rest) = line.strip_prefix(before)?.split_first_chunk::<64>()?;
    let record = rest.strip_prefix(between)?.strip_suffix(b"\n")?.strip_suffix(after)?;
    let hash: Sha256Digest = std::str::from_utf8(hash).ok()?.parse().ok()?;
    Some([hash.0.as_slice(), record].concat())
}

/// Reads an export event by event and follows its chain. It never holds more than one line.
#[derive(Debug)]
pub struct ExportReader<R> {
    input: R,
    header: Header,
    chain: Chain,
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn open(mut input: R) -> Result<Self, ExportError> {
        let line = read_line(&mut input, MAX_HEADER_BYTES)?;
        let header = match line {
            Line::Whole(line) => Header::read(&line)?,
            Line::End => return Err(ExportError::CutOff { sequence: 0, why: "is missing".to_owned() }),
            Line::Cut => return Err(ExportError::CutOff { sequence: 0, why: "is not whole".to_owned() }),
            Line::TooLong => {
                return Err(ExportError::Header(format!("has more than {MAX_HEADER_BYTES} bytes")));
            }
        };
        Ok(Self { input, header, chain: Chain::default() })
    }

    /// The first line.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The head after the events read so far.
    #[must_use]
    pub fn head(&self) -> LedgerHead {
        self.chain.head()
    }

    /// The next event: its record, and its entry as a store holds it. `None` once all were read, and nothing follows.
    ///
    /// # Errors
    /// [`ExportError`]; reading on makes no sense then.
    pub fn next_event(&mut self) -> Result<Option<(Record, Vec<u8>)>, ExportError> {
        let sequence = self.head().sequence.saturating_add(1);
        let refuse = |why: String| Err(ExportError::Line { sequence, why });
        let line = match read_line(&mut self.input, MAX_LINE_BYTES)? {
            Line::End if sequence > self.header.events => return Ok(None),
            _ if sequence > self.header.events => {
                return refuse(format!("is there, but the first line names only {}", self.header.events));
            }
            Line::Whole(line) => line,
            Line::End => {
                let why = format!("is missing: the first line names {} events", self.header.events);
                return Err(ExportError::CutOff { sequence, why });
            }
            Line::Cut => return Err(ExportError::CutOff { sequence, why: "is not whole".to_owned() }),
            Line::TooLong => return refuse(format!("has more than {MAX_LINE_BYTES} bytes")),
        };
        let Some(entry) = read_event_line(&line) else {
            return refuse("does not stand on a line as an export writes it".to_owned());
        };
        let record = self.chain.follow(&entry)?;
        let hash = self.head().head;
        if sequence == 1 && hash != self.header.ledger {
            return refuse("is not the first event of the ledger that the first line names".to_owned());
        }
        if sequence == self.header.events && hash != self.header.head {
            return refuse("is not the last one that the first line names".to_owned());
        }
        Ok(Some((record, entry)))
    }
}

enum Line {
    /// With its end.
    Whole(Vec<u8>),
    /// Nothing was there.
    End,
    /// It has no end.
    Cut,
    TooLong,
}

fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Line> {
    let mut line = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    input.take(most).read_until(b'\n', &mut line)?;
    Ok(match line.last() {
        None => Line::End,
        _ if line.len() > limit => Line::TooLong,
        Some(b'\n') => Line::Whole(line),
        Some(_) => Line::Cut,
    })
}
