//! Archives of which every field can be set, right or wrong.

use libdeflater::{CompressionLvl, Compressor};

use crate::LabError;
use crate::xpi_signer::ZipEntry;
use crate::xpi_signer::zip::Method;

/// An archive before it is written.
#[derive(Clone, Debug, Default)]
pub struct RawZip {
    /// In the order of the file.
    pub entries: Vec<RawEntry>,
    /// Bytes before everything, which offsets count.
    pub prefix: Vec<u8>,
    /// Bytes before everything, which offsets do not count.
    pub uncounted_prefix: Vec<u8>,
    /// Bytes between the last entry and the directory.
    pub before_directory: Vec<u8>,
    /// Bytes between the directory and the end record.
    pub after_directory: Vec<u8>,
    /// The archive's comment.
    pub comment: Vec<u8>,
    /// Bytes after everything.
    pub trailing: Vec<u8>,
    /// The number of this volume, and of the one with the directory.
    pub disks: [u16; 2],
    /// What the end record counts, when not the entries.
    pub counts: Option<[u16; 2]>,
    /// What the end record says of the directory's length, when not that.
    pub directory_len: Option<u32>,
    /// Whether the directory's records are written in reverse order.
    pub reversed: bool,
    /// Whether directory and end record come before the entries as well, where Firefox looks first.
    pub front_directory: bool,
}

/// One entry, every field.
#[derive(Clone, Debug)]
pub struct RawEntry {
    /// Name in the directory.
    pub name: Vec<u8>,
    /// Name in the local header.
    pub local_name: Vec<u8>,
    /// Flags in the directory.
    pub flags: u16,
    /// Flags in the local header.
    pub local_flags: u16,
    /// Method in the directory.
    pub method: u16,
    /// Method in the local header.
    pub local_method: u16,
    /// The packed bytes.
    pub packed: Vec<u8>,
    /// CRC-32, packed and expanded size in the directory.
    pub numbers: [u32; 3],
    /// The same in the local header.
    pub local_numbers: [u32; 3],
    /// Extra fields in the directory.
    pub extra: Vec<u8>,
    /// Extra fields in the local header.
    pub local_extra: Vec<u8>,
    /// The entry's comment.
    pub comment: Vec<u8>,
    /// What follows the packed bytes.
    pub descriptor: Vec<u8>,
    /// Bytes of nobody before the local header.
    pub gap: Vec<u8>,
    /// The volume it is on.
    pub disk: u16,
    /// Where it was made: 3 is Unix.
    pub made_on: u8,
    /// External attributes: the file mode in the upper half, where made on Unix.
    pub attributes: u32,
    /// Where the directory says the local header is, counted from the local header.
    pub shift: i64,
    /// Whether the local header is not written, nor what follows it.
    pub absent: bool,
    /// The first bytes of the local header.
    pub signature: [u8; 4],
}

impl RawEntry {
    /// An entry as ordinary packers write it.
    ///
    /// # Errors
    /// It cannot be packed.
    pub fn of(entry: &ZipEntry) -> Result<Self, LabError> {
        let (method, packed) = match entry.method {
            Method::Stored => (0, entry.data.clone()),
            Method::Deflated => (8, deflated(&entry.data)?),
        };
        let numbers = [libdeflater::crc32(&entry.data), packed.len() as u32, entry.data.len() as u32];
        let folder = entry.name.ends_with(b"/");
        Ok(Self {
            name: entry.name.clone(),
            local_name: entry.name.clone(),
            flags: 0,
            local_flags: 0,
            method,
            local_method: method,
            packed,
            numbers,
            local_numbers: numbers,
            extra: Vec::new(),
            local_extra: Vec::new(),
            comment: Vec::new(),
            descriptor: Vec::new(),
            gap: Vec::new(),
            disk: 0,
            made_on: 3,
            attributes: if folder { 0o040_755 << 16 } else { 0o100_644 << 16 },
            shift: 0,
            absent: false,
            signature: *b"PK\x03\x04",
        })
    }

    /// Both names.
    pub fn rename(&mut self, name: &[u8]) {
        self.name = name.to_vec();
        self.local_name = name.to_vec();
    }

    /// Sizes and CRC after the content, with zeros in the local header.
    pub fn streamed(&mut self) {
        (self.flags, self.local_flags) = (self.flags | 8, self.local_flags | 8);
        self.local_numbers = [0; 3];
        self.descriptor = [b"PK\x07\x08".to_vec(), self.numbers.map(u32::to_le_bytes).concat()].concat();
    }

