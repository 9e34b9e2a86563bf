//! Edits of the catalog as bytes.
//!
//! ```text
//! file header   0 magic "WEIRCAT\0" | 8 version, u32 | 12 0, u64 | 20 crc32c of bytes 0..20
//! record        0 magic "WEDT" | 4 payload bytes, u32 | 8 edit number, u64 | 16 crc32c of the payload
//!              20 crc32c of bytes 0..20 | 24 payload
//! ```

use std::sync::Arc;

use super::CatalogReport;
use crate::config::Retention;
use crate::error::StoreError;
use crate::store::block::wire::{Corrupt, Reader, put_bytes, put_signed, put_varint};
use crate::store::log::frame::{u32_at, u64_at};
use crate::store::log::keys::Remembered;

const MAGIC: [u8; 8] = *b"WEIRCAT\0";
const RECORD_MAGIC: [u8; 4] = *b"WEDT";
/// The version written, and the newest that is read.
pub(crate) const VERSION: u32 = 1;
/// Bytes of the file header, and of the head of a record.
pub(crate) const HEADER_BYTES: usize = 24;

/// A change of what the catalog says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A repository and its name.
    Repository { repository: u32, name: Arc<str> },
    /// A repository's own retention.
    Retention { repository: u32, retention: Option<Retention> },
    /// Segments out and in, in one step; everything up to `sealed_to` is then in segments.
    Segments { repository: u32, sealed_to: u64, removed: Vec<u64>, added: Vec<SegmentEntry> },
    /// Idempotency keys of batches whose log files are about to go.
    Keys(Vec<Remembered>),
    /// Keys written before are forgotten.
    ForgetKeys { before_nanos: i64 },
    /// Lower segment ids are not to be given again.
    NextSegment(u64),
}

/// What the catalog knows of a segment: enough to say what is missing when its file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentEntry {
    pub(crate) id: u64,
    pub(crate) min_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) min_sequence: u64,
    pub(crate) max_sequence: u64,
    pub(crate) rows: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) file_bytes: u64,
}

impl Edit {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Edit::Repository { repository, name } => {
                out.push(1);
                put_varint(out, u64::from(*repository));
                put_bytes(out, name.as_bytes());
            }
            Edit::Retention { repository, retention } => {
                out.push(2);
                put_varint(out, u64::from(*repository));
                let limits =
                    retention.map_or([None, None], |retention| [retention.age_secs, retention.bytes]);
                out.push(u8::from(retention.is_some()));
                for limit in limits {
                    out.push(u8::from(limit.is_some()));
                    put_varint(out, limit.unwrap_or(0));
                }
            }
            Edit::Segments { repository, sealed_to, removed, added } => {
                out.push(3);
                put_varint(out, u64::from(*repository));
                put_varint(out, *sealed_to);
                put_varint(out, removed.len() as u64);
                removed.iter().for_each(|id| put_varint(out, *id));
                put_varint(out, added.len() as u64);
                added.iter().for_each(|segment| segment.encode(out));
            }
            Edit::Keys(keys) => {
                out.push(7);
                put_varint(out, keys.len() as u64);
                for batch in keys {
                    put_varint(out, u64::from(batch.repository));
                    put_bytes(out, batch.key.as_bytes());
                    put_varint(out, batch.first_sequence);
                    put_varint(out, u64::from(batch.events));
                    put_signed(out, batch.written_nanos);
                    put_varint(out, u64::from(batch.content_crc));
                }
            }
            Edit::ForgetKeys { before_nanos } => {
                out.push(5);
                put_signed(out, *before_nanos);
            }
            Edit::NextSegment(next) => {
                out.push(6);
                put_varint(out, *next);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Result<Edit, Corrupt> {
        let mut reader = Reader::new(bytes);
        let edit = match reader.byte()? {
            1 => Edit::Repository { repository: id(&mut reader)?, name: reader.text()?.into() },
            2 => {
                let repository = id(&mut reader)?;
                let has = reader.byte()? != 0;
                let mut limit = || Ok((reader.byte()? != 0, reader.varint()?));
                let [age, size] = [limit()?, limit()?].map(|(has, limit)| has.then_some(limit));
                let retention = has.then_some(Retention { age_secs: age, bytes: size });
                Edit::Retention { repository, retention }
            }
            3 => {
                let repository = id(&mut reader)?;
                let sealed_to = reader.varint()?;
                let removed = (0..reader.count_here()?).map(|_| reader.varint()).collect::<Result<_, _>>()?;
                let count = reader.count_here()?;
                let added =
                    (0..count).map(|_| SegmentEntry::decode(&mut reader)).collect::<Result<_, _>>()?;
                Edit::Segments { repository, sealed_to, removed, added }
            }
            kind @ (4 | 7) => {
                let count = reader.count_here()?;
                let one = |_| remembered(&mut reader, kind == 7);
                Edit::Keys((0..count).map(one).collect::<Result<_, _>>()?)
            }
            5 => Edit::ForgetKeys { before_nanos: reader.signed()? },
            6 => Edit::NextSegment(reader.varint()?),
            _ => return Err(Corrupt("unknown kind of edit")),
        };
        if reader.left() == 0 { Ok(edit) } else { Err(Corrupt("bytes behind an edit")) }
    }
}

fn id(reader: &mut Reader<'_>) -> Result<u32, Corrupt> {
    u32::try_from(reader.varint()?).map_err(|_| Corrupt("id over 32 bits"))
}

/// Older edits do not tell what the batch said.
fn remembered(reader: &mut Reader<'_>, has_content: bool) -> Result<Remembered, Corrupt> {
    Ok(Remembered {
        repository: id(reader)?,
        key: reader.text()?.into(),
        first_sequence: reader.varint()?,
        events: id(reader)?,
        written_nanos: reader.signed()?,
        content_crc: if has_content { id(reader)? } else { 0 },
    })
}

impl SegmentEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.id);
        put_signed(out, self.min_timestamp);
        put_signed(out, self.max_timestamp);
        for number in [self.min_sequence, self.max_sequence, self.rows, self.raw_bytes, self.file_bytes] {
            put_varint(out, number);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<SegmentEntry, Corrupt> {
        Ok(SegmentEntry {
            id: reader.varint()?,
            min_timestamp: reader.signed()?,
            max_timestamp: reader.signed()?,
            min_sequence: reader.varint()?,
            max_sequence: reader.varint()?,
            rows: reader.varint()?,
            raw_bytes: reader.varint()?,
            file_bytes: reader.varint()?,
        })
    }
}

