//! The rows of a block to be, in order, taken apart into parts.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{HashMap, HashSet, HashTable};
use weir_query::record::OrderKey;

use super::BLOCK_RAW_BYTES_MAX;
use super::grams::Grams;
use super::part::{Part, PartInput, TextKind};
use super::tags::{TAG_CELLS_MAX, TagSets, put_tag};
use crate::event::json::unescape_into;
use crate::event::{EventBatch, Shape, TagSet};

/// Paths, skeletons and tags of a block take about this much of its directory, unless it is one row. It must be read
/// whole to read anything, and no more than `SECTION_BYTES_MAX` of it is.
const DIRECTORY_BYTES_MAX: usize = 32 << 20;
/// Most columns of a block, unless it is one row; well below `COLUMNS_MAX`, which is what a reader takes.
const COLUMNS_GATHERED_MAX: usize = 1 << 17;
/// Attributes of a block, as written, unless it is one row.
const ATTRIBUTE_BYTES_MAX: usize = BLOCK_RAW_BYTES_MAX;

/// Rows of a block to be.
pub(crate) struct Gather<'a> {
    pub(crate) times: Vec<i64>,
    pub(crate) sequences: Vec<i64>,
    pub(crate) ingest: Vec<i64>,
    /// 1 where the timestamp is the time of arrival for want of another.
    pub(crate) arrival: Vec<i64>,
    pub(crate) tag_sets: TagSets,
    pub(crate) tag_codes: Vec<i64>,
    pub(crate) raw: PartInput,
    pub(crate) attributes: PartInput,
    pub(crate) raw_bytes: u64,
    pub(crate) grams: Grams<'a>,
    /// Skeletons of the shapes of sources, by source and number.
    shape_codes: HashMap<(usize, usize, bool), u32, foldhash::fast::FixedState>,
    tag_set_codes: HashMap<(usize, usize), i64, foldhash::fast::FixedState>,
    /// Numbers of sets of tags, by what is in them.
    known_tags: HashTable<usize>,
    scratch: String,
    /// Texts are kept without their fields.
    is_opaque: bool,
    /// Every text is its skeleton with its tokens in the holes; else no form of them comes back.
    pub(crate) is_whole: bool,
    /// The tokens of the row at hand.
    tokens: Vec<&'a [u8]>,
    attribute_bytes: usize,
    tag_bytes: usize,
    tag_names: HashSet<String, foldhash::fast::FixedState>,
}

/// The text of a row: with fields, or without.
pub(crate) enum RawText<'t, 'a> {
    /// A JSON object: its skeleton's number, and what stands in the holes.
    Json(u32, &'t [&'a [u8]]),
    /// Text or bytes without fields.
    Whole(TextKind),
}

