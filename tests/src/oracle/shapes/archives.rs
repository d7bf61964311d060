//! The zip container.

use mulberry_shared::xpi::Refusal;

use super::Shape;
use crate::oracle::raw_zip::{RawEntry, RawZip, deflated};
use crate::xpi_signer::ZipEntry;
use crate::xpi_signer::zip::Method;

/// The entry that changes are made to: an ordinary file.
const FILE: usize = 1;

fn archive(name: &str, edit: impl Fn(&mut RawZip) + Clone + 'static) -> Shape {
    Shape::new(format!("archive: {name}"), move |making| making.archive_edits.push(Box::new(edit.clone())))
}

fn entry(name: &str, edit: impl Fn(&mut RawEntry) + Clone + 'static) -> Shape {
    archive(name, move |zip| zip.entries.get_mut(FILE).into_iter().for_each(&edit))
}

fn every(name: &str, edit: impl Fn(&mut RawEntry) + Clone + 'static) -> Shape {
    archive(name, move |zip| zip.entries.iter_mut().for_each(&edit))
}

fn refused(refusal: Refusal, shape: Shape) -> Shape {
    let name = shape.name.clone();
    Shape::fallible(name, move |making| {
        making.refused.push(refusal);
        (shape.change)(making)
    })
}

/// A file that is packed as it is.
fn stored(name: &str) -> impl Fn(&mut RawEntry) + Clone + use<> {
    let _ = name;
    |entry: &mut RawEntry| {
        let data = b"console.log('laboratory');\n".to_vec();
        let made = RawEntry::of(&ZipEntry { name: entry.name.clone(), data, method: Method::Stored });
        if let Ok(made) = made {
            *entry = made;
        }
    }
}

fn with_stored(name: &str, edit: impl Fn(&mut RawEntry) + Clone + 'static) -> Shape {
    let to_stored = stored(name);
    entry(name, move |entry| {
        to_stored(entry);
        edit(entry);
    })
}

