//! A batch as bytes for the log, and back.
//!
//! ```text
//! version u8 | ingest nanos i64 LE | tag sets: count, each {count, each {name, value}} | rows: count, each
//! {flags u8, timestamp zigzag delta to the row before, tag set, raw, attributes if flagged}
//! ```
//!
//! Counts, lengths and deltas are LEB128 varints; texts are a length and their bytes. Fields are not written: they
//! are found again by the same code that found them first. Checksums are the log's business, but no bytes can make
//! the reader panic or allocate more than a small multiple of what it was given.

use std::sync::Arc;

use super::batch::EventBatch;
use super::builder::EventBatchBuilder;
use super::error::{PushError, Pushed};
use super::limits::EventLimits;
use super::tags::TagSet;

/// The version written; readers know all versions up to it.
const VERSION: u8 = 1;

const FLAG_JSON: u8 = 1;
const FLAG_ATTRIBUTES: u8 = 2;
const FLAG_ARRIVAL: u8 = 4;

/// Why bytes are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Written by a version of the program that is newer than this one.
    #[error("log payload has unknown version {0}")]
    Version(u8),
    /// The bytes do not have the form of a batch.
    #[error("malformed log payload: {0}")]
    Malformed(&'static str),
    /// An event in it cannot be read back.
    #[error("malformed log payload: {0}")]
    Event(#[from] PushError),
}

impl EventBatch {
    /// Appends the batch as bytes: raw texts, timestamps, tags and attributes.
    pub fn encode_log(&self, out: &mut Vec<u8>) {
        out.reserve(self.raw_bytes() + self.len() * 8 + 64);
        out.push(VERSION);
        out.extend_from_slice(&self.ingest_nanos().to_le_bytes());
        put_varint(self.tag_sets().len() as u64, out);
        for tags in self.tag_sets() {
            put_varint(tags.len() as u64, out);
            for (name, value) in tags.iter() {
                put_bytes(name.as_bytes(), out);
                put_bytes(value.as_bytes(), out);
            }
        }
        put_varint(self.len() as u64, out);
        let mut before = 0i64;
        for (at, row) in self.data.rows.iter().enumerate() {
            let attributes = row.attributes.of(&self.data.arena);
            let json = self.json(at).is_some();
            let flag = |set: bool, flag: u8| if set { flag } else { 0 };
            out.push(
                flag(json, FLAG_JSON)
                    | flag(attributes.is_some(), FLAG_ATTRIBUTES)
                    | flag(row.arrival, FLAG_ARRIVAL),
            );
            put_varint(zigzag(row.timestamp.wrapping_sub(before)), out);
            before = row.timestamp;
            put_varint(u64::from(row.tag_set), out);
            put_bytes(self.raw(at), out);
            if let Some(attributes) = attributes {
                put_bytes(attributes.as_bytes(), out);
            }
        }
    }

    /// A checksum of what the batch says, whenever it came: of raw texts, attributes and tags, but not of times, which are
    /// those of arrival where events have none. Never 0.
    #[must_use]
    pub fn content_crc(&self) -> u32 {
        if let Some(crc) = self.content {
            return crc;
        }
        let mut crc = 0;
        let mut add = |bytes: &[u8]| {
            crc = crc32c::crc32c_append(crc, &(bytes.len() as u64).to_le_bytes());
            crc = crc32c::crc32c_append(crc, bytes);
        };
        for (name, value) in self.tag_sets().iter().flat_map(|tags| tags.iter()) {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        for (at, row) in self.data.rows.iter().enumerate() {
            add(&row.tag_set.to_le_bytes());
            add(self.raw(at));
            add(row.attributes.of(&self.data.arena).unwrap_or_default().as_bytes());
        }
        crc.max(1)
    }

    /// Reads what [`EventBatch::encode_log`] wrote. The sequence and the repository are not part of it.
    ///
    /// # Errors
    /// When the bytes are not such a batch.
    pub fn decode_log(bytes: &[u8]) -> Result<EventBatch, PayloadError> {
        let mut reader = Reader { rest: bytes };
        let version = reader.byte()?;
        if version != VERSION {
            return Err(PayloadError::Version(version));
        }
        let ingest_nanos = reader.nanos()?;
        let tag_sets = reader.tag_sets()?;
        let rows = reader.varint()?;
        let mut builder = EventBatchBuilder::new(EventLimits::REPLAY).with_reference(ingest_nanos);
        // Raw texts are most of the payload; unescaped values may make it grow.
        builder.reserve(reader.rest.len());
        let mut timestamp = 0i64;
        for _ in 0..rows {
            let flags = reader.byte()?;
            if flags & !(FLAG_JSON | FLAG_ATTRIBUTES | FLAG_ARRIVAL) != 0 {
                return Err(PayloadError::Malformed("unknown flags of an event"));
            }
            timestamp = timestamp.wrapping_add(unzigzag(reader.varint()?));
            let tags = usize::try_from(reader.varint()?).ok().and_then(|number| tag_sets.get(number));
            let tags = tags.ok_or(PayloadError::Malformed("unknown tag set"))?;
            let raw = reader.bytes()?;
            let attributes = if flags & FLAG_ATTRIBUTES != 0 { Some(reader.text()?) } else { None };
            let pushed = if flags & FLAG_JSON != 0 {
                builder.push_json(raw, Some(timestamp), tags, attributes)?
            } else {
                builder.push_text(raw, Some(timestamp), tags, attributes)?
            };
            if let Pushed::Unparsed(_) = pushed {
                return Err(PayloadError::Malformed("an event is not the JSON it was"));
            }
            if flags & FLAG_ARRIVAL != 0 {
                builder.mark_arrival();
            }
        }
        if !reader.rest.is_empty() {
            return Err(PayloadError::Malformed("trailing bytes"));
        }
        Ok(builder.finish(ingest_nanos))
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, PayloadError> {
        let (first, rest) = self.rest.split_first().ok_or(PayloadError::Malformed("cut short"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn nanos(&mut self) -> Result<i64, PayloadError> {
        let (head, rest) = self.rest.split_first_chunk::<8>().ok_or(PayloadError::Malformed("cut short"))?;
        self.rest = rest;
        Ok(i64::from_le_bytes(*head))
    }

    fn varint(&mut self) -> Result<u64, PayloadError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PayloadError::Malformed("number too large"))
    }

    fn bytes(&mut self) -> Result<&'a [u8], PayloadError> {
        let len = usize::try_from(self.varint()?).map_err(|_| PayloadError::Malformed("length too large"))?;
        let (head, rest) = self.rest.split_at_checked(len).ok_or(PayloadError::Malformed("cut short"))?;
        self.rest = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<&'a str, PayloadError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| PayloadError::Malformed("text is not UTF-8"))
    }

    /// Every set takes a byte, every tag two: the vectors grow no faster than bytes are read.
    fn tag_sets(&mut self) -> Result<Vec<Arc<TagSet>>, PayloadError> {
        let mut sets = Vec::new();
        for _ in 0..self.varint()? {
            let mut tags = Vec::new();
            for _ in 0..self.varint()? {
                tags.push((self.text()?, self.text()?));
            }
            sets.push(Arc::new(TagSet::new(tags)));
        }
        Ok(sets)
    }
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
