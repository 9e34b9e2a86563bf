//! Whether a block that was written reads back as what was gathered.
//!
//! That every text is its skeleton with its tokens in the holes was seen when it was gathered; so a block comes back
//! when its skeletons, the skeleton of each row and the values of each column do. That is a third of the work of
//! making every row anew, and finds as much.

use super::Block;
use super::bytes::Bytes;
use super::cursor::Cursor;
use super::gather::Gather;
use super::part::{Part, PartInput};
use super::section::Source;
use super::wire::Corrupt;

/// Whether `bytes`, read as a block, are the rows of `gather`, with `tags` the part of its sets of tags.
pub(crate) fn comes_back(gather: &Gather<'_>, tags: &PartInput, bytes: Vec<u8>) -> bool {
    let Ok(block) = Block::parse(Bytes::new(bytes)) else { return false };
    gather.is_whole
        && heads(&block, gather) == Ok(true)
        && block.tag_part().is_some_and(|part| is_same(part, tags, block.body(), &[]) == Ok(true))
        && texts(&block, gather) == Ok(true)
}

/// What rows have besides their texts.
fn heads(block: &Block, gather: &Gather<'_>) -> Result<bool, Corrupt> {
    let keys = block.keys()?;
    let given = gather.times.iter().zip(&gather.sequences);
    let keys =
        keys.iter().map(|key| (key.nanos, key.sequence as i64)).eq(given.map(|(time, at)| (*time, *at)));
    let rows = || 0..gather.times.len();
    Ok(block.rows() == gather.times.len()
        && block.raw_bytes() == gather.raw_bytes
        && keys
        && block.tag_codes(rows())? == gather.tag_codes
        && block.ingest(rows())? == gather.ingest
        && block.arrival(rows())? == gather.arrival)
}

fn texts(block: &Block, gather: &Gather<'_>) -> Result<bool, Corrupt> {
    let raw = is_same(&block.raw, &gather.raw, block.body(), &gather.times)?;
    let attributes = match &block.attributes {
        Some(part) => is_same(part, &gather.attributes, block.body(), &gather.times)?,
        None => gather.attributes.is_empty(),
    };
    Ok(raw && attributes)
}

/// Whether `part` is what was gathered as `input`, of rows at `times`.
fn is_same(part: &Part, input: &PartInput, body: Source<'_>, times: &[i64]) -> Result<bool, Corrupt> {
    let skeletons = part.skeletons()?;
    let same = part.places == input.places
        && part.escaped == input.escaped
        && part.kinds == input.kinds
        && skeletons.skeletons == input.skeletons
        && skeletons.columns.len() == input.columns.len();
    let ranks = skeletons.ranks(body)?;
    if !same || ranks.codes != input.codes {
        return Ok(false);
    }
    for ((column, values), index) in skeletons.columns.iter().zip(&input.columns).zip(0..) {
        let own = column.is_relative().then(|| skeletons.times_of(index, &ranks.codes, times));
        if column.count != values.len() {
            return Ok(false);
        }
        if !values.are_those_of(Cursor::open(column, body, 0..column.count, own.as_deref())?)? {
            return Ok(false);
        }
    }
    Ok(true)
}
