//! The fixed parts of zip records, decoded from little-endian bytes.

use memchr::memmem;

use super::Stop;
use crate::limits::XpiLimits;
use crate::xpi::ReadAt;
use crate::xpi::read_at::bytes_at;
use crate::xpi::refusal::Refusal;
use crate::xpi::verdict::Fault;

/// A reader of little-endian numbers over outside bytes; every read may fail.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }
}

/// What the local header and the directory both have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Common {
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) compressed: u32,
    pub(super) uncompressed: u32,
}

impl Common {
    /// Section 4.3.7: flags, method, time, date, CRC, both sizes.
    fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        let (flags, method) = (cursor.u16()?, cursor.u16()?);
        cursor.take(4)?;
        Some(Self {
            flags,
            method,
            crc32: cursor.u32()?,
            compressed: cursor.u32()?,
            uncompressed: cursor.u32()?,
        })
    }
}

/// A record of the central directory (section 4.3.12) without its signature, extra fields and comment.
pub(super) struct Central<'a> {
    pub(super) made_on: u8,
    pub(super) common: Common,
    pub(super) disk: u16,
    pub(super) attributes: u32,
    pub(super) offset: u32,
    pub(super) name: &'a [u8],
}

impl<'a> Central<'a> {
    pub(super) const SIGNATURE: &'static [u8] = b"PK\x01\x02";

    pub(super) fn read(cursor: &mut Cursor<'a>) -> Option<Self> {
        if cursor.take(4)? != Self::SIGNATURE {
            return None;
        }
        let made_by = cursor.take(2)?;
        cursor.take(2)?;
        let common = Common::read(cursor)?;
        let (name, extra, comment) =
            (usize::from(cursor.u16()?), usize::from(cursor.u16()?), usize::from(cursor.u16()?));
        let disk = cursor.u16()?;
        cursor.take(2)?;
        let record = Self {
            made_on: made_by.get(1).copied()?,
            common,
            disk,
            attributes: cursor.u32()?,
            offset: cursor.u32()?,
            name: cursor.take(name)?,
        };
        cursor.take(extra + comment)?;
        Some(record)
    }
}

/// Bytes of the fixed part of a local header.
pub(super) const LOCAL_LEN: usize = 30;

/// What matters of the fixed part of a local header (section 4.3.7).
pub(super) struct Local {
    pub(super) name_len: u16,
    pub(super) extra_len: u16,
}

impl Local {
    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.take(4)? != b"PK\x03\x04" {
            return None;
        }
        cursor.take(2)?;
        Common::read(cursor)?;
        Some(Self { name_len: cursor.u16()?, extra_len: cursor.u16()? })
    }
}

/// The end of the central directory (section 4.3.16): the last one in the archive, whatever follows it.
pub(super) struct End {
    /// Where it stands.
    pub(super) position: u64,
    /// Records, as stated.
    pub(super) entries: u16,
    pub(super) directory_offset: u32,
}

impl End {
    const LEN: u64 = 22;
    pub(super) const SIGNATURE: &'static [u8] = b"PK\x05\x06";
    /// Of the record that stands before it in a zip64 archive (section 4.3.14).
    pub(super) const SIGNATURE64: &'static [u8] = b"PK\x06\x06";

    pub(super) fn find(archive: &dyn ReadAt, limits: &XpiLimits) -> Result<Self, Stop> {
        let len = archive.len();
        if len > limits.archive_bytes {
            let max = limits.archive_bytes;
            return Err(Fault::limit(format!(
                "the archive has {len} bytes, more than the {max} that are read"
            ))
            .into());
        }
        let position = position(archive)?.filter(|position| *position > 0).ok_or_else(|| {
            Fault::archive("the archive has no end of a zip directory: it is truncated, or no zip archive")
        })?;
        let mut bytes = [0; Self::LEN as usize];
        archive.read_exact_at(&mut bytes, position)?;
        let end = Self::read(&mut Cursor(&bytes), position);
        let (end, disks) =
            end.ok_or_else(|| Fault::archive("the end of the zip directory cannot be read"))?;
        if disks != [0, 0] {
            return Err(Fault::refused(Refusal::Volumes, "the archive is one of several volumes").into());
        }
        Ok(end)
    }

    fn read(cursor: &mut Cursor<'_>, position: u64) -> Option<(Self, [u16; 2])> {
        cursor.take(4)?;
        let disks = [cursor.u16()?, cursor.u16()?];
        cursor.take(2)?;
        let entries = cursor.u16()?;
        cursor.take(4)?;
        Some((Self { position, entries, directory_offset: cursor.u32()? }, disks))
    }
}

/// Where the last end record begins: at the end of nearly every archive.
fn position(archive: &dyn ReadAt) -> Result<Option<u64>, Stop> {
    const PIECE: u64 = 64 << 10;
    let mark = End::SIGNATURE.len();
    let Some(last) = archive.len().checked_sub(End::LEN) else { return Ok(None) };
    let mut buffer = Vec::new();
    if bytes_at(archive, last, mark, &mut buffer)? == End::SIGNATURE {
        return Ok(Some(last));
    }
    let finder = memmem::FinderRev::new(End::SIGNATURE);
    let mut end = last;
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        // A mark that begins before `end` may reach over it.
        let piece = bytes_at(archive, start, (end - start) as usize + mark - 1, &mut buffer)?;
        if let Some(found) = finder.rfind(piece) {
            return Ok(Some(start + found as u64));
        }
        end = start;
    }
    Ok(None)
}
