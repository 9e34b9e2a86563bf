//! Events that are parts of one text, which the batch takes as it is.
//!
//! A body of lines is the arena of its batch already, with newlines between the raw texts. To copy it would cost a
//! twentieth of all that is done for an event until it is sealed, most of it for memory that nobody had touched yet.
//! What does not lie in order in that text (attributes, values with escapes, what is not UTF-8) ends this: from there on the batch has an arena
//! of its own, into which goes what was lent so far, and every place stays what it was.

use std::ops::Range;
use std::sync::Arc;

use weir_query::record::TextSpan;

use super::batch::{NO_SHAPE, Row};
use super::builder::EventBatchBuilder;
use super::error::{PushError, Pushed};
use super::tags::TagSet;

/// Most bytes in front of an event that belong to none: line ends, a byte order mark, a few blank lines. A text with much else in
/// it is not worth keeping for its events.
const GAP_BYTES_MAX: usize = 16;

/// The text that all events so far are parts of, one behind the other.
#[derive(Debug)]
pub(super) struct Lent {
    pub(super) text: Arc<String>,
    /// Where the last event ends.
    pub(super) end: usize,
}

impl EventBatchBuilder {
    /// Adds an event as [`EventBatchBuilder::push_json`] does, or as [`EventBatchBuilder::push_text`] where it is not
    /// announced as `json`. Where `raw` is a part of `text`, and all events before are too, nothing is copied: the batch
    /// shares the text.
    ///
    /// # Errors
    /// As those.
    pub fn push_lent(
        &mut self,
        text: &Arc<String>,
        raw: &[u8],
        json: bool,
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
    ) -> Result<Pushed, PushError> {
        if attributes.is_none() && self.take_part(text, raw, json, timestamp, tags) {
            return Ok(Pushed::Parsed);
        }
        match json {
            true => self.push_json(raw, timestamp, tags, attributes),
            false => self.push_text(raw, timestamp, tags, attributes),
        }
    }

    /// Adds the event where it lies; false, and nothing added, where that cannot be.
    fn take_part(
        &mut self,
        text: &Arc<String>,
        raw: &[u8],
        json: bool,
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
    ) -> bool {
        let Some(part) = place_in(text, raw).filter(|part| self.can_lend(text, part, tags)) else {
            return false;
        };
        let Some(own) = text.get(part.clone()) else { return false };
        let (mark, limits) = (self.mark(), self.limits);
        let first_value = self.data.values.len() as u32;
        let raw_shape = match json {
            true if own.len() > limits.max_column_bytes => return false,
            true => match self.take_tokens(own, part.start as u32, &limits) {
                Ok((shape, false)) => shape,
                Ok((_, true)) | Err(_) => {
                    self.reset(&mark);
                    return false;
                }
            },
            false => NO_SHAPE,
        };
        self.lent = Some(Lent { text: Arc::clone(text), end: part.end });
        let row = Row {
            timestamp: timestamp.unwrap_or(0),
            raw: TextSpan { start: part.start as u32, len: own.len() as u32 },
            attributes: TextSpan::MISSING,
            raw_shape,
            attributes_shape: NO_SHAPE,
            first_value,
            tag_set: self.tag_set_number(tags),
            arrival: timestamp.is_none(),
            side: false,
        };
        self.add_row(row, own.len());
        true
    }

    /// Whether the event at `part` of `text` is within the limits, and the events before it lie there in front of it.
    fn can_lend(&self, text: &Arc<String>, part: &Range<usize>, tags: &TagSet) -> bool {
        let (is_same, end) = match &self.lent {
            Some(lent) => (Arc::ptr_eq(&lent.text, text), lent.end),
            None => (self.is_empty(), 0),
        };
        is_same
            && part.start.checked_sub(end).is_some_and(|gap| gap <= GAP_BYTES_MAX)
            && part.len() <= self.limits.max_event_bytes
            && tags.len() <= self.limits.max_tags_per_event
            && self.has_room(part.start, part.len())
    }

    /// Gives the batch an arena of its own, where it has none yet.
    pub(super) fn own(&mut self) {
        if let Some(Lent { text, end }) = self.lent.take() {
            self.arena.reserve(text.len());
            self.arena.push_str(text.get(..end).unwrap_or_default());
        }
    }
}

/// Where `raw` lies in `text`, if it is a part of it and not merely the same.
fn place_in(text: &str, raw: &[u8]) -> Option<Range<usize>> {
    let start = raw.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(raw.len()).filter(|end| *end <= text.len())?;
    Some(start..end)
}
