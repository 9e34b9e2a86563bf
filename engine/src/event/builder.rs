//! Builds a batch, event by event.
//!
//! Raw bytes are copied into the arena once. Whatever the bytes are, an event within the size limits is taken: what
//! is not JSON, is not UTF-8 or goes over a limit of fields is kept whole as text, with `@error` saying why. A
//! builder may be used again after [`EventBatchBuilder::finish`]; it remembers the last shapes.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use weir_query::record::TextSpan;

use super::batch::{BatchData, Escaped, EventBatch, NO_SHAPE, Row, SideRow};
use super::error::{JsonError, JsonErrorKind, PushError, Pushed};
use super::json::unescape_into;
use super::lent::Lent;
use super::limits::EventLimits;
use super::numbers::Numbers;
use super::predict::Predictor;
use super::tags::TagSet;

/// Builds an [`EventBatch`].
#[derive(Debug)]
pub struct EventBatchBuilder {
    pub(super) limits: EventLimits,
    pub(super) timestamp_field: Option<Box<str>>,
    pub(super) reference_nanos: i64,
    pub(super) predictor: Predictor,
    pub(super) data: BatchData,
    pub(super) arena: String,
    /// In place of the arena, while all events lie in it.
    pub(super) lent: Option<Lent>,
    tag_sets: Numbers<TagSet>,
    /// For each shape of the batch, the holes that may hold the time, in order of preference.
    pub(super) timestamp_holes: Vec<Box<[u32]>>,
    pub(super) scratch: String,
}

/// Where a builder was before an event, to go back to when the event is refused.
pub(super) struct Mark {
    arena: usize,
    values: usize,
    escaped: usize,
}

impl EventBatchBuilder {
    /// A builder of batches within `limits`.
    #[must_use]
    pub fn new(limits: EventLimits) -> EventBatchBuilder {
        EventBatchBuilder {
            limits,
            timestamp_field: None,
            reference_nanos: now_nanos(),
            predictor: Predictor::default(),
            data: BatchData::default(),
            arena: String::new(),
            lent: None,
            tag_sets: Numbers::default(),
            timestamp_holes: Vec::new(),
            scratch: String::new(),
        }
    }

    /// Takes the time of events from this field only, instead of from the usual names.
    #[must_use]
    pub fn with_timestamp_field(mut self, field: Option<&str>) -> EventBatchBuilder {
        self.timestamp_field = field.map(Box::from);
        self
    }

    /// Reads times without a year as the latest up to 8 days after `nanos` since the epoch, instead of the clock.
    #[must_use]
    pub fn with_reference(mut self, nanos: i64) -> EventBatchBuilder {
        self.reference_nanos = nanos;
        self
    }

    /// A builder within `limits` that knows what this one, which is empty, has seen last; a new one where the limits differ.
    #[must_use]
    pub fn again(self, limits: EventLimits) -> EventBatchBuilder {
        match self.limits == limits && self.is_empty() {
            true => self,
            false => EventBatchBuilder::new(limits),
        }
    }

