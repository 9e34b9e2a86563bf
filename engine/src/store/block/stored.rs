//! The rows of a stored block taken apart again, to be written anew together with others.

use std::sync::Arc;

use weir_query::record::OrderKey;

use super::cursor::Cursor;
use super::gather::{Gather, RawText, RowHead};
use super::node::Ranks;
use super::part::{Part, TextKind};
use super::read::Block;
use super::tags::TagSets;
use super::wire::Corrupt;

/// All rows of a block, decoded.
#[derive(Debug)]
pub(crate) struct Stored {
    block: Arc<Block>,
    keys: Arc<[OrderKey]>,
    ingest: Vec<i64>,
    arrival: Vec<i64>,
    tags: Vec<i64>,
    tag_sets: TagSets,
    raw: Texts,
    attributes: Option<Texts>,
}

/// The texts of one part, and what stands in their holes.
#[derive(Debug)]
struct Texts {
    bytes: Vec<u8>,
    /// Where each row's text ends.
    ends: Vec<usize>,
    /// Where the tokens lie, row after row.
    tokens: Vec<(u32, u32)>,
    /// Where each row's tokens end.
    token_ends: Vec<usize>,
    ranks: Arc<Ranks>,
}

impl Texts {
    fn read(block: &Block, part: &Part) -> Result<Texts, Corrupt> {
        let all = 0..block.rows();
        let mut texts = Texts {
            bytes: Vec::new(),
            ends: Vec::with_capacity(all.len()),
            tokens: Vec::new(),
            token_ends: Vec::with_capacity(all.len()),
            ranks: part.skeletons()?.ranks(block.body())?,
        };
        let Cursor::Skeletons(mut cursor) = block.open(part, all.clone())? else {
            return Err(Corrupt("part without skeletons"));
        };
        for _ in all {
            cursor.next_parts(&mut texts.bytes, &mut texts.tokens)?;
            texts.ends.push(texts.bytes.len());
            texts.token_ends.push(texts.tokens.len());
        }
        Ok(texts)
    }

    fn text(&self, row: usize) -> &[u8] {
        self.bytes.get(before(&self.ends, row)..end(&self.ends, row)).unwrap_or_default()
    }

    fn tokens(&self, row: usize) -> Vec<&[u8]> {
        let spans = self.tokens.get(before(&self.token_ends, row)..end(&self.token_ends, row));
        let text =
            |(start, end): &(u32, u32)| self.bytes.get(*start as usize..*end as usize).unwrap_or_default();
        spans.unwrap_or_default().iter().map(text).collect()
    }

    fn code(&self, row: usize) -> usize {
        self.ranks.codes.get(row).map_or(usize::MAX, |code| *code as usize)
    }
}

fn before(ends: &[usize], row: usize) -> usize {
    row.checked_sub(1).map_or(0, |row| end(ends, row))
}

fn end(ends: &[usize], row: usize) -> usize {
    ends.get(row).copied().unwrap_or(0)
}

impl Stored {
    /// Decodes all rows of `block`.
    pub(crate) fn read(block: Arc<Block>) -> Result<Stored, Corrupt> {
        let all = 0..block.rows();
        Ok(Stored {
            keys: block.keys()?,
            ingest: block.ingest(all.clone())?,
            arrival: block.arrival(all.clone())?,
            tags: block.tag_codes(all)?,
            tag_sets: block.tag_sets()?,
            raw: Texts::read(&block, &block.raw)?,
            attributes: block.attributes.as_ref().map(|part| Texts::read(&block, part)).transpose()?,
            block,
        })
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> usize {
        self.keys.len()
    }

    /// The place of a row in the order of events.
    pub(crate) fn key(&self, row: usize) -> OrderKey {
        self.keys.get(row).copied().unwrap_or_default()
    }

    /// The raw bytes of a row.
    pub(crate) fn raw(&self, row: usize) -> &[u8] {
        self.raw.text(row)
    }

    /// Adds a row to a block to be; `source` numbers this block.
    pub(crate) fn push<'a>(&'a self, row: usize, source: usize, gather: &mut Gather<'a>) {
        let at = |values: &[i64]| values.get(row).copied().unwrap_or(0);
        let tags = gather.stored_tags(source, at(&self.tags) as usize, &self.tag_sets);
        let head =
            RowHead { key: self.key(row), ingest: at(&self.ingest), arrival: at(&self.arrival) != 0, tags };
        let kind = |part: &Part, code: usize| part.kinds.get(code).copied().unwrap_or(TextKind::None);
        let attributes = self.attributes.as_ref().zip(self.block.attributes.as_ref());
        let attributes = attributes.filter(|(texts, part)| kind(part, texts.code(row)) != TextKind::None);
        let attributes = attributes.map(|(texts, part)| {
            let code = gather.stored_code(source, texts.code(row), part, false);
            (code, texts.text(row), texts.tokens(row))
        });
        let attributes = attributes.as_ref().map(|(code, text, tokens)| (*code, *text, tokens.as_slice()));
        match kind(&self.block.raw, self.raw.code(row)) {
            TextKind::Json => {
                let code = gather.stored_code(source, self.raw.code(row), &self.block.raw, true);
                let tokens = self.raw.tokens(row);
                gather.push_stored(&head, self.raw.text(row), RawText::Json(code, &tokens), attributes);
            }
            kind => gather.push_stored(&head, self.raw.text(row), RawText::Whole(kind), attributes),
        }
    }
}
