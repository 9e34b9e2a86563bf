//! From batches to the bytes of a block.
//!
//! Rows are ordered by (timestamp, sequence) and cut into blocks; what each row is made of goes into columns; the
//! columns are written; the block is read back and compared, value by value; only then is it handed out. A block that
//! would not come back the same is written again with its texts as they are, then in halves, down to a single row
//! without fields. Nothing is handed out that was not read back.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use weir_query::record::OrderKey;

use super::encode::{self, Kept};
use super::gather::Gather;
use super::learn::{facts_of, put_keys};
use super::part::PartInput;
use super::section::Body;
use super::wire::put_signed;
use super::{BLOCK_RAW_BYTES_MAX, BLOCK_ROWS_MAX, BlockFacts, tags, verify};
use crate::event::EventBatch;
use crate::index::gram::GramMap;

/// First bytes of a block.
pub(crate) const MAGIC: [u8; 4] = *b"WBK2";
/// First bytes of a block of the first version: its tags are texts, and it has no keys.
pub(crate) const FIRST_MAGIC: [u8; 4] = *b"WBK1";
/// Bytes in front of the directory: magic, rows, raw bytes, length of the directory raw and stored, of the keys.
pub(crate) const HEAD_BYTES: usize = FIRST_HEAD_BYTES + 4;
/// The same in a block of the first version.
pub(crate) const FIRST_HEAD_BYTES: usize = 4 + 4 + 8 + 4 + 4;
/// Divisors of times, largest first: most clocks do not tick in nanoseconds.
const TIME_UNITS: [i64; 3] = [1_000_000_000, 1_000_000, 1_000];

/// A block as bytes, with all a segment needs to know about it.
#[derive(Debug)]
pub struct EncodedBlock {
    /// The bytes of the block.
    pub bytes: Vec<u8>,
    /// What is known about its rows.
    pub facts: BlockFacts,
    /// The grams of every granule.
    pub grams: Vec<GramMap>,
}

/// Orders the rows of `batches` by (timestamp, sequence), cuts them into blocks and encodes each, oldest first.
/// Bounded memory: `each` gets one block at a time.
///
/// # Errors
/// Whatever `each` answers, or a row that does not come back in any form.
pub fn encode_blocks(
    batches: &[Arc<EventBatch>],
    mut each: impl FnMut(EncodedBlock) -> io::Result<()>,
) -> io::Result<()> {
    let mut rows: Vec<(OrderKey, u32, u32)> =
        Vec::with_capacity(batches.iter().map(|batch| batch.len()).sum());
    for (index, batch) in batches.iter().enumerate() {
        rows.extend((0..batch.len()).map(|row| (batch.order_key(row), index as u32, row as u32)));
    }
    // A stable sort runs through what is in order already, as most is.
    rows.sort();
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let raw_len = |(_, batch, row): &(OrderKey, u32, u32)| {
            batches.get(*batch as usize).map_or(0, |batch| batch.raw(*row as usize).len())
        };
        let (own, others) = rest.split_at_checked(cut(rest.iter().map(raw_len))).unwrap_or((rest, &[]));
        rest = others;
        encode_rows(own, &|row, gather| push_event(batches, row, gather), &mut each)?;
    }
    Ok(())
}

fn push_event<'a>(
    batches: &'a [Arc<EventBatch>],
    (key, batch, row): &(OrderKey, u32, u32),
    gather: &mut Gather<'a>,
) {
    if let Some(events) = batches.get(*batch as usize) {
        gather.push_event(*key, events, *batch as usize, *row as usize);
    }
}

/// Encodes rows, in order, as one block if that can be read back, or else as several. `push` adds one of them.
///
/// # Errors
/// Whatever `each` answers, or a row that does not come back in any form.
pub(crate) fn encode_rows<'a, R>(
    rows: &[R],
    push: &dyn Fn(&R, &mut Gather<'a>),
    each: &mut dyn FnMut(EncodedBlock) -> io::Result<()>,
) -> io::Result<()> {
    let mut pieces = vec![rows];
    while let Some(piece) = pieces.pop() {
        let mut gather = Gather::new();
        let mut fits = 0;
        for row in piece {
            push(row, &mut gather);
            if fits > 0 && gather.is_over() {
                break;
            }
            fits += 1;
        }
        let split = if fits < piece.len() {
            fits
        } else if let Some(block) = finish(gather) {
            each(block)?;
            continue;
        } else {
            piece.len() / 2
        };
        match piece.split_at_checked(split) {
            Some((first, second)) if !first.is_empty() => pieces.extend([second, first]),
            _ => each(finish_opaque(piece, push)?)?,
        }
    }
    Ok(())
}

