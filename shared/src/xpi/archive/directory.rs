//! The central directory, checked against the local headers and the layout of the archive.

use std::ops::Range;

use super::record::{Central, Common, Cursor, End, Local, extra_is_suspect};
use super::{Stop, name};
use crate::limits::XpiLimits;
use crate::xpi::ReadAt;
use crate::xpi::read_at::bytes_at;
use crate::xpi::verdict::Fault;

/// How an entry's content is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// As it is.
    Stored,
    /// As a deflate stream (RFC 1951).
    Deflated,
}

/// One entry of an archive whose structure holds.
#[derive(Clone, Debug)]
pub struct Entry {
    name: Range<usize>,
    /// How the content is stored.
    pub method: Method,
    /// CRC-32 of the content, as stated.
    pub crc32: u32,
    /// Stored size in bytes.
    pub compressed: u32,
    /// Content size in bytes, as stated.
    pub uncompressed: u32,
    flags: u16,
    header: u32,
    /// Where the stored content begins.
    pub data: u64,
}

/// The directory of an archive whose structure holds: names are plain, unique, and each entry's local header agrees.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The names one after another.
    names: String,
    /// In the directory's order.
    entries: Vec<Entry>,
    /// Indices into `entries`, by name.
    sorted: Vec<usize>,
}

impl Directory {
    /// Reads and checks the structure of `archive`; no content is read.
    ///
    /// # Errors
    /// The medium fails, a ceiling is reached, or the structure is not the strict subset that the module describes.
    pub fn read(archive: &dyn ReadAt, limits: &XpiLimits) -> Result<Self, Stop> {
        let end = read_end(archive, limits)?;
        let mut buffer = Vec::new();
        let raw = bytes_at(archive, end.directory_offset.into(), end.directory_len as usize, &mut buffer)?;
        let (entries, names) = read_entries(raw, end.entries[0].into(), limits)?;
        let mut directory = Self { sorted: Vec::new(), names, entries };
        directory.sort_by_name()?;
        directory.check_layout(archive, end.directory_offset.into())?;
        Ok(directory)
    }

