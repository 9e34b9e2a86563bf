//! Reads the log back, whatever state it is in.
//!
//! Frames are taken in order of their numbers. Where no valid frame stands, the file is searched for the next one
//! with its salt and a higher number. What is missing in between is damage only if the log itself says, later on,
//! that it had been synced; otherwise nobody was told that it is safe, and it is a tail like any other.

use super::DIRECTORY;
use super::file::{self, FileHeader};
use super::frame::{ALIGN, Header, Kind, MAGIC};
use super::spare::KeptFile;
use crate::error::StoreError;
use crate::store::files::Files;

/// Largest log file read; one is only larger than configured when a single batch is.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A frame with a batch, as read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// The number of its file.
    pub(crate) file: u64,
    pub(crate) header: Header,
    pub(crate) key: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// Frames that had been synced and are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogDamage {
    pub(crate) path: String,
    /// Something is not there that the file held: the file is kept for whoever can read it better.
    pub(crate) is_lost: bool,
    pub(crate) offset: u64,
    pub(crate) reason: String,
    /// Whose batch it was, its first sequence and its events, where its header survived.
    pub(crate) batch: Option<(u32, u64, u32)>,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// The files, oldest first, and what is in them.
    pub(crate) kept: Vec<KeptFile>,
    /// The highest number of a file, valid or not.
    pub(crate) last_number: u64,
    /// The highest number of a frame, valid or not.
    pub(crate) last_frame: u64,
    /// Every frame up to this number had been synced, as the log says.
    pub(crate) durable: u64,
    /// One more than the highest sequence given, as far as the log says; 0 when it says nothing.
    pub(crate) next_sequence: u64,
    /// What is missing of what had been synced.
    pub(crate) damage: Vec<LogDamage>,
}

/// Frames `first..=last` are not there.
struct Gap {
    first: u64,
    last: u64,
    /// What the frames behind it, in the same file, say had been synced.
    evidence: u64,
    damage: LogDamage,
}