/// The last resort for a row: its texts without their fields.
pub(crate) fn finish_opaque<'a, R>(
    rows: &[R],
    push: &dyn Fn(&R, &mut Gather<'a>),
) -> io::Result<EncodedBlock> {
    tracing::warn!("an event cannot be stored with its fields; its text is kept without them");
    let mut gather = Gather::opaque();
    rows.iter().for_each(|row| push(row, &mut gather));
    finish(gather).ok_or_else(|| io::Error::other("an event does not come back as it was in any form"))
}

/// How many of the rows with these raw lengths make one block; at least one.
pub(crate) fn cut(lengths: impl Iterator<Item = usize>) -> usize {
    let (mut rows, mut bytes) = (0, 0usize);
    for len in lengths {
        bytes = bytes.saturating_add(len);
        if rows == BLOCK_ROWS_MAX || rows > 0 && bytes > BLOCK_RAW_BYTES_MAX {
            break;
        }
        rows += 1;
    }
    rows.max(1)
}

/// Writes what was gathered; `None` when it does not come back in either form.
fn finish(mut gather: Gather<'_>) -> Option<EncodedBlock> {
    if let Some(block) = finish_as(&mut gather, false) {
        return Some(block);
    }
    #[cfg(test)]
    super::tests::fell_back();
    tracing::warn!("a block did not come back as it was; its texts are kept as they are");
    finish_as(&mut gather, true)
}

/// Writes what was gathered, `plain` with its texts as they are; `None` when it does not come back. A panic is a form
/// that does not come back, too: the next, simpler one is tried.
pub(crate) fn finish_as(gather: &mut Gather<'_>, plain: bool) -> Option<EncodedBlock> {
    let written = catch_unwind(AssertUnwindSafe(|| {
        let tags = gather.tag_sets.part();
        let (mut bytes, kept) = write(gather, &tags, plain);
        let mut facts = facts_of(gather, &kept);
        facts.key_bytes = append_keys(&mut bytes, gather, &facts);
        verify::comes_back(gather, &tags, bytes.clone()).then_some((facts, bytes))
    }));
    let (facts, bytes) = written.ok().flatten()?;
    Some(EncodedBlock { bytes, facts, grams: std::mem::take(&mut gather.grams).into_maps() })
}

/// What became of the columns of the raw texts and of the attributes.
pub(crate) type KeptParts<'a> = (Vec<Kept<'a>>, Vec<Kept<'a>>);

/// Appends the keys of its tags to a block, and says in its head how many bytes they take.
fn append_keys(block: &mut Vec<u8>, gather: &Gather<'_>, facts: &BlockFacts) -> u32 {
    let end = block.len();
    put_keys(gather, facts, block);
    let len = (block.len() - end) as u32;
    if let Some(slot) = block.get_mut(FIRST_HEAD_BYTES..HEAD_BYTES) {
        slot.copy_from_slice(&len.to_le_bytes());
    }
    len
}

pub(super) fn write<'g>(gather: &'g Gather<'_>, tags: &PartInput, plain: bool) -> (Vec<u8>, KeptParts<'g>) {
    let mut body = Body::new();
    write_times(&mut body, &gather.times);
    encode::packed(&mut body, &gather.sequences);
    encode::packed(&mut body, &gather.ingest);
    encode::packed(&mut body, &gather.arrival);
    tags::write(tags, &mut body, plain);
    encode::packed(&mut body, &gather.tag_codes);
    let raw = gather.raw.write(&mut body, Some(&gather.times), plain);
    let attributes = write_attributes(&mut body, &gather.attributes, &gather.times, plain);
    body.put_pool();
    let directory_len = body.directory.len() as u32;
    let directory = body.pack_directory();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + directory.len() + body.bytes.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&(gather.times.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&gather.raw_bytes.to_le_bytes());
    bytes.extend_from_slice(&directory_len.to_le_bytes());
    bytes.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; HEAD_BYTES - FIRST_HEAD_BYTES]);
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(&body.bytes);
    (bytes, (raw, attributes))
}

fn write_times(body: &mut Body, times: &[i64]) {
    let unit = TIME_UNITS.into_iter().find(|unit| times.iter().all(|time| time % unit == 0)).unwrap_or(1);
    put_signed(&mut body.directory, unit);
    let scaled: Vec<i64> = times.iter().map(|time| time / unit).collect();
    encode::packed(body, &scaled);
}

fn write_attributes<'a>(
    body: &mut Body,
    attributes: &'a PartInput,
    times: &[i64],
    plain: bool,
) -> Vec<Kept<'a>> {
    body.directory.push(u8::from(!attributes.is_empty()));
    if attributes.is_empty() { Vec::new() } else { attributes.write(body, Some(times), plain) }
}
