//! The closed list of ways to damage one document on its way.

use std::io::{self, Write};

/// One thing wrong with what an origin answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The second half is missing.
    Truncated,
    /// There is nothing.
    Empty,
    /// One bit in the middle is another.
    BitFlipped,
    /// It begins well and never ends.
    Huge,
    /// It says that it has a gigabyte, and goes on like [`Self::Huge`].
    HugeAnnounced,
    /// Arrays in arrays, two thousand deep.
    DeeplyNested,
    /// As many small objects as fit into 15 kB: what takes most memory for its size.
    ManyValues,
    /// Its first member stands there twice.
    DuplicateKey,
    /// A text in it is not UTF-8.
    NotUtf8,
    /// It goes on after its end.
    TrailingData,
    /// It ends before the length that was announced.
    WrongContentLength,
    /// It is compressed, which nobody asked for.
    Compressed,
    /// The server answers with an error of its own.
    ServerError,
}

/// An answer as it goes over the wire.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    head: String,
    body: Vec<u8>,
    repeats: Repeats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    Once,
    ForEver,
}

impl Damage {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Truncated,
        Self::Empty,
        Self::BitFlipped,
        Self::Huge,
        Self::HugeAnnounced,
        Self::DeeplyNested,
        Self::ManyValues,
        Self::DuplicateKey,
        Self::NotUtf8,
        Self::TrailingData,
        Self::WrongContentLength,
        Self::Compressed,
        Self::ServerError,
    ];

    /// Whether the damage lies in the transfer, so that nothing usable arrives, rather than in what arrives.
    #[must_use]
    pub fn is_of_the_transfer(self) -> bool {
        use Damage as D;
        matches!(self, D::Huge | D::HugeAnnounced | D::WrongContentLength | D::Compressed | D::ServerError)
    }

    /// The bytes after this damage, where it lies in the bytes; otherwise as they are.
    #[must_use]
    pub fn spoil(self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        let middle = bytes.len() / 2;
        match self {
            Self::Truncated => bytes.truncate(middle),
            Self::Empty => bytes.clear(),
            Self::BitFlipped => {
                if let Some(byte) = bytes.get_mut(middle) {
                    *byte ^= 1;
                }
            }
            Self::DeeplyNested => bytes = [b"[".repeat(2_000), b"]".repeat(2_000)].concat(),
            Self::ManyValues => bytes = [b"[{}".to_vec(), b",{}".repeat(5_000), b"]".to_vec()].concat(),
            Self::DuplicateKey => {
                // The first member again, empty, at the front: a parser that takes the last one sees no difference.
                let first = good.iter().position(|b| *b == b':').map_or(0, |colon| colon + 1);
                let first = good.get(1..first).unwrap_or_default();
                bytes = [b"{", first, b"{},", good.get(1..).unwrap_or_default()].concat();
            }
            Self::NotUtf8 => {
                let quote = bytes.iter().position(|byte| *byte == b'"').map_or(0, |quote| quote + 1);
                bytes.insert(quote, 0xff);
            }
            Self::TrailingData => bytes.extend_from_slice(b"{}"),
            _ => {}
        }
        bytes
    }

    pub(super) fn answer(self, good: &[u8]) -> Answer {
        let mut answer = Answer::whole(&self.spoil(good));
        match self {
            Self::Huge => {
                answer.head = head("200 OK", "");
                answer.repeats = Repeats::ForEver;
            }
            Self::HugeAnnounced => {
                answer.head = head("200 OK", "Content-Length: 1073741824\r\n");
                answer.repeats = Repeats::ForEver;
            }
            Self::WrongContentLength => {
                answer.head = head("200 OK", &format!("Content-Length: {}\r\n", good.len() + 10));
            }
            Self::Compressed => {
                let length = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", good.len());
                answer.head = head("200 OK", &length);
            }
            Self::ServerError => answer.head = head("500 Internal Server Error", "Content-Length: 0\r\n"),
            _ => {}
        }
        if self == Self::ServerError {
            answer.body.clear();
        }
        answer
    }
}

impl Answer {
    /// This, as it is.
    pub(super) fn whole(body: &[u8]) -> Self {
        let head = head("200 OK", &format!("Content-Length: {}\r\n", body.len()));
        Self { head, body: body.to_vec(), repeats: Repeats::Once }
    }

    /// A 404 with this body.
    pub(super) fn denial(body: &[u8]) -> Self {
        let head = head("404 Not Found", &format!("Content-Length: {}\r\n", body.len()));
        Self { head, ..Self::whole(body) }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.head.as_bytes())?;
        out.write_all(&self.body)?;
        if self.repeats == Repeats::Once {
            return Ok(());
        }
        let more = b" ".repeat(16 << 10);
        // Ends when the other side hangs up.
        loop {
            out.write_all(&more)?;
        }
    }
}

fn head(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_changes_what_it_says() {
        let good = br#"{"signed":{"a":1},"signatures":[]}"#;
        let spoilt = |damage: Damage| String::from_utf8_lossy(&damage.spoil(good)).into_owned();
        assert_eq!(spoilt(Damage::DuplicateKey), r#"{"signed":{},"signed":{"a":1},"signatures":[]}"#);
        assert_eq!(spoilt(Damage::Truncated), r#"{"signed":{"a":1}"#);
        assert!(std::str::from_utf8(&Damage::NotUtf8.spoil(good)).is_err());
        for damage in Damage::ALL {
            let changed = damage.spoil(good) != good;
            assert_ne!(changed, damage.is_of_the_transfer(), "{damage:?}");
            assert!(damage.spoil(good).len() < 16 << 10, "{damage:?} exceeds what a timestamp may have");
        }
    }
}
