//! The public chain of links.
//!
//! ```text
//! link 0 = 32 zero bytes
//! link n = SHA-256("mulberry-ledger-link-1\n" ‖ link n-1 ‖ SHA-256 of record n)
//! ```
//!
//! A record's hash is over its bytes, so only who has all records can follow the chain that runs through them. The links run
//! through the hashes alone: who has a link and the hashes after it computes every later link, and learns nothing else. A
//! timestamp names the last one ([`WitnessHead`]); the hashes stand in pages of [`PAGE`], `ledger/LEDGER/N.json`. A full page
//! never changes, the last one grows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::Sha256Digest;
use crate::json::{self, JsonError};
use crate::limits::Limits;
use crate::tuf::LedgerHead;
use crate::tuf::location::LEDGER;

/// Hashes on a full page.
pub const PAGE: u64 = 256;

/// The format of pages that this program writes, and the newest that it reads.
const FORMAT: u64 = 1;

/// Keeps links apart from all other hashes.
const TAG: &[u8] = b"mulberry-ledger-link-1\n";

/// The link before the first event.
pub const START: Sha256Digest = Sha256Digest([0; 32]);

/// The link after an event whose record has the hash `record`.
#[must_use]
pub fn link(previous: &Sha256Digest, record: &Sha256Digest) -> Sha256Digest {
    Sha256Digest(
        Sha256::new().chain_update(TAG).chain_update(previous.0).chain_update(record.0).finalize().into(),
    )
}

/// How far a ledger had come when it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessHead {
    /// Which ledger: the hash of its first record.
    pub ledger: Sha256Digest,
    /// Number of the last event.
    pub sequence: u64,
    /// The link after it.
    pub link: Sha256Digest,
}

impl LedgerHead {
    /// What a witness remembers of it; `None` where the server names no link.
    #[must_use]
    pub fn witness(&self) -> Option<WitnessHead> {
        let (ledger, link) = (self.id?, self.link?);
        (self.sequence > 0).then_some(WitnessHead { ledger, sequence: self.sequence, link })
    }
}

/// `SEQUENCE:LINK`, as people copy it.
impl fmt::Display for WitnessHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.link)
    }
}

/// A head that a person gives: the number of an event and the link after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Number of the event; at least 1.
    pub sequence: u64,
    /// The link after it.
    pub link: Sha256Digest,
}

/// The text is no head as people copy it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no SEQUENCE:LINK, as `mulberry-agent status` prints it: a number, a colon and 64 hexadecimal digits"
)]
pub struct NotAHead(String);

impl FromStr for Given {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let parts = text.split_once(':').and_then(|(sequence, link)| {
            Some(Self {
                sequence: sequence.parse().ok().filter(|number| *number > 0)?,
                link: link.parse().ok()?,
            })
        });
        parts.ok_or_else(|| NotAHead(text.to_owned()))
    }
}

/// The path of page `index`, from 0, of the ledger whose first record has the hash `ledger`.
#[must_use]
pub fn path(ledger: &Sha256Digest, index: u64) -> String {
    format!("{LEDGER}{ledger}/{index}.json")
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    format: u64,
    /// Which ledger: the hash of its first record.
    pub ledger: Sha256Digest,
    /// Number of the first event on it.
    pub first: u64,
    /// The link before that.
    pub before: Sha256Digest,
    /// The hashes of the records, in order: 1 to [`PAGE`].
    pub hashes: Vec<Sha256Digest>,
}

/// A document is no page, or another one than was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    /// It was written by a newer program.
    #[error("it has format {0}, this program knows {FORMAT}; use a newer program")]
    NewerFormat(u64),
    /// It cannot be read.
    #[error("it is no page of a ledger's links: {0}")]
    Malformed(#[from] JsonError),
    /// It is not the page asked for.
    #[error("it is another page of a ledger's links than was asked for")]
    Another,
}

impl Page {
    /// Reads page `index` of `ledger`.
    ///
    /// # Errors
    /// [`BadPage`].
    pub fn read(bytes: &[u8], ledger: &Sha256Digest, index: u64, limits: &Limits) -> Result<Self, BadPage> {
        #[derive(Deserialize)]
        struct Start {
            format: u64,
        }
        let Start { format } = json::decode(bytes, &limits.json)?;
        if format > FORMAT {
            return Err(BadPage::NewerFormat(format));
        }
        let page: Self = json::decode(bytes, &limits.json)?;
        let first = index.checked_mul(PAGE).and_then(|before| before.checked_add(1));
        let count = page.hashes.len() as u64;
        let fits = page.ledger == *ledger && Some(page.first) == first && (1..=PAGE).contains(&count);
        let starts = index > 0 || (page.before == START && page.hashes.first() == Some(ledger));
        if format != FORMAT || !fits || !starts { Err(BadPage::Another) } else { Ok(page) }
    }

    /// Each event on it with the link after it, in order.
    pub fn links(&self) -> impl Iterator<Item = (u64, Sha256Digest)> {
        let mut now = self.before;
        (self.first..).zip(&self.hashes).map(move |(sequence, hash)| {
            now = link(&now, hash);
            (sequence, now)
        })
    }

