//! The central directory, as Firefox reads it, checked against the local headers.

use std::ops::Range;

use super::record::{Central, Cursor, End, LOCAL_LEN, Local};
use super::{Stop, name};
use crate::limits::XpiLimits;
use crate::quoted::quoted_name;
use crate::xpi::ReadAt;
use crate::xpi::read_at::bytes_at;
use crate::xpi::refusal::Refusal;
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
    header: u32,
    /// Where the stored content begins.
    pub data: u64,
}

/// The directory of an archive whose structure holds: files have each their own name, and each entry's local header names it too.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The names one after another.
    names: Vec<u8>,
    /// In the directory's order.
    entries: Vec<Entry>,
    /// Indices into `entries`, by name.
    sorted: Vec<usize>,
}

impl Directory {
    /// Reads and checks the structure of `archive`; no content is read.
    ///
    /// # Errors
    /// The medium fails, a ceiling is reached, or the structure is not what the module describes.
    pub fn read(archive: &dyn ReadAt, limits: &XpiLimits) -> Result<Self, Stop> {
        let end = End::find(archive, limits)?;
        check_front(archive)?;
        let (mut directory, place) = read_records(archive, &end, limits)?;
        directory.sort_by_name()?;
        directory.check_layout(archive, place)?;
        Ok(directory)
    }

    /// The entries, folders included, in the directory's order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The name of one of this directory's entries: any bytes.
    #[must_use]
    pub fn name(&self, entry: &Entry) -> &[u8] {
        self.names.get(entry.name.clone()).unwrap_or_default()
    }

    /// The entry with exactly this name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Entry> {
        self.entries.get(self.position(name)?)
    }

    /// The index among [`Self::entries`] of the entry with exactly this name.
    #[must_use]
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        let found = self.sorted.binary_search_by(|index| self.name_at(*index).cmp(name)).ok()?;
        self.sorted.get(found).copied()
    }

    /// The name of the entry at this index; empty where there is none.
    pub(in crate::xpi) fn name_at(&self, index: usize) -> &[u8] {
        self.entries.get(index).map(|entry| self.name(entry)).unwrap_or_default()
    }

    fn sort_by_name(&mut self) -> Result<(), Fault> {
        let mut named: Vec<(&[u8], usize)> =
            self.entries.iter().enumerate().map(|(index, entry)| (self.name(entry), index)).collect();
        named.sort_unstable();
        // Packers write some folders twice; they have no content to disagree about.
        let twice = named.array_windows().find(|[(a, _), (b, _)]| a == b && !a.ends_with(b"/"));
        if let Some([(name, _), _]) = twice {
            return Err(Fault::archive(format!("two entries have the name {}", quoted_name(name))));
        }
        self.sorted = named.into_iter().map(|(_, index)| index).collect();
        Ok(())
    }

    /// Local headers must name what the directory names, and no two entries, nor an entry and the directory, may share a byte.
    fn check_layout(&mut self, archive: &dyn ReadAt, place: Range<u64>) -> Result<(), Stop> {
        let mut by_offset: Vec<usize> = (0..self.entries.len()).collect();
        by_offset.sort_unstable_by_key(|index| self.entries.get(*index).map(|entry| entry.header));
        let mut buffer = Vec::new();
        let mut free_from = 0;
        for index in by_offset {
            let Some(entry) = self.entries.get(index) else { continue };
            let name = self.name(entry);
            let (header, data) = (u64::from(entry.header), check_local(archive, entry, name, &mut buffer)?);
            let end = data + u64::from(entry.compressed);
            if end > archive.len() {
                return Err(Fault::archive(format!(
                    "{}: the archive ends before its content",
                    quoted_name(name)
                ))
                .into());
            }
            if header < free_from || (header < place.end && end > place.start) {
                let what = format!(
                    "{}: its bytes belong to another entry or to the directory too",
                    quoted_name(name)
                );
                return Err(Fault::refused(Refusal::Overlap, what).into());
            }
            free_from = end;
            if let Some(entry) = self.entries.get_mut(index) {
                entry.data = data;
            }
        }
        Ok(())
    }
}

/// Firefox reads a directory at the front before the one at the end, and the inside of a Chrome package.
fn check_front(archive: &dyn ReadAt) -> Result<(), Stop> {
    let mut buffer = Vec::new();
    // There is an end record, so there are more bytes than these.
    let front = bytes_at(archive, 0, 8, &mut buffer)?;
    if front.starts_with(b"Cr24") || front.ends_with(Central::SIGNATURE) {
        let what = "the archive begins with another directory or with another format's header";
        return Err(Fault::refused(Refusal::FrontDirectory, what).into());
    }
    Ok(())
}

