//! The seam through which archives are read.

use std::io;

/// Bytes that can be read at any offset without moving a cursor, by several threads at once.
pub trait ReadAt: Sync {
    /// Number of bytes.
    fn len(&self) -> u64;

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// Those of the medium; `UnexpectedEof` where the bytes end before `buf` is full.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// These bytes where they lie in memory already, so that they need not be copied. `None` where they do not, or where
    /// the bytes end before.
    fn in_memory(&self, _offset: u64, _len: usize) -> Option<&[u8]> {
        None
    }

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `len` bytes of `archive` from `offset` on: where they lie, or else read into `buffer`.
pub(super) fn bytes_at<'a>(
    archive: &'a dyn ReadAt,
    offset: u64,
    len: usize,
    buffer: &'a mut Vec<u8>,
) -> io::Result<&'a [u8]> {
    if let Some(bytes) = archive.in_memory(offset, len) {
        return Ok(bytes);
    }
    buffer.resize(len, 0);
    archive.read_exact_at(buffer, offset)?;
    Ok(buffer)
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.in_memory(offset, buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn in_memory(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        self.get(start..start.checked_add(len)?)
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        ReadAt::len(self.as_slice())
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(buf, offset)
    }

    fn in_memory(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.as_slice().in_memory(offset, len)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(buf, offset)
    }

    fn in_memory(&self, offset: u64, len: usize) -> Option<&[u8]> {
        (**self).in_memory(offset, len)
    }
}