    fn write(&self) -> Arc<[u8]> {
        // Numbers and digests can always be written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// The links of one ledger as it grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    head: Option<WitnessHead>,
    /// Those that never change again.
    full: Vec<Arc<[u8]>>,
    /// The link before the last page.
    before: Option<Sha256Digest>,
    /// What stands on the last page; empty only without events.
    last: Vec<Sha256Digest>,
}

impl Links {
    /// One more event, whose record has this hash.
    pub fn push(&mut self, record: Sha256Digest) {
        let head = self.head.unwrap_or(WitnessHead { ledger: record, sequence: 0, link: START });
        if self.last.len() as u64 >= PAGE {
            if let Some(page) = self.last_page() {
                self.full.push(page.write());
            }
            self.last.clear();
            self.before = Some(head.link);
        }
        self.last.push(record);
        let sequence = head.sequence.saturating_add(1);
        self.head = Some(WitnessHead { sequence, link: link(&head.link, &record), ..head });
    }

    /// How far it has come; `None` without events.
    #[must_use]
    pub fn head(&self) -> Option<WitnessHead> {
        self.head
    }

    /// The pages that never change again, from page 0 on.
    #[must_use]
    pub fn full(&self) -> &[Arc<[u8]>] {
        &self.full
    }

    /// The page after these, which grows with the next event or makes room for another; `None` without events.
    #[must_use]
    pub fn growing(&self) -> Option<Arc<[u8]>> {
        self.last_page().map(|page| page.write())
    }

    fn last_page(&self) -> Option<Page> {
        let head = self.head?;
        let first = (self.full.len() as u64).saturating_mul(PAGE).saturating_add(1);
        let before = self.before.unwrap_or(START);
        Some(Page { format: FORMAT, ledger: head.ledger, first, before, hashes: self.last.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u64) -> Sha256Digest {
        Sha256Digest::of(&n.to_be_bytes())
    }

    pub(crate) fn of(events: u64) -> Links {
        let mut links = Links::default();
        (1..=events).for_each(|n| links.push(hash(n)));
        links
    }

    #[test]
    fn links_are_as_documented() {
        let first =
            Sha256Digest::of(&[b"mulberry-ledger-link-1\n".as_slice(), &[0; 32], &hash(1).0].concat());
        let second =
            Sha256Digest::of(&[b"mulberry-ledger-link-1\n".as_slice(), &first.0, &hash(2).0].concat());
        let head = of(2).head().unwrap();
        assert_eq!(head, WitnessHead { ledger: hash(1), sequence: 2, link: second });
        let given: Given = head.to_string().parse().unwrap();
        assert_eq!(given, Given { sequence: 2, link: second });
        for bad in ["", "2", "0:".to_owned().as_str(), &format!("0:{second}"), &format!("x:{second}"), "2:ab"]
        {
            assert!(bad.parse::<Given>().unwrap_err().to_string().contains("SEQUENCE:LINK"), "{bad}");
        }
    }

    #[test]
    fn pages_read_back_and_lead_to_the_head() {
        let limits = Limits::default();
        for events in [1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 1] {
            let links = of(events);
            let head = links.head().unwrap();
            let pages: Vec<_> = links.full().iter().cloned().chain(links.growing()).collect();
            assert_eq!(pages.len() as u64, events.div_ceil(PAGE), "{events}");
            let mut found = Vec::new();
            for (index, bytes) in (0..).zip(&pages) {
                assert!(bytes.len() <= limits.ledger.page_bytes);
                let page = Page::read(bytes, &head.ledger, index, &limits).unwrap();
                found.extend(page.links());
                assert_eq!(Page::read(bytes, &hash(2), index, &limits), Err(BadPage::Another));
                assert_eq!(Page::read(bytes, &head.ledger, index + 1, &limits), Err(BadPage::Another));
            }
            assert_eq!(found.len() as u64, events);
            assert_eq!(found.last(), Some(&(events, head.link)));
        }
        assert_eq!(Links::default().growing(), None);
    }

    #[test]
    fn a_full_page_stays_what_it_is() {
        let (then, now) = (of(PAGE + 1), of(3 * PAGE));
        assert_eq!(then.full()[0], now.full()[0]);
        assert_eq!(of(PAGE).growing().unwrap(), now.full()[0]);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let limits = Limits::default();
        let read = |text: &str| Page::read(text.as_bytes(), &hash(1), 0, &limits);
        assert_eq!(read(r#"{"format":2,"x":1}"#), Err(BadPage::NewerFormat(2)));
        assert!(matches!(read("{}"), Err(BadPage::Malformed(_))));
        let good = String::from_utf8(of(1).growing().unwrap().to_vec()).unwrap();
        assert!(read(&good).is_ok());
        assert!(matches!(read(&good.replacen('{', "{\"more\":1,", 1)), Err(BadPage::Malformed(_))));
        assert_eq!(read(&good.replace("\"format\":1", "\"format\":0")), Err(BadPage::Another));
        assert_eq!(read(&good.replace(&format!("[\"{}\"]", hash(1)), "[]")), Err(BadPage::Another));
        assert_eq!(read(&good.replace(&START.to_string(), &hash(9).to_string())), Err(BadPage::Another));
    }
}
