//! Events that are not the JSON they were announced as: kept whole as text, with what could be found in them.
//!
//! What becomes of an event here is written to the log as such: text, with these attributes. Reading it back decides
//! nothing anew.

use std::sync::Arc;

use super::builder::EventBatchBuilder;
use super::error::{JsonError, JsonErrorKind, PushError};
use super::json::{escape_into, unescape_into};
use super::limits::EventLimits;
use super::shape::Shape;
use super::tags::TagSet;

/// The most bytes of fields found in a text that are kept beside it, as a multiple of its own: a long key over many
/// elements repeats in each path.
const MAX_FLATTENED_RATIO: usize = 4;

impl EventBatchBuilder {
    /// Adds an event as text although it was announced as JSON. The fields found before the error are kept as
    /// attributes if the error is a limit or of encoding; `@error` says what it was.
    pub(super) fn push_opaque(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
        error: JsonError,
    ) -> Result<(), PushError> {
        if error.kind == JsonErrorKind::TooManyShapes {
            if let Some(given) = attributes {
                Shape::of(given, &self.limits).map_err(PushError::Attributes)?;
            }
            return self.push_bare(raw, timestamp, tags, attributes, error);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.push('{');
        // One field is left for `@error`.
        let mut fields = self.limits.max_fields_per_event.saturating_sub(1);
        if let Some(given) = attributes {
            // Checked first, as its braces are about to be cut off.
            let shape = Shape::of(given, &self.limits).map_err(PushError::Attributes)?;
            fields = fields.saturating_sub(shape.holes());
            let given = given.trim_ascii();
            let members = given.get(1..given.len().saturating_sub(1)).unwrap_or_default().trim_ascii();
            scratch.push_str(members);
            scratch.push_str(if members.is_empty() { "" } else { "," });
        }
        if error.kind == JsonErrorKind::Utf8
            || (error.kind.is_limit() && error.kind != JsonErrorKind::TooLarge)
        {
            let text = String::from_utf8_lossy(raw);
            let walked = self.predictor.walk(&text, &self.limits);
            if walked.is_ok() || error.kind.is_limit() {
                self.flatten_found(&text, fields, &mut scratch);
            }
        }
        scratch.push_str("\"@error\":\"");
        escape_into(&error.to_string(), &mut scratch);
        scratch.push_str("\"}");
        // What was added here is within its own bounds; the limits are about what senders give.
        let room = self.find_room(raw.len() + scratch.len());
        let max_batch_shape_bytes = self.limits.max_batch_shape_bytes;
        let limits = EventLimits { max_batch_shape_bytes, ..EventLimits::REPLAY };
        let pushed = room.and_then(|()| self.add_text(raw, timestamp, tags, Some(&scratch), &limits));
        self.scratch = scratch;
        match pushed {
            Err(PushError::Attributes(shapes)) if shapes.kind == JsonErrorKind::TooManyShapes => {
                self.push_bare(raw, timestamp, tags, attributes, error)
            }
            pushed => pushed,
        }
    }

    /// Adds an event as text in a batch that has no room for more shapes: with its time, the attributes given as one
    /// text in `@attributes`, and `@error`. The two shapes this takes are given room beyond the limit.
    pub(super) fn push_bare(
        &mut self,
        raw: &[u8],
        timestamp: Option<i64>,
        tags: &Arc<TagSet>,
        attributes: Option<&str>,
        error: JsonError,
    ) -> Result<(), PushError> {
        let text = std::str::from_utf8(raw).ok();
        let found = || attributes.into_iter().chain(text).find_map(|text| self.timestamp_in(text));
        let timestamp = timestamp.or_else(found);
        let mut bare = String::from("{");
        if let Some(given) = attributes {
            bare.push_str("\"@attributes\":\"");
            escape_into(given, &mut bare);
            bare.push_str("\",");
        }
        bare.push_str("\"@error\":\"");
        match error.kind {
            JsonErrorKind::TooManyShapes => escape_into(&error.kind.to_string(), &mut bare),
            _ => escape_into(&error.to_string(), &mut bare),
        }
        bare.push_str("\"}");
        self.find_room(raw.len() + bare.len())?;
        self.add_text(raw, timestamp, tags, Some(&bare), &EventLimits::REPLAY)
    }

    /// Appends the fields that the last walk found in `text` as members of a flat object, each with a comma: as
    /// many as are allowed, up to the first that is not right.
    fn flatten_found(&self, text: &str, fields: usize, out: &mut String) {
        let found = self.predictor.found();
        let limit = out.len().saturating_add(text.len().saturating_mul(MAX_FLATTENED_RATIO));
        let limit = limit.min(self.limits.max_column_bytes);
        let mut unescaped = String::new();
        for (at, token) in found.tokens.iter().take(fields).enumerate() {
            let content = token.of(text);
            let bad = token.escaped && unescape_into(content, &mut unescaped).is_err();
            if bad || out.len() + found.path(at).len() + content.len() > limit {
                return;
            }
            let quote = if token.quoted { "\"" } else { "" };
            out.push('"');
            escape_into(found.path(at), out);
            out.push_str("\":");
            out.push_str(quote);
            out.push_str(content);
            out.push_str(quote);
            out.push(',');
        }
    }
}
