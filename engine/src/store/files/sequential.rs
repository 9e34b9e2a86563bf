//! Writing a file from front to back.

use std::io::{self, Write};

use super::File;
use crate::error::StoreError;

/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes a file from its start, gathering small writes.
#[derive(Debug)]
pub struct Sequential {
    file: File,
    buffer: Vec<u8>,
    at: u64,
}

impl Sequential {
    /// Starts at the first byte of `file`.
    #[must_use]
    pub fn new(file: File) -> Sequential {
        Sequential { file, buffer: Vec::with_capacity(BUFFER_BYTES), at: 0 }
    }

    /// Writes what is gathered; the file and its length.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn into_file(mut self) -> Result<(File, u64), StoreError> {
        self.write_out(&[])?;
        Ok((self.file, self.at))
    }

    fn write_out(&mut self, more: &[u8]) -> Result<(), StoreError> {
        if self.buffer.is_empty() && more.is_empty() {
            return Ok(());
        }
        self.file.write_slices_at(&[&self.buffer, more], self.at)?;
        self.at += (self.buffer.len() + more.len()) as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Sequential {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() <= BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
        } else {
            self.write_out(bytes).map_err(into_io)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out(&[]).map_err(into_io)
    }
}

fn into_io(error: StoreError) -> io::Error {
    match error {
        StoreError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Files;
    use super::*;

    #[test]
    fn small_and_large_writes_come_in_order() {
        let files = Files::memory();
        let mut out = Sequential::new(files.create("f").unwrap());
        let mut expect = Vec::new();
        for (byte, len) in
            [(1, 10), (2, BUFFER_BYTES), (3, 0), (4, 5), (5, 3 * BUFFER_BYTES), (6, BUFFER_BYTES - 1), (7, 2)]
        {
            out.write_all(&vec![byte; len]).unwrap();
            expect.extend(vec![byte; len]);
        }
        let (file, len) = out.into_file().unwrap();
        assert_eq!((len, file.len().unwrap()), (expect.len() as u64, expect.len() as u64));
        assert_eq!(files.read("f", u64::MAX).unwrap(), expect);
    }
}
