//! What is known about a whole segment: the sum of its blocks' facts.

use std::collections::BTreeMap;

use crate::store::block::section::{Effort, expand, squeeze};
use crate::store::block::wire::{Corrupt, Reader, put_bytes, put_signed, put_varint};
use crate::store::block::{BLOCK_ROWS_MAX, BlockFacts, FieldFacts, GRANULE_ROWS, ValueFacts};

/// Facts about a segment.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentFacts {
    /// Oldest event time, ns.
    pub min_timestamp: i64,
    /// Newest event time, ns.
    pub max_timestamp: i64,
    /// Least sequence.
    pub min_sequence: u64,
    /// Greatest sequence.
    pub max_sequence: u64,
    /// How many rows.
    pub rows: u64,
    /// Bytes of raw text.
    pub raw_bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the gram index in it.
    pub index_bytes: u64,
    /// The facts of every block.
    pub blocks: Vec<BlockFacts>,
}

impl Default for SegmentFacts {
    fn default() -> SegmentFacts {
        SegmentFacts {
            min_timestamp: i64::MAX,
            max_timestamp: i64::MIN,
            min_sequence: u64::MAX,
            max_sequence: 0,
            rows: 0,
            raw_bytes: 0,
            file_bytes: 0,
            index_bytes: 0,
            blocks: Vec::new(),
        }
    }
}

/// One field over a whole segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldSummaryFacts {
    /// How many rows have it.
    pub rows: u64,
    /// In every block with the field, all its values are numbers (and there is at least one).
    pub numeric: bool,
}

impl SegmentFacts {
    /// Adds a block's facts.
    pub(crate) fn push(&mut self, block: BlockFacts) {
        let (first, last) = block.times();
        self.min_timestamp = self.min_timestamp.min(first);
        self.max_timestamp = self.max_timestamp.max(last);
        self.min_sequence = self.min_sequence.min(block.sequences.0);
        self.max_sequence = self.max_sequence.max(block.sequences.1);
        self.rows += u64::from(block.rows);
        self.raw_bytes += block.raw_bytes;
        self.blocks.push(block);
    }

    /// Every field, with its rows, over all blocks.
    #[must_use]
    pub fn fields(&self) -> BTreeMap<&str, FieldSummaryFacts> {
        let mut fields: BTreeMap<&str, FieldSummaryFacts> = BTreeMap::new();
        let own = self.blocks.iter().flat_map(|block| &block.fields);
        for field in own.filter(|field| !field.name.starts_with('#')) {
            let numeric = field.range.is_some_and(|(least, greatest)| least <= greatest);
            let sum = fields.entry(&field.name).or_insert(FieldSummaryFacts { rows: 0, numeric: true });
            sum.rows += u64::from(field.rows);
            sum.numeric &= numeric;
        }
        fields
    }

    /// Every tag and its values, with their rows, over all blocks that list them; names with their `#`.
    #[must_use]
    pub fn tags(&self) -> BTreeMap<&str, BTreeMap<&str, u64>> {
        let mut tags: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        let own = self.blocks.iter().flat_map(|block| &block.fields);
        for tag in own.filter(|field| field.name.starts_with('#')) {
            let sums = tags.entry(&tag.name).or_default();
            for value in tag.values.iter().flatten() {
                *sums.entry(&value.value).or_default() += u64::from(value.rows);
            }
        }
        tags
    }
}

impl SegmentFacts {
    /// The facts as bytes, compressed.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.blocks.len() as u64);
        for block in &self.blocks {
            write_block(block, &mut out);
        }
        squeeze(&out, Effort::Lasting)
    }

    /// Reads back what [`SegmentFacts::write`] wrote.
    pub(super) fn read(bytes: &[u8]) -> Result<SegmentFacts, Corrupt> {
        let raw = expand(bytes)?;
        let mut reader = Reader::new(&raw);
        let mut facts = SegmentFacts::default();
        for _ in 0..reader.count_here()? {
            facts.push(read_block(&mut reader)?);
        }
        if reader.left() == 0 { Ok(facts) } else { Err(Corrupt("bytes behind the facts")) }
    }
}

