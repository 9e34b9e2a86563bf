//! A stored block, open for reading.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use weir_query::record::{OrderKey, RowsError, Selection};

use super::builder::{FIRST_HEAD_BYTES, FIRST_MAGIC, HEAD_BYTES, MAGIC};
use super::bytes::Bytes;
use super::cursor::Cursor;
use super::node::{Packed, load_bytes};
use super::part::{Part, TextKind};
use super::section::{Directory, Pool, SECTION_BYTES_MAX, Section, Source, decompress};
use super::tagged::Tagged;
use super::tags;
use super::wire::{Corrupt, Reader};
use super::{BLOCK_ROWS_MAX, GRANULE_ROWS};

/// A stored block. Columns are decoded when asked for, and only where asked for; what is decoded of them that is
/// not for one granule alone is kept as long as the block.
#[derive(Debug)]
pub struct Block {
    bytes: Bytes,
    /// Where the body starts.
    body: usize,
    rows: usize,
    raw_bytes: u64,
    time_unit: i64,
    times: Packed,
    sequences: Packed,
    ingest: Packed,
    arrival: Packed,
    pub(super) tags: Tagged,
    pub(super) tag_codes: Packed,
    pub(super) raw: Part,
    pub(super) attributes: Option<Part>,
    pool: Pool,
    keys: OnceLock<Arc<[OrderKey]>>,
    all_times: OnceLock<Arc<Vec<i64>>>,
}

pub(crate) fn damaged(corrupt: Corrupt) -> RowsError {
    RowsError::Damaged(corrupt.0.to_owned())
}

impl Block {
    /// Takes a block apart.
    ///
    /// # Errors
    /// When the bytes are not those of a block. (Checksums are the segment's.)
    pub(crate) fn parse(bytes: Bytes) -> Result<Block, Corrupt> {
        let mut head = Reader::new(&bytes);
        let is_first = match head.array()? {
            MAGIC => false,
            FIRST_MAGIC => true,
            _ => return Err(Corrupt("block with another magic")),
        };
        let rows = head.u32()? as usize;
        let raw_bytes = head.u64()?;
        let (directory_len, stored_len) = (head.u32()? as usize, head.u32()? as usize);
        if rows > BLOCK_ROWS_MAX || directory_len > SECTION_BYTES_MAX || directory_len / 40_000 > stored_len {
            return Err(Corrupt("block over its limits"));
        }
        let (key_bytes, head_bytes) =
            if is_first { (0, FIRST_HEAD_BYTES) } else { (head.u32()? as usize, HEAD_BYTES) };
        let body = head_bytes.saturating_add(stored_len);
        let end = bytes.len().checked_sub(key_bytes).filter(|end| *end >= body);
        let end = end.ok_or(Corrupt("block shorter than its keys"))?;
        let stored = bytes.get(head_bytes..body).ok_or(Corrupt("block shorter than its directory"))?;
        let directory =
            decompress(stored, directory_len).map_err(|_| Corrupt("directory does not expand"))?;
        let directory_bytes = directory.len();
        let mut directory = Directory::new(&directory, end - body);
        let time_unit = directory.reader.signed()?;
        if time_unit < 1 {
            return Err(Corrupt("unit of time"));
        }
        let [times, sequences, ingest, arrival] = [
            Packed::read(&mut directory, rows)?,
            Packed::read(&mut directory, rows)?,
            Packed::read(&mut directory, rows)?,
            Packed::read(&mut directory, rows)?,
        ];
        let tags = match is_first {
            true => Tagged::first(directory.section()?),
            false => Tagged::new(tags::read(&mut directory)?),
        };
        let tag_codes = Packed::read(&mut directory, rows)?;
        let raw = Part::read(&mut directory, rows)?;
        let attributes = match directory.reader.byte()? {
            0 => None,
            _ => Some(Part::read(&mut directory, rows)?),
        };
        let pool = Pool::new(directory.section()?);
        let (keys, all_times) = (OnceLock::new(), OnceLock::new());
        let block = Block {
            bytes,
            body,
            rows,
            raw_bytes,
            time_unit,
            times,
            sequences,
            ingest,
            arrival,
            tags,
            tag_codes,
            raw,
            attributes,
            pool,
            keys,
            all_times,
        };
        // Taken apart it takes a few times what it takes packed.
        block.body().count_held(4 * directory_bytes + size_of::<Block>());
        Ok(block)
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of raw text of all rows.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// Bytes of memory that it takes now; grows while it is read.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pool.held()
    }