    /// Bytes of memory it holds while it is empty: what it remembers, and room for the next batch.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.predictor.kept_bytes()
            + self.tag_sets.room() * size_of::<(Arc<TagSet>, u32)>()
            + self.timestamp_holes.capacity() * size_of::<Box<[u32]>>()
            + self.scratch.capacity()
            + self.arena.capacity()
    }

    /// Makes room for `bytes` of raw text.
    pub fn reserve(&mut self, bytes: usize) {
        let bytes = bytes.min(self.limits.max_batch_bytes.saturating_sub(self.arena.len()));
        self.arena.reserve(bytes);
    }

    /// How many events there are so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.rows.len()
    }

    /// There are no events so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.rows.is_empty()
    }

    /// Raw bytes of the events so far.
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.data.raw_bytes
    }

    /// Whether the shapes of the events so far take more than half of what they may: time to end a batch that need
    /// not hold everything.
    #[must_use]
    pub fn has_many_shapes(&self) -> bool {
        self.predictor.shape_bytes() > self.limits.max_batch_shape_bytes / 2
    }

    /// Adds an event whose raw text is announced as a JSON object: its fields come from there, and from
    /// `attributes` (a JSON object), which win. Without `timestamp` (nanoseconds since the epoch) the time is taken
    /// from its fields, and failing that is the time of arrival.
    ///
    /// # Errors
    /// When the event or the batch is too large, there are too many tags, or the attributes are not a JSON object: the
    /// batch is as before.
    pub fn push_json(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
    ) -> Result<Pushed, PushError> {
        self.admit(raw, tags, attributes)?;
        let Ok(text) = std::str::from_utf8(raw) else {
            let error = utf8_error(raw);
            self.push_opaque(raw, timestamp, tags, attributes, error)?;
            return Ok(Pushed::Unparsed(error));
        };
        if raw.len() > self.limits.max_column_bytes {
            let error = JsonError { kind: JsonErrorKind::TooLarge, at: self.limits.max_column_bytes };
            self.push_opaque(raw, timestamp, tags, attributes, error)?;
            return Ok(Pushed::Unparsed(error));
        }
        let mark = self.mark();
        let first_value = self.data.values.len() as u32;
        let span = self.store(text);
        let limits = self.limits;
        let shape = match self.take_object(text, span.start, &limits) {
            Ok(shape) => shape,
            Err(error) => {
                self.reset(&mark);
                self.push_opaque(raw, timestamp, tags, attributes, error)?;
                return Ok(Pushed::Unparsed(error));
            }
        };
        let (attributes, attributes_shape) = match self.take_attributes(attributes, &limits, &mark) {
            Err(PushError::Attributes(error)) if error.kind == JsonErrorKind::TooManyShapes => {
                self.push_bare(raw, timestamp, tags, attributes, error)?;
                return Ok(Pushed::Unparsed(error));
            }
            taken => taken?,
        };
        let row = Row {
            timestamp: timestamp.unwrap_or(0),
            raw: span,
            attributes,
            raw_shape: shape,
            attributes_shape,
            first_value,
            tag_set: self.tag_set_number(tags),
            arrival: timestamp.is_none(),
            side: false,
        };
        self.add_row(row, raw.len());
        Ok(Pushed::Parsed)
    }

    /// Adds an event whose raw bytes are taken as plain text: its only fields are `attributes` (a JSON object).
    /// Without `timestamp` (nanoseconds since the epoch) the time is taken from the attributes, then looked for at
    /// the front of the text, and failing that is the time of arrival.
    ///
    /// # Errors
    /// When the event or the batch is too large, there are too many tags, or the attributes are not a JSON object: the
    /// batch is as before.
    pub fn push_text(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
    ) -> Result<Pushed, PushError> {
        self.admit(raw, tags, attributes)?;
        let limits = self.limits;
        match self.add_text(raw, timestamp, tags, attributes, &limits) {
            Err(PushError::Attributes(error)) if error.kind == JsonErrorKind::TooManyShapes => {
                self.push_bare(raw, timestamp, tags, attributes, error)?;
                Ok(Pushed::Unparsed(error))
            }
            added => added.map(|()| Pushed::Parsed),
        }
    }

    /// Adds an event of plain text, its attributes within `limits`.
    pub(super) fn add_text(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
        limits: &EventLimits,
    ) -> Result<(), PushError> {
        let mark = self.mark();
        let first_value = self.data.values.len() as u32;
        let (span, side) = match std::str::from_utf8(raw) {
            Ok(text) => (self.store(text), false),
            Err(_) => (self.store(&String::from_utf8_lossy(raw)), true),
        };
        let (attributes, attributes_shape) = self.take_attributes(attributes, limits, &mark)?;
        if side {
            self.store_side(raw);
        }
        let row = Row {
            timestamp: timestamp.unwrap_or(0),
            raw: span,
            attributes,
            raw_shape: NO_SHAPE,
            attributes_shape,
            first_value,
            tag_set: self.tag_set_number(tags),
            arrival: timestamp.is_none(),
            side,
        };
        self.add_row(row, raw.len());
        Ok(())
    }

    /// Says of the last event that its timestamp is the time of arrival.
    pub(super) fn mark_arrival(&mut self) {
        if let Some(row) = self.data.rows.last_mut() {
            row.arrival = true;
        }
    }

    /// Ends the batch, which arrived at `ingest_nanos` since the epoch. The builder is empty again.
    pub fn finish(&mut self, ingest_nanos: i64) -> EventBatch {
        let mut data = std::mem::take(&mut self.data);
        if self.lent.as_ref().is_some_and(|lent| has_slack(lent.end, lent.text.capacity())) {
            self.own();
        }
        data.arena = match self.lent.take() {
            Some(lent) => lent.text,
            None => {
                let mut arena = std::mem::take(&mut self.arena);
                if has_slack(arena.len(), arena.capacity()) {
                    arena.shrink_to_fit();
                }
                Arc::new(arena)
            }
        };
        data.shapes = self.predictor.finish();
        data.tag_sets = self.tag_sets.take();
        data.ingest_nanos = ingest_nanos;
        for row in data.rows.iter_mut().filter(|row| row.arrival) {
            row.timestamp = ingest_nanos;
        }
        shrink(&mut data.rows);
        shrink(&mut data.values);
        shrink(&mut data.escaped);
        self.timestamp_holes.clear();
        EventBatch::of(Arc::new(data), 0, None)
    }

    /// Whether the next event fits, before anything is changed for it but that the arena is the batch's own.
    fn admit(&mut self, raw: &[u8], tags: &TagSet, attributes: Option<&str>) -> Result<(), PushError> {
        self.own();
        let attributes = attributes.map_or(0, str::len);
        let (bytes, limit) = (raw.len().max(attributes), self.limits.max_event_bytes);
        if bytes > limit {
            return Err(PushError::EventTooLarge { bytes, limit });
        }
        let (tags, limit) = (tags.len(), self.limits.max_tags_per_event);
        if tags > limit {
            return Err(PushError::TooManyTags { tags, limit });
        }
        self.find_room(raw.len() + attributes)
    }

    /// Whether texts of so many bytes fit the batch.
    pub(super) fn find_room(&self, bytes: usize) -> Result<(), PushError> {
        match self.has_room(self.arena.len(), bytes) {
            true => Ok(()),
            false => Err(PushError::BatchFull { limit: self.arena_bytes_max() }),
        }
    }

    fn arena_bytes_max(&self) -> usize {
        self.limits.max_batch_bytes.min(EventLimits::MAX_ARENA_BYTES)
    }

    /// Whether texts of so many bytes fit behind the first `used` of the arena.
    pub(super) fn has_room(&self, used: usize, bytes: usize) -> bool {
        // Unescaped values take at most as much again, lossy text three times the bytes.
        used.saturating_add(bytes.saturating_mul(3)) <= self.arena_bytes_max()
    }

    /// The texts so far.
    pub(super) fn arena(&self) -> &str {
        self.lent.as_ref().map_or(&self.arena, |lent| &lent.text)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { arena: self.arena.len(), values: self.data.values.len(), escaped: self.data.escaped.len() }
    }

    pub(super) fn reset(&mut self, mark: &Mark) {
        self.arena.truncate(mark.arena);
        self.data.values.truncate(mark.values);
        self.data.escaped.truncate(mark.escaped);
    }

    pub(super) fn store(&mut self, text: &str) -> TextSpan {
        let start = self.arena.len() as u32;
        self.arena.push_str(text);
        TextSpan { start, len: text.len() as u32 }
    }

    pub(super) fn store_side(&mut self, raw: &[u8]) {
        let (row, start) = (self.data.rows.len() as u32, self.data.side.len() as u32);
        self.data.side.extend_from_slice(raw);
        self.data.side_rows.push(SideRow { row, start, len: raw.len() as u32 });
    }

    /// Takes the values of the object `text`, which is stored from `start`: its shape's number.
    pub(super) fn take_object(
        &mut self,
        text: &str,
        start: u32,
        limits: &EventLimits,
    ) -> Result<u32, JsonError> {
        let (shape, is_escaped) = self.take_tokens(text, start, limits)?;
        if is_escaped {
            self.unescape(text, start)?;
        }
        Ok(shape)
    }

    /// Takes the tokens of the object `text`, which lies at `start`, for its values: its shape's number, and whether any of
    /// them has escapes, so that it is not what the value is.
    pub(super) fn take_tokens(
        &mut self,
        text: &str,
        start: u32,
        limits: &EventLimits,
    ) -> Result<(u32, bool), JsonError> {
        let shape = self.predictor.shape_of(text, limits)?;
        let tokens = self.predictor.tokens();
        self.data
            .values
            .extend(tokens.iter().map(|token| TextSpan { start: start + token.start, len: token.len }));
        Ok((shape, tokens.iter().any(|token| token.escaped)))
    }

    /// Replaces the values of the last object's escaped tokens by what they mean.
    fn unescape(&mut self, text: &str, start: u32) -> Result<(), JsonError> {
        let tokens = self.predictor.tokens();
        let first = self.data.values.len() - tokens.len();
        for (place, token) in tokens.iter().enumerate().filter(|(_, token)| token.escaped) {
            let content = token.of(text);
            let value = TextSpan { start: self.arena.len() as u32, len: 0 };
            unescape_into(content, &mut self.arena)
                .map_err(|at| JsonError::escape(token.start as usize + at))?;
            let len = self.arena.len() as u32 - value.start;
            if let Some(slot) = self.data.values.get_mut(first + place) {
                *slot = TextSpan { len, ..value };
            }
            let token = TextSpan { start: start + token.start, len: token.len };
            self.data.escaped.push(Escaped { value: (first + place) as u32, token });
        }
        Ok(())
    }

    /// Takes the attributes of an event, or goes back to `mark`.
    pub(super) fn take_attributes(
        &mut self,
        attributes: Option<&str>,
        limits: &EventLimits,
        mark: &Mark,
    ) -> Result<(TextSpan, u32), PushError> {
        let Some(text) = attributes else { return Ok((TextSpan::MISSING, NO_SHAPE)) };
        let span = self.store(text);
        match self.take_object(text, span.start, limits) {
            Ok(shape) => Ok((span, shape)),
            Err(error) => {
                self.reset(mark);
                Err(PushError::Attributes(error))
            }
        }
    }

    pub(super) fn tag_set_number(&mut self, tags: &Arc<TagSet>) -> u32 {
        self.tag_sets.number(tags)
    }

    pub(super) fn add_row(&mut self, mut row: Row, raw_bytes: usize) {
        if row.arrival
            && let Some(nanos) = self.find_timestamp(&row)
        {
            row.timestamp = nanos;
            row.arrival = false;
        }
        self.data.raw_bytes += raw_bytes;
        if self.data.rows.is_empty() {
            // Many a batch is one event: what is made room for here is kept with it.
            self.data.rows.reserve_exact(1);
        }
        self.data.rows.push(row);
    }
}

/// Whether so much of an allocation is unused that it is worth moving: batches stay in memory for a while.
fn has_slack(len: usize, capacity: usize) -> bool {
    capacity - len > capacity / 4
}

fn shrink<T>(vector: &mut Vec<T>) {
    if has_slack(vector.len(), vector.capacity()) {
        vector.shrink_to_fit();
    }
}

fn utf8_error(raw: &[u8]) -> JsonError {
    let at = std::str::from_utf8(raw).err().map_or(0, |error| error.valid_up_to());
    JsonError { kind: JsonErrorKind::Utf8, at }
}

/// The clock; 0 before 1970 and the last representable time after 2262.
fn now_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
