//! Events of one arrival, held together: immutable, cheap to clone, no allocation a field.
//!
//! ```text
//! arena   [raw 0][attributes 0][unescaped values 0][raw 1]...      one String
//! rows    {timestamp, raw, attributes, shapes, first value, ...}   one entry an event
//! values  [spans of row 0: raw's holes, then attributes' holes][row 1]...
//! escaped [(value, span of the token as written)]                  only where it differs
//! ```
//!
//! It never changes once built; the sequence and the repository are given to a clone that shares everything.

use std::sync::{Arc, LazyLock, OnceLock};

use weir_query::record::{OrderKey, TextSpan};

use super::codes::BatchCodes;
use super::grams::BatchGrams;
use super::join::Arrival;
use super::shape::Shape;
use super::tags::TagSet;

/// Events that arrived together, in arrival order.
#[derive(Clone, Debug)]
pub struct EventBatch {
    pub(super) data: Arc<BatchData>,
    pub(super) base_sequence: u64,
    pub(super) repository: Option<Arc<str>>,
    pub(super) order: OnceLock<Arc<[OrderKey]>>,
    /// From the least timestamp to the greatest, and whether they ascend.
    pub(super) times: OnceLock<(i64, i64, bool)>,
    pub(super) grams: OnceLock<BatchGrams>,
    pub(super) codes: Arc<BatchCodes>,
    /// Of what was sent, where a parser made these events of it.
    pub(super) content: Option<u32>,
}

/// What clones of a batch share.
#[derive(Debug, Default)]
pub(super) struct BatchData {
    pub arena: Arc<String>,
    pub rows: Vec<Row>,
    pub values: Vec<TextSpan>,
    pub escaped: Vec<Escaped>,
    pub shapes: Vec<Arc<Shape>>,
    pub tag_sets: Vec<Arc<TagSet>>,
    pub side: Vec<u8>,
    pub side_rows: Vec<SideRow>,
    pub raw_bytes: usize,
    /// When it arrived; the first of those joined.
    pub ingest_nanos: i64,
    /// The batches it was joined of, by row; none when it is as it arrived.
    pub arrivals: Vec<Arrival>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Nanoseconds since the epoch.
    pub timestamp: i64,
    /// In the arena: the raw text, or its lossy form when the bytes are beside it.
    pub raw: TextSpan,
    /// In the arena; missing when there are none.
    pub attributes: TextSpan,
    /// Shape of the raw text; [`NO_SHAPE`] when no fields come from it.
    pub raw_shape: u32,
    /// Shape of the attributes; [`NO_SHAPE`] when there are none.
    pub attributes_shape: u32,
    /// The first of this row's values.
    pub first_value: u32,
    pub tag_set: u32,
    /// The timestamp is the time of arrival, as the event has none of its own.
    pub arrival: bool,
    /// The raw bytes are not UTF-8 and lie in the side bytes.
    pub side: bool,
}

/// No shape: fields do not come from this text.
pub(super) const NO_SHAPE: u32 = u32::MAX;

/// A value whose token is written with escapes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Escaped {
    /// Which of the batch's values.
    pub value: u32,
    /// The token as written.
    pub token: TextSpan,
}

/// Where the raw bytes of a row that is not UTF-8 lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct SideRow {
    pub row: u32,
    pub start: u32,
    pub len: u32,
}

/// What batches without events share.
static NOTHING: LazyLock<Arc<BatchData>> = LazyLock::new(Arc::default);

impl Default for EventBatch {
    fn default() -> EventBatch {
        EventBatch::of(Arc::clone(&NOTHING), 0, None)
    }
}

impl EventBatch {
    /// A batch of these events.
    pub(super) fn of(data: Arc<BatchData>, base_sequence: u64, repository: Option<Arc<str>>) -> EventBatch {
        EventBatch {
            data,
            base_sequence,
            repository,
            order: OnceLock::new(),
            times: OnceLock::new(),
            grams: OnceLock::new(),
            codes: Arc::default(),
            content: None,
        }
    }

