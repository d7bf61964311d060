//! The fixed parts of zip records, decoded from little-endian bytes.

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

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the local header and the directory both say about an entry.
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

/// A record of the central directory (section 4.3.12) without its signature.
pub(super) struct Central<'a> {
    pub(super) made_on: u8,
    pub(super) common: Common,
    pub(super) disk: u16,
    pub(super) attributes: u32,
    pub(super) offset: u32,
    pub(super) name: &'a [u8],
    pub(super) extra: &'a [u8],
    pub(super) comment: &'a [u8],
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
        Some(Self {
            made_on: made_by.get(1).copied()?,
            common,
            disk,
            attributes: cursor.u32()?,
            offset: cursor.u32()?,
            name: cursor.take(name)?,
            extra: cursor.take(extra)?,
            comment: cursor.take(comment)?,
        })
    }
}

/// The fixed part of a local header (section 4.3.7).
pub(super) struct Local {
    pub(super) common: Common,
    pub(super) name_len: u16,
    pub(super) extra_len: u16,
}

impl Local {
    pub(super) const LEN: usize = 30;

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.take(4)? != b"PK\x03\x04" {
            return None;
        }
        cursor.take(2)?;
        Some(Self { common: Common::read(cursor)?, name_len: cursor.u16()?, extra_len: cursor.u16()? })
    }
}

/// The end of the central directory (section 4.3.16).
pub(super) struct End {
    pub(super) disks: [u16; 2],
    pub(super) entries: [u16; 2],
    pub(super) directory_len: u32,
    pub(super) directory_offset: u32,
    pub(super) comment_len: u16,
}

impl End {
    pub(super) const LEN: usize = 22;

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Option<Self> {
        if cursor.take(4)? != b"PK\x05\x06" {
            return None;
        }
        Some(Self {
            disks: [cursor.u16()?, cursor.u16()?],
            entries: [cursor.u16()?, cursor.u16()?],
            directory_len: cursor.u32()?,
            directory_offset: cursor.u32()?,
            comment_len: cursor.u16()?,
        })
    }
}

/// Whether extra data holds the zip64 field (section 4.5.3) or the Unicode path field (section 4.6.9), which gives the entry
/// another name for those readers that know it; or is not a list of fields at all.
pub(super) fn extra_is_suspect(extra: &[u8]) -> bool {
    const SUSPECT: [u16; 2] = [0x0001, 0x7075];
    let mut cursor = Cursor(extra);
    while !cursor.is_empty() {
        let field = cursor.u16().zip(cursor.u16()).and_then(|(id, len)| {
            cursor.take(usize::from(len))?;
            Some(id)
        });
        match field {
            None => return true,
            Some(id) if SUSPECT.contains(&id) => return true,
            Some(_) => {}
        }
    }
    false
}
