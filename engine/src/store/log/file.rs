//! Names and headers of log files.
//!
//! ```text
//!  0  magic "WEIRLOG\0"   16  number           40  durable frame (of the files before)   60  crc32c of bytes 0..60
//!  8  version, u32        24  salt, random     48  next sequence
//! 12  0                   32  first frame      56  0
//! ```

use std::hash::{BuildHasher, Hasher, RandomState};

use super::DIRECTORY;
use super::frame::{u32_at, u64_at};
use crate::error::StoreError;

/// Bytes of a file header; the first frame stands behind it.
pub(crate) const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"WEIRLOG\0";
/// The version written, and the newest that is read.
pub(crate) const VERSION: u32 = 1;

/// The header of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// As in its name.
    pub(crate) number: u64,
    /// Tells its frames from those of an earlier use, and from bytes that merely look like frames.
    pub(crate) salt: u64,
    /// The number of its first frame.
    pub(crate) first_frame: u64,
    /// Every frame of earlier files up to this number was synced.
    pub(crate) durable: u64,
    /// The sequence its first event gets, or a lower one.
    pub(crate) next_sequence: u64,
}

impl FileHeader {
    /// The bytes of the header.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        for long in [self.number, self.salt, self.first_frame, self.durable, self.next_sequence] {
            bytes.extend_from_slice(&long.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER_BYTES])
    }

    /// The header at the start of `bytes`; `None` when none stands there undamaged.
    ///
    /// # Errors
    /// When it was written by a newer version.
    pub(crate) fn decode(path: &str, bytes: &[u8]) -> Result<Option<FileHeader>, StoreError> {
        let Some((front, crc)) =
            bytes.get(..HEADER_BYTES).and_then(|bytes| bytes.split_at_checked(HEADER_BYTES - 4))
        else {
            return Ok(None);
        };
        if !front.starts_with(&MAGIC) || crc32c::crc32c(front) != u32_at(crc, 0) {
            return Ok(None);
        }
        match u32_at(front, 8) {
            VERSION => Ok(Some(FileHeader {
                number: u64_at(front, 16),
                salt: u64_at(front, 24),
                first_frame: u64_at(front, 32),
                durable: u64_at(front, 40),
                next_sequence: u64_at(front, 48),
            })),
            found => Err(StoreError::Version { path: path.to_owned(), found, supported: VERSION }),
        }
    }
}

/// The name of log file `number`.
pub(crate) fn name(number: u64) -> String {
    format!("{DIRECTORY}/{number:016x}.wlog")
}

/// What the name of a file ends in that is let go and holds what could not be read. Whoever repairs it or gives it up
/// takes it away; until then answers are partial.
pub(crate) const DAMAGED: &str = ".damaged";

/// The number in a log file's name inside [`DIRECTORY`].
pub(crate) fn number(entry: &str) -> Option<u64> {
    let digits = entry.strip_suffix(".wlog").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// A salt nobody can foresee.
pub(crate) fn salt() -> u64 {
    // The standard library seeds these from the system's random numbers.
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_or_nothing_does() {
        let header = FileHeader { number: 1, salt: salt(), first_frame: 3, durable: 2, next_sequence: 5 };
        let good = header.encode();
        assert_eq!(FileHeader::decode("f", &good).unwrap(), Some(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FileHeader::decode("f", &bad).unwrap(), None, "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_an_error() {
        let mut newer =
            FileHeader { number: 1, salt: 2, first_frame: 3, durable: 2, next_sequence: 5 }.encode();
        newer[8] = 9;
        let crc = crc32c::crc32c(&newer[..60]);
        newer[60..].copy_from_slice(&crc.to_le_bytes());
        assert!(matches!(FileHeader::decode("f", &newer), Err(StoreError::Version { found: 9, .. })));
    }

    #[test]
    fn names_hold_numbers() {
        assert_eq!(name(0x2a), "log/000000000000002a.wlog");
        for (entry, expect) in [
            ("000000000000002a.wlog", Some(42)),
            ("2a.wlog", None),
            ("spare-1", None),
            ("zzzzzzzzzzzzzzzz.wlog", None),
        ] {
            assert_eq!(number(entry), expect, "{entry}");
        }
    }
}
