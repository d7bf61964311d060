//! The content of entries, through buffers of fixed size.

use std::io;

use libdeflater::{Crc, DecompressionError, Decompressor};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use super::{Directory, Entry, Method, Stop};
use crate::quoted::quoted_name;
use crate::xpi::ReadAt;
use crate::xpi::read_at::bytes_at;
use crate::xpi::verdict::Fault;

/// Entries up to this size, stored and expanded, are inflated whole: twice as fast. Larger ones stream.
const WHOLE: usize = 256 << 10;
/// The streaming buffers.
const CHUNK: usize = 32 << 10;

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Read {
    /// All of it, and the CRC-32 is the stated one where it counts.
    Whole,
    /// All of it, but the CRC-32 is not the stated one.
    WrongCrc,
}

/// Reads entries of one archive, whatever their size, in at most about 600 KiB of buffers.
pub struct ContentReader<'a> {
    archive: &'a dyn ReadAt,
    directory: &'a Directory,
    inflater: Decompressor,
    stream: Option<Box<InflateState>>,
    input: Vec<u8>,
    output: Output,
}

/// Room for what is inflated: made once, as large as the largest piece will be, rather than grown and copied.
struct Output {
    most: usize,
    bytes: Vec<u8>,
}

impl Output {
    /// For all pieces of `directory`.
    fn new(directory: &Directory) -> Self {
        let sizes = directory.entries().iter().map(|entry| entry.uncompressed as usize);
        let most = sizes.filter(|size| *size <= WHOLE).max().unwrap_or(0);
        Self { most: most.max(CHUNK), bytes: Vec::new() }
    }

    fn room(&mut self, size: usize) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = vec![0; self.most];
        }
        self.bytes.get_mut(..size).unwrap_or_default()
    }
}

impl<'a> ContentReader<'a> {
    /// A reader of the entries of `directory`, which is that of `archive`.
    #[must_use]
    pub fn new(archive: &'a dyn ReadAt, directory: &'a Directory) -> Self {
        let (input, output) = (Vec::new(), Output::new(directory));
        Self { archive, directory, inflater: Decompressor::new(), stream: None, input, output }
    }

    /// Hands the content of `entry` to `sink`, piece by piece. As in Firefox, the content is as long as the directory says, whatever the
    /// stream would still give; and the CRC-32 counts only where something was inflated.
    ///
    /// # Errors
    /// The medium fails, or the stored bytes expand to less than the stated size.
    pub fn read(&mut self, entry: &Entry, sink: &mut dyn FnMut(&[u8])) -> Result<Read, Stop> {
        if entry.uncompressed == 0 {
            return Ok(Read::Whole);
        }
        if entry.method == Method::Stored {
            self.stored(entry, sink)?;
            return Ok(Read::Whole);
        }
        let mut crc = Crc::new();
        let mut sink = |piece: &[u8]| {
            crc.update(piece);
            sink(piece);
        };
        let small = entry.compressed.max(entry.uncompressed) as usize <= WHOLE;
        if !small || !self.inflated_whole(entry, &mut sink)? {
            self.inflated_streaming(entry, &mut sink)?;
        }
        Ok(if crc.sum() == entry.crc32 { Read::Whole } else { Read::WrongCrc })
    }

    /// The whole content of `entry`.
    ///
    /// # Errors
    /// As [`Self::read`]; also if it is larger than `max` or its CRC-32 is wrong.
    pub fn read_to_vec(&mut self, entry: &Entry, max: usize) -> Result<Vec<u8>, Stop> {
        if entry.uncompressed as usize > max {
            let (name, size) = (quoted_name(self.directory.name(entry)), entry.uncompressed);
            return Err(
                Fault::limit(format!("{name} has {size} bytes, more than the {max} that are read")).into()
            );
        }
        let mut bytes = Vec::with_capacity(entry.uncompressed as usize);
        match self.read(entry, &mut |piece| bytes.extend_from_slice(piece))? {
            Read::Whole => Ok(bytes),
            Read::WrongCrc => Err(self.wrong_crc(entry)),
        }
    }

