//! A batch as bytes for the log, and back.
//!
//! ```text
//! version 1   heads, texts inside
//! version 2   bytes of the heads u32 LE, bytes of the arena u32 LE, heads, arena, side
//!
//! heads   ingest nanos i64 LE | tag sets: count, each {count, each {name, value}} | rows: count, each
//!         {flags, timestamp zigzag delta to the row before, tag set, raw, attributes if flagged}
//! ```
//!
//! Counts, lengths and deltas are LEB128 varints; texts are a length and their bytes. In the second version a text is
//! how many bytes of the arena are passed over since the last one, and its length; one that is not UTF-8 is the next so many bytes
//! of the side. The texts of a batch are then written from where they lie: copied, they take a fiftieth of the time of
//! ingest. Fields are not written: they are found again by the same code that found them first. Checksums are
//! the log's business, but no bytes can make the reader panic or allocate more than a small multiple of what it was given.

use std::sync::Arc;

use weir_query::record::TextSpan;

use super::batch::{BatchData, EventBatch, Row};
use super::builder::EventBatchBuilder;
use super::error::{PushError, Pushed};
use super::limits::EventLimits;
use super::tags::TagSet;

/// Texts inside the heads.
const INSIDE: u8 = 1;
/// Texts behind the heads.
const BEHIND: u8 = 2;
/// Bytes in front of the heads of version 2.
const LENGTHS_BYTES: usize = 9;

/// Texts of fewer bytes are copied: one run of bytes is simpler to write.
const BEHIND_BYTES_MIN: usize = 4 << 10;
/// Texts are written from where they lie when the arena holds no more than this part of it besides them.
const WASTE_MAX: usize = 16;

const FLAG_JSON: u8 = 1;
const FLAG_ATTRIBUTES: u8 = 2;
const FLAG_ARRIVAL: u8 = 4;
/// The raw text is not UTF-8 and stands in the side; of version 2 only.
const FLAG_SIDE: u8 = 8;

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

/// A batch as bytes, some of which lie where the batch has them.
#[derive(Clone, Debug, Default)]
pub struct LogPayload {
    head: Vec<u8>,
    texts: Option<Arc<BatchData>>,
}

impl LogPayload {
    /// A payload that is these bytes.
    pub(crate) fn inside(head: Vec<u8>) -> LogPayload {
        LogPayload { head, texts: None }
    }

    /// The bytes, in three runs, of which some may be empty.
    #[must_use]
    pub fn slices(&self) -> [&[u8]; 3] {
        let texts = self.texts.as_ref().map(|data| (data.arena.as_bytes(), data.side.as_slice()));
        let (arena, side) = texts.unwrap_or_default();
        [&self.head, arena, side]
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slices().iter().map(|slice| slice.len()).sum()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// Their crc32c.
    #[must_use]
    pub fn crc(&self) -> u32 {
        self.slices().iter().fold(0, |crc, slice| crc32c::crc32c_append(crc, slice))
    }

    /// All bytes in one run.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices().concat()
    }
}

/// Where texts go.
enum Texts {
    Inside,
    /// How far into the arena they have come.
    Behind(u32),
}

impl Texts {
    /// Notes that `text` comes next, which lies at `span` in the arena. `None`: it cannot be told, as it lies in front of others.
    fn put(&mut self, text: &[u8], span: TextSpan, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Texts::Inside => put_bytes(text, out),
            Texts::Behind(at) => {
                put_varint(u64::from(span.start.checked_sub(*at)?), out);
                put_varint(u64::from(span.len), out);
                *at = span.start + span.len;
            }
        }
        Some(())
    }
}

impl EventBatch {
    /// The batch as bytes: raw texts, timestamps, tags and attributes.
    #[must_use]
    pub fn log_payload(&self) -> LogPayload {
        let arena = self.data.arena.len();
        let is_close = || arena.saturating_sub(self.text_bytes()) <= arena / WASTE_MAX;
        let behind = if arena >= BEHIND_BYTES_MIN && is_close() { self.texts_behind() } else { None };
        behind.unwrap_or_else(|| self.texts_inside())
    }

    /// Bytes of the arena that are raw texts and attributes.
    fn text_bytes(&self) -> usize {
        let text = |span: TextSpan| span.of(&self.data.arena).map_or(0, str::len);
        let raw = |row: &Row| if row.side { 0 } else { text(row.raw) };
        self.data.rows.iter().map(|row| raw(row) + text(row.attributes)).sum()
    }

    /// As one run of bytes.
    pub(super) fn texts_inside(&self) -> LogPayload {
        let mut head = Vec::with_capacity(self.raw_bytes() + self.len() * 8 + 64);
        head.push(INSIDE);
        // Where texts lie is of no account then.
        let _ = self.put_heads(Texts::Inside, &mut head);
        LogPayload::inside(head)
    }

    /// With the texts where they are; `None` when they do not lie in the order of the rows.
    pub(super) fn texts_behind(&self) -> Option<LogPayload> {
        let (data, arena) = (&self.data, self.data.arena.len());
        let mut head = Vec::with_capacity(self.len() * 8 + 64);
        head.push(BEHIND);
        head.extend_from_slice(&[0; LENGTHS_BYTES - 1]);
        self.put_heads(Texts::Behind(0), &mut head)?;
        let lengths = [(head.len() - LENGTHS_BYTES) as u32, arena as u32];
        let [heads, arena] = lengths.map(u32::to_le_bytes);
        head.get_mut(1..LENGTHS_BYTES)?.copy_from_slice(&[heads, arena].concat());
        Some(LogPayload { head, texts: Some(Arc::clone(data)) })
    }

