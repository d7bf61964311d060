//! From pieces of bytes to logical lines: ends are LF, CR or CRLF, and a line that begins with a space goes on with the one before.

use memchr::{memchr, memchr2};

use super::fault::ManifestFault;
use crate::limits::XpiLimits;
use crate::xpi::verdict::Fault;

/// A logical line, its continuations joined: bytes, since it may be folded inside a character.
pub(super) struct Line<'l> {
    pub(super) text: &'l [u8],
    pub(super) folded: bool,
}

/// Cuts pieces into lines. What is held is one logical line, and only where it is folded or lies across pieces.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    limits: &'a XpiLimits,
    at: At,
    /// The logical line, as far as it is not in the present piece.
    held: Vec<u8>,
    folded: bool,
    /// Bytes of the physical line so far.
    physical: usize,
    read: usize,
    /// Of the physical line.
    number: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In a physical line, or at the begin of one.
    Text,
    /// After CR, which may belong to a CRLF.
    Cr,
    /// After a line's end: a space goes on with the line.
    End,
    /// Behind a NUL, where nothing counts.
    Nul,
}

type Take<'t> = &'t mut dyn FnMut(&Line<'_>) -> Result<(), ManifestFault>;

impl<'a> Lines<'a> {
    pub(super) fn new(limits: &'a XpiLimits) -> Self {
        let (at, held) = (At::Text, Vec::new());
        Self { limits, at, held, folded: false, physical: 0, read: 0, number: 1 }
    }

    /// Hands the lines that end in `piece` to `take`.
    pub(super) fn read(&mut self, piece: &[u8], take: Take<'_>) -> Result<(), ManifestFault> {
        self.read = self.read.saturating_add(piece.len());
        if self.read > self.limits.manifest_bytes {
            return Err(ManifestFault::TooLarge(self.limits.manifest_bytes));
        }
        if self.at == At::Nul {
            return Ok(());
        }
        let (text, nul) = match memchr(0, piece) {
            Some(end) => (piece.get(..end).unwrap_or_default(), true),
            None => (piece, false),
        };
        self.cut(text, take)?;
        if nul {
            self.end(take)?;
        }
        Ok(())
    }

    /// Ends the last line.
    pub(super) fn finish(&mut self, take: Take<'_>) -> Result<(), ManifestFault> {
        if self.at == At::Nul { Ok(()) } else { self.end(take) }
    }

    /// A fault of the manifest `name` at the present line.
    pub(super) fn fault(&self, name: &str, fault: &ManifestFault) -> Fault {
        Fault::new(fault.kind(), format!("{name} {fault} (line {})", self.number))
    }

    fn cut(&mut self, mut rest: &[u8], take: Take<'_>) -> Result<(), ManifestFault> {
        // The physical line that has ended but may go on, while it lies in this piece.
        let mut here: &[u8] = &[];
        while let Some(first) = rest.first() {
            match (self.at, first) {
                (At::Cr, b'\n') => {
                    self.at = At::End;
                    rest = rest.get(1..).unwrap_or_default();
                }
                (At::Cr | At::End, b' ') => {
                    self.hold(here)?;
                    here = &[];
                    (self.folded, self.physical) = (true, 0);
                    self.number += 1;
                    self.at = At::Text;
                    rest = rest.get(1..).unwrap_or_default();
                }
                (At::Cr | At::End, _) => {
                    self.emit(here, take)?;
                    here = &[];
                    self.at = At::Text;
                }
                (At::Text | At::Nul, _) => {
                    let Some(end) = memchr2(b'\r', b'\n', rest) else {
                        return self.part(rest);
                    };
                    let text = rest.get(..end).unwrap_or_default();
                    self.at = if rest.get(end) == Some(&b'\r') { At::Cr } else { At::End };
                    rest = rest.get(end + 1..).unwrap_or_default();
                    self.check_physical(text.len())?;
                    here = text;
                }
            }
        }
        self.hold(here)
    }

    /// A physical line that does not end in this piece.
    fn part(&mut self, text: &[u8]) -> Result<(), ManifestFault> {
        self.check_physical(text.len())?;
        self.hold(text)
    }

    fn check_physical(&mut self, more: usize) -> Result<(), ManifestFault> {
        self.physical = self.physical.saturating_add(more);
        let max = self.limits.line_bytes;
        if self.physical > max { Err(ManifestFault::LongLine(max)) } else { Ok(()) }
    }

    fn hold(&mut self, text: &[u8]) -> Result<(), ManifestFault> {
        if !text.is_empty() {
            self.held.extend_from_slice(text);
        }
        let max = self.limits.logical_line_bytes;
        if self.held.len() > max { Err(ManifestFault::LongFoldedLine(max)) } else { Ok(()) }
    }

    /// Hands on the logical line whose last part is `here`.
    fn emit(&mut self, here: &[u8], take: Take<'_>) -> Result<(), ManifestFault> {
        let folded = self.folded;
        if self.held.is_empty() {
            take(&Line { text: here, folded })?;
        } else {
            self.hold(here)?;
            take(&Line { text: &self.held, folded })?;
            self.held.clear();
        }
        self.number += 1;
        (self.folded, self.physical) = (false, 0);
        Ok(())
    }

    /// A line without an end is one too; behind the last line's end there is none.
    fn end(&mut self, take: Take<'_>) -> Result<(), ManifestFault> {
        let open = self.at != At::Text || self.physical > 0 || self.folded;
        self.at = At::Nul;
        if open { self.emit(&[], take) } else { Ok(()) }
    }
}