    fn stored(&mut self, entry: &Entry, sink: &mut dyn FnMut(&[u8])) -> Result<(), Stop> {
        let mut done = 0;
        while done < u64::from(entry.compressed) {
            let piece = piece(self.archive, entry, done, &mut self.input)?;
            done += piece.len() as u64;
            sink(piece);
        }
        Ok(())
    }

    /// Whether the whole stream gave what it says; where it did not, nothing was handed on.
    fn inflated_whole(&mut self, entry: &Entry, sink: &mut dyn FnMut(&[u8])) -> Result<bool, Stop> {
        let input = bytes_at(self.archive, entry.data, entry.compressed as usize, &mut self.input)?;
        let output = self.output.room(entry.uncompressed as usize);
        match self.inflater.deflate_decompress(input, output) {
            Ok(len) if len == output.len() => {
                sink(output);
                Ok(true)
            }
            Ok(_) => Err(self.wrong_size(entry)),
            // The stream gives more than it says, or is damaged behind that.
            Err(DecompressionError::InsufficientSpace | DecompressionError::BadData) => Ok(false),
        }
    }

    fn inflated_streaming(&mut self, entry: &Entry, sink: &mut dyn FnMut(&[u8])) -> Result<(), Stop> {
        let mut state = self.stream.take().unwrap_or_default();
        state.reset(DataFormat::Raw);
        let result = self.run_stream(&mut state, entry, sink);
        self.stream = Some(state);
        result
    }

    fn run_stream(
        &mut self,
        state: &mut InflateState,
        entry: &Entry,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Stop> {
        let (mut read, mut missing): (u64, usize) = (0, entry.uncompressed as usize);
        loop {
            let piece = piece(self.archive, entry, read, &mut self.input)?;
            read += piece.len() as u64;
            let mut consumed = 0;
            loop {
                let input = piece.get(consumed..).unwrap_or_default();
                let output = self.output.room(CHUNK.min(missing));
                let step = inflate(state, input, output, MZFlush::None);
                consumed += step.bytes_consumed;
                missing = missing.saturating_sub(step.bytes_written);
                sink(output.get(..step.bytes_written).unwrap_or_default());
                if missing == 0 {
                    return Ok(());
                }
                match step.status {
                    Ok(MZStatus::StreamEnd) => return Err(self.wrong_size(entry)),
                    // Nothing moved: this input is used up. Without any more of it the stream is cut off.
                    Ok(_) | Err(MZError::Buf) if step.bytes_consumed == 0 && step.bytes_written == 0 => break,
                    // "Buf" also comes with the last bytes that an input gave.
                    Ok(_) | Err(MZError::Buf) => {}
                    Err(_) => return Err(self.bad_data(entry)),
                }
            }
            if piece.is_empty() || consumed < piece.len() {
                return Err(self.bad_data(entry));
            }
        }
    }

    /// That of an entry whose content does not have the CRC-32 it says.
    pub(in crate::xpi) fn wrong_crc(&self, entry: &Entry) -> Stop {
        Fault::archive(format!("{}: its CRC-32 is wrong", quoted_name(self.directory.name(entry)))).into()
    }

    fn wrong_size(&self, entry: &Entry) -> Stop {
        let (name, size) = (quoted_name(self.directory.name(entry)), entry.uncompressed);
        Fault::archive(format!("{name} does not expand to the {size} bytes it says")).into()
    }

    fn bad_data(&self, entry: &Entry) -> Stop {
        let name = quoted_name(self.directory.name(entry));
        Fault::archive(format!("{name}: its compressed data is damaged")).into()
    }
}

/// The next piece of the stored bytes of `entry`, from `from` on.
fn piece<'a>(
    archive: &'a dyn ReadAt,
    entry: &Entry,
    from: u64,
    buffer: &'a mut Vec<u8>,
) -> io::Result<&'a [u8]> {
    let len = u64::from(entry.compressed).saturating_sub(from).min(CHUNK as u64);
    bytes_at(archive, entry.data.saturating_add(from), len as usize, buffer)
}
