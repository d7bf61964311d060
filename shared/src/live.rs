//! The live stream: how a server tells connected agents that there is a new edition.
//!
//! It is a stream of server-sent events (WHATWG HTML, section 9.2) of which agents know one, `edition`, with the number of
//! the edition as JSON. **Nothing in it is trusted**: whoever can write into it can make an agent ask its origin, and
//! that is all. [`announcement`] writes an event, [`Decoder`] reads a stream of them from pieces of any size.

use serde::{Deserialize, Serialize};

use crate::json;
use crate::limits::Limits;

/// Where the stream is, relative to an origin.
pub const PATH: &str = "api/v1/live";
/// Its media type.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// Sent while there is no news, so that both sides notice a dead connection: a comment, which readers skip.
pub const HEARTBEAT: &str = ":\n\n";
/// Seconds between two heartbeats. Middleboxes forget a silent connection after 30 and more.
pub const HEARTBEAT_SECONDS: u64 = 15;

const KIND: &str = "edition";

/// "There is an edition of this number." A hint, not a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The edition's number: the version of its snapshot.
    pub edition: u64,
}

/// The event that announces an edition, as it goes over the wire.
#[must_use]
pub fn announcement(edition: u64) -> String {
    format!("event: {KIND}\nid: {edition}\ndata: {{\"edition\":{edition}}}\n\n")
}

/// The stream is not worth reading on; close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// A line beyond its ceiling.
    #[error("a line of the live stream is longer than the {0} bytes it may have")]
    Line(usize),
    /// An event beyond its ceiling.
    #[error("an event of the live stream is longer than the {0} bytes it may have")]
    Event(usize),
}

/// Reads a stream from pieces of any size. Holds one line and one event at most.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    line: Vec<u8>,
    kind: Vec<u8>,
    data: Vec<u8>,
    /// The last byte was a carriage return: a line feed right after it belongs to it.
    after_return: bool,
    /// No line is complete yet, so a byte order mark may still come.
    at_start: bool,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            line: Vec::new(),
            kind: Vec::new(),
            data: Vec::new(),
            after_return: false,
            at_start: true,
        }
    }

    /// Takes the next piece and gives the announcements that are complete now, oldest first. Events of another kind, and
    /// announcements that are none, are skipped: a later server may send them.
    ///
    /// # Errors
    /// [`LiveError`] when a line or an event is too long.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<Announcement>, LiveError> {
        let mut found = Vec::new();
        for byte in piece {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => found.extend(self.end_line()?),
                _ if self.line.len() >= self.limits.live.line_bytes => {
                    return Err(LiveError::Line(self.limits.live.line_bytes));
                }
                _ => self.line.push(*byte),
            }
        }
        Ok(found)
    }

    fn end_line(&mut self) -> Result<Option<Announcement>, LiveError> {
        let line = std::mem::take(&mut self.line);
        let first = std::mem::replace(&mut self.at_start, false);
        let line = match line.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) if first => rest,
            _ => &line,
        };
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (line.get(..colon), line.get(colon.saturating_add(1)..)),
            None => (Some(line), None),
        };
        let value = value.unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            Some(b"event") => self.kind = value.to_vec(),
            Some(b"data") => {
                let length = self.data.len().saturating_add(value.len()).saturating_add(1);
                if length > self.limits.live.event_bytes {
                    return Err(LiveError::Event(self.limits.live.event_bytes));
                }
                self.data.extend_from_slice(value);
                self.data.push(b'\n');
            }
            // `id` and `retry` are for readers that resume or obey; a comment has an empty name.
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Option<Announcement> {
        let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
        if kind != KIND.as_bytes() {
            return None;
        }
        json::decode(&data, &self.limits.json).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<u64>, LiveError> {
        let mut decoder = Decoder::new(&Limits::default());
        let mut found = Vec::new();
        for piece in pieces {
            found.extend(decoder.feed(piece)?);
        }
        Ok(found.into_iter().map(|announcement| announcement.edition).collect())
    }

    #[test]
    fn what_is_written_is_read_between_heartbeats() {
        let stream = [&announcement(7), HEARTBEAT, HEARTBEAT, &announcement(u64::MAX)].concat();
        assert_eq!(read(&[stream.as_bytes()]), Ok(vec![7, u64::MAX]));
    }

    #[test]
    fn all_line_ends_comments_and_a_byte_order_mark_are_read_as_the_standard_says() {
        let stream =
            b"\xef\xbb\xbfevent:edition\r\ndata: {\"edition\":\rdata:3, \"more\":[]}\n: hi\nretry: 1\r\n\r\n";
        assert_eq!(read(&[stream]), Ok(vec![3]));
        assert_eq!(read(&[b"event: edition\r\n", b"data: {\"edition\":4}\r", b"\n\r", b"\n"]), Ok(vec![4]));
    }

    #[test]
    fn what_is_no_announcement_is_skipped() {
        for stream in [
            "data: {\"edition\":1}\n\n",
            "event: other\ndata: {\"edition\":1}\n\n",
            "event: edition\n\n",
            "event: edition\ndata: {\"edition\":-1}\n\n",
            "event: edition\ndata: {\"edition\":1}\n",
            "event: edition\ndata\n\n",
            "\nevent: edition\n\ndata: {\"edition\":1}\n\n",
        ] {
            assert_eq!(read(&[stream.as_bytes()]), Ok(vec![]), "{stream:?}");
        }
    }

    #[test]
    fn lines_and_events_are_cut_at_their_ceilings() {
        let limits = Limits::default().live;
        let long = "x".repeat(limits.line_bytes);
        assert_eq!(read(&[long.as_bytes(), b"\n"]), Ok(vec![]));
        assert_eq!(read(&[long.as_bytes(), b"x"]), Err(LiveError::Line(limits.line_bytes)));
        let many = format!("data: {}\n", "y".repeat(limits.line_bytes - 6)).repeat(limits.event_bytes);
        assert_eq!(read(&[many.as_bytes()]), Err(LiveError::Event(limits.event_bytes)));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same(
            parts in prop::collection::vec(
                prop_oneof![
                    any::<u64>().prop_map(|edition| announcement(edition).into_bytes()),
                    Just(HEARTBEAT.as_bytes().to_vec()),
                    "(event|data|id|x)?:? ?(edition|\\{\"edition\":[0-9]{1,3}\\})?[\r\n]{0,3}".prop_map(String::into_bytes),
                    prop::collection::vec(any::<u8>(), 0..40),
                ],
                0..12,
            ),
            cut in 1_usize..9,
        ) {
            let stream = parts.concat();
            let pieces: Vec<&[u8]> = stream.chunks(cut).collect();
            prop_assert_eq!(read(&pieces), read(&[&stream]));
        }

        #[test]
        fn every_number_arrives(editions in prop::collection::vec(any::<u64>(), 0..20)) {
            let stream: String = editions.iter().map(|edition| announcement(*edition)).collect();
            prop_assert_eq!(read(&[stream.as_bytes()]), Ok(editions));
        }
    }
}