/// Reads all log files, oldest first, and hands every batch to `each`.
///
/// # Errors
/// When the directory cannot be listed, or a file was written by a newer version. A file that cannot be read is
/// damage, not an error.
pub(crate) fn replay(files: &Files, each: &mut dyn FnMut(Frame<'_>)) -> Result<Replayed, StoreError> {
    let mut found = Replayed::default();
    let mut gaps = Vec::new();
    for entry in files.list(DIRECTORY)? {
        let Some(number) = file::number(&entry.name) else { continue };
        let path = file::name(number);
        found.last_number = found.last_number.max(number);
        match files.read(&path, FILE_BYTES_MAX) {
            Ok(bytes) => read_file(&path, number, &bytes, &mut found, &mut gaps, each)?,
            Err(error) => {
                let reason = format!("unreadable: {error}");
                found.damage.push(LogDamage {
                    path: path.clone(),
                    is_lost: true,
                    offset: 0,
                    reason,
                    batch: None,
                });
                found.kept.push(KeptFile { number, ..KeptFile::default() });
            }
        }
    }
    let durable = found.durable;
    let lost = gaps.into_iter().filter(|gap| gap.first <= gap.last && gap.first <= durable.max(gap.evidence));
    found.damage.extend(lost.map(|gap| gap.damage));
    found.last_frame = found.last_frame.max(found.durable);
    Ok(found)
}

fn read_file(
    path: &str,
    number: u64,
    bytes: &[u8],
    found: &mut Replayed,
    gaps: &mut Vec<Gap>,
    each: &mut dyn FnMut(Frame<'_>),
) -> Result<(), StoreError> {
    let header = FileHeader::decode(path, bytes)?;
    let damage = |offset: usize, reason: &str| LogDamage {
        path: path.to_owned(),
        is_lost: true,
        offset: offset as u64,
        reason: reason.to_owned(),
        batch: None,
    };
    let mut next_frame = found.last_frame + 1;
    let salt = match &header {
        // The name changed and the content not yet: the file was about to be used again.
        Some(header) if header.number != number => {
            found.kept.push(KeptFile { number, ..KeptFile::default() });
            return Ok(());
        }
        Some(header) => {
            if header.durable >= next_frame && !found.kept.is_empty() {
                let damage = damage(0, "frames before this file are missing");
                gaps.push(Gap { first: next_frame, last: header.durable, evidence: header.durable, damage });
            }
            found.durable = found.durable.max(header.durable);
            found.next_sequence = found.next_sequence.max(header.next_sequence);
            next_frame = header.first_frame;
            Some(header.salt)
        }
        None => None,
    };
    let mut kept = KeptFile { number, ..KeptFile::default() };
    let first_gap = gaps.len();
    let mut evidence = 0;
    let mut walk = Walk { bytes, at: file::HEADER_BYTES, salt, least: next_frame };
    while let Some((at, header, body)) = walk.next() {
        // A damaged body is followed by its successor; a damaged header by whatever the search found.
        if header.kind == Kind::Batch && header.number > next_frame {
            let damage = damage(at, "frames before this one are damaged");
            gaps.push(Gap { first: next_frame, last: header.number - 1, evidence: 0, damage });
        }
        evidence = evidence.max(header.durable);
        next_frame = header.number + 1;
        found.last_frame = found.last_frame.max(header.number);
        found.next_sequence = found.next_sequence.max(header.next_sequence());
        let last = header.next_sequence().saturating_sub(1);
        match (header.kind, body) {
            (Kind::Mark, _) => {}
            (Kind::Batch, Some((key, payload))) => {
                kept.last_sequences.insert(header.repository, last);
                each(Frame { file: number, header, key, payload });
            }
            (Kind::Batch, None) => {
                let mut damage = damage(at, "the batch is damaged");
                damage.batch = Some((header.repository, header.base, header.events));
                gaps.push(Gap { first: header.number, last: header.number, evidence: 0, damage });
            }
        }
    }
    if header.is_none() && !kept.last_sequences.is_empty() {
        let read = damage(0, "the file header is damaged; its frames were read");
        found.damage.push(LogDamage { is_lost: false, ..read });
    }
    for gap in gaps.iter_mut().skip(first_gap) {
        gap.evidence = gap.evidence.max(evidence);
    }
    found.kept.push(kept);
    Ok(())
}

/// A frame where it stands: its offset, its header, and its key and payload unless they are damaged.
type Found<'a> = (usize, Header, Option<(&'a [u8], &'a [u8])>);

/// The frames of one file, as they stand.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// `None` until the first frame of a file without a header shows it.
    salt: Option<u64>,
    /// The least number the next frame may have.
    least: u64,
}

impl<'a> Walk<'a> {
    /// The next frame, searched for if need be.
    fn next(&mut self) -> Option<Found<'a>> {
        let (at, header) = self.header_at(self.at).or_else(|| self.search())?;
        self.salt = Some(header.salt);
        self.least = header.number + 1;
        self.at = at + header.frame_bytes();
        Some((at, header, self.body(at, &header)))
    }

    fn header_at(&self, at: usize) -> Option<(usize, Header)> {
        let header = Header::decode(self.bytes.get(at..)?)?;
        let ours = self.salt.is_none_or(|salt| salt == header.salt) && header.number >= self.least;
        let inside = at + header.frame_bytes() <= self.bytes.len();
        (ours && inside).then_some((at, header))
    }

    fn search(&self) -> Option<(usize, Header)> {
        let from = self.at.next_multiple_of(ALIGN);
        let rest = self.bytes.get(from..)?;
        memchr::memmem::find_iter(rest, &MAGIC)
            .map(|found| from + found)
            .filter(|at| at % ALIGN == 0)
            .find_map(|at| self.header_at(at))
    }

    fn body(&self, at: usize, header: &Header) -> Option<(&'a [u8], &'a [u8])> {
        let key_at = at + super::frame::HEADER_BYTES;
        let payload_at = key_at + usize::from(header.key_bytes);
        let key = self.bytes.get(key_at..payload_at)?;
        let payload = self.bytes.get(payload_at..payload_at + header.payload_bytes as usize)?;
        let both = self.bytes.get(key_at..payload_at + header.payload_bytes as usize)?;
        (header.kind == Kind::Mark || crc32c::crc32c(both) == header.body_crc).then_some((key, payload))
    }
}
