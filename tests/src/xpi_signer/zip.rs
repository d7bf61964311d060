//! A small zip writer that can also write archives no honest tool would.

use libdeflater::{CompressionLvl, Compressor};

use crate::LabError;

/// One file (or folder, when the name ends with a slash).
#[derive(Clone, Debug)]
pub struct ZipEntry {
    /// Name with forward slashes, any bytes.
    pub name: Vec<u8>,
    /// Content, uncompressed.
    pub data: Vec<u8>,
    /// How it is packed.
    pub method: Method,
}

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored,
    /// Deflated.
    Deflated,
}

/// Where sizes and CRC are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerStyle {
    /// In the local header: the older signing service.
    LocalHeader,
    /// In a data descriptor after the data, zeros in the local header: the newer one.
    DataDescriptor,
}

/// One thing wrong with an archive. Entries are counted from 0 in the order of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZipFault {
    /// The local header of this entry has another name than the directory.
    LocalNameDiffers(usize),
    /// The local header of this entry has another method than the directory.
    LocalMethodDiffers(usize),
    /// The directory says this entry's local header is where entry 0's is: two names share one content.
    Overlap(usize),
    /// Bytes that belong to no entry lie before this entry.
    Gap(usize),
    /// Bytes before the first local header, as a self-extracting archive has.
    Prefix,
    /// Bytes after the end record.
    Trailing,
    /// This entry's CRC is wrong.
    WrongCrc(usize),
    /// The directory says this entry inflates to fewer bytes than it does.
    UnderstatedSize(usize),
    /// The directory says this entry inflates to four gigabytes.
    OverstatedSize(usize),
    /// The encrypted flag of this entry is set.
    Encrypted(usize),
    /// This entry says it is packed with LZMA.
    UnknownMethod(usize),
    /// The deflate stream of this entry is cut to half, sizes adapted.
    HalfStream(usize),
    /// The end record counts one entry too few.
    EntryCount,
    /// The end record points beyond the end.
    DirectoryOffset,
    /// The last twelve bytes of the end record are missing.
    TruncatedEnd,
    /// Two end records, one inside the other's comment.
    TwoEndRecords,
}