    /// How many events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.rows.len()
    }

    /// There are no events.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.rows.is_empty()
    }

    /// The raw bytes of an event, as they came; empty when there is no such row.
    #[must_use]
    pub fn raw(&self, row: usize) -> &[u8] {
        let Some(found) = self.data.rows.get(row) else { return &[] };
        if !found.side {
            return self.text(found.raw).as_bytes();
        }
        let at = self.data.side_rows.partition_point(|side| (side.row as usize) < row);
        let Some(side) = self.data.side_rows.get(at) else { return &[] };
        self.data.side.get(side.start as usize..(side.start + side.len) as usize).unwrap_or_default()
    }

    /// The raw text of an event: its bytes, or their lossy form when they are not UTF-8.
    #[must_use]
    pub fn raw_text(&self, row: usize) -> &str {
        self.data.rows.get(row).map_or("", |row| self.text(row.raw))
    }

    /// Whether the raw bytes are UTF-8, so that [`EventBatch::raw_text`] is exactly them.
    #[must_use]
    pub fn is_utf8(&self, row: usize) -> bool {
        self.data.rows.get(row).is_none_or(|row| !row.side)
    }

    /// Raw bytes of all events together.
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.data.raw_bytes
    }

    /// Event time in nanoseconds since the epoch; 0 when there is no such row.
    #[must_use]
    pub fn timestamp(&self, row: usize) -> i64 {
        self.data.rows.get(row).map_or(0, |row| row.timestamp)
    }

    /// The earliest and the latest event time, and whether the events are in the order of their times; found once.
    #[must_use]
    pub fn times(&self) -> (i64, i64, bool) {
        *self.times.get_or_init(|| {
            let times = self.data.rows.iter().map(|row| row.timestamp);
            times.fold((i64::MAX, i64::MIN, true), |(least, greatest, ascend), nanos| {
                (least.min(nanos), greatest.max(nanos), ascend && greatest <= nanos)
            })
        })
    }

    /// Whether the timestamp is the time of arrival because the event has none of its own.
    #[must_use]
    pub fn has_arrival_timestamp(&self, row: usize) -> bool {
        self.data.rows.get(row).is_some_and(|row| row.arrival)
    }

    /// The tags of an event.
    #[must_use]
    pub fn tag_set(&self, row: usize) -> Option<&Arc<TagSet>> {
        self.data.tag_sets.get(self.data.rows.get(row)?.tag_set as usize)
    }

    /// The different tag sets of the batch.
    #[must_use]
    pub fn tag_sets(&self) -> &[Arc<TagSet>] {
        &self.data.tag_sets
    }

    /// Which of [`EventBatch::tag_sets`] an event has.
    #[must_use]
    pub fn tag_set_index(&self, row: usize) -> Option<usize> {
        self.data.rows.get(row).map(|row| row.tag_set as usize)
    }

    /// The raw text of an event as shape and tokens, when its fields come from it.
    #[must_use]
    pub fn json(&self, row: usize) -> Option<Part<'_>> {
        let row = self.data.rows.get(row)?;
        Part::new(&self.data, row.raw, row.raw_shape, row.first_value)
    }

    /// The attributes beside the raw text, as shape and tokens.
    #[must_use]
    pub fn attributes(&self, row: usize) -> Option<Part<'_>> {
        let row = self.data.rows.get(row)?;
        let before = self.data.shapes.get(row.raw_shape as usize).map_or(0, |shape| shape.holes());
        Part::new(&self.data, row.attributes, row.attributes_shape, row.first_value + before as u32)
    }

    /// The different shapes of raw texts and attributes; [`Part::shape_index`] counts in them.
    #[must_use]
    pub fn shapes(&self) -> &[Arc<Shape>] {
        &self.data.shapes
    }

    /// The same events, numbered from `base`: the sequence of row `i` is `base + i`. For a batch as it arrived; a joined
    /// one keeps its numbers.
    #[must_use]
    pub fn with_sequence(&self, base: u64) -> EventBatch {
        EventBatch::of(Arc::clone(&self.data), base, self.repository.clone())
    }

    /// This batch, as it is published: numbered from `base` and of this repository.
    #[must_use]
    pub(crate) fn numbered(self, base: u64, repository: &Arc<str>) -> EventBatch {
        let repository = Some(Arc::clone(repository));
        EventBatch { base_sequence: base, repository, order: OnceLock::new(), ..self }
    }

    /// The same events, said to be of this repository: the tag `#repo`.
    #[must_use]
    pub fn with_repository(&self, repository: &Arc<str>) -> EventBatch {
        EventBatch { repository: Some(Arc::clone(repository)), ..self.clone() }
    }

    /// The same events, known by the content `crc` of those that a parser made them of: what is sent again is then known
    /// again, whatever became of the parser meanwhile.
    #[must_use]
    pub fn with_content_crc(&self, crc: u32) -> EventBatch {
        EventBatch { content: Some(crc), ..self.clone() }
    }

    /// The repository they are said to be of.
    #[must_use]
    pub fn repository(&self) -> Option<&Arc<str>> {
        self.repository.as_ref()
    }

    /// The sequence of the first event.
    #[must_use]
    pub fn base_sequence(&self) -> u64 {
        self.base_sequence
    }

    /// The place of an event in the order of all events.
    #[must_use]
    pub fn order_key(&self, row: usize) -> OrderKey {
        OrderKey { nanos: self.timestamp(row), sequence: self.sequence(row) }
    }

    /// When the batch arrived, nanoseconds since the epoch; the first of those it was joined of.
    #[must_use]
    pub fn ingest_nanos(&self) -> i64 {
        self.data.ingest_nanos
    }

    /// Bytes of memory held by what clones share. Shapes are counted in full, with their paths and the counts of their
    /// `Arc`, though batches may share them.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let data = &*self.data;
        size_of::<BatchData>()
            + data.arena.capacity()
            + data.rows.capacity() * size_of::<Row>()
            + data.values.capacity() * size_of::<TextSpan>()
            + data.escaped.capacity() * size_of::<Escaped>()
            + data.shapes.iter().map(|shape| shape.memory_bytes() + 3 * size_of::<usize>()).sum::<usize>()
            + data.tag_sets.iter().map(|tags| tags.memory_bytes() + size_of::<usize>()).sum::<usize>()
            + data.side.capacity()
            + data.arrivals.capacity() * size_of::<Arrival>()
            + data.side_rows.capacity() * size_of::<SideRow>()
    }

    pub(super) fn text(&self, span: TextSpan) -> &str {
        span.of(&self.data.arena).unwrap_or_default()
    }
}

