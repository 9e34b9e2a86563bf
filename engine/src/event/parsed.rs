//! Events with the fields that a parser found in them.
//!
//! Fields go beside the text, as attributes do. Where the text is a JSON object and the parser has kept all that stands in
//! it, they stay in the text: the event is then what the same JSON is that came without a parser.

use std::sync::Arc;

use weir_query::record::TextSpan;

use super::batch::{EventBatch, NO_SHAPE, Row};
use super::builder::EventBatchBuilder;
use super::columns::META_FIELDS;
use super::error::PushError;
use super::json::escape_into;
use super::tags::TagSet;

/// The time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// Nanoseconds since the epoch.
    pub nanos: i64,
    /// It is the time of arrival, as the event has none of its own.
    pub is_arrival: bool,
}

impl EventBatchBuilder {
    /// Adds an event with exactly these fields, in this order; no name twice. None is looked for in the text, nor is a time.
    ///
    /// # Errors
    /// When the event or the batch is too large, or the fields are over a limit: the batch is as before.
    pub fn push_fields(
        &mut self,
        raw: &[u8],
        time: EventTime,
        tags: &Arc<TagSet>,
        fields: &[(&str, &str)],
    ) -> Result<(), PushError> {
        let mut beside = vec![true; fields.len()];
        self.own();
        let mark = self.mark();
        let first_value = self.data.values.len() as u32;
        let kept = self.keep_object(raw, fields, &mut beside);
        if kept.is_none() {
            self.reset(&mark);
            beside.fill(true);
        }
        let mut attributes = std::mem::take(&mut self.scratch);
        write_object(fields, &beside, &mut attributes);
        let given = (!attributes.is_empty()).then_some(&*attributes);
        let row = self.taken(raw, kept, given);
        let pushed = row.map(|row| {
            let row = Row { timestamp: time.nanos, first_value, tag_set: self.tag_set_number(tags), ..row };
            self.add_row(row, raw.len());
        });
        self.scratch = attributes;
        if pushed.is_err() {
            self.reset(&mark);
        } else if time.is_arrival {
            self.mark_arrival();
        }
        pushed
    }

    /// Adds event `row` of `batch` as it is there, with other tags and with `more` fields beside it.
    ///
    /// # Errors
    /// When the event or the batch is too large: the batch is as before.
    pub fn push_as_it_came(
        &mut self,
        batch: &EventBatch,
        row: usize,
        tags: &Arc<TagSet>,
        more: &[(&str, &str)],
    ) -> Result<(), PushError> {
        let given = batch.attributes(row).map(|part| part.text());
        let mut attributes = String::new();
        write_object(more, &vec![true; more.len()], &mut attributes);
        let attributes = match (given, attributes.is_empty()) {
            (given, true) => given,
            (None, false) => Some(&*attributes),
            (Some(given), false) => {
                let given = given.trim_ascii();
                let members = given.get(1..given.len().saturating_sub(1)).unwrap_or_default().trim_ascii();
                let comma = if members.is_empty() { "" } else { "," };
                attributes.insert_str(1, &format!("{members}{comma}"));
                Some(&*attributes)
            }
        };
        let (raw, timestamp) = (batch.raw(row), Some(batch.timestamp(row)));
        match batch.json(row) {
            Some(_) => self.push_json(raw, timestamp, tags, attributes)?,
            None => self.push_text(raw, timestamp, tags, attributes)?,
        };
        if batch.has_arrival_timestamp(row) {
            self.mark_arrival();
        }
        Ok(())
    }

    /// Takes the text as an object, if it is one and every field in it is among `fields`; those are then not `beside` it.
    fn keep_object(
        &mut self,
        raw: &[u8],
        fields: &[(&str, &str)],
        beside: &mut [bool],
    ) -> Option<(TextSpan, u32)> {
        let text = std::str::from_utf8(raw).ok().filter(|text| text.trim_ascii_start().starts_with('{'))?;
        if raw.len() > self.limits.max_column_bytes || self.find_room(raw.len()).is_err() {
            return None;
        }
        let first_value = self.data.values.len();
        let span = self.store(text);
        let limits = self.limits;
        let number = self.take_object(text, span.start, &limits).ok()?;
        let shape = Arc::clone(self.predictor.shape(number)?);
        // Parsers mostly keep the order.
        let mut next = 0;
        for hole in 0..shape.holes() {
            let path = shape.path(hole);
            if path.starts_with('#') || META_FIELDS.contains(&path) || shape.position(path) != Some(hole) {
                // It is not what the event answers by this name.
                continue;
            }
            let is_at = |at: usize| fields.get(at).is_some_and(|(name, _)| *name == path);
            let at = if is_at(next) { next } else { (0..fields.len()).find(|at| is_at(*at))? };
            let value = self.data.values.get(first_value + hole)?.of(&self.arena)?;
            if fields.get(at).map(|(_, value)| *value) != Some(value) {
                return None;
            }
            *beside.get_mut(at)? = false;
            next = at + 1;
        }
        Some((span, number))
    }

    /// An event that is not added yet: its text, unless that is `kept` already, and its attributes are.
    fn taken(
        &mut self,
        raw: &[u8],
        kept: Option<(TextSpan, u32)>,
        attributes: Option<&str>,
    ) -> Result<Row, PushError> {
        let bytes = attributes.map_or(0, str::len);
        let limit = self.limits.max_event_bytes;
        if raw.len().max(bytes) > limit {
            return Err(PushError::EventTooLarge { bytes: raw.len().max(bytes), limit });
        }
        self.find_room(raw.len() + bytes)?;
        let (span, raw_shape, side) = match kept {
            Some((span, shape)) => (span, shape, false),
            None => match std::str::from_utf8(raw) {
                Ok(text) => (self.store(text), NO_SHAPE, false),
                Err(_) => (self.store(&String::from_utf8_lossy(raw)), NO_SHAPE, true),
            },
        };
        let (mark, limits) = (self.mark(), self.limits);
        let (attributes, attributes_shape) = self.take_attributes(attributes, &limits, &mark)?;
        if side {
            self.store_side(raw);
        }
        Ok(Row {
            timestamp: 0,
            raw: span,
            attributes,
            raw_shape,
            attributes_shape,
            first_value: 0,
            tag_set: 0,
            arrival: false,
            side,
        })
    }
}

/// Writes the fields that are `beside` the text as members of an object; nothing when there are none.
fn write_object(fields: &[(&str, &str)], beside: &[bool], out: &mut String) {
    out.clear();
    for ((name, value), _) in fields.iter().zip(beside).filter(|(_, beside)| **beside) {
        out.push_str(if out.is_empty() { "{\"" } else { ",\"" });
        escape_into(name, out);
        out.push_str("\":\"");
        escape_into(value, out);
        out.push('"');
    }
    if !out.is_empty() {
        out.push('}');
    }
}