    /// Appends all but texts that are not `Inside`.
    fn put_heads(&self, mut texts: Texts, out: &mut Vec<u8>) -> Option<()> {
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
            let is_beside = row.side && matches!(texts, Texts::Behind(_));
            let flag = |set: bool, flag: u8| if set { flag } else { 0 };
            out.push(
                flag(json, FLAG_JSON)
                    | flag(attributes.is_some(), FLAG_ATTRIBUTES)
                    | flag(row.arrival, FLAG_ARRIVAL)
                    | flag(is_beside, FLAG_SIDE),
            );
            put_varint(zigzag(row.timestamp.wrapping_sub(before)), out);
            before = row.timestamp;
            put_varint(u64::from(row.tag_set), out);
            match is_beside {
                true => put_varint(self.raw(at).len() as u64, out),
                false => texts.put(self.raw(at), row.raw, out)?,
            }
            if let Some(attributes) = attributes {
                texts.put(attributes.as_bytes(), row.attributes, out)?;
            }
        }
        Some(())
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

    /// Reads the bytes of a [`LogPayload`]. The sequence and the repository are not part of it.
    ///
    /// # Errors
    /// When the bytes are not such a batch.
    pub fn decode_log(bytes: &[u8]) -> Result<EventBatch, PayloadError> {
        let mut reader = Reader { rest: bytes };
        let mut behind = match reader.byte()? {
            INSIDE => None,
            BEHIND => Some(reader.split_texts()?),
            version => return Err(PayloadError::Version(version)),
        };
        let ingest_nanos = reader.nanos()?;
        let tag_sets = reader.tag_sets()?;
        let rows = reader.varint()?;
        let mut builder = EventBatchBuilder::new(EventLimits::REPLAY).with_reference(ingest_nanos);
        // Raw texts are most of the payload; unescaped values may make it grow.
        builder.reserve(behind.as_ref().map_or(reader.rest.len(), |texts| texts.arena.len()));
        let known = FLAG_JSON | FLAG_ATTRIBUTES | FLAG_ARRIVAL | behind.as_ref().map_or(0, |_| FLAG_SIDE);
        let mut timestamp = 0i64;
        for _ in 0..rows {
            let flags = reader.byte()?;
            if flags & !known != 0 {
                return Err(PayloadError::Malformed("unknown flags of an event"));
            }
            timestamp = timestamp.wrapping_add(unzigzag(reader.varint()?));
            let tags = usize::try_from(reader.varint()?).ok().and_then(|number| tag_sets.get(number));
            let tags = tags.ok_or(PayloadError::Malformed("unknown tag set"))?;
            let raw = reader.raw(&mut behind, flags)?;
            let attributes = reader.attributes(&mut behind, flags)?;
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
        if !reader.rest.is_empty() || behind.is_some_and(|texts| !texts.side.is_empty()) {
            return Err(PayloadError::Malformed("trailing bytes"));
        }
        Ok(builder.finish(ingest_nanos))
    }
}

/// The texts behind the heads that are left to be read.
struct BehindTexts<'a> {
    arena: &'a [u8],
    side: &'a [u8],
}

/// The first `len` bytes of `rest`, which is then what is behind them.
fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8], PayloadError> {
    let len = usize::try_from(len).map_err(|_| PayloadError::Malformed("length too large"))?;
    let (head, behind) = rest.split_at_checked(len).ok_or(PayloadError::Malformed("cut short"))?;
    *rest = behind;
    Ok(head)
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
        let len = self.varint()?;
        take(&mut self.rest, len)
    }

    fn text(&mut self) -> Result<&'a str, PayloadError> {
        text(self.bytes()?)
    }

    /// Cuts off what is behind the heads: the texts.
    fn split_texts(&mut self) -> Result<BehindTexts<'a>, PayloadError> {
        let mut length = || {
            let (length, rest) = self.rest.split_first_chunk().ok_or(PayloadError::Malformed("cut short"))?;
            self.rest = rest;
            Ok::<u64, PayloadError>(u64::from(u32::from_le_bytes(*length)))
        };
        let (heads, arena) = (length()?, length()?);
        let heads = take(&mut self.rest, heads)?;
        let arena = take(&mut self.rest, arena)?;
        let side = std::mem::replace(&mut self.rest, heads);
        Ok(BehindTexts { arena, side })
    }

    /// The next text, here or in the arena.
    fn placed(&mut self, behind: &mut Option<BehindTexts<'a>>) -> Result<&'a [u8], PayloadError> {
        let Some(texts) = behind else { return self.bytes() };
        take(&mut texts.arena, self.varint()?)?;
        take(&mut texts.arena, self.varint()?)
    }

    fn raw(&mut self, behind: &mut Option<BehindTexts<'a>>, flags: u8) -> Result<&'a [u8], PayloadError> {
        match behind {
            Some(texts) if flags & FLAG_SIDE != 0 => take(&mut texts.side, self.varint()?),
            _ => self.placed(behind),
        }
    }

    fn attributes(
        &mut self,
        behind: &mut Option<BehindTexts<'a>>,
        flags: u8,
    ) -> Result<Option<&'a str>, PayloadError> {
        (flags & FLAG_ATTRIBUTES != 0).then(|| self.placed(behind).and_then(text)).transpose()
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

fn text(bytes: &[u8]) -> Result<&str, PayloadError> {
    std::str::from_utf8(bytes).map_err(|_| PayloadError::Malformed("text is not UTF-8"))
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