/// The entries, and where the records lie. As in Firefox they go on for as long as there are any, whatever the end record counts.
fn read_records(
    archive: &dyn ReadAt,
    end: &End,
    limits: &XpiLimits,
) -> Result<(Directory, Range<u64>), Stop> {
    const MARK: usize = 4;
    let start = u64::from(end.directory_offset);
    let span = end.position.checked_sub(start).filter(|_| start > 0).ok_or_else(|| {
        Fault::archive("the end of the zip directory says that it begins where no directory can be")
    })?;
    let len = usize::try_from(span).unwrap_or(usize::MAX).min(limits.directory_bytes) + MARK;
    let mut buffer = Vec::new();
    let raw = bytes_at(archive, start, len, &mut buffer)?;
    let mut cursor = Cursor(raw);
    // Each record has at least 46 bytes, so the directory's size bounds what a false count can reserve.
    let count = usize::from(end.entries).min(raw.len() / 46);
    let mut entries = Vec::with_capacity(count);
    let mut names = Vec::with_capacity(raw.len().saturating_sub(count.saturating_mul(46)));
    let mut total: u64 = 0;
    while cursor.0.starts_with(Central::SIGNATURE) {
        let number = entries.len() + 1;
        if number > limits.entries {
            return Err(Fault::limit(format!(
                "the archive has more than the {} entries that are read",
                limits.entries
            ))
            .into());
        }
        let Some(record) = Central::read(&mut cursor) else {
            return Err(cut_off(
                span,
                limits,
                &format!("record {number} of the zip directory cannot be read"),
            )
            .into());
        };
        total = total.saturating_add(record.common.uncompressed.into());
        let from = names.len();
        names.extend_from_slice(record.name);
        entries.push(check_record(&record, from..names.len(), limits)?);
    }
    if !(cursor.0.starts_with(End::SIGNATURE) || cursor.0.starts_with(End::SIGNATURE64)) {
        let what = "the zip directory is not where the archive's end says, or is damaged";
        return Err(cut_off(span, limits, what).into());
    }
    if total > limits.content_bytes {
        let max = limits.content_bytes;
        return Err(Fault::limit(format!(
            "the files have {total} bytes together, more than the {max} that are read"
        ))
        .into());
    }
    let used = (raw.len() - cursor.0.len()) as u64;
    Ok((Directory { sorted: Vec::new(), names, entries }, start..start + used))
}

/// What is wrong where records cannot be read further: they, or our ceiling.
fn cut_off(span: u64, limits: &XpiLimits, what: &str) -> Fault {
    if span > limits.directory_bytes as u64 {
        let max = limits.directory_bytes;
        return Fault::limit(format!(
            "the zip directory has {span} bytes, more than the {max} that are read"
        ));
    }
    Fault::archive(what)
}

/// Encryption, patch data, strong encryption, masked headers (section 4.4.4, bits 0, 5, 6 and 13).
const FLAGS_REFUSED: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;

fn check_record(record: &Central<'_>, name: Range<usize>, limits: &XpiLimits) -> Result<Entry, Fault> {
    let named = |what: &str| format!("{} {what}", quoted_name(record.name));
    let common = record.common;
    let is_folder = record.name.ends_with(b"/");
    if record.name.is_empty() || record.name.len() > limits.name_bytes {
        return Err(Fault::archive(named("is no name: it is empty or too long")));
    }
    if let Some(what) = name::leads_out(record.name) {
        return Err(Fault::refused(Refusal::LeadsOut, named(what)));
    }
    if common.flags & FLAGS_REFUSED != 0 {
        return Err(Fault::refused(Refusal::Encrypted, named("is marked as encrypted or as patch data")));
    }
    if record.disk != 0 {
        return Err(Fault::refused(Refusal::Volumes, named("is on another volume")));
    }
    if is_link(record) {
        return Err(Fault::refused(Refusal::Link, named("is not a regular file or folder")));
    }
    let method = match common.method {
        0 => Method::Stored,
        8 => Method::Deflated,
        // Nothing is read of a folder.
        _ if is_folder => Method::Stored,
        other => {
            return Err(Fault::archive(named(&format!(
                "uses compression method {other}; add-ons use 0 or 8"
            ))));
        }
    };
    if is_folder
        && (common.uncompressed != 0
            || common.crc32 != 0
            || method == Method::Stored && common.compressed != 0)
    {
        return Err(Fault::refused(Refusal::FolderWithContent, named("is a folder with content")));
    }
    if method == Method::Stored && common.compressed != common.uncompressed {
        return Err(Fault::archive(named("is stored, but its two sizes differ")));
    }
    if common.uncompressed > limits.file_bytes {
        let (size, max) = (common.uncompressed, limits.file_bytes);
        return Err(Fault::limit(named(&format!("has {size} bytes, more than the {max} that are read"))));
    }
    Ok(Entry {
        name,
        method,
        crc32: common.crc32,
        compressed: common.compressed,
        uncompressed: common.uncompressed,
        header: record.offset,
        data: 0,
    })
}

/// Whether the record, made on Unix (or macOS), has a file type other than "regular file", "folder" or "unknown".
fn is_link(record: &Central<'_>) -> bool {
    const UNIX: [u8; 2] = [3, 19];
    let file_type = (record.attributes >> 16) & 0o170_000;
    UNIX.contains(&record.made_on) && !matches!(file_type, 0 | 0o100_000 | 0o040_000)
}

/// Checks that the local header of `entry` names it; answers where its content begins. Sizes, method and CRC-32 are the directory's to
/// say: packers that write to a pipe do not know them yet.
fn check_local(archive: &dyn ReadAt, entry: &Entry, name: &[u8], buffer: &mut Vec<u8>) -> Result<u64, Stop> {
    let other = || {
        let what =
            format!("{}: there is no local header of that name where the directory says", quoted_name(name));
        Stop::Fault(Fault::refused(Refusal::OtherLocalName, what))
    };
    let header = u64::from(entry.header);
    let len = LOCAL_LEN + name.len();
    let after = header + len as u64;
    if after > archive.len() {
        return Err(other());
    }
    let mut cursor = Cursor(bytes_at(archive, header, len, buffer)?);
    let local = Local::read(&mut cursor).ok_or_else(other)?;
    if usize::from(local.name_len) != name.len() || cursor.0 != name {
        return Err(other());
    }
    Ok(after + u64::from(local.extra_len))
}