/// A JSON text of an event (its raw text or its attributes) as a shape and the tokens in its holes.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    data: &'a BatchData,
    text: TextSpan,
    shape: &'a Arc<Shape>,
    shape_index: u32,
    first_value: u32,
}

impl<'a> Part<'a> {
    fn new(data: &'a BatchData, text: TextSpan, shape_index: u32, first_value: u32) -> Option<Part<'a>> {
        let shape = data.shapes.get(shape_index as usize)?;
        Some(Part { data, text, shape, shape_index, first_value })
    }

    /// The whole text as written.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text.of(&self.data.arena).unwrap_or_default()
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> &'a Arc<Shape> {
        self.shape
    }

    /// Which of [`EventBatch::shapes`] it is.
    #[must_use]
    pub fn shape_index(&self) -> usize {
        self.shape_index as usize
    }

    /// What the scalar in `hole` means: unescaped text, or the number or word as written.
    #[must_use]
    pub fn value(&self, hole: usize) -> &'a str {
        let span = self.data.values.get(self.first_value as usize + hole);
        span.and_then(|span| span.of(&self.data.arena)).unwrap_or_default()
    }

    /// The values of all holes, in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let part = *self;
        (0..part.shape.holes()).map(move |hole| part.value(hole))
    }

    /// The token in `hole` as written, without quotes but with its escapes.
    #[must_use]
    pub fn token(&self, hole: usize) -> &'a str {
        let value = self.first_value + hole as u32;
        match self.data.escaped.binary_search_by_key(&value, |escaped| escaped.value) {
            Ok(at) => {
                let token = self.data.escaped.get(at).map(|escaped| escaped.token);
                token.and_then(|token| token.of(&self.data.arena)).unwrap_or_default()
            }
            Err(_) => self.value(hole),
        }
    }

    /// The tokens of all holes, in order: with [`Shape::rebuild`] they give the text back.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &'a str> + Clone + use<'a> {
        let part = *self;
        let holes = part.shape.holes();
        let first = part.first_value as usize;
        let escaped = part.data.escaped.partition_point(|escaped| (escaped.value as usize) < first);
        let any = part.data.escaped.get(escaped).is_some_and(|next| (next.value as usize) < first + holes);
        (0..holes).map(move |hole| if any { part.token(hole) } else { part.value(hole) })
    }

    /// The tokens of all holes, in order, as bytes.
    pub(crate) fn token_bytes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let data = self.data;
        let first = self.first_value as usize;
        let spans = data.values.get(first..first + self.shape.holes()).unwrap_or_default();
        let from = data.escaped.partition_point(|escaped| (escaped.value as usize) < first);
        let mut escaped = data.escaped.get(from..).unwrap_or_default().iter().peekable();
        spans.iter().zip(self.first_value..).map(move |(span, value)| {
            let span = escaped.next_if(|next| next.value == value).map_or(*span, |escaped| escaped.token);
            let start = span.start as usize;
            data.arena.as_bytes().get(start..start + span.len as usize).unwrap_or_default()
        })
    }

    /// Whether the token in `hole` has escapes, so that it differs from the value.
    #[must_use]
    pub fn is_escaped(&self, hole: usize) -> bool {
        let value = self.first_value + hole as u32;
        self.data.escaped.binary_search_by_key(&value, |escaped| escaped.value).is_ok()
    }
}