/// All of them.
#[must_use]
#[allow(clippy::too_many_lines)]
pub fn all() -> Vec<Shape> {
    let mut all = vec![
        every("data descriptors", RawEntry::streamed),
        every("data descriptors without signature", |entry| {
            entry.streamed();
            entry.descriptor.drain(..4);
        }),
        every("descriptors of zip64", |entry| {
            entry.streamed();
            let [crc, packed, size] = entry.numbers;
            entry.descriptor = [
                b"PK\x07\x08".to_vec(),
                crc.to_le_bytes().to_vec(),
                u64::from(packed).to_le_bytes().to_vec(),
                u64::from(size).to_le_bytes().to_vec(),
            ]
            .concat();
        }),
        every("descriptors that are missing", |entry| {
            entry.streamed();
            entry.descriptor.clear();
        }),
        every("descriptors that are wrong", |entry| {
            entry.streamed();
            entry.descriptor.fill(7);
        }),
        every("into a pipe, by Info-ZIP", |entry| {
            entry.streamed();
            entry.local_numbers = [0, u32::MAX, u32::MAX];
            entry.local_extra = [b"\x01\0\x10\0".to_vec(), vec![0; 16]].concat();
        }),
        every("local sizes zero without a descriptor", |entry| entry.local_numbers = [0; 3]),
        entry("local CRC wrong", |entry| entry.local_numbers[0] ^= 1),
        entry("local packed size wrong", |entry| entry.local_numbers[1] += 1),
        entry("local size wrong", |entry| entry.local_numbers[2] += 1),
        entry("local method differs", |entry| entry.local_method ^= 8),
        entry("local flags differ", |entry| entry.local_flags = 0x0806),
        entry("local encryption flag", |entry| entry.local_flags = 1),
        entry("local signature wrong", |entry| entry.signature = *b"PK\x03\x05"),
        entry("unknown flags", |entry| entry.flags = 0x9f96 & !0x2061),
        entry("UTF-8 flag", |entry| entry.flags = 0x0800),
        entry("local extra data of zipalign", |entry| entry.local_extra = vec![0; 3]),
        entry("local extra data, one byte", |entry| entry.local_extra = vec![1]),
        entry("extra data, malformed", |entry| entry.extra = vec![1, 2, 3]),
        entry("extra data, unknown field", |entry| entry.extra = b"\x99\x99\x04\0abcd".to_vec()),
        entry("extra data, time of Info-ZIP", |entry| entry.extra = b"UT\x05\0\x03\0\0\0\x5c".to_vec()),
        entry("extra data, zip64", |entry| entry.extra = [b"\x01\0\x10\0".to_vec(), vec![9; 16]].concat()),
        entry("extra data, other Unicode path", |entry| entry.extra = b"up\x06\0\x01\0\0\0\0b".to_vec()),
        entry("extra data, 60,000 bytes", |entry| entry.extra = vec![0; 60_000]),
        entry("entry comment", |entry| entry.comment = b"a comment".to_vec()),
        archive("comment", |zip| zip.comment = b"a comment".to_vec()),
        archive("comment of 65,535 bytes", |zip| zip.comment = vec![b'x'; 65_535]),
        archive("comment with an end record in it", |zip| {
            zip.comment = [b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), vec![1; 40]].concat();
        }),
        archive("two end records", |zip| {
            let mut again = zip.clone();
            again.comment.clear();
            let bytes = again.bytes();
            zip.comment = bytes.get(bytes.len().saturating_sub(22)..).unwrap_or_default().to_vec();
        }),
        archive("one byte after the end", |zip| zip.trailing = b"x".to_vec()),
        archive("21 bytes after the end", |zip| zip.trailing = vec![0; 21]),
        archive("an end mark in the last 21 bytes", |zip| {
            zip.trailing = [b"PK\x05\x06".to_vec(), vec![0; 17]].concat();
        }),
        archive("100 bytes after the end", |zip| zip.trailing = vec![b'x'; 100]),
        archive("70,000 bytes after the end", |zip| zip.trailing = vec![b'P'; 70_000]),
        archive("a prefix that offsets count", |zip| zip.prefix = b"#!/bin/sh\nexit 0\n".to_vec()),
        archive("a prefix that offsets do not count", |zip| {
            zip.uncounted_prefix = b"#!/bin/sh\nexit 0\n".to_vec();
        }),
        archive("a gap between entries", |zip| zip.entries[FILE].gap = vec![7; 30]),
        archive("a gap before the first entry", |zip| zip.entries[0].gap = vec![7; 30]),
        archive("a signing block before the directory", |zip| zip.before_directory = vec![7; 4096]),
        archive("bytes between directory and end", |zip| zip.after_directory = vec![7; 40]),
        archive("a directory signature after the directory", |zip| {
            zip.after_directory = b"PK\x05\x05\x02\0ab".to_vec();
        }),
        archive("zip64's records before the end", |zip| {
            zip.after_directory =
                [b"PK\x06\x06\x2c\0\0\0\0\0\0\0".to_vec(), vec![0; 44], b"PK\x06\x07".to_vec(), vec![0; 16]]
                    .concat();
        }),
        archive("records in reverse order", |zip| zip.reversed = true),
        archive("entries in reverse order", |zip| zip.entries.reverse()),
        archive("a count that is too small", |zip| zip.counts = Some([1, 1])),
        archive("a count that is too large", |zip| zip.counts = Some([99, 99])),
        archive("a count of zero", |zip| zip.counts = Some([0, 0])),
        archive("two counts that differ", |zip| zip.counts = Some([1, 6])),
        archive("a directory length that is wrong", |zip| zip.directory_len = Some(7)),
        archive("a directory length of zero", |zip| zip.directory_len = Some(0)),
        entry("CRC wrong, deflated", |entry| entry.numbers[0] ^= 1),
        with_stored("stored", |_| ()),
        with_stored("CRC wrong, stored", |entry| entry.numbers[0] ^= 1),
        with_stored("CRC zero, stored", |entry| entry.numbers[0] = 0),
        with_stored("stored, sizes differ", |entry| entry.numbers[2] += 1),
        entry("size understated", |entry| entry.numbers[2] -= 3),
        entry("size understated, CRC of what is left", |entry| {
            entry.numbers[2] -= 3;
            entry.numbers[0] = libdeflater::crc32(b"console.log('laboratory'");
        }),
        entry("size overstated", |entry| entry.numbers[2] += 1),
        entry("packed size understated", |entry| entry.numbers[1] -= 3),
        entry("bytes after the stream", |entry| {
            entry.packed.extend(b"more than the stream");
            entry.numbers[1] += 20;
        }),
        entry("stream damaged", |entry| entry.packed.fill(0xff)),
        entry("stream that goes on behind its size", |entry| {
            let data = b"console.log('laboratory');\nevil();".to_vec();
            if let Ok(packed) = deflated(&data) {
                entry.numbers[1] = packed.len() as u32;
                entry.packed = packed;
            }
        }),
        entry("method 12", |entry| entry.method = 12),
        entry("method 9", |entry| entry.method = 9),
        entry("method 1", |entry| entry.method = 1),
        entry("made elsewhere, with attributes of a link", |entry| {
            (entry.made_on, entry.attributes) = (0, 0o120_777 << 16);
        }),
        entry("attributes of a folder", |entry| entry.attributes = 0o040_755 << 16),
        entry("no attributes", |entry| entry.attributes = 0),
        archive("a file twice, equal", |zip| zip.entries.push(zip.entries[FILE].clone())),
        archive("a signature file twice, equal", |zip| zip.entries.extend(zip.entries.last().cloned())),
        archive("a manifest twice, equal", |zip| {
            zip.entries.push(zip.entries[zip.entries.len() - 3].clone());
        }),
        archive("a file added", |zip| zip.entries.extend(RawEntry::of(&ZipEntry::new("added.js", "evil()")))),
        archive("a file added in META-INF", |zip| {
            zip.entries.extend(RawEntry::of(&ZipEntry::new("META-INF/added", "x")));
        }),
        archive("a file removed", |zip| drop(zip.entries.remove(FILE))),
        archive("a file modified", |zip| {
            let made = RawEntry::of(&ZipEntry::new("background.js", "evil()"));
            zip.entries.splice(FILE..=FILE, made);
        }),
        archive("a folder", |zip| zip.entries.extend(RawEntry::of(&ZipEntry::new("folder/", "")))),
        archive("a folder twice", |zip| {
            let folder = RawEntry::of(&ZipEntry::new("folder/", ""));
            zip.entries.extend(folder.iter().cloned().chain(folder.iter().cloned()));
        }),
        archive("the folder META-INF", |zip| {
            zip.entries.extend(RawEntry::of(&ZipEntry::new("META-INF/", "")));
        }),
        archive("a folder, deflated", |zip| {
            let entry = ZipEntry { name: b"folder/".to_vec(), data: Vec::new(), method: Method::Deflated };
            zip.entries.extend(RawEntry::of(&entry));
        }),
        archive("a folder packed by an unknown method", |zip| {
            zip.entries.extend(
                RawEntry::of(&ZipEntry::new("folder/", "")).map(|entry| RawEntry { method: 99, ..entry }),
            );
        }),
        archive("a local header beyond the end", |zip| zip.entries[FILE].shift = 1 << 30),
    ];
    use Refusal::{Encrypted, FolderWithContent, FrontDirectory, Link, OtherLocalName, Overlap, Volumes};
    all.extend([
        refused(Encrypted, entry("encryption flag", |entry| entry.flags = 1)),
        refused(Encrypted, entry("flag of patch data", |entry| entry.flags = 1 << 5)),
        refused(Encrypted, entry("flag of strong encryption", |entry| entry.flags = 1 << 6)),
        refused(Encrypted, entry("flag of masked headers", |entry| entry.flags = 1 << 13)),
        refused(
            OtherLocalName,
            entry("local name differs", |entry| entry.local_name = b"evil/backdoor.js".to_vec()),
        ),
        refused(
            OtherLocalName,
            entry("local name of another case", |entry| entry.local_name = b"Background.js".to_vec()),
        ),
        refused(Volumes, archive("volume number", |zip| zip.disks = [1, 0])),
        refused(Volumes, archive("volume of the directory", |zip| zip.disks = [0, 1])),
        refused(Volumes, entry("an entry on another volume", |entry| entry.disk = 1)),
        refused(Link, entry("a link", |entry| entry.attributes = 0o120_777 << 16)),
        refused(Link, entry("a device", |entry| entry.attributes = 0o060_644 << 16)),
        refused(Link, entry("a pipe", |entry| entry.attributes = 0o010_644 << 16)),
        refused(
            Link,
            entry("a link made on macOS", |entry| (entry.made_on, entry.attributes) = (19, 0o120_777 << 16)),
        ),
        refused(
            FolderWithContent,
            archive("a folder with content, stored", |zip| {
                let entry =
                    ZipEntry { name: b"folder/".to_vec(), data: b"evil()".to_vec(), method: Method::Stored };
                zip.entries.extend(RawEntry::of(&entry));
            }),
        ),
        refused(
            FolderWithContent,
            archive("a folder with content, deflated", |zip| {
                let entry = ZipEntry {
                    name: b"folder/".to_vec(),
                    data: b"evil()".to_vec(),
                    method: Method::Deflated,
                };
                zip.entries.extend(RawEntry::of(&entry));
            }),
        ),
        refused(FrontDirectory, archive("a directory at the front", |zip| zip.front_directory = true)),
        refused(
            FrontDirectory,
            archive("a Chrome package", |zip| {
                zip.uncounted_prefix = b"Cr24\x02\0\0\0\x02\0\0\0\x02\0\0\0abcd".to_vec();
            }),
        ),
        refused(
            Overlap,
            archive("a folder's header is another folder's", |zip| {
                zip.entries.extend(RawEntry::of(&ZipEntry::new("folder/", "")));
                let len = 30 + b"folder/".len() as i64;
                zip.entries.extend(RawEntry::of(&ZipEntry::new("folder/", "")).map(|entry| RawEntry {
                    shift: -len,
                    absent: true,
                    ..entry
                }));
            }),
        ),
    ]);
    all.push(Shape::new("archive: an entry inside another", |making| {
        making.refused.push(Refusal::Overlap);
        let quoted = RawEntry::of(&ZipEntry {
            name: b"inner.js".to_vec(),
            data: b"inner()".to_vec(),
            method: Method::Stored,
        });
        let Ok(inner) = quoted else { return };
        let local = inner.local();
        let outer = [b"outer ".to_vec(), local.clone()].concat();
        making.addon.contents.push((b"outer.bin".to_vec(), outer.clone()));
        making.addon.contents.push((b"inner.js".to_vec(), b"inner()".to_vec()));
        making.archive_edits.push(Box::new(move |zip| {
            let Some(at) = zip.entries.iter().position(|entry| entry.name == b"outer.bin") else { return };
            let data = outer.clone();
            let made = RawEntry::of(&ZipEntry { name: b"outer.bin".to_vec(), data, method: Method::Stored });
            zip.entries.splice(at..=at, made);
            if let Some(entry) = zip.entries.get_mut(at + 1) {
                *entry = RawEntry { absent: true, shift: -(local.len() as i64), ..inner.clone() };
            }
        }));
    }));
    all.push(files("20 MB of zeros", &|| vec![("zeros.bin".to_owned(), vec![0; 20 << 20])]).dear());
    all.push(files("200 MB of zeros", &|| vec![("zeros.bin".to_owned(), vec![0; 200 << 20])]).dear());
    all.push(files("257 MB of zeros", &|| vec![("zeros.bin".to_owned(), vec![0; 257 << 20])]).dear());
    all.push(
        files("3,000 equal files", &|| (0..3000).map(|n| (format!("f/{n}.js"), b"same".to_vec())).collect())
            .dear(),
    );
    let many = files("66,000 empty files", &|| (0..66_000).map(|n| (format!("f/{n}"), Vec::new())).collect());
    all.push(refused(Refusal::Ceiling, many).dear());
    all
}

fn files(name: &str, make: &'static dyn Fn() -> Vec<(String, Vec<u8>)>) -> Shape {
    Shape::new(format!("archive: {name}"), move |making| {
        making.addon.contents.extend(make().into_iter().map(|(name, data)| (name.into_bytes(), data)));
    })
}