fn write_block(block: &BlockFacts, out: &mut Vec<u8>) {
    put_varint(out, u64::from(block.rows));
    put_varint(out, block.raw_bytes);
    let mut before = 0i64;
    for (first, last) in &block.granule_times {
        put_signed(out, first.wrapping_sub(before));
        put_signed(out, last.wrapping_sub(*first));
        before = *last;
    }
    for value in [block.sequences.0, block.sequences.1] {
        put_varint(out, value);
    }
    put_signed(out, block.ingest.0);
    put_signed(out, block.ingest.1);
    let flags = [block.more_fields, block.key_bytes > 0, block.key_checksum.is_some()];
    out.push(flags.iter().rev().fold(0, |all, flag| all << 1 | u8::from(*flag)));
    if block.key_bytes > 0 {
        put_varint(out, u64::from(block.key_bytes));
    }
    block.key_checksum.iter().for_each(|sum| out.extend_from_slice(&sum.to_le_bytes()));
    put_varint(out, block.fields.len() as u64);
    for field in &block.fields {
        write_field(field, out);
    }
}

fn write_field(field: &FieldFacts, out: &mut Vec<u8>) {
    put_bytes(out, field.name.as_bytes());
    put_varint(out, u64::from(field.rows));
    put_varint(out, field.granules);
    let flags = [field.range.is_some(), field.values.is_some(), field.has_keys];
    out.push(flags.iter().rev().fold(0, |all, flag| all << 1 | u8::from(*flag)));
    if let Some((least, greatest)) = field.range {
        out.extend_from_slice(&least.to_le_bytes());
        out.extend_from_slice(&greatest.to_le_bytes());
    }
    if let Some(values) = &field.values {
        put_varint(out, values.len() as u64);
        for value in values {
            put_bytes(out, value.value.as_bytes());
            put_varint(out, u64::from(value.rows));
            put_varint(out, value.granules);
        }
    }
}

fn read_block(reader: &mut Reader<'_>) -> Result<BlockFacts, Corrupt> {
    let mut block = BlockFacts {
        rows: reader.count(BLOCK_ROWS_MAX)? as u32,
        raw_bytes: reader.varint()?,
        ..BlockFacts::default()
    };
    let mut before = 0i64;
    for _ in 0..(block.rows as usize).div_ceil(GRANULE_ROWS) {
        let first = before.wrapping_add(reader.signed()?);
        before = first.wrapping_add(reader.signed()?);
        block.granule_times.push((first, before));
    }
    block.sequences = (reader.varint()?, reader.varint()?);
    block.ingest = (reader.signed()?, reader.signed()?);
    let flags = reader.byte()?;
    block.more_fields = flags & 1 != 0;
    if flags & 2 != 0 {
        block.key_bytes = u32::try_from(reader.varint()?).map_err(|_| Corrupt("keys larger than a block"))?;
    }
    block.key_checksum = if flags & 4 != 0 { Some(reader.u32()?) } else { None };
    for _ in 0..reader.count_here()? {
        block.fields.push(read_field(reader)?);
    }
    Ok(block)
}

fn read_field(reader: &mut Reader<'_>) -> Result<FieldFacts, Corrupt> {
    let mut field = FieldFacts {
        name: reader.text()?.to_owned(),
        rows: reader.count(BLOCK_ROWS_MAX)? as u32,
        granules: reader.varint()?,
        ..FieldFacts::default()
    };
    let flags = reader.byte()?;
    field.has_keys = flags & 4 != 0;
    if flags & 1 != 0 {
        field.range = Some((f64::from_le_bytes(reader.array()?), f64::from_le_bytes(reader.array()?)));
    }
    if flags & 2 != 0 {
        let mut values = Vec::new();
        for _ in 0..reader.count_here()? {
            values.push(ValueFacts {
                value: reader.text()?.to_owned(),
                rows: reader.count(BLOCK_ROWS_MAX)? as u32,
                granules: reader.varint()?,
            });
        }
        field.values = Some(values);
    }
    Ok(field)
}