    /// The local header and what follows it.
    #[must_use]
    pub fn local(&self) -> Vec<u8> {
        let mut out = self.signature.to_vec();
        let head = [20, self.local_flags, self.local_method, TIME, DATE];
        out.extend(head.iter().flat_map(|value| value.to_le_bytes()));
        out.extend(self.local_numbers.iter().flat_map(|value| value.to_le_bytes()));
        out.extend((self.local_name.len() as u16).to_le_bytes());
        out.extend((self.local_extra.len() as u16).to_le_bytes());
        [&out, &self.local_name, &self.local_extra, &self.packed, &self.descriptor]
            .map(std::vec::Vec::as_slice)
            .concat()
    }

    fn record(&self, offset: u32) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend([20, self.made_on]);
        let head = [20, self.flags, self.method, TIME, DATE];
        out.extend(head.iter().flat_map(|value| value.to_le_bytes()));
        out.extend(self.numbers.iter().flat_map(|value| value.to_le_bytes()));
        let lengths = [&self.name, &self.extra, &self.comment].map(|part| part.len() as u16);
        out.extend(lengths.iter().chain(&[self.disk, 0]).flat_map(|value| value.to_le_bytes()));
        out.extend(self.attributes.to_le_bytes());
        out.extend(offset.to_le_bytes());
        [&out, &self.name, &self.extra, &self.comment].map(std::vec::Vec::as_slice).concat()
    }
}

const TIME: u16 = (14 << 11) | (19 << 5) | 20;
const DATE: u16 = ((2018 - 1980) << 9) | (11 << 5) | 4;

impl RawZip {
    /// An archive as ordinary packers write it.
    ///
    /// # Errors
    /// An entry cannot be packed.
    pub fn of(entries: &[ZipEntry]) -> Result<Self, LabError> {
        let entries = entries.iter().map(RawEntry::of).collect::<Result<_, _>>()?;
        Ok(Self { entries, ..Self::default() })
    }

    /// Writes it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut front = self.prefix.clone();
        if self.front_directory {
            // Its length does not depend on the offsets in it.
            let len = self.directory(&vec![0; self.entries.len()]).len() + END_LEN;
            front = vec![0; 4 + len];
        }
        let mut out = front.clone();
        let mut offsets = Vec::new();
        for entry in &self.entries {
            if !entry.absent {
                out.extend(&entry.gap);
            }
            offsets.push((out.len() as i64 + entry.shift) as u32);
            if !entry.absent {
                out.extend(entry.local());
            }
        }
        out.extend(&self.before_directory);
        let directory = self.directory(&offsets);
        if self.front_directory {
            let first = [vec![0; 4], directory.clone(), self.end(directory.len() as u32, 4)].concat();
            out.splice(..first.len(), first);
        }
        let start = out.len() as u32;
        out.extend(&directory);
        out.extend(&self.after_directory);
        out.extend(self.end(directory.len() as u32, start));
        out.extend(&self.comment);
        out.extend(&self.trailing);
        [self.uncounted_prefix.as_slice(), &out].concat()
    }

    fn directory(&self, offsets: &[u32]) -> Vec<u8> {
        let mut records: Vec<Vec<u8>> =
            self.entries.iter().zip(offsets).map(|(entry, offset)| entry.record(*offset)).collect();
        if self.reversed {
            records.reverse();
        }
        records.concat()
    }

    fn end(&self, len: u32, start: u32) -> Vec<u8> {
        let count = self.entries.len() as u16;
        let counts = self.counts.unwrap_or([count, count]);
        let mut out = b"PK\x05\x06".to_vec();
        out.extend(self.disks.iter().chain(&counts).flat_map(|value| value.to_le_bytes()));
        out.extend(self.directory_len.unwrap_or(len).to_le_bytes());
        out.extend(start.to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out
    }
}

const END_LEN: usize = 22;

/// A deflate stream.
///
/// # Errors
/// The compressor refuses.
pub fn deflated(data: &[u8]) -> Result<Vec<u8>, LabError> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut out = vec![0; compressor.deflate_compress_bound(data.len())];
    let len = compressor
        .deflate_compress(data, &mut out)
        .map_err(|error| LabError::Crypto(format!("deflate: {error}")))?;
    out.truncate(len);
    Ok(out)
}