/// A JSON text of another block: its skeleton's number here, the text, and what stands in the holes.
pub(crate) type StoredText<'t, 'a> = (u32, &'a [u8], &'t [&'a [u8]]);

/// What a row has besides its texts.
pub(crate) struct RowHead {
    pub(crate) key: OrderKey,
    pub(crate) ingest: i64,
    pub(crate) arrival: bool,
    pub(crate) tags: i64,
}

impl<'a> Gather<'a> {
    pub(crate) fn new() -> Gather<'a> {
        Gather {
            times: Vec::new(),
            sequences: Vec::new(),
            ingest: Vec::new(),
            arrival: Vec::new(),
            tag_sets: TagSets::default(),
            tag_codes: Vec::new(),
            raw: PartInput::new(),
            attributes: PartInput::new(),
            raw_bytes: 0,
            grams: Grams::default(),
            shape_codes: HashMap::default(),
            tag_set_codes: HashMap::default(),
            known_tags: HashTable::new(),
            scratch: String::new(),
            is_opaque: false,
            is_whole: true,
            tokens: Vec::new(),
            attribute_bytes: 0,
            tag_bytes: 0,
            tag_names: HashSet::default(),
        }
    }

    /// Rows whose texts are kept without their fields.
    pub(crate) fn opaque() -> Gather<'a> {
        Gather { is_opaque: true, ..Gather::new() }
    }

    /// The block would be larger, beside the raw texts, than is good to read.
    pub(crate) fn is_over(&self) -> bool {
        let directory_bytes = self.raw.directory_bytes + self.attributes.directory_bytes + self.tag_bytes;
        directory_bytes > DIRECTORY_BYTES_MAX
            || self.raw.places.len() > COLUMNS_GATHERED_MAX
            || self.attributes.places.len() > COLUMNS_GATHERED_MAX
            || self.attribute_bytes > ATTRIBUTE_BYTES_MAX
            || self.tag_sets.len().saturating_mul(self.tag_names.len()) > TAG_CELLS_MAX
    }

    /// Adds an event of a batch; `source` numbers the batch.
    pub(crate) fn push_event(&mut self, key: OrderKey, batch: &'a EventBatch, source: usize, row: usize) {
        let tags = self.batch_tags(batch, source, row);
        let arrival = batch.has_arrival_timestamp(row);
        let head = RowHead { key, ingest: batch.ingest_nanos_of(row), arrival, tags };
        if self.is_opaque {
            let kind = if batch.is_utf8(row) { TextKind::Text } else { TextKind::Bytes };
            let attributes = batch.attributes(row).map(|part| part.text().as_bytes());
            return self.push_opaque(&head, batch.raw(row), kind, attributes);
        }
        let attributes = batch.attributes(row).map(|part| {
            let code = self.code_of(source, part.shape_index(), part.shape(), false);
            (code, part.text().as_bytes(), move || part.token_bytes())
        });
        let raw = batch.raw(row);
        match batch.json(row) {
            Some(part) => {
                let code = self.code_of(source, part.shape_index(), part.shape(), true);
                let escapes = memchr::memchr(b'\\', raw).is_some();
                self.push_head(&head, raw, attributes);
                self.push_json(raw, code, part.token_bytes());
                if escapes {
                    self.note_escapes(code, part.token_bytes(), true);
                }
            }
            None => {
                let kind = if batch.is_utf8(row) { TextKind::Text } else { TextKind::Bytes };
                self.push_head(&head, raw, attributes);
                self.push_whole(raw, kind);
            }
        }
    }

    /// Adds the raw text of a row: what stands in the holes of skeleton `code`.
    fn push_json(&mut self, raw: &[u8], code: u32, tokens: impl Iterator<Item = &'a [u8]>) {
        self.tokens.clear();
        self.tokens.extend(tokens);
        match self.raw.skeletons.get(code as usize) {
            Some(skeleton) if skeleton.makes(raw, &self.tokens) => {
                self.grams.add_filled(raw, code, skeleton, &self.tokens);
            }
            _ => self.is_whole = false,
        }
        self.raw.push_json(code, &self.tokens);
    }

    /// Adds the raw text of a row without fields.
    fn push_whole(&mut self, raw: &[u8], kind: TextKind) {
        match kind {
            TextKind::Bytes => self.grams.add(String::from_utf8_lossy(raw).as_bytes()),
            _ => self.grams.add(raw),
        }
        self.raw.push_whole(raw, kind);
    }

    /// Adds a row of another block.
    pub(crate) fn push_stored(
        &mut self,
        head: &RowHead,
        raw: &'a [u8],
        text: RawText<'_, 'a>,
        attributes: Option<StoredText<'_, 'a>>,
    ) {
        if self.is_opaque {
            let kind = match text {
                RawText::Json(..) => TextKind::Text,
                RawText::Whole(kind) => kind,
            };
            return self.push_opaque(head, raw, kind, attributes.map(|(_, text, _)| text));
        }
        let attributes = attributes.map(|(code, text, tokens)| (code, text, || tokens.iter().copied()));
        self.push_head(head, raw, attributes);
        match text {
            RawText::Json(code, tokens) => {
                self.push_json(raw, code, tokens.iter().copied());
                if memchr::memchr(b'\\', raw).is_some() {
                    self.note_escapes(code, tokens.iter().copied(), true);
                }
            }
            RawText::Whole(kind) => self.push_whole(raw, kind),
        }
    }

    /// Adds a row, its texts without their fields.
    fn push_opaque(&mut self, head: &RowHead, raw: &'a [u8], kind: TextKind, attributes: Option<&'a [u8]>) {
        let code = attributes.map(|text| (self.attributes.whole(TextKind::Text), text));
        self.push_head(head, raw, code.map(|(code, text)| (code, text, move || std::iter::once(text))));
        self.push_whole(raw, kind);
    }

    /// The number of a set of tags, as [`put_tag`] makes it.
    fn tags(&mut self, set: &[u8]) -> i64 {
        let hash = |set: &[u8]| foldhash::fast::FixedState::default().hash_one(set);
        let sets = &self.tag_sets;
        let is_same = |known: &usize| sets.get(*known) == set;
        match self.known_tags.entry(hash(set), is_same, |known| hash(sets.get(*known))) {
            Entry::Occupied(known) => return *known.get() as i64,
            Entry::Vacant(place) => drop(place.insert(sets.len())),
        }
        self.tag_bytes += set.len();
        self.tag_sets.push(set);
        let number = self.tag_sets.len() - 1;
        for (name, _) in self.tag_sets.tags(number) {
            if !self.tag_names.contains(name) {
                self.tag_names.insert(name.to_owned());
            }
        }
        number as i64
    }

    /// The number here of tag set `code` of another block.
    pub(crate) fn stored_tags(&mut self, source: usize, code: usize, sets: &TagSets) -> i64 {
        if let Some(code) = self.tag_set_codes.get(&(source, code)) {
            return *code;
        }
        let own = self.tags(sets.get(code));
        self.tag_set_codes.insert((source, code), own);
        own
    }

    fn batch_tags(&mut self, batch: &EventBatch, source: usize, row: usize) -> i64 {
        let index = batch.tag_set_index(row).unwrap_or(usize::MAX);
        if let Some(code) = self.tag_set_codes.get(&(source, index)) {
            return *code;
        }
        let set = batch.tag_set(row).map_or_else(TagSet::none, Arc::clone);
        let mut tags: Vec<(&str, &str)> = set.iter().collect();
        if let Some(repository) = batch.repository() {
            tags.retain(|(name, _)| *name != "#repo");
            let at = tags.partition_point(|(name, _)| *name < "#repo");
            tags.insert(at, ("#repo", repository));
        }
        let mut own = Vec::new();
        tags.iter().for_each(|(name, value)| put_tag(&mut own, name, value));
        let code = self.tags(&own);
        self.tag_set_codes.insert((source, index), code);
        code
    }

    /// The number here of skeleton `code` of a part of another block.
    pub(crate) fn stored_code(&mut self, source: usize, code: usize, part: &Part, raw: bool) -> u32 {
        let own = if raw { &mut self.raw } else { &mut self.attributes };
        if self.is_opaque {
            return 0;
        }
        *self.shape_codes.entry((source, code, raw)).or_insert_with(|| match part.kinds.get(code) {
            Some(TextKind::Json) | None => own.adopt(part, code),
            Some(kind) => own.whole(*kind),
        })
    }

    fn code_of(&mut self, source: usize, index: usize, shape: &Shape, raw: bool) -> u32 {
        let part = if raw { &mut self.raw } else { &mut self.attributes };
        *self.shape_codes.entry((source, index, raw)).or_insert_with(|| part.shape(shape))
    }

    fn push_head<I: Iterator<Item = &'a [u8]>>(
        &mut self,
        head: &RowHead,
        raw: &'a [u8],
        attributes: Option<(u32, &'a [u8], impl Fn() -> I)>,
    ) {
        self.grams.start_row(self.times.len());
        self.times.push(head.key.nanos);
        self.sequences.push(head.key.sequence as i64);
        self.ingest.push(head.ingest);
        self.arrival.push(i64::from(head.arrival));
        self.tag_codes.push(head.tags);
        self.raw_bytes += raw.len() as u64;
        match attributes {
            Some((code, text, tokens)) => {
                self.tokens.clear();
                self.tokens.extend(tokens());
                let skeleton = self.attributes.skeletons.get(code as usize);
                self.is_whole &= skeleton.is_some_and(|skeleton| skeleton.makes(text, &self.tokens));
                self.attributes.push_json(code, &self.tokens);
                self.attribute_bytes += text.len();
                self.tokens.iter().for_each(|token| self.grams.add(token));
                if memchr::memchr(b'\\', text).is_some() {
                    self.note_escapes(code, tokens(), false);
                }
            }
            None => self.attributes.push_none(),
        }
    }

    /// Looks for tokens with escapes: their columns are marked, and what they mean is searched for as well.
    fn note_escapes(&mut self, code: u32, tokens: impl Iterator<Item = &'a [u8]>, raw: bool) {
        let part = if raw { &mut self.raw } else { &mut self.attributes };
        for (hole, token) in tokens.enumerate() {
            if memchr::memchr(b'\\', token).is_none() {
                continue;
            }
            part.mark_escaped(code, hole);
            self.scratch.clear();
            let token = std::str::from_utf8(token).unwrap_or_default();
            if unescape_into(token, &mut self.scratch).is_ok() {
                self.grams.add(self.scratch.as_bytes());
            }
        }
    }
}