/// An edit as a record.
pub(crate) fn record(number: u64, edit: &Edit) -> Vec<u8> {
    let mut payload = Vec::new();
    edit.encode(&mut payload);
    let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
    record.extend_from_slice(&RECORD_MAGIC);
    record.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(&number.to_le_bytes());
    record.extend_from_slice(&crc32c::crc32c(&payload).to_le_bytes());
    record.extend_from_slice(&crc32c::crc32c(&record).to_le_bytes());
    record.extend_from_slice(&payload);
    record
}

/// A whole catalog whose last edit has number `last`. All its records carry that number: they count together.
pub(crate) fn file(last: u64, edits: &[Edit]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    edits.iter().for_each(|edit| bytes.extend_from_slice(&record(last, edit)));
    bytes
}

/// Hands every edit to `each`, in order; the number of the last.
///
/// # Errors
/// When the file was written by a newer version.
pub(crate) fn read_all(
    path: &str,
    bytes: &[u8],
    report: &mut CatalogReport,
    each: &mut dyn FnMut(Edit),
) -> Result<u64, StoreError> {
    let front = bytes.get(..HEADER_BYTES).and_then(|header| header.split_at_checked(HEADER_BYTES - 4));
    match front {
        Some((front, crc)) if front.starts_with(&MAGIC) && crc32c::crc32c(front) == u32_at(crc, 0) => {
            let found = u32_at(front, 8);
            if found != VERSION {
                return Err(StoreError::Version { path: path.to_owned(), found, supported: VERSION });
            }
        }
        _ => report.damage.push("the header of the catalog is damaged".to_owned()),
    }
    let (mut at, mut last) = (HEADER_BYTES, 0);
    while at < bytes.len() {
        let Some((start, len, number, crc)) = find_record(bytes, at, last) else {
            report.torn_bytes = (bytes.len() - at) as u64;
            break;
        };
        if start > at {
            report.damage.push(format!("bytes {at} to {start} of the catalog are damaged"));
        }
        let body = start + HEADER_BYTES;
        let Some(payload) = bytes.get(body..body + len) else {
            report.torn_bytes = (bytes.len() - start) as u64;
            break;
        };
        (at, last) = (body + len, number);
        match Edit::decode(payload) {
            Ok(edit) if crc32c::crc32c(payload) == crc => each(edit),
            // The end of the file, and not what was written: it was under way.
            _ if at == bytes.len() => report.torn_bytes = (at - start) as u64,
            _ => report.damage.push(format!("edit {number} of the catalog, at byte {start}, is damaged")),
        }
    }
    Ok(last)
}

/// The first record at or behind `at`: where, its payload bytes, its number, the checksum of its payload.
fn find_record(bytes: &[u8], at: usize, last: u64) -> Option<(usize, usize, u64, u32)> {
    let rest = bytes.get(at..)?;
    memchr::memmem::find_iter(rest, &RECORD_MAGIC).find_map(|found| {
        let head = rest.get(found..found + HEADER_BYTES)?;
        let (front, crc) = head.split_at_checked(HEADER_BYTES - 4)?;
        let number = u64_at(front, 8);
        let good = crc32c::crc32c(front) == u32_at(crc, 0) && number >= last;
        good.then(|| (at + found, u32_at(front, 4) as usize, number, u32_at(front, 16)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_older_edits_come_without_content() {
        let mut old = vec![4, 1, 1];
        put_bytes(&mut old, b"k");
        put_varint(&mut old, 4);
        put_varint(&mut old, 2);
        put_signed(&mut old, 99);
        let batch = Remembered {
            repository: 1,
            key: "k".into(),
            first_sequence: 4,
            events: 2,
            content_crc: 0,
            written_nanos: 99,
        };
        assert_eq!(Edit::decode(&old), Ok(Edit::Keys(vec![batch.clone()])));
        let edit = Edit::Keys(vec![Remembered { content_crc: u32::MAX, ..batch }]);
        let mut new = Vec::new();
        edit.encode(&mut new);
        assert_eq!(Edit::decode(&new), Ok(edit));
    }
}