/// Writes an archive.
///
/// # Errors
/// When an entry exceeds what a plain zip holds.
pub fn write(entries: &[ZipEntry], style: ContainerStyle, faults: &[ZipFault]) -> Result<Vec<u8>, LabError> {
    let has = |fault: ZipFault| faults.contains(&fault);
    let mut out = Vec::new();
    if has(ZipFault::Prefix) {
        out.extend_from_slice(b"#!/bin/sh\nexit 0\n");
    }
    let mut directory = Vec::new();
    let mut first_offset = None;
    let mut compressor = Compressor::new(CompressionLvl::default());
    for (index, entry) in entries.iter().enumerate() {
        if has(ZipFault::Gap(index)) {
            out.extend_from_slice(b"bytes that belong to no entry");
        }
        let mut packed = match entry.method {
            Method::Stored => entry.data.clone(),
            Method::Deflated => deflate(&mut compressor, &entry.data)?,
        };
        if has(ZipFault::HalfStream(index)) {
            packed.truncate(packed.len() / 2);
        }
        let mut header = Header::of(entry, &packed, style)?;
        header.local_offset = offset(out.len())?;
        let first = *first_offset.get_or_insert(header.local_offset);
        if has(ZipFault::WrongCrc(index)) {
            header.crc ^= 1;
        }
        if has(ZipFault::Encrypted(index)) {
            header.flags |= 1;
        }
        if has(ZipFault::UnknownMethod(index)) {
            header.method = 14;
        }
        if has(ZipFault::UnderstatedSize(index)) {
            header.size /= 2;
        }
        if has(ZipFault::OverstatedSize(index)) {
            header.size = u32::MAX - 1;
        }
        let mut local = header.clone();
        if has(ZipFault::LocalNameDiffers(index)) {
            local.name = b"another/name.js".to_vec();
        }
        if has(ZipFault::LocalMethodDiffers(index)) {
            local.method ^= 8;
        }
        local.write_local(&mut out, style);
        out.extend_from_slice(&packed);
        if style == ContainerStyle::DataDescriptor {
            out.extend_from_slice(b"PK\x07\x08");
            for value in [header.crc, header.packed, header.size] {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        if has(ZipFault::Overlap(index)) {
            header.local_offset = first;
        }
        header.write_directory(&mut directory);
    }
    let start = offset(out.len())?;
    out.extend_from_slice(&directory);
    let count = u16::try_from(entries.len()).map_err(|_| too_big("more than 65,535 entries"))?;
    let mut end = EndRecord { count, size: offset(directory.len())?, start };
    if has(ZipFault::EntryCount) {
        end.count = end.count.saturating_sub(1);
    }
    if has(ZipFault::DirectoryOffset) {
        end.start = end.start.saturating_add(1_000_000);
    }
    if has(ZipFault::TwoEndRecords) {
        let inner = end.bytes(0);
        out.extend_from_slice(&end.bytes(22));
        out.extend_from_slice(&inner);
    } else {
        out.extend_from_slice(&end.bytes(0));
    }
    if has(ZipFault::Trailing) {
        out.extend_from_slice(b"bytes after the end");
    }
    if has(ZipFault::TruncatedEnd) {
        out.truncate(out.len().saturating_sub(12));
    }
    Ok(out)
}

impl ZipEntry {
    /// A deflated file, or a stored folder when the name ends with a slash.
    pub fn new(name: impl Into<Vec<u8>>, data: impl Into<Vec<u8>>) -> Self {
        let name = name.into();
        let method = if name.ends_with(b"/") { Method::Stored } else { Method::Deflated };
        Self { name, data: data.into(), method }
    }
}

#[derive(Clone)]
struct Header {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    size: u32,
    local_offset: u32,
}

struct EndRecord {
    count: u16,
    size: u32,
    start: u32,
}

const VERSION: u16 = 20;
/// 2018-11-04 14:19:40, so that archives are the same every time.
const DOS_TIME: u16 = (14 << 11) | (19 << 5) | 20;
const DOS_DATE: u16 = ((2018 - 1980) << 9) | (11 << 5) | 4;

impl Header {
    fn of(entry: &ZipEntry, packed: &[u8], style: ContainerStyle) -> Result<Self, LabError> {
        Ok(Self {
            name: entry.name.clone(),
            flags: if style == ContainerStyle::DataDescriptor { 8 } else { 0 },
            method: if entry.method == Method::Deflated { 8 } else { 0 },
            crc: libdeflater::crc32(&entry.data),
            packed: offset(packed.len())?,
            size: offset(entry.data.len())?,
            local_offset: 0,
        })
    }

    fn write_common(&self, out: &mut Vec<u8>, numbers: [u32; 3]) {
        for value in [VERSION, self.flags, self.method, DOS_TIME, DOS_DATE] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        for value in numbers {
            out.extend_from_slice(&value.to_le_bytes());
        }
        // Names of more than 65,535 bytes are not made.
        out.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
    }

    fn write_local(&self, out: &mut Vec<u8>, style: ContainerStyle) {
        let numbers = match style {
            ContainerStyle::LocalHeader => [self.crc, self.packed, self.size],
            ContainerStyle::DataDescriptor => [0, 0, 0],
        };
        out.extend_from_slice(b"PK\x03\x04");
        self.write_common(out, numbers);
        out.extend_from_slice(&self.name);
    }

    fn write_directory(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PK\x01\x02");
        out.extend_from_slice(&VERSION.to_le_bytes());
        self.write_common(out, [self.crc, self.packed, self.size]);
        // Comment length, disk, internal attributes, external attributes.
        out.extend_from_slice(&[0; 10]);
        out.extend_from_slice(&self.local_offset.to_le_bytes());
        out.extend_from_slice(&self.name);
    }
}

impl EndRecord {
    fn bytes(&self, comment: u16) -> Vec<u8> {
        let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.start.to_le_bytes());
        out.extend_from_slice(&comment.to_le_bytes());
        out
    }
}

fn deflate(compressor: &mut Compressor, data: &[u8]) -> Result<Vec<u8>, LabError> {
    let mut out = vec![0; compressor.deflate_compress_bound(data.len())];
    let length = compressor
        .deflate_compress(data, &mut out)
        .map_err(|error| LabError::Crypto(format!("deflate: {error}")))?;
    out.truncate(length);
    Ok(out)
}

fn offset(value: usize) -> Result<u32, LabError> {
    u32::try_from(value).map_err(|_| too_big("more than four gigabytes"))
}

fn too_big(what: &str) -> LabError {
    LabError::Impossible(format!("an archive of {what}"))
}