    pub(super) fn body(&self) -> Source<'_> {
        Source { body: self.bytes.get(self.body..).unwrap_or_default(), pool: &self.pool }
    }

    /// The bytes of `section`, which may outlive the block; nothing is copied that is not compressed.
    pub(super) fn shared(&self, section: &Section, cell: &OnceLock<Vec<u8>>) -> Result<Bytes, Corrupt> {
        match section.place() {
            Some(range) => self
                .bytes
                .part(self.body + range.start..self.body + range.end)
                .ok_or(Corrupt("section outside the body")),
            None => Ok(Bytes::new(load_bytes(cell, section, self.body())?.to_vec())),
        }
    }

    /// The times of all rows, ns.
    pub(crate) fn times(&self) -> Result<Arc<Vec<i64>>, Corrupt> {
        if let Some(times) = self.all_times.get() {
            return Ok(Arc::clone(times));
        }
        let mut times = self.times.values(self.body(), 0..self.rows)?;
        if self.time_unit > 1 {
            times.iter_mut().for_each(|time| *time = time.wrapping_mul(self.time_unit));
        }
        Ok(Arc::clone(self.all_times.get_or_init(|| {
            self.body().count_held(times.len() * size_of::<i64>());
            Arc::new(times)
        })))
    }

    /// The time of one row, ns.
    pub(crate) fn time_of(&self, row: usize) -> Result<i64, Corrupt> {
        let known = self.all_times.get().and_then(|times| times.get(row)).copied();
        if let Some(time) = known {
            return Ok(time);
        }
        let stored = self.times.values(self.body(), row..row.saturating_add(1))?;
        let stored = stored.first().ok_or(Corrupt("no such row"))?;
        Ok(stored.wrapping_mul(self.time_unit))
    }

    /// The place of every row in the order of events.
    pub(crate) fn keys(&self) -> Result<Arc<[OrderKey]>, Corrupt> {
        if let Some(keys) = self.keys.get() {
            return Ok(Arc::clone(keys));
        }
        let sequences = self.sequences.values(self.body(), 0..self.rows)?;
        let times = self.times()?;
        let pairs = times.iter().zip(&sequences);
        let keys =
            pairs.map(|(nanos, sequence)| OrderKey { nanos: *nanos, sequence: *sequence as u64 }).collect();
        Ok(Arc::clone(self.keys.get_or_init(|| {
            self.body().count_held(times.len() * size_of::<OrderKey>());
            keys
        })))
    }

    /// The times of `rows`, ns.
    pub(super) fn times_at(&self, rows: &[u32]) -> Result<Vec<i64>, Corrupt> {
        let mut times = self.times.pick(self.body(), rows)?;
        times.iter_mut().for_each(|time| *time = time.wrapping_mul(self.time_unit));
        Ok(times)
    }

    /// The places of `rows` in the order of events.
    pub(super) fn keys_at(&self, rows: &[u32]) -> Result<Vec<OrderKey>, Corrupt> {
        if self.keys.get().is_some() || rows.len() > self.rows / 4 {
            let keys = self.keys()?;
            return Ok(rows.iter().filter_map(|row| keys.get(*row as usize).copied()).collect());
        }
        let key = |(nanos, sequence)| OrderKey { nanos, sequence: sequence as u64 };
        Ok(self.times_at(rows)?.into_iter().zip(self.sequences_at(rows)?).map(key).collect())
    }

    /// When each of `rows` came in, ns.
    pub(super) fn ingest_at(&self, rows: &[u32]) -> Result<Vec<i64>, Corrupt> {
        self.ingest.pick(self.body(), rows)
    }

    /// The sequences of `rows`.
    pub(super) fn sequences_at(&self, rows: &[u32]) -> Result<Vec<i64>, Corrupt> {
        self.sequences.pick(self.body(), rows)
    }

    /// When each row of `range` came in, ns.
    pub(crate) fn ingest(&self, range: Range<usize>) -> Result<Vec<i64>, Corrupt> {
        self.ingest.values(self.body(), range)
    }

    /// The sequences of `range`.
    pub(crate) fn sequences(&self, range: Range<usize>) -> Result<Vec<i64>, Corrupt> {
        self.sequences.values(self.body(), range)
    }

    /// 1 for each row of `range` whose timestamp is the time of arrival.
    pub(crate) fn arrival(&self, range: Range<usize>) -> Result<Vec<i64>, Corrupt> {
        self.arrival.values(self.body(), range)
    }

    /// The granules in which `within` has a row, as ranges of rows.
    pub(crate) fn granules(&self, within: &Selection) -> Vec<Range<usize>> {
        let words = within.words().chunks(GRANULE_ROWS / 64).enumerate();
        let touched = words.filter(|(_, words)| words.iter().any(|word| *word != 0));
        let range =
            |(granule, _): (usize, _)| granule * GRANULE_ROWS..((granule + 1) * GRANULE_ROWS).min(self.rows);
        touched.map(range).filter(|range| !range.is_empty()).collect()
    }

    /// The rows of all granules from the first to the last in which `within` has a row.
    pub(super) fn around(&self, within: &Selection) -> Range<usize> {
        within.around(GRANULE_ROWS)
    }

    /// Opens the texts of `part` for the rows of `range`.
    pub(super) fn open<'a>(&'a self, part: &'a Part, range: Range<usize>) -> Result<Cursor<'a>, Corrupt> {
        let relative = part.skeletons()?.columns.iter().any(|column| column.is_relative());
        let times = if relative { Some(self.times()?) } else { None };
        let times = times.as_ref().and_then(|times| times.get(range.clone()));
        Cursor::open(&part.node, self.body(), range, times)
    }

    /// Hands out the raw bytes of every row of `within`, ascending.
    ///
    /// # Errors
    /// When the block is damaged.
    pub fn for_each_raw(
        &self,
        within: &Selection,
        each: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), RowsError> {
        self.for_each_text(&self.raw, within, each).map_err(damaged)
    }

    /// Hands out the attributes of every row of `within` as written, ascending; empty where there are none.
    ///
    /// # Errors
    /// When the block is damaged.
    pub fn for_each_attributes(
        &self,
        within: &Selection,
        each: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), RowsError> {
        match &self.attributes {
            Some(part) => self.for_each_text(part, within, each).map_err(damaged),
            None => {
                within.iter().for_each(|row| each(row, &[]));
                Ok(())
            }
        }
    }

    fn for_each_text(
        &self,
        part: &Part,
        within: &Selection,
        each: &mut dyn FnMut(usize, &[u8]),
    ) -> Result<(), Corrupt> {
        let mut text = Vec::new();
        for range in self.granules(within) {
            let mut cursor = self.open(part, range.clone())?;
            for row in range {
                if within.contains(row) {
                    text.clear();
                    cursor.next(&mut text)?;
                    each(row, &text);
                } else {
                    cursor.skip()?;
                }
            }
        }
        Ok(())
    }

    /// What kind of raw text each row of `range` has.
    pub(crate) fn text_kinds(&self, range: Range<usize>) -> Result<Vec<TextKind>, Corrupt> {
        let ranks = self.raw.skeletons()?.ranks(self.body())?;
        let kind = |code: &u32| self.raw.kinds.get(*code as usize).copied().unwrap_or(TextKind::None);
        Ok(ranks.codes(range).iter().map(kind).collect())
    }

    /// The raw texts hold bytes that are not UTF-8.
    pub(super) fn has_bytes(&self) -> bool {
        self.raw.kinds.contains(&TextKind::Bytes)
    }
}