    /// The entries, folders included, in the directory's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The name of one of this directory's entries.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> &str {
        self.names.get(entry.name.clone()).unwrap_or_default()
    }

    /// The entry with exactly this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let position = self
            .sorted
            .binary_search_by(|index| self.entries.get(*index).map(|entry| self.name(entry)).cmp(&Some(name)))
            .ok()?;
        self.entries.get(*self.sorted.get(position)?)
    }

    fn sort_by_name(&mut self) -> Result<(), Fault> {
        let mut named: Vec<(&str, usize)> =
            self.entries.iter().enumerate().map(|(index, entry)| (self.name(entry), index)).collect();
        named.sort_unstable();
        if let Some([(name, _), _]) = named.array_windows().find(|[(a, _), (b, _)]| a == b) {
            return Err(Fault::archive(format!("two entries have the name {name:?}")));
        }
        self.sorted = named.into_iter().map(|(_, index)| index).collect();
        Ok(())
    }

    /// The entries must tile the archive from its first byte to the directory, and local headers must agree.
    fn check_layout(&mut self, archive: &dyn ReadAt, directory_offset: u64) -> Result<(), Stop> {
        let mut by_offset: Vec<usize> = (0..self.entries.len()).collect();
        by_offset.sort_unstable_by_key(|index| self.entries.get(*index).map(|entry| entry.header));
        let ends: Vec<u64> = by_offset
            .iter()
            .skip(1)
            .map(|index| self.entries.get(*index).map_or(directory_offset, |entry| entry.header.into()))
            .chain([directory_offset])
            .collect();
        let first = by_offset.first().and_then(|index| self.entries.get(*index));
        let start = first.map_or(directory_offset, |entry| entry.header.into());
        if start != 0 {
            return Err(Fault::archive(format!("{start} bytes before the first entry")).into());
        }
        let mut buffer = Vec::new();
        for (index, end) in by_offset.into_iter().zip(ends) {
            let Some(entry) = self.entries.get(index) else { continue };
            let data = check_local(archive, entry, self.name(entry), end, &mut buffer)?;
            if let Some(entry) = self.entries.get_mut(index) {
                entry.data = data;
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Whether a data descriptor follows the content (section 4.4.4, bit 3).
    fn has_descriptor(&self) -> bool {
        self.flags & FLAG_DESCRIPTOR != 0
    }

    fn common(&self) -> Common {
        Common {
            flags: self.flags,
            method: match self.method {
                Method::Stored => 0,
                Method::Deflated => 8,
            },
            crc32: self.crc32,
            compressed: self.compressed,
            uncompressed: self.uncompressed,
        }
    }
}

const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Encryption, patch data, strong encryption, masked headers (section 4.4.4, bits 0, 5, 6 and 13).
const FLAGS_REFUSED: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
/// Hints of the compressor (bits 1 and 2): writers do not keep the two headers equal here, and readers do not look.
const FLAGS_HINTS: u16 = 0b110;

fn read_end(archive: &dyn ReadAt, limits: &XpiLimits) -> Result<End, Stop> {
    let len = archive.len();
    if len > limits.archive_bytes {
        return Err(Fault::limit(format!(
            "the archive has {len} bytes, more than the {} that are read",
            limits.archive_bytes
        ))
        .into());
    }
    let Some(end_offset) = len.checked_sub(End::LEN as u64) else {
        return Err(Fault::archive(format!("{len} bytes are no zip archive")).into());
    };
    let mut bytes = [0; End::LEN];
    archive.read_exact_at(&mut bytes, end_offset)?;
    let Some(end) = End::read(&mut Cursor(&bytes)).filter(|end| end.comment_len == 0) else {
        return Err(Fault::archive(
            "the archive does not end with the end of a zip directory: it is truncated, no zip archive, or carries a \
             comment or other bytes at its end",
        )
        .into());
    };
    let zip64 = end.entries.contains(&u16::MAX)
        || end.directory_len == u32::MAX
        || end.directory_offset == u32::MAX
        || end.disks.contains(&u16::MAX);
    if zip64 {
        return Err(Fault::archive("zip64 is not accepted in add-ons").into());
    }
    if end.disks != [0, 0] || end.entries[0] != end.entries[1] {
        return Err(Fault::archive("the archive is one of several volumes").into());
    }
    if u64::from(end.directory_offset) + u64::from(end.directory_len) != end_offset {
        return Err(Fault::archive(
            "the zip directory does not end where the archive's end says: bytes before, after or missing",
        )
        .into());
    }
    if usize::from(end.entries[0]) > limits.entries {
        return Err(Fault::limit(format!(
            "the archive has {} entries, more than the {} that are read",
            end.entries[0], limits.entries
        ))
        .into());
    }
    if u64::from(end.directory_len) > limits.directory_bytes as u64 {
        return Err(Fault::limit(format!(
            "the zip directory has {} bytes, more than the {} that are read",
            end.directory_len, limits.directory_bytes
        ))
        .into());
    }
    Ok(end)
}

/// The entries, and their names one after another.
fn read_entries(raw: &[u8], count: usize, limits: &XpiLimits) -> Result<(Vec<Entry>, String), Fault> {
    let mut cursor = Cursor(raw);
    // Each record has at least 46 bytes, so the directory's size bounds what a false count can reserve.
    let mut entries = Vec::with_capacity(count.min(raw.len() / 46));
    let mut names = String::with_capacity(raw.len().saturating_sub(count.saturating_mul(46)));
    let mut total: u64 = 0;
    for number in 1..=count {
        let record = Central::read(&mut cursor)
            .ok_or_else(|| Fault::archive(format!("record {number} of the zip directory cannot be read")))?;
        total = total.saturating_add(record.common.uncompressed.into());
        let name = name::plain(record.name, limits.name_bytes)
            .map_err(|what| Fault::archive(format!("the entry name {:?} {what}", shown(record.name))))?;
        let start = names.len();
        names.push_str(name);
        entries.push(check_record(&record, start..names.len(), limits)?);
    }
    if !cursor.is_empty() {
        return Err(Fault::archive(format!("the zip directory holds more than the {count} records it says")));
    }
    if total > limits.content_bytes {
        return Err(Fault::limit(format!(
            "the files have {total} bytes together, more than the {} that are read",
            limits.content_bytes
        )));
    }
    Ok((entries, names))
}

/// A name as sentences have it.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(200).collect()
}

fn check_record(record: &Central<'_>, name: Range<usize>, limits: &XpiLimits) -> Result<Entry, Fault> {
    let refuse = |what: &str| Err(Fault::archive(format!("{:?} {what}", shown(record.name))));
    let Common { flags, method, compressed, uncompressed, crc32 } = record.common;
    if flags & FLAGS_REFUSED != 0 {
        return refuse("is encrypted or patch data");
    }
    if compressed == u32::MAX || uncompressed == u32::MAX || record.offset == u32::MAX {
        return refuse("uses zip64, which is not accepted in add-ons");
    }
    if extra_is_suspect(record.extra) {
        return refuse("has extra data that is malformed, of zip64, or another name");
    }
    if record.disk != 0 {
        return refuse("is on another volume");
    }
    if !record.comment.is_empty() {
        return refuse("carries a comment");
    }
    if is_link(record) {
        return refuse("is not a regular file or folder");
    }
    let method = match method {
        0 if compressed == uncompressed => Method::Stored,
        0 => return refuse("is stored, but its two sizes differ"),
        8 => Method::Deflated,
        other => return refuse(&format!("uses compression method {other}; add-ons use 0 or 8")),
    };
    if record.name.ends_with(b"/") && (uncompressed != 0 || crc32 != 0) {
        return refuse("is a folder with content");
    }
    // A deflate stream cannot expand more than 1032 times (RFC 1951): more is a lie that costs work to find out.
    let ceiling = u64::from(compressed).saturating_mul(limits.ratio);
    if u64::from(uncompressed) > ceiling && uncompressed > limits.ratio_free_bytes {
        return Err(Fault::limit(format!(
            "{:?} would expand from {compressed} to {uncompressed} bytes, more than {} times",
            shown(record.name),
            limits.ratio
        )));
    }
    Ok(Entry { name, method, crc32, compressed, uncompressed, flags, header: record.offset, data: 0 })
}

/// Whether the record, made on Unix (or macOS), has a file type other than "regular file", "folder" or "unknown".
fn is_link(record: &Central<'_>) -> bool {
    const UNIX: [u8; 2] = [3, 19];
    let file_type = (record.attributes >> 16) & 0o170_000;
    UNIX.contains(&record.made_on) && !matches!(file_type, 0 | 0o100_000 | 0o040_000)
}

/// Checks the local header and the data descriptor of `entry`, whose bytes must end exactly at `end`; answers where its
/// content begins.
fn check_local(
    archive: &dyn ReadAt,
    entry: &Entry,
    name: &str,
    end: u64,
    buffer: &mut Vec<u8>,
) -> Result<u64, Stop> {
    let refuse = |what: &str| Err(Stop::Fault(Fault::archive(format!("{name:?}: {what}"))));
    let header = u64::from(entry.header);
    let len = Local::LEN + name.len();
    if header + len as u64 > end {
        return refuse("its local header overlaps what follows");
    }
    let mut cursor = Cursor(bytes_at(archive, header, len, buffer)?);
    let Some(local) = Local::read(&mut cursor) else {
        return refuse("there is no local header where the directory says");
    };
    if usize::from(local.name_len) != name.len() || cursor.0 != name.as_bytes() {
        return refuse("its local header has another name");
    }
    if !agrees(&local.common, entry) {
        return refuse("its local header and the directory disagree");
    }
    let data = header + len as u64 + u64::from(local.extra_len);
    let data_end = data + u64::from(entry.compressed);
    if data_end > end {
        return refuse("its content overlaps what follows");
    }
    let extra = bytes_at(archive, header + len as u64, local.extra_len.into(), buffer)?;
    if extra_is_suspect(extra) {
        return refuse("its local header has extra data that is malformed, of zip64, or another name");
    }
    let rest = end - data_end;
    match (entry.has_descriptor(), rest) {
        (false, 0) => Ok(data),
        (true, 12 | 16) => {
            let descriptor = bytes_at(archive, data_end, rest as usize, buffer)?;
            if descriptor_agrees(descriptor, entry) {
                Ok(data)
            } else {
                refuse("its data descriptor and the directory disagree")
            }
        }
        _ => refuse(&format!("{rest} unexplained bytes follow its content")),
    }
}

fn agrees(local: &Common, entry: &Entry) -> bool {
    let central = entry.common();
    if (local.flags | FLAGS_HINTS, local.method) != (central.flags | FLAGS_HINTS, central.method) {
        return false;
    }
    let sizes = |common: &Common| (common.crc32, common.compressed, common.uncompressed);
    sizes(local) == sizes(&central) || (entry.has_descriptor() && sizes(local) == (0, 0, 0))
}

/// Section 4.3.9: CRC and both sizes, after an optional signature.
fn descriptor_agrees(descriptor: &[u8], entry: &Entry) -> bool {
    let fields = match descriptor.len() {
        16 => descriptor.strip_prefix(b"PK\x07\x08"),
        _ => Some(descriptor),
    };
    let read = |bytes| {
        let mut cursor = Cursor(bytes);
        Some((cursor.u32()?, cursor.u32()?, cursor.u32()?))
    };
    fields.and_then(read) == Some((entry.crc32, entry.compressed, entry.uncompressed))
}
