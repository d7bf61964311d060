//! Archives made by hand, right or wrong in one way, for the tests of this module.

use libdeflater::{CompressionLvl, Compressor, crc32};

/// One entry; the local header says the same as the directory unless a test changes it.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) data: Vec<u8>,
    pub(crate) crc32: u32,
    pub(crate) uncompressed: u32,
    pub(crate) local_uncompressed: u32,
    pub(crate) made_on: u8,
    pub(crate) attributes: u32,
    pub(crate) extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) descriptor: Vec<u8>,
    pub(crate) padding_before: usize,
}

pub(crate) fn stored(name: &str, content: &[u8]) -> Made {
    Made {
        name: name.into(),
        local_name: name.into(),
        flags: 0,
        method: 0,
        data: content.to_vec(),
        crc32: crc32(content),
        uncompressed: content.len() as u32,
        local_uncompressed: content.len() as u32,
        made_on: 3,
        attributes: 0o100_644 << 16,
        extra: Vec::new(),
        comment: Vec::new(),
        descriptor: Vec::new(),
        padding_before: 0,
    }
}

pub(crate) fn deflated(name: &str, content: &[u8]) -> Made {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut data = vec![0; compressor.deflate_compress_bound(content.len())];
    let len = compressor.deflate_compress(content, &mut data).unwrap();
    data.truncate(len);
    Made { method: 8, data, ..stored(name, content) }
}

/// The archive as [`parts`] has it, in one piece.
pub(crate) fn zip(entries: &[Made]) -> Vec<u8> {
    let (files, directory, end) = parts(entries);
    [files, directory, end].concat()
}

/// Entries, directory, end.
pub(crate) fn parts(entries: &[Made]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (mut files, mut directory) = (Vec::new(), Vec::new());
    for made in entries {
        files.extend(vec![0; made.padding_before]);
        let offset = files.len() as u32;
        let sizes = |uncompressed: u32| {
            [made.crc32.to_le_bytes(), (made.data.len() as u32).to_le_bytes(), uncompressed.to_le_bytes()]
                .concat()
        };
        let head = |uncompressed: u32| {
            [
                20u16.to_le_bytes().as_slice(),
                &made.flags.to_le_bytes(),
                &made.method.to_le_bytes(),
                &[0; 4],
                &sizes(uncompressed),
            ]
            .concat()
        };
        let len = |bytes: &[u8]| (bytes.len() as u16).to_le_bytes();
        files.extend(b"PK\x03\x04");
        files.extend(head(made.local_uncompressed));
        files.extend(len(&made.local_name));
        files.extend([0, 0]);
        files.extend(&made.local_name);
        files.extend(&made.data);
        files.extend(&made.descriptor);
        directory.extend(b"PK\x01\x02");
        directory.extend([20, made.made_on]);
        directory.extend(head(made.uncompressed));
        directory.extend([len(&made.name), len(&made.extra), len(&made.comment)].concat());
        directory.extend([0; 4]);
        directory.extend(made.attributes.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend([made.name.as_slice(), &made.extra, &made.comment].concat());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        &count,
        &count,
        &(directory.len() as u32).to_le_bytes(),
        &(files.len() as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    (files, directory, end)
}
